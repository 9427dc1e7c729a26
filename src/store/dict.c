/* Open addressing with linear probing and backward-shift deletion: no tombstones, no chains. */
#include "store/dict.h"

#include "base/mem.h"
#include "store/entry.h"

#include <stdlib.h>

#define FIRST_CAPACITY 8

struct dict_slot {
    uint64_t hash;
    struct entry *entry; /* NULL = empty */
};

void dict_init(struct dict *dict)
{
    *dict = (struct dict){0};
}

void dict_deinit(struct dict *dict)
{
    for (size_t i = 0; i < dict->capacity; i++)
        entry_free(dict->slots[i].entry);
    free(dict->slots);
    dict_init(dict);
}

/* The slot that holds the key, or the empty one where it would go. The table is never full. */
static size_t find_slot(const struct dict *dict, uint64_t hash, struct slice key)
{
    size_t mask = dict->capacity - 1;
    size_t at = hash & mask;
    while (dict->slots[at].entry != NULL) {
        if (dict->slots[at].hash == hash && slice_equal(entry_key(dict->slots[at].entry), key))
            break;
        at = (at + 1) & mask;
    }
    return at;
}

struct entry *dict_find(const struct dict *dict, uint64_t hash, struct slice key)
{
    if (dict->count == 0)
        return NULL;
    return dict->slots[find_slot(dict, hash, key)].entry;
}

static void resize(struct dict *dict, size_t capacity)
{
    struct dict_slot *old = dict->slots;
    size_t old_capacity = dict->capacity;
    dict->slots = mem_alloc_zero(capacity * sizeof *dict->slots);
    dict->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].entry == NULL)
            continue;
        size_t at = old[i].hash & (capacity - 1);
        while (dict->slots[at].entry != NULL)
            at = (at + 1) & (capacity - 1);
        dict->slots[at] = old[i];
    }
    free(old);
}

void dict_put(struct dict *dict, uint64_t hash, struct entry *entry)
{
    if (dict->count + 1 > dict->capacity / 4 * 3)
        resize(dict, dict->capacity > 0 ? dict->capacity * 2 : FIRST_CAPACITY);
    struct dict_slot *slot = &dict->slots[find_slot(dict, hash, entry_key(entry))];
    if (slot->entry == NULL)
        dict->count++;
    entry_free(slot->entry);
    *slot = (struct dict_slot){.hash = hash, .entry = entry};
}

/* Closes the gap at `hole` by moving back each follower that its home slot allows to move. */
static void shift_back(struct dict *dict, size_t hole)
{
    size_t mask = dict->capacity - 1;
    for (size_t at = (hole + 1) & mask; dict->slots[at].entry != NULL; at = (at + 1) & mask) {
        size_t home = dict->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            dict->slots[hole] = dict->slots[at];
            hole = at;
        }
    }
    dict->slots[hole].entry = NULL;
}

bool dict_remove(struct dict *dict, uint64_t hash, struct slice key)
{
    if (dict->count == 0)
        return false;
    size_t at = find_slot(dict, hash, key);
    if (dict->slots[at].entry == NULL)
        return false;
    entry_free(dict->slots[at].entry);
    shift_back(dict, at);
    dict->count--;
    if (dict->capacity > FIRST_CAPACITY && dict->count < dict->capacity / 8)
        resize(dict, dict->capacity / 2);
    return true;
}
