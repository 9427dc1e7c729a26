/*
 * Threads for requests that take long, so that those of the event loops go on with others. A job is
 * added by the thread of a part, done on one of these, and taken back by the part's thread.
 */
#ifndef KEYSTORE_SERVICE_OFFLOAD_H
#define KEYSTORE_SERVICE_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct offload;

/* The submitter's, who leaves it alone from offload_add() to offload_take(). */
struct offload_job {
    void (*run)(struct offload_job *job); /* called on another thread */
    /* For whoever takes it on the part's thread: what to do then. */
    void (*finish)(struct offload_job *job);
    unsigned part;
    struct offload_job *next;
};

/* So many threads for so many parts, numbered from 0. `on_done(user, part)` is called on one of
 * them when there is something to take; it may be called before offload_add() returns. NULL with
 * errno if the system gives no threads. */
struct offload *offload_new(unsigned threads, unsigned parts,
                            void (*on_done)(void *user, unsigned part), void *user);

/* Ends the threads after the jobs that they have begun; the others can be taken as if they had
 * been done. NULL is allowed. */
void offload_stop(struct offload *offload);

/* It has been stopped, and all jobs taken. NULL is allowed. */
void offload_free(struct offload *offload);

/* Jobs are begun in the order in which they are added, but one that is `urgent` before others. */
void offload_add(struct offload *offload, struct offload_job *job, bool urgent);

/* A job of the part that is done; NULL: there is none. */
struct offload_job *offload_take(struct offload *offload, unsigned part);

/* Jobs added so far that were not urgent; any thread may ask. */
uint64_t offload_count(const struct offload *offload);

#endif
