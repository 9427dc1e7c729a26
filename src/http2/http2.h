/*
 * The server's side of HTTP/2 connections (RFC 9113): bytes in, stream events out; events in, bytes
 * out. No I/O, no clock. A context and its sessions belong to one thread.
 *
 * Invariants, which the tests hold it to:
 *  1. A request begins with on_request and ends with one on_close, whatever happens in between.
 *  2. Events depend on the bytes only, not on how they are cut into feeds.
 *  3. No DATA leaves beyond the peer's windows or its SETTINGS; a peer that goes beyond ours is
 *     refused.
 *  4. A peer's mistake costs it the stream or the connection, as RFC 9113 says, and nobody else
 *     anything. No assertion depends on what a peer sends.
 *  5. Memory per connection is bounded by the limits below, whatever the peer sends or does not
 * read.
 *  6. A request and its answer allocate nothing, once the connection has seen a few.
 */
#ifndef KEYSTORE_HTTP2_HTTP2_H
#define KEYSTORE_HTTP2_HTTP2_H

#include "base/chain.h"
#include "base/slice.h"

struct http2_context;
struct http2_session;
struct http2_stream;

struct http2_field {
    struct slice name; /* lower case */
    struct slice value;
};

/* Limits; each says which abuse it stops. */
struct http2_limits {
    uint32_t max_streams;        /* open at once per connection: stream exhaustion */
    uint32_t stream_window;      /* bytes a stream may send ahead of us, at least 65535 */
    uint32_t connection_window;  /* the same for a connection, at least 65535 */
    size_t max_header_bytes;     /* of a block, name + value + 32 summed: HPACK bombs */
    uint32_t max_continuations;  /* CONTINUATION frames of a header block: CONTINUATION flood */
    uint32_t max_settings;       /* entries of a SETTINGS frame: SETTINGS flood */
    uint32_t max_idle_frames;    /* frames without progress between two requests: floods of empty
                                    DATA, PRIORITY, SETTINGS, late RST_STREAM */
    uint32_t reset_burst;        /* resets, by the peer or forced by it, of requests that were not
                                    answered: rapid reset (CVE-2023-44487), MadeYouReset
                                    (CVE-2025-8671). An answered request gives one back, */
    uint32_t resets_per_s;       /* and so does time. */
    size_t max_output;           /* bytes of answers that are written ahead of the socket */
    size_t max_queued;           /* bytes of answers that wait for the peer's windows or to be
                                    pulled, beyond which new requests are refused (REFUSED_STREAM:
                                    safe to repeat) */
    size_t max_unsent_control;   /* bytes of acknowledgements that wait to be pulled: PING and
                                    SETTINGS floods by a peer that does not read */
    int64_t greeting_timeout_ms; /* for preface and SETTINGS: half-open connections */
    int64_t header_timeout_ms;   /* for the rest of a header block: slowloris */
    int64_t stall_timeout_ms;    /* without any output taken while some waits: zero windows */
};

/* The limits of a server for trusted or authenticated peers. */
extern const struct http2_limits http2_default_limits;

/* The header block of a request; valid during the callback. */
struct http2_request {
    const struct http2_field
        *fields; /* pseudo-header fields first; checked as RFC 9113, 8.3 asks */
    size_t count;
    uint32_t block_id; /* not 0: the same fields as before under that id in this session */
};

struct http2_handler {
    size_t stream_user_size; /* bytes per stream for the application: http2_stream_user() */
    void (*on_request)(void *user, struct http2_stream *stream,
                       const struct http2_request *request);
    /* Part of the request's body; valid until http2_session_feed() returns. */
    void (*on_data)(void *user, struct http2_stream *stream, struct slice data);
    /* The request is complete. Not called once it was answered. */
    void (*on_end)(void *user, struct http2_stream *stream);
    /* The stream is gone; it must not be used after this. */
    void (*on_close)(void *user, struct http2_stream *stream);
    /* All bytes of a feed are handled: the last chance for answers to leave with it. */
    void (*on_feed_end)(void *user);
};

/* What the sessions of a thread share: limits, handler, streams for reuse. Both are borrowed. */
struct http2_context *http2_context_new(const struct http2_limits *limits,
                                        const struct http2_handler *handler);

/* All its sessions are freed. NULL is allowed. */
void http2_context_free(struct http2_context *context);

/* `now_ms`, here and below, is a monotonic clock's. */
struct http2_session *http2_session_new(struct http2_context *context, void *user, int64_t now_ms);

/* Closes all streams (on_close) and frees the session. NULL is allowed. */
void http2_session_free(struct http2_session *session);

/*
 * Takes all the bytes and appends what they call for to `out`; with NULL, while `out` is being
 * written, that waits for http2_session_pull(). False if the peer broke the protocol so that the
 * connection must end: write what is left (a GOAWAY) and close.
 */
bool http2_session_feed(struct http2_session *session, struct slice bytes, struct chain *out,
                        int64_t now_ms) __attribute__((warn_unused_result));

/* Appends what waits to `out`, as much as windows and max_output allow. */
void http2_session_pull(struct http2_session *session, struct chain *out, int64_t now_ms);

/* Bytes that wait to be pulled, whether the peer's windows allow them or not. */
size_t http2_session_queued(const struct http2_session *session);

/* True when nothing is left to be read or sent, so that the connection can be closed. */
bool http2_session_finished(const struct http2_session *session);

/* Why the connection must be closed now because of a timeout; NULL if it need not. */
const char *http2_session_expired(const struct http2_session *session, int64_t now_ms);

/* Bytes of answers' bodies that have gone to the output so far. */
uint64_t http2_session_sent(const struct http2_session *session);

/* Calls `visit` for every open stream, which must not open or close any; ends when that returns
 * false. */
void http2_session_visit(struct http2_session *session,
                         bool (*visit)(void *argument, struct http2_stream *stream),
                         void *argument);

/* How many streams are open, and the highest id that the peer has used. */
uint32_t http2_session_open_streams(const struct http2_session *session, uint32_t *last_stream);

/*
 * Begins the two-step shutdown (RFC 9113, 6.8): a GOAWAY that names no stream, and once a PING
 * shows that the peer has seen it, one that names the last stream taken. Streams under way go on.
 * Called again, it does not wait for the PING any longer.
 */
void http2_session_drain(struct http2_session *session);

/* The application's memory in the stream, zeroed when it begins. */
void *http2_stream_user(struct http2_stream *stream);

/* The stream whose http2_stream_user() that is. */
struct http2_stream *http2_stream_from_user(void *user);

/*
 * An answer with a body of exactly `size` bytes (not 0) and trailers: begin, then the body in any
 * number of pieces, then end, all at once. The stream must not be used after the end. Fields that
 * repeat from answer to answer must lie in the same memory each time, outliving the session: those
 * are kept in the peer's HPACK table and cost a byte.
 */
void http2_answer_begin(struct http2_stream *stream, const struct http2_field *fields, size_t count,
                        size_t size);
/* The next `size` bytes of the body, to be written before the next call. */
uint8_t *http2_answer_bytes(struct http2_stream *stream, size_t size);
/* A part of a blob as the next piece of the body; takes over one reference. */
void http2_answer_blob(struct http2_stream *stream, struct blob *blob, struct slice part);
void http2_answer_end(struct http2_stream *stream, const struct http2_field *trailers,
                      size_t count);

/*
 * An answer of header fields alone, which may lie anywhere. If the request is not complete yet, the
 * peer is told not to send the rest of it. The stream must not be used after this.
 */
void http2_answer_without_body(struct http2_stream *stream, const struct http2_field *fields,
                               size_t count);

#endif
