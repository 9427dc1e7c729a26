/* Tests of engine/embedded.c: without a disk every task is answered immediately, from any thread.
 */
#include "engine/embedded.h"
#include "store/data/lock.h"
#include "store/store.h"

#include "base/arena.h"
#include "base/blob.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void on_done_must_not_come(struct engine_task *task)
{
    (void)task;
    abort();
}

/* Submits the operation; what the result points to lies in `arena`. */
static struct op_result submit(struct engine *engine, struct op op, struct arena *arena)
{
    struct engine_task task = {.op = op, .arena = arena, .on_done = on_done_must_not_come};
    memset(&task.result, 0xaa, sizeof task.result);
    if (engine_submit(engine, &task) != ENGINE_DONE)
        abort();
    return task.result;
}

static void test_answers_at_once(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 16}, 1);
    struct arena arena;
    arena_init(&arena);
    char value[] = "value";
    struct op op = {.kind = OP_SET, .key = SLICE_LITERAL("key"), .value = slice_from_string(value)};
    struct op_result result = submit(engine, op, &arena);
    assert_int_equal(result.err, ERR_NONE);
    assert_true(result.ok);
    memset(value, 'x', sizeof value - 1);

    op.kind = OP_GET;
    result = submit(engine, op, &arena);
    embedded_free(engine);
    assert_true(result.value.found);
    assert_true(slice_equal(result.value.bytes, SLICE_LITERAL("value")));
    arena_deinit(&arena);
}

static void test_reports_errors_in_the_result(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 1);
    struct arena arena;
    arena_init(&arena);
    struct op op = {.kind = OP_SET, .key = SLICE_LITERAL("key")};
    submit(engine, op, &arena);
    op.kind = OP_L_POP;
    struct op_result result = submit(engine, op, &arena);
    assert_int_equal(result.err, ERR_WRONG_TYPE);
    assert_non_null(result.why);
    arena_deinit(&arena);
    embedded_free(engine);
}

static void test_has_the_databases_it_was_made_with(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 5}, 1);
    struct arena arena;
    arena_init(&arena);
    assert_int_equal(engine->databases, 5);
    struct op op = {.kind = OP_SET, .key = SLICE_LITERAL("key"), .db = 4};
    submit(engine, op, &arena);
    op.kind = OP_GET;
    assert_true(submit(engine, op, &arena).value.found);
    op.db = 3;
    assert_false(submit(engine, op, &arena).value.found);
    arena_deinit(&arena);
    embedded_free(engine);
}

static void test_engines_share_nothing(void **state)
{
    (void)state;
    struct engine *one = embedded_new(&(struct store_options){.databases = 1}, 1),
                  *other = embedded_new(&(struct store_options){.databases = 1}, 1);
    struct arena arena;
    arena_init(&arena);
    struct op op = {.kind = OP_SET, .key = SLICE_LITERAL("key")};
    submit(one, op, &arena);
    op.kind = OP_GET;
    assert_false(submit(other, op, &arena).value.found);
    arena_deinit(&arena);
    embedded_free(one);
    embedded_free(other);
    embedded_free(NULL);
}

#define THREADS 4
#define PUSHES  3000

static void *run_pushing(void *user)
{
    struct engine *engine = user;
    struct arena arena;
    arena_init(&arena);
    static const struct slice values[] = {SLICE_LITERAL("a"), SLICE_LITERAL("b")};
    for (int i = 0; i < PUSHES; i++) {
        submit(engine,
               (struct op){.kind = OP_L_PUSH,
                           .key = SLICE_LITERAL("list"),
                           .values = values,
                           .value_count = 2},
               &arena);
        submit(engine, (struct op){.kind = OP_L_POP, .key = SLICE_LITERAL("list")}, &arena);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    return NULL;
}

static void test_threads_submit_to_one_engine(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 1);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_pushing, engine), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct arena arena;
    arena_init(&arena);
    struct op_result result =
        submit(engine, (struct op){.kind = OP_L_RANGE, .key = SLICE_LITERAL("list")}, &arena);
    assert_int_equal(result.length, THREADS * PUSHES);
    arena_deinit(&arena);
    embedded_free(engine);
}

#define TASKS 20

/* Tasks have the same results whether they were prepared or not. */
static void test_prepared_tasks(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 2}, 1);
    struct engine_task tasks[TASKS], *pointers[TASKS];
    struct arena arena;
    char keys[TASKS][4];
    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < TASKS; i++) {
            keys[i][0] = (char)('a' + i);
            tasks[i] = (struct engine_task){.op = {.kind = round == 0 ? OP_SET : OP_GET,
                                                   .db = i % 2,
                                                   .key = slice_make(keys[i], 1),
                                                   .value = slice_make(keys[i], 1)},
                                            .arena = &arena,
                                            .on_done = on_done_must_not_come};
            pointers[i] = &tasks[i];
        }
        if (round < 2)
            engine_prepare(engine, pointers, TASKS);
        for (size_t i = 0; i < TASKS; i++) {
            assert_int_equal(engine_submit(engine, &tasks[i]), ENGINE_DONE);
            assert_int_equal(tasks[i].result.err, ERR_NONE);
            if (round > 0)
                assert_true(slice_equal(tasks[i].result.value.bytes, slice_make(keys[i], 1)));
            op_result_release(&tasks[i].result);
        }
    }
    engine_prepare(engine, pointers, 0);
    arena_deinit(&arena);
    embedded_free(engine);
}

