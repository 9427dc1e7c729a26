/*
 * What the dictionary holds: a key with its value, in one allocation for a string below
 * ENTRY_MIN_BLOB bytes. A longer string is a blob, which answers share; a list's entry owns a
 * struct list.
 */
#ifndef KEYSTORE_STORE_ENTRY_H
#define KEYSTORE_STORE_ENTRY_H

#include "base/slice.h"

struct blob;
struct list;

enum entry_type { ENTRY_STRING, ENTRY_LIST };

struct entry {
    uint64_t version; /* revision of the last write */
    union {
        struct blob *blob; /* of a string that is not inline, else NULL */
        struct list *list; /* ENTRY_LIST only */
    };
    uint32_t key_len;
    uint32_t value_len; /* ENTRY_STRING only */
    enum entry_type type;
    uint8_t bytes[]; /* the key, then a string that is no blob */
};

/* Strings and elements from this many bytes on are sent without being copied. */
#define ENTRY_MIN_BLOB ((size_t)16 * 1024)

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
struct slice entry_string(const struct entry *entry);

#endif
