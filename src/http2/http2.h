/*
 * The server side of HTTP/2 connections (RFC 9113): bytes in, stream events out; answers in, bytes
 * out. No I/O, no clock. A context and its sessions belong to one thread.
 *
 * Invariants, which the tests check:
 *  1. Each request has one on_request and, last, one on_close, whatever happens in between.
 *  2. Events depend on the bytes only, not on how they are split into feeds.
 *  3. No DATA is sent beyond the peer's flow-control windows and SETTINGS; a peer that exceeds ours
 *     gets FLOW_CONTROL_ERROR.
 *  4. A protocol violation is a stream error or a connection error, as RFC 9113 says, and affects
 *     no other connection. No assertion depends on what a peer sends.
 *  5. The limits below bound the memory of a connection, whatever the peer sends or does not read.
 *  6. In steady state a request and its answer allocate nothing.
 */
#ifndef KEYSTORE_HTTP2_HTTP2_H
#define KEYSTORE_HTTP2_HTTP2_H

#include "base/chain.h"
#include "base/closing.h"
#include "base/slice.h"

/* The most bytes requested from a reply at a time: about what a stream buffers ahead of the socket.
 */
#define HTTP2_REPLY_PAGE ((size_t)64 * 1024)

/* The most pieces that http2_session_place() returns. */
#define HTTP2_MAX_PIECES 34

struct http2_context;
struct http2_session;
struct http2_stream;

struct http2_field {
    struct slice name; /* lower case */
    struct slice value;
};

/* Limits; each comment names the abuse that it stops. */
struct http2_limits {
    uint32_t max_streams;       /* concurrent, per connection: stream exhaustion */
    uint32_t stream_window;     /* flow-control window of a stream, in bytes, at least 65535 */
    uint32_t connection_window; /* flow-control window of a connection, in bytes, at least 65535 */
    size_t max_header_bytes;    /* of a header block, the sum of name + value + 32: HPACK bombs. A
                                   larger request is refused; the connection goes on */
    size_t max_block_bytes;     /* of a header block as it arrives, and */
    size_t max_inflated_bytes;  /* decoded, summed as above, to keep the HPACK state: a block beyond
                                   either ends the connection */
    uint32_t max_continuations; /* CONTINUATION frames of a header block, not counting those of at
                                   least half the maximum frame size, which max_block_bytes bounds:
                                   CONTINUATION flood */
    uint32_t max_settings;      /* entries of a SETTINGS frame: SETTINGS flood */
    uint32_t max_idle_frames;   /* frames without progress between two requests: floods of empty
                                   DATA, PRIORITY, SETTINGS, RST_STREAM for no request */
    uint32_t reset_burst;       /* stream errors that the peer provokes: MadeYouReset
                                   (CVE-2025-8671); and requests that it cancels before they could
                                   be answered, in addition to max_streams: rapid reset
                                   (CVE-2023-44487). An answered request returns one token, */
    uint32_t resets_per_s;      /* and so does the passing of time */
    int64_t cancel_grace_ms;    /* a complete request that has waited this long for its answer may
                                   be cancelled free of charge. max_streams bounds how many can, so
                                   this does not bypass reset_burst */
    size_t max_output;          /* bytes of output copied ahead of the socket */
    size_t max_referenced;      /* bytes of blobs in that output, which take no memory of their own:
                                   the more in a write, the less often the peer has to be woken */
    size_t max_queued;          /* bytes of answers blocked by flow control or waiting to be pulled,
                                   beyond which new requests are refused (REFUSED_STREAM: safe to
                                   retry) */
    size_t max_unsent_control;  /* bytes of acknowledgements and resets waiting to be pulled, in
                                   addition to one reset for each of max_streams: PING and SETTINGS
                                   floods by a peer that does not read */
    int64_t handshake_timeout_ms; /* for the connection preface and SETTINGS: half-open
                                     connections */
    int64_t header_timeout_ms;    /* for the rest of a header block: slowloris */
    int64_t stall_timeout_ms;     /* without output being taken while some is pending: zero
                                     windows */
    int64_t goaway_timeout_ms;    /* for requests to become complete after a GOAWAY for a flood */
    int64_t keepalive_time_ms; /* without a byte from the peer, after which it is sent a PING (0 =
                                     never), and */
    int64_t keepalive_timeout_ms; /* for any byte to come after that: peers that are gone */
    int64_t
        min_ping_interval_ms; /* between PINGs of the peer, unless it was sent HEADERS or DATA in
                                     between; the third that comes too early ends the connection
                                     (gRFC A8). 0 = any: PINGs that wake both sides for nothing */
};

/* The defaults, for trusted or authenticated peers. */
extern const struct http2_limits http2_default_limits;

/* The header block of a request; valid during the callback. */
struct http2_request {
    const struct http2_field
        *fields; /* pseudo-header fields first; validated as RFC 9113, 8.3 requires */
    size_t count;
    uint32_t block_id; /* if not 0: the same fields as earlier requests of this session with that
                          id */
};

