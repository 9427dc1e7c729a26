/*
 * A keyspace to apply operations to, without a store around it. A test uses keyspace_setup and
 * keyspace_teardown, which keep a struct keyspace_fixture in *state. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_KEYSPACE_FIXTURE_H
#define KEYSTORE_TESTS_KEYSPACE_FIXTURE_H

#include "base/arena.h"
#include "base/blob.h"
#include "store/apply.h"
#include "store/entry.h"
#include "store/list.h"
#include "store/pages.h"
#include "store/slab.h"

#include <stdlib.h>

struct keyspace_fixture {
    struct pages pages;
    struct slab slab;
    struct dict dict;
    uint64_t revision;
    struct arena arena;
    struct keyspace space;
    struct op_result result; /* of the newest operation */
};

/* Any function of the key will do. */
static inline uint64_t keyspace_hash(struct slice key)
{
    uint64_t hash = 5381;
    for (size_t i = 0; i < key.len; i++)
        hash = hash * 33 + key.data[i];
    return hash;
}

static inline uint64_t keyspace_hash_again(const void *context, struct slice key)
{
    (void)context;
    return keyspace_hash(key);
}

static inline int keyspace_setup(void **state)
{
    static const struct dict_hasher hasher = {.hash = keyspace_hash_again};
    struct keyspace_fixture *fixture = calloc(1, sizeof *fixture);
    pages_init(&fixture->pages, false);
    slab_init(&fixture->slab, &fixture->pages);
    dict_init(&fixture->dict, &fixture->slab, &hasher);
    arena_init(&fixture->arena);
    fixture->revision = 100;
    fixture->space = (struct keyspace){.dict = &fixture->dict,
                                       .revision = &fixture->revision,
                                       .arena = &fixture->arena,
                                       .now_ms = 1700000000000};
    *state = fixture;
    return 0;
}

static inline int keyspace_teardown(void **state)
{
    struct keyspace_fixture *fixture = *state;
    op_result_release(&fixture->result);
    dict_deinit(&fixture->dict);
    assert_int_equal(slab_used(&fixture->slab), 0);
    slab_deinit(&fixture->slab);
    pages_deinit(&fixture->pages);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

/* Carries out the operation; the answer is valid until the next one. */
static inline const struct op_result *keyspace_apply(struct keyspace_fixture *fixture, struct op op)
{
    static apply_function *const functions[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, apply) [OP_##kind] = apply,
#include "store/operations.def"
#undef OPERATION
    };
    op.hash = keyspace_hash(op.key);
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    fixture->result = (struct op_result){0};
    functions[op.kind](&fixture->space, &op, &fixture->result);
    return &fixture->result;
}

static inline struct entry *keyspace_find(struct keyspace_fixture *fixture, const char *key)
{
    struct slice name = slice_from_string(key);
    return dict_find(&fixture->dict, keyspace_hash(name), name);
}

/* Stores a string under the key, past all operations; its version. */
static inline uint64_t keyspace_put_string(struct keyspace_fixture *fixture, const char *key,
                                           const char *value)
{
    struct slice name = slice_from_string(key);
    struct entry_stamp stamp = {.version = ++fixture->revision};
    dict_put(&fixture->dict, keyspace_hash(name),
             entry_new_string(&fixture->slab, name, slice_from_string(value), stamp));
    return stamp.version;
}

/* Stores a list of `length` elements "0", "1" and so on under the key; its version. */
static inline uint64_t keyspace_put_list(struct keyspace_fixture *fixture, const char *key,
                                         unsigned length)
{
    struct slice name = slice_from_string(key);
    struct list *list = list_new();
    for (unsigned i = length; i > 0; i--) {
        char text[12];
        snprintf(text, sizeof text, "%u", i - 1);
        list_push(list, LIST_HEAD, slice_from_string(text));
    }
    struct entry_stamp stamp = {.version = ++fixture->revision};
    dict_put(&fixture->dict, keyspace_hash(name),
             entry_new_list(&fixture->slab, name, list, stamp));
    return stamp.version;
}

/* Bytes that are long enough to be kept in a blob, and differ by `which`. */
static inline struct slice keyspace_long_bytes(unsigned which)
{
    static uint8_t bytes[4][ENTRY_MIN_BLOB + 4];
    memset(bytes[which], 'a' + (int)which, sizeof bytes[which]);
    return slice_make(bytes[which], sizeof bytes[which] - which);
}

static inline void assert_slice_is(struct slice bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    if (bytes.len > 0)
        assert_memory_equal(bytes.data, text, bytes.len);
}

/* The key holds a list of just these elements, separated by blanks. */
static inline void assert_list_is(struct keyspace_fixture *fixture, const char *key,
                                  const char *elements)
{
    const struct entry *entry = keyspace_find(fixture, key);
    char text[1000] = "";
    assert_non_null(entry);
    assert_int_equal(entry_type(entry), ENTRY_LIST);
    const struct list *list = entry_list(entry);
    for (size_t i = 0; i < list_length(list); i++) {
        struct slice element = list_at(list, i);
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%.*s", i > 0 ? " " : "", (int)element.len,
                 (const char *)element.data);
    }
    assert_string_equal(text, elements);
}

/* The operation failed for the key's type, and so changed nothing. */
static inline void assert_wrong_type(const struct keyspace_fixture *fixture, uint64_t revision,
                                     const char *held)
{
    assert_int_equal(fixture->result.err, ERR_WRONG_TYPE);
    assert_non_null(strstr(fixture->result.why, held));
    assert_false(fixture->result.ok);
    assert_int_equal(fixture->revision, revision);
}

#endif
