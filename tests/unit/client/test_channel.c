/* A connection and its calls against a server that behaves well or badly on demand. */
#include "client/channel.h"

#include "base/clock.h"
#include "client/call.h"

#include "support/fake_server.h"

#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MAX_MESSAGE ((size_t)1 << 20)
#define MESSAGE     SLICE_LITERAL("\0\0\0\0\5hello")

/* Long enough that a slow machine with sanitizers does not meet it. */
#define PATIENT_MS 60000

struct fixture {
    struct fake_server server;
    struct channel *channel;
    int64_t timeout_ms;
    struct call_attempt attempt; /* of the last call */
    struct buffer answer;
    struct keystore_error error;
};

static struct fixture fixture;

static void open_channel(int64_t connect_timeout_ms, int64_t call_timeout_ms, size_t max_message)
{
    struct target target;
    struct channel_limits limits = {connect_timeout_ms, call_timeout_ms, max_message, -1, NULL};
    assert_true(target_parse(fixture.server.address, &target, &fixture.error));
    fixture.channel = channel_new(&target, &limits);
    fixture.timeout_ms = call_timeout_ms;
    buffer_init(&fixture.answer, max_message);
}

/* Starts the server with these answers and a patient channel to it. */
static void start(const struct ng_answer *answers, size_t count)
{
    fixture = (struct fixture){.server = {.script = {.answers = answers, .count = count}}};
    fake_server_start(&fixture.server);
    open_channel(PATIENT_MS, PATIENT_MS, MAX_MESSAGE);
}

#define START(...)                                                                                 \
    static const struct ng_answer answers[] = {__VA_ARGS__};                                       \
    start(answers, sizeof answers / sizeof *answers)

/* Replaces the patient channel by one with other limits. */
static void reopen(int64_t connect_timeout_ms, int64_t call_timeout_ms, size_t max_message)
{
    channel_free(fixture.channel);
    buffer_deinit(&fixture.answer);
    open_channel(connect_timeout_ms, call_timeout_ms, max_message);
}

static void finish(void)
{
    channel_free(fixture.channel);
    fake_server_stop(&fixture.server);
    fake_server_deinit(&fixture.server);
    buffer_deinit(&fixture.answer);
}

static enum keystore_code call_with(struct slice message)
{
    fixture.attempt = (struct call_attempt){.timeout_ms = fixture.timeout_ms};
    return channel_call(fixture.channel, "/x.Service/Method", message, &fixture.attempt,
                        &fixture.answer, &fixture.error);
}

static enum keystore_code call(void)
{
    return call_with(MESSAGE);
}

static void assert_answer(const char *text)
{
    int code = (int)call();
    if (code != KEYSTORE_OK)
        fail_msg("%d: %s", code, fixture.error.message);
    assert_true(slice_equal(buffer_slice(&fixture.answer), slice_from_string(text)));
}

static void assert_fails(enum keystore_code code, const char *text)
{
    assert_int_equal(call(), code);
    assert_int_equal(fixture.error.code, code);
    if (strstr(fixture.error.message, text) == NULL)
        fail_msg("'%s' should contain '%s'", fixture.error.message, text);
}

#define GOOD .grpc_status = "0", .body = {(const uint8_t *)"\0\0\0\0\2hi", 7}

static void calls_share_a_connection(void **state)
{
    (void)state;
    START({GOOD});
    for (int i = 0; i < 20; i++)
        assert_answer("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 1);
    assert_int_equal(fixture.server.seen.started, 20);
    assert_int_equal(fixture.server.seen.resets, 0);
}

static _Thread_local int sends, receives, polls; /* system calls of this thread */

ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __real_recv(int fd, void *out, size_t size, int flags);
int __real_poll(struct pollfd *entries, nfds_t count, int timeout);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *out, size_t size, int flags);
int __wrap_poll(struct pollfd *entries, nfds_t count, int timeout);

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    sends++;
    return __real_send(fd, bytes, len, flags);
}

ssize_t __wrap_recv(int fd, void *out, size_t size, int flags)
{
    receives++;
    return __real_recv(fd, out, size, flags);
}

int __wrap_poll(struct pollfd *entries, nfds_t count, int timeout)
{
    polls++;
    return __real_poll(entries, count, timeout);
}

/* Of many calls, for one behind a pause takes a look at the connection first. */
static void a_small_call_is_a_send_and_a_receive(void **state)
{
    (void)state;
    START({.grpc_status = "5", .grpc_message = "one frame"});
    int least = INT_MAX;
    for (int i = 0; i < 500; i++) {
        sends = receives = polls = 0;
        assert_fails(KEYSTORE_NOT_FOUND, "one frame");
        if (sends + receives + polls < least)
            least = sends + receives + polls;
    }
    assert_int_equal(least, 2);
    finish();
}

