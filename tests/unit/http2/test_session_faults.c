/*
 * Tests of http2/session.c against peers that violate the protocol or exceed limits, and of the
 * ends of a session: refused requests, limits, errors, the two-step shutdown. Only through http2.h,
 * as in test_session.c.
 */
#include "http2/http2.h"

#include "http2/pair.h"

#include <stdio.h>
#include <stdlib.h>

/* Refusing the rest of a request. */

/* The frames of stream 1 among the bytes, as text: "HEADERS+END RST(0) ...". */
static void describe_stream(struct slice bytes, char *text, size_t size)
{
    struct frame frame;
    size_t len = 0;
    text[0] = '\0';
    while (frames_next(&bytes, &frame)) {
        const char *end = (frame.flags & FRAME_END_STREAM) != 0 ? "+END" : "";
        if (frame.stream != 1 || frame.type == FRAME_WINDOW_UPDATE)
            continue;
        if (frame.type == FRAME_RST_STREAM)
            len += (size_t)snprintf(text + len, size - len, "RST(%u) ",
                                    frames_u32(frame.payload.data));
        else if (frame.type == FRAME_HEADERS)
            len += (size_t)snprintf(text + len, size - len, "HEADERS%s ", end);
        else
            len += (size_t)snprintf(text + len, size - len, "type %d%s ", frame.type, end);
    }
}

static void assert_refused_with(struct pair pair, const char *frames)
{
    struct buf out = pair_pulled(pair.server);
    char text[200];
    describe_stream(buf_slice(&out), text, sizeof text);
    assert_string_equal(text, frames);
    ng_client_input(pair.client, buf_slice(&out));
    buf_deinit(&out);
}

static void refuse(struct seen *seen)
{
    http2_answer_without_body(seen->stream, pair_status, 1);
}

static void test_rest_of_an_incomplete_request_is_refused(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    pair.server->on_request = refuse;
    struct ng_stream *stream = pair_send_request(pair, false);
    ng_client_send(pair.client, stream, pair_pattern(1000), false);
    assert_true(ng_client_push(pair.client, &pair.server->peer));
    assert_refused_with(pair, "HEADERS+END RST(0) ");
    assert_int_equal(pair.server->seen[0].closes, 1);
    assert_true(stream->ended && stream->reset && stream->closed);
    pair.server->on_request = NULL;
    pair_answer(pair_requested(pair, true), SLICE_LITERAL("next"));
    assert_true(pair_exchange(pair));
    pair_assert_answered(pair_newest(pair), SLICE_LITERAL("next"));
    pair_free(pair);
}

static void test_refused_within_its_body(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct ng_stream *stream = pair_send_request(pair, false);
    assert_true(pair_exchange(pair));
    pair.server->on_data = refuse;
    ng_client_send(pair.client, stream, SLICE_LITERAL("unwanted"), false);
    assert_true(ng_client_push(pair.client, &pair.server->peer));
    assert_refused_with(pair, "HEADERS+END RST(0) ");
    assert_int_equal(pair.server->seen[0].closes, 1);
    pair_free(pair);
}

/* Answered at the start of the request, or at its end. */
static void test_complete_request_is_answered_without_reset(void **state)
{
    (void)state;
    for (int variant = 0; variant < 2; variant++) {
        struct pair pair = pair_connected();
        pair.server->on_request = variant == 0 ? refuse : NULL;
        pair.server->on_end = variant == 1 ? refuse : NULL;
        struct ng_stream *stream = pair_send_request(pair, variant == 0);
        if (variant == 1)
            ng_client_send(pair.client, stream, SLICE_LITERAL("all of it"), true);
        assert_true(ng_client_push(pair.client, &pair.server->peer));
        assert_refused_with(pair, "HEADERS+END ");
        assert_int_equal(pair.server->seen[0].closes, 1);
        pair_free(pair);
    }
}

/* A reset already sent is not undone: the end of the request comes too late. */
static void test_request_that_ends_after_the_refusal(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    pair.server->on_request = refuse;
    struct ng_stream *stream = pair_send_request(pair, false);
    assert_true(ng_client_push(pair.client, &pair.server->peer));
    ng_client_send(pair.client, stream, SLICE_LITERAL("all of it"), true);
    assert_true(ng_client_push(pair.client, &pair.server->peer));
    assert_refused_with(pair, "HEADERS+END RST(0) ");
    assert_int_equal(pair.server->seen[0].closes, 1);
    assert_int_equal(pair.server->seen[0].ends, 0);
    pair_free(pair);
}

