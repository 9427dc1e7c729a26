/*
 * Tests of http2/send.c: answers within the peer's flow-control windows and our limits,
 * round-robin, and what is queued when these block them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http2/peer.h"

#include "store/seeded.h"

#define FIRST_WINDOW 65535
#define FRAME_SIZE   16384

/* What a client has received of the answers, per stream. */
#define MAX_STREAMS 200
struct receipt {
    size_t headers, trailers, bytes;
};
struct client {
    struct receipt streams[MAX_STREAMS]; /* id / 2 */
};

static struct peer *open_answering(void **state, size_t answer_size)
{
    struct peer *peer = *state;
    peer->answer = PEER_ANSWERS_END;
    peer->answer_size = answer_size;
    peer_open(peer);
    return peer;
}

/* Receives the frames, checks their order and every byte of the bodies. */
static void receive(struct client *client, const struct peer *peer)
{
    for (size_t i = 0; i < peer->frame_count; i++) {
        struct frame frame = peer->frames[i];
        if (frame.type != FRAME_DATA && frame.type != FRAME_HEADERS)
            continue;
        assert_true(frame.stream_id / 2 < MAX_STREAMS);
        struct receipt *receipt = &client->streams[frame.stream_id / 2];
        assert_int_equal(receipt->trailers, 0);
        if (frame.type == FRAME_HEADERS) {
            assert_true((frame.flags & FRAME_END_HEADERS) != 0);
            bool end = (frame.flags & FRAME_END_STREAM) != 0;
            assert_int_equal(receipt->headers, end ? 1 : 0);
            *(end ? &receipt->trailers : &receipt->headers) += 1;
            continue;
        }
        assert_int_equal(receipt->headers, 1);
        assert_int_equal(frame.flags, 0);
        for (size_t at = 0; at < frame.payload.len; at++)
            assert_int_equal(frame.payload.data[at],
                             peer_byte(frame.stream_id, receipt->bytes + at));
        receipt->bytes += frame.payload.len;
    }
}

static void grow_window(struct peer *peer, uint32_t id, uint32_t by)
{
    frames_put_number(&peer->in, FRAME_WINDOW_UPDATE, id, by);
}

static void set_window(struct peer *peer, uint32_t size)
{
    frames_put_setting(&peer->in, SETTING_INITIAL_WINDOW_SIZE, size);
}

static size_t sum_of_data(const struct peer *peer)
{
    size_t sum = 0;
    for (size_t i = 0; i < peer->frame_count; i++) {
        if (peer->frames[i].type == FRAME_DATA)
            sum += peer->frames[i].payload.len;
    }
    return sum;
}

static void test_a_small_answer_is_three_frames(void **state)
{
    struct peer *peer = open_answering(state, 5);
    struct client client = {0};
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_int_equal(peer->frame_count, 3);
    receive(&client, peer);
    assert_int_equal(client.streams[0].bytes, 5);
    assert_int_equal(client.streams[0].trailers, 1);
    assert_events(peer, "request 1;end 1;close 1;");
    assert_int_equal(http2_session_queued(peer->session), 0);
}

static void test_header_blocks_say_what_was_given(void **state)
{
    struct peer *peer = open_answering(state, 5);
    nghttp2_hd_inflater *inflater;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (uint32_t id = 1; id < 9; id += 2) {
        peer_put_request(peer, id, true);
        peer_feed(peer);
        for (size_t i = 0; i < 3; i += 2) {
            struct slice block = peer->frames[i].payload;
            size_t count = 0;
            int flags = 0;
            while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
                nghttp2_nv field;
                ssize_t used =
                    nghttp2_hd_inflate_hd2(inflater, &field, &flags, block.data, block.len, 1);
                assert_true(used >= 0);
                block = slice_skip(block, (size_t)used);
                if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
                    continue;
                const struct http2_field *expected = i == 0 ? &peer_fields[count] : peer_trailers;
                assert_true(slice_equal(slice_make(field.value, field.valuelen), expected->value));
                count++;
            }
            nghttp2_hd_inflate_end_headers(inflater);
            assert_int_equal(count, i == 0 ? 2 : 1);
        }
    }
    nghttp2_hd_inflate_del(inflater);
}

