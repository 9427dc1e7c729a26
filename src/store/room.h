/*
 * Making room under the memory limit. Private to the store.
 */
#ifndef KEYSTORE_STORE_ROOM_H
#define KEYSTORE_STORE_ROOM_H

#include "store/op.h"

struct store;

/*
 * Makes room for what the operation may need, as far as that can be told beforehand. False if there
 * is a limit and no room, and the policy has nothing to evict. No shard may be locked.
 *
 * The limit is for what is in use. If what is held exceeds it by more than a fourteenth and 16 MiB,
 * what lies in sparse pages is moved together first (compact.h), in proportion to the need; and if
 * that was not enough, a quarter more than needed is evicted.
 */
bool room_for(struct store *store, const struct op *op);

#endif
