/*
 * A bucket of a dictionary: a cache line of up to nine pointers of six bytes each, with one byte of
 * each entry's hash, the tag. The last slot of a full bucket may link to another bucket. Private to
 * dict.c.
 */
#ifndef KEYSTORE_STORE_DATA_DICT_BUCKET_H
#define KEYSTORE_STORE_DATA_DICT_BUCKET_H

#include "base/check.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

#define SLOTS        9
#define LINK_SLOT    (SLOTS - 1)
#define POINTER_SIZE 6
#define POINTER_MASK (((uint64_t)1 << 48) - 1)
#define LINKED       0x80
#define COUNT_MASK   0x0f
#define BUCKET_SIZE  ((size_t)64)

struct dict_bucket {
    uint8_t pointers[SLOTS * POINTER_SIZE];
    uint8_t tags[SLOTS];
    uint8_t meta;
};

_Static_assert(sizeof(struct dict_bucket) == BUCKET_SIZE, "a bucket is a cache line");

static inline unsigned bucket_count(const struct dict_bucket *bucket)
{
    return bucket->meta & COUNT_MASK;
}

static inline void *bucket_load(const struct dict_bucket *bucket, unsigned slot)
{
    uint64_t address;
    memcpy(&address, (const uint8_t *)bucket + (size_t)slot * POINTER_SIZE, sizeof address);
    return (void *)(uintptr_t)(address & POINTER_MASK);
}

static inline void bucket_store(struct dict_bucket *bucket, unsigned slot, const void *pointer)
{
    uint64_t address = (uintptr_t)pointer;
    CHECK(address <= POINTER_MASK); /* user space has 47 bits */
    memcpy(bucket->pointers + (size_t)slot * POINTER_SIZE, &address, POINTER_SIZE);
}

static inline struct dict_bucket *bucket_next(const struct dict_bucket *bucket)
{
    return bucket->meta & LINKED ? bucket_load(bucket, LINK_SLOT) : NULL;
}

static inline uint8_t bucket_tag(uint64_t hash)
{
    return (uint8_t)(hash >> 48);
}

#ifdef __SSE2__
/* A bit for each slot that may have that tag; bits above those are undefined. The last quarter of a
 * bucket is compared in one instruction: six bytes of pointers, the tags, and `meta`. */
static inline unsigned bucket_match_tags(const struct dict_bucket *bucket, uint8_t tag)
{
    const size_t last = BUCKET_SIZE - sizeof(__m128i);
    __m128i bytes =
        _mm_loadu_si128((const __m128i_u *)(const void *)((const uint8_t *)bucket + last));
    __m128i equal = _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)tag));
    return (unsigned)_mm_movemask_epi8(equal) >> (offsetof(struct dict_bucket, tags) - last);
}
#else
/* A bit for each slot with that tag. The tags of slots 0 to 7 are compared in parallel: a byte of
 * `low` has its highest bit set unless the tags are equal in the other seven. */
static inline unsigned bucket_match_tags(const struct dict_bucket *bucket, uint8_t tag)
{
    const uint64_t ones = 0x0101010101010101u, sevens = 0x7f * ones;
    uint64_t tags;
    memcpy(&tags, bucket->tags, sizeof tags);
    uint64_t differs = tags ^ tag * ones;
    uint64_t low = (differs & sevens) + sevens;
    uint64_t equal = ~(low | differs | sevens);
    /* Gathers the highest bits of the eight bytes. */
    unsigned found = (unsigned)((equal >> 7) * 0x0102040810204080u >> 56);
    return found | (unsigned)(bucket->tags[8] == tag) << 8;
}
#endif

/* A bit for each slot with that tag. */
static inline unsigned bucket_match(const struct dict_bucket *bucket, uint8_t tag)
{
    return bucket_match_tags(bucket, tag) & ((1u << bucket_count(bucket)) - 1);
}

#endif
