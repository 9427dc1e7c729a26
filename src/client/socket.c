/* Connects, waits, sends and receives. Does not know what the bytes mean. */
#include "client/socket.h"

#include "base/clock.h"
#include "client/resolve.h"
#include "client/status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* If sent bytes are not acknowledged for this long, the server's machine is considered dead. */
#define UNACKNOWLEDGED_LIMIT_MS 30000

short socket_wait(int fd, short events, int64_t deadline_ms)
{
    return socket_wait_or_cancel(fd, events, -1, deadline_ms);
}

short socket_wait_or_cancel(int fd, short events, int cancel_fd, int64_t deadline_ms)
{
    struct pollfd entries[] = {{.fd = fd, .events = events}, {.fd = cancel_fd, .events = POLLIN}};
    nfds_t count = cancel_fd >= 0 ? 2 : 1;
    for (;;) {
        int timeout = -1;
        if (deadline_ms != INT64_MAX) {
            int64_t left_ms = deadline_ms - clock_monotonic_ms();
            if (left_ms <= 0)
                return 0;
            timeout = left_ms > INT_MAX ? INT_MAX : (int)left_ms;
        }
        int ready = poll(entries, count, timeout);
        if (ready > 0 && entries[1].revents != 0)
            return SOCKET_CANCELLED;
        if (ready > 0)
            return entries[0].revents;
        if (ready < 0 && errno != EINTR)
            return POLLERR; /* the send or receive that follows reports the cause */
    }
}

bool socket_would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

ssize_t socket_send(int fd, struct slice bytes)
{
    ssize_t sent;
    do
        sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent;
}

ssize_t socket_receive(int fd, void *out, size_t size)
{
    ssize_t got;
    do
        got = recv(fd, out, size, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got;
}

/* INT64_MAX: no timeout, which is 0 for setsockopt(). */
static bool socket_set_timeout(int fd, int option, int64_t timeout_ms)
{
    struct timeval timeout = {0};
    if (timeout_ms != INT64_MAX) {
        timeout.tv_sec = (time_t)(timeout_ms / 1000);
        timeout.tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000;
    }
    return setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof timeout) == 0;
}

bool socket_set_receive_timeout(int fd, int64_t timeout_ms)
{
    return socket_set_timeout(fd, SO_RCVTIMEO, timeout_ms);
}

ssize_t socket_receive_waiting(int fd, void *out, size_t size)
{
    return recv(fd, out, size, 0);
}

static int socket_pending_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return errno;
    return error;
}

/* Connects one address; 0 or an errno value (ETIMEDOUT when the deadline has passed). */
static int socket_connect_address(int fd, const struct sockaddr *address, socklen_t len,
                                  int64_t deadline_ms)
{
    if (connect(fd, address, len) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return errno;
    if (socket_wait(fd, POLLOUT, deadline_ms) == 0)
        return ETIMEDOUT;
    return socket_pending_error(fd);
}

/* A connected descriptor, or -1 with *cause an errno value. */
static int socket_open_address(int family, const struct sockaddr *address, socklen_t len,
                               int64_t deadline_ms, int *cause)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        *cause = errno;
        return -1;
    }
    *cause = socket_connect_address(fd, address, len, deadline_ms);
    if (*cause != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A unix socket with a full backlog refuses a nonblocking connect(), and poll() does not report
 * when there is space again, so this one blocks. 0 or an errno value. */
static int socket_connect_unix_address(int fd, const struct sockaddr_un *address,
                                       int64_t deadline_ms)
{
    for (;;) {
        int64_t left_ms = INT64_MAX;
        if (deadline_ms != INT64_MAX) {
            left_ms = deadline_ms - clock_monotonic_ms();
            if (left_ms <= 0)
                return ETIMEDOUT;
        }
        if (!socket_set_timeout(fd, SO_SNDTIMEO, left_ms))
            return errno;
        if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
            return 0;
        if (errno != EINTR)
            return errno == EAGAIN ? ETIMEDOUT : errno;
    }
}

static int socket_connect_unix(const struct target *target, int64_t deadline_ms, int *cause)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, target->path, strlen(target->path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *cause = errno;
        return -1;
    }
    *cause = socket_connect_unix_address(fd, &address, deadline_ms);
    if (*cause == 0)
        return fd;
    close(fd);
    return -1;
}

/* The deadline for the first of `count` addresses, which share the remaining time. */
static int64_t socket_share_of(int64_t deadline_ms, int64_t count)
{
    if (deadline_ms == INT64_MAX)
        return deadline_ms;
    int64_t now_ms = clock_monotonic_ms();
    return now_ms + (deadline_ms - now_ms) / count;
}

static void socket_tune_tcp(int fd)
{
    (void)fcntl(fd, F_SETFL, 0); /* blocking once connected; see socket_receive_waiting() */
    /* Best effort: without these, a call is slower or detects a dead machine later. */
    int on = 1;
    int limit_ms = UNACKNOWLEDGED_LIMIT_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof limit_ms);
}

static int socket_connect_list(const struct addrinfo *list, int64_t deadline_ms, int *cause)
{
    int64_t count = 0;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
        count++;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        int fd = socket_open_address(at->ai_family, at->ai_addr, at->ai_addrlen,
                                     socket_share_of(deadline_ms, count--), cause);
        if (fd >= 0) {
            socket_tune_tcp(fd);
            return fd;
        }
    }
    return -1;
}

static int socket_fail(const struct target *target, int cause, struct keystore_error *error)
{
    if (cause == ETIMEDOUT)
        status_set(error, KEYSTORE_DEADLINE_EXCEEDED,
                   "cannot connect to %s: it did not answer in time", target->name);
    else
        status_set(error, KEYSTORE_UNAVAILABLE, "cannot connect to %s: %s", target->name,
                   strerror(cause));
    return -1;
}

static int socket_connect_tcp(const struct target *target, int64_t deadline_ms,
                              struct keystore_error *error)
{
    struct addrinfo *list = resolve(target->host, target->port, deadline_ms, error);
    if (list == NULL)
        return -1;
    int cause = 0;
    int fd = socket_connect_list(list, deadline_ms, &cause);
    freeaddrinfo(list);
    return fd >= 0 ? fd : socket_fail(target, cause, error);
}

int socket_connect(const struct target *target, int64_t deadline_ms, struct keystore_error *error)
{
    if (!target->is_unix)
        return socket_connect_tcp(target, deadline_ms, error);
    int cause = 0;
    int fd = socket_connect_unix(target, deadline_ms, &cause);
    return fd >= 0 ? fd : socket_fail(target, cause, error);
}
