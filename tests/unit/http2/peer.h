/*
 * A server session whose client is played by the test, frame by frame. The session's events are
 * recorded as text, such as "request 1;data 1 5;end 1;close 1;", and its output is kept as frames.
 * Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_PEER_H
#define KEYSTORE_TESTS_PEER_H

#include "http2/raw_frames.h"
#include "http2/session.h"

#include <stdio.h>
#include <stdlib.h>

#define PEER_FRAMES 4096
#define PEER_BEGIN  1000000 /* ms */

/* When the application answers by itself. */
enum peer_answer {
    PEER_LATER,            /* the test answers with peer_answer_stream() */
    PEER_ANSWERS_END,      /* with `answer_size` bytes */
    PEER_FAILS_REQUEST,    /* without a body, as soon as the request arrives */
    PEER_FAILS_DATA,       /* the same at its first DATA */
    PEER_ANSWERS_BLOB_END, /* `answer_size` bytes of which all but the first lie in `blob` */
};

struct peer {
    struct http2_limits limits; /* to be set before peer_open() */
    enum peer_answer answer;
    size_t answer_size;
    size_t expects; /* bytes of the body that are expected at its first DATA, if any */
    struct blob *blob;
    struct http2_context *context;
    struct http2_session *session;
    int64_t now_ms;
    bool alive;       /* what the last feed returned */
    bool blocked;     /* feeds get no chain, as while the socket is busy */
    struct buf in;    /* the input of the next feed */
    struct chain out; /* output of the latest feed and later pulls */
    struct buf flat;  /* the same, contiguous; `frames` point into it */
    struct frame frames[PEER_FRAMES];
    size_t frame_count;
    char events[8192];
    bool events_off; /* there are too many to be recorded */
};

static const struct http2_field peer_fields[] = {
    {SLICE_LITERAL(":status"), SLICE_LITERAL("200")},
    {SLICE_LITERAL("kind"), SLICE_LITERAL("answer")},
};
static const struct http2_field peer_trailers[] = {
    {SLICE_LITERAL("end"), SLICE_LITERAL("yes")},
};

static inline void peer_note(struct peer *peer, const char *event,
                             const struct http2_stream *stream, const char *more)
{
    size_t len = strlen(peer->events);
    if (peer->events_off)
        return;
    int added = snprintf(peer->events + len, sizeof peer->events - len, "%s %u%s;", event,
                         stream->id, more);
    assert_true(added > 0 && (size_t)added < sizeof peer->events - len);
}

/* The bytes of an answer, which identify their positions. */
static inline uint8_t peer_byte(uint32_t stream_id, size_t at)
{
    return (uint8_t)(stream_id * 31 + at * 7 + at / 256);
}

static inline void peer_answer_stream(struct peer *peer, uint32_t id, size_t size)
{
    struct http2_stream *stream = stream_find(peer->session, id);
    assert_non_null(stream);
    http2_answer_begin(stream, peer_fields, 2, size);
    for (size_t at = 0; at < size; at += 5000) {
        size_t len = size - at < 5000 ? size - at : 5000;
        uint8_t *out = chain_append(http2_answer_body(stream), len);
        for (size_t i = 0; i < len; i++)
            out[i] = peer_byte(id, at + i);
    }
    http2_answer_end(stream, peer_trailers, 1);
}

static inline void peer_answer_blob(struct peer *peer, struct http2_stream *stream)
{
    http2_answer_begin(stream, peer_fields, 2, peer->answer_size);
    *chain_append(http2_answer_body(stream), 1) = '!';
    chain_append_blob(http2_answer_body(stream), blob_retain(peer->blob),
                      slice_make(peer->blob->data, peer->answer_size - 1));
    http2_answer_end(stream, peer_trailers, 1);
}

static inline void peer_on_request(void *user, struct http2_stream *stream,
                                   const struct http2_request *request)
{
    struct peer *peer = user;
    assert_true(request->count > 0);
    *(uint32_t *)http2_stream_user(stream) = stream->id;
    peer_note(peer, "request", stream, "");
    if (peer->answer == PEER_FAILS_REQUEST)
        http2_answer_without_body(stream, peer_fields, 1);
}

