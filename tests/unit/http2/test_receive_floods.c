/*
 * Tests of http2/receive.c: floods are stopped, with a drain, and conforming peers are not
 * affected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http2/peer.h"

#define END_HEADERS FRAME_END_HEADERS
#define END_STREAM  FRAME_END_STREAM

static struct peer *open_peer(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    return peer;
}

static uint32_t next_id(struct peer *peer)
{
    return peer->session->last_stream == 0 ? 1 : peer->session->last_stream + 2;
}

static void request_and_reset(struct peer *peer)
{
    uint32_t id = next_id(peer);
    peer_put_request(peer, id, true);
    frames_put_number(&peer->in, FRAME_RST_STREAM, id, 8);
    peer_feed(peer);
}

static void test_resets_are_counted_over_time(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_streams = 5;
    peer->limits.reset_burst = 3;
    peer->limits.resets_per_s = 2;
    peer_open(peer);
    for (int i = 0; i < 8; i++) {
        request_and_reset(peer);
        assert_silence(peer);
    }
    peer->now_ms += 1000;
    for (int i = 0; i < 2; i++) {
        request_and_reset(peer);
        assert_silence(peer);
    }
    peer->now_ms += 499;
    request_and_reset(peer);
    assert_ends_gently(peer, 21);
}

static void test_an_answer_gives_a_reset_back(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_streams = 1;
    peer->limits.reset_burst = 0;
    peer->limits.resets_per_s = 0;
    peer_open(peer);
    for (int i = 0; i < 10; i++) {
        request_and_reset(peer);
        assert_int_equal(http2_session_closing(peer->session).kind, CLOSING_NONE);
        uint32_t id = next_id(peer);
        peer_put_request(peer, id, true);
        peer_feed(peer);
        peer_answer_stream(peer, id, 5);
    }
    request_and_reset(peer);
    assert_int_equal(http2_session_closing(peer->session).kind, CLOSING_NONE);
    request_and_reset(peer);
    assert_ends_gently(peer, 43);
    assert_true(http2_session_finished(peer->session));
}

/* As many streams as may be open may be cancelled at the same time. */
static void test_a_storm_of_cancels_is_no_attack(void **state)
{
    struct peer *peer = open_peer(state);
    const uint32_t last = 2 * peer->limits.max_streams - 1;
    for (uint32_t id = 1; id <= last; id += 2)
        frames_put(&peer->in, FRAME_HEADERS, END_HEADERS, id, SLICE_LITERAL(FRAMES_REQUEST));
    for (uint32_t id = 1; id <= last; id += 2)
        frames_put_number(&peer->in, FRAME_RST_STREAM, id, 8);
    peer->events_off = true;
    peer_feed(peer);
    assert_silence(peer);
    assert_int_equal(peer->session->streams.count, 0);
}

/* Cancelling a request that has waited is free; cancelling an incomplete one is charged. */
static void test_cancel_after_waiting_is_free(void **state)
{
    for (int complete = 0; complete < 2; complete++) {
        struct peer *peer = *state;
        peer->limits.max_streams = 10;
        peer->limits.reset_burst = 0;
        peer->limits.resets_per_s = 0;
        peer->events_off = true;
        peer_open(peer);
        for (uint32_t round = 0; round < 10; round++) {
            for (uint32_t i = 0; i < 10; i++)
                peer_put_request(peer, 20 * round + 2 * i + 1, complete == 1);
            peer_feed(peer);
            assert_silence(peer);
            peer->now_ms += peer->limits.cancel_grace_ms;
            for (uint32_t i = 0; i < 10; i++)
                frames_put_number(&peer->in, FRAME_RST_STREAM, 20 * round + 2 * i + 1, 8);
            peer_feed(peer);
            if (complete == 0 && round == 1) {
                assert_ends_gently(peer, 39);
                break;
            }
            assert_silence(peer);
        }
        peer_teardown(state);
        peer_setup(state);
    }
}

/* gRPC's C core resets streams for which it has not sent HEADERS yet. */
static void test_a_reset_before_the_request_is_passed_over(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, true);
    frames_put_number(&peer->in, FRAME_RST_STREAM, 5, 8);
    peer_put_request(peer, 3, true);
    peer_put_request(peer, 5, true);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;end 1;request 3;end 3;request 5;end 5;");
    peer_teardown(state);
    peer_setup(state);
    peer = open_peer(state);
    frames_put_number(&peer->in, FRAME_RST_STREAM, 1, 8); /* but not from a peer without requests */
    peer_feed(peer);
    assert_connection_error(peer, HTTP2_PROTOCOL_ERROR);
}

