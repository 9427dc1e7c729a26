/*
 * Tests of http2/receive.c: every frame of a client, valid and invalid, and whether an invalid one
 * is a stream error or a connection error, with which code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http2/peer.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define END_HEADERS  FRAME_END_HEADERS
#define END_STREAM   FRAME_END_STREAM

static struct peer *open_peer(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    return peer;
}

/* Frames that are connection errors in any state: after a request on stream 1 that is not complete,
 * and one on stream 3 that is. */
static void test_frames_that_end_the_connection(void **state)
{
    static const struct {
        unsigned type, flags;
        uint32_t id;
        size_t size; /* of zeros */
        enum http2_error error;
    } frames[] = {
        {FRAME_DATA, 0, 0, 1, HTTP2_PROTOCOL_ERROR},
        {FRAME_DATA, 0, 2, 1, HTTP2_PROTOCOL_ERROR},
        {FRAME_DATA, 0, 5, 1, HTTP2_PROTOCOL_ERROR},
        {FRAME_DATA, FRAME_PADDED, 1, 0, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_DATA, 0, 3, 1, HTTP2_STREAM_CLOSED},
        {FRAME_HEADERS, END_HEADERS, 0, 0, HTTP2_PROTOCOL_ERROR},
        {FRAME_HEADERS, END_HEADERS, 2, 0, HTTP2_PROTOCOL_ERROR},
        {FRAME_HEADERS, END_HEADERS | FRAME_PADDED, 5, 0, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_HEADERS, END_HEADERS | FRAME_PRIORITIZED, 5, 4, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_HEADERS, END_HEADERS | END_STREAM, 3, 0, HTTP2_STREAM_CLOSED},
        {FRAME_HEADERS, END_HEADERS, 5, 1, HTTP2_COMPRESSION_ERROR},
        {FRAME_HEADERS, END_HEADERS | END_STREAM, 1, 1, HTTP2_COMPRESSION_ERROR},
        {FRAME_PRIORITY, 0, 0, 5, HTTP2_PROTOCOL_ERROR},
        {FRAME_PRIORITY, 0, 5, 4, HTTP2_FRAME_SIZE_ERROR}, /* of one that is not open */
        {FRAME_RST_STREAM, 0, 0, 4, HTTP2_PROTOCOL_ERROR},
        {FRAME_RST_STREAM, 0, 2, 4, HTTP2_PROTOCOL_ERROR},
        {FRAME_RST_STREAM, 0, 1, 3, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_RST_STREAM, 0, 1, 5, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_SETTINGS, 0, 1, 0, HTTP2_PROTOCOL_ERROR},
        {FRAME_SETTINGS, 0, 0, 5, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_SETTINGS, FRAME_ACK, 0, 0, HTTP2_PROTOCOL_ERROR}, /* there are none to acknowledge */
        {FRAME_SETTINGS, FRAME_ACK, 0, 6, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_SETTINGS, 0, 0, 65 * 6, HTTP2_ENHANCE_YOUR_CALM},
        {FRAME_PUSH_PROMISE, END_HEADERS, 1, 4, HTTP2_PROTOCOL_ERROR},
        {FRAME_PING, 0, 1, 8, HTTP2_PROTOCOL_ERROR},
        {FRAME_PING, 0, 0, 7, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_PING, FRAME_ACK, 0, 9, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_GOAWAY, 0, 1, 8, HTTP2_PROTOCOL_ERROR},
        {FRAME_GOAWAY, 0, 0, 7, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_WINDOW_UPDATE, 0, 0, 4, HTTP2_PROTOCOL_ERROR},
        {FRAME_WINDOW_UPDATE, 0, 2, 4, HTTP2_PROTOCOL_ERROR},
        {FRAME_WINDOW_UPDATE, 0, 5, 4, HTTP2_PROTOCOL_ERROR},
        {FRAME_WINDOW_UPDATE, 0, 1, 3, HTTP2_FRAME_SIZE_ERROR},
        {FRAME_CONTINUATION, END_HEADERS, 1, 0, HTTP2_PROTOCOL_ERROR},
        {99, 0, 0, 16385, HTTP2_FRAME_SIZE_ERROR},
    };
    for (size_t i = 0; i < COUNT(frames); i++) {
        struct peer *peer = open_peer(state);
        peer_put_request(peer, 1, false);
        peer_put_request(peer, 3, true);
        frames_put_zeros(&peer->in, frames[i].type, frames[i].flags, frames[i].id, frames[i].size);
        /* Nothing after it is processed. */
        peer_put_request(peer, 7, true);
        peer_feed(peer);
        assert_connection_error(peer, frames[i].error);
        assert_int_equal(peer_number(peer->frames[peer->frame_count - 1], 0),
                         frames[i].type == FRAME_HEADERS && frames[i].id == 5 &&
                                 frames[i].error == HTTP2_COMPRESSION_ERROR
                             ? 5
                             : 3);
        assert_events(peer, "request 1;request 3;end 3;");
        peer_feed(peer);
        assert_false(peer->alive);
        assert_int_equal(peer->frame_count, 0);
        peer_teardown(state);
        peer_setup(state);
    }
}

