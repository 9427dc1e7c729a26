/*
 * A store to apply operations to, with a sink that keeps the changes. A test uses keyspace_setup
 * and keyspace_teardown, which keep a struct keyspace_fixture in *state. At the teardown the
 * changes are replayed in a fresh store, which must then hold the same data as this one. Included
 * after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_KEYSPACE_FIXTURE_H
#define KEYSTORE_TESTS_KEYSPACE_FIXTURE_H

#include "base/arena.h"
#include "base/blob.h"
#include "store/change.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list_peek.h"
#include "store/ops/apply.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYSPACE_DATABASES 4
#define KEYSPACE_NOW_MS    1700000000000

struct keyspace_change {
    uint64_t revision;
    struct op op; /* whose bytes lie in the fixture's `emitted` */
};

struct keyspace_fixture {
    struct change_sink sink; /* must be first: cast from it */
    struct store *store;
    uint64_t revision; /* of the newest commit */
    bool in_commit;
    struct arena emitted; /* what `changes` point to */
    struct keyspace_change changes[4096];
    size_t change_count;
    size_t commit_start; /* index of the first change of the current commit */
    struct arena arena;
    int64_t now_ms;          /* what operations see */
    struct op_result result; /* of the newest operation */
};

/* ---- the sink ---- */

static inline uint64_t keyspace_begin(struct change_sink *sink)
{
    struct keyspace_fixture *fixture = (struct keyspace_fixture *)sink;
    assert_false(fixture->in_commit);
    fixture->in_commit = true;
    fixture->commit_start = fixture->change_count;
    return ++fixture->revision;
}

static inline void keyspace_change(struct change_sink *sink, const struct op *op)
{
    struct keyspace_fixture *fixture = (struct keyspace_fixture *)sink;
    assert_true(fixture->in_commit);
    assert_true(fixture->change_count < sizeof fixture->changes / sizeof *fixture->changes);
    struct op copy = *op;
    copy.hash = 0;
    copy.holder = NULL;
    copy.now_ms = 0;
    copy.condition = (struct condition){0};
    if (op->kind == OP_SET)
        copy.set.return_previous = false;
    copy.key = arena_copy(&fixture->emitted, op->key);
    copy.value = arena_copy(&fixture->emitted, op->value);
    if (op->kind == OP_L_INSERT)
        copy.insert.pivot = arena_copy(&fixture->emitted, op->insert.pivot);
    copy.target = (struct op_key){.bytes = arena_copy(&fixture->emitted, op->target.bytes)};
    struct slice *values = arena_alloc(&fixture->emitted, op->value_count * sizeof *values);
    for (size_t i = 0; i < op->value_count; i++)
        values[i] = arena_copy(&fixture->emitted, op->values[i]);
    copy.values = values;
    copy.keys = arena_alloc(&fixture->emitted, op->key_count * sizeof *copy.keys);
    for (size_t i = 0; i < op->key_count; i++)
        copy.keys[i] = (struct op_key){.bytes = arena_copy(&fixture->emitted, op->keys[i].bytes)};
    fixture->changes[fixture->change_count++] =
        (struct keyspace_change){.revision = fixture->revision, .op = copy};
}

/* A commit has at least one change: else its revision would stand for nothing. */
static inline void keyspace_end(struct change_sink *sink)
{
    struct keyspace_fixture *fixture = (struct keyspace_fixture *)sink;
    assert_true(fixture->in_commit);
    assert_true(fixture->change_count > fixture->commit_start);
    fixture->in_commit = false;
}

static inline void keyspace_abort(struct change_sink *sink)
{
    struct keyspace_fixture *fixture = (struct keyspace_fixture *)sink;
    assert_true(fixture->in_commit);
    fixture->in_commit = false;
    fixture->change_count = fixture->commit_start;
    fixture->revision--;
}

/* ---- set up, tear down, apply ---- */

static inline int keyspace_setup(void **state)
{
    struct keyspace_fixture *fixture = calloc(1, sizeof *fixture);
    fixture->sink = (struct change_sink){.begin = keyspace_begin,
                                         .change = keyspace_change,
                                         .end = keyspace_end,
                                         .abort = keyspace_abort};
    fixture->store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    store_set_sink(fixture->store, &fixture->sink);
    arena_init(&fixture->arena);
    arena_init(&fixture->emitted);
    fixture->revision = 100;
    fixture->now_ms = KEYSPACE_NOW_MS;
    *state = fixture;
    return 0;
}

static inline struct lookup keyspace_look(struct store *store, uint32_t db, struct slice key)
{
    struct arena arena;
    arena_init(&arena);
    struct op_context ctx = {.store = store, .arena = &arena};
    struct lookup at = apply_lookup_read(&ctx, db, key, 0);
    arena_deinit(&arena);
    return at;
}

static inline struct entry *keyspace_find(struct keyspace_fixture *fixture, const char *key)
{
    return keyspace_look(fixture->store, 0, slice_from_string(key)).entry;
}

/* Keys in database 0. */
static inline size_t keyspace_count(struct keyspace_fixture *fixture)
{
    return store_count(fixture->store, 0);
}

