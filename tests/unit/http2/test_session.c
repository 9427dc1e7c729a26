/*
 * Tests of http2/session.c through http2.h alone: they hold for any implementation of the header.
 * The peer is nghttp2's client, or frames made by hand.
 */
#include "http2/http2.h"

#include "http2/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MEBIBYTE ((size_t)1024 * 1024)

/* Requests. */

static void test_request_arrives_with_its_fields_in_order(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    const struct http2_field fields[] = {
        pair_request[0],
        pair_request[1],
        pair_request[2],
        pair_request[3],
        {.name = SLICE_LITERAL("x-twice"), .value = SLICE_LITERAL("one")},
        {.name = SLICE_LITERAL("x-empty"), .value = SLICE_LITERAL("")},
        {.name = SLICE_LITERAL("x-twice"), .value = SLICE_LITERAL("two")},
    };
    for (size_t i = 0; i < 2; i++) { /* the second time from the dynamic table */
        ng_client_request(pair.client, fields, sizeof fields / sizeof fields[0], true);
        assert_true(pair_exchange(pair));
        const struct seen *seen = &pair.server->seen[i];
        ng_assert_slice(buf_slice(&seen->fields),
                        PAIR_REQUEST_TEXT "x-twice: one\nx-empty: \nx-twice: two\n");
        assert_int_equal(seen->ends, 1);
        assert_int_equal(seen->body.len, 0);
    }
    pair_free(pair);
}

static void test_body_arrives_in_pieces(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct ng_stream *stream = pair_send_request(pair, false);
    assert_true(pair_exchange(pair));
    const struct seen *seen = &pair.server->seen[0];
    assert_int_equal(pair.server->count, 1);
    ng_client_send(pair.client, stream, SLICE_LITERAL("one "), false);
    assert_true(pair_exchange(pair));
    ng_assert_slice(buf_slice(&seen->body), "one ");
    ng_client_send(pair.client, stream, SLICE_LITERAL("two"), false);
    assert_true(pair_exchange(pair));
    ng_assert_slice(buf_slice(&seen->body), "one two");
    assert_int_equal(seen->ends, 0);
    ng_client_send(pair.client, stream, SLICE_LITERAL(""), true); /* an empty DATA frame ends it */
    assert_true(pair_exchange(pair));
    ng_assert_slice(buf_slice(&seen->body), "one two");
    assert_int_equal(seen->ends, 1);
    pair_free(pair);
}

static void test_long_header_block_comes_in_continuations(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.max_header_bytes = 100000;
    struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = 0});
    struct http2_field fields[PAIR_REQUEST_FIELDS + 1];
    memcpy(fields, pair_request, sizeof pair_request);
    static char value[50000];
    for (size_t i = 0; i + 1 < sizeof value; i++)
        value[i] = (char)('a' + i % 26);
    fields[PAIR_REQUEST_FIELDS] =
        (struct http2_field){.name = SLICE_LITERAL("x-long"), .value = slice_from_string(value)};
    ng_client_request(pair.client, fields, PAIR_REQUEST_FIELDS + 1, true);
    assert_true(pair_exchange(pair));
    assert_int_equal(pair.server->count, 1);
    ng_assert_slice(ng_client_field(&pair.server->seen[0].fields, "x-long"), value);
    assert_int_equal(pair.server->seen[0].ends, 1);
    pair_free(pair);
}

static void test_trailers_end_the_request(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct ng_stream *stream = pair_send_request(pair, false);
    stream->trailer = (struct http2_field){.name = SLICE_LITERAL("x-trailer"),
                                           .value = SLICE_LITERAL("not for the application")};
    ng_client_send(pair.client, stream, SLICE_LITERAL("body"), true);
    assert_true(pair_exchange(pair));
    ng_assert_slice(buf_slice(&pair.server->log),
                    "\nrequest 0 " PAIR_REQUEST_TEXT "\ndata 0 body\nend 0 ");
    pair_answer_seen(&pair.server->seen[0]);
    assert_true(pair_exchange(pair));
    pair_assert_answered(stream, SLICE_LITERAL("body"));
    pair_free(pair);
}