static void timeouts_beyond_all_clocks(void **state)
{
    (void)state;
    START({GOOD});
    for (int64_t less = 0; less < 3; less++) {
        reopen(INT64_MAX - less, INT64_MAX - less, MAX_MESSAGE);
        assert_answer("hi");
        assert_answer("hi");
    }
    finish();
}

static void request_has_the_headers_of_grpc(void **state)
{
    (void)state;
    START({.echo = true, .grpc_status = "0"});
    assert_answer("hello");
    finish();
    assert_string_equal(fixture.server.seen.path, "/x.Service/Method");
    assert_string_equal(fixture.server.seen.user_agent, "keystore-c/" KEYSTORE_VERSION);
    long timeout_ms = strtol(fixture.server.seen.timeout, NULL, 10);
    assert_true(timeout_ms > 0 && timeout_ms <= PATIENT_MS);
}

static void no_timeout_means_no_header(void **state)
{
    (void)state;
    START({GOOD});
    reopen(PATIENT_MS, INT64_MAX, MAX_MESSAGE);
    assert_answer("hi");
    finish();
    assert_string_equal(fixture.server.seen.timeout, "");
}

static void prefix_split_over_frames(void **state)
{
    (void)state;
    START({GOOD, .frame_size = 1}, {GOOD, .frame_size = 3}, {GOOD, .frame_size = 6});
    assert_answer("hi");
    assert_answer("hi");
    assert_answer("hi");
    finish();
}