static void test_an_answer_larger_than_a_frame_is_cut(void **state)
{
    struct peer *peer = open_answering(state, 2 * FRAME_SIZE + 1);
    struct client client = {0};
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_int_equal(peer->frame_count, 5);
    assert_int_equal(peer->frames[1].payload.len, FRAME_SIZE);
    assert_int_equal(peer->frames[2].payload.len, FRAME_SIZE);
    assert_int_equal(peer->frames[3].payload.len, 1);
    receive(&client, peer);
    assert_int_equal(client.streams[0].trailers, 1);
}

static void test_the_connections_window_stops_everybody(void **state)
{
    struct peer *peer = open_answering(state, 40000);
    struct client client = {0};
    peer_put_request(peer, 1, true);
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(sum_of_data(peer), FIRST_WINDOW);
    assert_int_equal(http2_session_queued(peer->session), 80000 - FIRST_WINDOW);
    grow_window(peer, 1, 100000);
    peer_feed(peer);
    assert_silence(peer);
    grow_window(peer, 0, 1);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(sum_of_data(peer), 1);
    grow_window(peer, 0, 100000);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].bytes, 40000);
    assert_int_equal(client.streams[1].bytes, 40000);
    assert_int_equal(client.streams[0].trailers + client.streams[1].trailers, 2);
    assert_int_equal(http2_session_queued(peer->session), 0);
}

static void test_a_streams_window_stops_that_stream(void **state)
{
    struct peer *peer = open_answering(state, 10);
    struct client client = {0};
    set_window(peer, 4);
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].bytes, 4);
    set_window(peer, FIRST_WINDOW); /* 65,531 more for the first, too */
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].bytes, 10);
    assert_int_equal(client.streams[1].bytes, 10);
}

static void test_settings_make_a_window_negative(void **state)
{
    struct peer *peer = open_answering(state, 1000);
    struct client client = {0};
    set_window(peer, 600);
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].bytes, 600);
    set_window(peer, 100); /* 500 below zero */
    peer_feed(peer);
    assert_int_equal(stream_find(peer->session, 1)->send_window, -500);
    grow_window(peer, 1, 500);
    peer_feed(peer);
    assert_silence(peer);
    grow_window(peer, 1, 1);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].bytes, 601);
    set_window(peer, 0);
    set_window(peer, 499); /* 399 more than when it was 100 */
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].bytes, 1000);
    assert_int_equal(client.streams[0].trailers, 1);
}

/* A stream whose window shrinks while it waits for the connection's window leaves the queue and
 * returns later. */
static void test_settings_shrink_a_window_in_the_queue(void **state)
{
    struct peer *peer = open_answering(state, 40000);
    struct client client = {0};
    peer_put_request(peer, 1, true);
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    receive(&client, peer);
    set_window(peer, 0);
    grow_window(peer, 0, 100000);
    peer_feed(peer);
    assert_int_equal(sum_of_data(peer), 0);
    assert_null(peer->session->queue_head);
    set_window(peer, FIRST_WINDOW);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].trailers + client.streams[1].trailers, 2);
}

static void test_streams_take_turns(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    for (uint32_t id = 1; id <= 5; id += 2)
        peer_put_request(peer, id, true);
    grow_window(peer, 0, 1000000);
    peer_feed(peer);
    for (uint32_t id = 1; id <= 5; id += 2)
        peer_answer_stream(peer, id, 3 * FRAME_SIZE);
    peer_pull(peer);
    uint32_t expected = 1;
    for (size_t i = 0; i < peer->frame_count; i++) {
        if (peer->frames[i].type != FRAME_DATA)
            continue;
        assert_int_equal(peer->frames[i].stream_id, expected);
        expected = expected == 5 ? 1 : expected + 2;
    }
    assert_int_equal(sum_of_data(peer), 9 * FRAME_SIZE);
}

