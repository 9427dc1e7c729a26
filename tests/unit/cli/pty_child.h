/* A function that runs on a terminal of its own in a child process, and the keys typed there. */
#ifndef KEYSTORE_TESTS_CLI_PTY_CHILD_H
#define KEYSTORE_TESTS_CLI_PTY_CHILD_H

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PTY_SEEN_SIZE  16384
#define PTY_TIMEOUT_MS 60000

struct pty_child {
    pid_t pid;
    int terminal;
    char seen[PTY_SEEN_SIZE]; /* output that was not waited for yet; zero bytes are dropped */
    size_t len;
};

/* Starts main() in the child; what it returns is its exit code. */
static inline void pty_start(struct pty_child *child, int (*child_main)(void))
{
    struct winsize size = {.ws_row = 30, .ws_col = 100};
    *child = (struct pty_child){0};
    setenv("TERM", "xterm", 1);
    setenv("HOME", "/nonexistent", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    fflush(NULL);
    child->pid = forkpty(&child->terminal, NULL, NULL, &size);
    if (child->pid == 0)
        exit(child_main());
    if (child->pid < 0)
        abort();
}

static inline void pty_type(struct pty_child *child, const char *keys)
{
    if (write(child->terminal, keys, strlen(keys)) != (ssize_t)strlen(keys))
        abort();
}

/* Reads some output; false when the child is gone or says nothing for too long. */
static inline int pty_read(struct pty_child *child)
{
    struct pollfd entry = {.fd = child->terminal, .events = POLLIN};
    if (child->len == PTY_SEEN_SIZE - 1 || poll(&entry, 1, PTY_TIMEOUT_MS) <= 0)
        return 0;
    ssize_t got = read(child->terminal, child->seen + child->len, PTY_SEEN_SIZE - 1 - child->len);
    if (got <= 0)
        return 0;
    child->len += (size_t)got;
    child->seen[child->len] = '\0';
    return 1;
}

/* Waits for the text and forgets what came up to its end; false if it does not come. */
static inline int pty_expect(struct pty_child *child, const char *text)
{
    char *at;
    while ((at = strstr(child->seen, text)) == NULL) {
        if (!pty_read(child)) {
            fprintf(stderr, "expected '%s', saw '%s'\n", text, child->seen);
            return 0;
        }
    }
    at += strlen(text);
    child->len -= (size_t)(at - child->seen);
    memmove(child->seen, at, child->len + 1);
    return 1;
}

/* Waits for the end of the child; its exit code, or -1 if it did not end by itself. */
static inline int pty_end(struct pty_child *child)
{
    int status;
    while (pty_read(child))
        child->len = 0;
    kill(child->pid, SIGHUP); /* nothing if it has ended already */
    waitpid(child->pid, &status, 0);
    close(child->terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
