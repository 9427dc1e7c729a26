/* Tests of journal/fs/posix.c on the machine's own file system. */
#include "journal/fs/posix.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/folder.h"

static int set_up(void **state)
{
    static struct folder folder;
    folder_make(&folder);
    *state = &folder;
    return 0;
}

static int tear_down(void **state)
{
    folder_remove(*state);
    return 0;
}

static struct fs *opened(void **state)
{
    const struct folder *folder = *state;
    struct fs *fs;
    assert_int_equal(fs_posix_open(folder->path, &fs), 0);
    return fs;
}

static struct fs_file *file_of(struct fs *fs, const char *path, enum fs_mode mode)
{
    struct fs_file *file;
    assert_int_equal(fs_open(fs, path, mode, &file), 0);
    return file;
}

static void assert_content(struct fs *fs, const char *path, const char *expected)
{
    struct fs_file *file = file_of(fs, path, FS_READ);
    char out[100];
    ssize_t got = fs_read(file, 0, out, sizeof out);
    assert_int_equal(got, strlen(expected));
    assert_memory_equal(out, expected, strlen(expected));
    assert_int_equal(fs_size(file), got);
    assert_int_equal(fs_close(file), 0);
}

static void writes_and_reads(void **state)
{
    struct fs *fs = opened(state);
    struct fs_file *file = file_of(fs, "log", FS_CREATE);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("hello ")), 0);
    assert_int_equal(fs_sync_data(file), 0);
    assert_int_equal(fs_close(file), 0);
    file = file_of(fs, "log", FS_APPEND);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("world")), 0);
    fs_start_sync(file);
    assert_int_equal(fs_sync(file), 0);
    fs_forget(file);
    char out[3];
    assert_int_equal(fs_read(file, 9, out, sizeof out), 2);
    assert_memory_equal(out, "ld", 2);
    assert_content(fs, "log", "hello world");
    assert_int_equal(fs_truncate(file, 4), 0);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("!")), 0); /* at the new end */
    assert_content(fs, "log", "hell!");
    assert_int_equal(fs_close(file), 0);
    fs_close_directory(fs);
}

static void opens_as_it_was_told(void **state)
{
    struct fs *fs = opened(state);
    struct fs_file *file;
    assert_int_equal(fs_open(fs, "none", FS_READ, &file), -ENOENT);
    assert_int_equal(fs_open(fs, "none", FS_APPEND, &file), -ENOENT);
    assert_int_equal(fs_close(file_of(fs, "one", FS_CREATE)), 0);
    assert_int_equal(fs_open(fs, "one", FS_CREATE, &file), -EEXIST);
    file = file_of(fs, "one", FS_READ);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("x")), -EBADF);
    assert_int_equal(fs_close(file), 0);
    fs_close_directory(fs);
}

static void reserving_room_does_not_grow_the_file(void **state)
{
    struct fs *fs = opened(state);
    struct fs_file *file = file_of(fs, "log", FS_CREATE);
    int error = fs_allocate(file, 0, (uint64_t)1024 * 1024);
    assert_true(error == 0 || error == -EOPNOTSUPP);
    assert_int_equal(fs_size(file), 0);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("x")), 0);
    assert_int_equal(fs_size(file), 1);
    assert_int_equal(fs_close(file), 0);
    fs_close_directory(fs);
}

static void maps_a_file(void **state)
{
    struct fs *fs = opened(state);
    struct fs_file *file = file_of(fs, "log", FS_CREATE);
    struct slice bytes;
    assert_int_equal(fs_map(file, &bytes), 0);
    assert_int_equal(bytes.len, 0);
    fs_unmap(fs, bytes);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(fs_write_slice(file, SLICE_LITERAL("0123456789")), 0);
    assert_int_equal(fs_map(file, &bytes), 0);
    assert_int_equal(fs_close(file), 0);
    assert_int_equal(bytes.len, 10000);
    assert_memory_equal(bytes.data + 9990, "0123456789", 10);
    fs_unmap(fs, bytes);
    fs_close_directory(fs);
}

/* A backup of hard links keeps what the server removes. */
static void unlinking_a_name_leaves_the_content_to_others(void **state)
{
    const struct folder *folder = *state;
    char name[2100], backup[2100];
    struct fs *fs = opened(state);
    struct fs_file *file = file_of(fs, "base", FS_CREATE);
    static uint8_t part[300000];
    for (int i = 0; i < 6; i++) { /* more than is dropped at once */
        memset(part, 'a' + i, sizeof part);
        assert_int_equal(fs_write_slice(file, slice_make(part, sizeof part)), 0);
    }
    assert_int_equal(fs_close(file), 0); /* without a sync */
    snprintf(name, sizeof name, "%s/base", folder->path);
    snprintf(backup, sizeof backup, "%s/backup", folder->path);
    assert_int_equal(link(name, backup), 0);
    assert_int_equal(fs_unlink(fs, "base"), 0);
    assert_int_equal(fs_unlink(fs, "base"), -ENOENT);
    file = file_of(fs, "backup", FS_READ);
    struct slice bytes;
    assert_int_equal(fs_map(file, &bytes), 0);
    assert_int_equal(bytes.len, 6 * sizeof part);
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_equal(bytes.data[i], 'a' + i / sizeof part);
    fs_unmap(fs, bytes);
    assert_int_equal(fs_close(file), 0);
    fs_close_directory(fs);
}

