/*
 * Versions over a model of a disk: a store without a log writes, while its revisions are reserved
 * in small steps, and is crashed after each change of the disk in many ways. No start may begin
 * below a version that was given by then. With syncs that do nothing one does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/log.h"
#include "crash/fs_model.h"
#include "crash/walk.h"
#include "journal/reserve.h"
#include "store/op.h"
#include "store/seeded.h"
#include "store/store.h"

#define WRITES 200
#define TIMES  40

/* What had been given after so many changes of the disk. */
struct given {
    size_t steps;
    uint64_t version;
};

static uint64_t write_one(struct store *store)
{
    struct arena arena;
    struct op_result result;
    struct op op = {.kind = OP_SET, .key = SLICE_LITERAL("k"), .value = SLICE_LITERAL("v")};
    arena_init(&arena);
    store_apply(store, &op, &arena, &result);
    uint64_t version = result.version;
    op_result_release(&result);
    arena_deinit(&arena);
    return version;
}

/* Some writers wait for the reserve, as it is only maintained now and then. */
static void live(struct fs_model *model, uint64_t *random, struct given *given)
{
    struct durable durable = {0};
    struct reserve reserve = {0};
    struct store *store = store_new(&(struct store_options){.databases = 1});
    reserve_start(&reserve, fs_model_fs(model), store, &durable, 2);
    for (size_t i = 0; i < WRITES; i++) {
        given[i].version = write_one(store);
        given[i].steps = fs_model_steps(model);
        if (seeded_below(random, 3) == 0)
            reserve_keep(&reserve);
    }
    assert_null(atomic_load(&durable.read_only_reason));
    reserve_stop(&reserve);
    store_free(store);
}

static uint64_t given_by(const struct given *given, size_t steps)
{
    uint64_t version = 0;
    for (size_t i = 0; i < WRITES && given[i].steps <= steps; i++)
        version = given[i].version;
    return version;
}

/* Counts the crashes after which versions are given twice, or the file cannot be read. */
static size_t crash_everywhere(unsigned lies)
{
    uint64_t random = seeded_start();
    struct given given[WRITES];
    struct fs_model *model = fs_model_new();
    size_t bad = 0, states = 0;
    fs_model_record(model);
    fs_model_lie(model, lies);
    live(model, &random, given);
    struct walk *walk = walk_new(model);
    do {
        for (size_t i = 0; i < TIMES; i++, states++) {
            struct chooser chooser;
            uint64_t begin;
            chooser_init_random(&chooser, &random);
            struct fs_model *state = walk_crash(walk, &chooser);
            int error = reserve_read(fs_model_fs(state), &begin);
            bad += error != 0 || begin < given_by(given, walk_step(walk));
            fs_model_free(state);
        }
    } while (walk_next(walk));
    walk_free(walk);
    fs_model_free(model);
    assert_true(states > 1000);
    return bad;
}

static void no_version_comes_again(void **state)
{
    (void)state;
    assert_int_equal(crash_everywhere(0), 0);
}

/* The control. */
static void syncs_that_lie_are_noticed(void **state)
{
    (void)state;
    assert_true(crash_everywhere(FS_MODEL_SYNC) > 0);
    assert_true(crash_everywhere(FS_MODEL_SYNC_DIRECTORY) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_version_comes_again),
        cmocka_unit_test(syncs_that_lie_are_noticed),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
