/* Tests of journal/journal_rewrite.c: new bases, on directories of the real file system. */
#include "journal/journal_fixture.h"

#include <unistd.h>

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

/* What is written during snapshots is loaded again, from base or log. */
static void test_writes_while_it_saves(void **state)
{
    struct fixture *fixture = *state;
    uint64_t random = seeded_start();
    start(fixture);
    fill(fixture, 0, 20000);
    for (int round = 0; round < 5; round++) {
        struct save_request request = {.save.on_done = on_done};
        journal_save(fixture->journal, &request.save);
        while (!atomic_load(&request.done))
            fill(fixture, seeded_below(&random, 20000), 10);
        assert_null(request.why);
        restart(fixture);
    }
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

/* A copy of it can be made while it is replaced and removed. */
static void test_the_base_can_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct fs_file *file;
    uint64_t size;
    char first[5], bytes[5];
    start(fixture);
    assert_int_equal(journal_open_base(fixture->journal, &file, &size), -ENOENT);
    fill(fixture, 0, 100);
    save(fixture);
    assert_int_equal(journal_open_base(fixture->journal, &file, &size), 0);
    assert_int_equal(size, journal_stats(fixture->journal).base_bytes);
    assert_int_equal(fs_read(file, 0, first, sizeof first), sizeof first);
    assert_memory_equal(first, "REDIS", sizeof first);
    save(fixture);
    for (uint64_t at = 0; at < size; at += sizeof bytes)
        assert_true(fs_read(file, at, bytes, sizeof bytes) > 0);
    assert_int_equal(fs_read(file, size, bytes, sizeof bytes), 0);
    fs_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_a_save_takes_the_place_of_the_log),
        JOURNAL_TEST(test_writes_while_it_saves),
        JOURNAL_TEST(test_a_dump_becomes_the_base),
        JOURNAL_TEST(test_the_base_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
