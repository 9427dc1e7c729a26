/*
 * When keys that are absent were removed: a small table per shard of the latest removals, so that a
 * transaction can tell whether a key that was absent has been written and removed since. A key is
 * known by its hash alone. The table forgets the oldest removals and answers for these with a later
 * revision than theirs, never with an earlier one. Private to the store.
 */
#ifndef KEYSTORE_STORE_DATA_REMOVALS_H
#define KEYSTORE_STORE_DATA_REMOVALS_H

#include <stddef.h>
#include <stdint.h>

/* Removals that a table holds at least a half of before it forgets one, unless the hashes are
 * unlucky: 512 a shard, so 32,768 in a store of 64 shards. */
#define REMOVALS_BUCKETS 64 /* a power of two */
#define REMOVALS_WAYS    8

struct removals_bucket {
    uint64_t forgotten; /* the newest revision of those that made room */
    uint64_t revisions[REMOVALS_WAYS];
    uint32_t tags[REMOVALS_WAYS]; /* of the hashes; meaningful where the revision is not 0 */
};

/* All zero is empty. */
struct removals {
    uint64_t all;                    /* every key may have been removed at this revision */
    struct removals_bucket *buckets; /* NULL until the first removal */
};

void removals_deinit(struct removals *removals);

/* The key with that hash was removed by the unit with that revision, the newest of all. */
void removals_note(struct removals *removals, uint32_t db, uint64_t hash, uint64_t revision);

/* All keys were, or may have been. */
void removals_note_all(struct removals *removals, uint64_t revision);

/* The revision of the key's latest removal, or a later one at which some key was removed; 0 = it
 * never was. */
uint64_t removals_latest(const struct removals *removals, uint32_t db, uint64_t hash);

/* Bytes of memory. */
size_t removals_memory(const struct removals *removals);

#endif
