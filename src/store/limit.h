/*
 * The memory limit (--max-memory). Private to the store.
 *
 * What an operation needs is not predicted but measured. As long as it surely fits, it is simply
 * carried out (limit_is_far()). Near the limit it is carried out with an undo (undo.h); what it
 * has really taken is read from the slabs, and if that fits, it is reserved at once for all threads
 * and the writes stand. If not, they are taken back; room is made for just that, if there can be
 * any; and the operation is carried out again.
 *
 * Invariants, with U the bytes in use as the slabs have reported them (pages_used()):
 * 1. An operation that makes U larger leaves it at the limit at most, an OP_ADJUST at a 64th
 *    beyond. What the slabs have not reported is less than another 64th in all. A thread that was
 *    interrupted between finding that there is room and taking it, while others filled it, may go
 *    64 KiB beyond.
 * 2. An operation that does not make U larger stands, and nothing is evicted for it.
 * 3. Nothing is evicted for an operation unless, with the keys that it works on left aside, there
 *    is enough to evict for it. Those keys are not evicted.
 * 4. Before one is refused, garbage (data/garbage.h) was freed, what slabs had not reported was
 *    counted, and the reserves of strings that grew were given up.
 * 5. What is evicted is what is missing, and 4 KiB of small keys beside it, so that not every
 *    operation after this one has to be carried out twice.
 *
 * The limit is for what is in use. If what is held exceeds it by more than a fourteenth and 16 MiB,
 * lists that are gone are freed first (list_garbage.h), in proportion to the need; then what lies
 * in sparse pages is moved together first (compact.h), in proportion to the need; and if that was
 * not enough, a quarter more than needed is evicted.
 */
#ifndef KEYSTORE_STORE_LIMIT_H
#define KEYSTORE_STORE_LIMIT_H

#include "store/op.h"

struct arena;
struct store;

/* True if the operation surely fits, whatever it does. Needs no lock. */
bool limit_is_far(const struct store *store, const struct op *op);

/* Carries the operation out, as store_apply() does, or store_try_apply() if `quick`, or refuses it
 * with ERR_OUT_OF_MEMORY. No shard may be locked. */
enum store_answer limit_apply(struct store *store, struct op *op, struct arena *arena,
                              struct op_result *result, bool quick);

/* Bytes that an undo may copy with that limit, 0 = none. */
size_t limit_max_undo(const struct store *store);

#endif