/* Frames in flight when the reset was sent do no harm, to the windows either. */
static void test_data_after_the_refusal_is_passed_over(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    pair_requested(pair, false);
    refuse(&pair.server->seen[0]);
    struct buf out = pair_pulled(pair.server);
    buf_deinit(&out);
    assert_true(pair_feed_frame(pair.server, FRAME_DATA, 0, 1, pair_pattern(16384)));
    assert_true(pair_feed_frame(pair.server, FRAME_DATA, FRAME_END_STREAM, 1, pair_pattern(10)));
    assert_int_equal(pair.server->seen[0].body.len, 0);
    assert_int_equal(pair.server->seen[0].closes, 1);
    assert_true(pair_feed_frame(pair.server, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, 3,
                                SLICE_LITERAL(PAIR_BLOCK)));
    assert_int_equal(pair.server->count, 2);
    pair_free(pair);
}

/* Limits. */

static size_t header_bytes(const struct http2_field *fields, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fields[i].name.len + fields[i].value.len + 32;
    return sum;
}

/* Sends a request with one more field of `len` bytes. True if the application saw it. */
static bool is_taken(struct pair pair, size_t len)
{
    struct http2_field fields[PAIR_REQUEST_FIELDS + 1];
    memcpy(fields, pair_request, sizeof pair_request);
    uint8_t *value = mem_alloc(len);
    memset(value, 'v', len);
    fields[PAIR_REQUEST_FIELDS] =
        (struct http2_field){.name = SLICE_LITERAL("x"), .value = slice_make(value, len)};
    size_t before = pair.server->count;
    struct ng_stream *stream =
        ng_client_request(pair.client, fields, PAIR_REQUEST_FIELDS + 1, true);
    assert_true(pair_exchange(pair)); /* whatever happens to it, the connection goes on */
    free(value);
    bool taken = pair.server->count > before;
    assert_true(taken != stream->closed);
    return taken;
}

static void test_header_block_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.max_header_bytes = 1000;
    struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = 0});
    size_t fits = 1000 - header_bytes(pair_request, PAIR_REQUEST_FIELDS) - 32 - 1;
    assert_true(is_taken(pair, fits));
    assert_false(is_taken(pair, fits + 1));
    assert_false(is_taken(pair, 15000));
    assert_int_equal(pair_newest(pair)->error_code, ENHANCE_YOUR_CALM);
    assert_true(is_taken(pair, fits)); /* and the dynamic table is still the same on both sides */
    ng_assert_slice(ng_client_field(&pair.server->seen[1].fields, ":path"), "/path");
    assert_int_equal(ng_client_field(&pair.server->seen[1].fields, "x").len, fits);
    pair_free(pair);
}

/* In several frames, too, although it is decoded only for the dynamic table. */
static void test_long_header_blocks_over_the_limit(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    assert_false(is_taken(pair, 60000));
    assert_true(is_taken(pair, 100));
    assert_false(is_taken(pair, 65000));
    assert_true(is_taken(pair, 100));
    pair_free(pair);
}

/* One entry of the dynamic table repeated over and over: an HPACK bomb. */
static void test_header_bomb_is_refused(void **state)
{
    (void)state;
    enum { COPIES = 3000 };
    struct pair pair = pair_connected();
    static char value[3000];
    memset(value, 'v', sizeof value - 1);
    struct http2_field *fields = mem_alloc((PAIR_REQUEST_FIELDS + COPIES) * sizeof *fields);
    memcpy(fields, pair_request, sizeof pair_request);
    for (size_t i = 0; i < COPIES; i++)
        fields[PAIR_REQUEST_FIELDS + i] =
            (struct http2_field){.name = SLICE_LITERAL("x"), .value = slice_from_string(value)};
    struct ng_stream *bomb =
        ng_client_request(pair.client, fields, PAIR_REQUEST_FIELDS + COPIES, true);
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    ng_client_output(pair.client, &bytes);
    assert_true(bytes.len < 16384);
    assert_true(recorder_feed(pair.server, buf_slice(&bytes)));
    assert_true(pair_exchange(pair));
    assert_int_equal(pair.server->count, 0);
    assert_true(bomb->closed);
    pair_requested(pair, true);
    ng_assert_slice(buf_slice(&pair.server->seen[0].fields), PAIR_REQUEST_TEXT);
    buf_deinit(&bytes);
    free(fields);
    pair_free(pair);
}

