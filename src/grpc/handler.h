/* What a server (server.h) asks of the service whose calls it takes, and its limits. */
#ifndef KEYSTORE_GRPC_HANDLER_H
#define KEYSTORE_GRPC_HANDLER_H

#include "base/err.h"
#include "grpc/status.h"
#include "http2/http2.h"

struct grpc_call;
struct grpc_stream_method;

/* Limits; each says which abuse it stops. Sizes in bytes. */
struct grpc_limits {
    size_t max_message;         /* of a request: refused from its prefix, before memory is taken */
    size_t max_unfinished;      /* of all incomplete requests of a connection together */
    int64_t request_timeout_ms; /* in which the rest of a request must arrive, or */
    size_t min_progress;        /* so many bytes of it: requests that are never complete */
    int64_t idle_timeout_ms;    /* without a call, after which a connection ends; 0 = never */
    struct http2_limits http2;
};

#define GRPC_REQUEST_TIMEOUT_MS 60000
#define GRPC_MIN_PROGRESS       ((size_t)256 * 1024)

/* Who answers calls. Shared by all connections of a thread. */
struct grpc_service {
    void *user;
    /* The method of the path (`/package.Service/Method`); NULL if there is none. */
    const void *(*find_method)(void *user, struct slice path);
    const char *unknown_method; /* the sentence for a path that has none */
    /*
     * A complete request, answered now or later with grpc_call_reply_begin() or grpc_call_fail().
     * `message` is valid until on_batch_end returns.
     */
    void (*on_request)(void *user, struct grpc_call *call, const void *method,
                       struct slice message);
    /* All requests that arrived together were handed over: answers that were put off until now, so
     * that the requests can be worked off together, still leave in one write. */
    void (*on_batch_end)(void *user);
    /* The caller went away or its connection did, before the answer: it must not be answered. */
    void (*on_cancel)(void *user, struct grpc_call *call);
    /* How calls of the method stream; NULL if it is unary. NULL: all are. */
    const struct grpc_stream_method *(*stream_of)(const void *method);
    /* The status of a call that broke the protocol; `why` is a sentence. */
    struct grpc_status (*status_of)(enum err err, const char *why);
};

#endif
