/* Framing, headers and trailers of one call, fed by hand. */
#include "client/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MAX_MESSAGE 100

struct fixture {
    struct call call;
    struct call_attempt attempt;
    struct buffer answer;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.attempt = (struct call_attempt){0};
    buffer_init(&fixture.answer, MAX_MESSAGE);
    call_init(&fixture.call, SLICE_LITERAL("request"), &fixture.attempt, &fixture.answer,
              MAX_MESSAGE);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    buffer_deinit(&fixture->answer);
    return 0;
}

static void header(struct fixture *fixture, const char *name, const char *value)
{
    call_on_header(&fixture->call, slice_from_string(name), slice_from_string(value));
}

static void headers(struct fixture *fixture)
{
    header(fixture, ":status", "200");
    header(fixture, "content-type", "application/grpc+proto");
}

static void assert_error(struct fixture *fixture, enum keystore_code code, const char *text)
{
    assert_int_equal(fixture->call.error.code, code);
    if (strstr(fixture->call.error.message, text) == NULL)
        fail_msg("'%s' should contain '%s'", fixture->call.error.message, text);
}

static void assert_answer(struct fixture *fixture, const char *text)
{
    assert_int_equal(call_finish(&fixture->call), KEYSTORE_OK);
    assert_true(slice_equal(buffer_slice(&fixture->answer), slice_from_string(text)));
}

static void prefix_is_big_endian(void **state)
{
    (void)state;
    uint8_t prefix[CALL_PREFIX_SIZE];
    call_write_prefix(prefix, 0x01020304);
    assert_memory_equal(prefix, "\0\1\2\3\4", 5);
}

static void timeouts_have_eight_digits_at_most(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {1, "1m"},
        {30000, "30000m"},
        {99999999, "99999999m"},
        {100000000, "100000S"},
        {INT64_C(99999999999), "99999999S"},
        {INT64_C(100000000000), "1666666M"},
        {INT64_MAX, "99999999H"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[CALL_TIMEOUT_SIZE];
        call_write_timeout(text, rows[i].ms);
        assert_string_equal(text, rows[i].text);
    }
}

static void request_is_taken_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    uint8_t out[8];
    assert_int_equal(call_take_request(&fixture->call, out, 4), 4);
    assert_memory_equal(out, "requ", 4);
    assert_int_equal(call_take_request(&fixture->call, out, sizeof out), 3);
    assert_memory_equal(out, "est", 3);
    assert_int_equal(call_take_request(&fixture->call, out, sizeof out), 0);
}

static void answer_in_one_piece(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    assert_true(call_on_data(&fixture->call, SLICE_LITERAL("\0\0\0\0\3abc")));
    header(fixture, "grpc-status", "0");
    assert_answer(fixture, "abc");
}

static void answer_byte_by_byte(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t bytes[] = "\0\0\0\0\3abc";
    headers(fixture);
    for (size_t i = 0; i < 8; i++)
        assert_true(call_on_data(&fixture->call, slice_make(bytes + i, 1)));
    header(fixture, "grpc-status", "0");
    assert_answer(fixture, "abc");
}

static void empty_message(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    assert_true(call_on_data(&fixture->call, SLICE_LITERAL("\0\0\0\0\0")));
    assert_true(call_on_data(&fixture->call, slice_make("", 0)));
    header(fixture, "grpc-status", "0");
    assert_answer(fixture, "");
}

static void message_of_the_limit_passes(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[CALL_PREFIX_SIZE + MAX_MESSAGE] = {0, 0, 0, 0, MAX_MESSAGE};
    headers(fixture);
    assert_true(call_on_data(&fixture->call, slice_make(bytes, sizeof bytes)));
    header(fixture, "grpc-status", "0");
    assert_int_equal(call_finish(&fixture->call), KEYSTORE_OK);
    assert_int_equal(fixture->answer.len, MAX_MESSAGE);
}

static void larger_message_is_refused_from_its_prefix(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[CALL_PREFIX_SIZE] = {0, 0, 0, 0, MAX_MESSAGE + 1};
    headers(fixture);
    assert_false(call_on_data(&fixture->call, slice_make(bytes, sizeof bytes)));
    assert_error(fixture, KEYSTORE_RESOURCE_EXHAUSTED, "101 bytes");
    assert_string_equal(fixture->call.error.reason, "ERROR_REASON_TOO_LARGE");
    assert_null(fixture->answer.data);
}

static void second_message_is_refused(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    assert_false(call_on_data(&fixture->call, SLICE_LITERAL("\0\0\0\0\1ab")));
    assert_error(fixture, KEYSTORE_INTERNAL, "more than one message");
}

