/* Tests of store_try_apply() (store/store.c): it neither waits long, nor works long, nor does half
 * of anything. */
#include "store/store.h"

#include "base/arena.h"
#include "store/data/lock.h"
#include "store/data/shard.h"
#include "store/op.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_MS 1700000000000
#define LENGTH 100000 /* of a long list */

struct fixture {
    struct store *store;
    struct arena arena;
    struct op_result result;
    unsigned freed; /* times that on_freed was called */
};

static void on_freed(void *user)
{
    ((struct fixture *)user)->freed++;
}

static void open_store(struct fixture *fixture, const struct store_options *options)
{
    fixture->store = store_new(options);
    fixture->freed = 0;
}

static int setup(void **state)
{
    static struct fixture fixture;
    open_store(&fixture, &(struct store_options){.databases = 2});
    arena_init(&fixture.arena);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    op_result_release(&fixture->result);
    fixture->result = (struct op_result){0};
    arena_deinit(&fixture->arena);
    store_free(fixture->store);
    return 0;
}

static enum store_answer try_op(struct fixture *fixture, struct op op)
{
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    op.now_ms = NOW_MS;
    return store_try_apply(fixture->store, &op, &fixture->arena, &fixture->result);
}

static const struct op_result *apply(struct fixture *fixture, struct op op)
{
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    op.now_ms = NOW_MS;
    store_apply(fixture->store, &op, &fixture->arena, &fixture->result);
    return &fixture->result;
}

static struct op set_op(const char *key)
{
    return (struct op){
        .kind = OP_SET, .key = slice_from_string(key), .value = SLICE_LITERAL("value")};
}

static struct lock_set hold(struct fixture *fixture, const char *key)
{
    struct op op = {.kind = OP_GET, .key = slice_from_string(key)};
    struct lock_set set = lock_shards_of(fixture->store, &op);
    assert_true(lock_take(fixture->store, &set, false));
    return set;
}

/* A key of another shard than that one. */
static const char *key_beside(struct fixture *fixture, const char *key)
{
    static char found[16];
    uint64_t hash = store_hash(fixture->store, slice_from_string(key));
    for (unsigned i = 0;; i++) {
        snprintf(found, sizeof found, "beside:%u", i);
        uint64_t other = store_hash(fixture->store, slice_from_string(found));
        if (shard_of(fixture->store, other) != shard_of(fixture->store, hash))
            return found;
    }
}

/* ---- held ---- */

static void a_lock_that_is_held_for_long_is_not_waited_for(void **state)
{
    struct fixture *fixture = *state;
    store_on_freed(fixture->store, on_freed, fixture);
    struct lock_set set = hold(fixture, "key");
    assert_int_equal(try_op(fixture, set_op("key")), STORE_HELD);
    assert_int_equal(fixture->result.seen, 0);
    assert_false(fixture->result.ok);
    assert_int_equal(try_op(fixture, set_op(key_beside(fixture, "key"))), STORE_DONE);
    assert_true(fixture->result.ok);
    assert_int_equal(fixture->freed, 0);
    lock_release(fixture->store, &set, false);
    assert_int_equal(fixture->freed, 1);
    assert_int_equal(try_op(fixture, set_op("key")), STORE_DONE);
    assert_true(fixture->result.ok);
    assert_int_equal(fixture->freed, 1); /* no operation had to wait for it */
}

/* An operation that does not get all its locks keeps none. */
static void of_several_locks_it_has_all_or_none(void **state)
{
    struct fixture *fixture = *state;
    struct op ops[40];
    char names[40][16];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "key:%u", i);
        ops[i] = set_op(names[i]);
    }
    struct op many = {.kind = OP_M_SET, .ops = ops, .op_count = 40};
    struct lock_set set = hold(fixture, "key:17");
    assert_int_equal(try_op(fixture, many), STORE_HELD);
    assert_int_equal(try_op(fixture, set_op(key_beside(fixture, "key:17"))), STORE_DONE);
    lock_release(fixture->store, &set, false);
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        assert_int_equal(atomic_load(&fixture->store->shards[i].lock.state), MUTEX_FREE);
    assert_int_equal(try_op(fixture, many), STORE_DONE);
    assert_int_equal(fixture->result.count, 40);
}

static void what_looks_everywhere_does_not_wait_either(void **state)
{
    struct fixture *fixture = *state;
    struct store_sweep sweep = {.parts = 1};
    assert_int_equal(try_op(fixture, set_op("key")), STORE_DONE);
    struct lock_set set = hold(fixture, "key");
    assert_int_equal(try_op(fixture, (struct op){.kind = OP_RANDOM_KEY}), STORE_HELD);
    assert_int_equal(try_op(fixture, (struct op){.kind = OP_FLUSH_DB}), STORE_HELD);
    while (!store_sweep(fixture->store, &sweep, NOW_MS).lap)
        continue;
    struct op op = {.kind = OP_GET, .key = SLICE_LITERAL("key")};
    store_prefetch(fixture->store, (struct op *[]){&op, &op}, 2);
    lock_release(fixture->store, &set, false);
    assert_int_equal(try_op(fixture, (struct op){.kind = OP_RANDOM_KEY}), STORE_DONE);
    assert_true(slice_equal(fixture->result.key, SLICE_LITERAL("key")));
    assert_int_equal(try_op(fixture, (struct op){.kind = OP_FLUSH_DB}), STORE_DONE);
}

