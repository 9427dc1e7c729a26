/* Sockets and a thread around ng_server.c. */
#include "support/fake_server.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void drop(struct fake_connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    ng_server_deinit(&connection->session);
    buf_deinit(&connection->out);
}

/* False if the client has closed the connection. */
static bool send_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = slice_skip(bytes, (size_t)sent);
    }
    return true;
}

static bool flush(struct fake_connection *connection)
{
    ng_server_pull(&connection->session, &connection->out);
    bool sent = send_all(connection->fd, buf_slice(&connection->out));
    buf_clear(&connection->out, SIZE_MAX);
    return sent;
}

/* Sends what a new connection gets; false if it is to be closed. */
static bool greet(struct fake_server *server, struct fake_connection *connection)
{
    if (server->raw.len > 0)
        return send_all(connection->fd, server->raw);
    return !server->close_at_once && (server->mute || flush(connection));
}

static void take_connection(struct fake_server *server)
{
    int fd = accept(server->listener, NULL, NULL);
    CHECK(fd >= 0);
    struct fake_connection *connection = server->connections;
    while (connection->fd >= 0)
        connection++;
    CHECK(connection < server->connections + FAKE_SERVER_CONNECTIONS);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    server->accepted++;
    connection->fd = fd;
    connection->sent_goaway = false;
    ng_server_init(&connection->session, server->script.count > 0 ? &server->script : NULL,
                   &server->seen, NULL, 0);
    connection->session.answer = server->answer;
    buf_init(&connection->out, SIZE_MAX);
    if (!greet(server, connection))
        drop(connection);
}

static void stall(struct fake_server *server)
{
    struct timespec time = {.tv_sec = server->stall_ms / 1000,
                            .tv_nsec = server->stall_ms % 1000 * 1000000L};
    if (server->stall_ms > 0 && server->seen.requests >= server->stall_at) {
        server->stall_ms = 0;
        nanosleep(&time, NULL);
    }
}

/* Receives from the client and answers; false if the connection is to be closed. */
static bool serve(struct fake_server *server, struct fake_connection *connection)
{
    struct ng_server *session = &connection->session;
    ssize_t got = recv(connection->fd, server->in, sizeof server->in, 0);
    if (got <= 0)
        return false;
    if (server->mute || server->raw.len > 0)
        return true;
    if (!ng_server_feed(session, slice_make(server->in, (size_t)got)))
        return false;
    stall(server);
    if (server->goaway_after > 0 && session->requests >= server->goaway_after &&
        !connection->sent_goaway) {
        connection->sent_goaway = true;
        nghttp2_submit_goaway(session->session, 0, session->last_id, 0, NULL, 0);
    }
    return flush(connection) && !session->closing &&
           (server->close_after == 0 || session->requests < server->close_after);
}

static void *run(void *argument)
{
    enum { LISTENER = FAKE_SERVER_CONNECTIONS, STOP, ENTRIES };
    struct fake_server *server = argument;
    for (;;) {
        struct pollfd entries[ENTRIES] = {
            [LISTENER] = {.fd = server->listener, .events = POLLIN},
            [STOP] = {.fd = server->stop, .events = POLLIN},
        };
        for (size_t i = 0; i < FAKE_SERVER_CONNECTIONS; i++)
            entries[i] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
        if (poll(entries, ENTRIES, -1) < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        if (entries[STOP].revents != 0)
            return NULL;
        for (size_t i = 0; i < FAKE_SERVER_CONNECTIONS; i++)
            if (entries[i].revents != 0 && !serve(server, &server->connections[i]))
                drop(&server->connections[i]);
        if (entries[LISTENER].revents != 0)
            take_connection(server);
    }
}

void fake_server_start(struct fake_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    ng_seen_deinit(&server->seen);
    ng_seen_init(&server->seen);
    server->script.started = 0;
    server->accepted = 0;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(server->listener, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(server->listener, FAKE_SERVER_CONNECTIONS) == 0);
    CHECK(getsockname(server->listener, (struct sockaddr *)&address, &len) == 0);
    snprintf(server->port, sizeof server->port, "%d", ntohs(address.sin_port));
    snprintf(server->address, sizeof server->address, "127.0.0.1:%s", server->port);
    server->stop = eventfd(0, EFD_CLOEXEC);
    for (size_t i = 0; i < FAKE_SERVER_CONNECTIONS; i++)
        server->connections[i].fd = -1;
    CHECK(pthread_create(&server->thread, NULL, run, server) == 0);
}

void fake_server_stop(struct fake_server *server)
{
    const uint64_t one = 1;
    CHECK(write(server->stop, &one, sizeof one) == sizeof one);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < FAKE_SERVER_CONNECTIONS; i++)
        if (server->connections[i].fd >= 0)
            drop(&server->connections[i]);
    close(server->listener);
    close(server->stop);
}

void fake_server_deinit(struct fake_server *server)
{
    ng_seen_deinit(&server->seen);
}