static void keeps_folders_and_names(void **state)
{
    struct fs *fs = opened(state);
    struct fs_names names = {0};
    assert_int_equal(fs_mkdir(fs, "sub"), 0);
    assert_int_equal(fs_mkdir(fs, "sub"), -EEXIST);
    assert_int_equal(fs_close(file_of(fs, "sub/b", FS_CREATE)), 0);
    assert_int_equal(fs_close(file_of(fs, "sub/a", FS_CREATE)), 0);
    assert_int_equal(fs_close(file_of(fs, "sub/c", FS_CREATE)), 0);
    struct fs_file *file = file_of(fs, "sub/c", FS_APPEND);
    assert_int_equal(fs_write_slice(file, SLICE_LITERAL("c")), 0);
    assert_int_equal(fs_close(file), 0);
    assert_int_equal(fs_rename(fs, "sub/c", "sub/b"), 0);
    assert_int_equal(fs_rename(fs, "sub/c", "sub/b"), -ENOENT);
    assert_int_equal(fs_sync_directory(fs, "sub"), 0);
    assert_int_equal(fs_sync_directory(fs, "."), 0);
    assert_int_equal(fs_sync_directory(fs, "none"), -ENOENT);
    assert_int_equal(fs_list(fs, "sub", &names), 0);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[0], "a");
    assert_string_equal(names.items[1], "b");
    assert_content(fs, "sub/b", "c");
    fs_names_deinit(&names);
    assert_int_equal(fs_unlink(fs, "sub/a"), 0);
    assert_int_equal(fs_unlink(fs, "sub/a"), -ENOENT);
    assert_int_equal(fs_list(fs, "sub/none", &names), -ENOENT);
    assert_int_equal(fs_list(fs, ".", &names), 0);
    assert_int_equal(names.count, 1);
    fs_names_deinit(&names);
    fs_close_directory(fs);
}

static void makes_the_directory_but_not_its_parents(void **state)
{
    const struct folder *folder = *state;
    char path[PATH_MAX];
    struct fs *fs;
    struct stat status;
    snprintf(path, sizeof path, "%s/data", folder->path);
    assert_int_equal(fs_posix_open(path, &fs), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07, 0); /* nothing for others */
    fs_close_directory(fs);
    assert_int_equal(fs_posix_open(path, &fs), 0);
    fs_close_directory(fs);
    snprintf(path, sizeof path, "%s/none/data", folder->path);
    assert_int_equal(fs_posix_open(path, &fs), -ENOENT);
    snprintf(path, sizeof path, "%s/data/file", folder->path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(fs_posix_open(path, &fs), -ENOTDIR);
}

/* In another process: takes the lock, reports that, and keeps it until it is asked to end. */
static void hold_lock(const struct folder *folder, int say, int wait)
{
    struct fs *fs;
    long holder;
    char byte = 0;
    if (fs_posix_open(folder->path, &fs) != 0 || fs_lock(fs, "lock", &holder) != 0 ||
        write(say, &byte, 1) != 1 || read(wait, &byte, 1) < 0)
        _exit(1);
    _exit(0); /* without giving it up, as in a crash */
}

static void only_one_process_has_the_directory(void **state)
{
    int said[2];
    int wait_for[2];
    char byte;
    long holder = -1;
    assert_int_equal(pipe(said), 0);
    assert_int_equal(pipe(wait_for), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(wait_for[1]);
        hold_lock(*state, said[1], wait_for[0]);
    }
    assert_int_equal(read(said[0], &byte, 1), 1);
    struct fs *fs = opened(state);
    assert_int_equal(fs_lock(fs, "lock", &holder), -EWOULDBLOCK);
    assert_int_equal(holder, child);
    close(wait_for[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(fs_lock(fs, "lock", &holder), 0);
    struct fs *second = opened(state);
    assert_int_equal(fs_lock(second, "lock", &holder), -EWOULDBLOCK);
    assert_int_equal(holder, getpid());
    fs_close_directory(fs);
    assert_int_equal(fs_lock(second, "lock", &holder), 0);
    fs_close_directory(second);
    close(said[0]);
    close(said[1]);
    close(wait_for[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_and_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opens_as_it_was_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reserving_room_does_not_grow_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(maps_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unlinking_a_name_leaves_the_content_to_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keeps_folders_and_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(makes_the_directory_but_not_its_parents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_one_process_has_the_directory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
