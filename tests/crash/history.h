/*
 * What a store was like after each unit of changes, and how far its writes had been acknowledged
 * after each change of the disk. It stands between the store and its log, as a change sink of its
 * own.
 */
#ifndef KEYSTORE_TESTS_CRASH_HISTORY_H
#define KEYSTORE_TESTS_CRASH_HISTORY_H

#include "store/change.h"

#include <pthread.h>
#include <stddef.h>

struct store;

/* From that step of the disk on, units up to this one are acknowledged. */
struct history_promise {
    size_t step;
    uint64_t revision;
};

struct history {
    struct change_sink sink; /* first: its functions find the history by it */
    struct change_sink *log; /* the next sink; NULL: none, then one thread may write */
    struct store *store;
    pthread_mutex_t mutex; /* of what follows, as long as somebody writes */
    uint64_t *states;      /* contents_hash() by revision, from 0 */
    size_t capacity;
    uint64_t newest; /* revision */
    struct history_promise *promises;
    size_t promise_count;
    size_t promise_capacity;
};

/* Nothing has been written. */
void history_init(struct history *history);

/* The same as `from`, but that just the units up to that one are acknowledged, from step 0 on. */
void history_branch(struct history *history, const struct history *from, uint64_t acknowledged);

void history_deinit(struct history *history);

/* The units after this one are lost; the next one comes in their place. */
void history_rewind(struct history *history, uint64_t revision);

/* From now on the units of this store, which tells its log, are noted. */
void history_watch(struct history *history, struct store *store);

/* So many steps of the disk are done, and units up to this one are acknowledged. */
void history_acknowledge(struct history *history, size_t step, uint64_t revision);

/* Up to which unit that was so at the step. */
uint64_t history_promised(const struct history *history, size_t step);

/* True if the store is as it was after that unit. */
bool history_is_at(const struct history *history, const struct store *store, uint64_t revision);

#endif
