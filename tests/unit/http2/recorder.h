/*
 * An application that records a session's events, for tests: per stream, and as one log in which
 * consecutive pieces of a body are joined.
 */
#ifndef KEYSTORE_TESTS_HTTP2_RECORDER_H
#define KEYSTORE_TESTS_HTTP2_RECORDER_H

#include "base/mem.h"
#include "http2/http2.h"
#include "support/ng_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define RECORDER_STREAMS 2048
#define RECORDER_PIECES  4096 /* of bodies in one feed */

/* The record of a stream, kept after it is closed. */
struct seen {
    struct http2_stream *stream; /* NULL once it is closed */
    struct buf fields;           /* as "name: value\n" */
    struct buf body;
    unsigned ends;
    unsigned closes;
};

/* A piece of a body that must stay valid until the end of the feed. */
struct recorder_piece {
    struct slice data;
    const struct seen *seen;
    size_t at; /* in its body */
};

struct recorder {
    struct http2_context *context;
    struct http2_session *session;
    struct http2_handler handler;
    struct ng_peer peer;
    int64_t now_ms;   /* `now_ms` of calls to the session */
    struct chain out; /* the output of feeds */
    bool writing;     /* feeds get no chain, as while the socket is busy */
    size_t feeds;
    size_t feed_ends;
    struct recorder_piece pieces[RECORDER_PIECES]; /* of the current feed */
    size_t piece_count;
    struct seen seen[RECORDER_STREAMS]; /* in the order of their requests */
    size_t count;
    size_t open;
    size_t peak_open;
    struct buf log;
    size_t data_of; /* the stream whose data the log ends with; RECORDER_STREAMS: none */
    /* Additional actions; may be NULL. */
    void (*on_request)(struct seen *seen);
    void (*on_data)(struct seen *seen);
    void (*on_end)(struct seen *seen);
    void (*on_close)(struct seen *seen);
    void (*on_feed_end)(struct recorder *recorder);
};

/* The application's memory in a stream. */
struct recorder_user {
    size_t index;
    uint8_t filler[64]; /* must be zero when the stream opens, even if its memory is reused */
};

static inline void recorder_log(struct recorder *recorder, const char *event, size_t index)
{
    char line[64];
    snprintf(line, sizeof line, "\n%s %zu ", event, index);
    ng_client_append(&recorder->log, slice_from_string(line));
    recorder->data_of = RECORDER_STREAMS;
}

static inline struct seen *recorder_seen(struct recorder *recorder, struct http2_stream *stream)
{
    const struct recorder_user *user = http2_stream_user(stream);
    assert_ptr_equal(http2_stream_from_user((void *)(uintptr_t)user), stream);
    assert_true(user->index < recorder->count);
    assert_ptr_equal(recorder->seen[user->index].stream, stream);
    return &recorder->seen[user->index];
}

static inline void recorder_on_request(void *user, struct http2_stream *stream,
                                       const struct http2_request *request)
{
    static const struct recorder_user zero;
    struct recorder *recorder = user;
    struct recorder_user *own = http2_stream_user(stream);
    assert_memory_equal(own, &zero, sizeof zero);
    assert_true(recorder->count < RECORDER_STREAMS);
    memset(own->filler, 0xff, sizeof own->filler);
    own->index = recorder->count++;
    struct seen *seen = &recorder->seen[own->index];
    seen->stream = stream;
    buf_init(&seen->fields, SIZE_MAX);
    buf_init(&seen->body, SIZE_MAX);
    for (size_t i = 0; i < request->count; i++) {
        ng_client_append(&seen->fields, request->fields[i].name);
        ng_client_append(&seen->fields, SLICE_LITERAL(": "));
        ng_client_append(&seen->fields, request->fields[i].value);
        ng_client_append(&seen->fields, SLICE_LITERAL("\n"));
    }
    recorder_log(recorder, "request", own->index);
    ng_client_append(&recorder->log, buf_slice(&seen->fields));
    if (++recorder->open > recorder->peak_open)
        recorder->peak_open = recorder->open;
    if (recorder->on_request != NULL)
        recorder->on_request(seen);
}

