/*
 * A server in a thread: a peer for each connection, on a port that the system chose. What it saw is
 * read after fake_stop(). Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_BENCH_FAKE_SERVER_H
#define KEYSTORE_TESTS_BENCH_FAKE_SERVER_H

#include "bench/peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FAKE_CONNECTIONS 32

struct fake_connection {
    int fd; /* -1: free */
    struct peer peer;
    struct buf out;
    bool said_goaway;
};

struct fake_server {
    struct peer_answer answer;
    struct slice raw;    /* if not empty: sent to each connection, instead of speaking HTTP/2 */
    bool mute;           /* nothing at all is said */
    bool close_at_once;  /* nothing is said, and connections are closed */
    size_t close_after;  /* close a connection when it has made so many calls; 0: never */
    size_t goaway_after; /* the same with GOAWAY, which lets the client close */
    size_t stall_at;     /* when so many calls were made, do nothing for... */
    unsigned stall_ms;   /* ...so long, once */
    int listener;
    int stop;
    pthread_t thread;
    char port[8];
    struct fake_connection connections[FAKE_CONNECTIONS];
    /* What it saw. */
    size_t accepted;
    size_t requests;
};

static inline void fake_drop(struct fake_server *server, struct fake_connection *connection)
{
    (void)server;
    close(connection->fd);
    connection->fd = -1;
    peer_deinit(&connection->peer);
    buf_deinit(&connection->out);
}

static inline bool fake_flush(struct fake_connection *connection)
{
    peer_pull(&connection->peer, &connection->out);
    struct buf *out = &connection->out;
    while (out->len > 0) {
        ssize_t sent = send(connection->fd, out->data, out->len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        buf_consume(out, (size_t)sent);
    }
    return true;
}

static inline void fake_accept(struct fake_server *server)
{
    int fd = accept(server->listener, NULL, NULL);
    server->accepted++;
    struct fake_connection *connection = server->connections;
    while (connection->fd >= 0)
        connection++;
    connection->fd = fd;
    connection->said_goaway = false;
    peer_init(&connection->peer, NULL, 0);
    connection->peer.answer = server->answer;
    buf_init(&connection->out, SIZE_MAX);
    if (server->raw.len > 0)
        (void)!send(fd, server->raw.data, server->raw.len, MSG_NOSIGNAL);
    else if (server->close_at_once || (!server->mute && !fake_flush(connection)))
        fake_drop(server, connection);
}

static inline void fake_stall(struct fake_server *server)
{
    struct timespec time = {.tv_sec = server->stall_ms / 1000,
                            .tv_nsec = server->stall_ms % 1000 * 1000000L};
    if (server->stall_ms > 0 && server->requests >= server->stall_at) {
        server->stall_ms = 0;
        nanosleep(&time, NULL);
    }
}

static inline bool fake_serve(struct fake_server *server, struct fake_connection *connection)
{
    static uint8_t room[65536];
    ssize_t got = recv(connection->fd, room, sizeof room, 0);
    if (got <= 0)
        return false;
    if (server->mute || server->raw.len > 0)
        return true;
    struct peer *peer = &connection->peer;
    size_t before = peer->requests;
    if (!peer_feed(peer, slice_make(room, (size_t)got)))
        return false;
    server->requests += peer->requests - before;
    fake_stall(server);
    if (server->goaway_after > 0 && peer->requests >= server->goaway_after &&
        !connection->said_goaway) {
        connection->said_goaway = true;
        nghttp2_submit_goaway(peer->session, 0, peer->last_id, 0, NULL, 0);
    }
    bool good = fake_flush(connection);
    return good && (server->close_after == 0 || peer->requests < server->close_after);
}

static inline void *fake_main(void *argument)
{
    struct fake_server *server = argument;
    for (;;) {
        struct pollfd entries[FAKE_CONNECTIONS + 2] = {{.fd = server->listener, .events = POLLIN},
                                                       {.fd = server->stop, .events = POLLIN}};
        for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
            entries[2 + i] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
        poll(entries, FAKE_CONNECTIONS + 2, -1);
        if (entries[1].revents != 0)
            return NULL;
        for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
            if (entries[2 + i].revents != 0 && !fake_serve(server, &server->connections[i]))
                fake_drop(server, &server->connections[i]);
        if (entries[0].revents != 0)
            fake_accept(server);
    }
}

/* What it shall do is set before; all zero but `answer` is a server that answers. */
static inline void fake_start(struct fake_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, FAKE_CONNECTIONS), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(server->port, sizeof server->port, "%d", ntohs(address.sin_port));
    server->stop = eventfd(0, EFD_CLOEXEC);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        server->connections[i].fd = -1;
    assert_int_equal(pthread_create(&server->thread, NULL, fake_main, server), 0);
}

static inline void fake_stop(struct fake_server *server)
{
    const uint64_t one = 1;
    assert_int_equal(write(server->stop, &one, sizeof one), sizeof one);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < FAKE_CONNECTIONS; i++)
        if (server->connections[i].fd >= 0)
            fake_drop(server, &server->connections[i]);
    close(server->listener);
    close(server->stop);
}

#define FAKE_ANSWER                                                                                \
    {                                                                                              \
        .grpc_status = "0", .body = SLICE_LITERAL("\0\0\0\0\2\x10\1")                              \
    }

#endif
