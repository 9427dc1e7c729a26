/*
 * Long reads of many keys, which hold up nobody: they take the lock of one shard at a time, for a
 * few hundred keys and some ten microseconds, and are atomic all the same. (Pieces with keys of all
 * shards would hold nearly all locks nearly all the time, and since the locks are not fair, others
 * would wait for milliseconds.) Private to the store.
 *
 * The read notes the newest revision before its first piece. If no key that it comes to has a
 * version above that, or was removed or swapped later, then all of them are as they were at that
 * revision:
 *  1. A commit with a later revision that wrote a key before its piece was read is found by the
 *     key's version, by the revision of its removal (data/removals.h), or by that of the swap of
 *     its database (data/shard.h).
 *  2. A commit with a later revision that wrote a key after its piece was read is not seen by that
 *     piece, nor by any other, because of 1.
 *  3. A commit with that revision or an earlier one that has not ended holds the locks of all its
 *     keys, and took them before the read began; each piece waits for them, and sees it whole.
 * Else the read starts again, and after a few attempts is done under all locks at once.
 */
#ifndef KEYSTORE_STORE_OPS_PIECES_H
#define KEYSTORE_STORE_OPS_PIECES_H

#include "store/op.h"

struct arena;
struct store;

/*
 * Carries the operation out in pieces, as store_apply() does. False if it is not one that gains by
 * that, or others kept writing its keys: then nothing has happened, and `result` is zero.
 */
bool pieces_apply(struct store *store, struct op *op, struct arena *arena, struct op_result *result)
    __attribute__((warn_unused_result));

#endif
