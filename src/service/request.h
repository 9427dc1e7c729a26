/*
 * A request while it is being answered, and what the files of the service do with it. Private to
 * the service. All of it belongs to the worker's thread, unless stated otherwise.
 */
#ifndef KEYSTORE_SERVICE_REQUEST_H
#define KEYSTORE_SERVICE_REQUEST_H

#include "base/arena.h"
#include "base/chain.h"
#include "engine/engine.h"
#include "grpc/message.h"
#include "grpc/server.h"
#include "service/offload.h"
#include "service/route.h"
#include "service/service_options.h"
#include "service/streams/host.h"

#include <stdatomic.h>

/* Requests that are processed as one batch, so that the engine can prefetch their data. */
#define MAX_BATCH 16
/* Bytes of an error message that comes from another thread. */
#define MAX_WHY 500

enum request_state {
    REQUEST_NEW,
    REQUEST_BATCHED,   /* waits in the batch */
    REQUEST_PENDING,   /* owned by the engine */
    REQUEST_HELD,      /* waits in the list of held ones */
    REQUEST_OFFLOADED, /* owned by another thread */
};

struct identified;

/* Bytes of a key that the slow log shows. */
#define NOTE_MAX_KEY 64

/* How much of a note is taken. */
enum note_state {
    NOTE_NONE,
    NOTE_KEY, /* the key and its size; the rest is read from the operation when the call ends */
    NOTE_ALL,
};

/* What the slow log says about a request. It is taken before the bytes of the message are gone. */
struct request_note {
    enum note_state state;
    bool waited_for_disk; /* the engine has answered later */
    bool offloaded;
    uint32_t db;
    uint32_t key_size; /* of the first key, which is cut to NOTE_MAX_KEY */
    uint8_t key[NOTE_MAX_KEY];
    size_t keys, elements;
    size_t request_bytes, reply_bytes; /* reply_bytes is set if another thread encodes it */
};

struct request {
    struct engine_task task; /* first: on_done finds the request by it */
    struct arena arena;
    struct service *service;
    const struct method *method;
    struct grpc_call *call; /* NULL: cancelled while it was in the batch or offloaded */
    enum request_state state;
    struct identified *identified;   /* it has a request id (identified.h), and is detached */
    bool is_detached;                /* what follows is in use, and must be released */
    struct request *next, *previous; /* while it is unused or held */
    struct request_note note;

    struct grpc_message message;      /* taken over from the call */
    struct grpc_principal *principal; /* the call's, with a holder; NULL: it has none */
    uint64_t max_reply;
    bool wants_gzip; /* the reply is to be compressed */
    unsigned holds;  /* how often it was held */
    bool must_wait;  /* offloaded: there was no list for it */
    bool must_hold;  /* offloaded: another call has its request id */
    struct offload_job job;
    atomic_bool is_abandoned; /* offloaded: cancelled meanwhile */
    struct chain reply;       /* encoded by another thread, */
    char why[MAX_WHY];        /* or its error message, and the key that this is about */
    uint8_t wrong_key[OP_MAX_KEY_IN_ERROR];
};

struct service {
    struct grpc_service grpc, grpc_health;
    struct service_options options;
    atomic_uint_fast64_t commands; /* written by this thread alone */
    struct request *idle;
    struct request *batch[MAX_BATCH]; /* decoded and checked, in order of arrival */
    size_t batch_count;
    struct request *held, *last_held; /* in order of arrival */
    size_t held_count;
    struct access *access; /* the users, with a holder; NULL: none were needed so far */
    unsigned access_generation;
    struct grpc_principal *newest; /* the identity that was made last, with a holder; or NULL */
    struct stream_host host;
};

/* Where a message lies, and the limits of its answer. */
struct origin {
    struct slice message;
    struct blob *holder;
    const struct grpc_principal *principal; /* who makes the call */
    uint64_t max_reply;
    int64_t now_ms;
};

/* ---- answer.c ---- */

/* A request of the service, without a message. */
struct request *request_take(struct service *service);

/* Makes it one for the next message. */
void request_recycle(struct request *request);

/* From now on the request owns its message, which outlives the batch and the call. */
void request_detach(struct request *request);

/* Answers the call with an error; the request is to be recycled. */
void request_fail(struct request *request, enum err err, const char *why);

/* The same of one whose operation could not be made; recycles it. */
void request_refuse(struct request *request, enum err err, const char *why);

/* Sends the engine's answer and recycles the request. */
void request_answer(struct request *request);

/* The on_done of its task. */
void request_on_done(struct engine_task *task);

/* Decodes the operation, and checks it and whether its caller may carry it out, as far as that is
 * possible without the data. From any thread. */
enum err request_make_op(struct request *request, const struct origin *origin, const char **why);

/* Of a request that owns its message. */
struct origin request_origin(const struct request *request, int64_t now_ms);

/* Has the job run on another thread, and then, on the worker's, finished. */
void request_start_job(struct request *request, void (*run)(struct offload_job *job),
                       void (*finish)(struct offload_job *job));
struct request *request_of_job(struct offload_job *job);

/* ---- service.c ---- */

/* The limits on calls, or the users, have changed. */
void service_settle_quota(struct service *service);

/* Passes the request to another thread. */
void service_offload(struct request *request);

#endif
