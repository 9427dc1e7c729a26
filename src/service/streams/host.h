/* What all methods of a service work with, those that stream and the others. */
#ifndef KEYSTORE_SERVICE_STREAMS_HOST_H
#define KEYSTORE_SERVICE_STREAMS_HOST_H

#include "base/activity.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/timers.h"
#include "base/waker.h"
#include "engine/engine.h"
#include "grpc/stream.h"
#include "service/check.h"
#include "service/offload.h"
#include "service/quota.h"
#include "service/status.h"
#include "service/streams/stream_counts.h"

#include <stdatomic.h>

struct authenticator;
struct channels;
struct clients;
struct health;
struct health_watch;
struct protoset;
struct settings_source;
struct watch_feed;

/* Why a call that takes exactly one message fails (ERR_NOT_SERVED): none has come, or two. */
#define STREAM_NO_MESSAGE     "the request holds no message; this call takes exactly one"
#define STREAM_SECOND_MESSAGE "the request holds more than one message; this call takes exactly one"

/* Something that the next service_resume() resumes: once per stream_wait(). */
struct stream_waiter {
    void (*resume)(struct stream_waiter *waiter);
    struct stream_waiter *next, **link; /* `link` is NULL while it does not wait */
};

/* Of one thread. All but the list and the timers is borrowed. */
struct stream_host {
    struct engine *engine;
    struct offload *offload;                /* NULL: the worker itself does what takes long */
    struct channels *channels;              /* NULL: Publish and Subscribe are not served */
    struct clients *clients;                /* NULL: Clients and KillClients are not served */
    const struct settings_source *settings; /* NULL: Config and SetConfig are not served */
    struct authenticator *authenticator;    /* NULL: the server has no users */
    void (*find_address)(const void *connection, uint8_t address[16]); /* as of the service */
    unsigned worker;                  /* the worker's number, to the engine and to `offload` */
    struct activity_worker *activity; /* marked busy before a write; may be NULL */
    struct waker waker;               /* has service_resume() called */
    const struct protoset *protoset;  /* of the API, for reflection; NULL: it is off */
    const struct health *health;      /* NULL: health checks are not served */
    struct check_limits limits;
    struct quota_share quota;     /* the limits on calls */
    size_t max_answer;            /* bytes that the elements of one answer may take */
    int64_t now_ms;               /* the wall clock */
    struct timers timers;         /* by the monotonic clock */
    atomic_uint_fast64_t blocked; /* calls that wait for a list; any thread may read it */
    struct stream_counters counters;
    struct stream_waiter *first, **last; /* in order of arrival */
    size_t count;                        /* in that list */
    struct timer due;                    /* when they are resumed even if nothing happens */
    struct watch_feed *watch_feed;       /* NULL: there are no watchers */
    struct health_watch *health_watches; /* of the server's health; NULL: there are none */
    /* An operation of a call that goes on was refused (ERR_FORBIDDEN); on the
     * worker. NULL: nobody wants to know. */
    void (*on_denied)(void *user, struct grpc_call *call, enum op_kind kind,
                      const struct op_result *result);
    /* A user has got a token for a password; the same. */
    void (*on_login)(void *user, struct grpc_call *call, const char *name);
    void *audit_user; /* their first argument */
};

/* An empty list. */
static inline void stream_host_init(struct stream_host *host)
{
    host->first = NULL;
    host->last = &host->first;
    host->count = 0;
}

/* Nobody waits, and no other timer is set. */
static inline void stream_host_deinit(struct stream_host *host)
{
    DCHECK(host->first == NULL && host->health_watches == NULL);
    timers_clear(&host->timers, &host->due);
    timers_deinit(&host->timers);
}

/* The host of the service whose grpc_service.user that is. */
struct stream_host *stream_host_of(void *user);

/* As engine_submit(); those who wait for busy workers (base/activity.h) learn of a write first. */
static inline enum engine_answer stream_submit(struct stream_host *host, struct engine_task *task)
{
    if (host->activity != NULL && op_info(task->op.kind)->access != OP_READ)
        activity_mark_busy(host->activity);
    return engine_submit(host->engine, task);
}

static inline void stream_wait(struct stream_host *host, struct stream_waiter *waiter)
{
    if (waiter->link != NULL)
        return;
    waiter->next = NULL;
    waiter->link = host->last;
    *host->last = waiter;
    host->last = &waiter->next;
    host->count++;
}

/* Has it resumed after others have had their turn. */
static inline void stream_yield(struct stream_host *host, struct stream_waiter *waiter)
{
    stream_wait(host, waiter);
    waker_wake(host->waker);
}

static inline void stream_leave(struct stream_host *host, struct stream_waiter *waiter)
{
    if (waiter->link == NULL)
        return;
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    else
        host->last = waiter->link;
    waiter->link = NULL;
    host->count--;
}

/* Those that wait are resumed after that time even if nothing happens. */
static inline void stream_resume_after(struct stream_host *host, int64_t after_ms)
{
    int64_t due_ms = clock_monotonic_ms() + after_ms;
    if (host->due.place == 0 || due_ms < host->due.at_ms)
        timers_set(&host->timers, &host->due, due_ms);
}

/* Has another thread run the job and this one finish it. There must be an `offload`. */
static inline void stream_offload(struct stream_host *host, struct offload_job *job,
                                  void (*run)(struct offload_job *job),
                                  void (*finish)(struct offload_job *job))
{
    *job = (struct offload_job){.run = run, .finish = finish, .worker = host->worker};
    offload_add(host->offload, job, false);
}

/* Ends the call, with an error unless `err` is ERR_NONE; `why` is copied. */
static inline void stream_end(struct grpc_call *call, enum err err, const char *why)
{
    if (err == ERR_NONE) {
        grpc_stream_end(call, NULL);
        return;
    }
    struct grpc_status status = status_of(err, why);
    grpc_stream_end(call, &status);
}

/* The same for a result that is an error. */
static inline void stream_end_failed(struct grpc_call *call, const struct op_result *result)
{
    struct grpc_status status = status_of_result(result);
    grpc_stream_end(call, &status);
}

/* Resumes those that wait now; one that waits again has its turn the next time. */
static inline void stream_resume_all(struct stream_host *host)
{
    for (size_t left = host->count; left > 0 && host->first != NULL; left--) {
        struct stream_waiter *waiter = host->first;
        stream_leave(host, waiter);
        waiter->resume(waiter);
    }
}

#endif
