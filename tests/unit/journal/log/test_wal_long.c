/* Tests of journal/log/wal_long.c: records that take long, among others that do not. */
#include "journal/log/wal.h"

#include "journal/log_fixture.h"

/* As write_changes() does, so that assert_file() finds the revision's key. */
static void tell(struct change_sink *record, uint64_t revision, uint32_t db)
{
    char key[24];
    int len = snprintf(key, sizeof key, "%llu", (unsigned long long)revision);
    struct op op = {.kind = OP_SET,
                    .db = db,
                    .key = slice_make(key, (size_t)len),
                    .value = SLICE_LITERAL("value")};
    record->change(record, &op);
}

static struct change_sink *open_record(struct fixture *fixture, uint64_t *revision)
{
    struct change_sink *sink = wal_sink(fixture->log);
    struct change_sink *record = sink->open(sink);
    *revision = record->begin(record);
    return record;
}

/* Others get their revisions and end, but nothing after the long record is durable. */
static void others_go_on_meanwhile(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    uint64_t revision;
    assert_int_equal(write_record(fixture.log), FIRST);
    struct change_sink *record = open_record(&fixture, &revision);
    assert_int_equal(revision, FIRST + 1);
    tell(record, revision, 3);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(write_changes(fixture.log, i % 3, 1 + i % 2, SLICE_LITERAL("v")),
                         FIRST + 2 + i);
    wait_durable(&fixture, FIRST);
    FAKE_DISK_WAIT(&fixture.disk, fixture.progress == 1);
    assert_int_equal(atomic_load(&fixture.durable.revision), FIRST);
    tell(record, revision, 3);
    record->end(record);
    wait_durable(&fixture, FIRST + 11);
    end_with(&fixture, FIRST + 11);
    stop(&fixture);
}

static void an_aborted_one_is_an_empty_record(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct scan scan;
    struct scan_record found;
    start(&fixture, WAL_ALWAYS, 0);
    uint64_t revision;
    struct change_sink *record = open_record(&fixture, &revision);
    tell(record, revision, 3);
    assert_int_equal(write_record(fixture.log), FIRST + 1);
    record->abort(record);
    wait_durable(&fixture, FIRST + 1);
    end_log(&fixture);
    scan_init(&scan, buf_slice(&fixture.disk.inodes[0].bytes), FIRST);
    assert_int_equal(scan_next(&scan, &found), SCAN_RECORD);
    assert_int_equal(found.count, 0);
    assert_int_equal(scan_next(&scan, &found), SCAN_RECORD);
    assert_int_equal(found.count, 1);
    scan_deinit(&scan);
    stop(&fixture);
}

/* Several are open at once, and end in another order than they began. */
static void they_stand_where_they_began(void **state)
{
    (void)state;
    static struct fixture fixture;
    enum { COUNT = 8 };
    struct change_sink *records[COUNT];
    uint64_t revision, revisions[COUNT];
    start(&fixture, WAL_ALWAYS, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        records[i] = open_record(&fixture, &revision);
        assert_int_equal(revision, FIRST + 2 * i);
        revisions[i] = revision;
        write_changes(fixture.log, 9, 1, SLICE_LITERAL("v"));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned chosen = i * 5 % COUNT;
        tell(records[chosen], revisions[chosen], chosen);
        records[chosen]->end(records[chosen]);
    }
    wait_durable(&fixture, FIRST + 2 * COUNT - 1);
    end_with(&fixture, FIRST + 2 * COUNT - 1);
    uint32_t dbs[2 * COUNT];
    for (unsigned i = 0; i < 2 * COUNT; i++)
        dbs[i] = i % 2 == 0 ? i / 2 : 9;
    assert_dbs(&fixture, dbs, 2 * COUNT);
    stop(&fixture);
}

static void the_log_may_fail_meanwhile(void **state)
{
    (void)state;
    static struct fixture fixture;
    start(&fixture, WAL_ALWAYS, 0);
    uint64_t revision;
    struct change_sink *record = open_record(&fixture, &revision);
    FAKE_DISK_SET(&fixture.disk, fixture.disk.fail_sync = -EIO);
    write_record(fixture.log);
    tell(record, revision, 3);
    struct change_sink *other = open_record(&fixture, &revision);
    record->end(record); /* what it wrote cannot be synced */
    FAKE_DISK_WAIT(&fixture.disk, atomic_load(&fixture.durable.read_only_reason) != NULL);
    tell(other, revision, 3);
    other->end(other);
    record = open_record(&fixture, &revision);
    record->abort(record);
    assert_false(wal_free(fixture.log));
    fixture.log = NULL;
    stop(&fixture);
}

/* ---- many writers ---- */

#define WRITERS 4
#define EACH    500

struct writer {
    struct fixture *fixture;
    pthread_t thread;
    unsigned number;
    uint64_t revisions[EACH];
};

static uint64_t write_long(struct fixture *fixture, unsigned number, unsigned i)
{
    uint64_t revision;
    struct change_sink *record = open_record(fixture, &revision);
    for (unsigned changes = 0; changes <= i % 3; changes++)
        tell(record, revision, number);
    record->end(record);
    return revision;
}

static void *write_many(void *user)
{
    struct writer *writer = user;
    for (unsigned i = 0; i < EACH; i++) {
        writer->revisions[i] =
            writer->number % 2 == 0
                ? write_long(writer->fixture, writer->number, i)
                : write_changes(writer->fixture->log, writer->number, 1, SLICE_LITERAL("value"));
        if (i % 16 == 0)
            wait_durable(writer->fixture, writer->revisions[i]);
    }
    return NULL;
}

/* Each record is in the file where its revision says, in the database of who wrote it. */
static void many_threads_have_both(void **state)
{
    (void)state;
    static struct writer writers[WRITERS];
    static struct fixture fixture;
    static uint32_t dbs[WRITERS * EACH];
    start(&fixture, WAL_ALWAYS, 2000);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.fixture = &fixture, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        for (unsigned j = 0; j < EACH; j++)
            dbs[writers[i].revisions[j] - FIRST] = writers[i].number;
    }
    end_with(&fixture, FIRST + WRITERS * EACH - 1);
    assert_dbs(&fixture, dbs, WRITERS * EACH);
    stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_go_on_meanwhile),
        cmocka_unit_test(an_aborted_one_is_an_empty_record),
        cmocka_unit_test(they_stand_where_they_began),
        cmocka_unit_test(the_log_may_fail_meanwhile),
        cmocka_unit_test(many_threads_have_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
