/* Tests of grpc/describe.c: what is known of a connection and its calls. */
#include "grpc/echo_service.h"

static struct ng_stream *call(struct echo *echo, const char *path, const char *agent)
{
    struct buf message = echo_framed(SLICE_LITERAL("m"));
    struct ng_stream *stream =
        echo_call_with(echo, path, agent[0] != '\0' ? "user-agent" : "", agent);
    echo_send(echo, stream, buf_slice(&message), true);
    assert_true(echo_exchange(echo));
    buf_deinit(&message);
    return stream;
}

static void test_calls_are_counted(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct grpc_description description = grpc_connection_describe(echo->connection);
    assert_int_equal(description.calls + description.calls_so_far, 0);
    assert_string_equal(description.user_agent, "");
    echo->now_ms += 50;
    (void)call(echo, ECHO_NOW, "");
    (void)call(echo, ECHO_LATER, "");
    (void)call(echo, ECHO_LATER, "");
    description = grpc_connection_describe(echo->connection);
    assert_int_equal(description.calls, 2);
    assert_int_equal(description.streams, 0);
    assert_int_equal(description.calls_so_far, 3);
    assert_int_equal(description.active_ms, echo->now_ms);
    echo_free(echo);
}

static void test_the_name_is_that_of_the_first_request(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    (void)call(echo, ECHO_NOW,
               "gr\xc3\xbc"
               "n/1");
    (void)call(echo, ECHO_NOW, "other/2");
    assert_string_equal(grpc_connection_describe(echo->connection).user_agent, "gr??n/1");
    echo_free(echo);
}

static void test_no_name_and_a_long_one(void **state)
{
    (void)state;
    char long_name[151], kept[101];
    struct echo *echo = echo_connected();
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    (void)call(echo, ECHO_NOW, "");
    (void)call(echo, ECHO_NOW, "late/1");
    assert_string_equal(grpc_connection_describe(echo->connection).user_agent, "");
    echo_free(echo);
    echo = echo_connected();
    (void)call(echo, ECHO_NOW, long_name);
    snprintf(kept, sizeof kept, "%.100s", long_name);
    assert_string_equal(grpc_connection_describe(echo->connection).user_agent, kept);
    echo_free(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_are_counted),
        cmocka_unit_test(test_the_name_is_that_of_the_first_request),
        cmocka_unit_test(test_no_name_and_a_long_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
