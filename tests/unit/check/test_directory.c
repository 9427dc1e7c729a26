/* Tests of check/directory.c: roles, order and state of the files of a data directory. */
#include "check/directory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "check/data_folder.h"
#include "store/restore.h"
#include "store/store.h"

#define TEMPORARY LAYOUT_FOLDER "/temp-appendonly.aof.manifest"

static struct progress quiet;

static const struct item *find(const struct directory *directory, const char *path)
{
    for (size_t i = 0; i < directory->count; i++) {
        if (strcmp(directory->items[i].path, path) == 0)
            return &directory->items[i];
    }
    fail_msg("%s was not found", path);
    return NULL;
}

static void an_empty_directory_is_good(void **state)
{
    (void)state;
    struct data_folder data;
    struct directory directory = {0};
    data_open(&data);
    directory_check(data.fs, &quiet, &directory);
    assert_int_equal(directory.state, STATE_GOOD);
    assert_int_equal(directory.count, 0);
    assert_false(directory.has_manifest);
    directory_deinit(&directory);
    data_close(&data);
}

static void files_follow_each_other(void **state)
{
    (void)state;
    struct data_folder data;
    struct directory directory = {0};
    struct buf base, first, second;
    data_open(&data);
    data_snapshot(&base, "10", true);
    data_log(&first, 11, 12);
    data_log(&second, 13, 15);
    data_write(&data, DATA_BASE, buf_slice(&base));
    data_write(&data, DATA_LOG(1), buf_slice(&first));
    data_write(&data, DATA_LOG(2), buf_slice(&second));
    data_write(&data, TEMPORARY, SLICE_LITERAL("abc"));
    data_write(&data, LAYOUT_FOLDER "/other", SLICE_LITERAL("abc"));
    data_write(&data, LAYOUT_DUMP, SLICE_LITERAL("abc"));
    data_write(&data, LAYOUT_LOCK, SLICE_LITERAL("1\n"));
    data_write_manifest(&data, true, 2);
    directory_check(data.fs, &quiet, &directory);
    assert_int_equal(directory.state, STATE_GOOD);
    assert_int_equal(directory.count, 8);
    assert_string_equal(directory.items[1].path, DATA_BASE);
    assert_string_equal(directory.items[2].path, DATA_LOG(1));
    assert_string_equal(directory.items[3].path, DATA_LOG(2));
    assert_int_equal(directory.items[3].inspection.next, 16);
    assert_int_equal(find(&directory, TEMPORARY)->role, ROLE_LEFTOVER);
    assert_int_equal(find(&directory, TEMPORARY)->inspection.size, 3);
    assert_int_equal(find(&directory, LAYOUT_FOLDER "/other")->role, ROLE_UNKNOWN);
    assert_int_equal(find(&directory, LAYOUT_DUMP)->role, ROLE_IGNORED);
    assert_int_equal(find(&directory, LAYOUT_LOCK)->role, ROLE_LOCK);
    directory_deinit(&directory);
    /* The last log may be torn; an earlier one may not. */
    data_write(&data, DATA_LOG(2), slice_make(second.data, second.len - 1));
    directory_check(data.fs, &quiet, &directory);
    assert_int_equal(directory.state, STATE_TORN);
    directory_deinit(&directory);
    data_write(&data, DATA_LOG(1), slice_make(first.data, first.len - 1));
    directory_check(data.fs, &quiet, &directory);
    assert_int_equal(directory.state, STATE_DAMAGED);
    assert_true(directory.repairable);
    assert_int_equal(find(&directory, DATA_LOG(1))->inspection.state, STATE_DAMAGED);
    assert_int_equal(find(&directory, DATA_LOG(2))->inspection.state, STATE_GOOD); /* not judged */
    directory_deinit(&directory);
    buf_deinit(&base);
    buf_deinit(&first);
    buf_deinit(&second);
    data_close(&data);
}

static void data_that_are_not_there(void **state)
{
    (void)state;
    struct data_folder data;
    struct directory directory = {0};
    data_open(&data);
    data_write_manifest(&data, true, 1);
    data_write(&data, DATA_BASE, SLICE_LITERAL(""));
    directory_check(data.fs, &quiet, &directory);
    assert_int_equal(directory.state, STATE_DAMAGED);
    assert_false(directory.repairable); /* the base is no snapshot */
    assert_true(find(&directory, DATA_LOG(1))->missing);
    assert_int_equal(find(&directory, DATA_BASE)->inspection.state, STATE_DAMAGED);
    directory_deinit(&directory);
    data_close(&data);
}

static void nothing_is_removed_without_a_manifest(void **state)
{
    (void)state;
    static const char *const manifests[] = {NULL, "garbage\n"};
    for (size_t i = 0; i < 2; i++) {
        struct data_folder data;
        struct directory directory = {0};
        struct buf log;
        data_open(&data);
        data_log(&log, 1, 2);
        data_write(&data, DATA_LOG(1), buf_slice(&log));
        if (manifests[i] != NULL)
            data_write(&data, LAYOUT_FOLDER "/" LAYOUT_MANIFEST, slice_from_string(manifests[i]));
        directory_check(data.fs, &quiet, &directory);
        assert_int_equal(directory.state, manifests[i] != NULL ? STATE_DAMAGED : STATE_REFUSED);
        assert_false(directory.repairable);
        assert_int_equal(directory.has_manifest, manifests[i] != NULL);
        assert_int_equal(find(&directory, DATA_LOG(1))->role, ROLE_UNKNOWN);
        directory_deinit(&directory);
        buf_deinit(&log);
        data_close(&data);
    }
}

