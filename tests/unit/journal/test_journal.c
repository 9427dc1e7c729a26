/* Tests of journal/journal.c, on directories of the real file system. */
#include "journal/journal_fixture.h"

#include <unistd.h>

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
    /* And a log can be added later. */
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

/* Each is answered, also one that is too late. */
static void test_many_saves_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct save_request requests[100] = {0};
    start(fixture);
    fill(fixture, 0, 1000);
    for (size_t i = 0; i < 100; i++) {
        requests[i].save.on_done = on_done;
        journal_save(fixture->journal, &requests[i].save);
    }
    struct journal_save nobody = {0};
    journal_save(fixture->journal, &nobody);
    await(&requests[0]);
    char *text = store_text(fixture->store);
    stop(fixture);
    for (size_t i = 0; i < 100; i++)
        assert_true(atomic_load(&requests[i].done));
    start(fixture);
    store_text_expect(fixture->store, text);
    free(text);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_what_was_written_is_there_again),
        JOURNAL_TEST(test_every_second),
        JOURNAL_TEST(test_a_second_one_is_refused),
        JOURNAL_TEST(test_without_a_log),
        JOURNAL_TEST(test_the_log_is_rewritten_when_it_is_long),
        JOURNAL_TEST(test_a_rule_applies),
        JOURNAL_TEST(test_many_log_files_are_put_together),
        JOURNAL_TEST(test_many_saves_at_once),
        JOURNAL_TEST(test_a_start_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
