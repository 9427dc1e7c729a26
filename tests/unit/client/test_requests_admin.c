/* Public request structs about the server against the generated messages, field by field. */
#include "request_fixture.h"

#define REQUESTS(REQUEST)                                                                          \
    REQUEST(info_request, NULL)                                                                    \
    REQUEST(save_request, NULL)                                                                    \
    REQUEST(health_request, NULL)                                                                  \
    REQUEST(authenticate_request, NULL)                                                            \
    REQUEST(who_am_i_request, NULL)                                                                \
    REQUEST(clients_request, NULL)                                                                 \
    REQUEST(config_request, NULL)                                                                  \
    REQUEST(set_config_request, NULL)                                                              \
    REQUEST(kill_clients_request, NULL)                                                            \
    REQUEST(slow_log_request, NULL)                                                                \
    REQUEST(latency_request, NULL)

REQUESTS(PACKS)

static void zeroed_fields_take_no_bytes(void **state)
{
    (void)state;
    REQUESTS(TAKES_NO_BYTES)
    assert_int_equal(out.len, 0);
}

/* A count without texts, and a text that is missing. */
static void texts_must_be_there(void **state)
{
    (void)state;
    static const char *const texts[] = {"Get", NULL};
    struct keystore_latency_request request = {.methods = texts, .count = 2};
    const void *message = requests_latency_request(&builder, &request);
    assert_true(builder.missing);
    assert_false(requests_pack(&out, &builder, message, &error));
    assert_int_equal(error.code, KEYSTORE_INVALID_ARGUMENT);
    builder.missing = false;
    request = (struct keystore_latency_request){.count = 1};
    (void)requests_latency_request(&builder, &request);
    assert_true(builder.missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REQUESTS(LISTED) /* one each */
        TEST(zeroed_fields_take_no_bytes),
        TEST(texts_must_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