struct http2_handler {
    size_t stream_user_size; /* bytes of application memory per stream: http2_stream_user() */
    void (*on_request)(void *user, struct http2_stream *stream,
                       const struct http2_request *request);
    /* Called instead of on_request for a request with more than max_header_bytes; it has the fields
     * that fit. Must be answered immediately, without a body. NULL: the stream is reset. */
    void (*on_oversized)(void *user, struct http2_stream *stream,
                         const struct http2_request *request);
    /* Part of the request's body; valid until http2_session_feed() returns. */
    void (*on_data)(void *user, struct http2_stream *stream, struct slice data);
    /* Returns where the rest of the body, `size` bytes, should be stored: on_data may then point
     * there. Returns NULL for no preference. The memory must last until the body is complete or the
     * stream is closed. The callback may be NULL. */
    uint8_t *(*place)(void *user, struct http2_stream *stream, size_t *size);
    /* The request is complete. Not called after it has been answered. */
    void (*on_end)(void *user, struct http2_stream *stream);
    /*
     * An incremental reply (http2_reply_begin()) can take more: append `room` bytes, at most
     * HTTP2_REPLY_PAGE, to `body`. Bytes that must stay together may exceed that, and wait for the
     * peer's flow-control windows. Called again when all is sent or, if nothing was appended, after
     * http2_reply_ready(). May call http2_reply_end(), but no other function of the session. NULL
     * if there are no such replies.
     */
    void (*on_room)(void *user, struct http2_stream *stream, struct chain *body, size_t room);
    /* The stream is closed; it must not be used after this. */
    void (*on_close)(void *user, struct http2_stream *stream);
    /* All bytes of a feed have been handled: answers given now still leave with it. */
    void (*on_feed_end)(void *user);
};

/* What the sessions of a thread share: limits, handler, a pool of streams. `limits` is copied,
 * `handler` borrowed. */
struct http2_context *http2_context_new(const struct http2_limits *limits,
                                        const struct http2_handler *handler);

/* All its sessions must have been freed. NULL is allowed. */
void http2_context_free(struct http2_context *context);

/* Replaces the limits, of which only times may have changed; they are in effect for sessions that
 * exist, too. */
void http2_context_set_limits(struct http2_context *context, const struct http2_limits *limits);

/* Streams reset so far in all sessions of the context; callable from any thread. */
struct http2_reset_counts {
    uint64_t refused;       /* REFUSED_STREAM, before processing: too many streams, or the server is
                               stopping */
    uint64_t stream_errors; /* because the client violated the protocol */
};
struct http2_reset_counts http2_context_reset_counts(const struct http2_context *context);

/* `now_ms`, here and below, is monotonic. */
struct http2_session *http2_session_new(struct http2_context *context, void *user, int64_t now_ms);

/* Closes all streams (on_close) and frees the session. NULL is allowed. */
void http2_session_free(struct http2_session *session);

/*
 * Processes all the bytes and appends the output to `out`; with NULL, because earlier output is
 * still being written, it is kept for http2_session_pull(). False after a connection error: pull
 * and write the pending output (a GOAWAY with the error message as debug data), then close.
 *
 * A peer that floods the server without violating the protocol gets a GOAWAY, too, but the
 * connection is drained: requests in flight are answered, new ones are ignored, and then the
 * session is finished.
 */
bool http2_session_feed(struct http2_session *session, struct slice bytes, struct chain *out,
                        int64_t now_ms) __attribute__((warn_unused_result));

/*
 * Suggests where to read the peer's next bytes to, in up to HTTP2_MAX_PIECES pieces; returns their
 * number, or 0 for no preference. Bytes read there must be passed to http2_session_feed_placed()
 * before any other call on a session of the context.
 */
size_t http2_session_place(struct http2_session *session, struct iovec *pieces);

/* As http2_session_feed(), with the first `size` bytes of those pieces. */
bool http2_session_feed_placed(struct http2_session *session, size_t size, struct chain *out,
                               int64_t now_ms) __attribute__((warn_unused_result));

/* Appends pending output to `out`, as far as the windows and the limits of output allow. */
void http2_session_pull(struct http2_session *session, struct chain *out, int64_t now_ms);

/* Bytes waiting to be pulled, whether or not the peer's windows allow them. Not 0 if a pull may
 * bring more because the last one has reached max_output. */
size_t http2_session_queued(const struct http2_session *session);

/* Of these, the bytes that wait for the peer as a whole: without those of incremental replies whose
 * own window is used up, for which only the reader of that stream is slow. */
size_t http2_session_owed(const struct http2_session *session);

/* True when nothing is left to be read or sent: the connection can be closed. */
bool http2_session_finished(const struct http2_session *session);

/* To be called once a second: sends a PING to a peer that has been silent (keepalive_time_ms), and
 * takes the second step of a drain whose PING is not acknowledged. There may be output to pull. */