/* A client's output for several concurrent streams; `padding` is added to all its frames. */
static struct buf conversation(size_t padding)
{
    struct ng_client *client = ng_client_new(&(struct ng_options){.stream_window = 0});
    client->padding = padding;
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    struct ng_stream *first = ng_client_request(client, pair_request, PAIR_REQUEST_FIELDS, false);
    struct ng_stream *second = ng_client_request(client, pair_request, PAIR_REQUEST_FIELDS, false);
    ng_client_send(client, first, SLICE_LITERAL("first, "), false);
    ng_client_output(client, &bytes);
    ng_client_send(client, second, SLICE_LITERAL("second"), true);
    ng_client_output(client, &bytes);
    ng_client_request(client, pair_request, PAIR_REQUEST_FIELDS, true);
    ng_client_send(client, first, SLICE_LITERAL("and more"), true);
    ng_client_output(client, &bytes);
    struct ng_stream *gone = ng_client_request(client, pair_request, PAIR_REQUEST_FIELDS, false);
    ng_client_send(client, gone, pair_pattern(1000), false);
    ng_client_output(client, &bytes);
    ng_client_reset(client, gone);
    struct ng_stream *last = ng_client_request(client, pair_request, PAIR_REQUEST_FIELDS, false);
    last->trailer =
        (struct http2_field){.name = SLICE_LITERAL("x-trailer"), .value = SLICE_LITERAL("t")};
    ng_client_send(client, last, SLICE_LITERAL("with trailers"), true);
    ng_client_output(client, &bytes);
    ng_client_free(client);
    return bytes;
}

static void test_conversation_is_understood(void **state)
{
    (void)state;
    struct buf bytes = conversation(0);
    struct recorder *server = recorder_new(&http2_default_limits);
    assert_true(recorder_feed(server, buf_slice(&bytes)));
    assert_int_equal(server->count, 5);
    ng_assert_slice(buf_slice(&server->seen[0].body), "first, and more");
    ng_assert_slice(buf_slice(&server->seen[1].body), "second");
    ng_assert_slice(buf_slice(&server->seen[4].body), "with trailers");
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(server->seen[i].ends, i == 3 ? 0 : 1);
        assert_int_equal(server->seen[i].closes, i == 3 ? 1 : 0);
    }
    recorder_free(server);
    buf_deinit(&bytes);
}

/* Feeds the bytes in pieces of the given length, or of random lengths if it is 0. */
static void assert_same_log_in_pieces(struct slice bytes, size_t piece, struct slice log, bool pull)
{
    struct recorder *server = recorder_new(&http2_default_limits);
    struct buf out;
    buf_init(&out, SIZE_MAX);
    while (bytes.len > 0) {
        size_t len = piece > 0 ? piece : 1 + (size_t)rand() % 40;
        if (len > bytes.len)
            len = bytes.len;
        uint8_t *copy = mem_alloc(len); /* freed afterwards, like the input of a socket */
        memcpy(copy, bytes.data, len);
        assert_true(recorder_feed(server, slice_make(copy, len)));
        free(copy);
        bytes = slice_skip(bytes, len);
        if (pull)
            recorder_pull(server, &out);
    }
    assert_int_equal(server->log.len, log.len);
    assert_memory_equal(server->log.data, log.data, log.len);
    buf_deinit(&out);
    recorder_free(server);
}

static unsigned seed(void)
{
    const char *given = getenv("KEYSTORE_SEED");
    unsigned number = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("seed: KEYSTORE_SEED=%u\n", number);
    return number;
}

static void test_any_fragmentation_gives_the_same_events(void **state)
{
    (void)state;
    srand(seed());
    for (size_t padding = 0; padding <= 100; padding += 50) {
        struct buf bytes = conversation(padding);
        struct recorder *whole = recorder_new(&http2_default_limits);
        assert_true(recorder_feed(whole, buf_slice(&bytes)));
        struct slice log = buf_slice(&whole->log);
        for (size_t piece = 1; piece <= 20; piece++)
            assert_same_log_in_pieces(buf_slice(&bytes), piece, log, piece % 2 == 0);
        for (int i = 0; i < 50; i++)
            assert_same_log_in_pieces(buf_slice(&bytes), 0, log, i % 2 == 0);
        recorder_free(whole);
        buf_deinit(&bytes);
    }
}