/* Frames that are valid at any time and cause no output. */
static void test_frames_that_are_passed_over(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, false);
    frames_put_zeros(&peer->in, FRAME_PRIORITY, 0, 1, 5);
    frames_put_zeros(&peer->in, FRAME_PRIORITY, 0, 7, 5);
    frames_put_zeros(&peer->in, FRAME_PRIORITY, 0, 4, 5);
    frames_put_zeros(&peer->in, FRAME_GOAWAY, 0, 0, 8);
    frames_put_zeros(&peer->in, FRAME_GOAWAY, 0, 0, 20);
    frames_put_zeros(&peer->in, FRAME_PING, FRAME_ACK, 0, 8);
    frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 0);
    frames_put_zeros(&peer->in, 10, 0xff, 1, 100);
    frames_put_zeros(&peer->in, 255, 0xff, 0, 0);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 0, 1);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 1, 1);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;");
}

static void test_settings_come_first(void **state)
{
    static const unsigned types[] = {FRAME_PING, FRAME_HEADERS, FRAME_WINDOW_UPDATE, 99};
    for (size_t i = 0; i < COUNT(types); i++) {
        struct peer *peer = *state;
        peer->context = http2_context_new(&peer->limits, &peer_handler);
        peer->session = http2_session_new(peer->context, peer, peer->now_ms);
        frames_put_bytes(&peer->in, SLICE_LITERAL(FRAMES_PREFACE));
        frames_put_zeros(&peer->in, types[i], 0, 0, 8);
        peer_feed(peer);
        assert_connection_error(peer, HTTP2_PROTOCOL_ERROR);
        peer_teardown(state);
        peer_setup(state);
    }
}

/* Requests. */

static void test_a_request_whole_in_its_headers(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;end 1;");
}

static void test_a_request_with_a_body(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, false);
    PUT(peer, FRAME_DATA, 0, 1, "hello");
    PUT(peer, FRAME_DATA, FRAME_PADDED, 1, "\2padxx");
    PUT(peer, FRAME_DATA, END_STREAM, 1, "");
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;data 1 5;data 1 3;end 1;");
}

static void test_a_header_block_in_pieces(void **state)
{
    struct peer *peer = open_peer(state);
    PUT(peer, FRAME_HEADERS, END_STREAM | FRAME_PADDED | FRAME_PRIORITIZED, 1, "\1\0\0\0\0\0\x83x");
    PUT(peer, FRAME_CONTINUATION, 0, 1, "");
    PUT(peer, FRAME_CONTINUATION, 0, 1, "\x86\x84\x01\x01");
    PUT(peer, FRAME_CONTINUATION, END_HEADERS, 1, "h");
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;end 1;request 3;end 3;");
}

