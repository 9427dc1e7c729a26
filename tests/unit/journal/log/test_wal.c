/* Tests of journal/log/wal.c: records and their order, backpressure, and rotation. */
#include "journal/log/wal.h"

#include "journal/log_fixture.h"

#include <time.h>

/* ---- records ---- */

/* Where a sync of that duration is counted. */
static size_t sync_bucket(int64_t took_us)
{
    size_t bucket = 0;
    for (size_t i = 0; i < WAL_SYNC_BOUNDS; i++)
        bucket += took_us > (int64_t)wal_sync_bounds_us[i];
    return bucket;
}

static void a_record_becomes_durable(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    assert_int_equal(atomic_load(&fixture.durable.revision), FIRST - 1);
    assert_null(atomic_load(&fixture.durable.read_only_reason));
    assert_int_equal(write_record(fixture.log), FIRST);
    wait_durable(&fixture, FIRST);
    FAKE_DISK_WAIT(&fixture.disk, fixture.progress == 1);
    struct wal_stats stats = wal_stats(fixture.log);
    assert_int_equal(stats.revision, FIRST);
    assert_int_equal(stats.records, 1);
    assert_int_equal(stats.batches, 1);
    assert_int_equal(stats.syncs, 1);
    assert_int_equal(stats.sync_sum_us, stats.last_sync_us);
    for (size_t i = 0; i <= WAL_SYNC_BOUNDS; i++)
        assert_int_equal(stats.sync_times[i], i == sync_bucket(stats.last_sync_us));
    assert_int_equal(stats.gathered_bytes, 0);
    assert_int_equal(stats.error, 0);
    assert_int_equal(stats.bytes, fixture.disk.inodes[0].bytes.len);
    assert_int_equal(wal_size(fixture.log), 1000 + stats.bytes);
    end_with(&fixture, FIRST);
    assert_string_equal(fixture.disk.story,
                        "write one\nsync one\nwrite one\nsync one\nclose one\n");
    stop(&fixture);
}

static void aborted_records_leave_no_gap(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct op op = {.kind = OP_DELETE, .db = 3, .key = SLICE_LITERAL("k")};
    start(&fixture, WAL_ALWAYS, 0);
    struct change_sink *sink = wal_sink(fixture.log);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(sink->begin(sink), FIRST + i);
        for (unsigned changes = 0; changes < i % 4; changes++)
            sink->change(sink, &op);
        sink->abort(sink);
        assert_int_equal(write_changes(fixture.log, i % 3, 1 + i % 2, SLICE_LITERAL("v")),
                         FIRST + i);
    }
    end_with(&fixture, FIRST + 49);
    stop(&fixture);
}

/* ---- many writers ---- */

#define WRITERS 4
#define EACH    3000

struct writer {
    struct fixture *fixture;
    pthread_t thread;
    unsigned number;
    uint64_t revisions[EACH];
};

static void *write_many(void *user)
{
    struct writer *writer = user;
    struct fixture *fixture = writer->fixture;
    for (unsigned i = 0; i < EACH; i++) {
        uint64_t revision =
            write_changes(fixture->log, writer->number, 1 + i % 3, SLICE_LITERAL("value"));
        writer->revisions[i] = revision;
        if (i % 4 == 0)
            wait_durable(fixture, revision);
    }
    return NULL;
}

/* Each record is in the file where its revision says, in the database of who wrote it. */
static void assert_written_by(const struct fixture *fixture, const struct writer *writers)
{
    static uint32_t dbs[WRITERS * EACH];
    memset(dbs, 0xff, sizeof dbs);
    for (size_t i = 0; i < WRITERS; i++)
        for (size_t j = 0; j < EACH; j++)
            dbs[writers[i].revisions[j] - FIRST] = writers[i].number;
    assert_dbs(fixture, dbs, WRITERS * EACH);
}

static void writers_share_batches_and_keep_their_order(void **state)
{
    (void)state;
    static struct writer writers[WRITERS];
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 2000);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.fixture = &fixture, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        for (unsigned j = 1; j < EACH; j++)
            assert_true(writers[i].revisions[j] > writers[i].revisions[j - 1]);
    }
    end_with(&fixture, FIRST + WRITERS * EACH - 1);
    assert_written_by(&fixture, writers);
    stop(&fixture);
}

/* ---- limits ---- */

static void *write_two(void *user)
{
    struct fixture *fixture = user;
    write_record(fixture->log);
    FAKE_DISK_SET(&fixture->disk, fixture->passed_limit = true);
    write_record(fixture->log);
    return NULL;
}

/* The limit is passed by one record, and not by two. */
static void writers_wait_when_too_much_has_gathered(void **state)
{
    (void)state;
    static struct fixture fixture;
    pthread_t thread;
    start_held(&fixture, WAL_ALWAYS, 1000);
    while (wal_stats(fixture.log).gathered_bytes <= 960)
        write_record(fixture.log);
    assert_int_equal(pthread_create(&thread, NULL, write_two, &fixture), 0);
    FAKE_DISK_WAIT(&fixture.disk, fixture.passed_limit);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 100000000;
    soon.tv_sec += soon.tv_nsec / 1000000000;
    soon.tv_nsec %= 1000000000;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &soon), ETIMEDOUT);
    assert_in_range(wal_stats(fixture.log).gathered_bytes, 1001, 1040);
    let_go(&fixture);
    pthread_join(thread, NULL);
    end_log(&fixture);
    stop(&fixture);
}

