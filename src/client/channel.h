/*
 * One HTTP/2 connection to one server, opened when a call needs it, with one unary call at a time
 * and any number of streams (client/streaming.h). Blocking; for one thread at a time.
 */
#ifndef KEYSTORE_CLIENT_CHANNEL_H
#define KEYSTORE_CLIENT_CHANNEL_H

#include "client/call.h"
#include "client/target.h"

struct channel;
struct tls;

struct channel_limits {
    int64_t connect_timeout_ms; /* positive */
    int64_t call_timeout_ms;    /* positive, or INT64_MAX for none */
    size_t max_message;         /* bytes of an answer's message */
    int cancel_fd;   /* calls end with KEYSTORE_CANCELLED when it is readable; -1 = none */
    struct tls *tls; /* the channel's from then on; NULL = plaintext */
};

/* A call in progress and its HTTP/2 stream. It must not be moved while it is attached. */
struct channel_stream {
    struct channel_stream *next, **link; /* of the channel's; link is NULL: detached */
    int32_t id;
    struct call call;
    bool ended;          /* the answer is complete */
    bool refused;        /* the answer was refused; call.error says why */
    bool closed;         /* the stream ended before the answer was complete */
    bool lost;           /* the connection was lost before; call.error says why */
    uint32_t close_code; /* the HTTP/2 error code of that */
    size_t unread;       /* a stream: bytes that the server must not replace by others yet */
    bool awaited;        /* its reader found nothing and may poll channel_descriptor() */
    bool arrived;        /* since then something came, which another reader received */
};

/* A channel that is not connected yet; free with channel_free(). Copies its arguments. NULL if
 * memory is short. */
struct channel *channel_new(const struct target *target, const struct channel_limits *limits);

/* Sends the token with each call from now on; NULL: none. It is copied. False, and none is sent, if
 * memory is short. */
bool channel_set_token(struct channel *channel, const char *token);

/* Closes the connection. NULL is allowed. */
void channel_free(struct channel *channel);

/*
 * Ensures that there is a connection on which a call can start: opens one, until the deadline (of
 * clock_monotonic_ms(); INT64_MAX: none) and within the limits, if the last was lost, closed by the
 * server or got a GOAWAY. True, or false with *error set. A connection on which a call was answered
 * a moment ago is not checked.
 */
bool channel_connect(struct channel *channel, int64_t deadline_ms, struct keystore_error *error);

/*
 * Calls the method `path` with `request` (gRPC prefix and message), once: client/retry.h repeats
 * calls. On KEYSTORE_OK `answer` holds the message without its prefix; otherwise *error says why,
 * and the attempt what has become of the request. A call that times out is cancelled and leaves the
 * connection usable.
 */
enum keystore_code channel_call(struct channel *channel, const char *path, struct slice request,
                                struct call_attempt *attempt, struct buffer *answer,
                                struct keystore_error *error);

/* The descriptor of the connection, or -1; one that is readable while a stream has `arrived`. */
int channel_descriptor(struct channel *channel);

/* limits.cancel_fd */
int channel_cancel_fd(const struct channel *channel);

/* The instant after `timeout_ms`; INT64_MAX = never. */
int64_t channel_deadline_in(int64_t now_ms, int64_t timeout_ms);
int64_t channel_call_timeout_ms(const struct channel *channel);

/* ---- for client/streaming.c ---- */

/*
 * Starts a call of `path` without a timeout, whose call.request is sent as far as it goes, and
 * attaches it. False with *error set. The caller must channel_detach() it.
 */
bool channel_attach(struct channel *channel, struct channel_stream *stream, const char *path,
                    struct keystore_error *error);

/* Forgets the stream: one that is not over is reset, unless `quietly`, which sends nothing. */
void channel_detach(struct channel *channel, struct channel_stream *stream, bool quietly);

/* Closes the connection, which does not work any longer; its streams have ended with this error. */
void channel_drop(struct channel *channel, const struct keystore_error *error);

/* There is more to send, or half_closed was set. */
void channel_resume(struct channel *channel, struct channel_stream *stream);

/* Lets the server send that many more bytes on the stream. */
void channel_consume(struct channel *channel, struct channel_stream *stream, size_t count);

static inline bool channel_stream_is_over(const struct channel_stream *stream)
{
    return stream->ended || stream->refused || stream->closed || stream->lost;
}

/* The result of a stream that is over, whose messages are taken. */
enum keystore_code channel_conclude(struct channel_stream *stream);

enum channel_step { CHANNEL_PROGRESS, CHANNEL_TIMEOUT, CHANNEL_CANCELLED, CHANNEL_LOST };

/*
 * One round for all calls: sends, waits for the server until the deadline (of
 * clock_monotonic_ms(); INT64_MAX: none), receives. CHANNEL_LOST: all streams are over. With
 * `wait` false it does not wait, and CHANNEL_TIMEOUT means that nothing was there.
 */
enum channel_step channel_step(struct channel *channel, bool wait, int64_t deadline_ms);

#endif