/* A small answer does not overtake queued ones, which were requested earlier. */
static void test_no_answer_overtakes_the_queue(void **state)
{
    struct peer *peer = open_answering(state, 70000);
    struct client client = {0};
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    receive(&client, peer);
    peer->answer_size = 5;
    grow_window(peer, 0, 70000);
    set_window(peer, 100000);
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].trailers + client.streams[1].trailers, 2);
    for (size_t i = 0; i < peer->frame_count; i++) {
        if (peer->frames[i].type == FRAME_DATA) {
            assert_int_equal(peer->frames[i].stream_id, 1);
            break;
        }
    }
}

/* The peer's windows as the peer sees them: the total granted. */
struct windows {
    int64_t connection, first;
    int64_t streams[20];
};

static void change_windows(struct peer *peer, struct windows *windows, uint64_t *random)
{
    uint32_t by = 1 + seeded_below(random, 20000), i = seeded_below(random, 20);
    switch (seeded_below(random, 4)) {
    case 0:
        grow_window(peer, 0, by);
        windows->connection += by;
        break;
    case 1:
        set_window(peer, by);
        for (size_t at = 0; at < 20; at++)
            windows->streams[at] += by - windows->first;
        windows->first = by;
        break;
    default:
        grow_window(peer, 2 * i + 1, by);
        windows->streams[i] += by;
    }
}

/* Receives the output and checks it against the windows; returns the number of complete streams. */
static size_t receive_within(struct client *client, const struct peer *peer,
                             const struct windows *windows)
{
    struct client before = *client;
    size_t sum = 0, finished = 0;
    receive(client, peer);
    for (size_t i = 0; i < 20; i++) {
        size_t bytes = client->streams[i].bytes;
        if (bytes > before.streams[i].bytes)
            assert_true((int64_t)bytes <= windows->streams[i]);
        sum += bytes;
        finished += client->streams[i].trailers;
    }
    assert_true((int64_t)sum <= windows->connection);
    return finished;
}

/* Random windows: never more than they allow, and in the end everything. */
static void random_windows(struct peer *peer, uint64_t *random)
{
    struct client client = {0};
    struct windows windows = {.connection = FIRST_WINDOW, .first = FIRST_WINDOW};
    size_t finished = 0;
    for (size_t i = 0; i < 20; i++)
        windows.streams[i] = FIRST_WINDOW;
    for (uint32_t i = 0; i < 20; i++) {
        peer->answer_size = 1 + seeded_below(random, 60000);
        peer_put_request(peer, 2 * i + 1, true);
        peer_feed(peer);
        finished = receive_within(&client, peer, &windows);
    }
    for (int step = 0; step < 5000 && finished < 20; step++) {
        change_windows(peer, &windows, random);
        peer_feed(peer);
        assert_true(peer->alive);
        finished = receive_within(&client, peer, &windows);
    }
    assert_int_equal(finished, 20);
    assert_int_equal(http2_session_queued(peer->session), 0);
    assert_int_equal(peer->session->streams.count, 0);
}

static void test_random_windows(void **state)
{
    uint64_t random = seeded_start();
    for (int i = 0; i < 20; i++) {
        random_windows(open_answering(state, 1), &random);
        peer_teardown(state);
        peer_setup(state);
    }
}

/* Blobs. */

static bool points_into(const struct blob *blob, const struct iovec *piece)
{
    const uint8_t *at = piece->iov_base;
    return at >= blob->data && at + piece->iov_len <= blob->data + blob->len;
}

