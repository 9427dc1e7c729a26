/* A set-associative table: a hash chooses the bucket, and the oldest entry of a full bucket is
 * overwritten. Knows neither keys nor entries. */
#include "store/data/removals.h"

#include "base/check.h"
#include "store/memory/heap.h"

#include <string.h>

/* Odd, so that the same key of different databases lies in different buckets. */
#define DB_FACTOR UINT64_C(0x9e3779b97f4a7c15)

#define TABLE_SIZE (REMOVALS_BUCKETS * sizeof(struct removals_bucket))

/* Where a key is stored. The top bits of its hash are the same for all keys of the shard. */
struct place {
    size_t bucket;
    uint32_t tag;
};

static struct place removals_place_of(uint32_t db, uint64_t hash)
{
    uint64_t mixed = hash + db * DB_FACTOR;
    return (struct place){.bucket = mixed % REMOVALS_BUCKETS, .tag = (uint32_t)(mixed >> 16)};
}

void removals_deinit(struct removals *removals)
{
    if (removals->buckets != NULL)
        heap_free(removals->buckets, TABLE_SIZE);
    *removals = (struct removals){0};
}

/* The entry with that tag, or else the one with the lowest revision: a free one has 0. */
static size_t removals_choose(const struct removals_bucket *bucket, uint32_t tag)
{
    size_t oldest = 0;
    for (size_t i = 0; i < REMOVALS_WAYS; i++) {
        if (bucket->revisions[i] != 0 && bucket->tags[i] == tag)
            return i;
        if (bucket->revisions[i] < bucket->revisions[oldest])
            oldest = i;
    }
    return oldest;
}

void removals_note(struct removals *removals, uint32_t db, uint64_t hash, uint64_t revision)
{
    DCHECK(revision > 0); /* 0 is a free entry */
    if (removals->buckets == NULL)
        removals->buckets = memset(heap_alloc(TABLE_SIZE), 0, TABLE_SIZE);
    struct place place = removals_place_of(db, hash);
    struct removals_bucket *bucket = &removals->buckets[place.bucket];
    size_t i = removals_choose(bucket, place.tag);
    if (bucket->tags[i] != place.tag && bucket->revisions[i] > bucket->forgotten)
        bucket->forgotten = bucket->revisions[i];
    bucket->tags[i] = place.tag;
    bucket->revisions[i] = revision;
    DCHECK(removals_latest(removals, db, hash) >= revision);
}

void removals_note_all(struct removals *removals, uint64_t revision)
{
    removals->all = revision;
}

uint64_t removals_latest(const struct removals *removals, uint32_t db, uint64_t hash)
{
    if (removals->buckets == NULL)
        return removals->all;
    struct place place = removals_place_of(db, hash);
    const struct removals_bucket *bucket = &removals->buckets[place.bucket];
    uint64_t latest = bucket->forgotten;
    for (size_t i = 0; i < REMOVALS_WAYS; i++) {
        if (bucket->revisions[i] != 0 && bucket->tags[i] == place.tag)
            latest = bucket->revisions[i];
    }
    return latest > removals->all ? latest : removals->all;
}

size_t removals_memory(const struct removals *removals)
{
    return removals->buckets != NULL ? heap_round(TABLE_SIZE) : 0;
}