/* During the drain requests in flight are answered, and new ones are ignored. */
static void test_calls_under_way_outlive_an_attack(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_streams = 3;
    peer->limits.reset_burst = 0;
    peer->limits.resets_per_s = 0;
    peer_open(peer);
    peer_put_request(peer, 1, true);
    peer_put_request(peer, 3, false);
    peer_feed(peer);
    for (int i = 0; i < 3; i++) {
        request_and_reset(peer);
        assert_silence(peer);
    }
    request_and_reset(peer);
    assert_ends_gently(peer, 11);
    assert_false(http2_session_finished(peer->session));
    PUT(peer, FRAME_DATA, END_STREAM, 3, "body");
    peer_put_request(peer, 13, true); /* the peer has not seen the GOAWAY yet */
    PUT(peer, FRAME_HEADERS, END_HEADERS, 15, "\x80 no HPACK");
    PUT(peer, FRAME_DATA, END_STREAM, 15, "body");
    frames_put_number(&peer->in, FRAME_RST_STREAM, 13, 8);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "data 3 4;end 3;");
    peer_answer_stream(peer, 1, 5);
    peer_answer_stream(peer, 3, 5);
    peer_pull(peer);
    assert_int_equal(peer->frame_count, 6);
    assert_true(http2_session_finished(peer->session));
}

/* But not for long, and not if the flood goes on. */
static void test_an_attack_that_goes_on_is_cut_off(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_streams = 3;
    peer->limits.reset_burst = 0;
    peer->limits.resets_per_s = 0;
    peer->limits.max_idle_frames = 10;
    peer->events_off = true;
    peer_open(peer);
    peer_put_request(peer, 1, false);
    peer_feed(peer);
    for (int i = 0; i < 4; i++)
        request_and_reset(peer);
    assert_ends_gently(peer, 9);
    int64_t due_ms = peer->now_ms + peer->limits.goaway_timeout_ms;
    assert_int_equal(http2_session_expired(peer->session, due_ms).kind, CLOSING_NONE);
    assert_int_equal(http2_session_expired(peer->session, due_ms + 1).kind, CLOSING_FLOOD);
    for (int i = 0; i < 16; i++) {
        request_and_reset(peer);
        assert_silence(peer);
    }
    request_and_reset(peer);
    assert_false(peer->alive);
    assert_int_equal(peer->frame_count, 0); /* the GOAWAY was sent before */
}

/* MadeYouReset: the peer makes us reset its streams. */
static void test_resets_that_the_peer_forces_are_counted(void **state)
{
    struct peer *peer = *state;
    peer->limits.reset_burst = 5;
    peer->limits.resets_per_s = 0;
    peer_open(peer);
    for (uint32_t id = 1; id <= 9; id += 2) {
        peer_put_request(peer, id, true);
        frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, id, 0);
        peer_feed(peer);
        assert_stream_error(peer, id, HTTP2_PROTOCOL_ERROR);
    }
    put_request_with(peer, 11, 0, "Upper", "case");
    peer_feed(peer);
    assert_ends_gently(peer, 11);
}

static void test_a_reset_after_the_answer_is_free(void **state)
{
    struct peer *peer = *state;
    peer->limits.reset_burst = 1;
    peer->limits.resets_per_s = 0;
    peer_open(peer);
    frames_put_setting(&peer->in, SETTING_INITIAL_WINDOW_SIZE, 0); /* so that answers stay queued */
    for (uint32_t id = 1; id <= 9; id += 2)
        peer_put_request(peer, id, true);
    peer_feed(peer);
    for (uint32_t id = 1; id <= 9; id += 2)
        peer_answer_stream(peer, id, 5);
    for (uint32_t id = 1; id <= 9; id += 2)
        frames_put_number(&peer->in, FRAME_RST_STREAM, id, 8);
    peer_feed(peer);
    assert_true(peer->alive);
    assert_events(peer, "close 1;close 3;close 5;close 7;close 9;");
    assert_int_equal(http2_session_queued(peer->session), 0);
}

