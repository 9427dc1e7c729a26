/*
 * The memory limit (--max-memory). Private to the store.
 *
 * What an operation needs is measured, not predicted. An operation that fits in any case is simply
 * carried out (limit_is_far()). Near the limit it is carried out with an undo log (undo.h). How
 * much it really took is read from the slabs; if that fits, it is reserved in the count that all
 * threads share, and the commit stands. If not, it is rolled back, as much memory is freed, if that
 * is possible, and the operation is carried out again.
 *
 * The limit is the one in force when the operation starts (limit_change.h): after it was lowered,
 * it comes down with what is in use, and each operation evicts a few keys on top.
 *
 * Invariants, where U is the bytes in use as the slabs have reported them (pages_used()):
 * 1. An operation that increases U leaves it at or below the limit, an OP_ADJUST at most a 64th
 *    above. What the slabs have not reported is less than another 64th in total. A thread that is
 *    interrupted between the check and the allocation, while others use the memory up, may exceed
 *    the limit by 64 KiB.
 * 2. An operation that does not increase U stands, and nothing is evicted for it.
 * 3. Nothing is evicted for an operation unless enough can be evicted without the keys that it
 *    works on. Those keys are not evicted. (What it evicts on top for a lowered limit is not
 *    evicted for it: until U is at or below the limit, an operation that is refused does that, too,
 *    and these may be its keys.)
 * 4. Before an operation is refused, garbage (data/garbage.h) has been freed, the slabs have
 *    reported what they use, and the reserves of strings that grew have been reclaimed; unless
 *    nothing may be evicted and far more is in use than a lowered limit allows.
 * 5. Eviction frees what is missing, and small keys of 4 KiB in total on top, so that not every
 *    later operation has to be carried out twice.
 *
 * The limit applies to memory in use. When resident memory exceeds it by more than a fourteenth and
 * 16 MiB, an operation first returns what is only kept to be used again (base/runs.h), then frees
 * deleted lists (list_garbage.h), then compacts fragmented memory (compact.h), the latter two in
 * proportion to what it needs; if that was not enough, a quarter more than it needs is evicted.
 */
#ifndef KEYSTORE_STORE_LIMIT_H
#define KEYSTORE_STORE_LIMIT_H

#include "store/op.h"

struct arena;
struct store;

/* True if the operation fits, whatever it does. Needs no lock. */
bool limit_is_far(const struct store *store, const struct op *op);

/* Carries the operation out like store_apply(), or like store_try_apply() if `quick`, or refuses it
 * with ERR_OUT_OF_MEMORY. The caller holds no shard's lock. */
enum store_answer limit_apply(struct store *store, struct op *op, struct arena *arena,
                              struct op_result *result, bool quick);

/* Bytes that an undo log may copy under the store's limit (or without one). */
size_t limit_max_undo(const struct store *store);

#endif
