/* Tests of journal/recovery.c, on directories of the real file system. */
#include "journal/recovery.h"
#include "journal/tidy.h"

#include "journal/fs/posix.h"
#include "journal/layout.h"
#include "journal/log/batch.h"
#include "store/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/rdb_bytes.h"
#include "journal/store_text.h"
#include "support/folder.h"
#include "support/words.h"

#define BASE "appendonlydir/appendonly.aof.1.base.rdb"
#define LOG1 "appendonlydir/appendonly.aof.1.incr.aof"
#define LOG2 "appendonlydir/appendonly.aof.2.incr.aof"

struct fixture {
    struct folder folder;
    struct fs *fs;
    struct store *store;
    struct recovery_options options;
    struct recovery recovery;
    struct buf bytes; /* of the next file */
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    folder_make(&fixture->folder);
    assert_int_equal(fs_posix_open(fixture->folder.path, &fixture->fs), 0);
    assert_int_equal(fs_mkdir(fixture->fs, LAYOUT_FOLDER), 0);
    fixture->store = store_new(&(struct store_options){.databases = 4, .max_memory = 1});
    buf_init(&fixture->bytes, SIZE_MAX);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    recovery_deinit(&fixture->recovery);
    buf_deinit(&fixture->bytes);
    store_free(fixture->store);
    fs_close_directory(fixture->fs);
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

/* ---- files ---- */

/* Makes the file of what was gathered. */
static void put(struct fixture *fixture, const char *path)
{
    struct fs_file *file;
    assert_int_equal(fs_open(fixture->fs, path, FS_CREATE, &file), 0);
    if (fixture->bytes.len > 0)
        assert_int_equal(fs_write_slice(file, buf_slice(&fixture->bytes)), 0);
    assert_int_equal(fs_close(file), 0);
    fixture->bytes.len = 0;
}

static void put_text(struct fixture *fixture, const char *path, const char *text)
{
    assert_true(buf_append(&fixture->bytes, slice_from_string(text)));
    put(fixture, path);
}

static void put_manifest(struct fixture *fixture, const char *lines)
{
    put_text(fixture, LAYOUT_FOLDER "/" LAYOUT_MANIFEST, lines);
}

/* The bytes of the file, -1 if there is none. */
static int64_t size_of(struct fixture *fixture, const char *path)
{
    struct fs_file *file;
    if (fs_open(fixture->fs, path, FS_READ, &file) != 0)
        return -1;
    int64_t size = fs_size(file);
    fs_close(file);
    return size;
}

/* Gathers a batch of one command. */
static void add_batch(struct fixture *fixture, uint64_t seq, const char *command)
{
    struct batch batch = {.seq = seq, .ops = 1, .synced = seq - 1};
    struct buf payload;
    uint8_t line[BATCH_MOST_LINE];
    buf_init(&payload, SIZE_MAX);
    words_append(&payload, command);
    struct iovec piece = {.iov_base = payload.data, .iov_len = payload.len};
    size_t size = batch_format(&batch, fixture->bytes.len, &piece, 1, line);
    rdb_bytes_add(&fixture->bytes, slice_make(line, size));
    rdb_bytes_add(&fixture->bytes, buf_slice(&payload));
    buf_deinit(&payload);
}

/* Gathers an RDB file with one string, and perhaps a set. */
static void add_rdb(struct fixture *fixture, bool with_set)
{
    RDB_BYTES(&fixture->bytes, "REDIS0009\0\1a\4base");
    if (with_set)
        RDB_BYTES(&fixture->bytes, "\2\5a set\2\1x\1y");
    RDB_BYTES(&fixture->bytes, "\xff");
    rdb_bytes_crc(&fixture->bytes);
}

/* Base, a whole log, and one with a torn tail. */
static void put_all(struct fixture *fixture, bool with_set)
{
    add_rdb(fixture, with_set);
    put(fixture, BASE);
    add_batch(fixture, 2, "SET b 1");
    put(fixture, LOG1);
    add_batch(fixture, 3, "SET c 1");
    rdb_bytes_add(&fixture->bytes, SLICE_LITERAL("#KS1 seq"));
    put(fixture, LOG2);
    put_manifest(fixture, "file appendonly.aof.1.base.rdb seq 1 type b\n"
                          "file appendonly.aof.1.incr.aof seq 1 type i\n"
                          "file appendonly.aof.2.incr.aof seq 2 type i\n");
}

/* ---- loading ---- */

static enum loading_verdict load(struct fixture *fixture)
{
    return tidy_load(fixture->fs, fixture->store, &fixture->options, &fixture->recovery);
}

static void expect(struct fixture *fixture, const char *text)
{
    if (load(fixture) != LOADING_DONE)
        fail_msg("%s", fixture->recovery.why);
    store_text_expect(fixture->store, text);
}

static void expect_end(struct fixture *fixture, enum loading_verdict verdict, const char *words)
{
    assert_int_equal(load(fixture), verdict);
    if (strstr(fixture->recovery.why, words) == NULL)
        fail_msg("`%s` is not in: %s", words, fixture->recovery.why);
}

/* ---- tests ---- */

static void test_an_empty_directory(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "");
    assert_int_equal(fixture->recovery.manifest.count, 0);
    assert_int_equal(fixture->recovery.revision, 0);
    assert_false(fixture->recovery.from_dump);
    /* The folder does not have to be there either. */
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" LAYOUT_FOLDER, fixture->folder.path);
    assert_int_equal(rmdir(path), 0);
    expect(fixture, "");
    assert_int_equal(mkdir(path, 0700), 0);
}

