/*
 * A recording server session and nghttp2's client, connected in memory, with helpers for tests of
 * sessions.
 */
#ifndef KEYSTORE_TESTS_HTTP2_PAIR_H
#define KEYSTORE_TESTS_HTTP2_PAIR_H

#include "http2/frames.h"
#include "http2/recorder.h"
#include "support/ng_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Codes of RFC 9113, 7. */
enum {
    NO_ERROR = 0,
    PROTOCOL_ERROR = 1,
    FLOW_CONTROL_ERROR = 3,
    FRAME_SIZE_ERROR = 6,
    REFUSED_STREAM = 7,
    CANCEL = 8,
    COMPRESSION_ERROR = 9,
    ENHANCE_YOUR_CALM = 11,
};

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
    {SLICE_LITERAL(":status"), SLICE_LITERAL("200")},
};
static const struct http2_field pair_trailers[] = {
    {SLICE_LITERAL("x-done"), SLICE_LITERAL("yes")},
};

/* A server that records and a client, connected. */
struct pair {
    struct recorder *server;
    struct ng_client *client;
};

static inline struct pair pair_new(const struct http2_limits *limits,
                                   const struct ng_options *options)
{
    return (struct pair){recorder_new(limits), ng_client_new(options)};
}

/* The usual pair, past the exchange of SETTINGS. */
static inline struct pair pair_connected(void)
{
    struct pair pair = pair_new(&http2_default_limits, &(struct ng_options){.stream_window = 0});
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

/* Makes a request arrive; its stream is the newest of the server. */
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

/* Sends a complete answer: fields, a body, trailers; without a body, all fields together. */
static inline void pair_answer(struct http2_stream *stream, struct slice body)
{
    const struct http2_field both[] = {pair_status[0], pair_trailers[0]};
    if (body.len == 0) {
        http2_answer_without_body(stream, both, 2);
        return;
    }
    http2_answer_begin(stream, pair_status, 1, body.len);
    memcpy(chain_append(http2_answer_body(stream), body.len), body.data, body.len);
    http2_answer_end(stream, pair_trailers, 1);
}

/* Answers with the request's body. */
static inline void pair_answer_seen(struct seen *seen)
{
    pair_answer(seen->stream, buf_slice(&seen->body));
}

static inline void pair_assert_answered(const struct ng_stream *stream, struct slice body)
{
    assert_true(stream->ended);
    ng_assert_slice(buf_slice(&stream->headers),
                    body.len > 0 ? ":status: 200\n" : ":status: 200\nx-done: yes\n");
    assert_true(slice_equal(buf_slice(&stream->body), body));
    ng_assert_slice(buf_slice(&stream->trailers), body.len > 0 ? "x-done: yes\n" : "");
}

/* Bytes in which no two neighbouring parts are equal. */
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

/* All output of feeds and pulls, to be freed with buf_deinit(). */
static inline struct buf pair_pulled(struct recorder *server)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    recorder_pull(server, &out);
    return out;
}

static inline bool pair_feed_frame(struct recorder *server, unsigned type, unsigned flags,
                                   uint32_t stream, struct slice payload)
{
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    frames_append(&bytes, type, flags, stream, payload);
    bool alive = recorder_feed(server, buf_slice(&bytes));
    buf_deinit(&bytes);
    return alive;
}

/*
 * After a connection error there is a GOAWAY with the code and the connection ends: feed() returned
 * false, and finished() is true once the GOAWAY is pulled. More input is ignored.
 */
static inline void pair_assert_ended(struct recorder *server, bool alive, uint32_t code)
{
    assert_false(alive);
    struct buf out = pair_pulled(server);
    struct slice rest = buf_slice(&out);
    struct frame frame;
    assert_true(frames_find(&rest, FRAME_GOAWAY, &frame));
    assert_int_equal(frames_u32(frame.payload.data + 4), code);
    assert_int_equal(rest.len, 0); /* nothing comes after it */
    assert_true(http2_session_finished(server->session));
    size_t before = server->log.len;
    assert_false(recorder_feed(server, SLICE_LITERAL("whatever else may come")));
    assert_int_equal(server->log.len, before);
    buf_deinit(&out);
    out = pair_pulled(server);
    assert_int_equal(out.len, 0);
    buf_deinit(&out);
}

#endif
