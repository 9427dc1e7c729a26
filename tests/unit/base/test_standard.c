/* Each test runs in a child, whose standard descriptors it closes. */
#include "base/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* True if the function returns true in a child process. */
static bool holds_in_child(bool (*function)(int closed), int closed)
{
    int status;
    fflush(stdout);
    fflush(stderr);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(function(closed) ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* `closed` has a bit for each descriptor. The next one to be opened must be none of these. */
static bool nothing_takes_their_place(int closed)
{
    for (int fd = 0; fd <= 2; fd++)
        if ((closed >> fd & 1) != 0)
            close(fd);
    if (!standard_open())
        return false;
    int next = open("/dev/null", O_RDONLY);
    return next > 2;
}

static void test_closed_ones_are_opened(void **state)
{
    (void)state;
    for (int closed = 0; closed < 8; closed++)
        assert_true(holds_in_child(nothing_takes_their_place, closed));
}

static bool using_it_is_an_error(int fd)
{
    char byte = 0;
    close(fd);
    if (!standard_open())
        return false;
    errno = 0;
    ssize_t moved = fd == 0 ? read(fd, &byte, 1) : write(fd, &byte, 1);
    return moved == -1 && errno == EBADF;
}

static void test_what_was_closed_can_not_be_used(void **state)
{
    (void)state;
    for (int fd = 0; fd <= 2; fd++)
        assert_true(holds_in_child(using_it_is_an_error, fd));
}

static bool open_ones_stay(int unused)
{
    struct stat before, after;
    (void)unused;
    FILE *file = tmpfile();
    dup2(fileno(file), STDOUT_FILENO);
    fstat(STDOUT_FILENO, &before);
    bool opened = standard_open();
    fstat(STDOUT_FILENO, &after);
    return opened && before.st_ino == after.st_ino && before.st_dev == after.st_dev;
}

static void test_open_ones_stay(void **state)
{
    (void)state;
    assert_true(holds_in_child(open_ones_stay, 0));
}

static bool a_pipe_without_reader_is_an_error(int unused)
{
    int ends[2];
    (void)unused;
    if (!standard_open() || pipe(ends) != 0)
        return false;
    close(ends[0]);
    return write(ends[1], "x", 1) == -1 && errno == EPIPE;
}

static void test_a_pipe_without_reader(void **state)
{
    (void)state;
    assert_true(holds_in_child(a_pipe_without_reader_is_an_error, 0));
}

/* The contents of standard error after printing to that path, and the result of standard_flush().
 */
static bool flush_to(const char *path, char *said, size_t size)
{
    FILE *errors = tmpfile();
    dup2(fileno(errors), STDERR_FILENO);
    dup2(open(path, O_WRONLY), STDOUT_FILENO);
    clearerr(stdout);
    fputs("hello\n", stdout);
    bool fine = standard_flush("program");
    rewind(errors);
    said[fread(said, 1, size - 1, errors)] = '\0';
    return fine;
}

static bool a_full_disk_is_told(int unused)
{
    char said[200];
    (void)unused;
    return !flush_to("/dev/full", said, sizeof said) &&
           strcmp(said, "program: cannot write to standard output: No space left on device\n") == 0;
}

static bool an_earlier_failure_is_told(int unused)
{
    char said[200];
    (void)unused;
    dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
    fputs("hello\n", stdout);
    standard_push();
    return !flush_to("/dev/null", said, sizeof said) &&
           strcmp(said, "program: cannot write to standard output: No space left on device\n") == 0;
}

static bool success_is_silent(int unused)
{
    char said[200];
    (void)unused;
    return flush_to("/dev/null", said, sizeof said) && said[0] == '\0';
}

static void test_flush(void **state)
{
    (void)state;
    assert_true(holds_in_child(a_full_disk_is_told, 0));
    assert_true(holds_in_child(an_earlier_failure_is_told, 0));
    assert_true(holds_in_child(success_is_silent, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_ones_are_opened),
        cmocka_unit_test(test_what_was_closed_can_not_be_used),
        cmocka_unit_test(test_open_ones_stay),
        cmocka_unit_test(test_a_pipe_without_reader),
        cmocka_unit_test(test_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
