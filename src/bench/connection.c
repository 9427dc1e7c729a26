/* Moves bytes between a socket and a session. Does not know which calls are made. */
#include "bench/connection.h"

#include "bench/now.h"
#include "bench/receive.h"
#include "bench/tls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static bool connection_watch(struct connection *connection, int operation)
{
    struct epoll_event event = {
        .events = EPOLLIN | (connection->writing ? (uint32_t)EPOLLOUT : 0),
        .data.ptr = connection,
    };
    return epoll_ctl(connection->epoll, operation, connection->fd, &event) == 0;
}

bool connection_open(struct connection *connection, const struct session_setup *setup,
                     const struct target *target, uint64_t timeout_ns, int epoll,
                     char problem[static TARGET_PROBLEM_SIZE])
{
    connection->fd = target_connect(target, timeout_ns, problem);
    if (connection->fd < 0)
        return false;
    connection->tls = NULL;
    if (target->tls != NULL) {
        connection->tls = tls_connect(target->tls, target, connection->fd, timeout_ns, problem);
        if (connection->tls == NULL) {
            close(connection->fd);
            connection->fd = -1;
            return false;
        }
    }
    connection->epoll = epoll;
    connection->writing = false;
    connection->dirty = false;
    session_init(&connection->session, setup);
    if (connection_watch(connection, EPOLL_CTL_ADD) && connection_flush(connection))
        return true;
    snprintf(problem, TARGET_PROBLEM_SIZE, "cannot use the connection to %s: %s", target->name,
             strerror(errno));
    connection_close(connection);
    return false;
}

void connection_close(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    tls_close(connection->tls);
    connection->tls = NULL;
    close(connection->fd);
    connection->fd = -1;
    session_deinit(&connection->session);
}

bool connection_read(struct connection *connection, uint8_t *buffer, size_t size)
{
    ssize_t got = connection->tls == NULL ? recv(connection->fd, buffer, size, MSG_DONTWAIT)
                                          : tls_receive(connection->tls, buffer, size);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (got == 0)
        return false;
    return receive_bytes(&connection->session, slice_make(buffer, (size_t)got), now_ns());
}

static bool connection_set_writing(struct connection *connection, bool writing)
{
    if (connection->writing == writing)
        return true;
    connection->writing = writing;
    return connection_watch(connection, EPOLL_CTL_MOD);
}

bool connection_flush(struct connection *connection)
{
    struct buf *out = &connection->session.out;
    while (out->len > 0) {
        ssize_t sent = connection->tls == NULL
                           ? send(connection->fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT)
                           : tls_send(connection->tls, out->data, out->len);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return (errno == EAGAIN || errno == EWOULDBLOCK) &&
                   connection_set_writing(connection, true);
        buf_consume(out, (size_t)sent);
        session_continue(&connection->session);
    }
    return connection_set_writing(connection, false);
}
