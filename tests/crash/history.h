/*
 * What a store held after each commit, and, after each change of the disk, how far its writes had
 * been acknowledged and which revisions clients could know. It is a change sink between the store
 * and its log.
 */
#ifndef KEYSTORE_TESTS_CRASH_HISTORY_H
#define KEYSTORE_TESTS_CRASH_HISTORY_H

#include "store/change.h"

#include <pthread.h>
#include <stddef.h>

struct store;

/* contents_hash() after a commit. */
struct history_state {
    uint64_t revision;
    uint64_t hash;
};

struct history_promise {
    uint64_t acknowledged; /* commits up to this one are acknowledged */
    uint64_t shown;        /* no later commit may have a revision up to this one */
};

/* A promise made when there had been so many changes of the disk. */
struct history_event {
    size_t step;
    struct history_promise promise;
};

struct history {
    struct change_sink sink; /* first member: its functions find the history by it */
    struct change_sink *log; /* the next sink; NULL: none, then only one thread may write */
    struct store *store;
    pthread_mutex_t mutex;        /* of what follows, while any thread writes */
    struct history_state *states; /* in the order of their revisions, from 0 */
    size_t state_count;
    size_t state_capacity;
    uint64_t newest; /* revision of the last commit */
    struct history_event *events;
    size_t event_count;
    size_t event_capacity;
};

/* Nothing has been written. */
void history_init(struct history *history);

/* Like `from`, but only this is promised, from step 0 on. */
void history_branch(struct history *history, const struct history *from,
                    const struct history_promise *promise);

void history_deinit(struct history *history);

/* The commits after this one are lost. */
void history_rewind(struct history *history, uint64_t revision);

/* No commit has a revision between the newest one's and this one, which is not below it: a base
 * that is written before the next commit says so. */
void history_pass_over(struct history *history, uint64_t revision);

/* Starts to note the commits of this store, and passes them to its log. */
void history_watch(struct history *history, struct store *store);

/* Promises that after so many steps of the disk, commits up to this one are acknowledged. */
void history_acknowledge(struct history *history, size_t step, uint64_t revision);

/* Notes that after so many steps of the disk, clients may know revisions up to this one, whether or
 * not their commits are acknowledged. */
void history_show(struct history *history, size_t step, uint64_t revision);

/* What was promised by that step. What is acknowledged counts as shown. */
struct history_promise history_promised(const struct history *history, size_t step);

/* True if the store is as it was at that revision. */
bool history_is_at(const struct history *history, const struct store *store, uint64_t revision);

#endif
