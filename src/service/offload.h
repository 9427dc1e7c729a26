/*
 * Threads for requests that take long, so that the workers can go on with others. A job is added by
 * a worker, done on one of these threads, and taken back by the worker.
 */
#ifndef KEYSTORE_SERVICE_OFFLOAD_H
#define KEYSTORE_SERVICE_OFFLOAD_H

#include "base/waker.h"

#include <stdbool.h>
#include <stdint.h>

struct offload;

/* Owned by the worker, which must not touch it between offload_add() and offload_take(). */
struct offload_job {
    void (*run)(struct offload_job *job); /* called on another thread */
    /* What to do with it on the worker's thread, for the caller of offload_take(). */
    void (*finish)(struct offload_job *job);
    unsigned worker; /* the owner's number */
    struct offload_job *next;
};

/* Starts `threads` threads for `workers` workers, which are numbered from 0. NULL with errno if the
 * system gives no threads. */
struct offload *offload_new(unsigned threads, unsigned workers);

/* How a worker is woken when there is something to take, perhaps before offload_add() returns. To
 * be set before its first job. */
void offload_set_waker(struct offload *offload, unsigned worker, struct waker waker);

/* Ends the threads after the jobs that they have started; the others can be taken as if they were
 * done. NULL is allowed. */
void offload_stop(struct offload *offload);

/* It must have been stopped and all jobs taken. NULL is allowed. */
void offload_free(struct offload *offload);

/* Jobs are started in the order in which they are added, an `urgent` one before all others. */
void offload_add(struct offload *offload, struct offload_job *job, bool urgent);

/* Hands the job to the worker job->worker, which finishes it; run() is not called. So work goes
 * from one worker's thread to another's. Any thread. */
void offload_hand(struct offload *offload, struct offload_job *job);

/* A finished job of the worker; NULL: there is none. */
struct offload_job *offload_take(struct offload *offload, unsigned worker);

/* Jobs added so far that were not urgent; any thread may ask. */
uint64_t offload_count(const struct offload *offload);

#endif