static void test_nothing_comes_between_the_pieces(void **state)
{
    static const struct {
        unsigned type;
        uint32_t id;
    } frames[] = {{FRAME_DATA, 1},        {FRAME_HEADERS, 3}, {FRAME_PING, 0},
                  {FRAME_SETTINGS, 0},    {FRAME_HEADERS, 1}, {99, 0},
                  {FRAME_CONTINUATION, 3}};
    for (size_t i = 0; i < COUNT(frames); i++) {
        struct peer *peer = open_peer(state);
        PUT(peer, FRAME_HEADERS, END_STREAM, 1, "\x83");
        frames_put_zeros(&peer->in, frames[i].type, 0, frames[i].id, 0);
        peer_feed(peer);
        assert_connection_error(peer, HTTP2_PROTOCOL_ERROR);
        assert_events(peer, "");
        peer_teardown(state);
        peer_setup(state);
    }
}

static void test_a_malformed_request_costs_its_stream(void **state)
{
    struct peer *peer = open_peer(state);
    put_request_with(peer, 1, 0, "Upper", "case");
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_PROTOCOL_ERROR);
    assert_events(peer, "");
    PUT(peer, FRAME_DATA, END_STREAM, 1, "it was on its way");
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 3;end 3;");
}

/* The application answers it, and has the fields that fit; the connection goes on, however often.
 */
static void test_a_large_request_costs_itself_alone(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_header_bytes = 200;
    peer_open(peer);
    for (uint32_t id = 1; id < 4001; id += 4) {
        put_request_with(peer, id, END_STREAM, "large", "larger than what is left of 200 bytes");
        peer_feed(peer);
        assert_true(peer->alive);
        assert_int_equal(peer->frame_count, 1);
        assert_int_equal(peer->frames[0].flags, END_HEADERS | END_STREAM);
    }
    assert_events(peer, "oversized 3997 4;close 3997;");
    put_request_with(peer, 4001, 0, "large", "larger than what is left of 200 bytes");
    peer_feed(peer);
    assert_stream_error(peer, 4001, HTTP2_NO_ERROR); /* the rest is not wanted */
    peer_put_request(peer, 4003, true);
    peer_feed(peer);
    assert_events(peer, "request 4003;end 4003;");
}

/* RFC 9113, 6.3: a stream error. */
static void test_priority_of_another_size_costs_the_stream(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, false);
    frames_put_zeros(&peer->in, FRAME_PRIORITY, 0, 1, 4);
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_FRAME_SIZE_ERROR);
    assert_events(peer, "request 1;close 1;");
}

static void test_a_request_too_many_is_refused(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_streams = 2;
    peer_open(peer);
    peer_put_request(peer, 1, true);
    peer_put_request(peer, 3, false);
    peer_put_request(peer, 5, true);
    peer_feed(peer);
    assert_stream_error(peer, 5, HTTP2_REFUSED_STREAM);
    assert_events(peer, "request 1;end 1;request 3;");
    peer_answer_stream(peer, 1, 5);
    peer_put_request(peer, 7, true);
    peer_feed(peer);
    assert_true(peer->alive);
    assert_events(peer, "request 7;end 7;");
}

static void test_ids_go_up(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 5, true);
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    assert_connection_error(peer, HTTP2_PROTOCOL_ERROR);
    assert_events(peer, "request 5;end 5;");
}

static void test_an_answered_stream_is_closed(void **state)
{
    struct peer *peer = *state;
    peer->answer = PEER_ANSWERS_END;
    peer_open(peer);
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_events(peer, "request 1;end 1;close 1;");
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_connection_error(peer, HTTP2_STREAM_CLOSED);
}

/* Trailers. */

