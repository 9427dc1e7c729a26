/* Calls and their connections from the inside; private to grpc. */
#ifndef KEYSTORE_GRPC_CALL_H
#define KEYSTORE_GRPC_CALL_H

#include "base/check.h"
#include "grpc/handler.h"
#include "grpc/message.h"
#include "grpc/metering.h"
#include "grpc/principal.h"

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

enum call_gzip {
    CALL_SENDS_GZIP = 1, /* its messages may be compressed */
    CALL_WANTS_GZIP = 2, /* its replies are to be compressed */
};

struct grpc_call {
    struct grpc_connection *connection;
    const void *method;
    struct meter_row *row; /* in which it is counted */
    int64_t start_ns;      /* monotonic */
    int64_t work_ns;       /* monotonic: if it is later than that, only then was there work to do */
    void *user;
    struct grpc_metadata *metadata;   /* NULL: it has none of that */
    struct grpc_principal *principal; /* one holder; NULL: the service asks nobody */
    int64_t deadline_ms;              /* monotonic; GRPC_NO_TIMEOUT if there is none */
    union {
        struct {                 /* until it is complete */
            int64_t period_ms;   /* monotonic: the start of the period in which more of the request
                                    must arrive */
            size_t period_bytes; /* of the request that had arrived then */
        };
        struct {                     /* then */
            struct grpc_call *next;  /* in the list of calls submitted in the current feed */
            struct grpc_call **link; /* the pointer to this one in that list; NULL if it is not in
                                        the list */
        };
    };
    uint32_t max_reply; /* bytes; a message of gRPC has no more than this can say */
    enum call_state state : 8;
    bool complete; /* it no longer counts as unfinished; never of one that streams */
    uint8_t gzip;  /* bits of enum call_gzip */
    uint8_t holds; /* what it is counted in, which the service's `leave` ends; 0: nothing */
    struct grpc_message message;
    struct stream_state *streaming; /* NULL: it is unary, or has failed before */
    struct inflation *inflation;    /* of a message on another thread; NULL: none is */
};
/* Zeroed for each call, and of the many in flight those of a batch are used in turn: what makes it
 * larger than three cache lines costs a Get up to a percent for each 32 bytes. */
_Static_assert(sizeof(struct grpc_call) <= 192, "a call takes three cache lines");

/* Messages, and their bytes on the wire and uncompressed. */
struct compression_counts {
    atomic_uint_fast64_t messages, compressed_bytes, plain_bytes;
};

struct grpc_server {
    struct http2_context *http2;
    const struct grpc_service *service;
    struct meter *meter;
    struct grpc_limits limits;
    atomic_uint_fast64_t slow_requests, unread_streams, not_grpc, streams_open;
    struct compression_counts inflated, compressed; /* of requests and replies */
    struct gzip *gzip; /* for replies of this thread; NULL before the first, or without memory */
};

/* The parsed form of a header block that is likely to repeat, of a valid request. */
struct known_request {
    uint32_t block_id; /* 0 = unused */
    const void *method;
    struct meter_row *row;
    const struct grpc_stream_method *stream;
    int64_t timeout_ms;
    uint32_t max_reply;
    uint8_t gzip;
    struct grpc_principal *principal; /* one holder; NULL: the service asks nobody */
};

/* When a connection ends although nothing is wrong with it. Monotonic; INT64_MAX is never. */
struct lifetime {
    int64_t ends_ms;       /* when it is old */
    int64_t cut_ms;        /* when what is left of it is ended */
    int64_t idle_since_ms; /* the last check that saw a call */
    uint32_t last_stream;  /* as of that check */
    bool is_over;          /* it is being drained, for whatever reason */
};

