/*
 * Tests of grpc/lifetime.c: when connections end because of their age or because they make no
 * calls, what their clients are told, and what becomes of their calls.
 */
#include "grpc/call.h"
#include "grpc/echo_service.h"
#include "store/seeded.h"

#define AGE_MS 100000
/* The longest age within the jitter. */
#define OLD_MS (AGE_MS + AGE_MS / 10)

static struct echo *open_with(int64_t age_ms, int64_t grace_ms, int64_t idle_ms)
{
    struct grpc_limits limits = echo_limits();
    limits.request_timeout_ms = INT64_MAX / 2;
    limits.max_age_ms = age_ms;
    limits.max_age_grace_ms = grace_ms;
    limits.idle_timeout_ms = idle_ms;
    limits.http2.keepalive_time_ms = 0;
    return echo_new(&limits, &(struct ng_options){.stream_window = 0});
}

static enum closing_kind check(struct echo *echo, int64_t after_ms)
{
    echo->now_ms += after_ms;
    grpc_connection_check(echo->connection, echo->now_ms);
    return grpc_connection_expired(echo->connection, echo->now_ms).kind;
}

static enum closing_kind closing(const struct echo *echo)
{
    return grpc_connection_closing(echo->connection).kind;
}

/* The connection has output: it is told so, and the client gets it. */
static void assert_goaways(struct echo *echo, size_t count)
{
    assert_true(echo->outputs > 0);
    assert_true(echo_exchange(echo));
    assert_int_equal(echo->client->goaways, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(echo->client->goaway_code[i], 0);
}

static void test_jitter_is_a_tenth(void **state)
{
    (void)state;
    assert_int_equal(lifetime_jitter(1000, 0), 900);
    assert_int_equal(lifetime_jitter(1000, 100), 1000);
    assert_int_equal(lifetime_jitter(1000, 200), 1100);
    assert_int_equal(lifetime_jitter(1000, 201), 900);
    uint64_t random = seeded_start();
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 100000; i++) {
        int64_t age_ms = lifetime_jitter(1000, seeded_next(&random));
        least = age_ms < least ? age_ms : least;
        most = age_ms > most ? age_ms : most;
    }
    assert_int_equal(least, 900);
    assert_int_equal(most, 1100);
}