static inline void keyspace_assert_same(const struct entry *a, const struct entry *b)
{
    assert_int_equal(entry_type(a), entry_type(b));
    assert_int_equal(entry_expire_at_ms(a), entry_expire_at_ms(b));
    if (entry_type(a) == ENTRY_STRING) {
        assert_true(slice_equal(entry_string(a), entry_string(b)));
        return;
    }
    struct list_cursor x, y;
    assert_int_equal(list_length(entry_list(a)), list_length(entry_list(b)));
    bool on = list_seek(entry_list(a), &x, 0) && list_seek(entry_list(b), &y, 0);
    for (; on; on = list_next(&x) && list_next(&y))
        assert_true(slice_equal(list_cursor_value(&x), list_cursor_value(&y)));
}

struct keyspace_pair {
    struct store *other;
    uint32_t db;
};

static inline void keyspace_compare_entry(void *context, struct entry *entry)
{
    const struct keyspace_pair *pair = context;
    const struct entry *twin = keyspace_look(pair->other, pair->db, entry_key(entry)).entry;
    assert_non_null(twin);
    keyspace_assert_same(entry, twin);
}

/* Every key of `store` is in `other` too, with the same value and deadline. */
static inline void keyspace_assert_within(struct store *store, struct store *other)
{
    for (uint32_t db = 0; db < KEYSPACE_DATABASES; db++) {
        struct keyspace_pair pair = {.other = other, .db = db};
        assert_int_equal(store_count(store, db), store_count(other, db));
        for (size_t i = 0; i < store->shard_count; i++) {
            const struct dict *dict = &store->shards[i].databases[db].dict;
            uint64_t cursor = 0;
            do
                cursor = dict_scan(dict, cursor, keyspace_compare_entry, &pair);
            while (cursor != 0);
        }
    }
}

/* Replaying the changes gives the same data. */
static inline void keyspace_replay(struct keyspace_fixture *fixture)
{
    struct store *again = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    for (size_t i = 0; i < fixture->change_count; i++) {
        struct op op = fixture->changes[i].op; /* the store fills in its own hashes */
        struct op_result result;
        for (size_t key = 0; key < op.key_count; key++)
            op.keys[key].hash = 0;
        store_apply(again, &op, &fixture->arena, &result);
        assert_int_equal(result.err, ERR_NONE);
        op_result_release(&result);
    }
    keyspace_assert_within(fixture->store, again);
    store_free(again);
}

static inline int keyspace_teardown(void **state)
{
    struct keyspace_fixture *fixture = *state;
    assert_false(fixture->in_commit);
    op_result_release(&fixture->result);
    keyspace_replay(fixture);
    store_free(fixture->store);
    arena_deinit(&fixture->arena);
    arena_deinit(&fixture->emitted);
    free(fixture);
    return 0;
}

/* Carries out the operation; the answer is valid until the next one. */
static inline const struct op_result *keyspace_apply(struct keyspace_fixture *fixture, struct op op)
{
    op.now_ms = fixture->now_ms;
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    store_apply(fixture->store, &op, &fixture->arena, &fixture->result);
    assert_false(fixture->in_commit);
    return &fixture->result;
}

/* Applies the operation, which must not fail, to any store. */
static inline void keyspace_carry_out(struct store *store, struct arena *arena, struct op *op)
{
    struct op_result result;
    store_apply(store, op, arena, &result);
    if (result.err != ERR_NONE)
        fail_msg("%s: %s", op_info(op->kind)->name, result.why);
    op_result_release(&result);
}

/* The operation fails with that error, and changes nothing. */
static inline void keyspace_assert_fails(struct keyspace_fixture *fixture, struct op op,
                                         enum err err)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, err);
    assert_non_null(result->why);
    assert_false(result->ok);
    assert_int_equal(fixture->revision, revision);
}

/* The operation is not done, which is no error, and answers with the key's version. */
static inline void keyspace_assert_declined(struct keyspace_fixture *fixture, struct op op,
                                            uint64_t version)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->count, 0);
    assert_int_equal(result->version, version);
    assert_int_equal(fixture->revision, revision);
}

/* Stores a string under the key; its version. */
static inline uint64_t keyspace_put_string(struct keyspace_fixture *fixture, const char *key,
                                           const char *value)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_SET,
                                               .key = slice_from_string(key),
                                               .value = slice_from_string(value)})
        ->version;
}

/* Stores a list of `length` elements "0", "1" and so on under the key; its version. */
static inline uint64_t keyspace_put_list(struct keyspace_fixture *fixture, const char *key,
                                         unsigned length)
{
    uint64_t version = 0;
    for (unsigned i = length; i > 0; i--) {
        char text[12];
        snprintf(text, sizeof text, "%u", i - 1);
        struct slice value = slice_from_string(text);
        version = keyspace_apply(fixture, (struct op){.kind = OP_L_PUSH,
                                                      .key = slice_from_string(key),
                                                      .values = &value,
                                                      .value_count = 1})
                      ->version;
    }
    return version;
}

/* Bytes that are long enough to be kept in a blob, and differ by `which`. */
static inline struct slice keyspace_long_bytes(unsigned which)
{
    static uint8_t bytes[4][BLOB_LEAST + 4];
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
        struct slice element = list_peek(list, i);
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
