/* Tests of journal/journal.c, on directories of the real file system. */
#include "journal/journal.h"

#include "base/arena.h"
#include "base/log.h"
#include "journal/fs/posix.h"
#include "journal/layout.h"
#include "store/op.h"
#include "store/restore.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/store_text.h"
#include "store/seeded.h"
#include "support/folder.h"

#define PATIENCE_S 60

struct fixture {
    struct folder folder;
    struct journal_options options;
    struct journal *journal; /* NULL: not open */
    struct store *store;
    struct arena arena;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    log_set_level(LOG_ERROR);
    folder_make(&fixture->folder);
    fixture->options =
        (struct journal_options){.rewrite_percent = 100, .rewrite_min_size = UINT64_MAX};
    arena_init(&fixture->arena);
    *state = fixture;
    return 0;
}

static void stop(struct fixture *fixture)
{
    if (fixture->journal == NULL)
        return;
    assert_true(journal_stop(fixture->journal));
    journal_free(fixture->journal);
    store_free(fixture->store);
    fixture->journal = NULL;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    stop(fixture);
    arena_deinit(&fixture->arena);
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

static struct fs *open_directory(struct fixture *fixture)
{
    struct fs *fs;
    assert_int_equal(fs_posix_open(fixture->folder.path, &fs), 0);
    return fs;
}

static void ignore(void *user)
{
    (void)user;
}

/* A new store with what is there, kept from now on. */
static void start(struct fixture *fixture)
{
    char why[1000];
    stop(fixture);
    fixture->store = store_new(&(struct store_options){.databases = 4});
    fixture->journal = journal_open(open_directory(fixture), &fixture->options, why, sizeof why);
    if (fixture->journal == NULL)
        fail_msg("%s", why);
    const struct recovery *recovery = journal_load(fixture->journal, fixture->store, NULL, NULL);
    if (recovery->verdict != LOADING_DONE)
        fail_msg("%s", recovery->why);
    journal_durable(fixture->journal)->on_progress = ignore;
    if (!journal_start(fixture->journal, why, sizeof why))
        fail_msg("%s", why);
}

/* Stops and starts: all that was there is there again. */
static void restart(struct fixture *fixture)
{
    char *text = store_text(fixture->store);
    start(fixture);
    store_text_expect(fixture->store, text);
    free(text);
}

static void set(struct fixture *fixture, uint32_t number, struct slice value)
{
    char name[20];
    struct op_result result = {0};
    snprintf(name, sizeof name, "key:%u", number);
    struct op op = {.kind = OP_SET, .key = slice_from_string(name), .value = value};
    arena_reset(&fixture->arena);
    store_apply(fixture->store, &op, &fixture->arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    op_result_release(&result);
}

static void fill(struct fixture *fixture, uint32_t from, uint32_t count)
{
    static char value[1000];
    for (uint32_t i = from; i < from + count; i++)
        set(fixture, i, slice_make(value, i % sizeof value));
}

/* Names in the folder, with a space behind each. */
static const char *files(struct fixture *fixture)
{
    static char text[10000];
    struct fs_names names = {0};
    struct fs *fs = open_directory(fixture);
    assert_int_equal(fs_list(fs, LAYOUT_FOLDER, &names), 0);
    text[0] = 0;
    for (size_t i = 0; i < names.count; i++) {
        strcat(text, names.items[i]);
        strcat(text, " ");
    }
    fs_names_deinit(&names);
    fs_close_directory(fs);
    return text;
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* ---- saving ---- */

struct wish {
    struct journal_save save; /* first: on_done finds the wish by it */
    const char *why;
    atomic_bool done;
};

static void on_done(struct journal_save *save, const char *why)
{
    struct wish *wish = (struct wish *)save;
    wish->why = why;
    atomic_store(&wish->done, true);
}

static void await(struct wish *wish)
{
    for (int i = 0; !atomic_load(&wish->done); i++) {
        assert_true(i < PATIENCE_S * 500);
        pause_briefly();
    }
}

static void save(struct fixture *fixture)
{
    struct wish wish = {.save.on_done = on_done};
    journal_save(fixture->journal, &wish.save);
    await(&wish);
    assert_null(wish.why);
}

/* ---- tests ---- */

static void test_what_was_written_is_there_again(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    assert_string_equal(files(fixture), "appendonly.aof.1.incr.aof appendonly.aof.manifest ");
    fill(fixture, 0, 100);
    restart(fixture);
    assert_int_equal(restore_newest(fixture->store), 100);
    fill(fixture, 50, 100);
    restart(fixture);
    assert_int_equal(restore_newest(fixture->store), 200);
    assert_string_equal(files(fixture), "appendonly.aof.1.incr.aof appendonly.aof.2.incr.aof "
                                        "appendonly.aof.3.incr.aof appendonly.aof.manifest ");
    /* A log with nothing in it is used on. */
    restart(fixture);
    restart(fixture);
    assert_string_equal(files(fixture), "appendonly.aof.1.incr.aof appendonly.aof.2.incr.aof "
                                        "appendonly.aof.3.incr.aof appendonly.aof.manifest ");
}

static void test_every_second(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.durability = JOURNAL_EVERY_SECOND;
    start(fixture);
    assert_int_equal(journal_durable(fixture->journal)->revision, DURABLE_AT_ONCE);
    fill(fixture, 0, 1000);
    restart(fixture);
    assert_int_equal(restore_newest(fixture->store), 1000);
}

static void test_a_second_one_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char why[500] = "", pid[30];
    start(fixture);
    assert_null(journal_open(open_directory(fixture), &fixture->options, why, sizeof why));
    snprintf(pid, sizeof pid, "process id %ld;", (long)getpid());
    assert_non_null(strstr(why, pid));
}

static void test_a_save_takes_the_place_of_the_log(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    fill(fixture, 0, 100);
    struct journal_stats stats = journal_stats(fixture->journal);
    assert_int_equal(stats.last_save, JOURNAL_NEVER);
    assert_int_equal(stats.changes, 100);
    save(fixture);
    assert_string_equal(files(fixture), "appendonly.aof.2.base.rdb appendonly.aof.2.incr.aof "
                                        "appendonly.aof.manifest ");
    stats = journal_stats(fixture->journal);
    assert_int_equal(stats.last_save, JOURNAL_GOOD);
    assert_int_equal(stats.changes, 0);
    assert_int_equal(stats.log_bytes, 0);
    assert_true(stats.base_bytes > 1000 && stats.last_save_at_ms > 0 && !stats.saving);
    fill(fixture, 10, 20);
    restart(fixture);
    assert_int_equal(restore_newest(fixture->store), 120);
    save(fixture);
    restart(fixture);
    assert_string_equal(files(fixture), "appendonly.aof.4.base.rdb appendonly.aof.4.incr.aof "
                                        "appendonly.aof.manifest ");
}

static void test_without_a_log(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.durability = JOURNAL_NONE;
    start(fixture);
    assert_int_equal(journal_durable(fixture->journal)->revision, DURABLE_AT_ONCE);
    fill(fixture, 0, 100);
    save(fixture);
    assert_string_equal(files(fixture), "appendonly.aof.2.base.rdb appendonly.aof.manifest ");
    char *text = store_text(fixture->store);
    set(fixture, 1000, SLICE_LITERAL("lost"));
    start(fixture);
    store_text_expect(fixture->store, text);
    free(text);
    /* With rules, an orderly end saves. */
    fixture->options.rules[fixture->options.rule_count++] = (struct journal_rule){1000000, 1};
    start(fixture);
    set(fixture, 1000, SLICE_LITERAL("kept"));
    restart(fixture);
    /* And a log can come later. */
    fixture->options.durability = JOURNAL_ALWAYS;
    restart(fixture);
    set(fixture, 1001, SLICE_LITERAL("kept"));
    restart(fixture);
}

static void test_the_log_is_rewritten_when_it_is_long(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.rewrite_min_size = 10000;
    start(fixture);
    for (uint32_t i = 0; strstr(files(fixture), ".base.rdb") == NULL; i++) {
        assert_true(i < 1000000);
        fill(fixture, i % 100, 1);
    }
    while (journal_stats(fixture->journal).saving)
        pause_briefly();
    assert_int_equal(journal_stats(fixture->journal).last_save, JOURNAL_GOOD);
    assert_true(journal_stats(fixture->journal).base_bytes > 0);
    restart(fixture);
}

static void test_a_rule_applies(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.rules[0] = (struct journal_rule){100000, 1};
    fixture->options.rules[1] = (struct journal_rule){1, 50};
    fixture->options.rule_count = 2;
    start(fixture);
    fill(fixture, 0, 50);
    for (int i = 0; journal_stats(fixture->journal).last_save == JOURNAL_NEVER; i++) {
        assert_true(i < PATIENCE_S * 500);
        pause_briefly();
    }
    assert_int_equal(journal_stats(fixture->journal).last_save, JOURNAL_GOOD);
    restart(fixture);
}

/* Each start after writes adds a file; their number has an end. */
static void test_many_log_files_are_put_together(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.durability = JOURNAL_EVERY_SECOND;
    start(fixture);
    for (uint32_t i = 1; i < 32; i++) {
        assert_int_equal(journal_stats(fixture->journal).last_save, JOURNAL_NEVER);
        fill(fixture, i, 1);
        restart(fixture);
    }
    for (int i = 0; journal_stats(fixture->journal).last_save == JOURNAL_NEVER; i++) {
        assert_true(i < PATIENCE_S * 500);
        pause_briefly();
    }
    assert_int_equal(journal_stats(fixture->journal).last_save, JOURNAL_GOOD);
    restart(fixture);
    assert_true(strlen(files(fixture)) < 200);
}

/* What is written while bases come and go is there again, by base or log. */
static void test_writes_while_it_saves(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    start(fixture);
    fill(fixture, 0, 20000);
    for (int round = 0; round < 5; round++) {
        struct wish wish = {.save.on_done = on_done};
        journal_save(fixture->journal, &wish.save);
        while (!atomic_load(&wish.done))
            fill(fixture, seeded_below(&random, 20000), 10);
        assert_null(wish.why);
        restart(fixture);
    }
}

/* Each gets its answer, also one that comes too late. */
static void test_many_saves_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct wish wishes[100] = {0};
    start(fixture);
    fill(fixture, 0, 1000);
    for (size_t i = 0; i < 100; i++) {
        wishes[i].save.on_done = on_done;
        journal_save(fixture->journal, &wishes[i].save);
    }
    struct journal_save nobody = {0};
    journal_save(fixture->journal, &nobody);
    await(&wishes[0]);
    char *text = store_text(fixture->store);
    stop(fixture);
    for (size_t i = 0; i < 100; i++)
        assert_true(atomic_load(&wishes[i].done));
    start(fixture);
    store_text_expect(fixture->store, text);
    free(text);
}

/* A base is written before anything else, so that the manifest does not hide the dump. */
static void test_a_dump_becomes_the_base(void **state)
{
    struct fixture *fixture = *state;
    char from[PATH_MAX], to[PATH_MAX];
    fixture->options.durability = JOURNAL_NONE;
    start(fixture);
    fill(fixture, 0, 10);
    save(fixture);
    stop(fixture);
    snprintf(from, sizeof from, "%s/appendonlydir/appendonly.aof.2.base.rdb", fixture->folder.path);
    snprintf(to, sizeof to, "%s/dump.rdb", fixture->folder.path);
    assert_int_equal(rename(from, to), 0);
    snprintf(from, sizeof from, "%s/appendonlydir/appendonly.aof.manifest", fixture->folder.path);
    assert_int_equal(unlink(from), 0);

    fixture->options.durability = JOURNAL_ALWAYS;
    start(fixture);
    assert_int_equal(store_count(fixture->store, 0), 10);
    assert_string_equal(files(fixture), "appendonly.aof.1.base.rdb appendonly.aof.2.incr.aof "
                                        "appendonly.aof.manifest ");
    fill(fixture, 10, 10);
    restart(fixture);
    assert_int_equal(store_count(fixture->store, 0), 20);
}

static void test_a_start_that_fails(void **state)
{
    struct fixture *fixture = *state;
    char why[500], path[PATH_MAX];
    struct store *store = store_new(&(struct store_options){.databases = 4});
    snprintf(path, sizeof path, "%s/" LAYOUT_FOLDER, fixture->folder.path);
    struct journal *journal =
        journal_open(open_directory(fixture), &fixture->options, why, sizeof why);
    assert_non_null(journal);
    assert_int_equal(journal_load(journal, store, NULL, NULL)->verdict, LOADING_DONE);
    FILE *file = fopen(path, "w"); /* where the folder would be */
    fclose(file);
    assert_false(journal_start(journal, why, sizeof why));
    assert_non_null(strstr(why, "Not a directory"));
    assert_true(journal_stop(journal));
    journal_free(journal);
    store_free(store);
    assert_int_equal(unlink(path), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_written_is_there_again),
        TEST(test_every_second),
        TEST(test_a_second_one_is_refused),
        TEST(test_a_save_takes_the_place_of_the_log),
        TEST(test_without_a_log),
        TEST(test_the_log_is_rewritten_when_it_is_long),
        TEST(test_a_rule_applies),
        TEST(test_many_log_files_are_put_together),
        TEST(test_writes_while_it_saves),
        TEST(test_many_saves_at_once),
        TEST(test_a_dump_becomes_the_base),
        TEST(test_a_start_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
