/* Tests of engine/embedded.c with a disk: an answer waits until what it shows is durable. */
#include "engine/embedded.h"

#include "base/arena.h"
#include "journal/durable.h"
#include "store/change.h"
#include "store/scan.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TASKS 8

struct fixture {
    struct engine *engine;
    struct durable durable;
    struct arena arena;
    struct engine_task tasks[TASKS];
    size_t count;
    struct engine_task *done[TASKS];
    size_t done_count;
    unsigned wakes[2]; /* how often each worker was woken */
};

static struct fixture *current;

static void on_done(struct engine_task *task)
{
    current->done[current->done_count++] = task;
}

static void wake(void *user)
{
    unsigned *wakes = user;
    ++*wakes;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->engine = embedded_new(&(struct store_options){.databases = 1}, 2);
    for (unsigned i = 0; i < 2; i++)
        engine_set_waker(fixture->engine, i, (struct waker){wake, &fixture->wakes[i]});
    embedded_set_durable(fixture->engine, &fixture->durable);
    arena_init(&fixture->arena);
    current = fixture;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&fixture->durable.revision, UINT64_MAX); /* no task stays in flight */
    engine_complete(fixture->engine, 0);
    engine_complete(fixture->engine, 1);
    for (size_t i = 0; i < fixture->count; i++)
        op_result_release(&fixture->tasks[i].result);
    embedded_free(fixture->engine);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static enum engine_answer submit(struct fixture *fixture, unsigned worker, enum op_kind kind,
                                 const char *key)
{
    struct engine_task *task = &fixture->tasks[fixture->count++];
    *task = (struct engine_task){.op = {.kind = kind, .key = slice_from_string(key)},
                                 .arena = &fixture->arena,
                                 .on_done = on_done,
                                 .worker = worker};
    return engine_submit(fixture->engine, task);
}

/* As the log's thread does. */
static void make_durable(struct fixture *fixture, uint64_t revision)
{
    atomic_store(&fixture->durable.revision, revision);
    fixture->durable.on_progress(fixture->durable.user);
}

static void refuse(struct fixture *fixture, const char *why)
{
    atomic_store(&fixture->durable.read_only_reason, why);
    fixture->durable.on_progress(fixture->durable.user);
}

static void test_a_write_waits_for_the_disk(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(submit(fixture, 0, OP_SET, "key"), ENGINE_PENDING);
    engine_complete(fixture->engine, 0);
    assert_int_equal(fixture->done_count, 0);
    make_durable(fixture, 1);
    assert_int_equal(fixture->wakes[0], 1);
    assert_int_equal(fixture->wakes[1], 0); /* it has no waiting task */
    assert_int_equal(fixture->done_count, 0);
    engine_complete(fixture->engine, 0);
    assert_int_equal(fixture->done_count, 1);
    assert_int_equal(fixture->done[0]->result.err, ERR_NONE);
    assert_true(fixture->done[0]->result.ok);
    make_durable(fixture, 1);
    assert_int_equal(fixture->wakes[0], 1); /* it has no waiting task any more */
}

static void test_a_read_waits_only_for_what_it_shows(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(submit(fixture, 0, OP_SET, "old"), ENGINE_PENDING);
    make_durable(fixture, 1);
    engine_complete(fixture->engine, 0);
    assert_int_equal(submit(fixture, 0, OP_SET, "new"), ENGINE_PENDING);
    assert_int_equal(submit(fixture, 1, OP_GET, "old"), ENGINE_DONE);
    assert_int_equal(submit(fixture, 1, OP_GET, "nothing"), ENGINE_DONE);
    assert_int_equal(submit(fixture, 1, OP_GET, "new"), ENGINE_PENDING);
    make_durable(fixture, 2);
    assert_int_equal(fixture->wakes[1], 1);
    engine_complete(fixture->engine, 1);
    assert_int_equal(fixture->done_count, 2);
    assert_true(fixture->done[1]->result.value.found);
}

/* A scan of all keys with a task of its own; what settle() answers. */
static enum engine_answer scan_all(struct fixture *fixture, unsigned worker, size_t expected)
{
    struct engine_task *task = &fixture->tasks[fixture->count++];
    struct scan scan = {.room = 1000, .max_visited = UINT64_MAX, .arena = &fixture->arena};
    *task = (struct engine_task){.arena = &fixture->arena, .on_done = on_done, .worker = worker};
    while (!scan.is_full)
        assert_int_equal(engine_scan(fixture->engine, task, &scan), ENGINE_DONE);
    assert_int_equal(task->result.err, ERR_NONE);
    assert_int_equal(scan.count, expected);
    scan_release(&scan);
    return engine_settle(fixture->engine, task);
}

static void test_a_scan_waits_for_what_it_shows(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 0, OP_SET, "key");
    assert_int_equal(scan_all(fixture, 1, 1), ENGINE_PENDING);
    make_durable(fixture, 1);
    engine_complete(fixture->engine, 0);
    engine_complete(fixture->engine, 1);
    assert_int_equal(fixture->done_count, 2);
    assert_int_equal(scan_all(fixture, 1, 1), ENGINE_DONE);
    submit(fixture, 0, OP_DELETE, "key");
    assert_int_equal(scan_all(fixture, 1, 0), ENGINE_PENDING);
    make_durable(fixture, 2);
    engine_complete(fixture->engine, 1);
    assert_int_equal(fixture->done_count, 3);
}

