/*
 * A server in a thread of its own that behaves as the test says, correctly or not: an ng_server.h
 * for each connection, on a port of 127.0.0.1 that the system chose. An error aborts the program.
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
    size_t close_after;  /* closes a connection after that many calls; 0: never */
    size_t goaway_after; /* the same with GOAWAY, which lets the client close */
    size_t stall_at;     /* after that many calls, does nothing for... */
    unsigned stall_ms;   /* ...that time, once */
    /* Set by the start. */
    char port[8];
    char address[32]; /* "127.0.0.1:PORT" */
    int listener;
    int stop;
    pthread_t thread;
    uint8_t in[65536];
    struct fake_connection connections[FAKE_SERVER_CONNECTIONS];
    /* What it has received; read it after fake_server_stop(). */
    size_t accepted; /* connections */
    struct ng_seen seen;
};

/* Listens and starts the thread. All that is not set must be zero. A stopped server may be started
 * again, which clears what it had received. */
void fake_server_start(struct fake_server *server);

/* Closes all connections and ends the thread. fake_server_deinit() releases what was received. */
void fake_server_stop(struct fake_server *server);
void fake_server_deinit(struct fake_server *server);

#endif
