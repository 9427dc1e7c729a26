/* What a server (server.h) asks of the service whose calls it takes, and its limits. */
#ifndef KEYSTORE_GRPC_HANDLER_H
#define KEYSTORE_GRPC_HANDLER_H

#include "base/err.h"
#include "grpc/status.h"
#include "http2/http2.h"

struct grpc_call;
struct grpc_metadata;
struct grpc_principal;
struct grpc_stream_method;

/* Which replies are compressed, of callers that accept gzip and do not decline it
 * (keystore-compress: identity). */
enum grpc_compress {
    GRPC_COMPRESS_ASKED, /* of calls whose requests may be compressed, or that ask for it
                            (keystore-compress: gzip) */
    GRPC_COMPRESS_ALWAYS,
    GRPC_COMPRESS_NEVER,
};

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
    enum grpc_compress compress; /* bounds the time that compression takes */
    int64_t max_age_ms;          /* of a connection, within 10 %, after which it is drained, so that
                                   clients find new servers; 0 = never */
    int64_t max_age_grace_ms;    /* for its calls to end then; 0 = any time */
    int64_t slow_ns; /* from which on a unary call is slow; GRPC_NEVER_SLOW: none is. Below
                                   GRPC_OWN_TIME_NS the clock is read for each call */
    struct http2_limits http2;
};

#define GRPC_REQUEST_TIMEOUT_MS 60000
#define GRPC_MIN_PROGRESS       ((size_t)256 * 1024)

/* Work for another thread, which takes long. Owned by the connection's thread before and after. */
struct grpc_job {
    void (*run)(struct grpc_job *job); /* on the other thread */
    /* Then on this one, once, even if `run` was not called because the service is stopping; all
     * connections may be gone. Frees the job. */
    void (*finish)(struct grpc_job *job, int64_t now_ms);
};

#define GRPC_NEVER_SLOW  INT64_MAX
#define GRPC_OWN_TIME_NS 1000000

/* How a call ends; all borrowed. */
struct grpc_outcome {
    const void *method;  /* NULL: it is unknown */
    enum grpc_code code; /* GRPC_CANCELLED, GRPC_DEADLINE_EXCEEDED: also if the caller has left */
    const char *reason;  /* of an error, for programs; NULL: there is none */
    struct slice message;
    bool is_slow;        /* a unary call that took at least limits.slow_ns, which is: */
    int64_t duration_ns; /* without the time for which it waited for other calls, or its message */
};

/* The application that answers calls. Shared by all connections of a thread. */
struct grpc_service {
    void *user;
    /* The method of the path (`/package.Service/Method`); NULL if it is unknown. */
    const void *(*find_method)(void *user, struct slice path);
    const char *unknown_method; /* the error message for an unknown path */
    /* Under which number the calls of a method are counted, below `counted`; NULL stands for all
     * unknown ones. NULL: all calls are counted together, as number 0. */
    size_t (*number_of)(const void *method);
    size_t counted;
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
    /* Has the job run on another thread; NULL: this thread runs it. */
    void (*run_elsewhere)(void *user, struct grpc_job *job);
    /* Why a call of the method with that metadata is not served (ERR_NOT_SERVED); NULL: it is.
     * Asked for calls with such metadata. NULL: all are. */
    const char *(*refuses)(void *user, const void *method, const struct grpc_metadata *metadata);
    /*
     * Who makes the call of the method with that field `authorization`, which is empty if there is
     * none: sets *principal, with a holder for the caller; NULL: the method may be called by
     * anybody. Else the error of the call, with its message in *why, valid until the next call of
     * this; *principal may be set then, too, so that on_outcome knows whose call it was. NULL:
     * nobody is asked.
     */
    enum err (*admit)(void *user, const struct grpc_call *call, const void *method,
                      struct slice authorization, struct grpc_principal **principal,
                      const char **why);
    /* False: a call of this principal's has to be admitted anew. Asked for each call. */
    bool (*is_current)(void *user, const struct grpc_principal *principal);
    /* The call has a principal, and streams or waits: it may go on, perhaps with another principal
     * (grpc_call_set_principal()); else the error with which it ends. Asked once a second. */
    enum err (*review)(void *user, struct grpc_call *call, const void *method, const char **why);
    /* While it is set, calls are counted: `enter`, `count` and `leave` are called. Of the
     * connections' thread, and so is what changes it. */
    bool counts_calls;
    /* A call of the principal's (NULL: nobody is asked) is about to begin, at that monotonic time.
     * True: it may; *holds, which is 0, is set to what it is counted in, as the service has it.
     * Else it is not counted, and fails with *status, whose message is valid until the next call of
     * this. */
    bool (*enter)(void *user, const void *method, const struct grpc_principal *principal,
                  int64_t now_ns, uint8_t *holds, struct grpc_status *status);
    /* Counts a call that streams or waits in what it is not counted in yet. Asked once a second,
     * and when it gets another principal. */
    void (*count)(void *user, const void *method, const struct grpc_principal *principal,
                  uint8_t *holds);
    /* A call that has *holds is over: its answer has been passed on, or its caller is gone. Once,
     * also if calls are not counted any longer. */
    void (*leave)(void *user, const struct grpc_principal *principal, uint8_t holds);
    /* How calls of the method stream; NULL if it is unary. NULL: all are. */
    const struct grpc_stream_method *(*stream_of)(const void *method);
    /* The status of a call that violated the protocol; `why` is the error message. */
    struct grpc_status (*status_of)(enum err err, const char *why);
    /* True: on_outcome is called for every call of the method that ends, however it does. Needs
     * number_of. NULL: of no method. */
    bool (*tells_all)(const void *method);
    /* A call ends that is slow, has failed, or whose caller has left after a long time; its user
     * pointer and metadata are still what they were, unless it was failed before on_request. NULL:
     * nobody wants to know. */
    void (*on_outcome)(void *user, struct grpc_call *call, const struct grpc_outcome *outcome);
};

#endif