static inline void peer_on_oversized(void *user, struct http2_stream *stream,
                                     const struct http2_request *request)
{
    struct peer *peer = user;
    char more[32];
    *(uint32_t *)http2_stream_user(stream) = stream->id;
    snprintf(more, sizeof more, " %zu", request->count);
    peer_note(peer, "oversized", stream, more);
    http2_answer_without_body(stream, peer_fields, 1);
}

static inline void peer_on_data(void *user, struct http2_stream *stream, struct slice data)
{
    struct peer *peer = user;
    char more[32];
    assert_true(data.len > 0);
    assert_int_equal(*(uint32_t *)http2_stream_user(stream), stream->id);
    snprintf(more, sizeof more, " %zu", data.len);
    peer_note(peer, "data", stream, more);
    if (peer->expects > 0)
        http2_request_expect(stream, peer->expects);
    peer->expects = 0;
    if (peer->answer == PEER_FAILS_DATA)
        http2_answer_without_body(stream, peer_fields, 1);
}

static inline void peer_on_end(void *user, struct http2_stream *stream)
{
    struct peer *peer = user;
    peer_note(peer, "end", stream, "");
    if (peer->answer == PEER_ANSWERS_END)
        peer_answer_stream(peer, stream->id, peer->answer_size);
    else if (peer->answer == PEER_ANSWERS_BLOB_END)
        peer_answer_blob(peer, stream);
}

static inline void peer_on_close(void *user, struct http2_stream *stream)
{
    peer_note(user, "close", stream, "");
}

static inline void peer_on_feed_end(void *user)
{
    (void)user;
}

static const struct http2_handler peer_handler = {
    .stream_user_size = sizeof(uint32_t),
    .on_request = peer_on_request,
    .on_oversized = peer_on_oversized,
    .on_data = peer_on_data,
    .on_end = peer_on_end,
    .on_close = peer_on_close,
    .on_feed_end = peer_on_feed_end,
};

/* Parses `out` into frames. */
static inline void peer_read(struct peer *peer)
{
    peer->flat.len = 0;
    peer->frame_count = 0;
    frames_flatten(&peer->out, &peer->flat);
    struct slice left = buf_slice(&peer->flat);
    while (left.len > 0) {
        assert_true(peer->frame_count < PEER_FRAMES);
        peer->frames[peer->frame_count++] = frames_next(&left);
    }
}

static inline void peer_forget(struct peer *peer)
{
    chain_clear(&peer->out, 0);
    peer->events[0] = '\0';
}

/* Feeds what was put into `in`; events and frames are then those of this feed. */
static inline void peer_feed(struct peer *peer)
{
    peer_forget(peer);
    peer->alive = http2_session_feed(peer->session, buf_slice(&peer->in),
                                     peer->blocked ? NULL : &peer->out, peer->now_ms);
    /* No pointers into bytes that were fed may be kept. */
    if (peer->in.len > 0)
        memset(peer->in.data, 0xdd, peer->in.len);
    buf_clear(&peer->in, 0);
    peer_read(peer);
}

/* Pulls once; frames are then those of this pull. */
static inline void peer_pull(struct peer *peer)
{
    chain_clear(&peer->out, 0);
    http2_session_pull(peer->session, &peer->out, peer->now_ms);
    peer_read(peer);
}

/* Opens the session with the limits set, and exchanges connection prefaces. */
static inline void peer_open(struct peer *peer)
{
    peer->context = http2_context_new(&peer->limits, &peer_handler);
    peer->session = http2_session_new(peer->context, peer, peer->now_ms);
    frames_put_bytes(&peer->in, SLICE_LITERAL(FRAMES_PREFACE));
    frames_put(&peer->in, FRAME_SETTINGS, 0, 0, slice_make(NULL, 0));
    frames_put(&peer->in, FRAME_SETTINGS, FRAME_ACK, 0, slice_make(NULL, 0));
    peer_feed(peer);
    assert_true(peer->alive);
}

/* A peer with the default limits, not opened yet. */
static inline int peer_setup(void **state)
{
    struct peer *peer = calloc(1, sizeof *peer);
    peer->limits = http2_default_limits;
    peer->now_ms = PEER_BEGIN;
    peer->answer_size = 5;
    buf_init(&peer->in, SIZE_MAX);
    buf_init(&peer->flat, SIZE_MAX);
    *state = peer;
    return 0;
}