static void test_trailers_end_the_body(void **state)
{
    struct peer *peer = open_peer(state);
    struct buf block;
    buf_init(&block, 100);
    frames_put_field(&block, "checksum", "1");
    peer_put_request(peer, 1, false);
    PUT(peer, FRAME_DATA, 0, 1, "body");
    put_block(peer, 1, END_STREAM, &block);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;data 1 4;end 1;");
    buf_deinit(&block);
}

static void test_bad_trailers_cost_the_stream(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, false);
    peer_put_request(peer, 1, true); /* pseudo-header fields */
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_PROTOCOL_ERROR);
    assert_events(peer, "request 1;close 1;");
    peer_put_request(peer, 3, false);
    frames_put_zeros(&peer->in, FRAME_HEADERS, END_HEADERS, 3, 0); /* without END_STREAM */
    peer_feed(peer);
    assert_stream_error(peer, 3, HTTP2_PROTOCOL_ERROR);
    put_request_with(peer, 5, 0, "content-length", "4");
    PUT(peer, FRAME_DATA, 0, 5, "abc");
    frames_put_zeros(&peer->in, FRAME_HEADERS, END_HEADERS | END_STREAM, 5, 0);
    peer_feed(peer);
    assert_stream_error(peer, 5, HTTP2_PROTOCOL_ERROR);
    assert_events(peer, "request 5;data 5 3;close 5;");
    frames_put_zeros(&peer->in, FRAME_HEADERS, END_HEADERS | END_STREAM, 5, 0); /* late */
    peer_feed(peer);
    assert_silence(peer);
}

/* Bodies. */

static void test_a_stated_length_is_kept(void **state)
{
    struct peer *peer = open_peer(state);
    put_request_with(peer, 1, 0, "content-length", "8");
    PUT(peer, FRAME_DATA, 0, 1, "four");
    PUT(peer, FRAME_DATA, END_STREAM, 1, "more");
    put_request_with(peer, 3, END_STREAM, "content-length", "0");
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;data 1 4;data 1 4;end 1;request 3;end 3;");
}

static void test_too_little_or_too_much_costs_the_stream(void **state)
{
    struct peer *peer = open_peer(state);
    put_request_with(peer, 1, 0, "content-length", "4");
    PUT(peer, FRAME_DATA, END_STREAM, 1, "one");
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_PROTOCOL_ERROR);
    assert_events(peer, "request 1;data 1 3;close 1;");
    put_request_with(peer, 3, 0, "content-length", "4");
    PUT(peer, FRAME_DATA, 0, 3, "three");
    peer_feed(peer);
    assert_stream_error(peer, 3, HTTP2_PROTOCOL_ERROR);
    assert_events(peer, "request 3;close 3;");
    put_request_with(peer, 5, END_STREAM, "content-length", "4");
    peer_feed(peer);
    assert_stream_error(peer, 5, HTTP2_PROTOCOL_ERROR);
    assert_events(peer, "");
}

/* A stream that was answered early has already been reset: it is not reset twice. */
static void test_too_little_for_a_request_that_was_answered(void **state)
{
    struct peer *peer = *state;
    peer->answer = PEER_FAILS_DATA;
    peer_open(peer);
    put_request_with(peer, 1, 0, "content-length", "4");
    PUT(peer, FRAME_DATA, END_STREAM, 1, "one");
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_NO_ERROR);
    assert_events(peer, "request 1;data 1 3;close 1;");
}

static void test_a_request_answered_before_its_end(void **state)
{
    struct peer *peer = *state;
    peer->answer = PEER_FAILS_REQUEST;
    peer_open(peer);
    peer_put_request(peer, 1, false);
    PUT(peer, FRAME_DATA, 0, 1, "on its way");
    PUT(peer, FRAME_DATA, END_STREAM, 1, "on its way");
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    assert_true(peer->alive);
    assert_events(peer, "request 1;close 1;request 3;close 3;");
    assert_int_equal(peer->frame_count, 3);
    assert_int_equal(peer->frames[0].type, FRAME_HEADERS);
    assert_true((peer->frames[0].flags & END_STREAM) != 0);
    assert_int_equal(peer->frames[1].type, FRAME_RST_STREAM);
    assert_int_equal(peer_number(peer->frames[1], 0), HTTP2_NO_ERROR);
    assert_int_equal(peer->frames[2].type, FRAME_HEADERS);
    assert_int_equal(peer->frames[2].stream_id, 3);
}

