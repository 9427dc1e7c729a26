/* Tests of server/slow_calls.c: what is printed of slow calls, and what must not be. */
#include "server/slow_calls.h"

#include "service/route.h"
#include "service/slowlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define GET "/keystore.v1.KeyStore/Get"

static void assert_printed(struct slowlog *log, const char *expected)
{
    size_t len;
    char *text = slow_calls_print(log, 1700000005000, &len);
    assert_non_null(text);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(text, expected, len);
    free(text);
}

static struct slow_call call_of_get(void)
{
    struct slow_call call = {.unix_ms = 1700000000000,
                             .duration_us = 12345,
                             .method = route_method_number(route_find(SLICE_LITERAL(GET))),
                             .code = GRPC_OK,
                             .peer = "192.0.2.7:4711"};
    call.note = (struct request_note){.db = 3,
                                      .key_size = 6,
                                      .key = "secret",
                                      .keys = 1,
                                      .elements = 2,
                                      .request_bytes = 11,
                                      .reply_bytes = 22};
    memcpy(call.metadata.request_id, "my-id", 5);
    call.metadata.request_id_size = 5;
    return call;
}

static void test_nothing(void **state)
{
    (void)state;
    assert_printed(NULL, "{\"unix_ms\":1700000005000,\"total\":0,\"calls\":[]}\n");
    struct slowlog *log = slowlog_new(0);
    struct slow_call call = call_of_get();
    slowlog_add(log, &call);
    assert_printed(log, "{\"unix_ms\":1700000005000,\"total\":1,\"calls\":[]}\n");
    slowlog_free(log);
}

/* The whole text is compared: there is no key, peer or request id in it. */
static void test_what_is_printed(void **state)
{
    (void)state;
    struct slowlog *log = slowlog_new(10);
    struct slow_call call = call_of_get();
    slowlog_add(log, &call);
    call.note.waited_for_disk = call.waited_for_lock = true;
    call.code = GRPC_DEADLINE_EXCEEDED;
    call.duration_us = INT64_MAX;
    slowlog_add(log, &call);
    assert_printed(
        log,
        "{\"unix_ms\":1700000005000,\"total\":2,\"calls\":["
        "{\"id\":2,\"unix_ms\":1700000000000,\"us\":9223372036854775807,"
        "\"service\":\"keystore.v1.KeyStore\",\"method\":\"Get\",\"status\":\"DEADLINE_EXCEEDED\","
        "\"waited_for\":\"disk\",\"keys\":1,\"elements\":2,\"request_bytes\":11,"
        "\"reply_bytes\":22},"
        "{\"id\":1,\"unix_ms\":1700000000000,\"us\":12345,"
        "\"service\":\"keystore.v1.KeyStore\",\"method\":\"Get\",\"status\":\"OK\","
        "\"waited_for\":\"\",\"keys\":1,\"elements\":2,\"request_bytes\":11,"
        "\"reply_bytes\":22}]}\n");
    slowlog_free(log);
}

/* The largest numbers, of the methods with the longest names, and no more calls than there is room
 * for. */
static void test_there_is_room(void **state)
{
    (void)state;
    struct slowlog *log = slowlog_new(1000);
    for (size_t i = 0; i < 10 * route_method_count(); i++) {
        struct slow_call call = {.unix_ms = INT64_MIN,
                                 .duration_us = INT64_MIN,
                                 .method = i % route_method_count(),
                                 .code = GRPC_FAILED_PRECONDITION,
                                 .note = {.offloaded = true,
                                          .keys = SIZE_MAX,
                                          .elements = SIZE_MAX,
                                          .request_bytes = SIZE_MAX,
                                          .reply_bytes = SIZE_MAX}};
        slowlog_add(log, &call);
        size_t len, calls = 0;
        char *text = slow_calls_print(log, INT64_MIN, &len);
        for (size_t at = 0; at < len; at++)
            calls += strncmp(text + at, "{\"id\"", 5) == 0;
        assert_int_equal(calls, i < SLOW_CALLS_PRINTED ? i + 1 : SLOW_CALLS_PRINTED);
        free(text);
    }
    slowlog_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_what_is_printed),
        cmocka_unit_test(test_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
