/* Tests of engine/save_requests.c and of an engine's save(), with a journal that is real. */
#include "engine/save_requests.h"

#include "base/arena.h"
#include "base/log.h"
#include "engine/embedded.h"
#include "journal/fs/posix.h"
#include "journal/journal.h"
#include "store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "support/folder.h"

#define WORKERS 3

struct fixture {
    struct folder folder;
    struct engine *engine;
    struct journal *journal;
    bool stopped;
    atomic_uint wakes[WORKERS];
};

static void wake(void *user)
{
    atomic_uint *wakes = user;
    atomic_fetch_add(wakes, 1);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct journal_options options = {.durability = JOURNAL_NONE};
    struct fs *fs;
    char why[500];
    log_set_level(LOG_ERROR);
    folder_make(&fixture->folder);
    assert_int_equal(fs_posix_open(fixture->folder.path, &fs), 0);
    fixture->engine = embedded_new(&(struct store_options){.databases = 1}, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        engine_set_waker(fixture->engine, i, (struct waker){wake, &fixture->wakes[i]});
    fixture->journal = journal_open(fs, &options, why, sizeof why);
    assert_non_null(fixture->journal);
    assert_int_equal(
        journal_load(fixture->journal, embedded_store(fixture->engine), NULL, NULL)->verdict,
        LOADING_DONE);
    embedded_set_durable(fixture->engine, journal_durable(fixture->journal));
    embedded_set_journal(fixture->engine, fixture->journal);
    assert_true(journal_start(fixture->journal, why, sizeof why));
    *state = fixture;
    return 0;
}

static void stop(struct fixture *fixture)
{
    if (!fixture->stopped)
        assert_true(journal_stop(fixture->journal));
    fixture->stopped = true;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    stop(fixture);
    journal_free(fixture->journal);
    embedded_free(fixture->engine);
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

/* A task that counts its answers. */
struct saving_thread {
    struct engine_task task; /* first: on_done finds the waiter by it */
    unsigned answers;
};

static void on_done(struct engine_task *task)
{
    ((struct saving_thread *)task)->answers++;
}

static struct saving_thread waiter_of(unsigned worker)
{
    return (struct saving_thread){.task = {.worker = worker, .on_done = on_done}};
}

/* Completes the worker's tasks until the waiter is answered. */
static void await(struct fixture *fixture, struct saving_thread *waiter)
{
    unsigned worker = waiter->task.worker;
    for (unsigned seen = 0; waiter->answers == 0;) {
        while (atomic_load(&fixture->wakes[worker]) == seen)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        seen = atomic_load(&fixture->wakes[worker]);
        engine_complete(fixture->engine, worker);
    }
}

static void test_it_is_answered_on_its_worker(void **state)
{
    struct fixture *fixture = *state;
    struct saving_thread waiter = waiter_of(1);
    assert_int_equal(engine_save(fixture->engine, &waiter.task, true), ENGINE_PENDING);
    await(fixture, &waiter);
    assert_int_equal(waiter.answers, 1);
    assert_int_equal(waiter.task.result.err, ERR_NONE);
    assert_true(waiter.task.result.ok);
    assert_int_equal(atomic_load(&fixture->wakes[0]), 0);
    assert_int_equal(atomic_load(&fixture->wakes[2]), 0);
    assert_int_equal(journal_stats(fixture->journal).last_save, JOURNAL_GOOD);
}

static void test_nobody_has_to_wait(void **state)
{
    struct fixture *fixture = *state;
    struct saving_thread waiter = waiter_of(0), later = waiter_of(0);
    assert_int_equal(engine_save(fixture->engine, &waiter.task, false), ENGINE_DONE);
    assert_true(waiter.task.result.ok);
    assert_int_equal(engine_save(fixture->engine, &later.task, true), ENGINE_PENDING);
    await(fixture, &later);
    assert_int_equal(waiter.answers, 0);
    assert_int_equal(journal_stats(fixture->journal).last_save, JOURNAL_GOOD);
}

static void test_a_cancelled_one_is_not_answered(void **state)
{
    struct fixture *fixture = *state;
    struct saving_thread waiters[10];
    for (size_t i = 0; i < 10; i++) {
        waiters[i] = waiter_of(2);
        assert_int_equal(engine_save(fixture->engine, &waiters[i].task, true), ENGINE_PENDING);
    }
    for (size_t i = 0; i < 10; i += 2)
        engine_cancel(fixture->engine, &waiters[i].task);
    for (size_t i = 1; i < 10; i += 2) {
        if (waiters[i].answers == 0)
            await(fixture, &waiters[i]);
    }
    stop(fixture);
    engine_complete(fixture->engine, 2);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(waiters[i].answers, i % 2);
}

/* A request that comes too late is answered, too. */
static void test_the_end_of_the_journal(void **state)
{
    struct fixture *fixture = *state;
    struct saving_thread waiters[10];
    for (size_t i = 0; i < 10; i++) {
        waiters[i] = waiter_of(0);
        assert_int_equal(engine_save(fixture->engine, &waiters[i].task, true), ENGINE_PENDING);
    }
    stop(fixture);
    engine_complete(fixture->engine, 0);
    for (size_t i = 0; i < 10; i++) {
        const struct op_result *result = &waiters[i].task.result;
        assert_int_equal(waiters[i].answers, 1);
        assert_true(result->ok ? result->err == ERR_NONE : result->err == ERR_NOT_DURABLE);
        assert_true((result->why == NULL) == result->ok);
    }
}

static void test_while_loading(void **state)
{
    struct fixture *fixture = *state;
    struct saving_thread waiter = waiter_of(0);
    embedded_set_loading(fixture->engine, true);
    assert_int_equal(engine_save(fixture->engine, &waiter.task, true), ENGINE_DONE);
    assert_int_equal(waiter.task.result.err, ERR_LOADING);
    embedded_set_loading(fixture->engine, false);
}

static void test_without_a_journal(void **state)
{
    (void)state;
    struct saving_thread waiter = waiter_of(0);
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 1);
    assert_int_equal(engine_save(engine, &waiter.task, true), ENGINE_DONE);
    assert_int_equal(waiter.task.result.err, ERR_NOT_SERVED);
    assert_non_null(waiter.task.result.why);
    engine_complete(engine, 0);
    embedded_free(engine);
}

/* Tasks that are not in the list. */
static void test_an_empty_list(void **state)
{
    (void)state;
    struct save_requests list = {0};
    struct saving_thread waiter = waiter_of(0);
    assert_null(save_requests_take(&list));
    assert_false(save_requests_forget(&list, &waiter.task));
    save_requests_deinit(&list);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_answered_on_its_worker),
        TEST(test_nobody_has_to_wait),
        TEST(test_a_cancelled_one_is_not_answered),
        TEST(test_the_end_of_the_journal),
        TEST(test_while_loading),
        cmocka_unit_test(test_without_a_journal),
        cmocka_unit_test(test_an_empty_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
