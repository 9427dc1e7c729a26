/*
 * A hash table of entries by key. The caller hashes (one hash serves shard and dictionary) and must
 * give the same key the same hash always. The table owns its entries.
 *
 * Invariants: at most 3/4 of the slots are used; every entry is reachable by linear probing from
 * its home slot without crossing an empty one.
 */
#ifndef KEYSTORE_STORE_DICT_H
#define KEYSTORE_STORE_DICT_H

#include "base/slice.h"

struct entry;
struct dict_slot;

struct dict {
    struct dict_slot *_Atomic slots; /* NULL while nothing was ever stored */
    _Atomic size_t capacity;         /* slots, a power of two, or 0 */
    size_t count;                    /* entries */
};

/* An empty dictionary that holds no memory yet. */
void dict_init(struct dict *dict);

/* Frees all entries and the table; the dictionary is empty and usable afterwards. */
void dict_deinit(struct dict *dict);

/* The entry with that key, borrowed; NULL if there is none. */
struct entry *dict_find(const struct dict *dict, uint64_t hash, struct slice key);

/* Begins to fetch the slot where a search for the hash begins. The only function that needs no
 * lock. */
void dict_prefetch_slot(const struct dict *dict, uint64_t hash);

/* Begins to fetch the entry with that hash, if its slot is near. */
void dict_prefetch_entry(const struct dict *dict, uint64_t hash);

/* Stores the entry under its key and takes ownership; an entry that had the key is freed. */
void dict_put(struct dict *dict, uint64_t hash, struct entry *entry);

/* Removes and frees the entry with that key; false if there is none. */
bool dict_remove(struct dict *dict, uint64_t hash, struct slice key);

#endif