static void test_base_and_logs(void **state)
{
    struct fixture *fixture = *state;
    put_all(fixture, false);
    int64_t torn = size_of(fixture, LOG2);
    expect(fixture, "0 \"a\" @0 v1 = \"base\"\n0 \"b\" @0 v2 = \"1\"\n0 \"c\" @0 v3 = \"1\"\n");
    const struct recovery *recovery = &fixture->recovery;
    assert_int_equal(recovery->revision, 3);
    assert_int_equal(recovery->manifest.count, 3);
    assert_int_equal(recovery->base_bytes, size_of(fixture, BASE));
    assert_string_equal(recovery->torn_name, "appendonly.aof.2.incr.aof");
    assert_int_equal(recovery->torn_bytes, 8);
    assert_int_equal(recovery->torn_offset, torn - 8);
    assert_non_null(recovery->torn_why);
    /* It was truncated, so the next time there is none. */
    assert_int_equal(size_of(fixture, LOG2), torn - 8);
    assert_int_equal(recovery->log_bytes, size_of(fixture, LOG1) + torn - 8);
    assert_int_equal(recovery->progress.done, recovery->progress.total);
    recovery_deinit(&fixture->recovery);
    store_free(fixture->store);
    fixture->store = store_new(&(struct store_options){.databases = 4});
    assert_int_equal(load(fixture), LOADING_DONE);
    assert_null(recovery->torn_why);
}

/* The limit is in force again afterwards. */
static void test_a_limit_of_memory_does_not_hold_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    put_all(fixture, false);
    assert_int_equal(load(fixture), LOADING_DONE);
    assert_int_equal(store_count(fixture->store, 0), 3);
    assert_int_equal(store_limit(fixture->store).max_memory, 1);
}

static void test_bases_in_other_forms(void **state)
{
    struct fixture *fixture = *state;
    /* As Redis writes it without a preamble. */
    words_append(&fixture->bytes, "SELECT 1");
    words_append(&fixture->bytes, "RPUSH l 1 2");
    put(fixture, "appendonlydir/appendonly.aof.1.base.aof");
    words_append(&fixture->bytes, "SELECT 1");
    words_append(&fixture->bytes, "RPUSH l 3");
    put(fixture, LOG1);
    put_manifest(fixture, "file appendonly.aof.1.base.aof seq 1 type b\n"
                          "file appendonly.aof.1.incr.aof seq 1 type i\n");
    expect(fixture, "1 \"l\" @0 v2 = [ \"1\" \"2\" \"3\" ]\n");
    assert_int_equal(fixture->recovery.revision, 2);
}

/* A log of Redis before 7.0, which its successor calls a base. */
static void test_a_log_behind_an_rdb(void **state)
{
    struct fixture *fixture = *state;
    add_rdb(fixture, false);
    words_append(&fixture->bytes, "SELECT 0");
    words_append(&fixture->bytes, "APPEND a +log");
    put(fixture, "appendonlydir/appendonly.aof");
    put_text(fixture, LOG1, "");
    put_manifest(fixture, "file appendonly.aof seq 1 type b\n"
                          "file appendonly.aof.1.incr.aof seq 1 type i\n");
    expect(fixture, "0 \"a\" @0 v2 = \"base+log\"\n");
}

