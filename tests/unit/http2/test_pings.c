/*
 * Tests of http2/pings.c: PINGs of a client that come too early, those of the keepalive, and the
 * one of a drain that is not acknowledged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http2/peer.h"

#define INTERVAL_MS 10000
#define TIME_MS     300000
#define TIMEOUT_MS  20000

/* PINGs of the client. */

static void ping(struct peer *peer)
{
    PUT(peer, FRAME_PING, 0, 0, "12345678");
    peer_feed(peer);
}

static void assert_pong(const struct peer *peer)
{
    assert_true(peer->alive);
    assert_int_equal(peer->frame_count, 1);
    assert_int_equal(peer->frames[0].type, FRAME_PING);
    assert_int_equal(peer->frames[0].flags, FRAME_ACK);
    assert_int_equal(http2_session_closing(peer->session).kind, CLOSING_NONE);
}

/* The debug data of the latest GOAWAY. */
static void assert_says(const struct peer *peer, enum http2_error error, const char *text)
{
    const struct frame *goaway = peer_goaway(peer);
    assert_non_null(goaway);
    assert_int_equal(peer_number(*goaway, 4), error);
    assert_int_equal(goaway->payload.len - 8, strlen(text));
    assert_memory_equal(goaway->payload.data + 8, text, strlen(text));
}

