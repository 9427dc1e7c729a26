/* Which calls are repeated, when and with which id, against a server that fails on demand. */
#include "client/retry.h"

#include "base/clock.h"

#include "support/fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGE SLICE_LITERAL("\0\0\0\0\5hello")

/* Long enough that a slow machine with sanitizers does not meet it. */
#define PATIENT_MS 60000

struct fixture {
    struct fake_server server;
    struct channel *channel;
    struct retry retry;
    struct retry_call call;
    struct buffer answer;
    struct keystore_error error;
};

static struct fixture fixture;

static void open_channel(int cancel_fd)
{
    struct target target;
    struct channel_limits limits = {PATIENT_MS, PATIENT_MS, 1 << 20, cancel_fd, NULL};
    assert_true(target_parse(fixture.server.address, &target, &fixture.error));
    fixture.channel = channel_new(&target, &limits);
    fixture.call = (struct retry_call){
        .path = "/x.Service/Method", .timeout_ms = PATIENT_MS, .request = MESSAGE};
    buffer_init(&fixture.answer, 1 << 20);
}

static void start(const struct ng_answer *answers, size_t count, uint32_t max_retries)
{
    fixture = (struct fixture){.server = {.script = {.answers = answers, .count = count}},
                               .retry.max_retries = max_retries};
    fake_server_start(&fixture.server);
    open_channel(-1);
}

#define START(max_retries, ...)                                                                    \
    static const struct ng_answer answers[] = {__VA_ARGS__};                                       \
    start(answers, sizeof answers / sizeof *answers, max_retries)

#define GOOD .grpc_status = "0", .body = {(const uint8_t *)"\0\0\0\0\2hi", 7}

/* The connection is lost when the request has arrived. */
#define LOST .behaviour = NG_SILENT, .close_after = true

static void finish(void)
{
    channel_free(fixture.channel);
    fake_server_stop(&fixture.server);
    fake_server_deinit(&fixture.server);
    buffer_deinit(&fixture.answer);
}

static enum keystore_code call(enum retry_effect effect)
{
    fixture.call.effect = effect;
    return retry_call(&fixture.retry, fixture.channel, &fixture.call, &fixture.answer,
                      &fixture.error);
}

static void assert_answer(enum retry_effect effect)
{
    int code = (int)call(effect);
    if (code != KEYSTORE_OK)
        fail_msg("%d: %s", code, fixture.error.message);
    assert_true(slice_equal(buffer_slice(&fixture.answer), SLICE_LITERAL("hi")));
}

static void assert_fails(enum retry_effect effect, enum keystore_code code, const char *text)
{
    assert_int_equal(call(effect), code);
    assert_int_equal(fixture.error.code, code);
    if (strstr(fixture.error.message, text) == NULL)
        fail_msg("'%s' should contain '%s'", fixture.error.message, text);
}

static const struct ng_head *head(size_t number)
{
    assert_true(number < fixture.server.seen.head_count);
    return &fixture.server.seen.heads[number];
}

/* ---- without max_retries ---- */

static void by_default_nothing_is_repeated(void **state)
{
    (void)state;
    START(0, {GOOD}, {.grpc_status = "14", .pushback = "0"}, {LOST}, {GOOD});
    assert_answer(RETRY_ONCE);
    assert_fails(RETRY_NONE, KEYSTORE_UNAVAILABLE, "no explanation");
    assert_null(strstr(fixture.error.message, "attempts"));
    assert_fails(RETRY_NONE, KEYSTORE_UNAVAILABLE, "lost the connection");
    assert_answer(RETRY_ONCE);
    finish();
    assert_int_equal(fixture.server.seen.started, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(head(i)->request_id, "");
        assert_string_equal(head(i)->previous, "");
        assert_int_equal(head(i)->count, 9);
    }
}

