/*
 * Unary gRPC calls over one HTTP/2 connection: bytes in, complete requests out; replies in, bytes
 * out. It checks what the protocol of gRPC demands, so that the service sees only well-formed calls
 * of methods it knows. No I/O; all calls and callbacks belong to one thread.
 */
#ifndef KEYSTORE_GRPC_SERVER_H
#define KEYSTORE_GRPC_SERVER_H

#include "base/buf.h"
#include "base/err.h"
#include "grpc/status.h"

struct grpc_connection;
struct grpc_call;

/* Limits; each says which abuse it stops. Sizes in bytes. */
struct grpc_limits {
    size_t max_message;    /* of a request: refused from its prefix, before memory is taken */
    size_t max_unfinished; /* of all incomplete requests of a connection together */
    uint32_t max_streams;  /* calls at once per connection */
};

/* The limits of a server that accepts messages of that size. */
struct grpc_limits grpc_limits_for(size_t max_message);

/* Who answers calls. Shared by all connections of a thread. */
struct grpc_service {
    void *user;
    /* The method of the path (`/package.Service/Method`); NULL if there is none. */
    const void *(*find_method)(void *user, struct slice path);
    const char *unknown_method; /* the sentence for a path that has none */
    /*
     * A complete request, answered now or later with grpc_call_reply() or grpc_call_fail().
     * `message` is valid during the callback only.
     */
    void (*on_request)(void *user, struct grpc_call *call, const void *method,
                       struct slice message);
    /* The caller went away or its connection did, before the answer: it must not be answered. */
    void (*on_cancel)(void *user, struct grpc_call *call);
    /* The status of a call that broke the protocol; `why` is a sentence. */
    struct grpc_status (*status_of)(enum err err, const char *why);
};

/*
 * `limits` is copied, `service` borrowed for the connection's life. `on_output(user)` is called
 * when a call is answered later than in grpc_connection_feed(), so that there is something to pull.
 */
struct grpc_connection *grpc_connection_new(const struct grpc_limits *limits,
                                            const struct grpc_service *service,
                                            void (*on_output)(void *user), void *user);

/* Cancels the calls under way (on_cancel) and frees. NULL is allowed. */
void grpc_connection_free(struct grpc_connection *connection);

/* Takes all the bytes. False if the connection must end: pull what is left, write it and close. */
bool grpc_connection_feed(struct grpc_connection *connection, struct slice bytes)
    __attribute__((warn_unused_result));

/* Appends what is to be sent until `out` holds `enough` bytes (or HTTP2_MAX_FRAME more). */
void grpc_connection_pull(struct grpc_connection *connection, struct buf *out, size_t enough);

/* Bytes of complete answers that wait to be pulled: the peer does not take them. */
size_t grpc_connection_queued(const struct grpc_connection *connection);

/* True when the connection has nothing left to do and can be closed. */
bool grpc_connection_finished(const struct grpc_connection *connection);

/* Lets the calls under way finish and takes no new ones (two-step GOAWAY). Called again, it takes
 * the second step without waiting for the peer. */
void grpc_connection_drain(struct grpc_connection *connection);

/* The service's own pointer in a call; NULL at first. */
void grpc_call_set_user(struct grpc_call *call, void *user);
void *grpc_call_user(const struct grpc_call *call);

/*
 * Begins the reply: returns where exactly `size` bytes of message go, to be followed at once by
 * grpc_call_reply_end(). The call must not be used after that.
 */
uint8_t *grpc_call_reply_begin(struct grpc_call *call, size_t size);
void grpc_call_reply_end(struct grpc_call *call);

/* Ends the call with an error. The call must not be used after this. */
void grpc_call_fail(struct grpc_call *call, const struct grpc_status *status);

#endif