static void assert_calmed(const struct peer *peer)
{
    assert_true(peer->alive); /* what is in flight is still answered */
    assert_says(peer, HTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    assert_int_equal(http2_session_closing(peer->session).kind, CLOSING_TOO_MANY_PINGS);
}

static void test_two_early_pings_are_tolerated(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    for (int i = 0; i < 3; i++) { /* the first one is not early */
        ping(peer);
        assert_pong(peer);
    }
    ping(peer);
    assert_calmed(peer);
    assert_true(http2_session_finished(peer->session));
}

static void test_pings_at_the_interval_are_never_too_many(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    for (int i = 0; i < 1000; i++) {
        ping(peer);
        assert_pong(peer);
        peer->now_ms += INTERVAL_MS;
    }
}

/* A little early, again and again: time alone forgives nothing. */
static void test_strikes_add_up(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    for (int i = 0; i < 3; i++) { /* of each two, the first is early but in the first round */
        ping(peer);
        assert_pong(peer);
        peer->now_ms += INTERVAL_MS;
        ping(peer);
        assert_pong(peer);
        peer->now_ms += INTERVAL_MS - 1;
    }
    ping(peer);
    assert_calmed(peer);
}

/* The client measures its bandwidth with each DATA that it gets. */
static void test_answers_permit_pings(void **state)
{
    struct peer *peer = *state;
    static const enum peer_answer answers[] = {PEER_ANSWERS_END, PEER_FAILS_REQUEST};
    uint32_t id = 1;
    peer_open(peer);
    for (size_t i = 0; i < 2; i++) {
        peer->answer = answers[i];
        for (int k = 0; k < 100; k++, id += 2) {
            peer_put_request(peer, id, true);
            peer_feed(peer);
            for (int early = 0; early < 3; early++) {
                ping(peer);
                assert_pong(peer);
            }
        }
    }
    ping(peer);
    assert_calmed(peer);
}

/* Requests alone do not: only what the server sends does. */
static void test_requests_permit_no_pings(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    for (uint32_t id = 1; id <= 5; id += 2) {
        peer_put_request(peer, id, true);
        ping(peer);
        assert_pong(peer);
    }
    peer_put_request(peer, 7, true);
    ping(peer);
    assert_calmed(peer);
    assert_false(http2_session_finished(peer->session)); /* four requests are in flight */
    for (uint32_t id = 1; id <= 7; id += 2)
        peer_answer_stream(peer, id, 5);
    peer_pull(peer);
    assert_true(http2_session_finished(peer->session));
}

static void test_pings_after_the_goaway_end_the_connection(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_idle_frames = 10;
    peer->limits.max_streams = 5;
    peer_open(peer);
    peer_put_request(peer, 1, true);
    for (int i = 0; i < 4; i++)
        ping(peer);
    assert_calmed(peer);
    for (int i = 0; i < 20; i++) {
        ping(peer);
        assert_true(peer->alive);
    }
    ping(peer);
    assert_false(peer->alive);
    assert_int_equal(http2_session_closing(peer->session).kind, CLOSING_TOO_MANY_PINGS);
}

static void test_any_number_without_an_interval(void **state)
{
    struct peer *peer = *state;
    peer->limits.min_ping_interval_ms = 0;
    peer_open(peer);
    for (int i = 0; i < 1000; i++) {
        ping(peer);
        assert_pong(peer);
    }
}

/* Keepalive. */

/* One second passes; returns whether the server has sent a PING. */
static bool tick(struct peer *peer)
{
    peer->now_ms += 1000;
    http2_session_check(peer->session, peer->now_ms);
    peer_pull(peer);
    if (peer->frame_count == 0)
        return false;
    assert_int_equal(peer->frame_count, 1);
    assert_int_equal(peer->frames[0].type, FRAME_PING);
    assert_int_equal(peer->frames[0].flags, 0);
    return true;
}

static enum closing_kind expired(const struct peer *peer)
{
    return http2_session_expired(peer->session, peer->now_ms).kind;
}

static void wait_for_ping(struct peer *peer)
{
    for (int i = 1; i < TIME_MS / 1000; i++)
        assert_false(tick(peer));
    assert_true(tick(peer));
}

static void put_pong(struct peer *peer)
{
    struct frame probe = peer->frames[0];
    assert_int_equal(probe.type, FRAME_PING);
    frames_put(&peer->in, FRAME_PING, FRAME_ACK, 0, probe.payload);
}

static void test_a_silent_client_is_asked(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    for (int i = 0; i < 5; i++) {
        wait_for_ping(peer);
        put_pong(peer);
        for (int k = 1; k < TIMEOUT_MS / 1000; k++) {
            assert_false(tick(peer)); /* one PING is enough */
            assert_int_equal(expired(peer), CLOSING_NONE);
        }
        peer_feed(peer); /* the answer, at the last moment */
        assert_silence(peer);
    }
}

static void test_one_that_is_gone_is_closed(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    peer_put_request(peer, 1, true); /* a call that waits changes nothing */
    peer_feed(peer);
    wait_for_ping(peer);
    for (int i = 1; i < TIMEOUT_MS / 1000; i++) {
        assert_false(tick(peer));
        assert_int_equal(expired(peer), CLOSING_NONE);
    }
    assert_false(tick(peer));
    assert_int_equal(expired(peer), CLOSING_KEEPALIVE_TIMEOUT);
    http2_session_end(peer->session, http2_session_expired(peer->session, peer->now_ms));
    peer_pull(peer);
    assert_non_null(peer_goaway(peer));
    assert_int_equal(peer_number(*peer_goaway(peer), 4), HTTP2_NO_ERROR);
}

/* Any byte is a sign of life, even half a frame. */
static void test_any_byte_is_an_answer(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    wait_for_ping(peer);
    peer->now_ms += TIMEOUT_MS - 1000;
    frames_put_bytes(&peer->in, slice_make("\0", 1));
    peer_feed(peer);
    for (int i = 1; i < TIME_MS / 1000; i++) {
        assert_false(tick(peer));
        assert_int_equal(expired(peer), CLOSING_NONE);
    }
    assert_true(tick(peer));
}

/* Bytes come, so there is nothing to ask. */
static void test_an_active_client_is_not_asked(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    for (int i = 0; i < 20; i++) {
        for (int k = 1; k < TIME_MS / 1000; k++)
            assert_false(tick(peer));
        PUT(peer, FRAME_WINDOW_UPDATE, 0, 0, "\0\0\0\1");
        peer_feed(peer);
    }
}

/* One that takes its answers slowly is not read meanwhile; other timeouts are for that. */
static void test_pending_output_stops_the_clock(void **state)
{
    struct peer *peer = *state;
    peer->limits.stall_timeout_ms = INT64_MAX / 2;
    peer->answer_size = 100000;
    peer->answer = PEER_ANSWERS_END;
    peer_open(peer);
    wait_for_ping(peer);
    peer_put_request(peer, 1, true); /* more than the initial window */
    peer_feed(peer);
    assert_true(http2_session_queued(peer->session) > 0);
    for (int i = 0; i < (TIME_MS + TIMEOUT_MS) / 1000 + 10; i++) {
        assert_false(tick(peer));
        assert_int_equal(expired(peer), CLOSING_NONE);
    }
}

static void test_output_after_the_ping_restarts_its_timeout(void **state)
{
    struct peer *peer = *state;
    peer->limits.stall_timeout_ms = INT64_MAX / 2;
    peer_open(peer);
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    wait_for_ping(peer);
    peer_answer_stream(peer, 1, 5); /* the socket is full: it is not pulled */
    for (int i = 0; i < 2 * TIMEOUT_MS / 1000; i++) {
        peer->now_ms += 1000;
        http2_session_check(peer->session, peer->now_ms);
        assert_int_equal(expired(peer), CLOSING_NONE);
    }
    peer_pull(peer); /* from now on what the peer has sent in the meantime is read */
    for (int i = 1; i < TIMEOUT_MS / 1000; i++) {
        assert_false(tick(peer));
        assert_int_equal(expired(peer), CLOSING_NONE);
    }
    assert_false(tick(peer));
    assert_int_equal(expired(peer), CLOSING_KEEPALIVE_TIMEOUT);
}

static void test_no_keepalive(void **state)
{
    struct peer *peer = *state;
    peer->limits.keepalive_time_ms = 0;
    peer_open(peer);
    for (int i = 0; i < 10 * TIME_MS / 1000; i++) {
        assert_false(tick(peer));
        assert_int_equal(expired(peer), CLOSING_NONE);
    }
}

/* Drains. */

static const struct closing aged = {CLOSING_MAX_AGE, "it is old"};

static void test_a_drain_says_why(void **state)
{
    static const struct {
        struct closing why;
        const char *text;
    } reasons[] = {{{CLOSING_MAX_AGE, "it is old"}, "max_age"},
                   {{CLOSING_MAX_IDLE, "it is idle"}, "max_idle"},
                   {{CLOSING_NONE, "the server stops"}, "the server stops"}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        struct peer *peer = *state;
        peer_open(peer);
        assert_int_equal(http2_session_closing(peer->session).kind, CLOSING_NONE);
        http2_session_drain(peer->session, reasons[i].why);
        peer_pull(peer);
        assert_int_equal(peer_number(*peer_goaway(peer), 0), INT32_MAX);
        assert_says(peer, HTTP2_NO_ERROR, reasons[i].text);
        assert_int_equal(http2_session_closing(peer->session).kind, reasons[i].why.kind);
        struct frame probe = peer->frames[1];
        frames_put(&peer->in, FRAME_PING, FRAME_ACK, 0, probe.payload);
        peer_feed(peer);
        assert_int_equal(peer_number(*peer_goaway(peer), 0), 0);
        assert_says(peer, HTTP2_NO_ERROR, reasons[i].text);
        peer_teardown(state);
        peer_setup(state);
    }
}

static void test_a_drain_does_not_wait_for_ever(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    http2_session_drain(peer->session, aged);
    peer_pull(peer);
    for (int i = 0; i < 5; i++) {
        assert_false(tick(peer));
        assert_false(http2_session_finished(peer->session));
    }
    peer->now_ms += 1000;
    http2_session_check(peer->session, peer->now_ms);
    peer_pull(peer);
    assert_int_equal(peer_number(*peer_goaway(peer), 0), 0);
    assert_true(http2_session_finished(peer->session));
}

/* The answer to another PING says nothing about what the client has seen of the GOAWAY. */
static void test_only_its_own_ping_ends_a_drain(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    wait_for_ping(peer);
    http2_session_drain(peer->session, aged);
    put_pong(peer);
    peer_feed(peer);
    for (size_t i = 0; i < peer->frame_count; i++)
        if (peer->frames[i].type == FRAME_GOAWAY)
            assert_int_equal(peer_number(peer->frames[i], 0), INT32_MAX);
    assert_false(http2_session_finished(peer->session));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_two_early_pings_are_tolerated),
        PEER_TEST(test_pings_at_the_interval_are_never_too_many),
        PEER_TEST(test_strikes_add_up),
        PEER_TEST(test_answers_permit_pings),
        PEER_TEST(test_requests_permit_no_pings),
        PEER_TEST(test_pings_after_the_goaway_end_the_connection),
        PEER_TEST(test_any_number_without_an_interval),
        PEER_TEST(test_a_silent_client_is_asked),
        PEER_TEST(test_one_that_is_gone_is_closed),
        PEER_TEST(test_any_byte_is_an_answer),
        PEER_TEST(test_an_active_client_is_not_asked),
        PEER_TEST(test_pending_output_stops_the_clock),
        PEER_TEST(test_output_after_the_ping_restarts_its_timeout),
        PEER_TEST(test_no_keepalive),
        PEER_TEST(test_a_drain_says_why),
        PEER_TEST(test_a_drain_does_not_wait_for_ever),
        PEER_TEST(test_only_its_own_ping_ends_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