static void test_padding_is_not_part_of_the_body(void **state)
{
    (void)state;
    struct buf plain = conversation(0), padded = conversation(200);
    struct recorder *server = recorder_new(&http2_default_limits),
                    *other = recorder_new(&http2_default_limits);
    assert_true(padded.len > plain.len + 1000); /* so there is padding */
    assert_true(recorder_feed(server, buf_slice(&plain)));
    assert_true(recorder_feed(other, buf_slice(&padded)));
    assert_int_equal(server->log.len, other->log.len);
    assert_memory_equal(server->log.data, other->log.data, server->log.len);
    recorder_free(server);
    recorder_free(other);
    buf_deinit(&plain);
    buf_deinit(&padded);
}

static void test_many_streams_at_once(void **state)
{
    (void)state;
    enum { STREAMS = 500, ROUNDS = 3 };
    struct pair pair = pair_connected();
    for (size_t round = 0; round < ROUNDS; round++) {
        char text[32];
        for (size_t i = 0; i < STREAMS; i++) {
            snprintf(text, sizeof text, "body %zu", round * STREAMS + i);
            ng_client_send(pair.client, pair_send_request(pair, false), slice_from_string(text),
                           true);
        }
        assert_true(pair_exchange(pair));
        assert_int_equal(pair.server->open, STREAMS);
        for (size_t i = pair.server->count; i > round * STREAMS; i--) /* the newest first */
            pair_answer_seen(&pair.server->seen[i - 1]);
        assert_true(pair_exchange(pair));
        assert_int_equal(pair.server->open, 0);
        for (size_t i = round * STREAMS; i < pair.client->count; i++) {
            snprintf(text, sizeof text, "body %zu", i);
            pair_assert_answered(pair.client->streams[i], slice_from_string(text));
        }
    }
    pair_free(pair);
}

/* The end of a stream: recorder_free() checks that each had exactly one on_close. */

static void test_close_when_completed(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct http2_stream *stream = pair_requested(pair, true);
    assert_int_equal(pair.server->seen[0].closes, 0);
    pair_answer(stream, SLICE_LITERAL("x"));
    assert_true(pair_exchange(pair));
    assert_int_equal(pair.server->seen[0].closes, 1);
    assert_true(pair_newest(pair)->closed);
    assert_false(pair_newest(pair)->reset);
    pair_free(pair);
}

static void test_close_when_the_peer_resets(void **state)
{
    (void)state;
    struct pair pair = pair_new(&http2_default_limits,
                                &(struct ng_options){.stream_window = 5, .manual_windows = true});
    assert_true(pair_exchange(pair));
    for (int stage = 0; stage < 4; stage++) { /* at the request, complete, answered, answering */
        struct http2_stream *stream = pair_requested(pair, stage > 0);
        if (stage >= 2)
            pair_answer(stream, SLICE_LITERAL("more than the window"));
        if (stage == 3)
            assert_true(pair_exchange(pair));
        ng_client_reset(pair.client, pair_newest(pair));
        assert_true(ng_client_push(pair.client, &pair.server->peer));
        assert_int_equal(pair.server->seen[stage].closes, 1);
        struct buf out = pair_pulled(pair.server); /* the header fields at most */
        assert_int_equal(frames_data_len(buf_slice(&out)), 0);
        assert_int_equal(http2_session_queued(pair.server->session), 0);
        if (stage == 2)
            ng_client_input(pair.client, buf_slice(&out));
        buf_deinit(&out);
    }
    pair_requested(pair, true);
    pair_answer_seen(&pair.server->seen[4]);
    assert_true(pair_exchange(pair));
    pair_assert_answered(pair_newest(pair), SLICE_LITERAL(""));
    pair_free(pair);
}

