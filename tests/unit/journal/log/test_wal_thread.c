/* Tests of journal/log/wal_thread.c: group commit, syncs, and every way in which a disk fails. */
#include "base/clock.h"
#include "journal/log/wal.h"

#include "journal/log_fixture.h"

/* ---- group commit ---- */

/* While one batch is on its way to the disk, the next gathers all that comes. */
static void what_comes_during_a_sync_is_one_batch(void **state)
{
    (void)state;
    static struct fixture fixture;
    start_held(&fixture, WAL_ALWAYS, 0);
    for (int i = 0; i < 99; i++)
        write_record(fixture.log);
    assert_true(wal_stats(fixture.log).gathered_bytes > 99 * 20);
    assert_int_equal(atomic_load(&fixture.durable.revision), FIRST - 1);
    let_go(&fixture);
    wait_durable(&fixture, FIRST + 99);
    FAKE_DISK_WAIT(&fixture.disk, fixture.progress == 2);
    assert_int_equal(wal_stats(fixture.log).batches, 2);
    assert_int_equal(wal_stats(fixture.log).records, 100);
    end_with(&fixture, FIRST + 99);
    stop(&fixture);
}

static void a_slow_disk_is_reported_during_and_after(void **state)
{
    (void)state;
    static struct fixture fixture;
    start_held(&fixture, WAL_ALWAYS, 0);
    int64_t since_us = wal_stats(fixture.log).waits_since_us;
    uint64_t before = wal_stats(fixture.log).slow_waits;
    assert_true(since_us > 0 && since_us <= clock_monotonic_us());
    while (clock_monotonic_us() < since_us + SLOW_US)
        continue;
    let_go(&fixture);
    wait_durable(&fixture, FIRST);
    assert_int_equal(wal_stats(fixture.log).slow_waits, before + 1);
    assert_true(wal_stats(fixture.log).last_sync_us >= SLOW_US);
    assert_int_equal(wal_stats(fixture.log).waits_since_us, 0);
    end_with(&fixture, FIRST);
    stop(&fixture);
}

static void the_rest_is_durable_at_the_end(void **state)
{
    (void)state;
    for (int sync = WAL_ALWAYS; sync <= WAL_EVERY_SECOND; sync++) {
        static struct fixture fixture;
        start(&fixture, (enum wal_sync)sync, 0);
        for (int i = 0; i < 1000; i++)
            write_record(fixture.log);
        end_with(&fixture, FIRST + 999);
        stop(&fixture);
    }
}

/* Without writes nothing is written, not even at the end. */
static void an_unused_log_stays_as_it_is(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_EVERY_SECOND, 0);
    stop(&fixture);
    start(&fixture, WAL_ALWAYS, 0);
    end_log(&fixture);
    assert_int_equal(fixture.disk.inodes[0].bytes.len, 0);
    stop(&fixture);
    assert_true(wal_free(NULL));
}

/* ---- every second ---- */

/* All that was written is durable, as far as the disk knows. */
static bool is_synced(const struct fixture *fixture)
{
    return fixture->disk.inodes[0].synced == fixture->disk.inodes[0].bytes.len;
}

static void every_second_no_writer_waits_and_the_disk_follows(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_EVERY_SECOND, 0);
    assert_int_equal(atomic_load(&fixture.durable.revision), DURABLE_AT_ONCE);
    write_record(fixture.log);
    FAKE_DISK_WAIT(&fixture.disk, fixture.disk.write_calls == 1); /* immediately */
    write_record(fixture.log);
    FAKE_DISK_WAIT(&fixture.disk, fixture.disk.write_calls == 2); /* soon, without another call */
    FAKE_DISK_WAIT(&fixture.disk, is_synced(&fixture));
    FAKE_DISK_SET(&fixture.disk, {
        fixture.disk.hold = true;
        fixture.disk.syncs_begun = 0;
    });
    int64_t written_us = clock_monotonic_us();
    write_record(fixture.log);
    FAKE_DISK_WAIT(&fixture.disk, fixture.disk.syncs_begun == 1);
    assert_true(clock_monotonic_us() - written_us >= 1000000);
    assert_int_equal(wal_stats(fixture.log).revision, FIRST + 1);
    write_record(fixture.log); /* gathers meanwhile */
    let_go(&fixture);
    FAKE_DISK_WAIT(&fixture.disk, fixture.disk.write_calls == 4 && is_synced(&fixture));
    assert_int_equal(wal_stats(fixture.log).records, 4);
    assert_int_equal(fixture.progress, 0);
    end_with(&fixture, FIRST + 3);
    stop(&fixture);
}