struct grpc_connection {
    struct http2_session *session;
    struct grpc_server *server;
    void (*on_output)(void *user);
    void *user;
    int64_t now_ms;
    int64_t feed_ns;             /* monotonic: when the current feed began; 0 outside of one */
    bool feeding;                /* answers given now leave with the feed, or the pull */
    size_t unfinished;           /* bytes of incomplete requests gathered */
    size_t unanswered;           /* calls submitted to the service, that do not wait */
    size_t inflating;            /* calls with an inflation */
    struct grpc_call *borrower;  /* the call whose message is borrowed from the bytes being fed */
    struct grpc_call *submitted; /* in the current feed: their messages stay valid until its end */
    struct known_request known[KNOWN_REQUESTS];
    struct lifetime lifetime;
    char *user_agent;       /* of the first request; NULL: there was none yet */
    const char *no_waiting; /* why calls must not wait any longer; NULL: they may */
};

/* call.c */

/* The service counts the call, which is under way, in what it is not counted in yet. */
static inline void call_count_again(struct grpc_call *call)
{
    const struct grpc_service *service = call->connection->server->service;
    if (service->counts_calls)
        service->count(service->user, call->method, call->principal, &call->holds);
}

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

/* The events of a connection's session. */
extern const struct http2_handler call_handler;

/* Ends the call with an error of gRPC's own. */
void call_fail(struct grpc_call *call, enum err err, const char *why);

/* What compresses on this thread; NULL if there is no memory for it. */
struct gzip *server_gzip(struct grpc_server *server);

/* The call's message is inflated, or cannot be for the reason that `why` gives; `rest` has arrived
 * meanwhile and, with `end`, the end of the request. The call may be gone afterwards, and with it
 * its connection. */
void call_continue(struct grpc_call *call, enum err err, const char *why, struct slice rest,
                   bool end);

/* connection.c */

/* Starts to drain the connection or, if it has started, takes the second step; ends streams in
 * order, and the calls that wait, with `text`. */
void call_drain(struct grpc_connection *connection, struct closing why, const char *text);

/* lifetime.c */

/* The age at which a connection ends: within 10 % of `age_ms`, so that connections that were opened
 * together do not end together. `random` is any number. */
int64_t lifetime_jitter(int64_t age_ms, uint64_t random);

void lifetime_init(struct grpc_connection *connection, int64_t now_ms);

/* To be called once a second: drains a connection that is old, or has had no call for long, and
 * ends the calls that are left when the grace of an old one is over. */
void lifetime_check(struct grpc_connection *connection, int64_t now_ms);

/* CLOSING_MAX_AGE if the calls have not ended then, else CLOSING_NONE. */
struct closing lifetime_expired(const struct grpc_connection *connection, int64_t now_ms);
/* describe.c: keeps the client's name, of its first request. */
void call_note_agent(struct grpc_connection *connection, const struct http2_request *request);

/* stream.c: calls that stream. */

/* The call has begun, and streams. */
void call_stream_open(struct grpc_call *call, const struct grpc_stream_method *method);
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

/* The call has started; it is counted in that row. */
static inline void call_count_start(struct grpc_call *call, struct meter_row *row)
{
    DCHECK(call->connection->feed_ns != 0);
    meter_add(&row->started, 1);
    call->row = row;
    call->start_ns = call->connection->feed_ns;
}

static inline int64_t call_count_end(struct grpc_call *call, enum grpc_code code)
{
    return meter_count_end(call->connection->server->meter, call->row, call->start_ns, code);
}

/* The service is told of the end of a call that took that long, unless that is unremarkable.
 * `status` is NULL if it has none, because it succeeded or the caller has left. */
void call_report(struct grpc_call *call, int64_t duration_ns, enum grpc_code code,
                 const struct grpc_status *status);

/* True if the service is told how each call of its method ends. */
static inline bool call_is_told(const struct grpc_call *call)
{
    const struct grpc_service *service = call->connection->server->service;
    return service->tells_all != NULL && call->method != NULL && service->tells_all(call->method);
}

/* How a call is counted whose caller has left; most do when their deadline passes. */
static inline enum grpc_code call_left_code(const struct grpc_call *call)
{
    return call->connection->now_ms >= call->deadline_ms ? GRPC_DEADLINE_EXCEEDED : GRPC_CANCELLED;
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