static void a_dump_counts_if_there_is_no_manifest(void **state)
{
    (void)state;
    struct data_folder data;
    struct directory directory = {0};
    struct buf dump;
    data_open(&data);
    data_snapshot(&dump, "3", true);
    data_write(&data, LAYOUT_DUMP, buf_slice(&dump));
    directory_check(data.fs, &quiet, &directory);
    assert_int_equal(directory.state, STATE_GOOD);
    assert_int_equal(directory.items[0].role, ROLE_DUMP);
    assert_int_equal(directory.items[0].inspection.rdb.strings, 1);
    directory_deinit(&directory);
    data_command(&dump, "SET a b");
    data_write(&data, LAYOUT_DUMP, buf_slice(&dump));
    directory_check(data.fs, &quiet, &directory);
    assert_int_equal(directory.state, STATE_GOOD); /* what follows is ignored */
    directory_deinit(&directory);
    buf_deinit(&dump);
    data_close(&data);
}

static void checks_one_file(void **state)
{
    (void)state;
    struct data_folder data;
    struct directory directory = {0};
    struct buf log;
    data_open(&data);
    data_log(&log, 7, 8);
    data_write(&data, "some", buf_slice(&log));
    directory_check_file(data.fs, "some", &quiet, &directory);
    const struct item *item = &directory.items[0];
    assert_int_equal(directory.state, STATE_GOOD);
    assert_int_equal(item->role, ROLE_LOG);
    assert_int_equal(item->inspection.log.first, 7);
    assert_int_equal(restore_newest(directory.store), 8);
    directory_deinit(&directory);
    directory_check_file(data.fs, "none", &quiet, &directory);
    assert_int_equal(directory.state, STATE_UNREADABLE);
    directory_deinit(&directory);
    buf_deinit(&log);
    data_close(&data);
}

/* An empty log is a log; in the place of anything else it is what is left of something. */
static void an_empty_file_is_what_its_name_says(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum state state;
    } cases[] = {{"x.aof", STATE_GOOD},
                 {"x.rdb", STATE_DAMAGED},
                 {"appendonly.aof.1.base.rdb", STATE_DAMAGED},
                 {"notes", STATE_DAMAGED}};
    struct data_folder data;
    data_open(&data);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct directory directory = {0};
        data_write(&data, cases[i].name, SLICE_LITERAL(""));
        directory_check_file(data.fs, cases[i].name, &quiet, &directory);
        assert_int_equal(directory.state, cases[i].state);
        directory_deinit(&directory);
    }
    data_close(&data);
}

static void assert_loads(const struct data_folder *data, size_t keys, uint64_t revision)
{
    struct directory directory = {0};
    directory_check(data->fs, &quiet, &directory);
    directory_load_good(data->fs, &directory);
    assert_int_equal(store_count(directory.store, 0), keys);
    assert_int_equal(restore_newest(directory.store), revision);
    directory_deinit(&directory);
}

static void loads_what_stands_before_the_damage(void **state)
{
    (void)state;
    struct data_folder data;
    struct buf base, first, second;
    data_open(&data);
    data_write_manifest(&data, true, 2);
    data_snapshot(&base, "10", true);
    data_log(&first, 11, 12);
    data_log(&second, 13, 15);
    data_write(&data, DATA_BASE, buf_slice(&base));
    data_write(&data, DATA_LOG(1), buf_slice(&first));
    data_write(&data, DATA_LOG(2), buf_slice(&second));
    assert_loads(&data, 3, 15);
    data_write(&data, DATA_LOG(2), slice_make(second.data, second.len - 1));
    assert_loads(&data, 3, 14);
    data_write(&data, DATA_LOG(1), slice_make(first.data, first.len - 1));
    assert_loads(&data, 3, 11);
    data_write(&data, DATA_LOG(1), slice_make("!", 1));
    assert_loads(&data, 2, 10);
    data_write(&data, DATA_BASE, slice_make(base.data, base.len - 1));
    assert_loads(&data, 0, 0);
    buf_deinit(&base);
    buf_deinit(&first);
    buf_deinit(&second);
    data_close(&data);
}

/* The data are whole, so they all can be loaded, but no server starts. */
static void versions_count_and_take_no_data(void **state)
{
    (void)state;
    struct data_folder data;
    struct directory directory = {0};
    struct buf log;
    data_open(&data);
    data_log(&log, 1, 3);
    data_write(&data, DATA_LOG(1), buf_slice(&log));
    data_write_manifest(&data, false, 1);
    data_write(&data, LAYOUT_VERSIONS, SLICE_LITERAL("versions 7 xxh3 0123456789abcdef\n"));
    directory_check(data.fs, &quiet, &directory);
    assert_int_equal(directory.state, STATE_DAMAGED);
    assert_false(directory.repairable);
    const struct item *versions = find(&directory, LAYOUT_VERSIONS);
    assert_int_equal(versions->role, ROLE_VERSIONS);
    assert_int_equal(versions->inspection.state, STATE_DAMAGED);
    assert_int_equal(versions->reserved, 0);
    assert_int_equal(find(&directory, DATA_LOG(1))->inspection.log.records, 3);
    directory_deinit(&directory);
    assert_loads(&data, 1, 3);
    buf_deinit(&log);
    data_close(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_directory_is_good),
        cmocka_unit_test(files_follow_each_other),
        cmocka_unit_test(data_that_are_not_there),
        cmocka_unit_test(nothing_is_removed_without_a_manifest),
        cmocka_unit_test(a_dump_counts_if_there_is_no_manifest),
        cmocka_unit_test(checks_one_file),
        cmocka_unit_test(an_empty_file_is_what_its_name_says),
        cmocka_unit_test(loads_what_stands_before_the_damage),
        cmocka_unit_test(versions_count_and_take_no_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