static void put_idle_frame(struct peer *peer, int which)
{
    switch (which) {
    case 0:
        frames_put_zeros(&peer->in, FRAME_PRIORITY, 0, 1, 5);
        break;
    case 1:
        frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 0);
        break;
    case 2:
        frames_put_zeros(&peer->in, FRAME_SETTINGS, 0, 0, 0);
        break;
    case 3:
        frames_put_zeros(&peer->in, 77, 0, 0, 5);
        break;
    default: /* one for each request is legitimate; these requests have been reset already */
        frames_put_number(&peer->in, FRAME_RST_STREAM, 3, 8);
    }
}

static void test_only_so_many_frames_without_progress(void **state)
{
    for (int which = 0; which < 5; which++) {
        struct peer *peer = *state;
        peer->limits.max_idle_frames = 10;
        peer_open(peer);
        peer_put_request(peer, 1, false);
        peer_put_request(peer, 3, true); /* a complete request restarts the count */
        for (int i = 0; i < 2; i++)
            frames_put_number(&peer->in, FRAME_RST_STREAM, 3, 8);
        for (int i = 0; i < 10; i++)
            put_idle_frame(peer, which);
        peer_feed(peer);
        assert_null(peer_goaway(peer));
        peer_put_request(peer, 5, true);
        if (which == 4)
            put_idle_frame(peer, which);
        for (int i = 0; i < 10; i++)
            put_idle_frame(peer, which);
        peer_feed(peer);
        assert_null(peer_goaway(peer));
        put_idle_frame(peer, which);
        peer_feed(peer);
        assert_ends_gently(peer, 5);
        peer_teardown(state);
        peer_setup(state);
    }
}

/* Every request may be reset late, once. */
static void test_late_resets_are_no_flood(void **state)
{
    struct peer *peer = *state;
    peer->answer = PEER_ANSWERS_END;
    peer->events_off = true;
    peer->limits.max_idle_frames = 10;
    peer_open(peer);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 0, 1000000);
    for (uint32_t id = 1; id < 2001; id += 2)
        peer_put_request(peer, id, true);
    peer_feed(peer);
    for (uint32_t id = 1; id < 2001; id += 2)
        frames_put_number(&peer->in, FRAME_RST_STREAM, id, 8);
    frames_put_zeros(&peer->in, FRAME_SETTINGS, 0, 0, 0);
    peer_feed(peer);
    assert_true(peer->alive);
    assert_null(peer_goaway(peer));
    /* A second RST_STREAM uses up the allowance of another request; open streams are still reset.
     */
    peer->answer = PEER_LATER;
    peer_put_request(peer, 2001, true);
    for (int i = 0; i < 2; i++)
        frames_put_number(&peer->in, FRAME_RST_STREAM, 1, 8);
    frames_put_number(&peer->in, FRAME_RST_STREAM, 2001, 8);
    peer_feed(peer);
    assert_int_equal(peer->session->streams.count, 0);
}

/* But an HPACK bomb is no accident. */
static void test_bombs_are_counted(void **state)
{
    struct peer *peer = *state;
    struct buf block;
    peer->limits.reset_burst = 3;
    peer->limits.resets_per_s = 0;
    peer_open(peer);
    buf_init(&block, SIZE_MAX);
    frames_put_bytes(&block, SLICE_LITERAL(FRAMES_REQUEST));
    frames_put_bytes(&block, SLICE_LITERAL("\x40\x01x\x7f\xe9\x06")); /* 1,000 bytes */
    static const uint8_t value[1000] = "v";
    frames_put_bytes(&block, slice_make(value, sizeof value));
    memset(block.data + block.len - 1000, 'v', 1000);
    for (int i = 0; i < 100; i++)
        frames_put_bytes(&block, SLICE_LITERAL("\xbe")); /* the same again */
    for (uint32_t id = 1; id <= 7; id += 2) {
        assert_int_equal(http2_session_closing(peer->session).kind, CLOSING_NONE);
        put_block(peer, id, END_STREAM, &block);
        peer_feed(peer);
        assert_non_null(strstr(peer->events, "oversized"));
    }
    assert_ends_gently(peer, 7);
    buf_deinit(&block);
}

