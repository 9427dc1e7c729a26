/*
 * Unary gRPC calls over HTTP/2 connections: bytes in, complete requests out; replies in, bytes
 * out. It checks what the protocol of gRPC demands, so that the service sees only well-formed calls
 * of methods it knows. No I/O; a server, its connections and their callbacks belong to one thread.
 */
#ifndef KEYSTORE_GRPC_SERVER_H
#define KEYSTORE_GRPC_SERVER_H

#include "base/buf.h"
#include "grpc/handler.h"

struct grpc_connection;
struct grpc_server;
struct grpc_message;
struct blob;
struct chain;

/* The limits of a server that accepts values of that size. */
struct grpc_limits grpc_limits_for(size_t max_value, const struct http2_limits *http2);

/* What the connections of a thread share. `limits` is copied, `service` borrowed. */
struct grpc_server *grpc_server_new(const struct grpc_limits *limits,
                                    const struct grpc_service *service);

/* All its connections are freed. NULL is allowed. */
void grpc_server_free(struct grpc_server *server);

/*
 * `now_ms`, here and below, is a monotonic clock's. `on_output(user)` is called when a call is
 * answered later than in grpc_connection_feed(), so that there is something to pull.
 */
struct grpc_connection *grpc_connection_new(struct grpc_server *server,
                                            void (*on_output)(void *user), void *user,
                                            int64_t now_ms);

/* Cancels the calls under way (on_cancel) and frees. NULL is allowed. */
void grpc_connection_free(struct grpc_connection *connection);

/*
 * Takes all the bytes and appends what they call for to `out`; with NULL that waits to be pulled.
 * False if the connection must end: write what is left and close.
 */
bool grpc_connection_feed(struct grpc_connection *connection, struct slice bytes, struct chain *out,
                          int64_t now_ms) __attribute__((warn_unused_result));

/* Where the next bytes are best read to, and what takes them then: see http2_session_place(). */
size_t grpc_connection_place(struct grpc_connection *connection, struct iovec *pieces);
bool grpc_connection_feed_placed(struct grpc_connection *connection, size_t size, struct chain *out,
                                 int64_t now_ms) __attribute__((warn_unused_result));

/* Appends what waits, as far as the peer's windows and the limit of output allow. */
void grpc_connection_pull(struct grpc_connection *connection, struct chain *out, int64_t now_ms);

/* Bytes of answers that wait to be pulled: the peer does not take them. */
size_t grpc_connection_queued(const struct grpc_connection *connection);

/* Bytes of answers that have been fed out or pulled so far. */
uint64_t grpc_connection_sent(const struct grpc_connection *connection);

/* True when the connection has nothing left to do and can be closed. */
bool grpc_connection_finished(const struct grpc_connection *connection);

/* True if the service has requests that it has not answered yet. */
bool grpc_connection_owes(const struct grpc_connection *connection);

/* Why the connection must end now because of a timeout; CLOSING_NONE if it need not. */
struct closing grpc_connection_expired(const struct grpc_connection *connection, int64_t now_ms);

/* Ends the connection for that reason: write what is left and close. */
void grpc_connection_end(struct grpc_connection *connection, struct closing why);

/* Why the connection has ended, or is about to; CLOSING_NONE as long as the peer may go on. */
struct closing grpc_connection_closing(const struct grpc_connection *connection);

/* To be called once a second: ends requests that do not arrive in time, with ERR_DEADLINE, and
 * drains a connection without calls (idle_timeout_ms). */
void grpc_connection_check(struct grpc_connection *connection, int64_t now_ms);

/* What was refused or ended, but for calls that were answered with a status of gRPC; so far. Any
 * thread may ask. */
struct grpc_counts {
    uint64_t slow_requests;    /* that did not arrive in time */
    uint64_t idle_connections; /* that ended without calls */
    uint64_t not_grpc;         /* requests, answered in plain HTTP */
    struct http2_refused streams;
};
struct grpc_counts grpc_server_counts(const struct grpc_server *server);

/* Lets the calls under way finish and takes no new ones (two-step GOAWAY). Called again, it takes
 * the second step without waiting for the peer. */
void grpc_connection_drain(struct grpc_connection *connection);

/* The service's own pointer in a call; NULL at first. */
void grpc_call_set_user(struct grpc_call *call, void *user);
void *grpc_call_user(const struct grpc_call *call);

/* Bytes of the reply's message that the client takes (keystore-max-reply-bytes). */
uint64_t grpc_call_max_reply(const struct grpc_call *call);

/* The blob that the request's message lies in, borrowed as long as the message is valid; NULL if it
 * lies elsewhere. A holder of its own may cut it to a part of the message (blob_cut()). */
struct blob *grpc_call_holder(const struct grpc_call *call);

/*
 * The message passes to the caller, complete and in memory of its own, to be given back with
 * grpc_message_deinit(); what was known of it, where it lay too, is valid no more. For a call that
 * the service has and has not answered.
 */
void grpc_call_take_message(struct grpc_call *call, struct grpc_message *message);

/* The reply, all at once: its size in bytes, then exactly those, to be appended to the chain, then
 * the end. The call must not be used after that. */
struct chain *grpc_call_reply_begin(struct grpc_call *call, size_t size);
void grpc_call_reply_end(struct grpc_call *call);

/* The same in two steps, the first on any thread and before there is a call to answer: a chain,
 * empty at first, to which a message of that size is then appended; and that as the reply. */
void grpc_reply_begin(struct chain *reply, size_t size);
void grpc_call_reply_chain(struct grpc_call *call, struct chain *reply);

/* Ends the call with an error. The call must not be used after this. */
void grpc_call_fail(struct grpc_call *call, const struct grpc_status *status);

#endif
