/* What a server (server.h) asks of the service whose calls it takes, and its limits. */
#ifndef KEYSTORE_GRPC_HANDLER_H
#define KEYSTORE_GRPC_HANDLER_H

#include "base/err.h"
#include "grpc/status.h"
#include "http2/http2.h"

struct grpc_call;
struct grpc_metadata;
struct grpc_stream_method;

/* Limits; each comment names the abuse that it stops. Sizes are in bytes. */
struct grpc_limits {
    size_t max_message;         /* of a request: refused by its prefix, before memory is
                                   allocated */
    size_t max_unfinished;      /* of all incomplete requests of a connection */
    int64_t request_timeout_ms; /* in which the rest of a request must arrive, or */
    size_t min_progress;        /* that many bytes of it: requests that are never complete */
    int64_t write_timeout_ms;   /* in which the caller of a stream must read what waits for its
                                   window, or min_progress bytes of it: streams nobody reads */
    int64_t idle_timeout_ms;    /* without a call, after which a connection is drained; 0 = never */
    struct http2_limits http2;
};

#define GRPC_REQUEST_TIMEOUT_MS 60000
#define GRPC_MIN_PROGRESS       ((size_t)256 * 1024)

/* The application that answers calls. Shared by all connections of a thread. */
struct grpc_service {
    void *user;
    /* The method of the path (`/package.Service/Method`); NULL if it is unknown. */
    const void *(*find_method)(void *user, struct slice path);
    const char *unknown_method; /* the error message for an unknown path */
    /*
     * A complete request, to be answered now or later with grpc_call_reply_begin() or
     * grpc_call_fail(). `message` is valid until on_batch_end returns.
     */
    void (*on_request)(void *user, struct grpc_call *call, const void *method,
                       struct slice message);
    /* All requests that arrived together have been submitted: answers deferred until now, so that
     * the requests are processed as one batch, still leave in one write. */
    void (*on_batch_end)(void *user);
    /* The client cancelled the call, or the connection was closed, before the answer, or a call
     * that waits has to end: it must not be answered. */
    void (*on_cancel)(void *user, struct grpc_call *call);
    /* Why a call of the method with that metadata is not served (ERR_NOT_SERVED); NULL: it is.
     * Asked for calls with such metadata. NULL: all are. */
    const char *(*refuses)(void *user, const void *method, const struct grpc_metadata *metadata);
    /* How calls of the method stream; NULL if it is unary. NULL: all are. */
    const struct grpc_stream_method *(*stream_of)(const void *method);
    /* The status of a call that violated the protocol; `why` is the error message. */
    struct grpc_status (*status_of)(enum err err, const char *why);
};

#endif
