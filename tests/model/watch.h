/* WATCH on the Redis server, on a connection of its own, so that whatever else is sent does not end
 * it. */
#ifndef KEYSTORE_TESTS_MODEL_WATCH_H
#define KEYSTORE_TESTS_MODEL_WATCH_H

#include <hiredis/hiredis.h>
#include <keystore/client.h>

struct watch {
    redisContext *redis;
};

/* False if there is no server at the socket. */
bool watch_init(struct watch *watch, const char *socket_path);

void watch_deinit(struct watch *watch);

/* Watches the key. False if the connection has failed. */
bool watch_begin(struct watch *watch, uint32_t db, struct keystore_slice key);

/* Ends it with a transaction that does nothing: `held` is false if the key was written meanwhile.
 * False if the connection has failed. */
bool watch_end(struct watch *watch, bool *held);

#endif
