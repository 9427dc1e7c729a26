/*
 * A loop on a thread of its own with an echo protocol that tests can observe and change; and a
 * client with real sockets.
 */
#ifndef KEYSTORE_TESTS_NET_ECHO_SERVER_H
#define KEYSTORE_TESTS_NET_ECHO_SERVER_H

#include "base/clock.h"
#include "base/mem.h"
#include "net/admission.h"
#include "net/closings.h"
#include "net/listener.h"
#include "net/loop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ECHO_PULL ((size_t)50000) /* pull() appends at most this much, unless a test sets more */
/* The longest wait, for events that would otherwise never happen. */
#define ECHO_PATIENCE_MS 60000

struct echo_session;

struct echo_server {
    struct net_protocol protocol;
    struct net_admission *admission;
    struct net_address address; /* of the first listening socket */
    struct net_loop *loop;
    struct net_tls *tls; /* of what it listens on from then on; NULL: none */
    pthread_t thread;
    bool started;
    /* To be set before the start. */
    bool (*on_feed)(struct echo_session *session, struct slice bytes); /* NULL: echo */
    size_t drains_to_finish; /* a session is finished after that many drains */
    size_t pull;             /* bytes at most */
    /* Counters of the sessions. */
    atomic_size_t opened;
    atomic_size_t closed;
    atomic_size_t fed;         /* bytes */
    atomic_size_t feeds;       /* of them, how often */
    atomic_size_t peak_queued; /* bytes of one session */
    atomic_size_t drains;
    struct activity activity; /* without a bound in time */
    struct activity_worker worker;
    atomic_size_t idles;      /* how often the loop was idle after a test had made it busy */
    atomic_size_t idle_feeds; /* `feeds` at the latest of them */
    atomic_size_t errors;     /* calls that the contract forbids */
    atomic_bool ended;
    struct echo_session *registered; /* for on_feed */
};

struct echo_session {
    struct echo_server *server;
    struct net_connection *connection;
    struct chain waiting; /* to be pulled, from `pulled` on */
    struct chain_cursor pulled;
    size_t queued;     /* bytes after it */
    struct chain *out; /* of the current feed; may be NULL */
    size_t feeds;
    size_t drains;
    size_t owed; /* answers not given yet, for has_unanswered() */
    int64_t now_ms;
    bool done;    /* finished when all is sent */
    bool ended;   /* feed has returned false */
    bool expired; /* as if by a timeout */
    struct closing closing;
};

static inline size_t echo_server_queued(const void *user)
{
    const struct echo_session *session = user;
    return session->queued;
}

static inline void echo_server_count(struct echo_session *session, size_t len)
{
    session->queued += len;
    if (session->queued > atomic_load(&session->server->peak_queued))
        atomic_store(&session->server->peak_queued, session->queued);
}

/* Appends to the session's output. */
static inline void echo_server_append(struct echo_session *session, struct slice bytes)
{
    memcpy(chain_append(&session->waiting, bytes.len), bytes.data, bytes.len);
    echo_server_count(session, bytes.len);
}

static inline void echo_server_append_blob(struct echo_session *session, struct blob *blob)
{
    chain_append_blob(&session->waiting, blob_retain(blob), blob_slice(blob));
    echo_server_count(session, blob->len);
}

/* Checks that the loop's clock is monotonic. */
static inline void echo_server_note_time(struct echo_session *session, int64_t now_ms)
{
    if (now_ms < session->now_ms)
        atomic_fetch_add(&session->server->errors, 1);
    session->now_ms = now_ms;
}

static inline void *echo_server_on_open(void *user, struct net_connection *connection,
                                        int64_t now_ms)
{
    struct echo_session *session = mem_alloc_zero(sizeof *session);
    session->server = user;
    session->connection = connection;
    session->now_ms = now_ms;
    atomic_fetch_add(&session->server->opened, 1);
    return session;
}

static inline void echo_server_on_close(void *user)
{
    struct echo_session *session = user;
    atomic_size_t *closed = &session->server->closed;
    chain_deinit(&session->waiting);
    free(session);
    atomic_fetch_add(closed, 1);
}

static inline void echo_server_pull(void *user, struct chain *out, int64_t now_ms)
{
    struct echo_session *session = user;
    size_t most = session->server->pull;
    size_t len = session->queued < most ? session->queued : most;
    echo_server_note_time(session, now_ms);
    chain_append_range(out, &session->waiting, &session->pulled, len);
    session->queued -= len;
    if (session->queued > 0)
        return;
    chain_clear(&session->waiting, 0);
    session->pulled = (struct chain_cursor){0};
}

