/* Open addressing with linear probing and backward-shift deletion: no tombstones, no chains. */
#include "store/dict.h"

#include "base/mem.h"
#include "store/entry.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FIRST_CAPACITY 8
/* How far from its home a prefetch looks for an entry. */
#define PREFETCH_SLOTS 4
#define CACHE_LINE     64

struct dict_slot {
    uint64_t hash;
    struct entry *entry; /* NULL = empty */
};

/* Under the lock nobody else writes, so that relaxed loads are plain ones. */
static struct dict_slot *slots_of(const struct dict *dict)
{
    return atomic_load_explicit(&dict->slots, memory_order_relaxed);
}

static size_t capacity_of(const struct dict *dict)
{
    return atomic_load_explicit(&dict->capacity, memory_order_relaxed);
}

static void set_table(struct dict *dict, struct dict_slot *slots, size_t capacity)
{
    atomic_store_explicit(&dict->slots, slots, memory_order_relaxed);
    atomic_store_explicit(&dict->capacity, capacity, memory_order_relaxed);
}

void dict_init(struct dict *dict)
{
    set_table(dict, NULL, 0);
    dict->count = 0;
}

void dict_deinit(struct dict *dict)
{
    struct dict_slot *slots = slots_of(dict);
    for (size_t i = 0; i < capacity_of(dict); i++)
        entry_free(slots[i].entry);
    free(slots);
    dict_init(dict);
}

/* The slot that holds the key, or the empty one where it would go. The table is never full. */
static struct dict_slot *find_slot(const struct dict *dict, uint64_t hash, struct slice key)
{
    struct dict_slot *slots = slots_of(dict);
    size_t mask = capacity_of(dict) - 1;
    size_t at = hash & mask;
    while (slots[at].entry != NULL) {
        if (slots[at].hash == hash && slice_equal(entry_key(slots[at].entry), key))
            break;
        at = (at + 1) & mask;
    }
    return &slots[at];
}

struct entry *dict_find(const struct dict *dict, uint64_t hash, struct slice key)
{
    return dict->count > 0 ? find_slot(dict, hash, key)->entry : NULL;
}

void dict_prefetch_slot(const struct dict *dict, uint64_t hash)
{
    /* Another thread may be resizing: then the address is useless, but it is not followed. */
    size_t capacity = capacity_of(dict);
    if (capacity > 0)
        __builtin_prefetch(slots_of(dict) + (hash & (capacity - 1)));
}

void dict_prefetch_entry(const struct dict *dict, uint64_t hash)
{
    if (dict->count == 0)
        return;
    const struct dict_slot *slots = slots_of(dict);
    size_t mask = capacity_of(dict) - 1;
    for (size_t i = 0; i < PREFETCH_SLOTS; i++) {
        const struct dict_slot *slot = &slots[(hash + i) & mask];
        if (slot->hash == hash && slot->entry != NULL) {
            /* Header and key; short values end in the next line. */
            __builtin_prefetch(slot->entry);
            __builtin_prefetch((const char *)slot->entry + CACHE_LINE);
            return;
        }
    }
}

static void resize(struct dict *dict, size_t capacity)
{
    struct dict_slot *old = slots_of(dict);
    size_t old_capacity = capacity_of(dict);
    struct dict_slot *slots = mem_alloc_zero(capacity * sizeof *slots);
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].entry == NULL)
            continue;
        size_t at = old[i].hash & (capacity - 1);
        while (slots[at].entry != NULL)
            at = (at + 1) & (capacity - 1);
        slots[at] = old[i];
    }
    set_table(dict, slots, capacity);
    free(old);
}

void dict_put(struct dict *dict, uint64_t hash, struct entry *entry)
{
    size_t capacity = capacity_of(dict);
    if (dict->count + 1 > capacity / 4 * 3)
        resize(dict, capacity > 0 ? capacity * 2 : FIRST_CAPACITY);
    struct dict_slot *slot = find_slot(dict, hash, entry_key(entry));
    if (slot->entry == NULL)
        dict->count++;
    entry_free(slot->entry);
    *slot = (struct dict_slot){.hash = hash, .entry = entry};
}

/* Closes the gap at `hole` by moving back each follower that its home slot allows to move. */
static void shift_back(struct dict *dict, size_t hole)
{
    struct dict_slot *slots = slots_of(dict);
    size_t mask = capacity_of(dict) - 1;
    for (size_t at = (hole + 1) & mask; slots[at].entry != NULL; at = (at + 1) & mask) {
        size_t home = slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            slots[hole] = slots[at];
            hole = at;
        }
    }
    slots[hole].entry = NULL;
}

bool dict_remove(struct dict *dict, uint64_t hash, struct slice key)
{
    if (dict->count == 0)
        return false;
    struct dict_slot *slot = find_slot(dict, hash, key);
    if (slot->entry == NULL)
        return false;
    entry_free(slot->entry);
    shift_back(dict, (size_t)(slot - slots_of(dict)));
    dict->count--;
    size_t capacity = capacity_of(dict);
    if (capacity > FIRST_CAPACITY && dict->count < capacity / 8)
        resize(dict, capacity / 2);
    return true;
}
