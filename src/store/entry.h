/*
 * What the dictionary holds: a key with its value, in one allocation for a string. A list's entry
 * has the key inline and owns a struct list.
 */
#ifndef KEYSTORE_STORE_ENTRY_H
#define KEYSTORE_STORE_ENTRY_H

#include "base/slice.h"

struct list;

enum entry_type { ENTRY_STRING, ENTRY_LIST };

struct entry {
    uint64_t version;  /* revision of the last write */
    struct list *list; /* ENTRY_LIST only */
    uint32_t key_len;
    uint32_t value_len; /* ENTRY_STRING only */
    enum entry_type type;
    uint8_t bytes[]; /* the key, then the string */
};

/* Longest string in bytes: what value_len can hold. */
#define ENTRY_MAX_VALUE UINT32_MAX

/* A string entry with copies of both; value.len is at most ENTRY_MAX_VALUE. */
struct entry *entry_new_string(struct slice key, struct slice value);

/* A list entry with a copy of the key and an empty list. */
struct entry *entry_new_list(struct slice key);

/* Frees the entry and what it owns. NULL is allowed. */
void entry_free(struct entry *entry);

static inline struct slice entry_key(const struct entry *entry)
{
    return slice_make(entry->bytes, entry->key_len);
}

/* The string of an ENTRY_STRING, borrowed. */
static inline struct slice entry_string(const struct entry *entry)
{
    return slice_make(entry->bytes + entry->key_len, entry->value_len);
}

#endif
