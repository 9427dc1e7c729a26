/* Tests of cli/secret.c: files, descriptors, and a terminal. */
#include "cli/secret.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pty_child.h"
#include "support/folder.h"

static bool read_text(const char *text, size_t len, struct secret *secret, const char **why)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, len), len);
    close(ends[1]);
    bool is_read = secret_read_descriptor(ends[0], secret, why);
    close(ends[0]);
    return is_read;
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *secret, *why;
    } rows[] = {
        {"abc", "abc", NULL},       {"abc\n", "abc", NULL},    {"abc\r\ndef\n", "abc", NULL},
        {" a b \n", " a b ", NULL}, {"", NULL, "no password"}, {"\nabc\n", NULL, "no password"},
    };
    struct secret secret;
    const char *why;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_read = read_text(rows[i].text, strlen(rows[i].text), &secret, &why);
        assert_int_equal(is_read, rows[i].secret != NULL);
        if (is_read)
            assert_string_equal(secret.text, rows[i].secret);
        else
            assert_non_null(strstr(why, rows[i].why));
    }
    assert_false(read_text("a\0b\n", 4, &secret, &why));
    assert_non_null(strstr(why, "zero byte"));
    char much[SECRET_SIZE + 1];
    memset(much, 'x', sizeof much);
    assert_true(read_text(much, SECRET_SIZE - 1, &secret, &why));
    assert_false(read_text(much, SECRET_SIZE, &secret, &why));
    assert_non_null(strstr(why, "longer than 1,024"));
    assert_int_equal(secret.text[0], '\0'); /* wiped */
}

static void test_files(void **state)
{
    (void)state;
    struct folder folder;
    struct secret secret;
    const char *why;
    char path[PATH_MAX];
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/password", folder.path);
    assert_false(secret_read_file(path, &secret, &why));
    assert_non_null(strstr(why, "No such file"));
    FILE *file = fopen(path, "w");
    fputs("abc\nrest\n", file);
    fclose(file);
    assert_true(secret_read_file(path, &secret, &why));
    assert_string_equal(secret.text, "abc");
    folder_remove(&folder);
}

/* Says what was read only in its exit code. */
static int child_main(void)
{
    struct secret secret;
    const char *why;
    for (int i = 0; i < 2; i++)
        if (!secret_ask("Password: ", &secret, &why)) {
            puts(why);
            return 1;
        }
    puts(strcmp(secret.text, "hidden") == 0 ? "right" : "wrong");
    return 0;
}

static void test_a_terminal(void **state)
{
    (void)state;
    struct pty_child child;
    pty_start(&child, child_main);
    assert_true(pty_expect(&child, "Password: "));
    pty_type(&child, "x\n");
    assert_true(pty_expect(&child, "\r\nPassword: "));
    pty_type(&child, "hidden\n");
    /* Nothing was echoed in between. */
    assert_true(pty_expect(&child, "right"));
    assert_int_equal(pty_end(&child), 0);
    pty_start(&child, child_main);
    assert_true(pty_expect(&child, "Password: "));
    pty_type(&child, "ab\003");
    assert_true(pty_expect(&child, "interrupted"));
    assert_int_equal(pty_end(&child), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