static void errors_with_and_without_body(void **state)
{
    (void)state;
    START({.grpc_status = "3", .grpc_message = "no%20key", .reason = "ERROR_REASON_BAD_ARGUMENT"},
          {.grpc_status = "5", .grpc_message = "gone", .body = {(const uint8_t *)"\0\0\0\0\0", 5}},
          {GOOD});
    assert_fails(KEYSTORE_INVALID_ARGUMENT, "no key");
    assert_string_equal(fixture.error.reason, "ERROR_REASON_BAD_ARGUMENT");
    assert_fails(KEYSTORE_NOT_FOUND, "gone");
    assert_string_equal(fixture.error.reason, "");
    assert_answer("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 1);
}

static void answers_without_grpc_status(void **state)
{
    (void)state;
    START({.http_status = "503"}, {.http_status = "404", .content_type = "text/html"},
          {.body = {(const uint8_t *)"\0\0\0\0\2hi", 7}}, {GOOD});
    assert_fails(KEYSTORE_UNAVAILABLE, "HTTP status 503");
    assert_fails(KEYSTORE_UNIMPLEMENTED, "speaks HTTP but not gRPC");
    assert_fails(KEYSTORE_UNKNOWN, "no grpc-status");
    assert_answer("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 1);
}

static void goaway_behind_an_answer_reconnects(void **state)
{
    (void)state;
    START({GOOD, .goaway = true}, {GOOD});
    assert_answer("hi");
    assert_answer("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 2);
}

static void refused_by_goaway(void **state)
{
    (void)state;
    START({GOOD}, {.behaviour = NG_REFUSE}, {.echo = true, .grpc_status = "0"});
    assert_answer("hi");
    assert_fails(KEYSTORE_UNAVAILABLE, "REFUSED_STREAM");
    assert_int_equal(fixture.attempt.fate, CALL_UNPROCESSED);
    assert_answer("hello");
    finish();
    assert_int_equal(fixture.server.accepted, 2);
    assert_int_equal(fixture.server.seen.started, 3);
}

static enum keystore_code attempt_call(struct call_attempt *attempt)
{
    return channel_call(fixture.channel, "/x/y", MESSAGE, attempt, &fixture.answer, &fixture.error);
}

/* What an attempt has beyond other calls, and what is learnt from it. */
static void attempts_of_a_call(void **state)
{
    (void)state;
    START({.grpc_status = "14", .pushback = "20"}, {GOOD});
    struct call_attempt attempt = {.timeout_ms = PATIENT_MS, .request_id = "aWQ", .previous = 3};
    assert_int_equal(attempt_call(&attempt), KEYSTORE_UNAVAILABLE);
    assert_int_equal(attempt.fate, CALL_SENT);
    assert_true(attempt.has_pushback);
    assert_int_equal(attempt.pushback_ms, 20);
    assert_int_equal(attempt_call(&attempt), KEYSTORE_OK);
    assert_false(attempt.has_pushback);
    assert_answer("hi");
    finish();
    const struct ng_head *heads = fixture.server.seen.heads;
    assert_int_equal(fixture.server.seen.head_count, 3);
    assert_string_equal(heads[0].request_id, "aWQ");
    assert_string_equal(heads[0].previous, "3");
    assert_string_equal(heads[2].request_id, "");
    assert_string_equal(heads[2].previous, "");
    assert_int_equal(heads[0].count, heads[2].count + 2);
}

/* The first one sets the deadline; a later one has what is left, also on an open connection. */
static void attempts_share_the_timeout(void **state)
{
    (void)state;
    START({GOOD}, {.grpc_status = "14"}, {.grpc_status = "14"}, {.behaviour = NG_SILENT});
    assert_answer("hi");
    struct call_attempt attempt = {.timeout_ms = PATIENT_MS};
    assert_int_equal(attempt_call(&attempt), KEYSTORE_UNAVAILABLE);
    assert_true(attempt.deadline_ms > clock_monotonic_ms());
    attempt.deadline_ms = clock_monotonic_ms() + PATIENT_MS / 2;
    assert_int_equal(attempt_call(&attempt), KEYSTORE_UNAVAILABLE);
    attempt.deadline_ms = clock_monotonic_ms() + 50; /* it does not wait for a minute */
    assert_int_equal(attempt_call(&attempt), KEYSTORE_DEADLINE_EXCEEDED);
    assert_true(clock_monotonic_ms() >= attempt.deadline_ms);
    assert_true(clock_monotonic_ms() < attempt.deadline_ms + PATIENT_MS / 2);
    finish();
    assert_int_equal(fixture.server.accepted, 1);
    assert_string_equal(fixture.server.seen.heads[1].timeout, "60000m");
    long left_ms = strtol(fixture.server.seen.heads[2].timeout, NULL, 10);
    assert_true(left_ms > 0 && left_ms <= PATIENT_MS / 2);
}

static void reset_by_the_server(void **state)
{
    (void)state;
    START({.behaviour = NG_RESET, .reset_code = NGHTTP2_ENHANCE_YOUR_CALM},
          {.behaviour = NG_RESET, .reset_code = NGHTTP2_CANCEL}, {GOOD});
    assert_fails(KEYSTORE_RESOURCE_EXHAUSTED, "ENHANCE_YOUR_CALM");
    assert_fails(KEYSTORE_CANCELLED, "CANCEL");
    assert_answer("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 1);
}

static void timeout_cancels_the_stream_only(void **state)
{
    (void)state;
    START({.behaviour = NG_SILENT}, {GOOD});
    reopen(PATIENT_MS, 1000, MAX_MESSAGE);
    int64_t before_ms = clock_monotonic_ms();
    assert_fails(KEYSTORE_DEADLINE_EXCEEDED, "1000 ms");
    assert_true(clock_monotonic_ms() - before_ms >= 1000);
    assert_answer("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 1);
    assert_int_equal(fixture.server.seen.resets, 1);
    assert_int_equal(fixture.server.seen.last_reset_code, NGHTTP2_CANCEL);
}

static void connection_closed_during_a_call(void **state)
{
    (void)state;
    START({.behaviour = NG_SILENT, .close_after = true}, {GOOD});
    assert_fails(KEYSTORE_UNAVAILABLE, "the server closed it");
    assert_answer("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 2);
}

/* The end of a connection may be on its way still when the next call starts: then that call fails,
 * and the one behind it connects. */
static void assert_answer_at_the_latest_in_two(const char *text)
{
    if (call() == KEYSTORE_OK)
        assert_true(slice_equal(buffer_slice(&fixture.answer), slice_from_string(text)));
    else
        assert_answer(text);
}

static void connection_closed_between_calls(void **state)
{
    (void)state;
    START({GOOD, .close_after = true}, {GOOD});
    assert_answer("hi");
    assert_answer_at_the_latest_in_two("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 2);
}

static void too_large_an_answer_is_cancelled(void **state)
{
    (void)state;
    START({.grpc_status = "0", .body = {(const uint8_t *)"\0\0\0\0\100aaaaaaaaaa", 15}}, {GOOD});
    reopen(PATIENT_MS, PATIENT_MS, 63);
    assert_fails(KEYSTORE_RESOURCE_EXHAUSTED, "64 bytes");
    assert_answer("hi");
    finish();
    assert_int_equal(fixture.server.accepted, 1);
}

static void two_messages_are_refused(void **state)
{
    (void)state;
    START({.grpc_status = "0", .body = {(const uint8_t *)"\0\0\0\0\1a\0\0\0\0\1b", 12}}, {GOOD});
    assert_fails(KEYSTORE_INTERNAL, "more than one message");
    assert_answer("hi");
    finish();
}

static void large_request_and_answer(void **state)
{
    (void)state;
    static const size_t len = (size_t)64 << 20;
    START({.echo = true, .grpc_status = "0"});
    reopen(PATIENT_MS, PATIENT_MS, len);
    uint8_t *request = malloc(CALL_PREFIX_SIZE + len);
    call_write_prefix(request, (uint32_t)len);
    for (size_t i = 0; i < len; i++)
        request[CALL_PREFIX_SIZE + i] = (uint8_t)(i * 31 ^ i >> 13);
    struct slice bytes = slice_make(request, CALL_PREFIX_SIZE + len);
    assert_int_equal(call_with(bytes), KEYSTORE_OK);
    assert_true(slice_equal(buffer_slice(&fixture.answer), slice_skip(bytes, CALL_PREFIX_SIZE)));
    assert_answer("hello");
    free(request);
    finish();
    assert_int_equal(fixture.server.accepted, 1);
}

/* A server may refuse a request before it has read it, and even hang up. */
static void answered_before_the_request_was_sent(void **state)
{
    (void)state;
    static const size_t len = (size_t)32 << 20;
    START({.behaviour = NG_EARLY, .grpc_status = "8", .grpc_message = "too large"}, {GOOD},
          {.behaviour = NG_EARLY, .grpc_status = "8", .close_after = true}, {GOOD});
    uint8_t *request = calloc(1, CALL_PREFIX_SIZE + len);
    call_write_prefix(request, (uint32_t)len);
    struct slice bytes = slice_make(request, CALL_PREFIX_SIZE + len);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(call_with(bytes), KEYSTORE_RESOURCE_EXHAUSTED);
        assert_answer_at_the_latest_in_two("hi");
    }
    free(request);
    finish();
    assert_int_equal(fixture.server.accepted, 2);
}

static void silent_server_times_out(void **state)
{
    (void)state;
    fixture = (struct fixture){.server = {.mute = true}};
    fake_server_start(&fixture.server);
    open_channel(100, PATIENT_MS, MAX_MESSAGE);
    assert_false(channel_connect(fixture.channel, INT64_MAX, &fixture.error));
    assert_int_equal(fixture.error.code, KEYSTORE_DEADLINE_EXCEEDED);
    assert_non_null(strstr(fixture.error.message, "no HTTP/2 SETTINGS"));
    finish();
}

static void another_protocol_is_recognised(void **state)
{
    (void)state;
    fixture = (struct fixture){
        .server = {.raw = SLICE_LITERAL("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")}};
    fake_server_start(&fixture.server);
    open_channel(PATIENT_MS, PATIENT_MS, MAX_MESSAGE);
    assert_false(channel_connect(fixture.channel, INT64_MAX, &fixture.error));
    assert_int_equal(fixture.error.code, KEYSTORE_UNAVAILABLE);
    assert_non_null(strstr(fixture.error.message, "no HTTP/2 server"));
    assert_fails(KEYSTORE_UNAVAILABLE, "no HTTP/2 server");
    finish();
    assert_int_equal(fixture.server.accepted, 2);
}

static void nobody_listens(void **state)
{
    (void)state;
    START({GOOD});
    assert_answer("hi");
    char address[sizeof fixture.server.address];
    memcpy(address, fixture.server.address, sizeof address);
    fake_server_stop(&fixture.server);
    assert_fails(KEYSTORE_UNAVAILABLE, address);
    assert_fails(KEYSTORE_UNAVAILABLE, "refused");
    assert_int_equal(fixture.attempt.fate, CALL_NOT_SENT);
    channel_free(fixture.channel);
    fake_server_deinit(&fixture.server);
    buffer_deinit(&fixture.answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_share_a_connection),
        cmocka_unit_test(a_small_call_is_a_send_and_a_receive),
        cmocka_unit_test(timeouts_beyond_all_clocks),
        cmocka_unit_test(request_has_the_headers_of_grpc),
        cmocka_unit_test(no_timeout_means_no_header),
        cmocka_unit_test(prefix_split_over_frames),
        cmocka_unit_test(errors_with_and_without_body),
        cmocka_unit_test(answers_without_grpc_status),
        cmocka_unit_test(goaway_behind_an_answer_reconnects),
        cmocka_unit_test(refused_by_goaway),
        cmocka_unit_test(attempts_of_a_call),
        cmocka_unit_test(attempts_share_the_timeout),
        cmocka_unit_test(reset_by_the_server),
        cmocka_unit_test(timeout_cancels_the_stream_only),
        cmocka_unit_test(connection_closed_during_a_call),
        cmocka_unit_test(connection_closed_between_calls),
        cmocka_unit_test(too_large_an_answer_is_cancelled),
        cmocka_unit_test(two_messages_are_refused),
        cmocka_unit_test(large_request_and_answer),
        cmocka_unit_test(answered_before_the_request_was_sent),
        cmocka_unit_test(silent_server_times_out),
        cmocka_unit_test(another_protocol_is_recognised),
        cmocka_unit_test(nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