static void what_a_server_refuses_is_sent_once_more(void **state)
{
    (void)state;
    START(0, {GOOD}, {.behaviour = NG_REFUSE}, {GOOD}, {.behaviour = NG_REFUSE},
          {.behaviour = NG_REFUSE}, {GOOD});
    assert_answer(RETRY_NONE);
    assert_answer(RETRY_EACH_TIME); /* the server has not looked at it */
    assert_fails(RETRY_NONE, KEYSTORE_UNAVAILABLE, "REFUSED_STREAM");
    assert_answer(RETRY_NONE);
    finish();
    assert_int_equal(fixture.server.seen.started, 6);
    assert_string_equal(head(2)->previous, "");
}

/* ---- ids ---- */

static void a_write_keeps_its_id(void **state)
{
    (void)state;
    START(5, {GOOD}, {LOST}, {.grpc_status = "14"}, {LOST}, {GOOD}, {GOOD});
    assert_answer(RETRY_ONCE);
    assert_answer(RETRY_ONCE);
    assert_answer(RETRY_ONCE);
    finish();
    assert_int_equal(fixture.server.seen.started, 6);
    assert_int_equal(strlen(head(0)->request_id), 22); /* 16 bytes */
    assert_string_equal(head(0)->previous, "");
    for (size_t i = 1; i < 5; i++) {
        char previous[] = {(char)('0' + i - 1), '\0'};
        assert_string_equal(head(i)->request_id, head(1)->request_id);
        assert_string_equal(head(i)->previous, i == 1 ? "" : previous);
    }
    assert_string_not_equal(head(0)->request_id, head(1)->request_id);
    assert_string_not_equal(head(1)->request_id, head(5)->request_id);
    assert_string_not_equal(head(0)->request_id, head(5)->request_id);
}

