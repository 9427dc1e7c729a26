/* Tests of store/restore.c. */
#include "store/restore.h"

#include "base/arena.h"
#include "store/list/list.h"
#include "store/op.h"
#include "store/store.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct op_result apply(struct store *store, struct arena *arena, struct op op)
{
    struct op_result result;
    store_apply(store, &op, arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    return result;
}

static void test_restored_keys_exist(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct store *store = store_new(&(struct store_options){.databases = 2});
    struct list *list = list_new(), *other = list_new();
    list_push(list, LIST_TAIL, SLICE_LITERAL("element"));
    list_push(other, LIST_TAIL, SLICE_LITERAL("element"));
    restore_revision(store, 100);

    struct restore_key string_key = {
        .name = SLICE_LITERAL("string"), .db = 1, .expire_at_ms = 5000, .version = 42};
    assert_true(restore_string(store, &string_key, SLICE_LITERAL("value")));
    assert_false(restore_string(store, &string_key, SLICE_LITERAL("other")));
    assert_false(restore_list(store, &string_key, other));
    struct restore_key list_key = {.name = SLICE_LITERAL("list"), .db = 0};
    assert_true(restore_list(store, &list_key, list));
    assert_int_equal(store_expiring(store, 1), 1);
    assert_int_equal(store_expiring(store, 0), 0);

    struct op_result got =
        apply(store, &arena,
              (struct op){.kind = OP_GET, .db = 1, .key = string_key.name, .now_ms = 4999});
    assert_true(slice_equal(got.value.bytes, SLICE_LITERAL("value")));
    assert_int_equal(got.value.version, 42);
    assert_int_equal(got.value.expire_at_ms, 5000);
    got = apply(store, &arena, (struct op){.kind = OP_DESCRIBE, .key = list_key.name});
    assert_int_equal(got.version, 100); /* that of the store, as none is given */
    got = apply(store, &arena,
                (struct op){.kind = OP_SET, .key = SLICE_LITERAL("k"), .value = list_key.name});
    assert_int_equal(got.version, 101);
    list_free(other);
    store_free(store);
    arena_deinit(&arena);
}

/* Loading may exceed the limit; afterwards it applies again. */
static void test_the_limit_can_be_lifted(void **state)
{
    (void)state;
    struct arena arena;
    struct op_result result;
    arena_init(&arena);
    struct store *store = store_new(&(struct store_options){.databases = 1, .max_memory = 1});
    struct op set = {.kind = OP_SET, .key = SLICE_LITERAL("key"), .value = SLICE_LITERAL("value")};
    store_lift_limit(store, true);
    store_apply(store, &set, &arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    assert_int_equal(restore_newest(store), 1);
    store_lift_limit(store, false);
    set = (struct op){.kind = OP_SET, .key = SLICE_LITERAL("another"), .value = set.value};
    store_apply(store, &set, &arena, &result);
    assert_int_equal(result.err, ERR_OUT_OF_MEMORY);
    store_free(store);
    arena_deinit(&arena);
}

static void test_garbage_is_freed_immediately(void **state)
{
    (void)state;
    struct arena arena;
    char name[20];
    arena_init(&arena);
    struct store *store = store_new(&(struct store_options){.databases = 1});
    size_t empty = store_stats(store).used_memory;
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "key:%d", i);
        struct slice key = slice_from_string(name);
        apply(store, &arena, (struct op){.kind = OP_SET, .key = key, .value = key});
    }
    size_t full = store_stats(store).used_memory;
    apply(store, &arena, (struct op){.kind = OP_FLUSH_DB});
    assert_true(store_stats(store).used_memory > full / 2);
    restore_collect(store);
    assert_true(store_stats(store).used_memory < empty + (full - empty) / 4);
    store_free(store);
    arena_deinit(&arena);
}

/* The names and values of many strings. */
struct texts {
    char name[16];
    char value[24];
};

static struct restore_string string_of(struct texts *texts, uint32_t number)
{
    snprintf(texts->name, sizeof texts->name, "key:%" PRIu32, number);
    snprintf(texts->value, sizeof texts->value, "value of %" PRIu32, number);
    return (struct restore_string){
        .key = {.name = slice_from_string(texts->name),
                .db = number % 2,
                .expire_at_ms = number % 3 == 0 ? 5000 : 0,
                .version = number + 1},
        .value = slice_from_string(texts->value),
    };
}

static void expect_value_of(struct store *store, struct arena *arena,
                            const struct restore_string *string)
{
    struct op_result got = apply(
        store, arena,
        (struct op){.kind = OP_GET, .db = string->key.db, .key = string->key.name, .now_ms = 1});
    assert_true(slice_equal(got.value.bytes, string->value));
    assert_int_equal(got.value.version, string->key.version);
    assert_int_equal(got.value.expire_at_ms, string->key.expire_at_ms);
    arena_reset(arena);
}

/* The first time into empty databases with room, the second time into others; in all numbers that
 * have something special: none, one, fewer than are fetched ahead, and more than there are shards.
 */
static void test_many_strings_are_restored(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 7, 9, 17, 5000, RESTORE_STRINGS + 1};
    enum { ALL = 5035 + RESTORE_STRINGS };
    struct texts *texts = calloc(ALL, sizeof *texts);
    struct restore_string *strings = calloc(ALL, sizeof *strings);
    struct arena arena;
    size_t done = 0;
    arena_init(&arena);
    struct store *store = store_new(&(struct store_options){.databases = 2});
    restore_reserve(store, 0, ALL / 2);
    for (uint32_t i = 0; i < ALL; i++)
        strings[i] = string_of(&texts[i], i);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        assert_int_equal(restore_strings(store, strings + done, counts[i]), counts[i]);
        done += counts[i];
    }
    assert_int_equal(done, ALL);
    assert_int_equal(store_count(store, 0) + store_count(store, 1), ALL);
    assert_int_equal(store_expiring(store, 0) + store_expiring(store, 1), (ALL + 2) / 3);
    for (uint32_t i = 0; i < ALL; i++)
        expect_value_of(store, &arena, &strings[i]);
    store_free(store);
    arena_deinit(&arena);
    free(strings);
    free(texts);
}

static void test_duplicate_strings_are_found(void **state)
{
    (void)state;
    enum { COUNT = 1000, TWICE = 300 };
    static struct texts texts[COUNT], other;
    static struct restore_string strings[COUNT];
    struct store *store = store_new(&(struct store_options){.databases = 2});
    for (uint32_t i = 0; i < COUNT; i++)
        strings[i] = string_of(&texts[i], i);
    strings[700] = string_of(&other, TWICE);
    strings[700].value = SLICE_LITERAL("another one");
    size_t failed = restore_strings(store, strings, COUNT);
    assert_true(failed == TWICE || failed == 700);
    store_free(store);

    /* It was there before. */
    store = store_new(&(struct store_options){.databases = 2});
    assert_true(restore_string(store, &strings[41].key, strings[41].value));
    assert_int_equal(restore_strings(store, strings, TWICE), 41);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restored_keys_exist),
        cmocka_unit_test(test_the_limit_can_be_lifted),
        cmocka_unit_test(test_garbage_is_freed_immediately),
        cmocka_unit_test(test_many_strings_are_restored),
        cmocka_unit_test(test_duplicate_strings_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