static void test_a_dump(void **state)
{
    struct fixture *fixture = *state;
    add_rdb(fixture, false);
    put(fixture, LAYOUT_DUMP);
    /* What a start left that was interrupted. */
    put_text(fixture, BASE, "half");
    put_text(fixture, LOG1, "");
    put_text(fixture, "appendonlydir/temp-appendonly.aof.1.base.rdb", "half");
    expect(fixture, "0 \"a\" @0 v1 = \"base\"\n");
    assert_true(fixture->recovery.from_dump);
    assert_int_equal(fixture->recovery.revision, 1);
    assert_int_equal(fixture->recovery.manifest.count, 0);
    assert_int_equal(size_of(fixture, BASE), -1);
    assert_int_equal(size_of(fixture, "appendonlydir/temp-appendonly.aof.1.base.rdb"), -1);
}

static void test_a_manifest_comes_before_a_dump(void **state)
{
    struct fixture *fixture = *state;
    add_rdb(fixture, false);
    put(fixture, LAYOUT_DUMP);
    add_batch(fixture, 1, "SET b 1");
    put(fixture, LOG1);
    put_manifest(fixture, "file appendonly.aof.1.incr.aof seq 1 type i\n");
    expect(fixture, "0 \"b\" @0 v1 = \"1\"\n");
    assert_false(fixture->recovery.from_dump);
}

/* Redis does not look at what follows. */
static void test_a_dump_that_goes_on(void **state)
{
    struct fixture *fixture = *state;
    add_rdb(fixture, false);
    RDB_BYTES(&fixture->bytes, "x");
    put(fixture, LAYOUT_DUMP);
    assert_int_equal(load(fixture), LOADING_DONE);
    assert_true(fixture->recovery.from_dump);
    assert_int_equal(fixture->recovery.ignored_bytes, 1);
    assert_int_equal(store_count(fixture->store, 0), 1);
}

static void test_an_empty_base(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture, BASE, "");
    put_text(fixture, LOG1, "");
    put_manifest(fixture, "file appendonly.aof.1.base.rdb seq 1 type b\n"
                          "file appendonly.aof.1.incr.aof seq 1 type i\n");
    expect_end(fixture, LOADING_DAMAGED,
               "DATA_LOSS: " BASE " is damaged at offset 0: it is empty, which a snapshot never");
}

static void test_logs_without_a_manifest(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture, LOG1, "*1\r\n$4\r\nPING\r\n");
    expect_end(fixture, LOADING_REFUSED, "there is " LOG1 ", but no ");
    assert_int_equal(size_of(fixture, LOG1), 14);
}

static void test_a_base_without_a_manifest(void **state)
{
    struct fixture *fixture = *state;
    add_rdb(fixture, false);
    put(fixture, BASE);
    expect_end(fixture, LOADING_REFUSED, "there is " BASE);
    assert_true(size_of(fixture, BASE) > 0);
}

static void test_a_log_of_an_older_redis(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture, "appendonly.aof", "*1\r\n$4\r\nPING\r\n");
    expect_end(fixture, LOADING_REFUSED, "start redis-server 7.0 on it once");
}

static void test_a_manifest_of_another_name(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture, "appendonlydir/other.aof.manifest", "x");
    expect_end(fixture, LOADING_REFUSED, "other.aof.manifest");
}

static void test_a_bad_manifest(void **state)
{
    struct fixture *fixture = *state;
    put_manifest(fixture, "file appendonly.aof.1.incr.aof seq 1 type i\nfile\n");
    expect_end(fixture, LOADING_DAMAGED,
               "DATA_LOSS: appendonlydir/appendonly.aof.manifest is "
               "damaged in line 2: ");
}

static void test_a_file_that_is_missing(void **state)
{
    struct fixture *fixture = *state;
    put_manifest(fixture, "file appendonly.aof.1.incr.aof seq 1 type i\n");
    expect_end(fixture, LOADING_DAMAGED,
               "DATA_LOSS: " LOG1 " is damaged at offset 0: the manifest "
               "names it, but it is not there");
}

static void test_a_torn_log_before_another(void **state)
{
    struct fixture *fixture = *state;
    add_batch(fixture, 1, "SET a 1");
    size_t good = fixture->bytes.len;
    rdb_bytes_add(&fixture->bytes, SLICE_LITERAL("#KS1"));
    put(fixture, LOG1);
    put_text(fixture, LOG2, "");
    put_manifest(fixture, "file appendonly.aof.1.incr.aof seq 1 type i\n"
                          "file appendonly.aof.2.incr.aof seq 2 type i\n");
    char words[100];
    snprintf(words, sizeof words, "DATA_LOSS: " LOG1 " is damaged at offset %zu: ", good);
    expect_end(fixture, LOADING_DAMAGED, words);
    assert_int_equal(size_of(fixture, LOG1), good + 4);
}