/* Much is written before its time. */
static void every_second_much_is_written_at_once(void **state)
{
    (void)state;
    static uint8_t large[1024 * 1024];
    static struct fixture fixture;
    start(&fixture, WAL_EVERY_SECOND, 3 * sizeof large);
    for (int i = 0; i < 40; i++)
        write_changes(fixture.log, 0, 1, slice_make(large, sizeof large));
    end_with(&fixture, FIRST + 39);
    assert_true(fixture.disk.write_calls >= 40 / 5);
    stop(&fixture);
}

/* ---- failures ---- */

/* Waits for a read-only reason that contains that. */
static void wait_read_only(struct fixture *fixture, const char *part)
{
    FAKE_DISK_WAIT(&fixture->disk, atomic_load(&fixture->durable.read_only_reason) != NULL);
    assert_non_null(strstr(atomic_load(&fixture->durable.read_only_reason), part));
}

/* Nothing more is written, nothing more becomes durable, and no writer blocks. */
static void assert_failed_for_good(struct fixture *fixture, uint64_t durable, int error)
{
    wait_read_only(fixture, "started again");
    FAKE_DISK_SET(&fixture->disk, {
        fixture->disk.fail_write = 0;
        fixture->disk.fail_sync = 0;
        fixture->disk.fail_cut = 0;
        fixture->disk.room = FAKE_DISK_ANY;
    });
    unsigned writes = fixture->disk.write_calls;
    uint64_t revision = write_record(fixture->log);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write_record(fixture->log), ++revision);
    wal_rotate(fixture->log, "later");
    assert_int_equal(wal_stats(fixture->log).gathered_bytes, 0);
    assert_int_equal(wal_stats(fixture->log).error, error);
    assert_false(wal_free(fixture->log));
    fixture->log = NULL;
    assert_int_equal(fixture->disk.write_calls, writes);
    assert_int_equal(atomic_load(&fixture->durable.revision), durable);
    assert_non_null(strstr(atomic_load(&fixture->durable.read_only_reason), "started again"));
    assert_null(fake_disk_find(&fixture->disk, "folder/later"));
    stop(fixture);
}

static void a_failed_write_ends_the_log(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 2000);
    wait_durable(&fixture, write_record(fixture.log));
    FAKE_DISK_SET(&fixture.disk, fixture.disk.fail_write = -EIO);
    write_record(fixture.log);
    assert_failed_for_good(&fixture, FIRST, EIO);
}

static void a_failed_sync_ends_the_log(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    wait_durable(&fixture, write_record(fixture.log));
    FAKE_DISK_SET(&fixture.disk, fixture.disk.fail_sync = -ENOSPC); /* whatever the error */
    write_record(fixture.log);
    assert_failed_for_good(&fixture, FIRST, ENOSPC);
    start(&fixture, WAL_EVERY_SECOND, 0);
    FAKE_DISK_SET(&fixture.disk, fixture.disk.fail_sync = -EIO);
    write_record(fixture.log);
    assert_failed_for_good(&fixture, DURABLE_AT_ONCE, EIO);
}

/* What gathered during the failed sync is not written either. */
static void a_failure_drops_what_has_gathered(void **state)
{
    (void)state;
    static struct fixture fixture;
    start_held(&fixture, WAL_ALWAYS, 0);
    for (int i = 0; i < 10; i++)
        write_record(fixture.log);
    wal_rotate(fixture.log, "two");
    write_record(fixture.log);
    FAKE_DISK_SET(&fixture.disk, {
        fixture.disk.fail_sync = -EIO;
        fixture.disk.hold = false;
    });
    wait_read_only(&fixture, "started again");
    assert_int_equal(fixture.rotated, 0);
    assert_failed_for_good(&fixture, FIRST - 1, EIO);
}

static void a_full_disk_is_waited_for(void **state)
{
    (void)state;
    for (int sync = WAL_ALWAYS; sync <= WAL_EVERY_SECOND; sync++) {
        static struct fixture fixture;
        start(&fixture, (enum wal_sync)sync, 300);
        fixture.disk.room = 150; /* the first batch and a part of another */
        write_record(fixture.log);
        FAKE_DISK_WAIT(&fixture.disk, fixture.disk.inodes[0].bytes.len > 0);
        uint64_t last = write_record(fixture.log);
        wait_read_only(&fixture, "full");
        for (int i = 0; i < 100; i++) /* more than may gather otherwise, and no writer blocks */
            last = write_record(fixture.log);
        unsigned writes = fixture.disk.write_calls;
        FAKE_DISK_WAIT(&fixture.disk, fixture.disk.write_calls > writes + 1); /* it tries again */
        assert_int_equal(wal_stats(fixture.log).error, ENOSPC);
        FAKE_DISK_SET(&fixture.disk, fixture.disk.room = FAKE_DISK_ANY);
        FAKE_DISK_WAIT(&fixture.disk, atomic_load(&fixture.durable.read_only_reason) == NULL);
        wait_durable(&fixture, last);
        assert_int_equal(wal_stats(fixture.log).error, 0);
        end_with(&fixture, last);
        stop(&fixture);
    }
}