static void assert_blob_is_not_copied(struct peer *peer, size_t size)
{
    struct iovec pieces[64];
    size_t count = chain_pieces(&peer->out, (struct chain_cursor){0}, pieces, 64);
    size_t shared = 0;
    for (size_t i = 0; i < count; i++) {
        if (points_into(peer->blob, &pieces[i]))
            shared += pieces[i].iov_len;
    }
    assert_int_equal(shared, size);
    assert_int_equal(peer->out.bytes.len + size, chain_length(&peer->out));
}

static void test_blobs_are_passed_on_by_reference(void **state)
{
    static const size_t sizes[] = {100, FRAME_SIZE, 60000};
    for (size_t i = 0; i < 3; i++) {
        struct peer *peer = *state;
        peer->blob = blob_new(sizes[i]);
        memset(peer->blob->data, 'b', sizes[i]);
        peer->answer = PEER_ANSWERS_BLOB_END;
        peer->answer_size = sizes[i];
        peer_open(peer);
        peer_put_request(peer, 1, true);
        peer_feed(peer);
        assert_int_equal(sum_of_data(peer), sizes[i]);
        assert_int_equal(peer->frames[1].payload.data[0], '!');
        assert_blob_is_not_copied(peer, sizes[i] - 1);
        assert_events(peer, "request 1;end 1;close 1;");
        peer_forget(peer);
        assert_int_equal(atomic_load(&peer->blob->holders), 1);
        blob_release(peer->blob);
        peer_teardown(state);
        peer_setup(state);
    }
}

static void test_a_reset_lets_go_of_blobs_that_wait(void **state)
{
    struct peer *peer = *state;
    peer->blob = blob_new(100000);
    memset(peer->blob->data, 'b', 100000);
    peer->answer = PEER_ANSWERS_BLOB_END;
    peer->answer_size = 100000;
    peer_open(peer);
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_true(http2_session_queued(peer->session) > 0);
    frames_put_number(&peer->in, FRAME_RST_STREAM, 1, 8);
    peer_feed(peer);
    assert_events(peer, "close 1;");
    assert_int_equal(http2_session_queued(peer->session), 0);
    assert_int_equal(atomic_load(&peer->blob->holders), 1);
    blob_release(peer->blob);
}

/* Our limits. */

static void test_only_so_much_is_written_ahead(void **state)
{
    struct peer *peer = *state;
    struct client client = {0};
    const size_t size = 30000, most = 50000 + FRAME_SIZE + 100;
    peer->limits.max_output = 50000;
    open_answering(state, size);
    grow_window(peer, 0, 10000000);
    for (uint32_t i = 0; i < 10; i++)
        peer_put_request(peer, 2 * i + 1, true);
    peer_feed(peer);
    receive(&client, peer);
    for (int pulls = 0; http2_session_queued(peer->session) > 0; pulls++) {
        assert_true(chain_length(&peer->out) >= 50000);
        assert_true(chain_length(&peer->out) <= most);
        peer_pull(peer);
        receive(&client, peer);
        assert_true(pulls < 10);
    }
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(client.streams[i].bytes, size);
    peer_pull(peer);
    assert_int_equal(peer->frame_count, 0);
}

static void test_new_requests_are_refused_while_too_much_waits(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_queued = 100000;
    open_answering(state, FIRST_WINDOW + 100000);
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_int_equal(http2_session_queued(peer->session), 100000);
    peer->answer_size = 1;
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    assert_events(peer, "request 3;end 3;");
    peer_put_request(peer, 5, true);
    peer_feed(peer);
    assert_stream_error(peer, 5, HTTP2_REFUSED_STREAM);
    assert_events(peer, "");
    grow_window(peer, 0, 2000000);
    grow_window(peer, 1, 2000000);
    peer_put_request(peer, 7, true);
    peer_feed(peer); /* WINDOW_UPDATE came first, but what it unblocks leaves with this feed */
    peer_put_request(peer, 9, true);
    peer_feed(peer);
    assert_events(peer, "request 9;end 9;close 9;");
}