static inline bool echo_server_feed(void *user, void *fed, struct slice bytes, struct chain *out,
                                    int64_t now_ms)
{
    struct echo_session *session = fed;
    struct echo_server *server = session->server;
    if (user != server || session->ended || bytes.len == 0)
        atomic_fetch_add(&server->errors, 1);
    session->feeds++;
    session->out = out;
    echo_server_note_time(session, now_ms);
    bool alive = true;
    if (server->on_feed != NULL)
        alive = server->on_feed(session, bytes);
    else
        echo_server_append(session, bytes);
    if (out != NULL)
        echo_server_pull(session, out, now_ms);
    session->out = NULL;
    session->ended = !alive;
    atomic_fetch_add(&server->fed, bytes.len);
    atomic_fetch_add(&server->feeds, 1);
    return alive;
}

static inline bool echo_server_finished(const void *user)
{
    const struct echo_session *session = user;
    bool drained = session->drains > 0 && session->drains >= session->server->drains_to_finish;
    return (session->done || drained) && session->queued == 0;
}

static inline struct closing echo_server_expired(const void *user, int64_t now_ms)
{
    const struct echo_session *session = user;
    (void)now_ms;
    return (struct closing){.kind = session->expired ? CLOSING_HEADER_TIMEOUT : CLOSING_NONE,
                            .text = "a test wanted it"};
}

/* Says why. */
static inline void echo_server_end(void *user, struct closing why)
{
    struct echo_session *session = user;
    session->closing = why;
    echo_server_append(session, slice_from_string(why.text));
}

static inline struct closing echo_server_closing(const void *user)
{
    const struct echo_session *session = user;
    return session->closing;
}

static inline bool echo_server_owes(const void *user)
{
    const struct echo_session *session = user;
    return session->owed > 0;
}

static inline void echo_server_drain(void *user)
{
    struct echo_session *session = user;
    session->drains++;
    atomic_fetch_add(&session->server->drains, 1);
}

static inline void echo_server_on_idle(void *user)
{
    struct echo_server *server = user;
    atomic_store(&server->idle_feeds, atomic_load(&server->feeds));
    atomic_fetch_add(&server->idles, 1);
}

/* The connections that an echo server admits. */
struct echo_admission {
    uint32_t all;
    uint32_t per_address;
};

/* An echo server that does not listen yet. */
static inline struct echo_server *echo_server_new_with(const struct net_limits *limits,
                                                       struct echo_admission admission)
{
    struct echo_server *server = mem_alloc_zero(sizeof *server);
    server->protocol = (struct net_protocol){.user = server,
                                             .on_open = echo_server_on_open,
                                             .on_close = echo_server_on_close,
                                             .feed = echo_server_feed,
                                             .pull = echo_server_pull,
                                             .queued = echo_server_queued,
                                             .finished = echo_server_finished,
                                             .expired = echo_server_expired,
                                             .end = echo_server_end,
                                             .closing = echo_server_closing,
                                             .activity = &server->worker,
                                             .drain = echo_server_drain};
    activity_init(&server->activity, INT64_MAX);
    activity_worker_init(&server->worker, &server->activity);
    activity_listen(&server->activity, echo_server_on_idle, server);
    server->drains_to_finish = 1;
    server->pull = ECHO_PULL;
    server->admission = net_admission_new(admission.all, admission.per_address);
    server->loop = net_loop_new(&server->protocol, server->admission, limits);
    return server;
}

static inline struct echo_server *echo_server_new(int64_t drain_timeout_ms)
{
    struct net_limits limits = net_default_limits;
    limits.drain_timeout_ms = drain_timeout_ms;
    return echo_server_new_with(&limits, (struct echo_admission){.all = 100000});
}

/* Listens on another address, too; returns it with its port. */
static inline struct net_address echo_server_listen(struct echo_server *server, const char *text)
{
    struct net_address address;
    const char *why = NULL;
    int descriptor;
    if (!net_address_parse(text, &address, &why))
        fail_msg("%s: %s", text, why);
    if (!listener_bind(&address, &descriptor, 1))
        fail_msg("%s: %s", text, strerror(errno));
    assert_int_equal(
        net_loop_listen(server->loop, &(struct net_socket){.descriptor = descriptor,
                                                           .is_unix = net_address_is_unix(&address),
                                                           .tls = server->tls}),
        0);
    return address;
}

static inline void *echo_server_run(void *user)
{
    struct echo_server *server = user;
    net_loop_run(server->loop);
    atomic_store(&server->ended, true);
    return NULL;
}

static inline void echo_server_start(struct echo_server *server)
{
    server->address = echo_server_listen(server, "127.0.0.1:0");
    assert_int_equal(pthread_create(&server->thread, NULL, echo_server_run, server), 0);
    server->started = true;
}