static inline int peer_teardown(void **state)
{
    struct peer *peer = *state;
    http2_session_free(peer->session);
    http2_context_free(peer->context);
    chain_deinit(&peer->out);
    buf_deinit(&peer->in);
    buf_deinit(&peer->flat);
    free(peer);
    return 0;
}

/* Puts the HEADERS of a valid request. */
static inline void peer_put_request(struct peer *peer, uint32_t id, bool end)
{
    frames_put(&peer->in, FRAME_HEADERS, FRAME_END_HEADERS | (end ? FRAME_END_STREAM : 0u), id,
               SLICE_LITERAL(FRAMES_REQUEST));
}

static inline uint32_t peer_number(struct frame frame, size_t at)
{
    assert_true(frame.payload.len >= at + 4);
    return frame_read_u32(frame.payload.data + at);
}

/* The connection has ended with that error. */
static inline void assert_connection_error(const struct peer *peer, enum http2_error error)
{
    assert_false(peer->alive);
    assert_true(peer->frame_count > 0);
    struct frame last = peer->frames[peer->frame_count - 1];
    assert_int_equal(last.type, FRAME_GOAWAY);
    assert_int_equal(peer_number(last, 4), error);
    assert_true(last.payload.len > 8); /* with debug data */
    assert_int_not_equal(http2_session_closing(peer->session).kind, CLOSING_NONE);
}

/* The latest GOAWAY; NULL if there is none. */
static inline const struct frame *peer_goaway(const struct peer *peer)
{
    for (size_t i = peer->frame_count; i > 0; i--) {
        if (peer->frames[i - 1].type == FRAME_GOAWAY)
            return &peer->frames[i - 1];
    }
    return NULL;
}

/* The session drains because of a flood: requests in flight go on, up to that stream. */
static inline void assert_ends_gently(const struct peer *peer, uint32_t last_stream)
{
    const struct frame *goaway = peer_goaway(peer);
    assert_true(peer->alive);
    assert_non_null(goaway);
    assert_int_equal(peer_number(*goaway, 0), last_stream);
    assert_int_equal(peer_number(*goaway, 4), HTTP2_ENHANCE_YOUR_CALM);
    assert_true(goaway->payload.len > 8);
    assert_int_equal(http2_session_closing(peer->session).kind, CLOSING_FLOOD);
}

/* The connection goes on, and exactly one stream was reset, with that error. */
static inline void assert_stream_error(const struct peer *peer, uint32_t id, enum http2_error error)
{
    size_t resets = 0;
    assert_true(peer->alive);
    for (size_t i = 0; i < peer->frame_count; i++) {
        if (peer->frames[i].type != FRAME_RST_STREAM)
            continue;
        resets++;
        assert_int_equal(peer->frames[i].stream_id, id);
        assert_int_equal(peer_number(peer->frames[i], 0), error);
    }
    assert_int_equal(resets, 1);
}

/* The connection goes on, and nothing was sent. */
static inline void assert_silence(const struct peer *peer)
{
    assert_true(peer->alive);
    assert_int_equal(peer->frame_count, 0);
}

static inline void assert_events(const struct peer *peer, const char *events)
{
    assert_string_equal(peer->events, events);
}

/* A test whose peer it opens itself. */
#define PEER_TEST(function) cmocka_unit_test_setup_teardown(function, peer_setup, peer_teardown)

/* Puts a frame with a literal payload. */
#define PUT(peer, type, flags, id, bytes)                                                          \
    frames_put(&(peer)->in, type, flags, id, SLICE_LITERAL(bytes))

static inline void put_block(struct peer *peer, uint32_t id, unsigned flags,
                             const struct buf *block)
{
    frames_put(&peer->in, FRAME_HEADERS, FRAME_END_HEADERS | flags, id, buf_slice(block));
}

/* Puts a request with one more field. */
static inline void put_request_with(struct peer *peer, uint32_t id, unsigned flags,
                                    const char *name, const char *value)
{
    struct buf block;
    buf_init(&block, 1000);
    frames_put_bytes(&block, SLICE_LITERAL(FRAMES_REQUEST));
    frames_put_field(&block, name, value);
    put_block(peer, id, flags, &block);
    buf_deinit(&block);
}

#endif
