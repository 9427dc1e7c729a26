/* Tests of server/exposition_calls.c: which series there are. That they count calls as they are
 * made is tested in tests/e2e/test_metrics.py. */
#include "server/exposition_calls.h"

#include "service/route.h"

#include "server/exposition_fixture.h"

static char *write_calls(struct exposed *exposed)
{
    struct metrics_text text;
    struct meter_method *methods = malloc(route_method_count() * sizeof *methods);
    memset(methods, 0x55, route_method_count() * sizeof *methods); /* of an earlier call */
    metrics_text_init(&text, METRICS_PROMETHEUS);
    exposition_calls_write(&exposed->report, methods, &text);
    free(methods);
    return exposed_finish(&text);
}

static size_t count_lines(const char *text, const char *start)
{
    size_t count = 0;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += line[0] == '\n';
        count += strncmp(line, start, strlen(start)) == 0;
    }
    return count;
}

static void check_untouched(const char *text)
{
    static const char *const all[] = {"grpc_server_started_total{",
                                      "grpc_server_msg_received_total{",
                                      "grpc_server_msg_sent_total{"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(count_lines(text, all[i]), route_method_count());
    assert_int_equal(count_lines(text, "grpc_server_handled_total{"), 0);
    assert_int_equal(count_lines(text, "grpc_server_handling_seconds_"), 0);
    assert_int_equal(count_lines(text, "# TYPE "), 7);
    assert_true(exposed_value(text, "grpc_server_started_total{grpc_type=\"unary\",grpc_service="
                                    "\"keystore.v1.KeyStore\",grpc_method=\"Get\"}") == 0);
    assert_true(exposed_value(text, "keystore_retried_calls_total") == 0);
    assert_true(exposed_value(text, "keystore_streams{kind=\"Watch\"}") == 0);
    assert_true(exposed_value(text, "keystore_streams{kind=\"Health/Watch\"}") == 0);
    assert_true(exposed_value(text, "keystore_streams{kind=\"Get\"}") == -1);
    assert_true(exposed_value(text, "keystore_streams{kind=\"KillClients\"}") == -1);
}

/* Every method is there from the beginning, so that its first call is an increase. */
static void test_before_the_first_call(void **state)
{
    struct exposed *exposed = *state;
    char *text = write_calls(exposed);
    check_untouched(text);
    free(text);
    exposed_make_workers(exposed);
    text = write_calls(exposed);
    check_untouched(text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_before_the_first_call, exposed_setup,
                                        exposed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