static void test_data_for_a_closed_stream(void **state)
{
    struct peer *peer = *state;
    peer->answer = PEER_ANSWERS_END;
    peer_open(peer);
    peer_put_request(peer, 1, true);
    PUT(peer, FRAME_DATA, 0, 1, "late");
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_STREAM_CLOSED);
    PUT(peer, FRAME_DATA, 0, 1, "later");
    peer_feed(peer);
    assert_silence(peer);
}

/* Our windows. */

static void test_windows_are_given_back_in_large_pieces(void **state)
{
    struct peer *peer = *state;
    peer->limits.stream_window = 100000;
    peer->limits.connection_window = 200000;
    peer_open(peer);
    peer_put_request(peer, 1, false);
    for (int i = 0; i < 4; i++)
        frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 12499);
    peer_feed(peer);
    assert_silence(peer);
    frames_put_zeros(&peer->in, FRAME_DATA, FRAME_PADDED, 1, 4); /* padding counts */
    peer_feed(peer);
    assert_int_equal(peer->frame_count, 1);
    assert_int_equal(peer->frames[0].type, FRAME_WINDOW_UPDATE);
    assert_int_equal(peer->frames[0].stream_id, 1);
    assert_int_equal(peer_number(peer->frames[0], 0), 50000);
    for (int i = 0; i < 4; i++)
        frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 12500);
    peer_feed(peer);
    assert_int_equal(peer->frame_count, 2);
    assert_int_equal(peer->frames[0].stream_id, 0);
    assert_int_equal(peer_number(peer->frames[0], 0), 100000);
    assert_int_equal(peer->frames[1].stream_id, 1);
}

/* The window of an expected body is opened once; afterwards, it is given back as usual. Padding
 * takes some of it. */
static void test_an_expected_body_gets_its_window_at_once(void **state)
{
    struct peer *peer = *state;
    peer->limits.stream_window = 100000;
    peer_open(peer);
    peer_put_request(peer, 1, false);
    peer->expects = 150000;
    frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 10000);
    peer_feed(peer);
    assert_int_equal(peer->frame_count, 1);
    assert_int_equal(peer->frames[0].type, FRAME_WINDOW_UPDATE);
    assert_int_equal(peer->frames[0].stream_id, 1);
    assert_int_equal(peer_number(peer->frames[0], 0), 60000);
    for (int i = 0; i < 14; i++)
        frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 10000);
    frames_put_zeros(&peer->in, FRAME_DATA, FRAME_PADDED, 1, 9999);
    peer_feed(peer);
    assert_silence(peer);
    frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 1);
    peer_feed(peer);
    assert_int_equal(peer->frame_count, 1);
    assert_int_equal(peer_number(peer->frames[0], 0), 100000);
}

/* Nothing is sent for a body that the window is wide enough for. */
static void test_an_expected_body_that_fits_into_the_window(void **state)
{
    struct peer *peer = *state;
    peer->limits.stream_window = 100000;
    peer_open(peer);
    peer_put_request(peer, 1, false);
    peer->expects = 80000;
    for (int i = 0; i < 8; i++)
        frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 10000);
    frames_put_zeros(&peer->in, FRAME_DATA, FRAME_END_STREAM, 1, 10000);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;data 1 10000;data 1 10000;data 1 10000;data 1 10000;"
                        "data 1 10000;data 1 10000;data 1 10000;data 1 10000;data 1 10000;"
                        "end 1;");
}

