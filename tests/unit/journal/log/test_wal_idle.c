/* Tests of journal/log/wal.c: when a batch begins while some are at work (journal/durable.h). */
#include "journal/log/wal.h"

#include "journal/log_fixture.h"

#include <sched.h>

static void work(struct fixture *fixture)
{
    fixture->durable.on_work(fixture->durable.log);
}

static void rest(struct fixture *fixture)
{
    fixture->durable.on_rest(fixture->durable.log);
}

/* Enough for the log's thread to begin, if it wanted to. */
static void write_slowly(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        write_record(fixture->log);
        for (unsigned k = 0; k < 100; k++)
            sched_yield();
    }
}

static void while_all_are_at_work_no_batch_begins(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    for (unsigned round = 1; round <= 5; round++) {
        uint64_t before = FIRST - 1 + (round - 1) * 100;
        work(&fixture);
        write_slowly(&fixture, 100);
        assert_int_equal(wal_stats(fixture.log).batches, round - 1);
        assert_int_equal(atomic_load(&fixture.durable.revision), before);
        rest(&fixture);
        wait_durable(&fixture, before + 100);
        assert_int_equal(wal_stats(fixture.log).batches, round);
    }
    end_with(&fixture, FIRST + 499);
    stop(&fixture);
}

static void one_who_rests_is_enough(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    work(&fixture);
    work(&fixture);
    write_slowly(&fixture, 50);
    assert_int_equal(wal_stats(fixture.log).batches, 0);
    rest(&fixture);
    wait_durable(&fixture, FIRST + 49); /* the other one is still at work */
    write_slowly(&fixture, 50);
    assert_int_equal(wal_stats(fixture.log).batches, 1);
    rest(&fixture);
    wait_durable(&fixture, FIRST + 99);
    wait_durable(&fixture, write_record(fixture.log)); /* a writer that reports nothing is not
                                                        * waited for */
    end_with(&fixture, FIRST + 100);
    stop(&fixture);
}

/* One record is held in flight, and a writer is busy: what it writes, during the sync and after it,
 * becomes durable when it is idle. */
static void assert_the_next_waits_for_rest(struct fixture *fixture)
{
    write_record(fixture->log);
    FAKE_DISK_SET(&fixture->disk, fixture->disk.hold = false);
    wait_durable(fixture, FIRST);
    write_slowly(fixture, 50);
    assert_int_equal(wal_stats(fixture->log).batches, 1);
    rest(fixture);
    wait_durable(fixture, FIRST + 51);
    end_with(fixture, FIRST + 51);
}

/* What was rested for is on its way to the disk; what comes meanwhile is of one who is at work. */
static void a_rest_counts_for_one_batch(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    fixture.disk.hold = true;
    work(&fixture);
    write_record(fixture.log);
    rest(&fixture);
    FAKE_DISK_WAIT(&fixture.disk, fixture.disk.syncs_begun == 1);
    work(&fixture);
    assert_the_next_waits_for_rest(&fixture);
    stop(&fixture);
}

/* He rested before there was anything, so it does not count for what comes then. */
static void a_rest_without_records_means_nothing(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    fixture.disk.hold = true;
    write_record(fixture.log);
    FAKE_DISK_WAIT(&fixture.disk, fixture.disk.syncs_begun == 1);
    work(&fixture);
    work(&fixture);
    rest(&fixture);
    assert_the_next_waits_for_rest(&fixture);
    stop(&fixture);
}

static void who_waits_for_room_rests(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 1000);
    work(&fixture);
    for (unsigned i = 0; i < 1000; i++)
        write_record(fixture.log);
    assert_true(wal_stats(fixture.log).batches >= 20);
    rest(&fixture);
    end_with(&fixture, FIRST + 999);
    stop(&fixture);
}

static void the_end_waits_for_nobody(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    work(&fixture);
    write_slowly(&fixture, 50);
    end_with(&fixture, FIRST + 49);
    stop(&fixture);
    start(&fixture, WAL_EVERY_SECOND, 0);
    assert_null(fixture.durable.on_work); /* for there it means nothing */
    stop(&fixture);
}

static void *work_and_rest(void *user)
{
    struct fixture *fixture = user;
    for (unsigned i = 0; i < 300; i++) {
        uint64_t revision = 0;
        work(fixture);
        for (unsigned records = 0; records <= i % 7; records++)
            revision = write_record(fixture->log);
        rest(fixture);
        wait_durable(fixture, revision);
    }
    return NULL;
}

/* However they meet, nobody waits in vain. */
static void nobody_who_rests_waits_in_vain(void **state)
{
    (void)state;
    static struct fixture fixture;
    pthread_t threads[4];
    start(&fixture, WAL_ALWAYS, 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work_and_rest, &fixture), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    end_with(&fixture, FIRST - 1 + wal_stats(fixture.log).records);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_all_are_at_work_no_batch_begins),
        cmocka_unit_test(one_who_rests_is_enough),
        cmocka_unit_test(a_rest_counts_for_one_batch),
        cmocka_unit_test(a_rest_without_records_means_nothing),
        cmocka_unit_test(who_waits_for_room_rests),
        cmocka_unit_test(the_end_waits_for_nobody),
        cmocka_unit_test(nobody_who_rests_waits_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
