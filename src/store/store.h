/*
 * The data: databases of keys, split in shards. It does no I/O, reads no clock and knows no
 * protocol; the same operation on the same data gives the same result.
 *
 * A key belongs to one shard, found by its hash, and is read and written only under that shard's
 * lock; an operation holds the locks of all its keys, so each is atomic. Every operation that
 * changes something takes the store's next revision, which becomes the version of the keys that it
 * wrote; so the versions of a key never repeat, also across delete and re-creation.
 */
#ifndef KEYSTORE_STORE_STORE_H
#define KEYSTORE_STORE_STORE_H

#include "base/slice.h"
#include "store/op.h"
#include "store/options.h"

struct arena;
struct change_sink;
struct store;

/* An empty store with a fresh secret for its key hash. */
struct store *store_new(const struct store_options *options);

/* Frees the store and all data; nobody may be at work in it. NULL is allowed. */
void store_free(struct store *store);

/* From now on `sink` (borrowed; NULL: nobody) is told of all writes, and gives the revisions. */
void store_set_sink(struct store *store, struct change_sink *sink);

uint32_t store_databases(const struct store *store);

/* Keys in a database, over all shards; each shard is counted at its own instant. */
size_t store_count(struct store *store, uint32_t db);

/* What INFO tells of the store; added up over all shards, each at its own instant. */
struct store_stats {
    uint64_t expired_keys;
    uint64_t evicted_keys;
    size_t used_memory;     /* bytes of data, and what keeps it in order */
    size_t resident_memory; /* bytes taken from the system for that */
};
struct store_stats store_stats(struct store *store);

/* Keys with a deadline in a database; like store_count(). */
size_t store_expiring(struct store *store, uint32_t db);

/* A hint: these operations, STORE_PREFETCH at most, come next. Fetches the memory of their keys
 * into the cache, so that they do not wait for it one after the other; and notes those keys'
 * hashes. */
void store_prefetch(struct store *store, struct op *const *ops, size_t count);

/*
 * Carries out the operation, whose keys and databases are valid, atomically, from any thread, and
 * waits for the locks it needs and holds them, however long that takes. `result` is filled; what it
 * points to is copied to `arena`.
 */
void store_apply(struct store *store, struct op *op, struct arena *arena, struct op_result *result);

/*
 * The same for a thread that has others to serve: it neither waits for an operation that holds its
 * locks for long, nor does more than takes about a millisecond. (What an operation of many keys or
 * values takes can be told from its size; this is about those on long values.) Unless it is
 * STORE_DONE, nothing has happened, and `result` is zero.
 */
enum store_answer store_try_apply(struct store *store, struct op *op, struct arena *arena,
                                  struct op_result *result) __attribute__((warn_unused_result));

/* From now on `on_freed` is called, on any thread, when locks that were held for long are free, so
 * that what was STORE_HELD may be tried again. */
void store_on_freed(struct store *store, void (*on_freed)(void *user), void *user);

/* Where a sweep is. One thread's; zero but for the first two to begin with. */
struct store_sweep {
    unsigned part, parts; /* the shards whose number mod parts is part: 0 <= part < parts */
    unsigned shard;
    uint32_t db;
    uint64_t cursor;
};

/* What a step of a sweep has done. */
struct store_swept {
    size_t visited; /* keys looked at */
    size_t removed; /* of these, keys whose deadline had come, or that FlushDb has left; and what
                       was moved, or freed of lists that are gone */
    bool lap;       /* the sweep has been everywhere and begins anew */
};

/* Goes on for some 10 us, removes what has expired at `now_ms`, and moves keys out of pages of
 * memory that are half empty, so that these can be given back. */
struct store_swept store_sweep(struct store *store, struct store_sweep *sweep, int64_t now_ms);

#endif
