/*
 * Keys whose values the store being loaded lacks: of other types, or written by commands that could
 * not be replayed. What derives from such a key is left out as well, so that no key gets a value
 * that it did not have in Redis.
 */
#ifndef KEYSTORE_JOURNAL_LEFT_OUT_H
#define KEYSTORE_JOURNAL_LEFT_OUT_H

#include "base/slice.h"

struct left_out_key;

/* All zero is empty. Private to its functions. */
struct left_out {
    struct left_out_key **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

/* Adding a key twice is a no-op. Keys of a length that the store does not take need not be added:
 * left_out_has() is true for them. */
void left_out_add(struct left_out *keys, uint32_t db, struct slice key);

/* The store has the key's true value again, or rightly none. */
void left_out_remove(struct left_out *keys, uint32_t db, struct slice key);

/* True if the store does not show whether the key exists and what its value is. */
bool left_out_has(const struct left_out *keys, uint32_t db, struct slice key);

/* The database was emptied. */
void left_out_clear(struct left_out *keys, uint32_t db);

/* The databases were swapped. */
void left_out_swap(struct left_out *keys, uint32_t one, uint32_t other);

void left_out_deinit(struct left_out *keys);

#endif
