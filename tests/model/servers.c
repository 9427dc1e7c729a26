/* Starting and stopping servers. Knows nothing of what is asked of them. */
#include "servers.h"

#include "universe.h"

#include "support/process.h"
#include "support/redis_process.h"

#include <keystore/client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Under a sanitizer on a busy machine. */
#define START_TIMEOUT_S 60

/* A server listens before it has its data, and says so in its answers. */
static bool wait_loaded(const struct servers *servers)
{
    struct keystore_error error = {0};
    struct keystore_client *client = NULL;
    struct keystore_key key = {.key = keystore_text("key")};
    struct keystore_key_info info;
    enum keystore_code code = KEYSTORE_UNAVAILABLE;
    for (time_t until = time(NULL) + START_TIMEOUT_S; time(NULL) < until; process_pause()) {
        if (client == NULL)
            client = keystore_connect(servers->target, NULL, &error);
        if (client != NULL && (code = keystore_describe(client, &key, &info)) == KEYSTORE_OK)
            break;
        if (client != NULL)
            error = *keystore_last_error(client);
        if (process_has_ended(servers->keystore))
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
    char program[4096], databases[16], data[PATH_MAX];
    snprintf(program, sizeof program, "%s/keystore-server", folder != NULL ? folder : "build/bin");
    snprintf(servers->target, sizeof servers->target, "unix:%s/keystore", servers->folder.path);
    snprintf(databases, sizeof databases, "%d", ALL_DBS);
    snprintf(data, sizeof data, "%s/data", servers->folder.path);
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
    servers->keystore = process_start(arguments, NULL, NULL);
    return wait_loaded(servers);
}

/* Each database has a second one, for what a test puts aside. */
static bool start_redis(struct servers *servers)
{
    char databases[16];
    snprintf(databases, sizeof databases, "%d", 2 * ALL_DBS);
    const char *const options[] = {"--appendonly",         "no",   "--databases", databases,
                                   "--proto-max-bulk-len", "64mb", NULL};
    int connection;
    if (!redis_process_start(servers->folder.path, options, &servers->redis, &connection)) {
        servers->redis = 0;
        return false;
    }
    close(connection);
    snprintf(servers->redis_socket, sizeof servers->redis_socket, "%s/%s", servers->folder.path,
             REDIS_PROCESS_SOCKET);
    return true;
}

bool servers_start(struct servers *servers, const char *durability, bool with_redis)
{
    *servers = (struct servers){.durability = durability};
    folder_make(&servers->folder);
    return start_keystore(servers) && (!with_redis || start_redis(servers));
}

static bool stop_keystore(struct servers *servers)
{
    int status = servers->keystore > 0 ? process_end(servers->keystore, SIGTERM) : 0;
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
        process_end(servers->keystore, SIGKILL);
    return (kills || stop_keystore(servers)) && start_keystore(servers);
}

bool servers_stop(struct servers *servers)
{
    bool ended_well = stop_keystore(servers);
    if (servers->redis > 0)
        process_end(servers->redis, SIGKILL);
    folder_remove(&servers->folder);
    return ended_well;
}