void http2_session_check(struct http2_session *session, int64_t now_ms);

/* The timeout because of which the connection must end now; CLOSING_NONE if there is none. */
struct closing http2_session_expired(const struct http2_session *session, int64_t now_ms);

/* Ends the connection for that reason: pull and write the pending output (a GOAWAY with the reason
 * as debug data), then close. */
void http2_session_end(struct http2_session *session, struct closing why);

/* Why the session has ended the connection, is about to, or drains it; CLOSING_NONE if neither. */
struct closing http2_session_closing(const struct http2_session *session);

/* Bytes of answer bodies written to the output so far. */
uint64_t http2_session_sent(const struct http2_session *session);

/* Calls `visit`, which must not open or close streams, for every open stream until it returns
 * false; returns false in that case. */
bool http2_session_visit(const struct http2_session *session,
                         bool (*visit)(void *argument, struct http2_stream *stream),
                         void *argument);

/* The number of open streams; *last_stream is the highest stream id that the peer has used. */
uint32_t http2_session_open_streams(const struct http2_session *session, uint32_t *last_stream);

/*
 * Starts the two-step graceful shutdown (RFC 9113, 6.8): a GOAWAY with the highest possible stream
 * id, and once the peer has acknowledged a PING, a GOAWAY with the last stream processed. Open
 * streams go on. A second call takes the second step without waiting for the PING, which is waited
 * for at most 5 seconds if http2_session_check() is called.
 *
 * `why` is what the GOAWAYs say; the kind of the first call is that of http2_session_closing(), and
 * may be CLOSING_NONE.
 */
void http2_session_drain(struct http2_session *session, struct closing why);

/* The application's memory in the stream, zeroed when the stream is opened. */
void *http2_stream_user(struct http2_stream *stream);

/* The inverse of http2_stream_user(). */
struct http2_stream *http2_stream_from_user(void *user);

/*
 * An answer with a body of exactly `size` bytes (not 0) and trailers: begin, append the body to the
 * chain, end, with no other call in between. The stream must not be used after the end. `fields`
 * and `trailers` must outlive the session at the same addresses: fields are recognised by address,
 * kept in the peer's dynamic table, and cost one byte when they repeat.
 */
void http2_answer_begin(struct http2_stream *stream, const struct http2_field *fields, size_t count,
                        size_t size);
/* The chain to append the body to, valid until http2_answer_end(). */
struct chain *http2_answer_body(struct http2_stream *stream);
void http2_answer_end(struct http2_stream *stream, const struct http2_field *trailers,
                      size_t count);

/*
 * A reply of any length that is written incrementally, as fast as the peer takes it: sends the
 * header fields, which must last as those of http2_answer_begin(), and has on_room() asked for the
 * body as the windows allow. The request may go on meanwhile.
 *
 * No more than a page, or what has to stay together, waits in the stream: a peer that does not read
 * costs that, however much the application has for it.
 */
void http2_reply_begin(struct http2_stream *stream, const struct http2_field *fields, size_t count);

/* The application has output again: on_room() will be called, but not within this call. */
void http2_reply_ready(struct http2_stream *stream);

/*
 * The reply is complete, and these trailers, which must last until on_close, follow what was
 * appended. A request that goes on is not wanted any more. Unless it is called within on_room(),
 * the stream must not be used after this.
 */
void http2_reply_end(struct http2_stream *stream, const struct http2_field *trailers, size_t count);

/* Ends the reply with these trailers now, instead of those that http2_reply_end() may have set, and
 * without what was appended and not sent. Not within on_room(). The stream must not be used after
 * this. */
void http2_reply_abort(struct http2_stream *stream, const struct http2_field *trailers,
                       size_t count);

/* Bytes of an incremental reply that wait because the stream's own window is used up, 1 if they are
 * still the application's (http2_reply_ready()), 0 if there are none; *taken is how many of its
 * bytes were sent so far. */
size_t http2_stream_parked(const struct http2_stream *stream, uint64_t *taken);

/* With `hold`, no WINDOW_UPDATE is sent for the request's body, which stops the peer within
 * stream_window bytes (backpressure). Initially WINDOW_UPDATE is sent. */
void http2_request_hold(struct http2_stream *stream, bool hold);

/* The application has memory for the next `size` bytes of the request's body: the stream's window
 * is opened for all of them at once, and WINDOW_UPDATE is not sent again until they have arrived.
 * To be called within on_data(). */
void http2_request_expect(struct http2_stream *stream, size_t size);

/* Sends 100 Continue, unless the request is complete. */
void http2_answer_continue(struct http2_stream *stream);

/*
 * An answer of header fields only, which are copied. If the request is not complete yet, RST_STREAM
 * with NO_ERROR asks the peer not to send the rest. The stream must not be used after this.
 */
void http2_answer_without_body(struct http2_stream *stream, const struct http2_field *fields,
                               size_t count);

#endif
