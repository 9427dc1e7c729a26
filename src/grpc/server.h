/*
 * gRPC calls over HTTP/2 connections: bytes in, complete requests out; replies in, bytes out. Calls
 * with streams of messages are those of stream.h. It enforces the gRPC protocol, so that the
 * service sees only well-formed calls of methods it knows. No I/O. A server, its connections and
 * their callbacks belong to one thread.
 */
#ifndef KEYSTORE_GRPC_SERVER_H
#define KEYSTORE_GRPC_SERVER_H

#include "base/buf.h"
#include "grpc/handler.h"

struct grpc_connection;
struct grpc_server;
struct grpc_message;
struct grpc_principal;
struct meter;
struct blob;
struct chain;

/* The limits of a server that accepts values of that size. */
struct grpc_limits grpc_limits_for(size_t max_value, const struct http2_limits *http2);

/* What the connections of a thread share. `limits` is copied, `service` borrowed. */
struct grpc_server *grpc_server_new(const struct grpc_limits *limits,
                                    const struct grpc_service *service);

/* Replaces the limits, of which only times and min_progress may have changed; they are in effect
 * for what is open, too. */
void grpc_server_set_limits(struct grpc_server *server, const struct grpc_limits *limits);

/* All its connections must have been freed. NULL is allowed. */
void grpc_server_free(struct grpc_server *server);

/*
 * `now_ms`, here and below, is monotonic. `on_output(user)` is called when there is output to pull
 * because a call was answered outside grpc_connection_feed().
 */
struct grpc_connection *grpc_connection_new(struct grpc_server *server,
                                            void (*on_output)(void *user), void *user,
                                            int64_t now_ms);

/* Cancels the calls in flight (on_cancel) and frees the connection. NULL is allowed. */
void grpc_connection_free(struct grpc_connection *connection);

/*
 * Processes all the bytes and appends the output to `out`; with NULL it is kept to be pulled. False
 * if the connection must end: pull and write the pending output, then close.
 */
bool grpc_connection_feed(struct grpc_connection *connection, struct slice bytes, struct chain *out,
                          int64_t now_ms) __attribute__((warn_unused_result));

/* Where to read the next bytes to, and how to feed them: see http2_session_place(). */
size_t grpc_connection_place(struct grpc_connection *connection, struct iovec *pieces);
bool grpc_connection_feed_placed(struct grpc_connection *connection, size_t size, struct chain *out,
                                 int64_t now_ms) __attribute__((warn_unused_result));

/* Appends pending output, as far as the peer's windows and max_output allow. */
void grpc_connection_pull(struct grpc_connection *connection, struct chain *out, int64_t now_ms);

/* Bytes of answers that wait to be pulled because the peer does not take them. */
size_t grpc_connection_queued(const struct grpc_connection *connection);

/* Of these, what the peer as a whole is slow to take (http2_session_owed()). */
size_t grpc_connection_owed(const struct grpc_connection *connection);

/* Bytes of answer bodies written to the output so far. */
uint64_t grpc_connection_sent(const struct grpc_connection *connection);

/* True when nothing is left to be read or sent: the connection can be closed. */
bool grpc_connection_finished(const struct grpc_connection *connection);

/* True if the service has requests of this connection that it is going to answer soon. */
bool grpc_connection_has_unanswered(const struct grpc_connection *connection);

/* The timeout because of which the connection must end now; CLOSING_NONE if there is none. */
struct closing grpc_connection_expired(const struct grpc_connection *connection, int64_t now_ms);

/* Ends the connection for that reason: pull and write the pending output, then close. */
void grpc_connection_end(struct grpc_connection *connection, struct closing why);

/* Why the connection has ended or is about to; CLOSING_NONE if neither. */
struct closing grpc_connection_closing(const struct grpc_connection *connection);

/* To be called once a second: fails requests that do not arrive in time with ERR_DEADLINE, drains a
 * connection without calls (idle_timeout_ms) or that is old (max_age_ms), and sends a PING to a
 * client that is silent. */
void grpc_connection_check(struct grpc_connection *connection, int64_t now_ms);

/* Requests and connections refused or ended so far, not counting calls answered with a gRPC status.
 * Callable from any thread. */
struct grpc_compressed {
    uint64_t messages, compressed_bytes, plain_bytes;
};
struct grpc_counts {
    uint64_t slow_requests;            /* that did not arrive in time */
    uint64_t unread_streams;           /* ended because their replies were not read in time */
    uint64_t not_grpc;                 /* requests answered by plain HTTP */
    uint64_t streams_open;             /* streaming calls whose streams exist, now */
    struct grpc_compressed inflated;   /* messages of requests that came compressed */
    struct grpc_compressed compressed; /* messages of replies that were sent compressed */
    struct http2_reset_counts streams;
};
struct grpc_counts grpc_server_counts(const struct grpc_server *server);