/* While the socket is busy. */

static void test_output_waits_without_a_chain(void **state)
{
    struct peer *peer = open_answering(state, 5);
    struct client client = {0};
    peer->blocked = true;
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_true(peer->alive);
    assert_int_equal(peer->frame_count, 0);
    assert_events(peer, "request 1;end 1;close 1;");
    assert_true(http2_session_queued(peer->session) > 5);
    frames_put(&peer->in, FRAME_PING, 0, 0, SLICE_LITERAL("12345678"));
    peer_feed(peer);
    peer_pull(peer);
    receive(&client, peer);
    assert_int_equal(client.streams[0].trailers, 1);
    assert_int_equal(peer->frame_count, 4);
    assert_int_equal(peer->frames[3].type, FRAME_PING);
    assert_int_equal(http2_session_queued(peer->session), 0);
}

static void test_what_waited_leaves_before_what_is_new(void **state)
{
    struct peer *peer = open_answering(state, 5);
    peer->blocked = true;
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    peer->blocked = false;
    peer_put_request(peer, 3, true);
    peer_feed(peer);
    assert_int_equal(peer->frame_count, 6);
    assert_int_equal(peer->frames[0].stream_id, 1);
    assert_int_equal(peer->frames[5].stream_id, 3);
}

/* Answers that fill the backlog are not a flood: other limits bound their number. */
static void test_answers_that_wait_do_not_end_the_connection(void **state)
{
    struct peer *peer = *state;
    struct client client = {0};
    open_answering(state, 10000);
    grow_window(peer, 0, 10000000);
    peer->blocked = true;
    for (uint32_t i = 0; i < 100; i++) {
        peer_put_request(peer, 2 * i + 1, true);
        peer_feed(peer);
        assert_true(peer->alive);
        assert_true(chain_length(&peer->session->backlog) <=
                    peer->limits.max_output + FRAME_SIZE + 100 * 50);
    }
    while (http2_session_queued(peer->session) > 0) {
        peer_pull(peer);
        receive(&client, peer);
    }
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(client.streams[i].trailers, 1);
}

static void test_answers_in_the_backlog_count_as_waiting(void **state)
{
    struct peer *peer = *state;
    peer->limits.max_queued = 10000;
    peer->limits.max_streams = 100;
    peer->answer = PEER_FAILS_REQUEST;
    peer_open(peer);
    peer->blocked = true;
    for (uint32_t i = 0; i < 2000; i++) {
        peer_put_request(peer, 2 * i + 1, true);
        peer_feed(peer);
        if (!peer->alive)
            break;
    }
    /* Those beyond the limit are refused; a peer that does not read is finally disconnected. */
    assert_false(peer->alive);
    assert_true(http2_session_queued(peer->session) <=
                10000 + peer->limits.max_unsent_control + 101 * 13 + 200);
}

static void flood(struct peer *peer, unsigned type, size_t size, size_t count)
{
    for (size_t i = 0; i < count && peer->alive; i++) {
        frames_put_zeros(&peer->in, type, 0, 0, size);
        peer_feed(peer);
    }
}

static void test_a_flood_without_a_reader_ends_the_connection(void **state)
{
    static const struct {
        unsigned type;
        size_t size;
    } floods[] = {{FRAME_PING, 8}, {FRAME_SETTINGS, 0}};
    for (size_t i = 0; i < 2; i++) {
        struct peer *peer = *state;
        peer->limits.max_idle_frames = 10000;  /* another limit on SETTINGS */
        peer->limits.max_streams = 0;          /* all of which may be refused */
        peer->limits.min_ping_interval_ms = 0; /* another limit on PINGs */
        size_t most = peer->limits.max_unsent_control / (FRAME_HEADER_SIZE + floods[i].size);
        peer_open(peer);
        peer->blocked = true;
        flood(peer, floods[i].type, floods[i].size, most);
        assert_true(peer->alive);
        peer_pull(peer); /* the peer reads after all */
        assert_int_equal(peer->frame_count, most);
        flood(peer, floods[i].type, floods[i].size, most);
        assert_true(peer->alive);
        flood(peer, floods[i].type, floods[i].size, 1);
        assert_false(peer->alive);
        peer_pull(peer);
        assert_connection_error(peer, HTTP2_ENHANCE_YOUR_CALM);
        peer_teardown(state);
        peer_setup(state);
    }
}