static void test_a_stream_beyond_its_window(void **state)
{
    struct peer *peer = *state;
    peer->limits.stream_window = 65535;
    peer_open(peer);
    /* Half of a window causes WINDOW_UPDATE, but not if it ends the request. */
    peer_put_request(peer, 1, false);
    frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 16384);
    peer_feed(peer);
    assert_silence(peer);
    stream_find(peer->session, 1)->receive_window = 100;
    frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 101);
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_FLOW_CONTROL_ERROR);
    assert_events(peer, "close 1;");
}

static void test_a_connection_beyond_its_window(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, false);
    peer->session->receive_window = 100;
    frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 101);
    peer_feed(peer);
    assert_connection_error(peer, HTTP2_FLOW_CONTROL_ERROR);
}

/* Ignored DATA must be returned to the connection's window, too, or that would run out. */
static void test_late_data_is_given_back_to_the_connection(void **state)
{
    struct peer *peer = *state;
    peer->limits.connection_window = 100000;
    peer->answer = PEER_FAILS_REQUEST;
    peer_open(peer);
    peer_put_request(peer, 1, false);
    for (int i = 0; i < 5; i++)
        frames_put_zeros(&peer->in, FRAME_DATA, 0, 1, 10000);
    peer_feed(peer);
    assert_true(peer->alive);
    struct frame last = peer->frames[peer->frame_count - 1];
    assert_int_equal(last.type, FRAME_WINDOW_UPDATE);
    assert_int_equal(last.stream_id, 0);
    assert_int_equal(peer_number(last, 0), 50000);
}

/* RST_STREAM. */

static void test_a_reset_closes_the_stream(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, true);
    frames_put_number(&peer->in, FRAME_RST_STREAM, 1, 8);
    frames_put_number(&peer->in, FRAME_RST_STREAM, 1, 8);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 1, 8);
    peer_feed(peer);
    assert_silence(peer);
    assert_events(peer, "request 1;end 1;close 1;");
    PUT(peer, FRAME_DATA, 0, 1, "more");
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_STREAM_CLOSED);
}

/* SETTINGS, PING. */

static void test_settings_and_pings_are_acknowledged(void **state)
{
    struct peer *peer = open_peer(state);
    frames_put_setting(&peer->in, SETTING_MAX_CONCURRENT_STREAMS, 0);
    frames_put_setting(&peer->in, 0xfff0, 12345); /* unknown */
    PUT(peer, FRAME_PING, 0, 0, "12345678");
    peer_feed(peer);
    assert_true(peer->alive);
    assert_int_equal(peer->frame_count, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(peer->frames[i].type, FRAME_SETTINGS);
        assert_int_equal(peer->frames[i].flags, FRAME_ACK);
        assert_int_equal(peer->frames[i].payload.len, 0);
    }
    assert_int_equal(peer->frames[2].type, FRAME_PING);
    assert_int_equal(peer->frames[2].flags, FRAME_ACK);
    assert_memory_equal(peer->frames[2].payload.data, "12345678", 8);
}

