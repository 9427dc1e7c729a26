/*
 * The data: databases of keys, split into shards. The store does no I/O, reads no clock and knows
 * no protocol; the same operation on the same data gives the same result.
 *
 * A key belongs to one shard, chosen by its hash, and is read and written only under that shard's
 * lock. An operation holds the locks of all its keys, so it is atomic. What an operation writes is
 * a commit: it takes the store's next revision, which becomes the version of the keys it wrote. So
 * the versions of a key never repeat, not even across deletion and re-creation.
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

/* Frees the store and all data; no other thread may be using it. NULL is allowed. */
void store_free(struct store *store);

/* From now on `sink` (borrowed; NULL for none) receives all commits and assigns the revisions. */
void store_set_sink(struct store *store, struct change_sink *sink);

/* The same while operations are carried out: between two commits. False, with nothing done, if a
 * long operation is under way; on_freed is called when it is over. `choose` returns the sink, given
 * the present one and the revision of the newest commit. If there is none yet, an empty one is
 * made: to watchers, revision 0 does not mean the beginning, but now. */
bool store_change_sink(struct store *store,
                       struct change_sink *(*choose)(void *user, struct change_sink *present,
                                                     uint64_t revision),
                       void *user) __attribute__((warn_unused_result));

uint32_t store_databases(const struct store *store);

/* Keys in a database, summed over the shards, which are not read at the same instant. */
size_t store_count(struct store *store, uint32_t db);

/* The store's statistics for Info; summed like store_count(). */
struct store_stats {
    uint64_t expired_keys;
    uint64_t evicted_keys;
    uint64_t evicted_by[STORE_POLICIES]; /* the same, by the policy that chose them */
    uint64_t hits, misses;               /* of reads that looked for a key */
    size_t used_memory;                  /* bytes in use by data and the structures that hold it */
    size_t resident_memory;              /* bytes taken from the system for them */
};
struct store_stats store_stats(struct store *store);

/* The memory limit in effect. Any thread. */
struct store_limit store_limit(const struct store *store);

/*
 * Changes it; any thread, while operations are carried out. A higher limit is in effect
 * immediately. A limit below what is in use is reached gradually: what is in use does not grow, and
 * each operation that needs memory, and store_shrink(), evicts a few keys; if the policy is to
 * evict nothing, operations that need memory are refused until the data fit. A policy may come into
 * effect only with a later store_shrink(), if a long operation is under way.
 */
void store_set_limit(struct store *store, struct store_limit limit);

/* Lifts the limit while recovery replays a log: nothing must be evicted then, as the log contains
 * the evictions. Afterwards more may be in use than it allows, as if it had been lowered. While it
 * is lifted, store_set_limit() changes what will be in effect. */
void store_lift_limit(struct store *store, bool is_lifted);

/* Evicts some keys if more is in use than a lowered limit allows, for some 10 us. True if it is to
 * be called again soon. */
bool store_shrink(struct store *store);

/* Keys with a deadline in a database; like store_count(). */
size_t store_expiring(struct store *store, uint32_t db);

/* A hint: these operations, at most STORE_PREFETCH, come next. Prefetches the memory of their keys
 * into the cache, so that they do not wait for it one after the other, and stores the keys' hashes
 * in the operations. */
void store_prefetch(struct store *store, struct op *const *ops, size_t count);

/*
 * Carries out the operation, whose keys and databases are valid, atomically. May be called from any
 * thread; waits for the locks it needs and holds them, however long that takes. Fills `result`;
 * what it points to is copied to `arena`.
 */
void store_apply(struct store *store, struct op *op, struct arena *arena, struct op_result *result);

/*
 * The same for a thread that must not block: it neither waits for an operation that holds a lock
 * for long, nor works for more than about a millisecond on long values. (The caller can judge by
 * itself how long an operation of many keys or values takes, from its size.) Unless it returns
 * STORE_DONE or STORE_NOTIFIED, nothing has happened, and `result` is zero.
 */
enum store_answer store_try_apply(struct store *store, struct op *op, struct arena *arena,
                                  struct op_result *result) __attribute__((warn_unused_result));

/* From now on `on_freed` is called, on any thread, when locks that were held for long are released,
 * so that operations that ended with STORE_HELD can be retried. */
void store_on_freed(struct store *store, void (*on_freed)(void *user), void *user);

/* The position of a sweep. Belongs to one thread; initially zero but for `part` and `parts`. */
struct store_sweep {
    unsigned part, parts; /* covers shards whose number mod parts is part; 0 <= part < parts */
    unsigned shard;
    uint32_t db;
    uint64_t cursor;
};

/* What a step of a sweep has done. */
struct store_swept {
    size_t visited; /* keys visited */
    size_t removed; /* of these, keys that had expired or were garbage of FlushDb; also objects
                       moved by compaction, and chunks freed of deleted lists */
    bool lap;       /* the sweep has covered all its shards and starts over */
};

/* Continues the sweep for some 10 us: removes keys that have expired at `now_ms`, and compacts
 * fragmented memory, so that pages can be returned to the system. */
struct store_swept store_sweep(struct store *store, struct store_sweep *sweep, int64_t now_ms);

#endif
