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
 *     read.
 *  6. A request and its answer allocate nothing, once the connection has seen a few.
 */
#ifndef KEYSTORE_HTTP2_HTTP2_H
#define KEYSTORE_HTTP2_HTTP2_H

#include "base/chain.h"
#include "base/closing.h"
#include "base/slice.h"

/* Bytes that a reply is asked for at a time: about what a stream holds ahead of the socket. */
#define HTTP2_REPLY_PAGE ((size_t)64 * 1024)

/* Pieces that http2_session_place() makes, at most. */
#define HTTP2_MAX_PIECES 33

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
    size_t max_header_bytes;     /* of a block, name + value + 32 summed: HPACK bombs. A request
                                    beyond it is refused alone */
    size_t max_block_bytes;      /* of a block as it arrives, and */
    size_t max_inflated_bytes;   /* as it is decoded, summed as above, only to keep the state of
                                    HPACK: a block beyond these ends the connection */
    uint32_t max_continuations;  /* CONTINUATION frames of a header block, but for those of half a
                                    frame and more, which max_block_bytes bounds: CONTINUATION
                                    flood */
    uint32_t max_settings;       /* entries of a SETTINGS frame: SETTINGS flood */
    uint32_t max_idle_frames;    /* frames without progress between two requests: floods of empty
                                    DATA, PRIORITY, SETTINGS, RST_STREAM of no request */
    uint32_t reset_burst;        /* resets that the peer forces: MadeYouReset (CVE-2025-8671); and
                                    requests that it cancels before we could answer, beyond one for
                                    each of max_streams: rapid reset (CVE-2023-44487). An answered
                                    request gives one back, */
    uint32_t resets_per_s;       /* and so does time. */
    int64_t patience_ms;         /* a complete request that has waited so long for its answer may be
                                    cancelled at no charge: we were slow. With max_streams at once
                                    that is no way around reset_burst */
    size_t max_output;           /* bytes of answers that are written ahead of the socket */
    size_t max_queued;           /* bytes of answers that wait for the peer's windows or to be
                                    pulled, beyond which new requests are refused (REFUSED_STREAM:
                                    safe to repeat) */
    size_t max_unsent_control;   /* bytes of acknowledgements and resets that wait to be pulled,
                                    beyond one reset for each of max_streams: PING and SETTINGS
                                    floods by a peer that does not read */
    int64_t greeting_timeout_ms; /* for preface and SETTINGS: half-open connections */
    int64_t header_timeout_ms;   /* for the rest of a header block: slowloris */
    int64_t stall_timeout_ms;    /* without any output taken while some waits: zero windows */
    int64_t goodbye_timeout_ms;  /* for requests to become complete after our GOAWAY for a flood */
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
    /* Instead of that, for a request with more than max_header_bytes: of its fields those are there
     * that fit. To be answered at once, without body. NULL: such a stream is reset. */
    void (*on_oversized)(void *user, struct http2_stream *stream,
                         const struct http2_request *request);
    /* Part of the request's body; valid until http2_session_feed() returns. */
    void (*on_data)(void *user, struct http2_stream *stream, struct slice data);
    /* Where the rest of the body shall lie, `size` bytes: then on_data may point there. NULL:
     * nowhere in particular. The memory lasts until the body is complete or the stream gone. May be
     * NULL. */
    uint8_t *(*place)(void *user, struct http2_stream *stream, size_t *size);
    /* The request is complete. Not called once it was answered. */
    void (*on_end)(void *user, struct http2_stream *stream);
    /*
     * A reply that is written incrementally (http2_reply_begin()) can take more: `room` bytes,
     * HTTP2_REPLY_PAGE or fewer, appended to `body`. What has to stay together may exceed that, and
     * waits for the peer's windows. It is asked again when all is sent; if nothing was appended,
     * after http2_reply_ready(). May call http2_reply_end(), and nothing else of the session's.
     * NULL if there are no such replies.
     */
    void (*on_room)(void *user, struct http2_stream *stream, struct chain *body, size_t room);
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

/* The streams of all its sessions that were reset, so far; any thread may ask. */
struct http2_refused {
    uint64_t turned_away; /* unseen (REFUSED_STREAM), as there were too many, or the server stops */
    uint64_t broken;      /* because their client broke a rule */
};
struct http2_refused http2_context_refused(const struct http2_context *context);