static void test_no_scan_while_loading(void **state)
{
    struct fixture *fixture = *state;
    struct scan scan = {.room = 1, .max_visited = 1, .arena = &fixture->arena};
    struct engine_task task = {.arena = &fixture->arena};
    embedded_set_loading(fixture->engine, true);
    assert_int_equal(engine_scan(fixture->engine, &task, &scan), ENGINE_DONE);
    assert_int_equal(task.result.err, ERR_LOADING);
    embedded_set_loading(fixture->engine, false);
}

/* A miss shows a removal, which must be durable, too. */
static void test_a_miss_waits_for_the_removal(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 0, OP_SET, "key");
    make_durable(fixture, 1);
    engine_complete(fixture->engine, 0);
    assert_int_equal(submit(fixture, 0, OP_DELETE, "key"), ENGINE_PENDING);
    assert_int_equal(submit(fixture, 1, OP_GET, "key"), ENGINE_PENDING);
    make_durable(fixture, 2);
    engine_complete(fixture->engine, 1);
    assert_int_equal(fixture->done_count, 2);
    assert_false(fixture->done[1]->result.value.found);
}

static void test_answers_come_in_the_order_of_revisions(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(submit(fixture, 0, OP_SET, "key"), ENGINE_PENDING);
    make_durable(fixture, 3);
    engine_complete(fixture->engine, 0);
    assert_int_equal(fixture->done_count, 3);
    make_durable(fixture, 5);
    engine_complete(fixture->engine, 0);
    assert_int_equal(fixture->done_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_ptr_equal(fixture->done[i], &fixture->tasks[i]);
}

static void test_a_cancelled_task_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 0, OP_SET, "a");
    submit(fixture, 0, OP_SET, "b");
    engine_cancel(fixture->engine, &fixture->tasks[0]);
    make_durable(fixture, 2);
    engine_complete(fixture->engine, 0);
    assert_int_equal(fixture->done_count, 1);
    assert_ptr_equal(fixture->done[0], &fixture->tasks[1]);
}

static void test_when_the_disk_fails(void **state)
{
    struct fixture *fixture = *state;
    submit(fixture, 0, OP_SET, "durable");
    make_durable(fixture, 1);
    engine_complete(fixture->engine, 0);
    assert_int_equal(submit(fixture, 0, OP_SET, "lost"), ENGINE_PENDING);
    refuse(fixture, "the disk is broken");
    engine_complete(fixture->engine, 0);
    assert_int_equal(fixture->done_count, 2);
    assert_int_equal(fixture->done[1]->result.err, ERR_NOT_DURABLE);
    /* Writes are refused with the reason and do nothing; reads go on, but show nothing unsafe. */
    assert_int_equal(submit(fixture, 0, OP_SET, "other"), ENGINE_DONE);
    assert_int_equal(fixture->tasks[2].result.err, ERR_READ_ONLY);
    assert_string_equal(fixture->tasks[2].result.why, "the disk is broken");
    assert_int_equal(submit(fixture, 0, OP_GET, "durable"), ENGINE_DONE);
    assert_true(fixture->tasks[3].result.value.found);
    assert_int_equal(submit(fixture, 0, OP_GET, "lost"), ENGINE_DONE);
    assert_int_equal(fixture->tasks[4].result.err, ERR_NOT_DURABLE);
    /* There is space again: what waited has been written after all. */
    refuse(fixture, NULL);
    make_durable(fixture, 2);
    assert_int_equal(submit(fixture, 0, OP_GET, "lost"), ENGINE_DONE);
    assert_true(fixture->tasks[5].result.value.found);
    assert_int_equal(submit(fixture, 0, OP_SET, "other"), ENGINE_PENDING);
}

static void test_while_loading(void **state)
{
    struct fixture *fixture = *state;
    embedded_set_loading(fixture->engine, true);
    assert_int_equal(submit(fixture, 0, OP_GET, "key"), ENGINE_DONE);
    assert_int_equal(fixture->tasks[0].result.err, ERR_LOADING);
    assert_int_equal(submit(fixture, 0, OP_SET, "key"), ENGINE_DONE);
    assert_int_equal(fixture->tasks[1].result.err, ERR_LOADING);
    assert_int_equal(store_count(embedded_store(fixture->engine), 0), 0);
    embedded_set_loading(fixture->engine, false);
    assert_int_equal(submit(fixture, 0, OP_GET, "key"), ENGINE_DONE);
    assert_int_equal(fixture->tasks[2].result.err, ERR_NONE);
}

/* What tasks it takes, as the tests above find it out by submitting some. */
static void test_its_state(void **state)
{
    struct fixture *fixture = *state;
    struct engine *plain = embedded_new(&(struct store_options){.databases = 1}, 1);
    assert_int_equal(engine_state(plain), ENGINE_TAKES_ALL);
    embedded_free(plain);
    assert_int_equal(engine_state(fixture->engine), ENGINE_TAKES_ALL);
    refuse(fixture, "the disk is full");
    assert_int_equal(engine_state(fixture->engine), ENGINE_READ_ONLY);
    embedded_set_loading(fixture->engine, true);
    assert_int_equal(engine_state(fixture->engine), ENGINE_LOADS);
    embedded_set_loading(fixture->engine, false);
    refuse(fixture, NULL);
    assert_int_equal(engine_state(fixture->engine), ENGINE_TAKES_ALL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_write_waits_for_the_disk),
        TEST(test_a_read_waits_only_for_what_it_shows),
        TEST(test_a_scan_waits_for_what_it_shows),
        TEST(test_no_scan_while_loading),
        TEST(test_a_miss_waits_for_the_removal),
        TEST(test_answers_come_in_the_order_of_revisions),
        TEST(test_a_cancelled_task_is_forgotten),
        TEST(test_when_the_disk_fails),
        TEST(test_while_loading),
        TEST(test_its_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
