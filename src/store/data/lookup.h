/* Where a key is found. Private to the store. */
#ifndef KEYSTORE_STORE_DATA_LOOKUP_H
#define KEYSTORE_STORE_DATA_LOOKUP_H

#include "store/data/shard.h"
#include "store/list/list.h"

/* A key's place, and what is there. */
struct lookup {
    struct shard *shard;
    struct database *database;
    struct entry *entry; /* NULL = no such key */
    struct slice key;    /* borrowed from the operation */
    uint64_t hash;
    uint32_t db;
    uint64_t
        as_of; /* newest revision at which the key may have changed, as far as its shard knows */
    bool preserved; /* a snapshot can be ignored from now on */
};

/* Recharges the list at `at`, which took `former` bytes. */
static inline void lookup_recharge(const struct lookup *at, size_t former)
{
    size_t memory = list_memory(entry_list(at->entry));
    DCHECK(entry_expire_at_ms(at->entry) == 0 || at->database->expiring_memory >= former);
    slab_charge(&at->shard->slab, memory);
    slab_refund(&at->shard->slab, former);
    if (entry_expire_at_ms(at->entry) != 0)
        at->database->expiring_memory += memory - former;
}

#endif
