/*
 * A load of clients that wait for elements of a list: `waiters keystore|redis PORT WAITERS PUSHES`.
 * One element at a time is pushed; it is timed until a waiter has it, who then waits again. Prints
 * the percentiles of that time as JSON.
 *
 * KeyStore's waiters are calls of ListPop on connections of STREAMS calls each, those of redis are
 * connections with a BLPOP each. It polls without sleeping and so needs a core of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STREAMS    500
#define MAX_EVENTS 64
#define SILENCE_NS UINT64_C(10000000000)

/* Requests with their prefixes: ListPop {keys: "q", wait_ms: -1}, RPush {key: "q", values: "v"}. */
static const uint8_t pop_request[] = {0,    0,    0,    0,    14,   0x0a, 1,    'q',  0x20, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
static const uint8_t push_request[] = {0, 0, 0, 0, 6, 0x0a, 1, 'q', 0x12, 1, 'v'};
static const char redis_pop[] = "*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n";
static const char redis_push[] = "*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\nv\r\n";

struct body {
    const uint8_t *bytes;
    size_t size;
};

static const struct body pop_body = {pop_request, sizeof pop_request};
static const struct body push_body = {push_request, sizeof push_request};

struct peer {
    int fd;
    nghttp2_session *session; /* NULL: redis */
    bool pushes;
    size_t calls; /* that wait */
};

static struct {
    bool is_redis;
    int epoll;
    struct peer *peers; /* the waiters, then the one that pushes */
    size_t peer_count;
    uint64_t delivered, failed;
} load;

static void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("waiters: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        die("fcntl: %s", strerror(errno));
    return fd;
}

/* What is sent is small, so the socket takes it. */
static void send_all(int fd, const void *bytes, size_t size)
{
    if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
        die("send: %s", strerror(errno));
}

/* ---- HTTP/2 ---- */

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    const struct body *body = source->ptr;
    (void)session;
    (void)stream;
    (void)user;
    if (size < body->size)
        die("a request does not fit into a frame");
    memcpy(out, body->bytes, body->size);
    *flags = NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)body->size;
}

static void flush_session(struct peer *peer)
{
    const uint8_t *bytes;
    ssize_t size;
    while ((size = nghttp2_session_mem_send(peer->session, &bytes)) > 0)
        send_all(peer->fd, bytes, (size_t)size);
}

#define FIELD(name, value)                                                                         \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1,             \
            sizeof(value) - 1, NGHTTP2_NV_FLAG_NONE                                                \
    }

static void submit(struct peer *peer)
{
    const nghttp2_nv pop[] = {
        FIELD(":method", "POST"),
        FIELD(":scheme", "http"),
        FIELD(":path", "/keystore.v1.KeyStore/ListPop"),
        FIELD(":authority", "bench"),
        FIELD("te", "trailers"),
        FIELD("content-type", "application/grpc"),
    };
    const nghttp2_nv push[] = {
        FIELD(":method", "POST"),
        FIELD(":scheme", "http"),
        FIELD(":path", "/keystore.v1.KeyStore/RPush"),
        FIELD(":authority", "bench"),
        FIELD("te", "trailers"),
        FIELD("content-type", "application/grpc"),
    };
    nghttp2_data_provider body = {.source.ptr =
                                      (void *)(uintptr_t)(peer->pushes ? &push_body : &pop_body),
                                  .read_callback = read_body};
    if (nghttp2_submit_request(peer->session, NULL, peer->pushes ? push : pop, 6, &body, NULL) < 0)
        die("nghttp2_submit_request() failed");
    flush_session(peer);
}

/* grpc-status other than 0. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    (void)session;
    (void)frame;
    (void)flags;
    (void)user;
    if (name_size == 11 && memcmp(name, "grpc-status", 11) == 0 &&
        (value_size != 1 || value[0] != '0'))
        load.failed++;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    struct peer *peer = user;
    (void)session;
    (void)stream;
    load.failed += error != 0;
    if (!peer->pushes)
        load.delivered++;
    return 0;
}

static void start_session(struct peer *peer)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        die("no memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    if (nghttp2_session_client_new(&peer->session, callbacks, peer) != 0)
        die("no memory");
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(peer->session, NGHTTP2_FLAG_NONE, NULL, 0);
    flush_session(peer);
}

/* ---- both ---- */

static void wait_again(struct peer *peer)
{
    if (peer->session != NULL)
        submit(peer);
    else
        send_all(peer->fd, redis_pop, sizeof redis_pop - 1);
}

static void push(struct peer *peer)
{
    if (peer->session != NULL)
        submit(peer);
    else
        send_all(peer->fd, redis_push, sizeof redis_push - 1);
}

static void receive(struct peer *peer)
{
    uint8_t bytes[16384];
    ssize_t size = recv(peer->fd, bytes, sizeof bytes, 0);
    if (size == 0)
        die("the server has closed a connection");
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size < 0)
        die("recv: %s", strerror(errno));
    if (peer->session == NULL) {
        load.failed += bytes[0] == '-';
        load.delivered += !peer->pushes;
        return;
    }
    if (nghttp2_session_mem_recv(peer->session, bytes, (size_t)size) != size)
        die("the server does not speak HTTP/2");
    flush_session(peer);
}

static void poll_once(void)
{
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(load.epoll, events, MAX_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        struct peer *peer = events[i].data.ptr;
        uint64_t before = load.delivered;
        receive(peer);
        for (; before < load.delivered; before++)
            wait_again(peer);
    }
    if (load.failed > 0)
        die("a call failed");
}

static void add_peer(uint16_t port, size_t calls, bool pushes)
{
    struct peer *peer = &load.peers[load.peer_count++];
    *peer = (struct peer){.fd = connect_to(port), .pushes = pushes, .calls = calls};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, peer->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
    if (!load.is_redis)
        start_session(peer);
    for (size_t i = 0; i < calls; i++)
        wait_again(peer);
}

static void settle(uint64_t ns)
{
    for (uint64_t end = now_ns() + ns; now_ns() < end;)
        poll_once();
}

static int compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("usage: waiters keystore|redis PORT WAITERS PUSHES");
    uint16_t port = (uint16_t)atoi(argv[2]);
    size_t waiters = (size_t)atol(argv[3]), pushes = (size_t)atol(argv[4]);
    load.is_redis = strcmp(argv[1], "redis") == 0;
    load.epoll = epoll_create1(0);
    size_t each = load.is_redis ? 1 : STREAMS;
    load.peers = calloc(waiters / each + 2, sizeof *load.peers);
    uint64_t *times = calloc(pushes, sizeof *times);
    if (load.epoll < 0 || load.peers == NULL || times == NULL || waiters == 0 || pushes == 0)
        die("bad arguments, or no memory");
    for (size_t left = waiters; left > 0;) {
        size_t calls = left < each ? left : each;
        add_peer(port, calls, false);
        left -= calls;
    }
    add_peer(port, 0, true);
    struct peer *pusher = &load.peers[load.peer_count - 1];
    settle(500000000); /* all of them wait */
    for (size_t i = 0; i < pushes; i++) {
        uint64_t began = now_ns(), expected = load.delivered + 1;
        push(pusher);
        while (load.delivered < expected) {
            poll_once();
            if (now_ns() - began > SILENCE_NS)
                die("push %zu was not delivered", i);
        }
        times[i] = now_ns() - began;
    }
    qsort(times, pushes, sizeof *times, compare);
    printf("{\"pushes\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n", pushes,
           (double)times[pushes / 2] / 1e3, (double)times[pushes * 99 / 100] / 1e3,
           (double)times[pushes - 1] / 1e3);
    return 0;
}