static void compressed_message_is_refused(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    assert_false(call_on_data(&fixture->call, SLICE_LITERAL("\1\0\0\0\1a")));
    assert_error(fixture, KEYSTORE_INTERNAL, "compressed");
}

static void unknown_flag_is_refused(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    assert_false(call_on_data(&fixture->call, SLICE_LITERAL("\2\0\0\0\1a")));
    assert_error(fixture, KEYSTORE_INTERNAL, "flag");
}

static void ok_needs_a_whole_message(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    assert_true(call_on_data(&fixture->call, SLICE_LITERAL("\0\0\0\0\3ab")));
    header(fixture, "grpc-status", "0");
    assert_int_equal(call_finish(&fixture->call), KEYSTORE_INTERNAL);
    assert_error(fixture, KEYSTORE_INTERNAL, "truncated");
}

static void ok_without_message(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    header(fixture, "grpc-status", "0");
    assert_int_equal(call_finish(&fixture->call), KEYSTORE_INTERNAL);
}

static void error_with_all_its_trailers(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    header(fixture, "grpc-status", "9");
    header(fixture, "grpc-message", "it is%20a list");
    header(fixture, "keystore-reason", "ERROR_REASON_WRONG_TYPE");
    header(fixture, "grpc-status-details-bin", "xyz");
    assert_int_equal(call_finish(&fixture->call), KEYSTORE_FAILED_PRECONDITION);
    assert_error(fixture, KEYSTORE_FAILED_PRECONDITION, "it is a list");
    assert_string_equal(fixture->call.error.reason, "ERROR_REASON_WRONG_TYPE");
}

static void error_without_message(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    header(fixture, "grpc-status", "77");
    assert_int_equal(call_finish(&fixture->call), KEYSTORE_UNKNOWN);
    assert_error(fixture, KEYSTORE_UNKNOWN, "no explanation");
}

static void long_reason_is_cut(void **state)
{
    struct fixture *fixture = *state;
    char reason[200];
    memset(reason, 'r', sizeof reason);
    reason[sizeof reason - 1] = '\0';
    header(fixture, "keystore-reason", reason);
    assert_int_equal(strlen(fixture->call.error.reason), sizeof fixture->call.error.reason - 1);
}

static void page_of_a_web_server(void **state)
{
    struct fixture *fixture = *state;
    header(fixture, ":status", "404");
    header(fixture, "content-type", "text/html");
    assert_true(call_on_data(&fixture->call, SLICE_LITERAL("<html>nothing here</html>")));
    assert_int_equal(call_finish(&fixture->call), KEYSTORE_UNIMPLEMENTED);
    assert_error(fixture, KEYSTORE_UNIMPLEMENTED, "text/html");
}

static void missing_status(void **state)
{
    struct fixture *fixture = *state;
    headers(fixture);
    assert_true(call_on_data(&fixture->call, SLICE_LITERAL("\0\0\0\0\1a")));
    assert_int_equal(call_finish(&fixture->call), KEYSTORE_UNKNOWN);
    assert_error(fixture, KEYSTORE_UNKNOWN, "no grpc-status");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* As gRFC A6 has it, what is no number forbids to repeat the call, too. */
static void pushback(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"0", 0}, {"1500", 1500}, {"-1", -1}, {"", -1}, {"soon", -1}, {"5s", -1}};
    struct fixture *fixture = *state;
    headers(fixture);
    assert_false(fixture->attempt.has_pushback);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture->attempt = (struct call_attempt){0};
        header(fixture, "grpc-retry-pushback-ms", rows[i].text);
        assert_true(fixture->attempt.has_pushback);
        assert_int_equal(fixture->attempt.pushback_ms, rows[i].ms);
    }
    fixture->call.attempt = NULL; /* as that of a stream */
    header(fixture, "grpc-retry-pushback-ms", "7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(prefix_is_big_endian),
        TEST(timeouts_have_eight_digits_at_most),
        TEST(request_is_taken_in_pieces),
        TEST(answer_in_one_piece),
        TEST(answer_byte_by_byte),
        TEST(empty_message),
        TEST(message_of_the_limit_passes),
        TEST(larger_message_is_refused_from_its_prefix),
        TEST(second_message_is_refused),
        TEST(compressed_message_is_refused),
        TEST(unknown_flag_is_refused),
        TEST(ok_needs_a_whole_message),
        TEST(ok_without_message),
        TEST(error_with_all_its_trailers),
        TEST(error_without_message),
        TEST(long_reason_is_cut),
        TEST(page_of_a_web_server),
        TEST(missing_status),
        TEST(pushback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
