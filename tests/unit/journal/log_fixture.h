/* A log on a fake disk, records for it, and what must be in its file. */
#ifndef KEYSTORE_TESTS_JOURNAL_LOG_FIXTURE_H
#define KEYSTORE_TESTS_JOURNAL_LOG_FIXTURE_H

#include "base/activity.h"
#include "journal/log/scan.h"
#include "journal/log/wal.h"
#include "journal/log/wal_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "journal/fake_disk.h"

#define FIRST   11 /* revision of the first record */
#define WORKERS 4

/* Static in each test: when an assertion has failed, the log's thread still uses it, and must not
 * disturb the tests that follow. */
struct fixture {
    struct fake_disk disk; /* its mutex and condition are for all of this */
    struct durable durable;
    struct activity activity; /* without a bound in time */
    struct activity_worker workers[WORKERS];
    struct wal *log;
    unsigned progress; /* calls of on_progress */
    int fail_rotated;  /* result of on_rotated, 0 = success */
    unsigned rotated;
    bool passed_limit; /* by the other writer */
};

static inline void on_progress(void *user)
{
    struct fixture *fixture = user;
    FAKE_DISK_SET(&fixture->disk, fixture->progress++);
}

static inline int on_rotated(void *user, const char *name)
{
    struct fixture *fixture = user;
    int result;
    FAKE_DISK_SET(&fixture->disk, {
        fake_disk_tell(&fixture->disk, "rotated", name);
        fixture->rotated++;
        result = fixture->fail_rotated;
    });
    return result;
}

/* A wait for the disk of that length counts as slow. */
#define SLOW_US 20000

static inline void start(struct fixture *fixture, enum wal_sync sync, size_t most_gathered)
{
    struct fs_file *file;
    memset(fixture, 0, sizeof *fixture);
    fake_disk_init(&fixture->disk);
    activity_init(&fixture->activity, INT64_MAX);
    for (size_t i = 0; i < WORKERS; i++)
        activity_worker_init(&fixture->workers[i], &fixture->activity);
    fixture->durable.on_progress = on_progress;
    fixture->durable.user = fixture;
    struct wal_options options = {.fs = &fixture->disk.fs,
                                  .folder = "folder",
                                  .durable = &fixture->durable,
                                  .sync = sync,
                                  .activity = &fixture->activity,
                                  .most_gathered = most_gathered,
                                  .slow_us = SLOW_US,
                                  .revision = FIRST - 1,
                                  .former_size = 1000,
                                  .on_rotated = on_rotated,
                                  .user = fixture};
    assert_int_equal(wal_file_create(options.fs, "folder", "one", &file), 0);
    assert_int_equal(wal_new(&options, file, &fixture->log), 0);
    fixture->disk.syncs_begun = fixture->disk.syncs_done = 0;
    fixture->disk.story[0] = 0;
}

/* Ends the log, if it has not ended, and its disk. */
static inline void stop(struct fixture *fixture)
{
    if (fixture->log != NULL)
        assert_true(wal_free(fixture->log));
    fake_disk_deinit(&fixture->disk);
}

/* Writes a record of so many changes, each with its revision as the key. */
static inline uint64_t write_changes(struct wal *log, uint32_t db, unsigned changes,
                                     struct slice value)
{
    struct change_sink *sink = wal_sink(log);
    uint64_t revision = sink->begin(sink);
    char key[24];
    int len = snprintf(key, sizeof key, "%llu", (unsigned long long)revision);
    struct op op = {.kind = OP_SET, .db = db, .key = slice_make(key, (size_t)len), .value = value};
    for (unsigned i = 0; i < changes; i++)
        sink->change(sink, &op);
    sink->end(sink);
    return revision;
}

static inline uint64_t write_record(struct wal *log)
{
    return write_changes(log, 0, 1, SLICE_LITERAL("value"));
}

/* Starts a log whose first record, FIRST, is held on its way to the disk until let_go(). */
static inline void start_held(struct fixture *fixture, enum wal_sync sync, size_t most_gathered)
{
    start(fixture, sync, most_gathered);
    fixture->disk.hold = true;
    write_record(fixture->log);
    FAKE_DISK_WAIT(&fixture->disk, fixture->disk.syncs_begun == 1);
}

static inline void let_go(struct fixture *fixture)
{
    FAKE_DISK_SET(&fixture->disk, fixture->disk.hold = false);
}

static inline void wait_durable(struct fixture *fixture, uint64_t revision)
{
    FAKE_DISK_WAIT(&fixture->disk, atomic_load(&fixture->durable.revision) >= revision);
}

/* Asserts that a file that is no longer written holds exactly these records, each with its
 * revision's key. */
static inline void assert_file(const struct fixture *fixture, size_t file, uint64_t first,
                               uint64_t last)
{
    struct scan scan;
    struct scan_record record;
    scan_init(&scan, buf_slice(&fixture->disk.inodes[file].bytes), first);
    for (uint64_t revision = first; revision <= last; revision++) {
        char key[24];
        snprintf(key, sizeof key, "%llu", (unsigned long long)revision);
        assert_int_equal(scan_next(&scan, &record), SCAN_RECORD);
        assert_int_equal(record.revision, revision);
        for (size_t i = 0; i < record.count; i++)
            assert_true(slice_equal(record.commands[i].args[1], slice_from_string(key)));
    }
    assert_int_equal(scan_next(&scan, &record), SCAN_CLEAN);
    scan_deinit(&scan);
}

/* Asserts that the first file's records are in these databases, in this order. */
static inline void assert_dbs(const struct fixture *fixture, const uint32_t *dbs, size_t count)
{
    struct scan scan;
    struct scan_record record;
    scan_init(&scan, buf_slice(&fixture->disk.inodes[0].bytes), FIRST);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(scan_next(&scan, &record), SCAN_RECORD);
        assert_int_equal(record.commands[0].db, dbs[i]);
    }
    scan_deinit(&scan);
}

/* Ends a log that has not failed. */
static inline void end_log(struct fixture *fixture)
{
    assert_true(wal_free(fixture->log));
    fixture->log = NULL;
}

/* Ends the log; the first file holds the records up to `last`, durably. */
static inline void end_with(struct fixture *fixture, uint64_t last)
{
    end_log(fixture);
    assert_file(fixture, 0, FIRST, last);
    assert_int_equal(fixture->disk.inodes[0].synced, fixture->disk.inodes[0].bytes.len);
}

#endif
