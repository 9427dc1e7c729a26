/*
 * The locks of all shards that an operation needs: taken in ascending order, each once, whatever
 * the order of its keys, so that no two operations wait for each other. Private to the store.
 */
#ifndef KEYSTORE_STORE_DATA_LOCK_H
#define KEYSTORE_STORE_DATA_LOCK_H

#include "store/op.h"

struct store;

#define LOCK_WORD  64
#define LOCK_WORDS 4 /* for SHARDS_MOST */

/* A set of shards, by number. */
struct lock_set {
    uint64_t bits[LOCK_WORDS];
};

/* The shards of the operation's keys, whose hashes it notes in it. */
struct lock_set lock_shards_of(struct store *store, struct op *op);

/* Locks them: for long, or if `quick` not so; then false, with none locked, if one is held for
 * long. */
bool lock_take(struct store *store, const struct lock_set *set, bool quick)
    __attribute__((warn_unused_result));
/* The same, for a moment only, waiting for whoever holds one. To be released with `quick`. */
void lock_take_waiting(struct store *store, const struct lock_set *set);

void lock_release(struct store *store, const struct lock_set *set, bool quick);

/* Goes through the shards of a set in ascending order, each of which leaves it; NULL at the end. */
struct shard *lock_next(struct store *store, struct lock_set *rest);

/* Visits every key that the operation names, with its database and its hash; those of an operation
 * that finds its key itself, or is about a database, are none. */
struct lock_visitor {
    void (*visit)(struct lock_visitor *visitor, uint32_t db, struct slice key, uint64_t *hash);
};
void lock_each_key(struct op *op, struct lock_visitor *visitor);

#endif
