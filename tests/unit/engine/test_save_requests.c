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

#define PARTS 3

struct fixture {
    struct folder folder;
    struct engine *engine;
    struct journal *journal;
    bool stopped;
    atomic_uint ready[PARTS]; /* calls of on_ready */
};

static void on_ready(void *user, unsigned part)
{
    struct fixture *fixture = user;
    atomic_fetch_add(&fixture->ready[part], 1);
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
    fixture->engine = embedded_new(&(struct store_options){.databases = 1}, PARTS);
    fixture->engine->on_ready = on_ready;
    fixture->engine->on_ready_user = fixture;
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
struct wish {
    struct engine_task task; /* first: on_done finds the wish by it */
    unsigned answers;
};

static void on_done(struct engine_task *task)
{
    ((struct wish *)task)->answers++;
}

static struct wish wish_of(unsigned part)
{
    return (struct wish){.task = {.part = part, .on_done = on_done}};
}

/* Completes the part's tasks until the wish is answered. */
static void await(struct fixture *fixture, struct wish *wish)
{
    unsigned part = wish->task.part;
    for (unsigned seen = 0; wish->answers == 0;) {
        while (atomic_load(&fixture->ready[part]) == seen)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        seen = atomic_load(&fixture->ready[part]);
        engine_complete(fixture->engine, part);
    }
}

static void test_it_is_answered_on_its_part(void **state)
{
    struct fixture *fixture = *state;
    struct wish wish = wish_of(1);
    assert_int_equal(engine_save(fixture->engine, &wish.task, true), ENGINE_PENDING);
    await(fixture, &wish);
    assert_int_equal(wish.answers, 1);
    assert_int_equal(wish.task.result.err, ERR_NONE);
    assert_true(wish.task.result.ok);
    assert_int_equal(atomic_load(&fixture->ready[0]), 0);
    assert_int_equal(atomic_load(&fixture->ready[2]), 0);
    assert_int_equal(journal_stats(fixture->journal).last_save, JOURNAL_GOOD);
}

static void test_nobody_has_to_wait(void **state)
{
    struct fixture *fixture = *state;
    struct wish wish = wish_of(0), later = wish_of(0);
    assert_int_equal(engine_save(fixture->engine, &wish.task, false), ENGINE_DONE);
    assert_true(wish.task.result.ok);
    assert_int_equal(engine_save(fixture->engine, &later.task, true), ENGINE_PENDING);
    await(fixture, &later);
    assert_int_equal(wish.answers, 0);
    assert_int_equal(journal_stats(fixture->journal).last_save, JOURNAL_GOOD);
}

static void test_a_cancelled_one_is_not_answered(void **state)
{
    struct fixture *fixture = *state;
    struct wish wishes[10];
    for (size_t i = 0; i < 10; i++) {
        wishes[i] = wish_of(2);
        assert_int_equal(engine_save(fixture->engine, &wishes[i].task, true), ENGINE_PENDING);
    }
    for (size_t i = 0; i < 10; i += 2)
        engine_cancel(fixture->engine, &wishes[i].task);
    for (size_t i = 1; i < 10; i += 2) {
        if (wishes[i].answers == 0)
            await(fixture, &wishes[i]);
    }
    stop(fixture);
    engine_complete(fixture->engine, 2);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(wishes[i].answers, i % 2);
}

/* Also one that comes too late gets its answer. */
static void test_the_end_of_the_journal(void **state)
{
    struct fixture *fixture = *state;
    struct wish wishes[10];
    for (size_t i = 0; i < 10; i++) {
        wishes[i] = wish_of(0);
        assert_int_equal(engine_save(fixture->engine, &wishes[i].task, true), ENGINE_PENDING);
    }
    stop(fixture);
    engine_complete(fixture->engine, 0);
    for (size_t i = 0; i < 10; i++) {
        const struct op_result *result = &wishes[i].task.result;
        assert_int_equal(wishes[i].answers, 1);
        assert_true(result->ok ? result->err == ERR_NONE : result->err == ERR_NOT_DURABLE);
        assert_true((result->why == NULL) == result->ok);
    }
}

static void test_while_loading(void **state)
{
    struct fixture *fixture = *state;
    struct wish wish = wish_of(0);
    embedded_set_loading(fixture->engine, true);
    assert_int_equal(engine_save(fixture->engine, &wish.task, true), ENGINE_DONE);
    assert_int_equal(wish.task.result.err, ERR_LOADING);
    embedded_set_loading(fixture->engine, false);
}

static void test_without_a_journal(void **state)
{
    (void)state;
    struct wish wish = wish_of(0);
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 1);
    assert_int_equal(engine_save(engine, &wish.task, true), ENGINE_DONE);
    assert_int_equal(wish.task.result.err, ERR_NOT_SERVED);
    assert_non_null(wish.task.result.why);
    engine_complete(engine, 0);
    embedded_free(engine);
}

/* What the list says of tasks that it does not have. */
static void test_an_empty_list(void **state)
{
    (void)state;
    struct save_requests list = {0};
    struct wish wish = wish_of(0);
    assert_null(save_requests_take(&list));
    assert_false(save_requests_forget(&list, &wish.task));
    save_requests_deinit(&list);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_answered_on_its_part),
        TEST(test_nobody_has_to_wait),
        TEST(test_a_cancelled_one_is_not_answered),
        TEST(test_the_end_of_the_journal),
        TEST(test_while_loading),
        cmocka_unit_test(test_without_a_journal),
        cmocka_unit_test(test_an_empty_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
