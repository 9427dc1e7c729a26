/* Starting and stopping servers. Knows nothing of what is asked of them. */
#include "servers.h"

#include "universe.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <keystore/client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Under a sanitizer on a busy machine. */
#define START_TIMEOUT_S 60
#define STOP_TIMEOUT_S  60

/* The child ends when its parent does, however that ends. */
static pid_t start(char *const *arguments)
{
    fflush(stdout);
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    execvp(arguments[0], arguments);
    fprintf(stderr, "cannot run %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* Without taking its status. */
static bool has_ended(pid_t server)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)server, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

static bool is_listening(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    bool listening = connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0;
    close(descriptor);
    return listening;
}

static bool wait_for(pid_t server, const char *path)
{
    time_t until = time(NULL) + START_TIMEOUT_S;
    while (time(NULL) < until) {
        if (is_listening(path))
            return true;
        if (has_ended(server))
            break;
        pause_briefly();
    }
    fprintf(stderr, "no server comes to listen on %s\n", path);
    return false;
}

/* A server listens before it has its data, and says so in its answers. */
static bool wait_loaded(const struct servers *servers)
{
    struct keystore_error error = {0};
    struct keystore_client *client = NULL;
    struct keystore_key key = {.key = keystore_text("key")};
    struct keystore_key_info info;
    enum keystore_code code = KEYSTORE_UNAVAILABLE;
    for (time_t until = time(NULL) + START_TIMEOUT_S; time(NULL) < until; pause_briefly()) {
        if (client == NULL)
            client = keystore_connect(servers->target, NULL, &error);
        if (client != NULL && (code = keystore_describe(client, &key, &info)) == KEYSTORE_OK)
            break;
        if (client != NULL)
            error = *keystore_last_error(client);
        if (has_ended(servers->keystore))
            break;
    }
    keystore_close(client);
    if (code != KEYSTORE_OK)
        fprintf(stderr, "keystore-server does not come to answer: %s\n", error.message);
    return code == KEYSTORE_OK;
}

static bool start_keystore(struct servers *servers)
{
    const char *folder = getenv("KEYSTORE_BIN");
    char program[4096], databases[16], data[96];
    snprintf(program, sizeof program, "%s/keystore-server", folder != NULL ? folder : "build/bin");
    snprintf(servers->target, sizeof servers->target, "unix:%s/keystore", servers->directory);
    snprintf(databases, sizeof databases, "%d", ALL_DBS);
    snprintf(data, sizeof data, "%s/data", servers->directory);
    char *arguments[] = {program,
                         "--listen",
                         servers->target,
                         "--threads",
                         "2",
                         "--databases",
                         databases,
                         "--dir",
                         data,
                         "--log-level",
                         "warning",
                         "--durability",
                         (char *)servers->durability,
                         NULL};
    servers->keystore = start(arguments);
    return wait_loaded(servers);
}

/* Each database has a second one, for what a test puts aside. */
static bool start_redis(struct servers *servers)
{
    char databases[16];
    snprintf(servers->redis_socket, sizeof servers->redis_socket, "%s/redis", servers->directory);
    snprintf(databases, sizeof databases, "%d", 2 * ALL_DBS);
    char *arguments[] = {"redis-server",
                         "--port",
                         "0",
                         "--unixsocket",
                         servers->redis_socket,
                         "--save",
                         "",
                         "--appendonly",
                         "no",
                         "--databases",
                         databases,
                         "--proto-max-bulk-len",
                         "64mb",
                         "--dir",
                         servers->directory,
                         NULL};
    servers->redis = start(arguments);
    return wait_for(servers->redis, servers->redis_socket);
}

bool servers_start(struct servers *servers, const char *durability, bool with_redis)
{
    *servers =
        (struct servers){.directory = "/tmp/keystore-model-XXXXXX", .durability = durability};
    if (mkdtemp(servers->directory) == NULL) {
        fprintf(stderr, "cannot make %s: %s\n", servers->directory, strerror(errno));
        return false;
    }
    return start_keystore(servers) && (!with_redis || start_redis(servers));
}

/* A server that does not end is killed, and has that as its status. */
static int end(pid_t server, int signal)
{
    int status = 0;
    time_t until = time(NULL) + STOP_TIMEOUT_S;
    kill(server, signal);
    while (waitpid(server, &status, WNOHANG) == 0) {
        pause_briefly();
        if (time(NULL) >= until)
            kill(server, SIGKILL);
    }
    return status;
}

static bool stop_keystore(struct servers *servers)
{
    int status = servers->keystore > 0 ? end(servers->keystore, SIGTERM) : 0;
    servers->keystore = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    fprintf(stderr, "keystore-server ended with %s %d\n", WIFEXITED(status) ? "code" : "signal",
            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return false;
}

bool servers_restart(struct servers *servers, bool kills)
{
    if (kills)
        end(servers->keystore, SIGKILL);
    return (kills || stop_keystore(servers)) && start_keystore(servers);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *place)
{
    (void)stat, (void)type, (void)place;
    return remove(path);
}

bool servers_stop(struct servers *servers)
{
    bool ended_well = stop_keystore(servers);
    if (servers->redis > 0)
        end(servers->redis, SIGKILL);
    nftw(servers->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return ended_well;
}
