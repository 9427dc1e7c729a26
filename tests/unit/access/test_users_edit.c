/* Tests of access/users_edit.c. */
#include "access/users_edit.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/folder.h"

static void test_replace(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int from, to;
        const char *replacement, *expected;
    } rows[] = {
        {"a\nb\nc\n", 2, 3, "", "a\nc\n"},
        {"a\nb\nc\n", 2, 2, "x\n", "a\nx\nb\nc\n"},
        {"a\nb\nc", 3, 4, "x\ny\n", "a\nb\nx\ny\n"},
        {"a\nb", 2, 2, "x\n", "a\nx\nb\n"},
        {"a\nb", INT_MAX, INT_MAX, "x\n", "a\nb\nx\n"},
        {"", INT_MAX, INT_MAX, "x\n", "x\n"},
        {"a\nb\n", 1, INT_MAX, "", ""},
        {"a\n\n#\nb\n", 1, 3, "", "#\nb\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *edited = users_edit_replace(slice_from_string(rows[i].text), rows[i].from, rows[i].to,
                                          rows[i].replacement);
        assert_string_equal(edited, rows[i].expected);
        free(edited);
    }
}

static void test_sections(void **state)
{
    (void)state;
    char why[USERS_FILE_WHY];
    struct access *access =
        users_file_parse(SLICE_LITERAL("# c\n[user a]\n\n[user b]\nallow = all\n"), why);
    assert_int_equal(access->users[0].line, 2);
    assert_int_equal(users_edit_section_end(access, &access->users[0]), 4);
    assert_int_equal(users_edit_section_end(access, &access->users[1]), INT_MAX);
    access_release(access);
}

static void test_write(void **state)
{
    (void)state;
    struct folder folder;
    char path[PATH_MAX], why[USERS_FILE_WHY];
    struct stat status;
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/users", folder.path);
    assert_true(users_edit_write(path, "[user a]\n", why));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_false(users_edit_write(path, "[user a]\nallow = nothing\n", why));
    assert_memory_equal(why, "line 2: ", 8);
    struct access *access = users_file_read(path, why);
    assert_non_null(access);
    assert_int_equal(access->users[0].rules.count, 0);
    access_release(access);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 0, 12345) + chmod(path, 0640), 0);
        assert_true(users_edit_write(path, "[user b]\n", why));
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0640);
        assert_int_equal(status.st_uid, 0);
        assert_int_equal(status.st_gid, 12345);
    }
    snprintf(path, sizeof path, "%s/none/users", folder.path);
    assert_false(users_edit_write(path, "[user a]\n", why));
    assert_non_null(strstr(why, "cannot write"));
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
