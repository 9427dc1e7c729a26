/* Captures what a child process writes before it ends. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_CHILD_H
#define KEYSTORE_TESTS_CHILD_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `ask` in a child process; its standard error is copied to `said`. */
static inline int status_of_child(void (*ask)(void), char *said, size_t size)
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        ask();
        _exit(0);
    }
    close(pipe_fds[1]);
    size_t len = 0;
    ssize_t got;
    while ((got = read(pipe_fds[0], said + len, size - 1 - len)) > 0)
        len += (size_t)got;
    said[len] = '\0';
    close(pipe_fds[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

#endif