static void test_close_when_the_session_is_freed(void **state)
{
    (void)state;
    struct pair pair = pair_new(&http2_default_limits,
                                &(struct ng_options){.stream_window = 5, .manual_windows = true});
    assert_true(pair_exchange(pair));
    pair_requested(pair, false);
    pair_requested(pair, true);
    pair_answer(pair_requested(pair, true), SLICE_LITERAL("more than the window"));
    pair_answer(pair_requested(pair, true), SLICE_LITERAL("all"));
    assert_true(pair_exchange(pair)); /* completes the last one */
    assert_int_equal(pair.server->open, 3);
    pair_answer(pair.server->seen[1].stream, SLICE_LITERAL("not pulled either"));
    pair_free(pair); /* checks that each was closed once */
}

static void test_half_a_header_block_is_no_request(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    assert_true(pair_feed_frame(pair.server, FRAME_HEADERS, 0, 1, SLICE_LITERAL(PAIR_BLOCK)));
    assert_int_equal(pair.server->count, 0);
    assert_true(pair_feed_frame(pair.server, FRAME_CONTINUATION, 0, 1, SLICE_LITERAL("")));
    assert_int_equal(pair.server->count, 0);
    pair_free(pair);
}

static void test_free_takes_null(void **state)
{
    (void)state;
    http2_session_free(NULL);
    http2_context_free(NULL);
}

/* The memory of one session's streams is reused by the other, and is cleared. */
static void test_sessions_share_a_context(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct recorder *server = pair.server;
    for (size_t round = 0; round < 3; round++) {
        pair_answer(pair_requested(pair, true), pair_pattern(20000));
        assert_true(pair_exchange(pair));
        pair_assert_answered(pair_newest(pair), pair_pattern(20000));
        struct http2_session *other = http2_session_new(server->context, server, server->now_ms);
        struct buf bytes = conversation(0);
        struct chain out = {0};
        size_t before = server->count;
        assert_true(http2_session_feed(other, buf_slice(&bytes), &out, server->now_ms));
        assert_int_equal(server->count, before + 5); /* the recorder checked that each was zeroed */
        pair_answer_seen(&server->seen[before]);
        http2_session_free(other);
        chain_deinit(&out);
        buf_deinit(&bytes);
    }
    pair_free(pair);
}

/* Answers. */

static void test_answer_of_a_header_block_alone(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    http2_answer_without_body(pair_requested(pair, true), pair_status, 1);
    assert_true(pair_exchange(pair));
    assert_true(pair_newest(pair)->ended);
    assert_false(pair_newest(pair)->reset);
    ng_assert_slice(buf_slice(&pair_newest(pair)->headers), ":status: 200\n");
    assert_int_equal(pair_newest(pair)->body.len + pair_newest(pair)->trailers.len, 0);
    assert_int_equal(pair.server->open, 0);
    pair_free(pair);
}

static void test_answer_before_the_request_is_complete(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct ng_stream *stream = pair_send_request(pair, false);
    assert_true(pair_exchange(pair));
    pair_answer(pair.server->seen[0].stream, SLICE_LITERAL("early"));
    assert_true(pair_exchange(pair));
    pair_assert_answered(stream, SLICE_LITERAL("early"));
    assert_int_equal(pair.server->seen[0].closes, 0); /* the peer has not ended its side */
    ng_client_send(pair.client, stream, SLICE_LITERAL("late"), true);
    assert_true(pair_exchange(pair));
    assert_int_equal(pair.server->seen[0].ends, 0); /* which is no longer wanted */
    assert_int_equal(pair.server->seen[0].closes, 1);
    assert_false(stream->reset);
    pair_free(pair);
}

static void answer_early(struct seen *seen)
{
    pair_answer(seen->stream, SLICE_LITERAL("from within"));
}

