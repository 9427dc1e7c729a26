/*
 * The data: databases of keys, split in shards. It does no I/O, reads no clock and knows no
 * protocol; the same operation on the same data gives the same result.
 *
 * A key belongs to one shard, found by its hash, and is read and written only under that shard's
 * lock. Every write takes the next revision of its shard, which becomes the key's version; so the
 * versions of a key never repeat, also across delete and re-creation.
 */
#ifndef KEYSTORE_STORE_STORE_H
#define KEYSTORE_STORE_STORE_H

#include "base/slice.h"

struct arena;
struct op;
struct op_result;
struct store;
struct shard;

/* An empty store with databases 0 to databases - 1 and a fresh secret for its key hash. */
struct store *store_new(uint32_t databases);

/* Frees the store and all data; nobody may hold a lock. NULL is allowed. */
void store_free(struct store *store);

uint32_t store_databases(const struct store *store);

/* Keys in a database, over all shards; each shard is counted at its own instant. */
size_t store_count(struct store *store, uint32_t db);

/*
 * Two hints for a batch of operations that come next: first the slot of each key's place is fetched
 * into the cache, then, when those have arrived, each key's entry, so that the operations do not
 * wait for memory one after the other.
 */
void store_prefetch_slot(struct store *store, struct op *op);
void store_prefetch_entry(struct store *store, const struct op *op);

/* Locks the shard of the operation's key and notes the key's hash in the operation. */
struct shard *store_lock(struct store *store, struct op *op);
void store_unlock(struct shard *shard);

/*
 * Carries out the operation, whose key and database are valid, in its locked shard. `now_ms` is the
 * wall clock as the caller wants it seen. `result` is zeroed and filled; what it points to is
 * copied to `arena`.
 */
void store_apply(struct shard *shard, const struct op *op, int64_t now_ms, struct arena *arena,
                 struct op_result *result);

#endif
