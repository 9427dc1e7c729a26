/* Tests of store/store.c: databases, versions, and threads on the same keys. */
#include "store/store.h"

#include "base/arena.h"
#include "store/op.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

#define NOW_MS 1700000000000

/* Carries out one operation as an engine would. */
static struct op_result apply(struct store *store, struct op op, struct arena *arena)
{
    struct op_result result;
    memset(&result, 0xaa, sizeof result);
    op.now_ms = NOW_MS;
    store_apply(store, &op, arena, &result);
    return result;
}

static struct op key_op(enum op_kind kind, uint32_t db, const char *key)
{
    return (struct op){.kind = kind, .db = db, .key = slice_from_string(key)};
}

static struct op set_op(uint32_t db, const char *key, const char *value)
{
    return (struct op){
        .kind = OP_SET, .db = db, .key = slice_from_string(key), .value = slice_from_string(value)};
}

static void assert_value(const struct op_result *result, const char *text)
{
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->value.found);
    assert_true(slice_equal(result->value.bytes, slice_from_string(text)));
}

static void test_starts_empty(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 3});
    assert_int_equal(store_databases(store), 3);
    for (uint32_t db = 0; db < 3; db++)
        assert_int_equal(store_count(store, db), 0);
    store_free(store);
    store_free(NULL);
}

static void test_databases_are_apart(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 16});
    struct arena arena;
    arena_init(&arena);
    for (uint32_t db = 0; db < 16; db++) {
        char value[12];
        snprintf(value, sizeof value, "%u", db);
        assert_true(apply(store, set_op(db, "key", value), &arena).ok);
    }
    assert_int_equal(apply(store, key_op(OP_DELETE, 7, "key"), &arena).count, 1);
    for (uint32_t db = 0; db < 16; db++) {
        char value[12];
        snprintf(value, sizeof value, "%u", db);
        struct op_result result = apply(store, key_op(OP_GET, db, "key"), &arena);
        assert_int_equal(result.value.found, db != 7);
        if (db != 7)
            assert_value(&result, value);
        assert_int_equal(store_count(store, db), db != 7);
    }
    arena_deinit(&arena);
    store_free(store);
}

static void test_count_is_over_all_shards(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 2});
    struct arena arena;
    arena_init(&arena);
    for (int i = 0; i < 5000; i++) {
        char key[12];
        snprintf(key, sizeof key, "%d", i % 4000);
        apply(store, set_op(0, key, key), &arena);
    }
    assert_int_equal(store_count(store, 0), 4000);
    assert_int_equal(store_count(store, 1), 0);
    for (int i = 0; i < 4000; i++) {
        char key[12];
        snprintf(key, sizeof key, "%d", i);
        struct op_result result = apply(store, key_op(OP_GET, 0, key), &arena);
        assert_value(&result, key);
        if (i % 2 == 0)
            apply(store, key_op(OP_DELETE, 0, key), &arena);
    }
    assert_int_equal(store_count(store, 0), 2000);
    arena_deinit(&arena);
    store_free(store);
}

static void test_the_longest_key(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 1});
    struct arena arena;
    arena_init(&arena);
    static uint8_t bytes[OP_MAX_KEY];
    struct op set = {
        .kind = OP_SET, .key = slice_make(bytes, sizeof bytes), .value = SLICE_LITERAL("value")};
    apply(store, set, &arena);
    struct op_result result =
        apply(store, (struct op){.kind = OP_GET, .key = slice_make(bytes, sizeof bytes)}, &arena);
    assert_value(&result, "value");
    bytes[sizeof bytes - 1] = 1;
    result =
        apply(store, (struct op){.kind = OP_GET, .key = slice_make(bytes, sizeof bytes)}, &arena);
    assert_false(result.value.found);
    arena_deinit(&arena);
    store_free(store);
}

/* Each store has its own secret, so that colliding keys cannot be prepared. */
static void test_stores_hash_differently(void **state)
{
    (void)state;
    struct store *a = store_new(&(struct store_options){.databases = 1}),
                 *b = store_new(&(struct store_options){.databases = 1});
    struct op op = key_op(OP_GET, 0, "key");
    struct op again = op, other = op;
    store_prefetch(a, (struct op *[]){&op}, 1);
    store_prefetch(a, (struct op *[]){&again}, 1);
    store_prefetch(b, (struct op *[]){&other}, 1);
    assert_true(op.hash != 0 && op.hash == again.hash);
    assert_true(op.hash != other.hash);
    store_free(a);
    store_free(b);
}

/* The key's version after the operation; 0 if the key does not exist. */
static uint64_t random_write(struct store *store, uint64_t *random, const char *key,
                             struct arena *arena)
{
    static const struct slice value = SLICE_LITERAL("element");
    struct op op = key_op(OP_DELETE, 0, key);
    switch (seeded_below(random, 4)) {
    case 0:
        op.kind = OP_SET;
        return apply(store, op, arena).version;
    case 1:
        op.kind = OP_L_PUSH;
        op.values = &value;
        op.value_count = 1;
        return apply(store, op, arena).version;
    case 2:
        op.kind = OP_L_POP;
        return apply(store, op, arena).value.version;
    default:
        return apply(store, op, arena).version;
    }
}

