/* What is in the folder after a backup, and after one that fails. */
#include "cli/backup_file.h"

#include "support/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct folder folder;
static char path[PATH_MAX];
static char problem[BACKUP_PROBLEM_SIZE];

static int set_up(void **state)
{
    (void)state;
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/backup.rdb", folder.path);
    problem[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

static size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *listing = opendir(folder.path);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static void put(const char *content)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *expected)
{
    char content[100] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(content, 1, sizeof content - 1, file), strlen(expected));
    assert_string_equal(content, expected);
    fclose(file);
}

static void open_file(struct backup_file *file, bool force)
{
    if (!backup_file_open(file, path, force, problem))
        fail_msg("%s", problem);
}

static void the_name_comes_last(void **state)
{
    (void)state;
    struct backup_file file;
    struct stat status;
    open_file(&file, false);
    assert_true(backup_file_write(&file, "one ", 4));
    assert_true(backup_file_write(&file, "two", 3));
    assert_int_equal(access(path, F_OK), -1);
    assert_true(backup_file_commit(&file));
    assert_content("one two");
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600); /* it has all data */
}

static void a_discarded_backup_leaves_nothing(void **state)
{
    (void)state;
    struct backup_file file;
    open_file(&file, false);
    assert_true(backup_file_write(&file, "one", 3));
    assert_int_equal(files_in_folder(), 1);
    backup_file_discard(&file);
    assert_int_equal(files_in_folder(), 0);
}

static void a_file_is_replaced_only_if_wanted(void **state)
{
    (void)state;
    struct backup_file file;
    put("former");
    assert_false(backup_file_open(&file, path, false, problem));
    assert_non_null(strstr(problem, "exists: --force replaces it"));
    open_file(&file, true);
    assert_true(backup_file_write(&file, "new", 3));
    assert_content("former");
    assert_true(backup_file_commit(&file));
    assert_content("new");
    assert_int_equal(files_in_folder(), 1);
}

static void a_file_that_comes_meanwhile(void **state)
{
    (void)state;
    struct backup_file file;
    open_file(&file, false);
    put("another's");
    assert_false(backup_file_commit(&file));
    assert_non_null(strstr(problem, "was created meanwhile"));
    assert_content("another's");
    assert_int_equal(files_in_folder(), 1);
}

static void only_regular_files(void **state)
{
    (void)state;
    struct backup_file file;
    assert_false(backup_file_open(&file, folder.path, true, problem));
    assert_non_null(strstr(problem, "is not a regular file"));
    assert_false(backup_file_open(&file, "/dev/null", true, problem));
    assert_non_null(strstr(problem, "is not a regular file"));
    put("target");
    char link_path[PATH_MAX];
    snprintf(link_path, sizeof link_path, "%s/link", folder.path);
    assert_int_equal(symlink(path, link_path), 0);
    assert_false(backup_file_open(&file, link_path, true, problem));
    assert_content("target");
}

static void errors_name_the_file(void **state)
{
    (void)state;
    struct backup_file file;
    char nowhere[PATH_MAX];
    snprintf(nowhere, sizeof nowhere, "%s/missing/b", folder.path);
    assert_false(backup_file_open(&file, nowhere, false, problem));
    assert_non_null(strstr(problem, "/missing/b."));
    assert_non_null(strstr(problem, "No such file or directory"));
    open_file(&file, false);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(dup2(full, file.fd), file.fd);
    assert_false(backup_file_write(&file, "x", 1));
    assert_non_null(strstr(problem, "No space left on device"));
    backup_file_discard(&file);
    close(full);
    assert_int_equal(files_in_folder(), 0);
}

static void a_name_in_the_current_folder(void **state)
{
    (void)state;
    struct backup_file file;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder.path), 0);
    assert_true(backup_file_open(&file, "backup.rdb", false, problem));
    assert_true(backup_file_write(&file, "x", 1));
    assert_true(backup_file_commit(&file));
    assert_int_equal(chdir(before), 0);
    assert_content("x");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_name_comes_last),
        TEST(a_discarded_backup_leaves_nothing),
        TEST(a_file_is_replaced_only_if_wanted),
        TEST(a_file_that_comes_meanwhile),
        TEST(only_regular_files),
        TEST(errors_name_the_file),
        TEST(a_name_in_the_current_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
