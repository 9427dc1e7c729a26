/*
 * A dictionary beside an array of what it must hold: values[key] for keys that are numbers, hashed
 * as the test likes. A test uses dict_setup and dict_teardown, which keep a struct fixture in
 * *state; the teardown checks that nothing stays taken. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_DICT_FIXTURE_H
#define KEYSTORE_TESTS_DICT_FIXTURE_H

#include "store/data/dict.h"
#include "store/data/entry.h"
#include "store/memory/pages.h"
#include "store/memory/slab.h"

#include <stdio.h>

#define KEYS 400
#define MANY ((uint32_t)200000)

typedef uint64_t hash_function(uint32_t key);

static inline uint64_t hash_well(uint32_t key)
{
    uint64_t hash = (key + 1) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    return hash ^ hash >> 31;
}

static inline uint64_t hash_all_equal(uint32_t key)
{
    (void)key;
    return 42;
}

/* Every key has the same tag: that of an empty slot that was never written, too. */
static inline uint64_t hash_with_equal_tags(uint32_t key)
{
    return hash_well(key) & ~((uint64_t)0xff << 48);
}

/* Always the last bucket, and three tags. */
static inline uint64_t hash_at_the_end(uint32_t key)
{
    return UINT64_MAX - ((uint64_t)(key % 3) << 48);
}

static inline uint64_t hash_in_three_homes(uint32_t key)
{
    return key % 3 + ((uint64_t)key << 48);
}

/* Buckets whose numbers differ in high bits only: a split must look at the right one. */
static inline uint64_t hash_in_multiples(uint32_t key)
{
    return (uint64_t)key << 5;
}

struct text {
    char bytes[16];
};

static inline struct text text_of(uint32_t number)
{
    struct text text;
    snprintf(text.bytes, sizeof text.bytes, "%u", number);
    return text;
}

static inline uint32_t number_of(struct slice text)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.len; i++)
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    return number;
}

struct fixture {
    struct pages pages;
    struct slab slab;
    struct dict dict;
    struct dict_hasher hasher;
    hash_function *hash;
    uint32_t values[MANY]; /* what the dictionary must hold: values[key], 0 = absent */
    size_t count;
};

static inline uint64_t hash_again(const void *context, struct slice key)
{
    const struct fixture *fixture = context;
    return fixture->hash(number_of(key));
}

static inline struct fixture *start(struct fixture *fixture, hash_function *hash)
{
    fixture->hash = hash;
    memset(fixture->values, 0, sizeof fixture->values);
    fixture->count = 0;
    dict_init(&fixture->dict, &fixture->slab, &fixture->hasher);
    return fixture;
}

static inline int dict_setup(void **state)
{
    static struct fixture fixture;
    pages_init(&fixture.pages, false);
    slab_init(&fixture.slab, &fixture.pages);
    fixture.hasher = (struct dict_hasher){.hash = hash_again, .context = &fixture};
    *state = start(&fixture, hash_well);
    return 0;
}

/* Nothing leaks, whatever the test did. */
static inline int dict_teardown(void **state)
{
    struct fixture *fixture = *state;
    dict_deinit(&fixture->dict);
    assert_int_equal(slab_used(&fixture->slab), 0);
    slab_deinit(&fixture->slab);
    pages_deinit(&fixture->pages);
    return 0;
}

static inline struct entry *new_string(struct fixture *fixture, struct slice key,
                                       struct slice value)
{
    return entry_new_string(&fixture->slab, key, value, (struct entry_stamp){0});
}

static inline void put(struct fixture *fixture, uint32_t key, uint32_t value)
{
    struct text name = text_of(key), string = text_of(value);
    dict_put(&fixture->dict, fixture->hash(key),
             new_string(fixture, slice_from_string(name.bytes), slice_from_string(string.bytes)));
    fixture->count += fixture->values[key] == 0;
    fixture->values[key] = value;
}

static inline void take(struct fixture *fixture, uint32_t key)
{
    struct text name = text_of(key);
    bool there = fixture->values[key] != 0;
    assert_int_equal(dict_remove(&fixture->dict, fixture->hash(key), slice_from_string(name.bytes)),
                     there);
    fixture->count -= there;
    fixture->values[key] = 0;
}

static inline struct entry *find(struct fixture *fixture, uint32_t key)
{
    struct text name = text_of(key);
    return dict_find(&fixture->dict, fixture->hash(key), slice_from_string(name.bytes));
}

static inline void assert_holds(struct fixture *fixture, uint32_t key)
{
    const struct entry *entry = find(fixture, key);
    assert_int_equal(entry != NULL, fixture->values[key] != 0);
    if (entry == NULL)
        return;
    struct text name = text_of(key), string = text_of(fixture->values[key]);
    assert_true(slice_equal(entry_key(entry), slice_from_string(name.bytes)));
    assert_true(slice_equal(entry_string(entry), slice_from_string(string.bytes)));
}

static inline void assert_equal(struct fixture *fixture, uint32_t keys)
{
    assert_int_equal(fixture->dict.count, fixture->count);
    for (uint32_t key = 0; key < keys; key++)
        assert_holds(fixture, key);
}

static inline void forget(struct fixture *fixture)
{
    memset(fixture->values, 0, sizeof fixture->values);
    fixture->count = 0;
}

#endif
