/* A hash table of keys with chaining. Does not know why they are in it. */
#include "journal/left_out.h"

#include "base/mem.h"
#include "store/op.h"

#include <stdlib.h>
#include <xxhash.h>

#define FIRST_BUCKETS 64

struct left_out_key {
    struct left_out_key *next;
    uint64_t hash; /* of its bytes */
    uint32_t db;
    uint32_t len;
    uint8_t bytes[];
};

static bool left_out_is_storable(struct slice key)
{
    return key.len > 0 && key.len <= OP_MAX_KEY;
}

/* Where the pointer to the key is, or to NULL; there are buckets. */
static struct left_out_key **left_out_find(const struct left_out *keys, uint32_t db,
                                           struct slice key, uint64_t hash)
{
    struct left_out_key **at = &keys->buckets[hash & (keys->bucket_count - 1)];
    for (; *at != NULL; at = &(*at)->next) {
        const struct left_out_key *there = *at;
        if (there->hash == hash && there->db == db &&
            slice_equal(slice_make(there->bytes, there->len), key))
            break;
    }
    return at;
}

static void left_out_grow(struct left_out *keys)
{
    struct left_out larger = {.count = keys->count};
    larger.bucket_count = keys->bucket_count > 0 ? keys->bucket_count * 2 : FIRST_BUCKETS;
    larger.buckets = mem_alloc_zero(larger.bucket_count * sizeof *larger.buckets);
    for (size_t i = 0; i < keys->bucket_count; i++) {
        for (struct left_out_key *key = keys->buckets[i], *next; key != NULL; key = next) {
            struct left_out_key **bucket = &larger.buckets[key->hash & (larger.bucket_count - 1)];
            next = key->next;
            key->next = *bucket;
            *bucket = key;
        }
    }
    free(keys->buckets);
    *keys = larger;
}

void left_out_add(struct left_out *keys, uint32_t db, struct slice key)
{
    if (!left_out_is_storable(key))
        return;
    if (keys->count >= keys->bucket_count)
        left_out_grow(keys);
    uint64_t hash = XXH3_64bits(key.data, key.len);
    struct left_out_key **at = left_out_find(keys, db, key, hash);
    if (*at != NULL)
        return;
    struct left_out_key *added = mem_alloc(sizeof *added + key.len);
    *added = (struct left_out_key){.hash = hash, .db = db, .len = (uint32_t)key.len};
    memcpy(added->bytes, key.data, key.len);
    *at = added;
    keys->count++;
}

void left_out_remove(struct left_out *keys, uint32_t db, struct slice key)
{
    if (keys->count == 0 || !left_out_is_storable(key))
        return;
    struct left_out_key **at = left_out_find(keys, db, key, XXH3_64bits(key.data, key.len));
    struct left_out_key *removed = *at;
    if (removed == NULL)
        return;
    *at = removed->next;
    free(removed);
    keys->count--;
}

bool left_out_has(const struct left_out *keys, uint32_t db, struct slice key)
{
    if (!left_out_is_storable(key))
        return true;
    return keys->count > 0 && *left_out_find(keys, db, key, XXH3_64bits(key.data, key.len)) != NULL;
}

void left_out_clear(struct left_out *keys, uint32_t db)
{
    for (size_t i = 0; i < keys->bucket_count && keys->count > 0; i++) {
        struct left_out_key **at = &keys->buckets[i];
        while (*at != NULL) {
            struct left_out_key *key = *at;
            if (key->db != db) {
                at = &key->next;
                continue;
            }
            *at = key->next;
            free(key);
            keys->count--;
        }
    }
}

void left_out_swap(struct left_out *keys, uint32_t one, uint32_t other)
{
    for (size_t i = 0; i < keys->bucket_count; i++) {
        for (struct left_out_key *key = keys->buckets[i]; key != NULL; key = key->next)
            key->db = key->db == one ? other : key->db == other ? one : key->db;
    }
}

void left_out_deinit(struct left_out *keys)
{
    for (size_t i = 0; i < keys->bucket_count; i++) {
        for (struct left_out_key *key = keys->buckets[i], *next; key != NULL; key = next) {
            next = key->next;
            free(key);
        }
    }
    free(keys->buckets);
    *keys = (struct left_out){0};
}