static void test_streams_over_the_limit_are_refused(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.max_streams = 3;
    struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = 0});
    for (size_t i = 0; i < 5; i++) /* the client does not know the limit yet */
        pair_send_request(pair, true);
    assert_true(ng_client_push(pair.client, &pair.server->peer));
    assert_int_equal(pair.server->count, 3);
    assert_true(pair_exchange(pair));
    assert_int_equal(nghttp2_session_get_remote_settings(pair.client->session,
                                                         NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS),
                     3);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(pair.client->streams[i]->reset, i >= 3);
        if (i >= 3)
            assert_int_equal(pair.client->streams[i]->error_code, REFUSED_STREAM);
        else
            pair_answer_seen(&pair.server->seen[i]);
    }
    assert_true(pair_exchange(pair));
    for (size_t i = 0; i < 3; i++)
        pair_assert_answered(pair.client->streams[i], SLICE_LITERAL(""));
    pair_requested(pair, true); /* streams may be opened again */
    pair_free(pair);
}

static void answer_all(struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->count; i++) {
        if (recorder->seen[i].stream != NULL)
            pair_answer_seen(&recorder->seen[i]);
    }
}

/* Closed streams no longer count: the client waits until it may open more. */
static void test_streams_in_turn_stay_within_the_limit(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.max_streams = 3;
    struct pair pair = pair_new(&limits, &(struct ng_options){.stream_window = 0});
    pair.server->on_feed_end = answer_all;
    assert_true(pair_exchange(pair));
    for (size_t i = 0; i < 50; i++)
        pair_send_request(pair, true);
    assert_true(pair_exchange(pair));
    assert_int_equal(pair.server->count, 50);
    assert_int_equal(pair.server->peak_open, 3);
    for (size_t i = 0; i < 50; i++)
        pair_assert_answered(pair.client->streams[i], SLICE_LITERAL(""));
    pair_free(pair);
}

/* Malformed requests (RFC 9113, 8.1.1): stream errors. */

static void test_malformed_requests_are_reset(void **state)
{
    (void)state;
    /* Literals without indexing: 0x00, length of the name, name, length of the value, value. */
    static const struct {
        const char *what;
        const char *block;
        size_t len;
    } cases[] = {
#define HOST              "\x01\x04host"
#define CASE(what, block) {what, block, sizeof block - 1}
        CASE("no path", "\x83\x86" HOST),
        CASE("no method", "\x86\x84" HOST),
        CASE("no scheme", "\x83\x84" HOST),
        CASE("two paths", "\x83\x86\x84\x84" HOST),
        CASE("pseudo-header after a field", "\x83\x86" HOST "\x00\x01x\x01y\x84"),
        CASE("unknown pseudo-header", PAIR_BLOCK "\x00\x02:x\x01y"),
        CASE("upper case", PAIR_BLOCK "\x00\x01X\x01y"),
        CASE("connection", PAIR_BLOCK "\x00\x0a"
                                      "connection"
                                      "\x05"
                                      "close"),
        CASE("te", PAIR_BLOCK "\x00\x02te\x04gzip"),
#undef CASE
#undef HOST
    };
    struct pair pair = pair_connected();
    uint32_t id = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++, id += 2) {
        print_message("%s\n", cases[i].what);
        assert_true(pair_feed_frame(pair.server, FRAME_HEADERS,
                                    FRAME_END_HEADERS | FRAME_END_STREAM, id,
                                    slice_make(cases[i].block, cases[i].len)));
        struct buf out = pair_pulled(pair.server);
        struct slice rest = buf_slice(&out);
        struct frame frame;
        assert_true(frames_find(&rest, FRAME_RST_STREAM, &frame));
        assert_int_equal(frame.stream, id);
        assert_int_equal(frames_u32(frame.payload.data), PROTOCOL_ERROR);
        assert_int_equal(frames_count(buf_slice(&out), FRAME_GOAWAY), 0);
        assert_int_equal(pair.server->count, 0);
        buf_deinit(&out);
    }
    assert_true(pair_feed_frame(pair.server, FRAME_HEADERS, FRAME_END_HEADERS, id,
                                SLICE_LITERAL(PAIR_BLOCK)));
    assert_int_equal(pair.server->count, 1);
    pair_free(pair);
}

/* Connection errors. */

