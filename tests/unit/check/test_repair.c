/* Tests of check/repair.c: what is cut, kept and dropped, and what is refused. */
#include "check/repair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "check/data_folder.h"

static struct progress quiet;

struct fixture {
    struct data_folder data;
    struct data_output output;
    struct directory directory;
    struct buf logs[3];
    char problem[REPAIR_PROBLEM_SIZE];
};

static void begin(struct fixture *fixture, bool base)
{
    *fixture = (struct fixture){0};
    data_open(&fixture->data);
    data_output_open(&fixture->output);
    data_write_manifest(&fixture->data, base, 3);
    for (unsigned i = 0; i < 3; i++)
        data_log(&fixture->logs[i], 1 + 2 * i, 2 + 2 * i);
    data_write(&fixture->data, DATA_LOG(1), buf_slice(&fixture->logs[0]));
    data_write(&fixture->data, DATA_LOG(2), buf_slice(&fixture->logs[1]));
    data_write(&fixture->data, DATA_LOG(3), buf_slice(&fixture->logs[2]));
}

static enum state check(struct fixture *fixture)
{
    directory_deinit(&fixture->directory);
    directory_check(fixture->data.fs, &quiet, &fixture->directory);
    return fixture->directory.state;
}

static bool repair(struct fixture *fixture, bool damage)
{
    return repair_directory(fixture->data.fs, &fixture->directory, damage, fixture->output.stream,
                            fixture->problem);
}

static void end(struct fixture *fixture)
{
    directory_deinit(&fixture->directory);
    for (unsigned i = 0; i < 3; i++)
        buf_deinit(&fixture->logs[i]);
    data_output_close(&fixture->output);
    data_close(&fixture->data);
}

static void cuts_a_torn_end(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, false);
    const struct buf *log = &fixture.logs[2];
    data_write(&fixture.data, DATA_LOG(3), slice_make(log->data, log->len - 1));
    data_write(&fixture.data, DATA_LOG(3) ".before-repair-1", SLICE_LITERAL("taken"));
    assert_int_equal(check(&fixture), STATE_TORN);
    uint64_t good = fixture.directory.items[3].inspection.good;
    assert_true(repair(&fixture, false));
    assert_int_equal(data_size(&fixture.data, DATA_LOG(3)), good);
    assert_int_equal(data_size(&fixture.data, DATA_LOG(3) ".before-repair-1"), 5);
    assert_int_equal(data_size(&fixture.data, DATA_LOG(3) ".before-repair-2"), log->len - 1);
    assert_says(&fixture.output, "kept      " DATA_LOG(3) ".before-repair-2: a copy of ");
    assert_says(&fixture.output, "cut       " DATA_LOG(3) " at byte ");
    assert_int_equal(check(&fixture), STATE_GOOD);
    assert_false(repair(&fixture, true));
    assert_non_null(strstr(fixture.problem, "nothing is wrong"));
    end(&fixture);
}

static void cuts_damage_only_on_request(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, false);
    fixture.logs[1].data[10] ^= 1;
    data_write(&fixture.data, DATA_LOG(2), buf_slice(&fixture.logs[1]));
    assert_int_equal(check(&fixture), STATE_DAMAGED);
    assert_false(repair(&fixture, false));
    assert_non_null(strstr(fixture.problem, "--repair-damage"));
    assert_int_equal(data_size(&fixture.data, DATA_LOG(2)), fixture.logs[1].len);
    assert_true(repair(&fixture, true));
    assert_int_equal(data_size(&fixture.data, DATA_LOG(1)), fixture.logs[0].len);
    assert_int_equal(data_size(&fixture.data, DATA_LOG(2)), 0);
    assert_int_equal(data_size(&fixture.data, DATA_LOG(3)), -1);
    assert_int_equal(data_size(&fixture.data, DATA_LOG(2) ".before-repair-1"), fixture.logs[1].len);
    assert_int_equal(data_size(&fixture.data, DATA_LOG(3) ".before-repair-1"), fixture.logs[2].len);
    assert_says(&fixture.output, "dropped   " DATA_LOG(3) "; lost: ");
    assert_int_equal(check(&fixture), STATE_GOOD);
    assert_int_equal(fixture.directory.manifest.count, 2);
    end(&fixture);
}

static void a_missing_log_ends_the_data(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, false);
    assert_int_equal(fs_unlink(fixture.data.fs, DATA_LOG(2)), 0);
    assert_int_equal(check(&fixture), STATE_DAMAGED);
    assert_true(repair(&fixture, true));
    assert_says(&fixture.output, "dropped   " DATA_LOG(2) " from the manifest: it was not there");
    assert_int_equal(check(&fixture), STATE_GOOD);
    assert_int_equal(fixture.directory.manifest.count, 1);
    assert_int_equal(fs_unlink(fixture.data.fs, DATA_LOG(1)), 0);
    assert_int_equal(check(&fixture), STATE_DAMAGED);
    assert_false(repair(&fixture, true));
    assert_non_null(strstr(fixture.problem, "nothing would be left"));
    end(&fixture);
}

static void no_cut_repairs_a_snapshot(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buf base;
    begin(&fixture, true);
    data_snapshot(&base, "0", true);
    data_write(&fixture.data, DATA_BASE, slice_make(base.data, base.len - 1));
    assert_int_equal(check(&fixture), STATE_DAMAGED);
    assert_false(repair(&fixture, true));
    assert_non_null(strstr(fixture.problem, "restore a backup"));
    struct directory alone = {0};
    directory_check_file(fixture.data.fs, DATA_BASE, &quiet, &alone);
    assert_false(repair_file(fixture.data.fs, &alone.items[0], true, fixture.output.stream,
                             fixture.problem));
    directory_deinit(&alone);
    buf_deinit(&base);
    end(&fixture);
}

static void repairs_one_file(void **state)
{
    (void)state;
    struct fixture fixture;
    struct directory alone = {0};
    begin(&fixture, false);
    const struct buf *log = &fixture.logs[0];
    data_write(&fixture.data, "alone", slice_make(log->data, log->len - 1));
    directory_check_file(fixture.data.fs, "alone", &quiet, &alone);
    assert_true(repair_file(fixture.data.fs, &alone.items[0], false, fixture.output.stream,
                            fixture.problem));
    assert_int_equal(data_size(&fixture.data, "alone"), alone.items[0].inspection.good);
    assert_int_equal(data_size(&fixture.data, "alone.before-repair-1"), log->len - 1);
    directory_deinit(&alone);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_a_torn_end),
        cmocka_unit_test(cuts_damage_only_on_request),
        cmocka_unit_test(a_missing_log_ends_the_data),
        cmocka_unit_test(no_cut_repairs_a_snapshot),
        cmocka_unit_test(repairs_one_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
