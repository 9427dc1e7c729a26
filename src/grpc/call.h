/* Calls and their connections from the inside; private to grpc. */
#ifndef KEYSTORE_GRPC_CALL_H
#define KEYSTORE_GRPC_CALL_H

#include "grpc/handler.h"
#include "grpc/message.h"

#include <stdatomic.h>

/* Header blocks whose meaning a connection remembers: as many as its session does. */
#define KNOWN_REQUESTS 4

struct stream_state;

enum call_state {
    CALL_RECEIVING, /* the request is not complete */
    CALL_SUBMITTED, /* the service has it */
    CALL_STREAMING, /* the service has it, and messages come and go */
    CALL_ANSWERED,  /* what else arrives is ignored */
};

struct grpc_call {
    struct grpc_connection *connection;
    const void *method;
    void *user;
    int64_t deadline_ms; /* monotonic; GRPC_NO_TIMEOUT if there is none */
    uint64_t max_reply;
    int64_t period_ms;   /* monotonic: the begin of that in which more of the request must come */
    size_t period_bytes; /* of the request then */
    enum call_state state;
    struct grpc_message message;
    bool complete;                           /* it does not count as unfinished any more */
    struct grpc_call *next;                  /* of those submitted in the feed under way */
    struct grpc_call **link;                 /* what points to this one there; NULL if it is none */
    const struct grpc_stream_method *stream; /* NULL: it is unary */
    struct stream_state *streaming;          /* of one that streams */
};

struct grpc_server {
    struct http2_context *http2;
    const struct grpc_service *service;
    struct grpc_limits limits;
    atomic_uint_fast64_t slow_requests, idle_connections, not_grpc;
};

/* What a header block that will come again means, if it is a good request. */
struct known_request {
    uint32_t block_id; /* 0 = unused */
    const void *method;
    const struct grpc_stream_method *stream;
    int64_t timeout_ms;
    uint64_t max_reply;
};

struct grpc_connection {
    struct http2_session *session;
    struct grpc_server *server;
    void (*on_output)(void *user);
    void *user;
    int64_t now_ms;
    bool feeding;                /* what is answered now leaves with the feed, or the pull */
    size_t unfinished;           /* bytes gathered of incomplete requests */
    size_t owed;                 /* calls that the service has and that are not answered */
    struct grpc_call *borrower;  /* whose message lies in the bytes being fed */
    struct grpc_call *submitted; /* in the feed under way: their messages last until its end */
    struct known_request known[KNOWN_REQUESTS];
    int64_t idle_since_ms; /* monotonic: no call has been seen since */
    uint32_t last_stream;  /* that was seen */
};

/* stream.c: calls that stream. */

/* The call has begun, and streams. */
void call_stream_open(struct grpc_call *call);
/* Its HTTP/2 stream is gone; also for calls that do not stream. */
void call_stream_close(struct grpc_call *call);
/* Some of its DATA has come, or all. */
void call_stream_take_data(struct grpc_call *call, struct slice data);
void call_stream_end_request(struct grpc_call *call);
/* Ends the connection's streams whose deadline has passed, or whose message does not arrive. */
void call_stream_check(struct grpc_connection *connection, int64_t now_ms);
/* http2_handler's. */
void call_stream_on_room(void *user, struct http2_stream *stream, struct chain *body, size_t room);

/* The call lives in the stream's user memory: one is found from the other. */
static inline struct http2_stream *call_stream(struct grpc_call *call)
{
    return http2_stream_from_user(call);
}

/* Output that does not leave with a feed has to be pulled. */
static inline void call_tell_output(struct grpc_connection *connection)
{
    if (!connection->feeding)
        connection->on_output(connection->user);
}

#endif
