/*
 * Creates entries directly, bypassing the operations. Knows nothing of files.
 *
 * Many strings are restored shard by shard. Their keys come in any order, and all tables together
 * are far larger than the caches (data and TLB), but the table of one shard is not.
 */
#include "store/restore.h"

#include "base/check.h"
#include "base/mem.h"
#include "store/data/entry.h"
#include "store/data/garbage.h"
#include "store/data/shard.h"
#include "store/list/list.h"

#include <stdlib.h>

/* How many strings in advance the memory of one is prefetched. */
#define PREFETCH_AHEAD ((size_t)8)

/* The place of a key. */
struct target {
    struct slab *slab;
    struct database *database;
    uint64_t hash;
    struct entry_stamp stamp;
};

/* False if the key exists already. */
static bool restore_find_target(struct store *store, const struct restore_key *key, uint64_t hash,
                                struct target *target)
{
    struct shard *shard = shard_of(store, hash);
    uint64_t version = key->version != 0 ? key->version : atomic_load(&store->revision);
    *target = (struct target){
        .slab = &shard->slab,
        .database = &shard->databases[key->db],
        .hash = hash,
        .stamp = {.version = version, .expire_at_ms = key->expire_at_ms},
    };
    return dict_find(&target->database->dict, hash, key->name) == NULL;
}

static void restore_put(const struct target *target, struct entry *entry)
{
    dict_add(&target->database->dict, target->hash, entry);
    DCHECK(entry_version(entry) == target->stamp.version);
    database_count(target->database, entry);
}

/* restore_string() for a key with that hash. */
static bool restore_hashed(struct store *store, const struct restore_key *key, uint64_t hash,
                           struct slice value)
{
    struct target target;
    if (!restore_find_target(store, key, hash, &target))
        return false;
    restore_put(&target, entry_new_string(target.slab, key->name, value, target.stamp));
    return true;
}

void restore_reserve(struct store *store, uint32_t db, uint64_t keys)
{
    for (size_t i = 0; i < store->shard_count; i++)
        dict_reserve(&store->shards[i].databases[db].dict, keys / store->shard_count);
}

bool restore_string(struct store *store, const struct restore_key *key, struct slice value)
{
    return restore_hashed(store, key, store_hash(store, key->name), value);
}

/* The indices of the strings in the order of their shards; freed with free(). */
static uint32_t *restore_order_by_shard(struct store *store, const struct restore_string *strings,
                                        size_t count)
{
    uint32_t *order = mem_alloc(count * sizeof *order);
    size_t starts[SHARDS_MAX + 1] = {0};
    for (size_t i = 0; i < count; i++)
        starts[shard_number(store, strings[i].hash) + 1]++;
    for (size_t i = 0; i < store->shard_count; i++)
        starts[i + 1] += starts[i];
    for (size_t i = 0; i < count; i++)
        order[starts[shard_number(store, strings[i].hash)]++] = (uint32_t)i;
    DCHECK(starts[store->shard_count] == count);
    return order;
}

static void restore_prefetch(struct store *store, const struct restore_string *string)
{
    struct shard *shard = shard_of(store, string->hash);
    dict_prefetch_bucket(&shard->databases[string->key.db].dict, string->hash);
    __builtin_prefetch(string->key.name.data);
    __builtin_prefetch(string->value.data);
}

/* Like restore_strings(); `order` has the indices in the order of restoring. */
static size_t restore_put_in_order(struct store *store, const struct restore_string *strings,
                                   const uint32_t *order, size_t count)
{
    size_t failed = count;
    for (size_t i = 0; i < count; i++) {
        if (i + 2 * PREFETCH_AHEAD < count)
            __builtin_prefetch(&strings[order[i + 2 * PREFETCH_AHEAD]]);
        if (i + PREFETCH_AHEAD < count)
            restore_prefetch(store, &strings[order[i + PREFETCH_AHEAD]]);
        const struct restore_string *string = &strings[order[i]];
        if (!restore_hashed(store, &string->key, string->hash, string->value) && order[i] < failed)
            failed = order[i];
    }
    return failed;
}

size_t restore_strings(struct store *store, struct restore_string *strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strings[i].hash = store_hash(store, strings[i].key.name);
    uint32_t *order = restore_order_by_shard(store, strings, count);
    size_t failed = restore_put_in_order(store, strings, order, count);
    free(order);
    return failed;
}

bool restore_list(struct store *store, const struct restore_key *key, struct list *list)
{
    struct target target;
    if (!restore_find_target(store, key, store_hash(store, key->name), &target))
        return false;
    restore_put(&target, entry_new_list(target.slab, key->name, list, target.stamp));
    return true;
}

void restore_revision(struct store *store, uint64_t revision)
{
    atomic_store(&store->revision, revision);
}

void restore_end(struct store *store, uint64_t revision)
{
    restore_revision(store, revision);
    for (size_t i = 0; i < store->shard_count; i++) {
        store->shards[i].removed = revision;
        removals_note_all(&store->shards[i].removals, revision);
    }
}

void restore_set_reserve(struct store *store, struct restore_reserve *reserve, uint64_t limit)
{
    if (store->reserve != reserve)
        store->reserve = reserve;
    atomic_store(&store->reserved, reserve != NULL ? limit : UINT64_MAX);
}

uint64_t restore_newest(struct store *store)
{
    return atomic_load(&store->revision);
}

void restore_collect(struct store *store)
{
    for (size_t i = 0; i < store->shard_count; i++) {
        struct shard *shard = &store->shards[i];
        if (shard->garbage != NULL)
            garbage_collect(shard, SIZE_MAX);
    }
}
