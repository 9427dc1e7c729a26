/* Tests of check/inspect.c: counts, revisions and the place of a cut in snapshots and logs. */
#include "check/inspect.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "check/data_folder.h"

static void look_before(struct slice bytes, uint64_t good, uint64_t next,
                        struct inspection *inspection)
{
    struct progress progress;
    progress_init(&progress, NULL);
    progress_begin(&progress, "test", bytes.len);
    inspect(bytes, good, next, &progress, inspection);
}

static void look(struct slice bytes, uint64_t next, struct inspection *inspection)
{
    look_before(bytes, SIZE_MAX, next, inspection);
}

static void counts_a_good_log(void **state)
{
    (void)state;
    struct buf log;
    struct inspection found;
    data_log(&log, 5, 9);
    look(buf_slice(&log), 5, &found);
    assert_int_equal(found.state, STATE_GOOD);
    assert_int_equal(found.size, log.len);
    assert_true(found.log.present && !found.rdb.present);
    assert_int_equal(found.log.batches, 5);
    assert_int_equal(found.log.records, 5);
    assert_int_equal(found.log.checked, 5);
    assert_int_equal(found.log.commands, 5);
    assert_int_equal(found.log.first, 5);
    assert_int_equal(found.log.last, 9);
    assert_int_equal(found.log.synced, 8);
    assert_int_equal(found.next, 10);
    buf_deinit(&log);
}

static void an_empty_file_is_a_log(void **state)
{
    (void)state;
    struct inspection found;
    look(SLICE_LITERAL(""), 7, &found);
    assert_int_equal(found.state, STATE_GOOD);
    assert_true(found.log.present);
    assert_int_equal(found.next, 7);
}

static void counts_what_a_cut_takes_away(void **state)
{
    (void)state;
    struct buf log;
    struct inspection found;
    data_log(&log, 1, 2);
    size_t third = log.len;
    data_batch(&log, 3, "SET k 3");
    look_before(slice_make(log.data, log.len - 1), third, 1, &found);
    assert_int_equal(found.good, third);
    assert_int_equal(found.log.records, 2);
    assert_int_equal(found.log.batches, 2);
    assert_int_equal(found.next, 3);
    assert_int_equal(found.bad_batches, 1);
    assert_int_equal(found.bad_records, 1);
    look_before(slice_make(log.data, third + 10), third, 1, &found);
    assert_int_equal(found.bad_batches, 0); /* its line is not left */
    look_before(buf_slice(&log), 0, 1, &found);
    assert_int_equal(found.good, 0);
    assert_int_equal(found.log.records, 0);
    assert_int_equal(found.bad_records, 3);
    buf_deinit(&log);
}

/* Two records in the batch, the second of which is bad: a cut must remove the first one as well. */
static void cuts_whole_batches(void **state)
{
    (void)state;
    struct buf log, payload;
    struct inspection found;
    uint8_t line[BATCH_MOST_LINE];
    data_log(&log, 1, 1);
    size_t start = log.len;
    buf_init(&payload, DATA_LIMIT);
    data_command(&payload, "SET a b");
    size_t first = payload.len;
    assert_true(buf_append(&payload, SLICE_LITERAL("*1\r\n$3\r\nSET\r\n")));
    struct batch batch = {.seq = 2, .ops = 2, .synced = 1};
    struct iovec piece = {.iov_base = payload.data, .iov_len = payload.len};
    size_t size = batch_format(&batch, start, &piece, 1, line);
    assert_true(buf_append(&log, slice_make(line, size)));
    assert_true(buf_append(&log, buf_slice(&payload)));
    look_before(buf_slice(&log), start + size + first, 1, &found);
    assert_int_equal(found.good, start);
    assert_int_equal(found.log.records, 1);
    assert_int_equal(found.bad_records, 2);
    buf_deinit(&payload);
    buf_deinit(&log);
}

static void counts_a_snapshot(void **state)
{
    (void)state;
    struct buf snapshot;
    struct inspection found;
    data_snapshot(&snapshot, "41", false);
    look(buf_slice(&snapshot), 7, &found);
    assert_int_equal(found.state, STATE_GOOD);
    assert_true(found.rdb.present && !found.log.present);
    assert_int_equal(found.rdb.version, 10);
    assert_true(found.rdb.checksum);
    assert_int_equal(found.rdb.size, snapshot.len);
    assert_true(found.rdb.has_revision);
    assert_int_equal(found.rdb.revision, 41);
    assert_int_equal(found.rdb.strings, 1);
    assert_int_equal(found.rdb.lists, 1);
    assert_int_equal(found.rdb.elements, 2);
    assert_int_equal(found.rdb.expiring, 1);
    assert_int_equal(found.next, 42);
    memset(snapshot.data + snapshot.len - 8, 0, 8);
    look(buf_slice(&snapshot), 7, &found);
    assert_int_equal(found.state, STATE_GOOD);
    assert_false(found.rdb.checksum);
    snapshot.data[snapshot.len - 1] = 1;
    look_before(buf_slice(&snapshot), snapshot.len - 8, 7, &found);
    assert_int_equal(found.good, snapshot.len - 8);
    assert_int_equal(found.rdb.size, 0);
    buf_deinit(&snapshot);
}

static void a_log_may_follow_a_snapshot(void **state)
{
    (void)state;
    struct buf file;
    struct inspection found;
    data_snapshot(&file, "41", true);
    size_t size = file.len;
    data_command(&file, "SET a b");
    data_command(&file, "SADD s m");
    size_t good = file.len;
    look(buf_slice(&file), 1, &found);
    assert_int_equal(found.state, STATE_GOOD);
    assert_int_equal(found.rdb.size, size);
    assert_int_equal(found.log.records, 2);
    assert_int_equal(found.log.batches, 0);
    assert_int_equal(found.log.checked, 0);
    assert_int_equal(found.log.first, 42);
    assert_int_equal(found.next, 44);
    data_command(&file, "SET a c");
    look_before(slice_make(file.data, file.len - 1), good, 1, &found);
    assert_int_equal(found.good, good);
    buf_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_a_good_log),
        cmocka_unit_test(an_empty_file_is_a_log),
        cmocka_unit_test(counts_what_a_cut_takes_away),
        cmocka_unit_test(cuts_whole_batches),
        cmocka_unit_test(counts_a_snapshot),
        cmocka_unit_test(a_log_may_follow_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