static inline void recorder_on_data(void *user, struct http2_stream *stream, struct slice data)
{
    struct recorder *recorder = user;
    struct seen *seen = recorder_seen(recorder, stream);
    size_t index = (size_t)(seen - recorder->seen);
    assert_int_equal(seen->ends, 0);
    if (recorder->piece_count < RECORDER_PIECES)
        recorder->pieces[recorder->piece_count++] =
            (struct recorder_piece){.data = data, .seen = seen, .at = seen->body.len};
    ng_client_append(&seen->body, data);
    if (data.len > 0 && recorder->data_of != index) {
        recorder_log(recorder, "data", index);
        recorder->data_of = index;
    }
    ng_client_append(&recorder->log, data);
    if (recorder->on_data != NULL)
        recorder->on_data(seen);
}

static inline void recorder_on_end(void *user, struct http2_stream *stream)
{
    struct recorder *recorder = user;
    struct seen *seen = recorder_seen(recorder, stream);
    assert_int_equal(seen->ends, 0);
    seen->ends++;
    recorder_log(recorder, "end", (size_t)(seen - recorder->seen));
    if (recorder->on_end != NULL)
        recorder->on_end(seen);
}

static inline void recorder_on_close(void *user, struct http2_stream *stream)
{
    struct recorder *recorder = user;
    struct seen *seen = recorder_seen(recorder, stream);
    if (recorder->on_close != NULL)
        recorder->on_close(seen);
    seen->closes++;
    seen->stream = NULL;
    recorder->open--;
    recorder_log(recorder, "close", (size_t)(seen - recorder->seen));
}

/* Every piece of a body is still valid, even if its stream is closed. */
static inline void recorder_on_feed_end(void *user)
{
    struct recorder *recorder = user;
    for (size_t i = 0; i < recorder->piece_count; i++) {
        const struct recorder_piece *piece = &recorder->pieces[i];
        if (piece->data.len > 0)
            assert_memory_equal(piece->data.data, piece->seen->body.data + piece->at,
                                piece->data.len);
    }
    recorder->piece_count = 0;
    recorder->feed_ends++;
    if (recorder->on_feed_end != NULL)
        recorder->on_feed_end(recorder);
}

static inline bool recorder_feed(void *server, struct slice bytes)
{
    struct recorder *recorder = server;
    recorder->feeds++;
    return http2_session_feed(recorder->session, bytes, recorder->writing ? NULL : &recorder->out,
                              recorder->now_ms);
}

static inline void recorder_pull(void *server, struct buf *out)
{
    struct recorder *recorder = server;
    http2_session_pull(recorder->session, &recorder->out, recorder->now_ms);
    ng_client_flatten(&recorder->out, out);
}

static inline struct recorder *recorder_new(const struct http2_limits *limits)
{
    struct recorder *recorder = mem_alloc_zero(sizeof *recorder);
    recorder->handler = (struct http2_handler){.stream_user_size = sizeof(struct recorder_user),
                                               .on_request = recorder_on_request,
                                               .on_data = recorder_on_data,
                                               .on_end = recorder_on_end,
                                               .on_close = recorder_on_close,
                                               .on_feed_end = recorder_on_feed_end};
    recorder->now_ms = 1000000;
    recorder->context = http2_context_new(limits, &recorder->handler);
    recorder->session = http2_session_new(recorder->context, recorder, recorder->now_ms);
    recorder->peer = (struct ng_peer){recorder, recorder_feed, recorder_pull};
    buf_init(&recorder->log, SIZE_MAX);
    recorder->data_of = RECORDER_STREAMS;
    return recorder;
}

/* Frees the session; each stream must have been closed exactly once by then. */
static inline void recorder_free(struct recorder *recorder)
{
    http2_session_free(recorder->session);
    http2_context_free(recorder->context);
    for (size_t i = 0; i < recorder->count; i++) {
        assert_int_equal(recorder->seen[i].closes, 1);
        buf_deinit(&recorder->seen[i].fields);
        buf_deinit(&recorder->seen[i].body);
    }
    buf_deinit(&recorder->log);
    chain_deinit(&recorder->out);
    free(recorder);
}

#endif
