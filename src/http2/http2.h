/*
 * The server's side of an HTTP/2 connection (RFC 9113): bytes in, stream events out; events in,
 * bytes out. No I/O. All calls and callbacks of a session belong to one thread.
 *
 * A stream begins with on_request and ends with on_close, always, also when the peer resets it or
 * the session is freed. In between the application answers it once: http2_respond(), bytes in
 * http2_body(), http2_finish(). Frames are queued and leave with http2_session_pull().
 */
#ifndef KEYSTORE_HTTP2_HTTP2_H
#define KEYSTORE_HTTP2_HTTP2_H

#include "base/buf.h"
#include "base/slice.h"

struct http2_session;
struct http2_stream;

struct http2_field {
    struct slice name; /* lower case */
    struct slice value;
    bool is_static; /* both outlive the session, so they need not be copied */
};

/* Limits; each says which abuse it stops. */
struct http2_settings {
    uint32_t max_streams;       /* open at once: stream exhaustion */
    uint32_t stream_window;     /* bytes a stream may send ahead of us */
    uint32_t connection_window; /* the same for all its streams together */
    size_t max_header_bytes;    /* name + value + 32 summed over a header block: HPACK bombs */
};

struct http2_handler {
    size_t stream_user_size; /* bytes per stream for the application: http2_stream_user() */
    /* The header block of a request; fields are valid during the callback. */
    void (*on_request)(void *user, struct http2_stream *stream, const struct http2_field *fields,
                       size_t count);
    /* Part of the request's body; valid until http2_session_feed() returns. */
    void (*on_data)(void *user, struct http2_stream *stream, struct slice data);
    /* The request is complete. */
    void (*on_end)(void *user, struct http2_stream *stream);
    /* The stream is gone; it must not be used after this. */
    void (*on_close)(void *user, struct http2_stream *stream);
};

/* `settings` is copied, `handler` borrowed for the session's life. */
struct http2_session *http2_session_new(const struct http2_settings *settings,
                                        const struct http2_handler *handler, void *user);

/* Closes all streams (on_close) and frees the session. NULL is allowed. */
void http2_session_free(struct http2_session *session);

/*
 * Takes all the bytes. False if the peer broke the protocol so that the connection must end: pull
 * what is left (a GOAWAY), write it and close.
 */
bool http2_session_feed(struct http2_session *session, struct slice bytes)
    __attribute__((warn_unused_result));

/* Appends queued frames to `out` until it holds `enough` bytes (or a frame more) or none is left.
 */
void http2_session_pull(struct http2_session *session, struct buf *out, size_t enough);

/* The most that one frame can add to a buffer beyond `enough`. */
#define HTTP2_MAX_FRAME ((size_t)16384 + 9)

/* Bytes of finished answers' bodies that wait to be pulled. */
size_t http2_session_queued(const struct http2_session *session);

/* True when nothing is left to be read or sent, so that the connection can be closed. */
bool http2_session_finished(const struct http2_session *session);

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

/* Answers with a header block; with `end` it is all there is. Fields are copied unless static. */
void http2_respond(struct http2_stream *stream, const struct http2_field *fields, size_t count,
                   bool end);

/* Where the answer's body is appended, between http2_respond() and http2_finish(). */
struct buf *http2_body(struct http2_stream *stream);

/* Ends the answer after its body with trailers. At most HTTP2_MAX_TRAILERS, copied. */
void http2_finish(struct http2_stream *stream, const struct http2_field *trailers, size_t count);

#define HTTP2_MAX_TRAILERS 4

/* After a complete answer: if the request is not complete yet, tells the peer to stop sending the
 * rest of it (RFC 9113, 8.1). */
void http2_refuse_rest(struct http2_stream *stream);

#endif