static void test_a_peer_that_reads_may_ping_for_ever(void **state)
{
    struct peer *peer = *state;
    peer->limits.min_ping_interval_ms = 0;
    peer_open(peer);
    flood(peer, FRAME_PING, 8, 10000);
    assert_true(peer->alive);
}

/* Stalls. */

static void test_a_stall_begins_when_something_waits(void **state)
{
    struct peer *peer = open_answering(state, 10);
    set_window(peer, 0);
    peer_feed(peer);
    peer->now_ms += 10 * peer->limits.stall_timeout_ms; /* idle for long */
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    assert_int_equal(http2_session_expired(peer->session, peer->now_ms).kind, CLOSING_NONE);
    peer->now_ms += peer->limits.stall_timeout_ms;
    assert_int_equal(http2_session_expired(peer->session, peer->now_ms).kind, CLOSING_NONE);
    assert_int_not_equal(http2_session_expired(peer->session, peer->now_ms + 1).kind, CLOSING_NONE);
    grow_window(peer, 1, 1); /* a byte is progress */
    peer_feed(peer);
    assert_int_equal(http2_session_expired(peer->session, peer->now_ms + 1).kind, CLOSING_NONE);
    peer->now_ms += peer->limits.stall_timeout_ms + 1;
    assert_int_not_equal(http2_session_expired(peer->session, peer->now_ms).kind, CLOSING_NONE);
}

static void test_a_stall_of_an_answer_given_later(void **state)
{
    struct peer *peer = *state;
    peer_open(peer);
    set_window(peer, 0);
    peer_put_request(peer, 1, true);
    peer_feed(peer);
    peer->now_ms += 10 * peer->limits.stall_timeout_ms; /* the application takes its time */
    peer_answer_stream(peer, 1, 10);
    peer_pull(peer);
    assert_int_equal(http2_session_expired(peer->session, peer->now_ms).kind, CLOSING_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEER_TEST(test_a_small_answer_is_three_frames),
        PEER_TEST(test_header_blocks_say_what_was_given),
        PEER_TEST(test_an_answer_larger_than_a_frame_is_cut),
        PEER_TEST(test_the_connections_window_stops_everybody),
        PEER_TEST(test_a_streams_window_stops_that_stream),
        PEER_TEST(test_settings_make_a_window_negative),
        PEER_TEST(test_settings_shrink_a_window_in_the_queue),
        PEER_TEST(test_streams_take_turns),
        PEER_TEST(test_no_answer_overtakes_the_queue),
        PEER_TEST(test_random_windows),
        PEER_TEST(test_blobs_are_passed_on_by_reference),
        PEER_TEST(test_a_reset_lets_go_of_blobs_that_wait),
        PEER_TEST(test_only_so_much_is_written_ahead),
        PEER_TEST(test_new_requests_are_refused_while_too_much_waits),
        PEER_TEST(test_output_waits_without_a_chain),
        PEER_TEST(test_what_waited_leaves_before_what_is_new),
        PEER_TEST(test_answers_that_wait_do_not_end_the_connection),
        PEER_TEST(test_answers_in_the_backlog_count_as_waiting),
        PEER_TEST(test_a_flood_without_a_reader_ends_the_connection),
        PEER_TEST(test_a_peer_that_reads_may_ping_for_ever),
        PEER_TEST(test_a_stall_begins_when_something_waits),
        PEER_TEST(test_a_stall_of_an_answer_given_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