/* Answers from within a handler; the answer leaves with the feed. */
static void test_answer_from_within_the_callbacks(void **state)
{
    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        struct pair pair = pair_connected();
        bool one_feed = variant >= 3;
        pair.server->on_request = variant % 3 == 0 ? answer_early : NULL;
        pair.server->on_data = variant % 3 == 1 ? answer_early : NULL;
        pair.server->on_end = variant % 3 == 2 ? answer_early : NULL;
        struct ng_stream *stream = pair_send_request(pair, false);
        if (!one_feed)
            assert_true(pair_exchange(pair));
        ng_client_send(pair.client, stream, SLICE_LITERAL("body"), one_feed);
        assert_true(ng_client_push(pair.client, &pair.server->peer));
        if (!one_feed && variant % 3 == 2)
            assert_int_equal(chain_length(&pair.server->out), 0);
        if (!one_feed) {
            ng_client_send(pair.client, stream, SLICE_LITERAL(""), true);
            assert_true(ng_client_push(pair.client, &pair.server->peer));
        }
        assert_int_equal(http2_session_queued(pair.server->session), 0); /* all in the feed's
                                                                            output */
        assert_int_equal(pair.server->seen[0].closes, 1);
        assert_int_equal(pair.server->seen[0].ends, variant % 3 == 2 ? 1 : 0);
        assert_true(pair_exchange(pair));
        pair_assert_answered(stream, SLICE_LITERAL("from within"));
        assert_false(stream->reset);
        pair_free(pair);
    }
}

static void answer_all(struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->count; i++) {
        if (recorder->seen[i].ends > 0 && recorder->seen[i].stream != NULL)
            pair_answer_seen(&recorder->seen[i]);
    }
}

/* All requests of a feed can be answered at its end, and the answers still leave with it. */
static void test_answers_at_the_end_of_the_feed(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    pair.server->on_feed_end = answer_all;
    size_t before = pair.server->feeds;
    assert_int_equal(pair.server->feed_ends, before);
    for (size_t i = 0; i < 5; i++)
        ng_client_send(pair.client, pair_send_request(pair, false), pair_pattern(100 * i + 1),
                       true);
    assert_true(ng_client_push(pair.client, &pair.server->peer));
    assert_int_equal(pair.server->feeds, before + 1);
    assert_int_equal(pair.server->feed_ends, before + 1);
    assert_int_equal(pair.server->open, 0);
    assert_int_equal(http2_session_queued(pair.server->session), 0);
    assert_true(pair_exchange(pair));
    for (size_t i = 0; i < 5; i++)
        pair_assert_answered(pair.client->streams[i], pair_pattern(100 * i + 1));
    pair_free(pair);
}

/* Copied bytes and parts of blobs alternate, smaller and larger than a frame, within windows and
 * not. */
static void test_body_in_pieces_and_blobs(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, 16384 / 4, 16384, 30000, 100000};
    struct pair pair = pair_connected();
    struct blob *blob = blob_copy(pair_pattern(400000));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i];
        struct slice all = pair_pattern(4 * size);
        struct http2_stream *stream = pair_requested(pair, true);
        http2_answer_begin(stream, pair_status, 1, 4 * size);
        memcpy(chain_append(http2_answer_body(stream), size), all.data, size);
        chain_append_blob(http2_answer_body(stream), blob_retain(blob),
                          slice_make(blob->data + size, size));
        memcpy(chain_append(http2_answer_body(stream), size), all.data + 2 * size, size);
        chain_append(http2_answer_body(stream), 0);
        chain_append_blob(http2_answer_body(stream), blob_retain(blob),
                          slice_make(blob->data + 3 * size, size));
        http2_answer_end(stream, pair_trailers, 1);
        assert_true(pair_exchange(pair));
        pair_assert_answered(pair_newest(pair), all);
    }
    assert_int_equal(atomic_load(&blob->holders), 1); /* all references were released */
    blob_release(blob);
    pair_free(pair);
}

