/* Tests of journal/tidy.c: what a start cuts, removes and leaves. */
#include "journal/tidy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "check/data_folder.h"

#define TEMPORARY LAYOUT_FOLDER "/temp-appendonly.aof.manifest"

static void cuts_the_torn_tail(void **state)
{
    (void)state;
    struct data_folder data;
    struct recovery recovery = {.torn_name = "appendonly.aof.1.incr.aof", .torn_offset = 3};
    data_open(&data);
    data_write(&data, DATA_LOG(1), SLICE_LITERAL("abcdef"));
    manifest_add(&recovery.manifest, "appendonly.aof.1.incr.aof", 1, 'i');
    assert_int_equal(tidy(data.fs, &recovery), LOADING_DONE);
    assert_int_equal(data_size(&data, DATA_LOG(1)), 3);
    recovery_deinit(&recovery);
    data_close(&data);
}

static void removes_only_what_is_ours_and_of_no_use(void **state)
{
    (void)state;
    struct data_folder data;
    struct recovery recovery = {0};
    char folder[PATH_MAX];
    data_open(&data);
    data_write(&data, DATA_BASE, SLICE_LITERAL("left"));
    data_write(&data, DATA_LOG(1), SLICE_LITERAL("old"));
    data_write(&data, DATA_LOG(2), SLICE_LITERAL("new"));
    data_write(&data, TEMPORARY, SLICE_LITERAL("half"));
    data_write(&data, LAYOUT_FOLDER "/temp-notes.txt", SLICE_LITERAL("mine"));
    data_path(&data, LAYOUT_FOLDER "/temp-appendonly.aof.7.base.rdb", folder);
    assert_int_equal(mkdir(folder, 0700), 0); /* cannot be unlinked, which does not matter */
    manifest_add(&recovery.manifest, "appendonly.aof.1.incr.aof", 1, 'h');
    manifest_add(&recovery.manifest, "appendonly.aof.2.incr.aof", 2, 'i');
    assert_int_equal(tidy(data.fs, &recovery), LOADING_DONE);
    assert_int_equal(recovery.manifest.count, 1);
    assert_int_equal(data_size(&data, DATA_BASE), -1);
    assert_int_equal(data_size(&data, DATA_LOG(1)), -1);
    assert_int_equal(data_size(&data, DATA_LOG(2)), 3);
    assert_int_equal(data_size(&data, TEMPORARY), -1);
    assert_int_equal(data_size(&data, LAYOUT_FOLDER "/temp-notes.txt"), 4);
    assert_int_equal(rmdir(folder), 0);
    recovery_deinit(&recovery);
    data_close(&data);
}

static void gives_reserved_room_back(void **state)
{
    (void)state;
    struct data_folder data;
    struct recovery recovery = {0};
    struct fs_file *file;
    struct stat status;
    char path[PATH_MAX];
    data_open(&data);
    data_write(&data, DATA_LOG(1), SLICE_LITERAL("abc"));
    data_path(&data, DATA_LOG(1), path);
    assert_int_equal(fs_open(data.fs, DATA_LOG(1), FS_APPEND, &file), 0);
    int error = fs_allocate(file, 3, (uint64_t)1024 * 1024);
    fs_close(file);
    if (error == 0) {
        manifest_add(&recovery.manifest, "appendonly.aof.1.incr.aof", 1, 'i');
        assert_int_equal(tidy(data.fs, &recovery), LOADING_DONE);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_size, 3);
        assert_true(status.st_blocks * 512 < 1024 * 1024);
    }
    recovery_deinit(&recovery);
    data_close(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_the_torn_tail),
        cmocka_unit_test(removes_only_what_is_ours_and_of_no_use),
        cmocka_unit_test(gives_reserved_room_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
