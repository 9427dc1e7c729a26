/* Calls and their connections from the inside; private to grpc. */
#ifndef KEYSTORE_GRPC_CALL_H
#define KEYSTORE_GRPC_CALL_H

#include "base/check.h"
#include "grpc/handler.h"
#include "grpc/message.h"

#include <stdatomic.h>

/* Parsed header blocks that a connection remembers: as many as its session does. */
#define KNOWN_REQUESTS 4

struct gzip;
struct inflation;
struct stream_state;

enum call_state {
    CALL_RECEIVING, /* the request is not complete */
    CALL_INFLATING, /* it is, but another thread inflates it */
    CALL_SUBMITTED, /* the service has it */
    CALL_WAITING,   /* the same, and it waits for what other calls do */
    CALL_STREAMING, /* the service has it, and messages come and go */
    CALL_ANSWERED,  /* the rest of the request is ignored */
};

struct grpc_call {
    struct grpc_connection *connection;
    const void *method;
    void *user;
    int64_t deadline_ms; /* monotonic; GRPC_NO_TIMEOUT if there is none */
    uint64_t max_reply;
    int64_t
        period_ms; /* monotonic: the start of the period in which more of the request must arrive */
    size_t period_bytes; /* of the request that had arrived then */
    enum call_state state;
    struct grpc_message message;
    bool complete;                           /* it no longer counts as unfinished */
    bool sends_gzip;                         /* its messages may be compressed */
    bool wants_gzip;                         /* its replies are to be compressed */
    struct grpc_call *next;                  /* in the list of calls submitted in the current
                                                feed */
    struct grpc_call **link;                 /* the pointer to this one in that list; NULL if it is
                                                not in the list */
    const struct grpc_stream_method *stream; /* NULL: it is unary */
    struct stream_state *streaming;          /* of one that streams */
    struct inflation *inflation;             /* of a message on another thread; NULL: none is */
};

/* Messages, and their bytes on the wire and uncompressed. */
struct compression_counts {
    atomic_uint_fast64_t messages, compressed_bytes, plain_bytes;
};

struct grpc_server {
    struct http2_context *http2;
    const struct grpc_service *service;
    struct grpc_limits limits;
    atomic_uint_fast64_t slow_requests, unread_streams, idle_connections, not_grpc, streams_open;
    struct compression_counts inflated, compressed; /* of requests and replies */
    struct gzip *gzip; /* for replies of this thread; NULL before the first, or without memory */
};

/* The parsed form of a header block that is likely to repeat, of a valid request. */
struct known_request {
    uint32_t block_id; /* 0 = unused */
    const void *method;
    const struct grpc_stream_method *stream;
    int64_t timeout_ms;
    uint64_t max_reply;
    bool sends_gzip, wants_gzip;
};

struct grpc_connection {
    struct http2_session *session;
    struct grpc_server *server;
    void (*on_output)(void *user);
    void *user;
    int64_t now_ms;
    bool feeding;                /* answers given now leave with the feed, or the pull */
    size_t unfinished;           /* bytes of incomplete requests gathered */
    size_t unanswered;           /* calls submitted to the service, that do not wait */
    size_t inflating;            /* calls with an inflation */
    struct grpc_call *borrower;  /* the call whose message is borrowed from the bytes being fed */
    struct grpc_call *submitted; /* in the current feed: their messages stay valid until its end */
    struct known_request known[KNOWN_REQUESTS];
    int64_t idle_since_ms;  /* monotonic: the last check that saw a call */
    uint32_t last_stream;   /* as of that check */
    const char *no_waiting; /* why calls must not wait any longer; NULL: they may */
};

/* call.c */

/* ERR_TOO_LARGE, with its message in *why, if the connection has more unfinished than it may. */
enum err call_check_unfinished(const struct grpc_connection *connection, const char **why)
    __attribute__((warn_unused_result));

/* Takes a part of the call's message. An error, with its message in *why, means that the call has
 * to fail: its message breaks a limit. */
enum err call_gather(struct grpc_call *call, struct slice part, const char **why)
    __attribute__((warn_unused_result));
/* True, and counted, if less than min_progress of the message has arrived in a period; a period
 * with more of it is followed by another. */
bool call_stalls(struct grpc_call *call, int64_t now_ms);

/* inflation.c: compressed messages. */

/* A message whose inflated size is at most as many bytes is inflated at once, in well under a
 * millisecond, a larger one on another thread. */
#define INFLATION_MOST_INLINE ((size_t)128 * 1024)

/*
 * The call's message, which is complete and compressed, is to be inflated. ERR_NONE: it is, unless
 * call->inflation is set: then it will be, and meanwhile what arrives of the call goes to
 * inflation_take_data() and inflation_end_request(). After that, call_continue() is called. On
 * errors *why is the error message, valid until the next call.
 */
enum err inflation_begin(struct grpc_call *call, const char **why)
    __attribute__((warn_unused_result));
/* Keeps what follows the message; an error means that the call has to fail. */
enum err inflation_take_data(struct grpc_call *call, struct slice data, const char **why)
    __attribute__((warn_unused_result));
void inflation_end_request(struct grpc_call *call);
/* The call does not wait for its inflation, if there is one. */
void inflation_abandon(struct grpc_call *call);
/* Counts a compressed message. */
void compression_count(struct compression_counts *counts, size_t compressed, size_t plain);

/* server.c */

/* What compresses on this thread; NULL if there is no memory for it. */
struct gzip *server_gzip(struct grpc_server *server);

/* The call's message is inflated, or cannot be for the reason that `why` gives; `rest` has arrived
 * meanwhile and, with `end`, the end of the request. The call may be gone afterwards, and with it
 * its connection. */
void call_continue(struct grpc_call *call, enum err err, const char *why, struct slice rest,
                   bool end);

/* stream.c: calls that stream. */

/* The call has begun, and streams. */
void call_stream_open(struct grpc_call *call);
/* Its HTTP/2 stream is gone; also for calls that do not stream. */
void call_stream_close(struct grpc_call *call);
/* Some of its DATA has come, or all. */
void call_stream_take_data(struct grpc_call *call, struct slice data);
void call_stream_end_request(struct grpc_call *call);
/* As call_continue(), within it. */
void call_stream_continue(struct grpc_call *call, enum err err, const char *why, struct slice rest,
                          bool end);
/* Notifies the connection's streams that have not been yet that the server is shutting down. */
void call_stream_drain(struct grpc_connection *connection);
/* Ends the connection's streams whose deadline has passed, whose message does not arrive, or whose
 * replies are not read. */
void call_stream_check(struct grpc_connection *connection, int64_t now_ms);
/* http2_handler's. */
void call_stream_on_room(void *user, struct http2_stream *stream, struct chain *body, size_t room);

/* The call is stored in the stream's user memory, so each is found from the other. */
static inline struct http2_stream *call_stream(struct grpc_call *call)
{
    return http2_stream_from_user(call);
}

/* Frees the gathered bytes of a message that is no longer needed. */
static inline void call_drop_message(struct grpc_call *call)
{
    if (!call->complete)
        call->connection->unfinished -= grpc_message_gathered(&call->message);
    DCHECK(call->connection->unfinished < SIZE_MAX / 2);
    grpc_message_deinit(&call->message);
}

/* Output that does not leave with a feed has to be pulled. */
static inline void call_tell_output(struct grpc_connection *connection)
{
    if (!connection->feeding)
        connection->on_output(connection->user);
}

#endif
