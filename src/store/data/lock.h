/*
 * The locks of all shards that an operation needs: taken in ascending order, each once, whatever
 * the order of its keys, so that operations cannot deadlock. Private to the store.
 */
#ifndef KEYSTORE_STORE_DATA_LOCK_H
#define KEYSTORE_STORE_DATA_LOCK_H

#include "store/op.h"

struct store;

#define LOCK_WORD  64
#define LOCK_WORDS 4 /* for SHARDS_MAX */

/* A set of shards, by number. */
struct lock_set {
    uint64_t bits[LOCK_WORDS];
};

/* The shards of the operation's keys; stores the keys' hashes in the operation. */
struct lock_set lock_shards_of(struct store *store, struct op *op);

/* Locks them. Unless `quick`, they count as held for long. If `quick`, returns false with none
 * locked if another thread holds one for long. */
bool lock_take(struct store *store, const struct lock_set *set, bool quick)
    __attribute__((warn_unused_result));

void lock_release(struct store *store, const struct lock_set *set, bool quick);

/* Iterates over the shards of a set in ascending order and removes each from it; NULL at the
 * end. */
struct shard *lock_next(struct store *store, struct lock_set *rest);

/* Visits every key that the operation names, with its database and hash. An operation that finds
 * its key itself, or concerns a whole database, names none. */
struct lock_visitor {
    void (*visit)(struct lock_visitor *visitor, uint32_t db, struct slice key, uint64_t *hash);
};
void lock_each_key(struct op *op, struct lock_visitor *visitor);

#endif