static void test_without_an_age(void **state)
{
    (void)state;
    struct echo *echo = open_with(0, 0, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(check(echo, INT32_MAX), CLOSING_NONE);
    assert_int_equal(closing(echo), CLOSING_NONE);
    echo_assert_works(echo);
    assert_int_equal(echo->client->goaways, 0);
    echo_free(echo);
}

static void test_an_old_connection_is_drained(void **state)
{
    (void)state;
    struct echo *echo = open_with(AGE_MS, 0, 0);
    assert_int_equal(check(echo, AGE_MS - AGE_MS / 10 - 1), CLOSING_NONE);
    assert_int_equal(closing(echo), CLOSING_NONE);
    struct ng_stream *call = echo_call_later(echo, SLICE_LITERAL("in flight"));
    assert_int_equal(check(echo, AGE_MS / 5 + 1), CLOSING_NONE);
    assert_goaways(echo, 2); /* the client has answered the PING in between */
    assert_int_equal(closing(echo), CLOSING_MAX_AGE);
    for (int i = 0; i < 100; i++) /* there is no limit to the grace */
        assert_int_equal(check(echo, AGE_MS), CLOSING_NONE);
    assert_false(grpc_connection_finished(echo->connection));
    echo_answer(&echo->pending[0]);
    assert_true(echo_exchange(echo));
    echo_assert_reply(call, SLICE_LITERAL("in flight"));
    assert_int_equal(echo->client->goaways, 2);
    assert_true(grpc_connection_finished(echo->connection));
    echo_free(echo);
}

/* Connections that were opened together do not end together. */
static void test_ages_differ(void **state)
{
    (void)state;
    struct echo *echoes[20];
    size_t early = 0;
    for (size_t i = 0; i < 20; i++)
        echoes[i] = open_with(AGE_MS, 0, 0);
    for (size_t i = 0; i < 20; i++) {
        check(echoes[i], AGE_MS);
        early += closing(echoes[i]) == CLOSING_MAX_AGE;
    }
    assert_true(early > 0 && early < 20); /* fails by chance twice in a million */
    for (size_t i = 0; i < 20; i++)
        echo_free(echoes[i]);
}

static void test_the_grace_ends_the_connection(void **state)
{
    (void)state;
    struct echo *echo = open_with(AGE_MS, 5000, 0);
    echo_call_later(echo, SLICE_LITERAL("never answered"));
    assert_int_equal(check(echo, OLD_MS), CLOSING_NONE);
    assert_int_equal(check(echo, 4999), CLOSING_NONE);
    assert_int_equal(check(echo, 1), CLOSING_NONE); /* calls that stream end now, see below */
    assert_int_equal(check(echo, http2_default_limits.goaway_timeout_ms - 1), CLOSING_NONE);
    assert_int_equal(echo->cancels, 0);
    assert_int_equal(check(echo, 1), CLOSING_MAX_AGE);
    grpc_connection_end(echo->connection, grpc_connection_expired(echo->connection, echo->now_ms));
    assert_int_equal(closing(echo), CLOSING_MAX_AGE);
    echo_free(echo);
}

/* The calls end by themselves: nothing is left to be ended. */
static void test_the_grace_spares_a_finished_connection(void **state)
{
    (void)state;
    struct echo *echo = open_with(AGE_MS, 5000, 0);
    echo_call_later(echo, SLICE_LITERAL("answered"));
    check(echo, OLD_MS);
    assert_goaways(echo, 2);
    echo_answer(&echo->pending[0]);
    assert_true(echo_exchange(echo));
    assert_int_equal(check(echo, 60000), CLOSING_NONE);
    assert_true(grpc_connection_finished(echo->connection));
    echo_free(echo);
}

/* A call that waits ends with a status when the grace is over. */
static void test_a_call_that_waits_ends_with_the_grace(void **state)
{
    (void)state;
    struct echo *echo = open_with(AGE_MS, 5000, 0);
    struct ng_stream *call = echo_call_later(echo, SLICE_LITERAL("waits"));
    assert_null(grpc_call_wait(echo->pending[0].call));
    check(echo, OLD_MS);
    check(echo, 4999);
    assert_int_equal(echo->cancels, 0);
    check(echo, 1);
    assert_int_equal(echo->cancels, 1);
    assert_true(echo_exchange(echo));
    echo_assert_failed(call, GRPC_UNAVAILABLE, "STOPPING");
    assert_true(grpc_connection_finished(echo->connection));
    echo_free(echo);
}

static void test_an_idle_connection_is_drained(void **state)
{
    (void)state;
    struct echo *echo = open_with(0, 0, 10000);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(check(echo, 10000), CLOSING_NONE);
        assert_int_equal(closing(echo), CLOSING_NONE);
        echo_assert_works(echo); /* between two checks, but it counts */
        check(echo, 0);
    }
    struct ng_stream *call = echo_call_later(echo, SLICE_LITERAL("a long call"));
    check(echo, 60000);
    assert_int_equal(closing(echo), CLOSING_NONE);
    echo_answer(&echo->pending[0]);
    assert_true(echo_exchange(echo));
    echo_assert_reply(call, SLICE_LITERAL("a long call"));
    check(echo, 10001);
    assert_int_equal(closing(echo), CLOSING_MAX_IDLE);
    assert_goaways(echo, 1); /* nghttp2's client has closed, and does not answer the PING */
    check(echo, 0);
    check(echo, 5000);
    assert_true(echo_exchange(echo));
    assert_true(grpc_connection_finished(echo->connection));
    echo_free(echo);
}

/* A shutdown has started to drain it already: it is neither old nor idle then. */
static void test_a_shutdown_comes_first(void **state)
{
    (void)state;
    struct echo *echo = open_with(AGE_MS, 1000, 1000);
    echo_call_later(echo, SLICE_LITERAL("in flight"));
    grpc_connection_drain(echo->connection);
    assert_true(echo_exchange(echo));
    for (int i = 0; i < 10; i++)
        assert_int_equal(check(echo, OLD_MS), CLOSING_NONE);
    assert_int_equal(closing(echo), CLOSING_NONE);
    echo_free(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jitter_is_a_tenth),
        cmocka_unit_test(test_without_an_age),
        cmocka_unit_test(test_an_old_connection_is_drained),
        cmocka_unit_test(test_ages_differ),
        cmocka_unit_test(test_the_grace_ends_the_connection),
        cmocka_unit_test(test_the_grace_spares_a_finished_connection),
        cmocka_unit_test(test_a_call_that_waits_ends_with_the_grace),
        cmocka_unit_test(test_an_idle_connection_is_drained),
        cmocka_unit_test(test_a_shutdown_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