/* Also if the answer is never sent. */
static void test_blobs_of_lost_answers_are_given_back(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct blob *blob = blob_copy(pair_pattern(100000));
    for (int i = 0; i < 2; i++) {
        struct http2_stream *stream = pair_requested(pair, true);
        http2_answer_begin(stream, pair_status, 1, blob->len);
        chain_append_blob(http2_answer_body(stream), blob_retain(blob), blob_slice(blob));
        http2_answer_end(stream, pair_trailers, 1);
        if (i > 0)
            break; /* freed with the session */
        ng_client_reset(pair.client, pair_newest(pair));
        assert_true(ng_client_push(pair.client, &pair.server->peer));
        chain_clear(&pair.server->out, 0);
        assert_int_equal(atomic_load(&blob->holders), 1);
    }
    pair_free(pair);
    assert_int_equal(atomic_load(&blob->holders), 1);
    blob_release(blob);
}

static void test_fields_of_a_bodyless_answer_may_lie_anywhere(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    char name[] = "x-name", value[] = "value 0";
    for (char round = '0'; round < '3'; round++) {
        struct http2_stream *stream = pair_requested(pair, true);
        memcpy(name, "x-name", sizeof name);
        memcpy(value, "value ", 6);
        value[6] = round;
        const struct http2_field fields[] = {
            pair_status[0], {.name = slice_from_string(name), .value = slice_from_string(value)}};
        http2_answer_without_body(stream, fields, 2);
        memset(name, '!', sizeof name - 1);
        memset(value, '!', sizeof value - 1);
        assert_true(pair_exchange(pair));
        char expected[] = ":status: 200\nx-name: value ?\n";
        expected[sizeof expected - 3] = round;
        ng_assert_slice(buf_slice(&pair_newest(pair)->headers), expected);
    }
    pair_free(pair);
}

/* Fields at the same addresses cost one byte each, and decode to the same. */
static void test_repeated_fields_become_cheap(void **state)
{
    (void)state;
    static const struct http2_field fields[] = {
        {SLICE_LITERAL(":status"), SLICE_LITERAL("200")},
        {SLICE_LITERAL("x-some-name"), SLICE_LITERAL("and a value that is not short")}};
    struct pair pair = pair_connected();
    for (size_t round = 0; round < 3; round++) {
        struct http2_stream *stream = pair_requested(pair, true);
        http2_answer_begin(stream, fields, 2, 1);
        *chain_append(http2_answer_body(stream), 1) = 'x';
        http2_answer_end(stream, pair_trailers, 1);
        struct buf out = pair_pulled(pair.server);
        struct slice rest = buf_slice(&out);
        struct frame frame;
        while (round > 0 && frames_find(&rest, FRAME_HEADERS, &frame))
            assert_true(frame.payload.len <= 2);
        ng_client_input(pair.client, buf_slice(&out));
        buf_deinit(&out);
        ng_assert_slice(buf_slice(&pair_newest(pair)->headers),
                        ":status: 200\nx-some-name: and a value that is not short\n");
        ng_assert_slice(buf_slice(&pair_newest(pair)->trailers), "x-done: yes\n");
    }
    pair_free(pair);
}

/* Flow control of answers. */

static void test_nothing_leaves_beyond_the_window_of_the_stream(void **state)
{
    (void)state;
    struct pair pair = pair_new(&http2_default_limits,
                                &(struct ng_options){.stream_window = 10, .manual_windows = true});
    struct http2_stream *stream = pair_requested(pair, true);
    pair_answer(stream, pair_pattern(100));
    assert_true(pair_exchange(pair));
    struct ng_stream *seen = pair_newest(pair);
    assert_int_equal(seen->body.len, 10);
    assert_false(seen->ended);
    ng_client_open_window(pair.client, seen->id, 1);
    assert_true(pair_exchange(pair));
    assert_int_equal(seen->body.len, 11);
    ng_client_open_window(pair.client, seen->id, 88);
    assert_true(pair_exchange(pair));
    assert_int_equal(seen->body.len, 99);
    assert_false(seen->ended);
    ng_client_open_window(pair.client, seen->id, 1);
    assert_true(pair_exchange(pair)); /* trailers are not subject to flow control */
    pair_assert_answered(seen, pair_pattern(100));
    pair_free(pair);
}

