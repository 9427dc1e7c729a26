/*
 * A recording server session and nghttp2's client, connected in memory, with the small steps that
 * tests of sessions are made of.
 */
#ifndef KEYSTORE_TESTS_HTTP2_PAIR_H
#define KEYSTORE_TESTS_HTTP2_PAIR_H

#include "http2/frames.h"
#include "http2/ng_client.h"
#include "http2/recorder.h"

/* Codes of RFC 9113, 7. */
enum {
    NO_ERROR = 0,
    PROTOCOL_ERROR = 1,
    FLOW_CONTROL_ERROR = 3,
    FRAME_SIZE_ERROR = 6,
    REFUSED_STREAM = 7,
    CANCEL = 8,
    COMPRESSION_ERROR = 9,
};

static const struct http2_settings pair_settings = {.max_streams = 1000,
                                                    .stream_window = 1024 * 1024,
                                                    .connection_window = 16 * 1024 * 1024,
                                                    .max_header_bytes = 16 * 1024};

#define PAIR_REQUEST_FIELDS 4
static const struct http2_field pair_request[PAIR_REQUEST_FIELDS] = {
    {.name = SLICE_LITERAL(":method"), .value = SLICE_LITERAL("POST")},
    {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
    {.name = SLICE_LITERAL(":path"), .value = SLICE_LITERAL("/path")},
    {.name = SLICE_LITERAL(":authority"), .value = SLICE_LITERAL("host")},
};
#define PAIR_REQUEST_TEXT ":method: POST\n:scheme: http\n:path: /path\n:authority: host\n"

/* A header block by hand, for any stream: POST, http, /, and literally :authority. */
#define PAIR_BLOCK "\x83\x86\x84\x01\x04host"

static const struct http2_field pair_status[] = {
    {SLICE_LITERAL(":status"), SLICE_LITERAL("200"), true},
};
static const struct http2_field pair_trailers[] = {
    {SLICE_LITERAL("x-done"), SLICE_LITERAL("yes"), true},
};

/* A server that records and a client, connected. */
struct pair {
    struct recorder *server;
    struct ng_client *client;
};

static inline struct pair pair_new(const struct http2_settings *settings,
                                   const struct ng_options *options)
{
    return (struct pair){recorder_new(settings), ng_client_new(options)};
}

/* The usual pair, past the exchange of SETTINGS. */
static inline struct pair pair_connected(void)
{
    struct pair pair = pair_new(&pair_settings, &(struct ng_options){.stream_window = 0});
    assert_true(ng_client_exchange(pair.client, &pair.server->peer));
    return pair;
}

static inline void pair_free(struct pair pair)
{
    recorder_free(pair.server);
    ng_client_free(pair.client);
}

static inline bool pair_exchange(struct pair pair)
{
    return ng_client_exchange(pair.client, &pair.server->peer);
}

static inline struct ng_stream *pair_send_request(struct pair pair, bool end)
{
    return ng_client_request(pair.client, pair_request, PAIR_REQUEST_FIELDS, end);
}

/* A request that has arrived; its stream is the newest of the server. */
static inline struct http2_stream *pair_requested(struct pair pair, bool end)
{
    size_t before = pair.server->count;
    pair_send_request(pair, end);
    assert_true(pair_exchange(pair));
    assert_int_equal(pair.server->count, before + 1);
    return pair.server->seen[before].stream;
}

static inline struct ng_stream *pair_newest(struct pair pair)
{
    return pair.client->streams[pair.client->count - 1];
}

static inline void pair_append(struct http2_stream *stream, struct slice bytes)
{
    assert_true(buf_append(http2_body(stream), bytes));
}

/* A whole answer: fields, a body, trailers. */
static inline void pair_answer(struct http2_stream *stream, struct slice body)
{
    http2_respond(stream, pair_status, 1, false);
    pair_append(stream, body);
    http2_finish(stream, pair_trailers, 1);
}

static inline void pair_answer_seen(struct seen *seen)
{
    pair_answer(seen->stream, buf_slice(&seen->body));
}

static inline void pair_assert_answered(const struct ng_stream *stream, struct slice body)
{
    assert_true(stream->ended);
    ng_assert_slice(buf_slice(&stream->headers), ":status: 200\n");
    assert_true(slice_equal(buf_slice(&stream->body), body));
    ng_assert_slice(buf_slice(&stream->trailers), "x-done: yes\n");
}

/* Bytes of which no two neighbouring parts are the same. */
static inline struct slice pair_pattern(size_t len)
{
    static uint8_t bytes[4 * 1024 * 1024];
    if (bytes[1] == 0) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(i % 251 + i / 251 % 7);
    }
    assert_true(len <= sizeof bytes);
    return slice_make(bytes, len);
}

/* All that the session has to send. */
static inline struct buf pair_pulled(struct http2_session *session)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    http2_session_pull(session, &out, SIZE_MAX);
    return out;
}

static inline bool pair_feed_frame(struct recorder *server, unsigned type, unsigned flags,
                                   uint32_t stream, struct slice payload)
{
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    frames_append(&bytes, type, flags, stream, payload);
    bool alive = http2_session_feed(server->session, buf_slice(&bytes));
    buf_deinit(&bytes);
    return alive;
}

#endif
