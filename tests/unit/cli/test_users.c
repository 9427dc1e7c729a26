/* Tests of cli/users.c: exit codes, and what is in the file afterwards. tests/e2e/test_users_cli.py
 * looks at what is printed. */
#include "cli/users.h"

#include "access/users_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/folder.h"

static struct folder folder;
static char path[PATH_MAX];

static int setup(void **state)
{
    (void)state;
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/users", folder.path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

#define run(...) run_words((char *[]){__VA_ARGS__, NULL})

static int run_words(char **words)
{
    struct options options = {.users_file = path, .command = words, .db = 1};
    while (words[options.command_count] != NULL)
        options.command_count++;
    return users_run(&options);
}

static struct access *read_file(void)
{
    char why[USERS_FILE_WHY];
    struct access *access = users_file_read(path, why);
    if (access == NULL)
        fail_msg("%s", why);
    return access;
}

static void test_users_and_tokens(void **state)
{
    (void)state;
    assert_int_equal(run("user", "list"), 1); /* there is no file */
    assert_int_equal(run("user", "add", "a", "read keys=a*", "write db=1"), 0);
    assert_int_equal(run("user", "add", "b"), 0);
    assert_int_equal(run("user", "add", "a"), 1);
    assert_int_equal(run("user", "add", "c", "reed"), 1);
    assert_int_equal(run("token", "new", "a", "t1"), 0);
    assert_int_equal(run("token", "new", "b", "t2", "7"), 0);
    assert_int_equal(run("token", "new", "b", "t2"), 1);
    assert_int_equal(run("token", "new", "b", "t3", "0"), 1);
    assert_int_equal(run("token", "new", "c", "t3"), 1);
    assert_int_equal(run("user", "list"), 0);
    assert_int_equal(run("token", "list"), 0);
    assert_int_equal(run("token", "list", "c"), 1);
    struct access *access = read_file();
    assert_int_equal(access->user_count, 2);
    assert_int_equal(access->users[0].rules.count, 2);
    assert_int_equal(access->token_count, 2);
    access_release(access);
    assert_int_equal(run("token", "revoke", "t1"), 0);
    assert_int_equal(run("token", "revoke", "t1"), 1);
    assert_int_equal(run("user", "remove", "a"), 0);
    assert_int_equal(run("user", "remove", "a"), 1);
    access = read_file();
    assert_int_equal(access->user_count, 1);
    assert_string_equal(access->users[0].rules.user, "b");
    assert_int_equal(access->token_count, 1);
    assert_string_equal(access->tokens[0].id, "t2");
    access_release(access);
}

static void test_check(void **state)
{
    (void)state;
    assert_int_equal(run("user", "add", "a", "read keys=a*", "write keys=b*", "list db=2"), 0);
    assert_int_equal(run("user", "check", "a", "Get", "a1"), 0);
    assert_int_equal(run("user", "check", "a", "get", "b1"), 1);
    assert_int_equal(run("user", "check", "a", "Copy", "a1", "b1"), 0);
    assert_int_equal(run("user", "check", "a", "Copy", "b1", "a1"), 1);
    assert_int_equal(run("user", "check", "a", "MGet", "a1", "a2"), 0);
    assert_int_equal(run("user", "check", "a", "MGet", "a1", "b2"), 1);
    assert_int_equal(run("user", "check", "a", "BitOp", "b1", "a1"), 0);
    assert_int_equal(run("user", "check", "a", "BitOp", "a1", "b1"), 1);
    assert_int_equal(run("user", "check", "a", "LPush", "c"), 1); /* in database 1 */
    assert_int_equal(run("user", "check", "a", "RandomKey"), 1);
    assert_int_equal(run("user", "check", "a", "admin"), 1);
    assert_int_equal(run("user", "check", "a", "Txn"), 1);
    assert_int_equal(run("user", "check", "a", "Got", "a1"), 1);
    assert_int_equal(run("user", "check", "a", "Get"), 1);
    assert_int_equal(run("user", "check", "x", "Get", "a1"), 1);
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(run("user"), 2);
    assert_int_equal(run("user", "ad", "a"), 2);
    assert_int_equal(run("token", "add", "a"), 2);
    assert_int_equal(run("user", "remove"), 2);
    assert_int_equal(run("user", "list", "a"), 2);
    struct options options = {.command = (char *[]){"user", "list"}, .command_count = 2};
    assert_int_equal(users_run(&options), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_users_and_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