/* Also across deletion, popping the last element, and re-creation as another type. */
static void test_versions_of_a_key_never_repeat(void **state)
{
    (void)state;
    enum { KEYS = 10 };
    uint64_t random = seeded_start();
    uint64_t highest[KEYS] = {0};
    uint64_t made = 0;
    struct store *store = store_new(&(struct store_options){.databases = 1});
    struct arena arena;
    arena_init(&arena);
    for (int step = 0; step < 20000; step++) {
        char key[2] = {(char)('a' + seeded_below(&random, KEYS)), '\0'};
        uint64_t version = random_write(store, &random, key, &arena);
        arena_reset(&arena);
        if (version == 0)
            continue;
        assert_true(version > highest[key[0] - 'a']);
        highest[key[0] - 'a'] = version;
        made++;
    }
    assert_true(made > 1000);
    arena_deinit(&arena);
    store_free(store);
}

static void test_an_old_version_does_not_match_a_key_made_again(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 1});
    struct arena arena;
    arena_init(&arena);
    struct op set = set_op(0, "key", "value");
    uint64_t old = apply(store, set, &arena).version;
    apply(store, key_op(OP_DELETE, 0, "key"), &arena);
    assert_true(apply(store, set, &arena).ok);
    set.condition.version = old;
    assert_false(apply(store, set, &arena).ok);
    arena_deinit(&arena);
    store_free(store);
}

#define THREADS 8
#define ROUNDS  2000

struct thread {
    pthread_t id;
    struct store *store;
    uint32_t number;
    uint64_t popped[THREADS]; /* elements of each thread that this one popped */
    bool whole;
};

static void run_threads(struct thread *threads, struct store *store, void *(*run)(void *))
{
    for (uint32_t i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){.store = store, .number = i, .whole = true};
        assert_int_equal(pthread_create(&threads[i].id, NULL, run, &threads[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i].id, NULL);
}

/* Adds one to the number under a key, ROUNDS times, by compare-and-set. */
static void *run_counting(void *user)
{
    struct thread *thread = user;
    struct arena arena;
    arena_init(&arena);
    for (int done = 0; done < ROUNDS;) {
        arena_reset(&arena);
        struct op_result current = apply(thread->store, key_op(OP_GET, 0, "counter"), &arena);
        uint64_t number;
        memcpy(&number, current.value.bytes.data, sizeof number);
        number++;
        struct op op = {.kind = OP_SET,
                        .key = SLICE_LITERAL("counter"),
                        .value = slice_make(&number, sizeof number),
                        .condition = {.version = current.value.version}};
        done += apply(thread->store, op, &arena).ok;
    }
    arena_deinit(&arena);
    return NULL;
}

static void test_threads_count_without_losing_one(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    struct store *store = store_new(&(struct store_options){.databases = 1});
    struct arena arena;
    arena_init(&arena);
    uint64_t number = 0;
    apply(store,
          (struct op){.kind = OP_SET,
                      .key = SLICE_LITERAL("counter"),
                      .value = slice_make(&number, sizeof number)},
          &arena);
    run_threads(threads, store, run_counting);
    struct op_result result = apply(store, key_op(OP_GET, 0, "counter"), &arena);
    memcpy(&number, result.value.bytes.data, sizeof number);
    assert_int_equal(number, THREADS * ROUNDS);
    arena_deinit(&arena);
    store_free(store);
}

/* Alternately pushes and pops an element, on one of three lists. */
static void *run_pushing(void *user)
{
    static const char *const lists[] = {"a", "b", "c"};
    struct thread *thread = user;
    struct arena arena;
    arena_init(&arena);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        arena_reset(&arena);
        struct slice element = slice_make(&thread->number, sizeof thread->number);
        struct op op = key_op(OP_L_PUSH, 0, lists[i % 3]);
        op.values = &element;
        op.value_count = 1;
        apply(thread->store, op, &arena);
        op.kind = OP_L_RANGE;
        op.stop = 5;
        apply(thread->store, op, &arena);
        op.kind = OP_L_POP;
        struct op_result result = apply(thread->store, op, &arena);
        if (!result.value.found)
            continue;
        uint32_t from;
        memcpy(&from, result.value.bytes.data, sizeof from);
        thread->popped[from]++;
    }
    arena_deinit(&arena);
    return NULL;
}

/* Each thread pushes before it pops, so every pop gets an element and each is popped once. */
static void test_threads_pop_every_element_once(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    struct store *store = store_new(&(struct store_options){.databases = 1});
    run_threads(threads, store, run_pushing);
    for (size_t from = 0; from < THREADS; from++) {
        uint64_t popped = 0;
        for (size_t i = 0; i < THREADS; i++)
            popped += threads[i].popped[from];
        assert_int_equal(popped, ROUNDS);
    }
    assert_int_equal(store_count(store, 0), 0);
    store_free(store);
}

