/* A cache server under a trace: single commands, many in flight on one connection. An error ends
 * the program. */
#ifndef KEYSTORE_TRACES_SERVER_H
#define KEYSTORE_TRACES_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVER_MAX_COMMANDS ((size_t)64) /* in flight */

enum server_verb {
    SERVER_GET,
    SERVER_SET,
    SERVER_INCR,
    SERVER_POP,    /* from the head */
    SERVER_PUSH,   /* to the tail */
    SERVER_EXISTS, /* which is no use of the key */
};

struct server_command {
    enum server_verb verb;
    uint32_t key;
    uint32_t db;
    uint32_t size;  /* bytes of the value or of each element: set, push; MAX_VALUE at most */
    uint32_t count; /* of elements: push */
};

#define SERVER_MAX_VALUE ((size_t)1 << 20)

struct server {
    /* Runs SERVER_MAX_COMMANDS at most, on different keys, and says whether each key was there. */
    void (*run)(struct server *server, const struct server_command *commands, size_t count,
                bool *found);
    void (*close)(struct server *server);
};

/* Connects to a server on 127.0.0.1. */
struct server *server_open_keystore(const char *port);
struct server *server_open_redis(const char *port);

/* The name of the key: TRACE_KEY_SIZE bytes and a zero. */
void server_put_key(char *out, uint32_t key);

/* SERVER_MAX_VALUE bytes, of which each value is the first ones. */
const char *server_value(void);

/* Says what went wrong and ends the program. */
_Noreturn void server_fail(const char *name, const char *what);

#endif