/* On a full disk at the end there is one more attempt. */
static void a_full_disk_at_the_end_loses_what_has_gathered(void **state)
{
    (void)state;
    for (int room = 0; room < 2; room++) {
        static struct fixture fixture;
        start(&fixture, WAL_ALWAYS, 0);
        fixture.disk.room = 50;
        write_record(fixture.log);
        wait_read_only(&fixture, "full");
        FAKE_DISK_SET(&fixture.disk, fixture.disk.room = room > 0 ? FAKE_DISK_ANY : 10);
        assert_int_equal(wal_free(fixture.log), room > 0);
        fixture.log = NULL;
        if (room > 0)
            assert_file(&fixture, 0, FIRST, FIRST);
        else
            assert_int_equal(fixture.disk.inodes[0].bytes.len, 0);
        stop(&fixture);
    }
}

static void a_cut_that_fails_ends_the_log(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    fixture.disk.room = 50;
    fixture.disk.fail_cut = -ENOSPC; /* even that */
    write_record(fixture.log);
    assert_failed_for_good(&fixture, FIRST - 1, EIO);
}

static void a_rotation_waits_for_space_too(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    fixture.disk.fail_open = -EDQUOT;
    fixture.fail_rotated = -ENOSPC;
    wal_rotate(fixture.log, "two");
    wait_read_only(&fixture, "full");
    uint64_t last = write_record(fixture.log);
    FAKE_DISK_SET(&fixture.disk, fixture.disk.fail_open = 0);
    FAKE_DISK_WAIT(&fixture.disk, fixture.rotated >= 2);
    assert_non_null(atomic_load(&fixture.durable.read_only_reason));
    FAKE_DISK_SET(&fixture.disk, fixture.fail_rotated = 0);
    wait_durable(&fixture, last);
    assert_null(atomic_load(&fixture.durable.read_only_reason));
    end_log(&fixture);
    assert_file(&fixture, 1, FIRST, last);
    stop(&fixture);
}

static void a_rotation_that_fails_ends_the_log(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    fixture.disk.fail_open = -EACCES;
    wal_rotate(fixture.log, "two");
    assert_failed_for_good(&fixture, FIRST - 1, EACCES);
    start(&fixture, WAL_ALWAYS, 0);
    fixture.disk.fail_sync_directory = -EIO;
    wal_rotate(fixture.log, "two");
    assert_failed_for_good(&fixture, FIRST - 1, EIO);
    start(&fixture, WAL_ALWAYS, 0);
    fixture.fail_rotated = -EINVAL;
    wal_rotate(fixture.log, "two");
    assert_failed_for_good(&fixture, FIRST - 1, EINVAL);
}

static void preallocation_may_fail(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    fixture.disk.fail_allocate = -EIO;
    wait_durable(&fixture, write_record(fixture.log));
    end_with(&fixture, FIRST);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_during_a_sync_is_one_batch),
        cmocka_unit_test(a_slow_disk_is_reported_during_and_after),
        cmocka_unit_test(the_rest_is_durable_at_the_end),
        cmocka_unit_test(an_unused_log_stays_as_it_is),
        cmocka_unit_test(every_second_no_writer_waits_and_the_disk_follows),
        cmocka_unit_test(every_second_much_is_written_at_once),
        cmocka_unit_test(a_failed_write_ends_the_log),
        cmocka_unit_test(a_failed_sync_ends_the_log),
        cmocka_unit_test(a_failure_drops_what_has_gathered),
        cmocka_unit_test(a_full_disk_is_waited_for),
        cmocka_unit_test(a_full_disk_at_the_end_loses_what_has_gathered),
        cmocka_unit_test(a_cut_that_fails_ends_the_log),
        cmocka_unit_test(a_rotation_waits_for_space_too),
        cmocka_unit_test(a_rotation_that_fails_ends_the_log),
        cmocka_unit_test(preallocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
