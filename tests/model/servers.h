/* The servers of a test: started in a directory of their own, stopped and judged at the end. */
#ifndef KEYSTORE_TESTS_MODEL_SERVERS_H
#define KEYSTORE_TESTS_MODEL_SERVERS_H

#include "support/folder.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct servers {
    struct folder folder;
    const char *durability;      /* what keystore-server is told */
    char target[PATH_MAX];       /* of keystore-server, for keystore_connect() */
    char redis_socket[PATH_MAX]; /* empty without Redis */
    pid_t keystore;
    pid_t redis; /* 0 without Redis */
};

/*
 * Starts keystore-server from the directory that the environment variable KEYSTORE_BIN names, and
 * redis-server if asked to, and waits until they listen. They end with this process. False, with a
 * sentence on standard error, if that fails.
 */
bool servers_start(struct servers *servers, const char *durability, bool with_redis);

/* Stops keystore-server, or kills it, and starts it again on its data. False if that fails. */
bool servers_restart(struct servers *servers, bool kills);

/* False if keystore-server has not ended well: then its exit code is on standard error. */
bool servers_stop(struct servers *servers);

#endif