static void test_nothing_leaves_beyond_the_window_of_the_connection(void **state)
{
    (void)state;
    struct pair pair =
        pair_new(&http2_default_limits,
                 &(struct ng_options){.stream_window = 1000000, .manual_windows = true});
    size_t total = 65535; /* the initial window of a connection */
    pair_answer(pair_requested(pair, true), pair_pattern(60000));
    pair_answer(pair_requested(pair, true), pair_pattern(60000));
    assert_true(pair_exchange(pair));
    struct ng_stream *one = pair.client->streams[0], *two = pair.client->streams[1];
    assert_int_equal(one->body.len + two->body.len, total);
    ng_client_open_window(pair.client, two->id, 1000); /* not the window that blocks them */
    assert_true(pair_exchange(pair));
    assert_int_equal(one->body.len + two->body.len, total);
    while (total < 120000) {
        ng_client_open_window(pair.client, 0, 8000);
        assert_true(pair_exchange(pair));
        total += 8000;
        assert_int_equal(one->body.len + two->body.len, total < 120000 ? total : 120000);
    }
    pair_assert_answered(one, pair_pattern(60000));
    pair_assert_answered(two, pair_pattern(60000));
    pair_free(pair);
}

static void set_stream_window(struct pair pair, uint32_t bytes)
{
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, bytes};
    assert_int_equal(nghttp2_submit_settings(pair.client->session, NGHTTP2_FLAG_NONE, &entry, 1),
                     0);
    assert_true(pair_exchange(pair));
}

/* RFC 9113, 6.9.2: a change of the setting changes the windows of open streams, even to negative
 * values. */
static void test_settings_move_the_windows_of_open_streams(void **state)
{
    (void)state;
    struct pair pair = pair_new(&http2_default_limits,
                                &(struct ng_options){.stream_window = 10, .manual_windows = true});
    pair_answer(pair_requested(pair, true), pair_pattern(100));
    assert_true(pair_exchange(pair));
    struct ng_stream *seen = pair_newest(pair);
    assert_int_equal(seen->body.len, 10);
    set_stream_window(pair, 30);
    assert_int_equal(seen->body.len, 30);
    set_stream_window(pair, 5); /* a window of -25 */
    ng_client_open_window(pair.client, seen->id, 25);
    assert_true(pair_exchange(pair));
    assert_int_equal(seen->body.len, 30);
    ng_client_open_window(pair.client, seen->id, 3);
    assert_true(pair_exchange(pair));
    assert_int_equal(seen->body.len, 33);
    set_stream_window(pair, 1000);
    pair_assert_answered(seen, pair_pattern(100));
    pair_free(pair);
}

static void test_blocked_stream_does_not_block_others(void **state)
{
    (void)state;
    struct pair pair = pair_new(&http2_default_limits,
                                &(struct ng_options){.stream_window = 10, .manual_windows = true});
    pair_answer(pair_requested(pair, true), pair_pattern(100));
    assert_true(pair_exchange(pair));
    pair_answer(pair_requested(pair, true), pair_pattern(10));
    assert_true(pair_exchange(pair));
    pair_assert_answered(pair.client->streams[1], pair_pattern(10));
    assert_int_equal(pair.client->streams[0]->body.len, 10);
    pair_free(pair);
}

/* Flow control of requests. */

static void test_windows_are_announced_and_opened_again(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.stream_window = 100000;
    limits.connection_window = 300000;
    struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = 0});
    assert_true(pair_exchange(pair));
    nghttp2_session *client = pair.client->session;
    assert_int_equal(
        nghttp2_session_get_remote_settings(client, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE), 100000);
    assert_int_equal(nghttp2_session_get_remote_window_size(client), 300000);
    struct ng_stream *one = pair_send_request(pair, false), *two = pair_send_request(pair, false);
    ng_client_send(pair.client, one, pair_pattern(2 * MEBIBYTE), true);
    ng_client_send(pair.client, two, pair_pattern(MEBIBYTE), true);
    assert_true(pair_exchange(pair)); /* ends only when all has arrived */
    assert_true(slice_equal(buf_slice(&pair.server->seen[0].body), pair_pattern(2 * MEBIBYTE)));
    assert_true(slice_equal(buf_slice(&pair.server->seen[1].body), pair_pattern(MEBIBYTE)));
    assert_int_equal(pair.server->seen[0].ends + pair.server->seen[1].ends, 2);
    pair_free(pair);
}

