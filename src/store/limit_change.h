/*
 * The limit and the policy while they change. Private to the store.
 *
 * A limit that is lowered below what is in use is reached gradually: until then a ceiling, which
 * starts at what is in use and follows it down, takes its place. So what limit.h says of the limit
 * holds of the ceiling; what is in use never grows, and no operation has to evict more than it
 * needs and a few keys on top. Without eviction there is nothing to wait for: the limit itself is
 * in force, and operations that need memory are refused.
 *
 * An operation takes the policy and the limit in force once, at its start, and may end with them
 * when they have changed meanwhile. A policy that depends on use comes into effect when all shards
 * have what it needs (visits_prepare()), which they keep.
 */
#ifndef KEYSTORE_STORE_LIMIT_CHANGE_H
#define KEYSTORE_STORE_LIMIT_CHANGE_H

#include "store/options.h"

struct store;

/* Of a new store, which nobody uses yet; its pages and shards are there. */
void limit_change_init(struct store *store, struct store_limit limit);

/* As store_set_limit() and store_lift_limit(). */
void limit_change_to(struct store *store, struct store_limit limit);
void limit_change_lift(struct store *store, bool is_lifted);

/* Puts a change in effect that had to wait for a lock. */
void limit_change_retry(struct store *store);

/* Bytes that may be in use under that policy: the limit or, until it is reached, the ceiling. More
 * than there can be, but at most SIZE_MAX / 2, if there is no limit. */
size_t limit_change_in_force(struct store *store, enum store_policy policy);

/* Evicts up to that many keys while there is a ceiling; skips shards that are held for long. False
 * if none was evicted. */
bool limit_change_shrink(struct store *store, size_t keys);

#endif
