/*
 * What a store was like after each commit of changes, and, after each change of the disk, how far its
 * writes had been acknowledged and which revisions clients could know. It stands between the store
 * and its log, as a change sink of its own.
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
    uint64_t acknowledged; /* commits up to this one are */
    uint64_t shown;        /* no later commit may have a revision up to this one */
};

/* Was made when there had been so many changes of the disk. */
struct history_event {
    size_t step;
    struct history_promise promise;
};

struct history {
    struct change_sink sink; /* first: its functions find the history by it */
    struct change_sink *log; /* the next sink; NULL: none, then one thread may write */
    struct store *store;
    pthread_mutex_t mutex;        /* of what follows, as long as somebody writes */
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

/* The same as `from`, but that just this is promised, from step 0 on. */
void history_branch(struct history *history, const struct history *from,
                    const struct history_promise *promise);

void history_deinit(struct history *history);

/* The commits after this one are lost. */
void history_rewind(struct history *history, uint64_t revision);

/* No commit has a revision between that of the newest and this one, which is not below it: a base
 * that is written before the next commit says so. */
void history_pass_over(struct history *history, uint64_t revision);

/* From now on the commits of this store, which tells its log, are noted. */
void history_watch(struct history *history, struct store *store);

/* So many steps of the disk are done, and commits up to this one are acknowledged. */
void history_acknowledge(struct history *history, size_t step, uint64_t revision);

/* So many steps of the disk are done, and clients may know revisions up to this one, whether or not
 * their commits are acknowledged. */
void history_show(struct history *history, size_t step, uint64_t revision);

/* What was promised by that step. What is acknowledged is shown. */
struct history_promise history_promised(const struct history *history, size_t step);

/* True if the store is as it was at that revision. */
bool history_is_at(const struct history *history, const struct store *store, uint64_t revision);

#endif
