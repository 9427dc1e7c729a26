/* Checks the invariants of a dictionary from outside: knows nothing of buckets. */
#include "store/data/dict.h"

#include "store/data/entry.h"

struct census {
    const struct dict *dict;
    size_t count;
    bool all_found; /* under their keys */
};

/* A search finds only the first entry of a key, so a duplicate is not found. */
static void dict_sound_check_entry(void *context, struct entry *entry)
{
    struct census *census = context;
    const struct dict_hasher *hasher = census->dict->hasher;
    struct slice key = entry_key(entry);
    uint64_t hash = hasher->hash(hasher->context, key);
    census->all_found = census->all_found && dict_find(census->dict, hash, key) == entry;
    census->count++;
}

bool dict_is_sound(const struct dict *dict)
{
    struct census census = {.dict = dict, .all_found = true};
    uint64_t cursor = 0;
    do
        cursor = dict_scan(dict, cursor, dict_sound_check_entry, &census);
    while (cursor != 0);
    return census.all_found && census.count == dict->count && 2 * dict->overflows <= dict->count;
}