static void test_garbage_instead_of_the_preface(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum closing_kind kind;
    } garbage[] = {
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", CLOSING_HTTP1},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX and more of it", CLOSING_NOT_HTTP2},
        {"\x16\x03\x01\x02 a hello of TLS", CLOSING_TLS},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", CLOSING_PROXY},
        {"SSH-2.0-client\r\n", CLOSING_NOT_HTTP2},
    };
    for (size_t i = 0; i < 2 * sizeof garbage / sizeof garbage[0]; i++) {
        struct recorder *server = recorder_new(&http2_default_limits);
        struct slice bytes = slice_from_string(garbage[i / 2].bytes);
        size_t size = i % 2 == 0 ? bytes.len : 1; /* in one piece, and byte by byte */
        bool alive = true;
        for (size_t k = 0; k < bytes.len && alive; k += size)
            alive = recorder_feed(server, slice_make(bytes.data + k, size));
        assert_false(alive);
        assert_int_equal(http2_session_closing(server->session).kind, garbage[i / 2].kind);
        if (garbage[i / 2].kind == CLOSING_HTTP1) {
            struct buf out = pair_pulled(server);
            assert_true(slice_starts_with(buf_slice(&out), SLICE_LITERAL("HTTP/1.1 505 ")));
            assert_true(http2_session_finished(server->session));
            buf_deinit(&out);
        } else {
            pair_assert_ended(server, alive, PROTOCOL_ERROR);
        }
        assert_int_equal(server->count, 0);
        recorder_free(server);
    }
}

static void test_first_frame_must_be_settings(void **state)
{
    (void)state;
    struct recorder *server = recorder_new(&http2_default_limits);
    assert_true(recorder_feed(server, SLICE_LITERAL(FRAMES_PREFACE)));
    bool alive = pair_feed_frame(server, FRAME_PING, 0, 0, SLICE_LITERAL("12345678"));
    pair_assert_ended(server, alive, PROTOCOL_ERROR);
    recorder_free(server);
}

struct fault {
    const char *what;
    unsigned type;
    unsigned flags;
    uint32_t stream;
    const char *payload;
    size_t len;
    uint32_t code;
};

static void assert_fault_ends_the_connection(const struct fault *fault)
{
    struct pair pair = pair_connected();
    pair_requested(pair, false);
    pair_answer(pair_requested(pair, true), SLICE_LITERAL("not pulled"));
    print_message("%s\n", fault->what);
    bool alive = pair_feed_frame(pair.server, fault->type, fault->flags, fault->stream,
                                 slice_make(fault->payload, fault->len));
    pair_assert_ended(pair.server, alive, fault->code);
    assert_int_equal(pair.server->count, 2);
    pair_free(pair);
}

