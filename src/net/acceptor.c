/*
 * Calls accept4() while connections are pending, a bounded number of times per event. libuv's own
 * listening is not used: when descriptors run out, it accepts and closes in a loop in which several
 * threads can keep each other forever. Knows nothing of what connections do.
 */
#include "net/acceptor.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/reserve.h"
#include "net/connection_state.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Length of the kernel's queue of connections not yet accepted; it caps this at somaxconn. */
#define BACKLOG 4096
/* Connections accepted per event, so that the other handles of the loop get their turn. */
#define MAX_ACCEPTS 64
/* The most open connections while the system has no memory (base/reserve.h): enough for clients to
 * connect and remove data. */
#define MAX_WHEN_STARVED 16
/* The longest pause of an acceptor; other loops may have closed connections. */
#define PAUSE_MS 100

struct acceptor {
    uv_poll_t poll;
    uv_timer_t timer;
    struct net_shared *shared;
    struct acceptor *next;
    struct net_socket socket;
};

/* True if there is no memory for another connection. */
static bool acceptor_is_starved(const struct acceptor *acceptor)
{
    return reserve_is_missing() &&
           net_admission_counts(acceptor->shared->admission).open >= MAX_WHEN_STARVED;
}

static void acceptor_on_connection(uv_poll_t *poll, int status, int events);

static void acceptor_resume(struct acceptor *acceptor)
{
    uv_timer_stop(&acceptor->timer);
    uv_poll_start(&acceptor->poll, UV_READABLE, acceptor_on_connection);
}

static void acceptor_on_pause_end(uv_timer_t *timer)
{
    acceptor_resume(timer->data);
}

static void acceptor_resume_all(struct net_shared *shared)
{
    shared->accepting_paused = false;
    for (struct acceptor *at = shared->acceptors; at != NULL; at = at->next)
        acceptor_resume(at);
}

/* The timer keeps the loop alive during the pause. */
static void acceptor_pause_accepting(struct acceptor *acceptor, int error)
{
    struct net_shared *shared = acceptor->shared;
    uv_poll_stop(&acceptor->poll);
    uv_timer_start(&acceptor->timer, acceptor_on_pause_end, PAUSE_MS, 0);
    shared->accepting_paused = true;
    shared->resume_accepting = acceptor_resume_all;
    if (net_admission_note_pause(shared->admission, (int64_t)uv_now(&shared->uv)))
        log_warning("no connection can be accepted: %s; clients wait until others disconnect or "
                    "the limit is raised (%s)",
                    strerror(error),
                    error == ENOMEM ? "ulimit -v, the container's" : "ulimit -n, fs.file-max");
}

/* Accepts a connection; -1 with errno if there is none. */
static int acceptor_accept(const struct acceptor *acceptor, struct net_peer *peer)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int descriptor = accept4(acceptor->socket.descriptor, (struct sockaddr *)&address, &size,
                             SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (acceptor->socket.is_unix)
        address.ss_family = AF_UNIX;
    *peer = net_peer_of(&address);
    return descriptor;
}

/* True for errors that mean a lack of resources. Other errors concern the pending connection, which
 * is gone (accept(2)). */
static bool acceptor_lacks_resources(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void acceptor_admit(struct acceptor *acceptor, int descriptor, const struct net_peer *peer)
{
    struct net_shared *shared = acceptor->shared;
    bool admitted = acceptor->socket.purpose == NET_PROBES
                        ? net_admission_enter_probe(shared->admission, peer)
                        : net_admission_enter(shared->admission, peer);
    if (admitted)
        connection_open(shared, descriptor, &acceptor->socket, peer);
    else
        close(descriptor);
}

/* Accepts what is pending, at most that many connections. Returns 0, or the error because of which
 * the rest has to wait. */
static int acceptor_accept_pending(struct acceptor *acceptor, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        if (acceptor_is_starved(acceptor))
            return ENOMEM;
        struct net_peer peer;
        int descriptor = acceptor_accept(acceptor, &peer);
        if (descriptor >= 0) {
            acceptor_admit(acceptor, descriptor, &peer);
            continue;
        }
        int error = errno;
        if (error == EAGAIN || error == EWOULDBLOCK)
            return 0;
        if (acceptor_lacks_resources(error))
            return error;
    }
    return 0;
}

static void acceptor_on_connection(uv_poll_t *poll, int status, int events)
{
    struct acceptor *acceptor = poll->data;
    (void)status;
    (void)events;
    int error = acceptor_accept_pending(acceptor, MAX_ACCEPTS);
    if (error != 0)
        acceptor_pause_accepting(acceptor, error);
}

static void acceptor_on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void acceptor_on_poll_closed(uv_handle_t *handle)
{
    struct acceptor *acceptor = handle->data;
    uv_close((uv_handle_t *)&acceptor->timer, acceptor_on_timer_closed);
}

int acceptor_new(struct net_shared *shared, const struct net_socket *socket)
{
    struct acceptor *acceptor;
    int error = listen(socket->descriptor, BACKLOG) < 0 ? -errno : 0;
    if (error != 0) {
        close(socket->descriptor);
        return error;
    }
    acceptor = mem_alloc_zero(sizeof *acceptor);
    error = uv_poll_init(&shared->uv, &acceptor->poll, socket->descriptor);
    if (error < 0) {
        free(acceptor);
        close(socket->descriptor);
        return error;
    }
    uv_timer_init(&shared->uv, &acceptor->timer);
    acceptor->poll.data = acceptor;
    acceptor->timer.data = acceptor;
    acceptor->shared = shared;
    acceptor->socket = *socket;
    acceptor->next = shared->acceptors;
    shared->acceptors = acceptor;
    acceptor_resume(acceptor);
    return 0;
}

/* Has the kernel ignore the SYNs that come between the last accept and the close: their clients try
 * again in a second, and are then refused. On failure only that short time is not covered. */
static void acceptor_ignore_new(const struct acceptor *acceptor)
{
    static struct sock_filter ignore_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags in the TCP header */
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1), /* SYN without ACK */
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    static const struct sock_fprog program = {.len = sizeof ignore_syn / sizeof ignore_syn[0],
                                              .filter = ignore_syn};
    if (!acceptor->socket.is_unix && setsockopt(acceptor->socket.descriptor, SOL_SOCKET,
                                                SO_ATTACH_FILTER, &program, sizeof program) != 0)
        log_debug("a listening socket cannot be filtered: clients that connect while it is closed "
                  "may be reset");
}

void acceptor_accept_all(struct net_shared *shared)
{
    for (struct acceptor *at = shared->acceptors; at != NULL; at = at->next) {
        if (at->socket.is_shared)
            continue;
        acceptor_ignore_new(at);
        acceptor_accept_pending(at, BACKLOG);
    }
}

void acceptor_close_all(struct net_shared *shared)
{
    while (shared->acceptors != NULL) {
        struct acceptor *acceptor = shared->acceptors;
        shared->acceptors = acceptor->next;
        uv_timer_stop(&acceptor->timer);
        uv_close((uv_handle_t *)&acceptor->poll, acceptor_on_poll_closed);
        close(acceptor->socket.descriptor);
    }
}