/* Memory could be freed in a shard that is locked now: that is no reason to refuse. */
static void memory_may_be_where_it_is_held(void **state)
{
    struct fixture *fixture = *state;
    static char large[64 * 1024], huge[15 * 1024 * 1024]; /* more than one shard has */
    char name[16];
    struct store_options options = {
        .databases = 2, .max_memory = 20 * 1024 * 1024, .policy = STORE_ALLKEYS_RANDOM};
    store_free(fixture->store);
    open_store(fixture, &options);
    struct op op = set_op(name);
    op.value = slice_make(large, sizeof large);
    for (unsigned i = 0; i < 1000; i++) {
        op.key = slice_make(name, (size_t)snprintf(name, sizeof name, "key:%u", i));
        assert_int_equal(apply(fixture, op)->err, ERR_NONE);
    }
    op.key = SLICE_LITERAL("one more");
    struct shard *own = shard_of(fixture->store, store_hash(fixture->store, op.key));
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        if (&fixture->store->shards[i] != own)
            mutex_lock_long(&fixture->store->shards[i].lock);
    op.value = slice_make(huge, sizeof huge);
    assert_int_equal(try_op(fixture, op), STORE_HELD);
    assert_int_equal(fixture->result.err, ERR_NONE);
    for (size_t i = 0; i < fixture->store->shard_count; i++)
        if (&fixture->store->shards[i] != own)
            mutex_unlock(&fixture->store->shards[i].lock);
    assert_int_equal(try_op(fixture, op), STORE_DONE);
    assert_int_equal(fixture->result.err, ERR_NONE);
}

/* ---- costly ---- */

static void fill(struct fixture *fixture)
{
    static struct slice values[LENGTH];
    static char texts[LENGTH][8];
    for (unsigned i = 0; i < LENGTH; i++) {
        snprintf(texts[i], sizeof texts[i], "v%u", i);
        values[i] = slice_from_string(texts[i]);
    }
    apply(fixture, (struct op){.kind = OP_R_PUSH,
                               .key = SLICE_LITERAL("list"),
                               .values = values,
                               .value_count = LENGTH});
    assert_int_equal(fixture->result.count, LENGTH);
}

/* Of the list; and what a write would have changed. */
static void assert_untouched(struct fixture *fixture, uint64_t version)
{
    struct op op = {.kind = OP_DESCRIBE, .key = SLICE_LITERAL("list")};
    assert_int_equal(try_op(fixture, op), STORE_DONE);
    assert_int_equal(fixture->result.version, version);
    assert_int_equal(fixture->result.length, LENGTH);
    op.key = SLICE_LITERAL("other");
    assert_int_equal(try_op(fixture, op), STORE_DONE);
    assert_false(fixture->result.ok);
}

static const struct slice list_key = SLICE_LITERAL("list");

static void long_work_is_not_begun(void **state)
{
    struct fixture *fixture = *state;
    struct op_key key = {.bytes = list_key};
    struct op search = {
        .kind = OP_L_POS, .key = list_key, .value = SLICE_LITERAL("none"), .count = 1};
    struct op parts[] = {
        {.kind = OP_SET, .key = SLICE_LITERAL("other"), .value = SLICE_LITERAL("x")},
        {.kind = OP_L_PUSH,
         .key = list_key,
         .values = (struct slice[]){SLICE_LITERAL("x")},
         .value_count = 1},
        search};
    struct op_txn rest = {0};
    const struct op costly[] = {
        {.kind = OP_L_RANGE, .key = list_key, .stop = -1},
        search,
        {.kind = OP_L_INSERT,
         .key = list_key,
         .insert.pivot = SLICE_LITERAL("none"),
         .value = SLICE_LITERAL("x")},
        {.kind = OP_L_REM, .key = list_key, .value = SLICE_LITERAL("v5")},
        {.kind = OP_TXN, .ops = parts, .op_count = 3, .txn = &rest},
        {.kind = OP_LIST_POP, .keys = &key, .key_count = 1, .count = LENGTH / 2},
    };
    fill(fixture);
    uint64_t version = fixture->result.version;
    for (size_t i = 0; i < sizeof costly / sizeof costly[0]; i++) {
        assert_int_equal(try_op(fixture, costly[i]), STORE_COSTLY);
        assert_int_equal(fixture->result.err, ERR_NONE);
        assert_int_equal(fixture->result.value_count, 0);
        assert_untouched(fixture, version);
    }
    for (size_t i = 0; i < sizeof costly / sizeof costly[0]; i++)
        assert_int_equal(apply(fixture, costly[i])->err, ERR_NONE);
    assert_int_equal(fixture->result.value_count, LENGTH / 2);
}