static void test_values_of_settings(void **state)
{
    static const struct {
        unsigned setting;
        uint32_t value;
        enum http2_error error;
    } settings[] = {
        {SETTING_ENABLE_PUSH, 0, HTTP2_NO_ERROR},
        {SETTING_ENABLE_PUSH, 1, HTTP2_NO_ERROR},
        {SETTING_ENABLE_PUSH, 2, HTTP2_PROTOCOL_ERROR},
        {SETTING_INITIAL_WINDOW_SIZE, 0, HTTP2_NO_ERROR},
        {SETTING_INITIAL_WINDOW_SIZE, INT32_MAX, HTTP2_NO_ERROR},
        {SETTING_INITIAL_WINDOW_SIZE, 0x80000000, HTTP2_FLOW_CONTROL_ERROR},
        {SETTING_MAX_FRAME_SIZE, 16384, HTTP2_NO_ERROR},
        {SETTING_MAX_FRAME_SIZE, 16383, HTTP2_PROTOCOL_ERROR},
        {SETTING_MAX_FRAME_SIZE, 0xffffff, HTTP2_NO_ERROR},
        {SETTING_MAX_FRAME_SIZE, 0x1000000, HTTP2_PROTOCOL_ERROR},
        {SETTING_HEADER_TABLE_SIZE, 0, HTTP2_NO_ERROR},
        {SETTING_HEADER_TABLE_SIZE, UINT32_MAX, HTTP2_NO_ERROR},
    };
    for (size_t i = 0; i < COUNT(settings); i++) {
        struct peer *peer = open_peer(state);
        frames_put_setting(&peer->in, settings[i].setting, settings[i].value);
        peer_feed(peer);
        if (settings[i].error == HTTP2_NO_ERROR)
            assert_true(peer->alive);
        else
            assert_connection_error(peer, settings[i].error);
        peer_teardown(state);
        peer_setup(state);
    }
}

/* Their windows. */

static void test_windows_that_grow_too_large(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, true);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 1, INT32_MAX - 65535);
    peer_feed(peer);
    assert_silence(peer);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 1, 1);
    peer_feed(peer);
    assert_stream_error(peer, 1, HTTP2_FLOW_CONTROL_ERROR);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 0, INT32_MAX - 65535);
    peer_feed(peer);
    assert_silence(peer);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 0, 1);
    peer_feed(peer);
    assert_connection_error(peer, HTTP2_FLOW_CONTROL_ERROR);
}

static void test_settings_that_grow_a_window_too_large(void **state)
{
    struct peer *peer = open_peer(state);
    peer_put_request(peer, 1, true);
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, 1, 1);
    frames_put_setting(&peer->in, SETTING_INITIAL_WINDOW_SIZE, INT32_MAX);
    peer_feed(peer);
    assert_connection_error(peer, HTTP2_FLOW_CONTROL_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_frames_that_end_the_connection),
        PEER_TEST(test_frames_that_are_passed_over),
        PEER_TEST(test_settings_come_first),
        PEER_TEST(test_a_request_whole_in_its_headers),
        PEER_TEST(test_a_request_with_a_body),
        PEER_TEST(test_a_header_block_in_pieces),
        PEER_TEST(test_nothing_comes_between_the_pieces),
        PEER_TEST(test_a_malformed_request_costs_its_stream),
        PEER_TEST(test_a_large_request_costs_itself_alone),
        PEER_TEST(test_priority_of_another_size_costs_the_stream),
        PEER_TEST(test_a_request_too_many_is_refused),
        PEER_TEST(test_ids_go_up),
        PEER_TEST(test_an_answered_stream_is_closed),
        PEER_TEST(test_trailers_end_the_body),
        PEER_TEST(test_bad_trailers_cost_the_stream),
        PEER_TEST(test_a_stated_length_is_kept),
        PEER_TEST(test_too_little_or_too_much_costs_the_stream),
        PEER_TEST(test_too_little_for_a_request_that_was_answered),
        PEER_TEST(test_a_request_answered_before_its_end),
        PEER_TEST(test_data_for_a_closed_stream),
        PEER_TEST(test_windows_are_given_back_in_large_pieces),
        PEER_TEST(test_an_expected_body_gets_its_window_at_once),
        PEER_TEST(test_an_expected_body_that_fits_into_the_window),
        PEER_TEST(test_a_stream_beyond_its_window),
        PEER_TEST(test_a_connection_beyond_its_window),
        PEER_TEST(test_late_data_is_given_back_to_the_connection),
        PEER_TEST(test_a_reset_closes_the_stream),
        PEER_TEST(test_settings_and_pings_are_acknowledged),
        PEER_TEST(test_values_of_settings),
        PEER_TEST(test_windows_that_grow_too_large),
        PEER_TEST(test_settings_that_grow_a_window_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
