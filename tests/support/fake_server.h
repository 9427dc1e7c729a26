/*
 * A server in a thread that does what the test says, well or badly: an ng_server.h for each
 * connection, on a port of 127.0.0.1 that the system chose. What must not happen ends the program.
 */
#ifndef KEYSTORE_TESTS_SUPPORT_FAKE_SERVER_H
#define KEYSTORE_TESTS_SUPPORT_FAKE_SERVER_H

#include "support/ng_server.h"

#include <pthread.h>

#define FAKE_SERVER_CONNECTIONS 32 /* open at the same time, at most */

struct fake_connection {
    int fd; /* -1: free */
    struct ng_server session;
    struct buf out;
    bool sent_goaway;
};

struct fake_server {
    /* Set before the start. */
    struct ng_script
        script; /* shared by all connections; without answers: `answer` to everything */
    struct ng_answer answer;
    struct slice raw;    /* if not empty: sent to each connection, instead of speaking HTTP/2 */
    bool mute;           /* sends nothing at all */
    bool close_at_once;  /* sends nothing, and closes connections */
    size_t close_after;  /* closes a connection that has made so many calls; 0: never */
    size_t goaway_after; /* the same with GOAWAY, which lets the client close */
    size_t stall_at;     /* when so many calls were made, does nothing for... */
    unsigned stall_ms;   /* ...so long, once */
    /* Set by the start. */
    char port[8];
    char address[32]; /* "127.0.0.1:PORT" */
    int listener;
    int stop;
    pthread_t thread;
    uint8_t in[65536];
    struct fake_connection connections[FAKE_SERVER_CONNECTIONS];
    /* What it has seen, to be read after fake_server_stop(). */
    size_t accepted; /* connections */
    struct ng_seen seen;
};

/* Listens and starts the thread. What is not set is zero; a server that was stopped may be started
 * again, which drops what it had seen. */
void fake_server_start(struct fake_server *server);

/* Closes all connections and ends the thread. fake_server_deinit() releases what was seen. */
void fake_server_stop(struct fake_server *server);
void fake_server_deinit(struct fake_server *server);

#endif