static void reads_need_no_id(void **state)
{
    (void)state;
    START(5, {LOST}, {.grpc_status = "14"}, {GOOD});
    assert_answer(RETRY_NONE);
    finish();
    assert_int_equal(fixture.server.seen.started, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(head(i)->request_id, "");
    assert_string_equal(head(2)->previous, "2");
}

static void choose(const char *id)
{
    fixture.retry.id_len = strlen(id);
    memcpy(fixture.retry.id, id, strlen(id));
}

/* It is that of one call, and of all attempts at that. */
static void a_chosen_id(void **state)
{
    (void)state;
    START(5, {LOST}, {GOOD}, {GOOD});
    choose("id");
    assert_answer(RETRY_ONCE);
    assert_answer(RETRY_NONE);
    fixture.retry.max_retries = 0;
    choose("any");
    assert_answer(RETRY_ONCE);
    assert_answer(RETRY_ONCE);
    char longest[RETRY_MAX_ID + 1] = {0};
    memset(longest, 'x', RETRY_MAX_ID);
    choose(longest);
    assert_answer(RETRY_ONCE);
    finish();
    assert_string_equal(head(0)->request_id, "aWQ");
    assert_string_equal(head(1)->request_id, "aWQ");
    assert_string_equal(head(2)->request_id, "");
    assert_string_equal(head(3)->request_id, "YW55");
    assert_string_equal(head(4)->request_id, "");
    assert_int_equal(strlen(head(5)->request_id), 86);
}

static void without_max_retries_a_chosen_id_is_sent_once(void **state)
{
    (void)state;
    START(0, {LOST}, {GOOD});
    choose("id");
    assert_fails(RETRY_ONCE, KEYSTORE_UNAVAILABLE, "lost the connection");
    finish();
    assert_string_equal(head(0)->request_id, "aWQ");
    assert_int_equal(fixture.server.seen.started, 1);
}

/* ---- which errors ---- */

static void other_errors_are_final(void **state)
{
    (void)state;
    START(5, {.grpc_status = "6", .reason = "ERROR_REASON_REQUEST_ID_REUSED"}, {.grpc_status = "4"},
          {.grpc_status = "8"}, {.grpc_status = "13"}, {GOOD});
    assert_fails(RETRY_ONCE, KEYSTORE_ALREADY_EXISTS, "");
    assert_string_equal(fixture.error.reason, "ERROR_REASON_REQUEST_ID_REUSED");
    assert_fails(RETRY_ONCE, KEYSTORE_DEADLINE_EXCEEDED, "");
    assert_fails(RETRY_ONCE, KEYSTORE_RESOURCE_EXHAUSTED, "");
    assert_fails(RETRY_ONCE, KEYSTORE_INTERNAL, "");
    finish();
    assert_int_equal(fixture.server.seen.started, 4);
}

static void the_server_may_forbid_it(void **state)
{
    (void)state;
    START(5, {.grpc_status = "14", .pushback = "-1"}, {.grpc_status = "14", .pushback = "later"},
          {GOOD});
    assert_fails(RETRY_ONCE, KEYSTORE_UNAVAILABLE, "");
    assert_fails(RETRY_NONE, KEYSTORE_UNAVAILABLE, "");
    finish();
    assert_int_equal(fixture.server.seen.started, 2);
}

/* Its time is for errors that pass, whatever their code, of calls without effect. */
static void the_server_may_ask_for_it(void **state)
{
    (void)state;
    START(5, {.grpc_status = "8", .pushback = "120"}, {GOOD},
          {.grpc_status = "14", .pushback = "0"}, {GOOD});
    int64_t begin_ms = clock_monotonic_ms();
    assert_answer(RETRY_EACH_TIME);
    assert_true(clock_monotonic_ms() - begin_ms >= 120);
    assert_answer(RETRY_EACH_TIME);
    finish();
    assert_int_equal(fixture.server.seen.started, 4);
    assert_string_equal(head(1)->previous, "1");
    assert_string_equal(head(1)->request_id, "");
}

static void what_takes_effect_each_time(void **state)
{
    (void)state;
    START(5, {.grpc_status = "14"}, {LOST}, {.behaviour = NG_REFUSE}, {.behaviour = NG_REFUSE},
          {GOOD});
    assert_fails(RETRY_EACH_TIME, KEYSTORE_UNAVAILABLE, "");
    assert_fails(RETRY_EACH_TIME, KEYSTORE_UNAVAILABLE, "lost the connection");
    assert_answer(RETRY_EACH_TIME);
    finish();
    assert_int_equal(fixture.server.seen.started, 5);
    assert_string_equal(head(4)->previous, "1"); /* the first repetition is not counted */
}

/* An id does not help a method that takes none. */
static void what_takes_effect_each_time_with_an_id(void **state)
{
    (void)state;
    START(5, {.grpc_status = "14"}, {GOOD});
    choose("id");
    assert_fails(RETRY_EACH_TIME, KEYSTORE_UNAVAILABLE, "");
    finish();
    assert_string_equal(head(0)->request_id, "aWQ");
    assert_int_equal(fixture.server.seen.started, 1);
}

/* ---- limits ---- */

static void attempts_are_counted(void **state)
{
    (void)state;
    START(3, {.grpc_status = "14", .grpc_message = "not now"}, {LOST},
          {.grpc_status = "14", .grpc_message = "not now"});
    assert_fails(RETRY_ONCE, KEYSTORE_UNAVAILABLE, "not now (after 4 attempts)");
    finish();
    assert_int_equal(fixture.server.seen.started, 4);
    assert_string_equal(head(3)->previous, "3");
}

/* The last error says more than that the time is over. */
static void the_timeout_is_for_all_attempts(void **state)
{
    (void)state;
    START(UINT32_MAX, {.grpc_status = "14", .grpc_message = "not now"});
    fixture.call.timeout_ms = 300;
    int64_t begin_ms = clock_monotonic_ms();
    assert_fails(RETRY_NONE, KEYSTORE_UNAVAILABLE, "not now (after ");
    assert_true(clock_monotonic_ms() - begin_ms < PATIENT_MS / 2);
    finish();
    assert_true(fixture.server.seen.started > 1);
}

static void a_pause_beyond_the_timeout_is_not_begun(void **state)
{
    (void)state;
    START(5, {.grpc_status = "14", .grpc_message = "not now", .pushback = "70000"}, {GOOD});
    int64_t begin_ms = clock_monotonic_ms();
    assert_fails(RETRY_NONE, KEYSTORE_UNAVAILABLE, "not now");
    assert_true(clock_monotonic_ms() - begin_ms < PATIENT_MS / 2);
    finish();
    assert_int_equal(fixture.server.seen.started, 1);
}

/* ---- connecting ---- */

/* A channel to an address where nobody listens. */
static void start_alone(uint32_t max_retries, int cancel_fd)
{
    start(&ng_answer_ok, 1, max_retries);
    finish();
    open_channel(cancel_fd);
}

static void finish_alone(void)
{
    channel_free(fixture.channel);
    buffer_deinit(&fixture.answer);
}

static void connecting_is_repeated(void **state)
{
    (void)state;
    start_alone(3, -1);
    int64_t deadline_ms = clock_monotonic_ms() + PATIENT_MS;
    assert_false(retry_connect(&fixture.retry, fixture.channel, deadline_ms, &fixture.error));
    assert_int_equal(fixture.error.code, KEYSTORE_UNAVAILABLE);
    assert_non_null(strstr(fixture.error.message, "refused (after 4 attempts)"));
    fixture.retry.max_retries = UINT32_MAX;
    deadline_ms = clock_monotonic_ms() + 1000;
    assert_false(retry_connect(&fixture.retry, fixture.channel, deadline_ms, &fixture.error));
    assert_non_null(strstr(fixture.error.message, "attempts)"));
    fixture.retry.max_retries = 0;
    assert_false(retry_connect(&fixture.retry, fixture.channel, deadline_ms, &fixture.error));
    assert_null(strstr(fixture.error.message, "attempts)"));
    finish_alone();
}

/* What was not sent may be sent, whatever it is. */
static void calls_of_any_kind_wait_for_a_connection(void **state)
{
    (void)state;
    start_alone(3, -1);
    assert_fails(RETRY_EACH_TIME, KEYSTORE_UNAVAILABLE, "refused (after 4 attempts)");
    fixture.retry.max_retries = 0;
    assert_fails(RETRY_NONE, KEYSTORE_UNAVAILABLE, "refused");
    assert_null(strstr(fixture.error.message, "attempts)"));
    finish_alone();
}

static void a_pause_can_be_cancelled(void **state)
{
    (void)state;
    int fd = eventfd(1, EFD_CLOEXEC);
    start_alone(UINT32_MAX, fd);
    assert_fails(RETRY_NONE, KEYSTORE_CANCELLED, "cancelled");
    finish_alone();
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default_nothing_is_repeated),
        cmocka_unit_test(what_a_server_refuses_is_sent_once_more),
        cmocka_unit_test(a_write_keeps_its_id),
        cmocka_unit_test(reads_need_no_id),
        cmocka_unit_test(a_chosen_id),
        cmocka_unit_test(without_max_retries_a_chosen_id_is_sent_once),
        cmocka_unit_test(other_errors_are_final),
        cmocka_unit_test(the_server_may_forbid_it),
        cmocka_unit_test(the_server_may_ask_for_it),
        cmocka_unit_test(what_takes_effect_each_time),
        cmocka_unit_test(what_takes_effect_each_time_with_an_id),
        cmocka_unit_test(attempts_are_counted),
        cmocka_unit_test(the_timeout_is_for_all_attempts),
        cmocka_unit_test(a_pause_beyond_the_timeout_is_not_begun),
        cmocka_unit_test(a_pause_can_be_cancelled),
        cmocka_unit_test(connecting_is_repeated),
        cmocka_unit_test(calls_of_any_kind_wait_for_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