/* An engine may ignore it. */
static void test_prepare_is_optional(void **state)
{
    (void)state;
    struct engine engine = {.databases = 1};
    struct engine_task task = {.op = {.key = SLICE_LITERAL("key")}}, *pointer = &task;
    engine_prepare(&engine, &pointer, 1);
    assert_int_equal(task.op.hash, 0);
}

/* The bytes of the operation may be freed once it is submitted; a long answer outlives the engine.
 */
static void test_long_values_are_shared(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 1);
    struct arena arena;
    size_t len = 100000;
    char *value = malloc(len);
    arena_init(&arena);
    memset(value, 'v', len);
    submit(
        engine,
        (struct op){.kind = OP_SET, .key = SLICE_LITERAL("key"), .value = slice_make(value, len)},
        &arena);
    free(value);
    struct op get = {.kind = OP_GET, .key = SLICE_LITERAL("key")};
    struct op_result one = submit(engine, get, &arena), two = submit(engine, get, &arena);
    assert_non_null(one.value.blob);
    assert_ptr_equal(one.value.blob, two.value.blob);
    embedded_free(engine);
    assert_int_equal(atomic_load(&one.value.blob->holders), 2);
    op_result_release(&one);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(two.value.bytes.data[i], 'v');
    op_result_release(&two);
    arena_deinit(&arena);
}

/* ---- what takes long ---- */

static void wake(void *user)
{
    unsigned *wakes = user;
    ++*wakes;
}

static void fill_list(struct engine *engine, struct arena *arena)
{
    enum { COUNT = 100000 };
    static struct slice values[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        values[i] = SLICE_LITERAL("value");
    struct op op = {
        .kind = OP_R_PUSH, .key = SLICE_LITERAL("list"), .values = values, .value_count = COUNT};
    assert_int_equal(submit(engine, op, arena).count, COUNT);
    arena_reset(arena);
}

static void test_what_takes_long_is_done_elsewhere(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 1);
    struct arena arena;
    arena_init(&arena);
    fill_list(engine, &arena);
    struct engine_task task = {.op = {.kind = OP_L_RANGE, .key = SLICE_LITERAL("list"), .stop = -1},
                               .arena = &arena,
                               .on_done = on_done_must_not_come};
    assert_int_equal(engine_submit(engine, &task), ENGINE_COSTLY);
    engine_run(engine, &task);
    assert_int_equal(engine_settle(engine, &task), ENGINE_DONE);
    assert_int_equal(task.result.value_count, 100000);
    arena_deinit(&arena);
    embedded_free(engine);
}

/* A worker whose task was held is woken when the lock is free; others are not. */
static void test_a_held_task_wakes_its_worker(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 3);
    struct store *store = embedded_store(engine);
    struct arena arena;
    unsigned wakes[3] = {0};
    arena_init(&arena);
    for (unsigned i = 0; i < 3; i++)
        engine_set_waker(engine, i, (struct waker){wake, &wakes[i]});
    struct engine_task task = {.op = {.kind = OP_SET, .key = SLICE_LITERAL("key")},
                               .arena = &arena,
                               .on_done = on_done_must_not_come,
                               .worker = 1};
    struct lock_set set = lock_shards_of(store, &task.op);
    assert_true(lock_take(store, &set, false));
    assert_int_equal(engine_submit(engine, &task), ENGINE_HELD);
    assert_int_equal(wakes[1], 0);
    lock_release(store, &set, false);
    assert_int_equal(wakes[1], 1);
    engine_complete(engine, 1);
    assert_int_equal(engine_submit(engine, &task), ENGINE_DONE);
    assert_true(task.result.ok);
    assert_true(lock_take(store, &set, false));
    lock_release(store, &set, false);
    assert_int_equal(wakes[0] + wakes[1] + wakes[2], 1);
    arena_deinit(&arena);
    embedded_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_at_once),
        cmocka_unit_test(test_what_takes_long_is_done_elsewhere),
        cmocka_unit_test(test_a_held_task_wakes_its_worker),
        cmocka_unit_test(test_reports_errors_in_the_result),
        cmocka_unit_test(test_has_the_databases_it_was_made_with),
        cmocka_unit_test(test_engines_share_nothing),
        cmocka_unit_test(test_threads_submit_to_one_engine),
        cmocka_unit_test(test_prepared_tasks),
        cmocka_unit_test(test_prepare_is_optional),
        cmocka_unit_test(test_long_values_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