/* Adds those of another server. */
void grpc_counts_add(struct grpc_counts *sum, const struct grpc_counts *counts);
/* How many calls there were, see meter.h. Any thread may read it. */
const struct meter *grpc_server_meter(const struct grpc_server *server);

/* Around answers to several calls outside of a feed, which then share one reading of the clock. */
void grpc_server_begin_turn(struct grpc_server *server);
void grpc_server_end_turn(struct grpc_server *server);
/* A connection as administrators see it. */
struct grpc_description {
    int64_t active_ms;      /* monotonic: when bytes were received or sent last */
    uint32_t calls;         /* in flight */
    uint32_t streams;       /* of them, those that stream */
    uint64_t calls_so_far;  /* by the numbers that the client has given to its streams */
    const char *user_agent; /* of the first request, in ASCII, truncated; borrowed; may be empty */
};
struct grpc_description grpc_connection_describe(const struct grpc_connection *connection);

/* The client has shut down its side and may be gone: ends the calls that wait (grpc_call_wait()).
 * Output is to be pulled. */
void grpc_connection_hang_up(struct grpc_connection *connection);

/* Starts the graceful shutdown: calls in flight finish, new ones are refused (see
 * http2_session_drain()). A second call does not wait for the peer. */
void grpc_connection_drain(struct grpc_connection *connection);

/* The service's own pointer in a call; initially NULL. */
void grpc_call_set_user(struct grpc_call *call, void *user);
void *grpc_call_user(const struct grpc_call *call);

/*
 * The call waits for what other calls do, for any length of time, and is not kept for a client that
 * may be gone: when that shuts down its side of the connection, or the server shuts down, on_cancel
 * is called and the call is failed. NULL, or why it must not wait: then it is to be failed with
 * ERR_STOPPING.
 */
const char *grpc_call_wait(struct grpc_call *call) __attribute__((warn_unused_result));

/* The call waits no longer, and is to be answered soon. */
void grpc_call_go_on(struct grpc_call *call);

bool grpc_call_is_waiting(const struct grpc_call *call);

/* Monotonic; GRPC_NO_TIMEOUT if there is none. */
int64_t grpc_call_deadline_ms(const struct grpc_call *call);
/* Identifies the connection of the call, to compare with those of others. */
const void *grpc_call_connection(const struct grpc_call *call);

/* The `user` of grpc_connection_new(). */
void *grpc_call_connection_user(const struct grpc_call *call);

/* Who makes the call, borrowed while the call exists and has no other principal; NULL: anybody. */
struct grpc_principal *grpc_call_principal(const struct grpc_call *call);
/* Takes over the holder. */
void grpc_call_set_principal(struct grpc_call *call, struct grpc_principal *principal);

/* The largest reply message that the client accepts, in bytes (keystore-max-reply-bytes). */
uint64_t grpc_call_max_reply(const struct grpc_call *call);

/* The blob that holds the request's message, borrowed while the message is valid; NULL if it is
 * stored elsewhere. It may be cut to a part of the message (blob_cut()). */
struct blob *grpc_call_holder(const struct grpc_call *call);

/*
 * Moves the complete message, in memory of its own, to the caller, who frees it with
 * grpc_message_deinit(). Slices of the message passed earlier become invalid. Only for a call that
 * the service has not answered.
 */
void grpc_call_take_message(struct grpc_call *call, struct grpc_message *message);

/* The reply: begin with its size in bytes, append exactly that many to the chain, end, with no
 * other call in between. The call must not be used after that. */
struct chain *grpc_call_reply_begin(struct grpc_call *call, size_t size);
void grpc_call_reply_end(struct grpc_call *call);

/* The same in two steps. grpc_reply_begin(), on any thread, starts a reply in an empty chain, to
 * which a message of `size` bytes is then appended; grpc_call_reply_chain() sends it as the reply.
 * In between, grpc_reply_compress(), on any thread, or grpc_call_compress() replaces it by a
 * compressed one if that is worth it; only for a caller that wants it. */
bool grpc_call_wants_gzip(const struct grpc_call *call);
void grpc_reply_compress(struct chain *reply);
void grpc_call_compress(struct grpc_call *call, struct chain *reply);
void grpc_reply_begin(struct chain *reply, size_t size);
void grpc_call_reply_chain(struct grpc_call *call, struct chain *reply);

/* Ends the call with an error status. The call must not be used after this. */
void grpc_call_fail(struct grpc_call *call, const struct grpc_status *status);

#endif