/* Windows from below to above the minimum: WINDOW_UPDATE is sent before they run out. */
static void test_overrun_of_the_window_is_an_error(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.stream_window = 100;
    struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = 0});
    pair_requested(pair, false); /* the client has acknowledged the setting */
    assert_true(pair_feed_frame(pair.server, FRAME_DATA, 0, 1, pair_pattern(100)));
    assert_true(pair_feed_frame(pair.server, FRAME_DATA, 0, 1, pair_pattern(101)));
    assert_int_equal(pair.server->seen[0].body.len, 100);
    assert_int_equal(pair.server->seen[0].closes, 1);
    struct buf out = pair_pulled(pair.server);
    struct slice rest = buf_slice(&out);
    struct frame frame;
    assert_true(frames_find(&rest, FRAME_RST_STREAM, &frame));
    assert_int_equal(frames_u32(frame.payload.data), FLOW_CONTROL_ERROR);
    buf_deinit(&out);
    pair_free(pair);
}

static void test_window_update_resumes_where_it_stopped(void **state)
{
    (void)state;
    struct pair pair = pair_new(&http2_default_limits,
                                &(struct ng_options){.stream_window = 1, .manual_windows = true});
    pair_answer(pair_requested(pair, true), pair_pattern(500));
    for (size_t i = 1; i < 500; i++) {
        assert_true(pair_exchange(pair));
        assert_int_equal(pair_newest(pair)->body.len, i);
        ng_client_open_window(pair.client, pair_newest(pair)->id, 1);
    }
    assert_true(pair_exchange(pair));
    pair_assert_answered(pair_newest(pair), pair_pattern(500));
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_arrives_with_its_fields_in_order),
        cmocka_unit_test(test_body_arrives_in_pieces),
        cmocka_unit_test(test_long_header_block_comes_in_continuations),
        cmocka_unit_test(test_trailers_end_the_request),
        cmocka_unit_test(test_conversation_is_understood),
        cmocka_unit_test(test_any_fragmentation_gives_the_same_events),
        cmocka_unit_test(test_padding_is_not_part_of_the_body),
        cmocka_unit_test(test_many_streams_at_once),
        cmocka_unit_test(test_close_when_completed),
        cmocka_unit_test(test_close_when_the_peer_resets),
        cmocka_unit_test(test_close_when_the_session_is_freed),
        cmocka_unit_test(test_half_a_header_block_is_no_request),
        cmocka_unit_test(test_free_takes_null),
        cmocka_unit_test(test_sessions_share_a_context),
        cmocka_unit_test(test_answer_of_a_header_block_alone),
        cmocka_unit_test(test_answer_before_the_request_is_complete),
        cmocka_unit_test(test_answer_from_within_the_callbacks),
        cmocka_unit_test(test_answers_at_the_end_of_the_feed),
        cmocka_unit_test(test_body_in_pieces_and_blobs),
        cmocka_unit_test(test_blobs_of_lost_answers_are_given_back),
        cmocka_unit_test(test_fields_of_a_bodyless_answer_may_lie_anywhere),
        cmocka_unit_test(test_repeated_fields_become_cheap),
        cmocka_unit_test(test_nothing_leaves_beyond_the_window_of_the_stream),
        cmocka_unit_test(test_nothing_leaves_beyond_the_window_of_the_connection),
        cmocka_unit_test(test_settings_move_the_windows_of_open_streams),
        cmocka_unit_test(test_blocked_stream_does_not_block_others),
        cmocka_unit_test(test_windows_are_announced_and_opened_again),
        cmocka_unit_test(test_overrun_of_the_window_is_an_error),
        cmocka_unit_test(test_window_update_resumes_where_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
