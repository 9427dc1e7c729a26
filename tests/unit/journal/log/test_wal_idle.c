/* Tests of journal/log/wal.c: when a batch begins while workers are busy (base/activity.h). */
#include "journal/log/wal.h"

#include "journal/log_fixture.h"

#include <sched.h>

static void become_busy(struct fixture *fixture, unsigned worker)
{
    activity_mark_busy(&fixture->workers[worker]);
    assert_true(fixture->workers[worker].is_busy);
}

static void become_idle(struct fixture *fixture, unsigned worker)
{
    activity_mark_idle(&fixture->workers[worker]);
}

/* Slowly enough for the log's thread to start a batch, if it wanted to. */
static void write_slowly(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        write_record(fixture->log);
        for (unsigned k = 0; k < 100; k++)
            sched_yield();
    }
}

static void while_all_are_busy_no_batch_starts(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    for (unsigned round = 1; round <= 5; round++) {
        uint64_t before = FIRST - 1 + (round - 1) * 100;
        become_busy(&fixture, 0);
        write_slowly(&fixture, 100);
        assert_int_equal(wal_stats(fixture.log).batches, round - 1);
        assert_int_equal(atomic_load(&fixture.durable.revision), before);
        become_idle(&fixture, 0);
        wait_durable(&fixture, before + 100);
        assert_int_equal(wal_stats(fixture.log).batches, round);
    }
    end_with(&fixture, FIRST + 499);
    stop(&fixture);
}

static void one_idle_worker_is_enough(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    become_busy(&fixture, 0);
    become_busy(&fixture, 1);
    write_slowly(&fixture, 50);
    assert_int_equal(wal_stats(fixture.log).batches, 0);
    become_idle(&fixture, 0);
    wait_durable(&fixture, FIRST + 49); /* the other one is still busy */
    write_slowly(&fixture, 50);
    assert_int_equal(wal_stats(fixture.log).batches, 1);
    become_idle(&fixture, 1);
    wait_durable(&fixture, FIRST + 99);
    /* A thread that is no worker is not waited for. */
    wait_durable(&fixture, write_record(fixture.log));
    end_with(&fixture, FIRST + 100);
    stop(&fixture);
}

/* One record is held in flight, and the worker is busy: what it writes, during the sync and after
 * it, becomes durable when it becomes idle. */
static void assert_the_next_waits_for(struct fixture *fixture, unsigned worker)
{
    write_record(fixture->log);
    let_go(fixture);
    wait_durable(fixture, FIRST);
    write_slowly(fixture, 50);
    assert_int_equal(wal_stats(fixture->log).batches, 1);
    become_idle(fixture, worker);
    wait_durable(fixture, FIRST + 51);
    end_with(fixture, FIRST + 51);
}

/* What the idle worker wrote is in flight; the records that follow are of a busy one. */
static void becoming_idle_counts_for_one_batch(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    fixture.disk.hold = true;
    become_busy(&fixture, 0);
    write_record(fixture.log);
    become_idle(&fixture, 0);
    FAKE_DISK_WAIT(&fixture.disk, fixture.disk.syncs_begun == 1);
    become_busy(&fixture, 0);
    assert_the_next_waits_for(&fixture, 0);
    stop(&fixture);
}

/* It became idle before there was a record, so that does not count for later ones. */
static void becoming_idle_without_records_means_nothing(void **state)
{
    (void)state;
    static struct fixture fixture;
    start_held(&fixture, WAL_ALWAYS, 0);
    become_busy(&fixture, 0);
    become_busy(&fixture, 1);
    become_idle(&fixture, 0);
    assert_the_next_waits_for(&fixture, 1);
    stop(&fixture);
}

static void a_writer_that_waits_for_space_is_idle(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 1000);
    become_busy(&fixture, 0);
    for (unsigned i = 0; i < 1000; i++)
        write_record(fixture.log);
    assert_true(wal_stats(fixture.log).batches >= 20);
    become_idle(&fixture, 0);
    end_with(&fixture, FIRST + 999);
    stop(&fixture);
}

static void the_end_waits_for_no_worker(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    become_busy(&fixture, 0);
    write_slowly(&fixture, 50);
    end_with(&fixture, FIRST + 49);
    stop(&fixture);
    start(&fixture, WAL_EVERY_SECOND, 0);
    activity_mark_busy(&fixture.workers[0]);
    assert_false(fixture.workers[0].is_busy); /* the log does not listen: it syncs by the clock */
    stop(&fixture);
}

struct writer {
    struct fixture *fixture;
    unsigned worker;
    pthread_t thread;
};

static void *write_and_wait(void *user)
{
    const struct writer *writer = user;
    struct fixture *fixture = writer->fixture;
    for (unsigned i = 0; i < 300; i++) {
        uint64_t revision = 0;
        become_busy(fixture, writer->worker);
        for (unsigned records = 0; records <= i % 7; records++)
            revision = write_record(fixture->log);
        become_idle(fixture, writer->worker);
        wait_durable(fixture, revision);
    }
    return NULL;
}

/* In whatever order they become busy and idle. */
static void no_idle_worker_waits_in_vain(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct writer writers[WORKERS];
    start(&fixture, WAL_ALWAYS, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        writers[i] = (struct writer){.fixture = &fixture, .worker = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_and_wait, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(writers[i].thread, NULL);
    end_with(&fixture, FIRST - 1 + wal_stats(fixture.log).records);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_all_are_busy_no_batch_starts),
        cmocka_unit_test(one_idle_worker_is_enough),
        cmocka_unit_test(becoming_idle_counts_for_one_batch),
        cmocka_unit_test(becoming_idle_without_records_means_nothing),
        cmocka_unit_test(a_writer_that_waits_for_space_is_idle),
        cmocka_unit_test(the_end_waits_for_no_worker),
        cmocka_unit_test(no_idle_worker_waits_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
