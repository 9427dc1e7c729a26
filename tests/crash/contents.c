/* Hashes each key with all that belongs to it, and adds the hashes up, so that the order does not
 * matter. */
#include "crash/contents.h"

#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list.h"
#include "store/restore.h"

#include <xxhash.h>

struct sum {
    const struct database *database;
    uint32_t db;
    uint64_t total;
};

/* Continues a hash with these bytes, distinct from any other way of joining them. */
static uint64_t add(uint64_t hash, struct slice bytes)
{
    static const uint8_t nothing;
    return XXH3_64bits_withSeed(bytes.len > 0 ? bytes.data : &nothing, bytes.len, hash);
}

static uint64_t add_value(uint64_t hash, const struct entry *entry)
{
    struct list_cursor cursor;
    if (entry_type(entry) == ENTRY_STRING)
        return add(hash, entry_string(entry));
    for (bool on = list_seek(entry_list(entry), &cursor, 0); on; on = list_next(&cursor))
        hash = add(hash, list_cursor_value(&cursor));
    return hash;
}

static void add_entry(void *context, struct entry *entry)
{
    struct sum *sum = context;
    uint64_t numbers[] = {sum->db, entry_type(entry), (uint64_t)entry_expire_at_ms(entry),
                          database_version(sum->database, entry)};
    uint64_t hash = add(0, slice_make(numbers, sizeof numbers));
    sum->total += add_value(add(hash, entry_key(entry)), entry);
}

static void scan(const struct dict *dict, void (*on_entry)(void *context, struct entry *entry),
                 void *context)
{
    uint64_t cursor = 0;
    do
        cursor = dict_scan(dict, cursor, on_entry, context);
    while (cursor != 0);
}

uint64_t contents_hash(const struct store *store)
{
    struct sum sum = {0};
    for (size_t i = 0; i < store->shard_count; i++) {
        for (sum.db = 0; sum.db < store->databases; sum.db++) {
            sum.database = &store->shards[i].databases[sum.db];
            if (sum.database->dict.count > 0)
                scan(&sum.database->dict, add_entry, &sum);
        }
    }
    return sum.total;
}

void contents_clear(struct store *store)
{
    for (size_t i = 0; i < store->shard_count; i++) {
        struct shard *shard = &store->shards[i];
        for (uint32_t db = 0; db < store->databases; db++) {
            if (shard->databases[db].dict.count > 0)
                dict_clear(&shard->databases[db].dict);
            shard->databases[db].expiring = 0;
            shard->databases[db].swapped_at = 0;
        }
        shard->removed = 0;
    }
    restore_collect(store);
    restore_revision(store, 0);
}
