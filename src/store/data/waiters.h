/*
 * Those who wait for a list at a key, in the order in which they came; one table per shard. Private
 * to the store.
 *
 * A queue belongs to a key of a database. Its first waiter is notified when a list appears at the
 * key, and then tries to pop like any other operation; the others only stand in line. When the
 * first one leaves, the next one is notified if there may still be a list.
 *
 * Invariants:
 *  1. waiters_join() is called under the lock of the key's shard by an operation that has found no
 *     list there or others in line, and waiters_on_list() under the same lock by the one that
 *     creates a list. So no list is missed.
 *  2. A queue is ready from the moment a list appears until its first waiter finds none. When it is
 *     ready, its first waiter has been notified.
 *  3. The table's own lock is held briefly and never while waiting, so a waiter can leave without
 *     the shard's lock, which a long operation may hold.
 */
#ifndef KEYSTORE_STORE_DATA_WAITERS_H
#define KEYSTORE_STORE_DATA_WAITERS_H

#include "base/mutex.h"
#include "store/op.h"

struct waiter_queue;

/* Of one shard. All zero is empty. */
struct waiters {
    atomic_size_t count; /* queues; changes under `lock` */
    struct mutex lock;
    struct waiter_queue **buckets; /* a power of two; NULL until there was a queue */
    size_t bucket_count;
};

/* There must be no queues. */
void waiters_deinit(struct waiters *waiters);

/* True if nobody but this waiter, which may be NULL, is first in line for the key, whose hash is
 * known. */
bool waiters_may_take(struct waiters *waiters, uint32_t db, const struct op_key *key,
                      const struct waiter *waiter);

/* Prepares the waiter, unless it is in line already, to wait for that many keys. */
void waiters_prepare(struct waiter *waiter, size_t key_count);

/* The waiter has found nothing at key number `i` of those that it waits for. Gets in line there,
 * unless it is already; if it is the first one, the queue is not ready any more. */
void waiters_join(struct waiters *waiters, uint32_t db, const struct op_key *key,
                  struct waiter *waiter, size_t i);

/* A list is at the key now. True if a waiter was notified. */
bool waiters_on_list(struct waiters *waiters, uint32_t db, struct slice key, uint64_t hash);

/* Lists may have appeared at all keys of the two databases. True if a waiter was notified. */
bool waiters_on_swap(struct waiters *waiters, uint32_t one, uint32_t other);

#endif