static void short_work_on_a_long_list_is_done(void **state)
{
    struct fixture *fixture = *state;
    const struct op cheap[] = {
        {.kind = OP_L_RANGE, .key = list_key, .start = LENGTH / 2, .stop = LENGTH / 2 + 100},
        {.kind = OP_L_POS, .key = list_key, .value = SLICE_LITERAL("v500"), .count = 1},
        {.kind = OP_L_POS, .key = list_key, .value = SLICE_LITERAL("x"), .pos.max_scan = 1000},
        {.kind = OP_L_INDEX, .key = list_key, .index = LENGTH / 3},
        {.kind = OP_L_SET, .key = list_key, .index = LENGTH / 3, .value = SLICE_LITERAL("x")},
        {.kind = OP_L_INSERT,
         .key = list_key,
         .insert.pivot = SLICE_LITERAL("v100"),
         .value = SLICE_LITERAL("x")},
        {.kind = OP_L_POP, .key = list_key},
        {.kind = OP_L_TRIM, .key = list_key, .start = 100, .stop = -100},
        {.kind = OP_DELETE, .key = list_key},
    };
    fill(fixture);
    for (size_t i = 0; i < sizeof cheap / sizeof cheap[0]; i++) {
        assert_int_equal(try_op(fixture, cheap[i]), STORE_DONE);
        assert_int_equal(fixture->result.err, ERR_NONE);
    }
}

/* A long string grows in place, but not while an answer shares it. */
static void a_long_string_is_not_copied(void **state)
{
    struct fixture *fixture = *state;
    static char large[4 * 1024 * 1024];
    struct op set = set_op("string"), append = set;
    set.value = slice_make(large, sizeof large);
    append.kind = OP_APPEND;
    apply(fixture, set);
    assert_int_equal(try_op(fixture, append), STORE_COSTLY); /* it has no reserve yet */
    assert_int_equal(apply(fixture, append)->count, sizeof large + 5);
    assert_int_equal(try_op(fixture, append), STORE_DONE);
    assert_int_equal(fixture->result.count, sizeof large + 10);
    struct op write = append;
    write.kind = OP_SET_RANGE;
    assert_int_equal(try_op(fixture, write), STORE_DONE);
    struct arena arena;
    struct op_result held;
    struct op get = {.kind = OP_GET, .key = set.key, .now_ms = NOW_MS};
    arena_init(&arena);
    store_apply(fixture->store, &get, &arena, &held);
    assert_int_equal(try_op(fixture, write), STORE_COSTLY);
    op_result_release(&held);
    assert_int_equal(try_op(fixture, write), STORE_DONE);
    arena_deinit(&arena);
    write.start = 100 * 1024 * 1024;
    assert_int_equal(try_op(fixture, write), STORE_COSTLY); /* zeros */
}

/* ---- threads ---- */

#define THREADS 4
#define TURNS   20000

struct counter {
    struct fixture *fixture;
    pthread_t thread;
    bool is_quick;
};

static void *count(void *user)
{
    struct counter *counter = user;
    struct store *store = counter->fixture->store;
    struct arena arena;
    struct op_result result;
    arena_init(&arena);
    for (unsigned i = 0; i < TURNS;) {
        struct op op = {.kind = OP_INCR,
                        .key = i % 2 == 0 ? SLICE_LITERAL("even") : SLICE_LITERAL("odd"),
                        .incr.by = 1,
                        .now_ms = NOW_MS};
        if (!counter->is_quick)
            store_apply(store, &op, &arena, &result);
        else if (store_try_apply(store, &op, &arena, &result) != STORE_DONE)
            continue;
        i++;
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    struct fixture *fixture = *state;
    struct counter counters[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        counters[i] = (struct counter){.fixture = fixture, .is_quick = i % 2 == 0};
        assert_int_equal(pthread_create(&counters[i].thread, NULL, count, &counters[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(counters[i].thread, NULL);
    struct op op = {.kind = OP_INCR, .key = SLICE_LITERAL("even"), .incr.by = 0};
    assert_int_equal(apply(fixture, op)->integer, THREADS * TURNS / 2);
    op.key = SLICE_LITERAL("odd");
    assert_int_equal(apply(fixture, op)->integer, THREADS * TURNS / 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_that_is_held_for_long_is_not_waited_for),
        TEST(of_several_locks_it_has_all_or_none),
        TEST(what_looks_everywhere_does_not_wait_either),
        TEST(memory_may_be_where_it_is_held),
        TEST(long_work_is_not_begun),
        TEST(short_work_on_a_long_list_is_done),
        TEST(a_long_string_is_not_copied),
        TEST(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
