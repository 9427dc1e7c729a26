/* The log of a store, over several files: a real Redis loads it, and it gives the same store. */
#include "journal/log/wal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/fs/posix.h"
#include "journal/log/command.h"
#include "journal/log/wal_file.h"
#include "journal/manifest.h"
#include "store/keyspace_fixture.h"
#include "store/seeded.h"
#include "support/folder.h"

#include "journal/random_writes.h"
#include "redis/compare.h"
#include "support/redis_process.h"

#define FOLDER   "appendonlydir"
#define MANIFEST "appendonly.aof.manifest"
#define FILES    3
#define WRITES   4000 /* per file */

struct logged {
    struct folder folder;
    struct fs *fs;
    struct store *store;
    struct durable durable;
    struct manifest manifest;
};

static int on_rotated(void *user, const char *name)
{
    struct logged *logged = user;
    manifest_add(&logged->manifest, name, (int64_t)logged->manifest.count + 1, 'i');
    return manifest_replace(logged->fs, FOLDER, MANIFEST, &logged->manifest);
}

static void name_of(int number, char name[64])
{
    snprintf(name, 64, "appendonly.aof.%d.incr.aof", number);
}

static struct wal *open_log(struct logged *logged, enum wal_sync sync)
{
    struct fs_file *file;
    struct wal *log;
    char name[64];
    name_of(1, name);
    assert_int_equal(fs_mkdir(logged->fs, FOLDER), 0);
    assert_int_equal(wal_file_create(logged->fs, FOLDER, name, &file), 0);
    assert_int_equal(on_rotated(logged, name), 0);
    assert_int_equal(wal_new(&(struct wal_options){.fs = logged->fs,
                                                   .folder = FOLDER,
                                                   .durable = &logged->durable,
                                                   .sync = sync,
                                                   .on_rotated = on_rotated,
                                                   .user = logged},
                             file, &log),
                     0);
    return log;
}

/* A store with a log of all that was done to it. */
static void make(struct logged *logged, enum wal_sync sync)
{
    struct writes writes;
    memset(logged, 0, sizeof *logged);
    folder_make(&logged->folder);
    assert_int_equal(fs_posix_open(logged->folder.path, &logged->fs), 0);
    logged->store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    struct wal *log = open_log(logged, sync);
    store_set_sink(logged->store, wal_sink(log));
    writes_init(&writes, logged->store, seeded_start());
    for (int file = 1; file <= FILES; file++) {
        for (int i = 0; i < WRITES; i++)
            writes_one(&writes);
        char name[64];
        name_of(file + 1, name);
        if (file < FILES)
            wal_rotate(log, name);
    }
    writes_deinit(&writes);
    store_set_sink(logged->store, NULL);
    assert_true(wal_free(log));
    assert_int_equal(logged->manifest.count, FILES);
}

static void unmake(struct logged *logged)
{
    manifest_deinit(&logged->manifest);
    store_free(logged->store);
    fs_close_directory(logged->fs);
    folder_remove(&logged->folder);
}

static void redis_loads_it(void **state)
{
    (void)state;
    struct logged logged;
    struct redis redis;
    make(&logged, WAL_ALWAYS);
    assert_int_equal(
        redis_process_check(logged.folder.path, "redis-check-aof", FOLDER "/" MANIFEST, true), 0);
    redis_start(&redis, logged.folder.path, NULL, NULL);
    compare_stores(&redis, logged.store);
    redis_stop(&redis);
    unmake(&logged);
}

static void replay(struct store *store, struct slice log, uint64_t *next)
{
    struct scan scan;
    struct scan_record record;
    struct arena arena;
    enum scan_verdict verdict;
    arena_init(&arena);
    scan_init(&scan, log, *next);
    while ((verdict = scan_next(&scan, &record)) == SCAN_RECORD) {
        assert_int_equal(record.revision, (*next)++);
        for (size_t i = 0; i < record.count; i++) {
            struct op op;
            struct op_result result;
            const char *why;
            assert_int_equal(command_read(&record.commands[i], &arena, &op, &why), COMMAND_OP);
            store_apply(store, &op, &arena, &result);
            assert_int_equal(result.err, ERR_NONE);
            op_result_release(&result);
        }
        arena_reset(&arena);
    }
    assert_int_equal(verdict, SCAN_CLEAN);
    scan_deinit(&scan);
    arena_deinit(&arena);
}

static void the_store_comes_back(void **state)
{
    (void)state;
    struct logged logged;
    uint64_t next = 1;
    make(&logged, WAL_EVERY_SECOND);
    struct store *again = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    for (int number = 1; number <= FILES; number++) {
        struct fs_file *file;
        struct slice bytes;
        char path[128] = FOLDER "/";
        name_of(number, path + strlen(path));
        assert_int_equal(fs_open(logged.fs, path, FS_READ, &file), 0);
        assert_int_equal(fs_map(file, &bytes), 0);
        assert_true(bytes.len > 0);
        replay(again, bytes, &next);
        fs_unmap(logged.fs, bytes);
        fs_close(file);
    }
    assert_true(next > FILES * WRITES / 4);
    keyspace_assert_within(logged.store, again);
    store_free(again);
    unmake(&logged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_loads_it),
        cmocka_unit_test(the_store_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