static void test_other_types_are_refused(void **state)
{
    struct fixture *fixture = *state;
    put_all(fixture, true);
    int64_t torn = size_of(fixture, LOG2);
    expect_end(fixture, LOADING_REFUSED,
               "set (1: \"a set\"); start with --import-skip-unsupported");
    /* Nothing was changed. */
    assert_int_equal(size_of(fixture, LOG2), torn);
}

static void test_other_types_are_left_out(void **state)
{
    struct fixture *fixture = *state;
    put_all(fixture, true);
    fixture->options.skip_unsupported = true;
    assert_int_equal(load(fixture), LOADING_DONE);
    assert_int_equal(store_count(fixture->store, 0), 3);
    assert_int_equal(fixture->recovery.unsupported.count, 1);
}

static void test_leftovers_and_history(void **state)
{
    struct fixture *fixture = *state;
    add_batch(fixture, 1, "SET a 1");
    put(fixture, LOG2);
    put_text(fixture, LOG1, "old");
    put_text(fixture, BASE, "left");
    put_text(fixture, "appendonlydir/temp-appendonly.aof.9.base.rdb", "left");
    put_text(fixture, "appendonlydir/temp-notes.txt", "mine");
    put_text(fixture, "appendonlydir/mine", "mine");
    put_manifest(fixture, "file appendonly.aof.1.incr.aof seq 1 type h\n"
                          "file appendonly.aof.2.incr.aof seq 2 type i\n");
    expect(fixture, "0 \"a\" @0 v1 = \"1\"\n");
    assert_int_equal(fixture->recovery.manifest.count, 1);
    assert_string_equal(fixture->recovery.manifest.files[0].name, "appendonly.aof.2.incr.aof");
    assert_int_equal(size_of(fixture, LOG1), -1);
    assert_int_equal(size_of(fixture, BASE), -1);
    assert_int_equal(size_of(fixture, "appendonlydir/temp-appendonly.aof.9.base.rdb"), -1);
    assert_int_equal(size_of(fixture, "appendonlydir/temp-notes.txt"), 4);
    assert_int_equal(size_of(fixture, "appendonlydir/mine"), 4);
    assert_true(size_of(fixture, LOG2) > 0);
    assert_int_equal(size_of(fixture, LAYOUT_FOLDER "/" LAYOUT_MANIFEST),
                     strlen("file appendonly.aof.2.incr.aof seq 2 type i\n"));
}

/* It would be taken for a leftover; but somebody has written to it. */
static void test_a_log_that_the_manifest_has_lost(void **state)
{
    struct fixture *fixture = *state;
    put_text(fixture, LOG1, "");
    add_batch(fixture, 1, "SET a 1");
    put(fixture, LOG2);
    put_manifest(fixture, "file appendonly.aof.1.incr.aof seq 1 type i\n");
    expect_end(fixture, LOADING_DAMAGED, "add `file appendonly.aof.2.incr.aof seq 2 type i`");
    assert_true(size_of(fixture, LOG2) > 0);
}

static bool stop_it(void *user, const struct loading_progress *progress)
{
    (void)user;
    assert_true(progress->total > 0);
    return false;
}

static void test_it_can_be_stopped(void **state)
{
    struct fixture *fixture = *state;
    put_all(fixture, false);
    int64_t torn = size_of(fixture, LOG2);
    fixture->options.on_progress = stop_it;
    assert_int_equal(load(fixture), LOADING_STOPPED);
    assert_int_equal(size_of(fixture, LOG2), torn);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_empty_directory),
        TEST(test_base_and_logs),
        TEST(test_a_limit_of_memory_does_not_hold_meanwhile),
        TEST(test_bases_in_other_forms),
        TEST(test_a_log_behind_an_rdb),
        TEST(test_a_dump),
        TEST(test_a_manifest_comes_before_a_dump),
        TEST(test_a_dump_that_goes_on),
        TEST(test_logs_without_a_manifest),
        TEST(test_a_base_without_a_manifest),
        TEST(test_a_log_of_an_older_redis),
        TEST(test_a_manifest_of_another_name),
        TEST(test_a_bad_manifest),
        TEST(test_a_file_that_is_missing),
        TEST(test_an_empty_base),
        TEST(test_a_torn_log_before_another),
        TEST(test_other_types_are_refused),
        TEST(test_other_types_are_left_out),
        TEST(test_leftovers_and_history),
        TEST(test_a_log_that_the_manifest_has_lost),
        TEST(test_it_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
