/* Starting a redis-server. Knows nothing of what is asked of it. */
#include "support/redis_process.h"

#include "support/process.h"

#include "base/check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG          "redis.log"
#define MOST_OPTIONS 32 /* words */

/* True if it answers a PING by anything but that it is loading its data. */
static bool has_loaded(int connection)
{
    static const char ping[] = "PING\r\n";
    char line[256];
    size_t len = 0;
    if (send(connection, ping, strlen(ping), MSG_NOSIGNAL) != (ssize_t)strlen(ping))
        return false;
    do {
        if (read(connection, &line[len], 1) != 1)
            return false;
    } while (line[len++] != '\n' && len < sizeof line);
    return len > 5 && memcmp(line, "+PONG", 5) == 0;
}

static int wait_for(pid_t pid, const char *directory)
{
    char path[4096];
    int connection = -1;
    snprintf(path, sizeof path, "%s/%s", directory, REDIS_PROCESS_SOCKET);
    while (!process_has_ended(pid)) {
        if (connection < 0)
            connection = process_connect(path);
        if (connection >= 0 && has_loaded(connection))
            return connection;
        process_pause();
    }
    if (connection >= 0)
        close(connection);
    return -1;
}

bool redis_process_start(const char *directory, const char *const *options, pid_t *pid,
                         int *connection)
{
    const char *arguments[MOST_OPTIONS + 8] = {"redis-server",       "--port", "0", "--unixsocket",
                                               REDIS_PROCESS_SOCKET, "--save", ""};
    size_t count = 7;
    for (; *options != NULL; options++) {
        CHECK(count < sizeof arguments / sizeof *arguments - 1);
        arguments[count++] = *options;
    }
    *pid = process_start((char *const *)arguments, directory, LOG);
    *connection = wait_for(*pid, directory);
    if (*connection >= 0)
        return true;
    process_end(*pid, SIGKILL);
    process_show_log(directory, LOG);
    fprintf(stderr, "redis-server has ended; its output is above\n");
    return false;
}

int redis_process_check(const char *directory, const char *program, const char *file, bool show)
{
    static const char log[] = "check.log";
    char *arguments[] = {(char *)program, (char *)file, NULL};
    int code = process_run(arguments, directory, log);
    if (code != 0 && show)
        process_show_log(directory, log);
    return code;
}