/* Waits for a condition that another thread makes true. */
#define echo_wait_until(condition)                                                                 \
    do {                                                                                           \
        int64_t until_ms = clock_monotonic_ms() + ECHO_PATIENCE_MS;                                \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ms() > until_ms)                                                   \
                fail_msg("in vain waited for: %s", #condition);                                    \
            sched_yield();                                                                         \
        }                                                                                          \
    } while (false)

/* The loop has ended or ends by itself. Checks that every session was closed and the contract was
 * kept. */
static inline void echo_server_free(struct echo_server *server)
{
    if (server->started) {
        echo_wait_until(atomic_load(&server->ended));
        pthread_join(server->thread, NULL);
    }
    net_loop_free(server->loop);
    net_admission_free(server->admission);
    assert_int_equal(atomic_load(&server->opened), atomic_load(&server->closed));
    assert_int_equal(atomic_load(&server->errors), 0);
    free(server);
}

static inline void echo_server_stop_and_free(struct echo_server *server)
{
    net_loop_stop(server->loop);
    echo_server_free(server);
}

/* The client: non-blocking sockets. */

/* `buffer`: bytes of the kernel's buffers in each direction; 0: the default. */
static inline int echo_connect(const struct net_address *address, int buffer)
{
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (buffer > 0) {
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer), 0);
    }
    if (connect(fd, (const struct sockaddr *)&address->socket, address->size) != 0)
        fail_msg("connect: %s", strerror(errno));
    return fd;
}

/* Waits for one of the events; returns those that occurred. */
static inline short echo_poll(int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};
    if (poll(&polled, 1, ECHO_PATIENCE_MS) != 1)
        fail_msg("the server does nothing");
    return polled.revents;
}

/* The byte at an offset of the stream that clients send. */
static inline uint8_t echo_byte_at(size_t offset)
{
    return (uint8_t)(offset % 251 + offset / 251 % 7);
}

static inline void echo_fill(uint8_t *bytes, size_t len, size_t offset)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = echo_byte_at(offset + i);
}

/* Writes what the socket takes of the stream, from the offset to `end`; returns the number of
 * bytes. */
static inline size_t echo_write_some(int fd, size_t offset, size_t end)
{
    uint8_t bytes[65536];
    size_t len = end - offset < sizeof bytes ? end - offset : sizeof bytes;
    echo_fill(bytes, len, offset);
    ssize_t written = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN)
        fail_msg("send: %s", strerror(errno));
    return written < 0 ? 0 : (size_t)written;
}

/* Reads what has arrived of the stream, which must continue at the offset; returns the number of
 * bytes, 0 at its end. */
static inline size_t echo_read_some(int fd, size_t offset)
{
    uint8_t bytes[65536];
    ssize_t len = recv(fd, bytes, sizeof bytes, 0);
    if (len < 0)
        fail_msg("recv: %s", strerror(errno));
    for (size_t i = 0; i < (size_t)len; i++) {
        if (bytes[i] != echo_byte_at(offset + i))
            fail_msg("another byte came at %zu", offset + i);
    }
    return (size_t)len;
}

/* Sends the stream from *written to `end`, and reads it back from *read_back to `end`. */
static inline void echo_exchange(int fd, size_t *written, size_t *read_back, size_t end)
{
    while (*read_back < end) {
        short events = echo_poll(fd, *written < end ? POLLIN | POLLOUT : POLLIN);
        if ((events & POLLOUT) != 0)
            *written += echo_write_some(fd, *written, end);
        if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
            size_t len = echo_read_some(fd, *read_back);
            assert_true(len > 0);
            *read_back += len;
        }
    }
    assert_int_equal(*read_back, end);
}

static inline void echo_assert_echoes(int fd)
{
    size_t written = 0, read_back = 0;
    echo_exchange(fd, &written, &read_back, 10);
}

static inline void echo_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Waits for the end of the connection, with or without a reset, discarding what may still arrive.
 */
static inline void echo_wait_for_end(int fd)
{
    char bytes[65536];
    ssize_t len;
    do {
        echo_poll(fd, POLLIN);
        len = recv(fd, bytes, sizeof bytes, 0);
    } while (len > 0);
    assert_true(len == 0 || errno == ECONNRESET);
}

/* Answers with 8 MiB, and closes. */
static inline bool echo_say_much_and_end(struct echo_session *session, struct slice bytes)
{
    uint8_t *much = mem_alloc(8 << 20);
    (void)bytes;
    echo_fill(much, 8 << 20, 0);
    echo_server_append(session, slice_make(much, 8 << 20));
    free(much);
    return false;
}

/* Answers and closes, although the peer goes on sending. */
static inline bool echo_say_goodbye(struct echo_session *session, struct slice bytes)
{
    (void)bytes;
    echo_server_append(session, SLICE_LITERAL("goodbye"));
    return false;
}

#endif