/* `now_ms`, here and below, is a monotonic clock's. */
struct http2_session *http2_session_new(struct http2_context *context, void *user, int64_t now_ms);

/* Closes all streams (on_close) and frees the session. NULL is allowed. */
void http2_session_free(struct http2_session *session);

/*
 * Takes all the bytes and appends what they call for to `out`; with NULL, while `out` is being
 * written, that waits for http2_session_pull(). False if the peer broke the protocol so that the
 * connection must end: write what is left (a GOAWAY that says why) and close.
 *
 * A peer that wears the server out without breaking a rule gets a GOAWAY, too, but its requests
 * under way are answered: the session goes on, takes nothing new, and is finished after that.
 */
bool http2_session_feed(struct http2_session *session, struct slice bytes, struct chain *out,
                        int64_t now_ms) __attribute__((warn_unused_result));

/*
 * Where the next bytes of the peer had best be read to, in up to HTTP2_MAX_PIECES pieces; returns
 * how many. 0: wherever the caller likes. If any bytes are read to there,
 * http2_session_feed_placed() takes them, with nothing done to any session of the context in
 * between.
 */
size_t http2_session_place(struct http2_session *session, struct iovec *pieces);

/* As http2_session_feed() with the first `size` bytes of those pieces. */
bool http2_session_feed_placed(struct http2_session *session, size_t size, struct chain *out,
                               int64_t now_ms) __attribute__((warn_unused_result));

/* Appends what waits to `out`, as much as windows and max_output allow. */
void http2_session_pull(struct http2_session *session, struct chain *out, int64_t now_ms);

/* Bytes that wait to be pulled, whether the peer's windows allow them or not. */
size_t http2_session_queued(const struct http2_session *session);

/* True when nothing is left to be read or sent, so that the connection can be closed. */
bool http2_session_finished(const struct http2_session *session);

/* Why the connection must end now because of a timeout; CLOSING_NONE if it need not. */
struct closing http2_session_expired(const struct http2_session *session, int64_t now_ms);

/* Ends the connection for that reason: write what is left (a GOAWAY that says why) and close. */
void http2_session_end(struct http2_session *session, struct closing why);

/* Why the session has ended the connection, or is about to; CLOSING_NONE as long as it has not. */
struct closing http2_session_closing(const struct http2_session *session);

/* Bytes of answers' bodies that have gone to the output so far. */
uint64_t http2_session_sent(const struct http2_session *session);

/* Calls `visit` for every open stream, which must not open or close any; ends when that returns
 * false, and returns false then. */
bool http2_session_visit(const struct http2_session *session,
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
 * An answer with a body of exactly `size` bytes (not 0) and trailers: begin, then the body,
 * appended to the chain, then end, all at once. The stream must not be used after the end. Fields
 * that repeat from answer to answer must lie in the same memory each time, outliving the session:
 * those are kept in the peer's HPACK table and cost a byte.
 */
void http2_answer_begin(struct http2_stream *stream, const struct http2_field *fields, size_t count,
                        size_t size);
/* Where the body is appended, until the end. */
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

/* There is something to write again: on_room() will be asked, though not within this call. */
void http2_reply_ready(struct http2_stream *stream);

/*
 * The reply is complete, and these trailers, which must last until on_close, follow what was
 * appended. A request that goes on is not wanted any more. Unless it is called within on_room(),
 * the stream must not be used after this.
 */
void http2_reply_end(struct http2_stream *stream, const struct http2_field *trailers, size_t count);

/* Whether the peer gets back the window that its request's body has taken; it does at first.
 * Holding it back stops the peer within stream_window bytes. */
void http2_request_hold(struct http2_stream *stream, bool hold);

/* Tells the peer to go on with the body of its request (100 Continue), if that is not complete. */
void http2_answer_continue(struct http2_stream *stream);

/*
 * An answer of header fields alone, which may lie anywhere. If the request is not complete yet, the
 * peer is told not to send the rest of it. The stream must not be used after this.
 */
void http2_answer_without_body(struct http2_stream *stream, const struct http2_field *fields,
                               size_t count);

#endif