/* Sets, reads and deletes the same few keys; a value read is always whole. */
static void *run_setting(void *user)
{
    struct thread *thread = user;
    struct arena arena;
    arena_init(&arena);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        char key[4], value[64];
        arena_reset(&arena);
        snprintf(key, sizeof key, "%u", i % 5);
        memset(value, 'a' + (int)thread->number, sizeof value);
        struct op op = key_op(OP_SET, i % 2, key);
        op.value = slice_make(value, 1 + (thread->number + i) % sizeof value);
        apply(thread->store, op, &arena);
        op.kind = OP_GET;
        struct op_result result = apply(thread->store, op, &arena);
        for (size_t at = 1; at < result.value.bytes.len; at++)
            thread->whole &= result.value.bytes.data[at] == result.value.bytes.data[0];
        if (i % 7 == 0)
            apply(thread->store, key_op(OP_DELETE, i % 2, key), &arena);
        if (i % 100 == 0)
            thread->whole &= store_count(thread->store, 0) <= 5;
    }
    arena_deinit(&arena);
    return NULL;
}

static void test_threads_never_see_half_a_value(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    struct store *store = store_new(&(struct store_options){.databases = 2});
    run_threads(threads, store, run_setting);
    for (size_t i = 0; i < THREADS; i++)
        assert_true(threads[i].whole);
    store_free(store);
}

static void test_prefetch_stores_the_hash(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 2});
    struct arena arena;
    arena_init(&arena);
    for (int round = 0; round < 2; round++) {
        struct op op = set_op(1, "key", "value");
        store_prefetch(store, (struct op *[]){&op}, 1);
        uint64_t hash = op.hash;
        struct op_result result = apply(store, op, &arena);
        assert_true(result.ok);
        struct op get = key_op(OP_GET, 1, "key"); /* not prefetched */
        store_apply(store, &get, &arena, &result);
        assert_true(hash != 0 && get.hash == hash);
        assert_value(&result, "value");
    }
    arena_deinit(&arena);
    store_free(store);
}

/* Hints while others write, without a lock where none is needed: for the thread sanitizer. */
static void *run_prefetching(void *user)
{
    struct thread *thread = user;
    struct arena arena;
    arena_init(&arena);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        char key[12];
        snprintf(key, sizeof key, "%u", i * 7 % 500);
        struct op op = i % 3 == 0 ? key_op(OP_DELETE, 0, key) : set_op(0, key, key);
        arena_reset(&arena);
        store_prefetch(thread->store, (struct op *[]){&op}, 1);
        thread->whole &= apply(thread->store, op, &arena).err == ERR_NONE;
    }
    arena_deinit(&arena);
    return NULL;
}

static void test_threads_prefetch_what_others_change(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    struct store *store = store_new(&(struct store_options){.databases = 1});
    run_threads(threads, store, run_prefetching);
    for (size_t i = 0; i < THREADS; i++)
        assert_true(threads[i].whole);
    store_free(store);
}

/* A long value that one thread reads while others replace it. */
static void *run_sharing(void *user)
{
    struct thread *thread = user;
    struct arena arena;
    arena_init(&arena);
    static const size_t len = 20000;
    uint8_t *value = malloc(len);
    for (uint32_t i = 0; i < ROUNDS / 10; i++) {
        struct op op = key_op(OP_SET, 0, "key");
        memset(value, 'a' + (int)((thread->number + i) % 26), len);
        op.value = slice_make(value, len);
        op.set.return_previous = true;
        arena_reset(&arena);
        struct op_result former = apply(thread->store, op, &arena);
        struct op_result now = apply(thread->store, key_op(OP_GET, 0, "key"), &arena);
        for (size_t at = 0; at < len; at += 100) {
            thread->whole &= now.value.bytes.data[at] == now.value.bytes.data[0];
            thread->whole &=
                !former.value.found || former.value.bytes.data[at] == former.value.bytes.data[0];
        }
        op_result_release(&former);
        op_result_release(&now);
    }
    free(value);
    arena_deinit(&arena);
    return NULL;
}

static void test_threads_share_long_values(void **state)
{
    (void)state;
    struct thread threads[THREADS];
    struct store *store = store_new(&(struct store_options){.databases = 1});
    run_threads(threads, store, run_sharing);
    for (size_t i = 0; i < THREADS; i++)
        assert_true(threads[i].whole);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_empty),
        cmocka_unit_test(test_databases_are_apart),
        cmocka_unit_test(test_count_is_over_all_shards),
        cmocka_unit_test(test_the_longest_key),
        cmocka_unit_test(test_stores_hash_differently),
        cmocka_unit_test(test_versions_of_a_key_never_repeat),
        cmocka_unit_test(test_an_old_version_does_not_match_a_key_made_again),
        cmocka_unit_test(test_threads_count_without_losing_one),
        cmocka_unit_test(test_threads_pop_every_element_once),
        cmocka_unit_test(test_threads_never_see_half_a_value),
        cmocka_unit_test(test_prefetch_stores_the_hash),
        cmocka_unit_test(test_threads_prefetch_what_others_change),
        cmocka_unit_test(test_threads_share_long_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
