/*
 * A redis-server of its own for a test: on a data directory, at a unix socket in it, without a
 * port. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_JOURNAL_REDIS_PROCESS_H
#define KEYSTORE_TESTS_JOURNAL_REDIS_PROCESS_H

#include "journal/words.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_process {
    pid_t pid;
    int socket;
};

/* Starts a program in the directory, its output in the file `log` there. */
static inline pid_t redis_spawn(const char *directory, const char *log, char *const *arguments)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
    if (chdir(directory) != 0)
        _exit(126);
    int descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(descriptor, STDOUT_FILENO);
    dup2(descriptor, STDERR_FILENO);
    execvp(arguments[0], arguments);
    dprintf(STDERR_FILENO, "%s is missing; script/bootstrap --test installs it\n", arguments[0]);
    _exit(127);
}

static inline void redis_show_log(const char *directory, const char *log)
{
    char path[4096];
    char text[2000];
    snprintf(path, sizeof path, "%s/%s", directory, log);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(text, sizeof text, file) != NULL)
        print_message("%s", text);
    if (file != NULL)
        fclose(file);
}

/* Connected, or -1 if nobody listens yet. */
static inline int redis_connect(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof address.sun_path, "%s/redis.sock", directory);
    assert_in_range(len, 1, sizeof address.sun_path - 1);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

static inline void redis_read(struct redis_process *redis, char *out, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(redis->socket, out + done, size - done);
        assert_true(got > 0);
        done += (size_t)got;
    }
}

/*
 * Sends a command, words by spaces; its reply: a line without type and line end, or the bytes of a
 * string, "(none)" if there is none.
 */
static inline void redis_ask(struct redis_process *redis, const char *words, char *reply,
                             size_t size)
{
    struct buf out;
    buf_init(&out, 65536);
    words_append(&out, words);
    assert_int_equal(send(redis->socket, out.data, out.len, MSG_NOSIGNAL), (ssize_t)out.len);
    buf_deinit(&out);
    char line[512];
    size_t len = 0;
    do
        redis_read(redis, &line[len++], 1);
    while (line[len - 1] != '\n' && len < sizeof line);
    line[len - 2] = 0;
    long bytes = strtol(line + 1, NULL, 10);
    if (line[0] != '$' || bytes < 0) {
        snprintf(reply, size, "%s", line[0] == '$' ? "(none)" : line + 1);
        return;
    }
    assert_true((size_t)bytes + 2 < size);
    redis_read(redis, reply, (size_t)bytes + 2);
    reply[bytes] = 0;
}

/* Starts it, with an append-only file, and waits until it has loaded its data; `option` and `value`
 * are added, or NULL. */
static inline void redis_start(struct redis_process *redis, const char *directory,
                               const char *option, const char *value)
{
    char *arguments[] = {"redis-server",
                         "--port",
                         "0",
                         "--unixsocket",
                         "redis.sock",
                         "--appendonly",
                         "yes",
                         "--save",
                         "",
                         "--appendfsync",
                         "no",
                         "--enable-debug-command",
                         "yes",
                         "--hz", /* how often it looks whether it is to end, or a child has */
                         "500",
                         (char *)option,
                         (char *)value,
                         NULL};
    char reply[600] = "LOADING";
    redis->pid = redis_spawn(directory, "redis.log", arguments);
    while ((redis->socket = redis_connect(directory)) < 0) {
        if (waitpid(redis->pid, NULL, WNOHANG) != 0) {
            redis_show_log(directory, "redis.log");
            fail_msg("redis-server ended; its output is above");
        }
        poll(NULL, 0, 5);
    }
    while (strncmp(reply, "LOADING", 7) == 0)
        redis_ask(redis, "PING", reply, sizeof reply);
    assert_string_equal(reply, "PONG");
}

static inline void redis_stop(struct redis_process *redis)
{
    int status;
    assert_int_equal(kill(redis->pid, SIGTERM), 0);
    assert_int_equal(waitpid(redis->pid, &status, 0), redis->pid);
    assert_int_equal(status, 0);
    close(redis->socket);
}

/* The exit code of a program with one argument, whose output is in check.log. */
static inline int redis_run(const char *directory, const char *program, const char *argument)
{
    int status;
    char *arguments[] = {(char *)program, (char *)argument, NULL};
    pid_t pid = redis_spawn(directory, "check.log", arguments);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The exit code of redis-check-aof on the manifest. */
static inline int redis_check(const char *directory, const char *manifest)
{
    int code = redis_run(directory, "redis-check-aof", manifest);
    if (code != 0)
        redis_show_log(directory, "check.log");
    return code;
}

#endif