static void test_faults_end_the_connection(void **state)
{
    (void)state;
    static const char zeros[20000];
    const struct fault faults[] = {
        {"DATA of stream 0", FRAME_DATA, 0, 0, "x", 1, PROTOCOL_ERROR},
        {"DATA of a stream never opened", FRAME_DATA, 0, 99, "x", 1, PROTOCOL_ERROR},
        {"HEADERS of stream 0", FRAME_HEADERS, FRAME_END_HEADERS, 0, PAIR_BLOCK,
         sizeof PAIR_BLOCK - 1, PROTOCOL_ERROR},
        {"HEADERS of an even stream", FRAME_HEADERS, FRAME_END_HEADERS, 6, PAIR_BLOCK,
         sizeof PAIR_BLOCK - 1, PROTOCOL_ERROR},
        {"an index that HPACK has not", FRAME_HEADERS, FRAME_END_HEADERS, 5, "\xfe", 1,
         COMPRESSION_ERROR},
        {"a header block that is cut", FRAME_HEADERS, FRAME_END_HEADERS, 5, "\x00\x7f", 2,
         COMPRESSION_ERROR},
        {"a frame over 16384 bytes", FRAME_DATA, 0, 1, zeros, 16385, FRAME_SIZE_ERROR},
        {"more padding than frame", FRAME_DATA, 0x8, 1, "\x05zzz", 4, PROTOCOL_ERROR},
        {"PUSH_PROMISE of a client", 5, FRAME_END_HEADERS, 1, "\0\0\0\2\x82", 5, PROTOCOL_ERROR},
        {"CONTINUATION of nothing", FRAME_CONTINUATION, FRAME_END_HEADERS, 1, "\x83", 1,
         PROTOCOL_ERROR},
        {"RST_STREAM of stream 0", FRAME_RST_STREAM, 0, 0, zeros, 4, PROTOCOL_ERROR},
        {"RST_STREAM of 3 bytes", FRAME_RST_STREAM, 0, 1, zeros, 3, FRAME_SIZE_ERROR},
        {"SETTINGS of a stream", FRAME_SETTINGS, 0, 1, zeros, 6, PROTOCOL_ERROR},
        {"SETTINGS of 5 bytes", FRAME_SETTINGS, 0, 0, zeros, 5, FRAME_SIZE_ERROR},
        {"SETTINGS ack with a payload", FRAME_SETTINGS, FRAME_ACK, 0, zeros, 6, FRAME_SIZE_ERROR},
        {"a window of 2^31", FRAME_SETTINGS, 0, 0, "\0\4\x80\0\0\0", 6, FLOW_CONTROL_ERROR},
        {"a largest frame of 1", FRAME_SETTINGS, 0, 0, "\0\5\0\0\0\1", 6, PROTOCOL_ERROR},
        {"PING of a stream", FRAME_PING, 0, 1, zeros, 8, PROTOCOL_ERROR},
        {"PING of 7 bytes", FRAME_PING, 0, 0, zeros, 7, FRAME_SIZE_ERROR},
        {"GOAWAY of a stream", FRAME_GOAWAY, 0, 1, zeros, 8, PROTOCOL_ERROR},
        {"WINDOW_UPDATE of 0", FRAME_WINDOW_UPDATE, 0, 0, zeros, 4, PROTOCOL_ERROR},
        {"WINDOW_UPDATE of 3 bytes", FRAME_WINDOW_UPDATE, 0, 0, zeros, 3, FRAME_SIZE_ERROR},
        {"a window over 2^31-1", FRAME_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4,
         FLOW_CONTROL_ERROR},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        assert_fault_ends_the_connection(&faults[i]);
}

static void test_frames_within_a_header_block_end_the_connection(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    assert_true(pair_feed_frame(pair.server, FRAME_HEADERS, 0, 1, SLICE_LITERAL(PAIR_BLOCK)));
    bool alive = pair_feed_frame(pair.server, FRAME_PING, 0, 0, SLICE_LITERAL("12345678"));
    pair_assert_ended(pair.server, alive, PROTOCOL_ERROR);
    assert_int_equal(pair.server->count, 0);
    pair_free(pair);
}

/* What must be ignored. */
static void test_unknown_frames_are_ignored(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    pair_requested(pair, true);
    assert_true(pair_feed_frame(pair.server, 0x77, 0xff, 1, pair_pattern(100)));
    assert_true(pair_feed_frame(pair.server, FRAME_PRIORITY, 0, 1, slice_make("\0\0\0\0\1", 5)));
    assert_true(
        pair_feed_frame(pair.server, FRAME_SETTINGS, 0, 0, slice_make("\x77\7\0\0\0\1", 6)));
    assert_true(pair_feed_frame(pair.server, FRAME_RST_STREAM, 0, 1, slice_make("\0\0\0\x99", 4)));
    assert_true(pair_feed_frame(pair.server, FRAME_WINDOW_UPDATE, 0, 1, slice_make("\0\0\0\1", 4)));
    assert_int_equal(pair.server->seen[0].closes, 1);
    struct buf out = pair_pulled(pair.server);
    assert_int_equal(frames_count(buf_slice(&out), FRAME_GOAWAY), 0);
    assert_int_equal(frames_count(buf_slice(&out), FRAME_RST_STREAM), 0);
    assert_int_equal(frames_count(buf_slice(&out), FRAME_SETTINGS), 1); /* the acknowledgement */
    assert_false(http2_session_finished(pair.server->session));
    buf_deinit(&out);
    pair_free(pair);
}

static void test_ping_is_answered(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    assert_true(pair_feed_frame(pair.server, FRAME_PING, 0, 0, SLICE_LITERAL("12345678")));
    assert_true(pair_feed_frame(pair.server, FRAME_PING, 0, 0, SLICE_LITERAL("abcdefgh")));
    struct buf out = pair_pulled(pair.server);
    struct slice rest = buf_slice(&out);
    struct frame frame;
    assert_true(frames_find(&rest, FRAME_PING, &frame));
    assert_int_equal(frame.flags, FRAME_ACK);
    ng_assert_slice(frame.payload, "12345678");
    assert_true(frames_find(&rest, FRAME_PING, &frame));
    ng_assert_slice(frame.payload, "abcdefgh");
    assert_false(frames_find(&rest, FRAME_PING, &frame));
    buf_deinit(&out);
    assert_true(pair_feed_frame(pair.server, FRAME_PING, FRAME_ACK, 0, SLICE_LITERAL("unasked!")));
    out = pair_pulled(pair.server);
    assert_int_equal(out.len, 0);
    pair_free(pair);
}

/* The end. */

static const struct closing stopping = {CLOSING_NONE, "the server stops"};

static void test_drain_in_two_steps(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct http2_stream *stream = pair_requested(pair, true);
    http2_session_drain(pair.server->session, stopping);

    assert_true(ng_client_pull(pair.client, &pair.server->peer));
    assert_int_equal(pair.client->goaways, 1);
    assert_int_equal(pair.client->goaway_last[0], 0x7fffffff);
    assert_int_equal(pair.client->goaway_code[0], NO_ERROR);
    assert_false(http2_session_finished(pair.server->session));

    /* A request in flight when the peer received the GOAWAY. */
    assert_true(pair_feed_frame(pair.server, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, 3,
                                SLICE_LITERAL(PAIR_BLOCK)));
    assert_int_equal(pair.server->count, 2);
    assert_true(ng_client_push(pair.client, &pair.server->peer)); /* the answer to the PING */
    struct buf out = pair_pulled(pair.server);
    struct slice rest = buf_slice(&out);
    struct frame frame;
    assert_true(frames_find(&rest, FRAME_GOAWAY, &frame));
    assert_int_equal(frames_u32(frame.payload.data), 3);
    assert_int_equal(frames_u32(frame.payload.data + 4), NO_ERROR);
    buf_deinit(&out);

    /* Too late, so refused; those in flight are answered. */
    assert_true(pair_feed_frame(pair.server, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, 5,
                                SLICE_LITERAL(PAIR_BLOCK)));
    assert_int_equal(pair.server->count, 2);
    out = pair_pulled(pair.server);
    rest = buf_slice(&out);
    assert_true(frames_find(&rest, FRAME_RST_STREAM, &frame));
    assert_int_equal(frame.stream, 5);
    assert_int_equal(frames_u32(frame.payload.data), REFUSED_STREAM); /* so it is safe to retry */
    buf_deinit(&out);
    pair_answer(stream, SLICE_LITERAL("one"));
    http2_answer_without_body(pair.server->seen[1].stream, pair_status, 1);
    assert_false(http2_session_finished(pair.server->session));
    out = pair_pulled(pair.server);
    assert_int_equal(pair.server->open, 0);
    assert_true(http2_session_finished(pair.server->session));
    buf_deinit(&out);
    pair_free(pair);
}

static void test_drain_waits_for_streams(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct ng_stream *sending = pair_send_request(pair, false);
    assert_true(pair_exchange(pair));
    http2_session_drain(pair.server->session, stopping);
    assert_true(pair_exchange(pair));
    assert_int_equal(pair.client->goaways, 2);
    assert_int_equal(pair.client->goaway_last[0], 0x7fffffff);
    assert_int_equal(pair.client->goaway_last[1], sending->id);
    assert_false(http2_session_finished(pair.server->session));
    ng_client_send(pair.client, sending, SLICE_LITERAL("body"), true);
    assert_true(pair_exchange(pair));
    ng_assert_slice(buf_slice(&pair.server->seen[0].body), "body");
    pair_answer_seen(&pair.server->seen[0]);
    assert_true(pair_exchange(pair));
    pair_assert_answered(sending, SLICE_LITERAL("body"));
    assert_true(http2_session_finished(pair.server->session));
    pair_free(pair);
}

/* By hand: nghttp2's client closes on GOAWAY if it has no streams. */
static void test_drain_of_an_idle_session(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    assert_false(http2_session_finished(pair.server->session));
    http2_session_drain(pair.server->session, stopping);
    struct buf first = pair_pulled(pair.server);
    struct slice rest = buf_slice(&first);
    struct frame goaway, ping;
    assert_true(frames_find(&rest, FRAME_GOAWAY, &goaway));
    assert_int_equal(frames_u32(goaway.payload.data), 0x7fffffff);
    assert_true(frames_find(&rest, FRAME_PING, &ping)); /* after it, to delimit the output */
    assert_int_equal(ping.flags, 0);
    assert_false(http2_session_finished(pair.server->session));
    assert_true(pair_feed_frame(pair.server, FRAME_PING, FRAME_ACK, 0, ping.payload));
    struct buf second = pair_pulled(pair.server);
    rest = buf_slice(&second);
    assert_true(frames_find(&rest, FRAME_GOAWAY, &goaway));
    assert_int_equal(frames_u32(goaway.payload.data), 0);
    assert_true(http2_session_finished(pair.server->session));
    buf_deinit(&first);
    buf_deinit(&second);
    pair_free(pair);
}

static void test_second_drain_does_not_wait_for_the_ping(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    pair_requested(pair, true);
    http2_session_drain(pair.server->session, stopping);
    struct buf out = pair_pulled(pair.server);
    struct slice rest = buf_slice(&out);
    struct frame goaway, ping;
    assert_true(frames_find(&rest, FRAME_GOAWAY, &goaway));
    assert_int_equal(frames_u32(goaway.payload.data), 0x7fffffff);
    assert_true(frames_find(&rest, FRAME_PING, &ping));
    http2_session_drain(pair.server->session, stopping);
    struct buf second = pair_pulled(pair.server);
    rest = buf_slice(&second);
    assert_true(frames_find(&rest, FRAME_GOAWAY, &goaway));
    assert_int_equal(frames_u32(goaway.payload.data), 1);
    http2_session_drain(pair.server->session, stopping); /* there is no third step */
    assert_true(pair_feed_frame(pair.server, FRAME_PING, FRAME_ACK, 0, ping.payload));
    struct buf third = pair_pulled(pair.server);
    assert_int_equal(third.len, 0);
    http2_answer_without_body(pair.server->seen[0].stream, pair_status, 1);
    third = pair_pulled(pair.server);
    assert_true(http2_session_finished(pair.server->session));
    buf_deinit(&out);
    buf_deinit(&second);
    buf_deinit(&third);
    pair_free(pair);
}

/* A client's GOAWAY concerns pushed streams: its own requests go on. */
static void test_peers_goaway_ends_nothing(void **state)
{
    (void)state;
    struct pair pair = pair_connected();
    struct http2_stream *stream = pair_requested(pair, true);
    assert_true(
        pair_feed_frame(pair.server, FRAME_GOAWAY, 0, 0, slice_make("\0\0\0\0\0\0\0\0", 8)));
    pair_answer(stream, SLICE_LITERAL("one"));
    assert_true(ng_client_pull(pair.client, &pair.server->peer));
    pair_assert_answered(pair_newest(pair), SLICE_LITERAL("one"));
    assert_false(http2_session_finished(pair.server->session));
    pair_answer(pair_requested(pair, true), SLICE_LITERAL("two"));
    assert_true(ng_client_pull(pair.client, &pair.server->peer));
    pair_assert_answered(pair_newest(pair), SLICE_LITERAL("two"));
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rest_of_an_incomplete_request_is_refused),
        cmocka_unit_test(test_refused_within_its_body),
        cmocka_unit_test(test_complete_request_is_answered_without_reset),
        cmocka_unit_test(test_request_that_ends_after_the_refusal),
        cmocka_unit_test(test_data_after_the_refusal_is_passed_over),
        cmocka_unit_test(test_header_block_over_the_limit_is_refused),
        cmocka_unit_test(test_long_header_blocks_over_the_limit),
        cmocka_unit_test(test_header_bomb_is_refused),
        cmocka_unit_test(test_streams_over_the_limit_are_refused),
        cmocka_unit_test(test_streams_in_turn_stay_within_the_limit),
        cmocka_unit_test(test_malformed_requests_are_reset),
        cmocka_unit_test(test_garbage_instead_of_the_preface),
        cmocka_unit_test(test_first_frame_must_be_settings),
        cmocka_unit_test(test_faults_end_the_connection),
        cmocka_unit_test(test_frames_within_a_header_block_end_the_connection),
        cmocka_unit_test(test_unknown_frames_are_ignored),
        cmocka_unit_test(test_ping_is_answered),
        cmocka_unit_test(test_drain_in_two_steps),
        cmocka_unit_test(test_drain_waits_for_streams),
        cmocka_unit_test(test_drain_of_an_idle_session),
        cmocka_unit_test(test_second_drain_does_not_wait_for_the_ping),
        cmocka_unit_test(test_peers_goaway_ends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
