/*
 * When absent keys were removed: a small table per shard of the latest removals, so that a
 * transaction can tell whether an absent key was written and removed in the meantime. A key is
 * identified by its hash alone. The table forgets the oldest removals; for those it answers with a
 * later revision than theirs, never with an earlier one. Private to the store.
 */
#ifndef KEYSTORE_STORE_DATA_REMOVALS_H
#define KEYSTORE_STORE_DATA_REMOVALS_H

#include <stddef.h>
#include <stdint.h>

/* The capacity in removals: 512 per shard, so 32,768 in a store of 64 shards. At least half of it
 * is used before one is forgotten, unless the hashes are unlucky. */
#define REMOVALS_BUCKETS 64 /* a power of two */
#define REMOVALS_WAYS    8

struct removals_bucket {
    uint64_t forgotten; /* the newest revision among those overwritten */
    uint64_t revisions[REMOVALS_WAYS];
    uint32_t tags[REMOVALS_WAYS]; /* of the hashes; meaningful where the revision is not 0 */
};

/* All zero: empty. */
struct removals {
    uint64_t all;                    /* every key may have been removed at this revision */
    struct removals_bucket *buckets; /* NULL until the first removal */
};

void removals_deinit(struct removals *removals);

/* The commit with that revision, the newest of all, removed the key with that hash. */
void removals_note(struct removals *removals, uint32_t db, uint64_t hash, uint64_t revision);

/* The commit with that revision removed all keys, or may have. */
void removals_note_all(struct removals *removals, uint64_t revision);

/* The revision of the key's latest removal, or a later one at which some key was removed; 0 = never
 * removed. */
uint64_t removals_latest(const struct removals *removals, uint32_t db, uint64_t hash);

/* Bytes of memory. */
size_t removals_memory(const struct removals *removals);

#endif