static void memory_is_given_back_after_a_burst(void **state)
{
    (void)state;
    static uint8_t large[4 * 1024 * 1024];
    static struct fixture fixture;
    start_held(&fixture, WAL_ALWAYS, 0);
    uint64_t revision = FIRST;
    for (int i = 0; i < 4; i++)
        revision = write_changes(fixture.log, 0, 1, slice_make(large, sizeof large));
    assert_true(wal_stats(fixture.log).buffer_bytes > sizeof large);
    let_go(&fixture);
    wait_durable(&fixture, revision);
    for (int i = 0; i < 2; i++) { /* each of the two buffers has had its turn */
        revision = write_record(fixture.log);
        wait_durable(&fixture, revision);
    }
    assert_true(wal_stats(fixture.log).buffer_bytes <= 1024 * 1024);
    stop(&fixture);
}

/* ---- rotation ---- */

/* Of the first record in the file. */
static uint32_t first_db(const struct fixture *fixture, size_t file)
{
    struct scan scan;
    struct scan_record record;
    scan_init(&scan, buf_slice(&fixture->disk.inodes[file].bytes), 0);
    assert_int_equal(scan_next(&scan, &record), SCAN_RECORD);
    uint32_t db = record.commands[0].db;
    scan_deinit(&scan);
    return db;
}

static void records_after_a_rotation_are_in_the_next_file(void **state)
{
    (void)state;
    for (int sync = WAL_ALWAYS; sync <= WAL_EVERY_SECOND; sync++) {
        static struct fixture fixture;
        start(&fixture, (enum wal_sync)sync, 0);
        fixture.disk.hold = true;
        for (int i = 0; i < 5; i++)
            write_changes(fixture.log, 2, 1, SLICE_LITERAL("v"));
        wal_rotate(fixture.log, "two");
        for (int i = 0; i < 3; i++)
            write_changes(fixture.log, 2, 2, SLICE_LITERAL("v"));
        let_go(&fixture);
        FAKE_DISK_WAIT(&fixture.disk, fixture.rotated == 1);
        end_log(&fixture);
        assert_string_equal(fixture.disk.inodes[1].path, "folder/two");
        assert_file(&fixture, 0, FIRST, FIRST + 4);
        assert_file(&fixture, 1, FIRST + 5, FIRST + 7);
        assert_int_equal(first_db(&fixture, 1), 2);
        stop(&fixture);
    }
}

/* Nothing names the new file before the former one is durable, and nothing is in it before. */
static void a_rotation_keeps_its_order(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_EVERY_SECOND, 0);
    write_record(fixture.log);
    wal_rotate(fixture.log, "two");
    write_record(fixture.log);
    end_log(&fixture);
    const char *after_write = strstr(fixture.disk.story, "sync one");
    assert_non_null(after_write);
    assert_string_equal(after_write,
                        "sync one\nopen two\nsync two\nsync-directory folder\nrotated two\n"
                        "close one\nwrite two\nsync two\nwrite two\nsync two\nclose two\n");
    stop(&fixture);
}

static void a_rotation_needs_no_writes(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    wal_rotate(fixture.log, "two");
    FAKE_DISK_WAIT(&fixture.disk, fixture.rotated == 1);
    wal_rotate(fixture.log, "three");
    wal_rotate(fixture.log, "four");
    FAKE_DISK_WAIT(&fixture.disk, fixture.rotated == 3);
    wait_durable(&fixture, write_record(fixture.log));
    end_log(&fixture);
    assert_string_equal(fixture.disk.inodes[3].path, "folder/four");
    assert_file(&fixture, 3, FIRST, FIRST);
    stop(&fixture);
}

static void the_size_counts_from_the_base(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    wait_durable(&fixture, write_record(fixture.log));
    uint64_t before = wal_size(fixture.log);
    assert_int_equal(before, 1000 + fixture.disk.inodes[0].bytes.len);
    wal_rotate(fixture.log, "two");
    wait_durable(&fixture, write_record(fixture.log));
    assert_int_equal(wal_size(fixture.log), before + fixture.disk.inodes[1].bytes.len);
    wal_forget_former(fixture.log);
    assert_int_equal(wal_size(fixture.log), fixture.disk.inodes[1].bytes.len);
    wal_forget_former(fixture.log);
    assert_int_equal(wal_size(fixture.log), fixture.disk.inodes[1].bytes.len);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_becomes_durable),
        cmocka_unit_test(aborted_records_leave_no_gap),
        cmocka_unit_test(writers_share_batches_and_keep_their_order),
        cmocka_unit_test(writers_wait_when_too_much_has_gathered),
        cmocka_unit_test(memory_is_given_back_after_a_burst),
        cmocka_unit_test(records_after_a_rotation_are_in_the_next_file),
        cmocka_unit_test(a_rotation_keeps_its_order),
        cmocka_unit_test(a_rotation_needs_no_writes),
        cmocka_unit_test(the_size_counts_from_the_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