static void test_only_so_many_continuations(void **state)
{
    for (uint32_t more = 0; more < 2; more++) {
        struct peer *peer = *state;
        peer->limits.max_continuations = 3;
        peer_open(peer);
        PUT(peer, FRAME_HEADERS, END_STREAM, 1, FRAMES_REQUEST);
        for (uint32_t i = 0; i < 2 + more; i++)
            PUT(peer, FRAME_CONTINUATION, 0, 1, "");
        PUT(peer, FRAME_CONTINUATION, END_HEADERS, 1, "");
        peer_feed(peer);
        if (more == 0)
            assert_events(peer, "request 1;end 1;");
        else
            assert_ends_gently(peer, 1);
        peer_teardown(state);
        peer_setup(state);
    }
}

/* The oversized request is reset; the others are answered, but later header blocks cannot be
 * decoded. */
static void test_a_block_beyond_all_measure_ends_the_connection(void **state)
{
    for (int inflated = 0; inflated < 2; inflated++) {
        struct peer *peer = *state;
        peer->limits.max_block_bytes = inflated ? 8192 : 4096;
        peer->limits.max_inflated_bytes = inflated ? 500 : SIZE_MAX;
        peer_open(peer);
        peer_put_request(peer, 1, false);
        peer_feed(peer);
        PUT(peer, FRAME_HEADERS, 0, 3, FRAMES_REQUEST);
        frames_put_zeros(&peer->in, FRAME_CONTINUATION, 0, 3, 4000);
        peer_feed(peer);
        assert_silence(peer);
        frames_put_zeros(&peer->in, FRAME_CONTINUATION, inflated ? END_HEADERS : 0, 3, 100);
        peer_feed(peer);
        assert_ends_gently(peer, 3);
        assert_stream_error(peer, 3, HTTP2_ENHANCE_YOUR_CALM);
        if (!inflated)
            PUT(peer, FRAME_CONTINUATION, END_HEADERS, 3, "the rest");
        PUT(peer, FRAME_DATA, END_STREAM, 1, "body");
        peer_feed(peer);
        assert_silence(peer);
        assert_events(peer, "data 1 4;end 1;");
        peer_answer_stream(peer, 1, 5);
        assert_false(http2_session_finished(peer->session));
        peer_pull(peer);
        assert_true(http2_session_finished(peer->session));
        peer_teardown(state);
        peer_setup(state);
    }
}

/* The number of full frames is limited only by the size of the block. */
static void test_full_continuations_do_not_count(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_continuations = 1;
    peer_open(peer);
    struct buf block;
    buf_init(&block, SIZE_MAX);
    frames_put_bytes(&block, SLICE_LITERAL(FRAMES_REQUEST));
    /* A literal of 100,000 bytes with incremental indexing, which empties the dynamic table. */
    frames_put_bytes(&block, SLICE_LITERAL("\x40\x01x\x7f\xa1\x8c\x06"));
    static const uint8_t value[100000];
    frames_put_bytes(&block, slice_make(value, sizeof value));
    struct slice rest = buf_slice(&block);
    for (unsigned type = FRAME_HEADERS; rest.len > 0; type = FRAME_CONTINUATION) {
        size_t len = rest.len < FRAME_MAX_PAYLOAD ? rest.len : FRAME_MAX_PAYLOAD;
        frames_put(&peer->in, type, len == rest.len ? END_HEADERS : 0u, 1,
                   slice_make(rest.data, len));
        rest = slice_skip(rest, len);
    }
    buf_deinit(&block);
    peer_feed(peer);
    assert_events(peer, "oversized 1 4;close 1;");
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    assert_events(peer, "request 3;end 3;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_resets_are_counted_over_time),
        PEER_TEST(test_an_answer_gives_a_reset_back),
        PEER_TEST(test_a_storm_of_cancels_is_no_attack),
        PEER_TEST(test_cancel_after_waiting_is_free),
        PEER_TEST(test_a_reset_before_the_request_is_passed_over),
        PEER_TEST(test_calls_under_way_outlive_an_attack),
        PEER_TEST(test_an_attack_that_goes_on_is_cut_off),
        PEER_TEST(test_resets_that_the_peer_forces_are_counted),
        PEER_TEST(test_a_reset_after_the_answer_is_free),
        PEER_TEST(test_only_so_many_frames_without_progress),
        PEER_TEST(test_late_resets_are_no_flood),
        PEER_TEST(test_bombs_are_counted),
        PEER_TEST(test_only_so_many_continuations),
        PEER_TEST(test_a_block_beyond_all_measure_ends_the_connection),
        PEER_TEST(test_full_continuations_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
