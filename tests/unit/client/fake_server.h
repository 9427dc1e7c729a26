/*
 * A server in a thread that does what a script says, well or badly: nghttp2's server session on a
 * port that the system chose, one connection at a time. What it saw is read after fake_stop().
 */
#ifndef KEYSTORE_TESTS_CLIENT_FAKE_SERVER_H
#define KEYSTORE_TESTS_CLIENT_FAKE_SERVER_H

#include "base/buf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAKE_BODY_LIMIT ((size_t)80 << 20)

enum fake_behaviour {
    FAKE_ANSWER, /* when the request is complete */
    FAKE_EARLY,  /* when its headers came, without reading its body */
    FAKE_SILENT, /* never */
    FAKE_RESET,  /* with RST_STREAM */
    FAKE_REFUSE, /* with a GOAWAY that says that the request was not looked at */
};

/* What happens to one request. */
struct fake_script {
    enum fake_behaviour behaviour;
    const char *http_status;  /* NULL = "200" */
    const char *content_type; /* NULL = "application/grpc" */
    const char *grpc_status;  /* NULL = none is sent */
    const char *grpc_message; /* NULL = none is sent */
    const char *reason;       /* NULL = none is sent */
    struct slice body;        /* empty = trailers only */
    bool echo;                /* the body is that of the request instead */
    size_t frame_size;        /* of DATA frames; 0 = as large as they may be */
    uint32_t reset_code;
    bool goaway;      /* say GOAWAY behind the answer, and let the client close */
    bool close_after; /* close the connection behind the answer */
};

struct fake_server {
    const struct fake_script *scripts; /* one per request, the last one for all that follow */
    size_t script_count;
    struct slice raw; /* if not empty: sent to each connection instead of speaking HTTP/2 */
    bool mute;        /* says nothing to a connection, not even SETTINGS */
    int listener;
    int stop;
    pthread_t thread;
    char address[32]; /* "127.0.0.1:PORT" */
    /* What it saw. */
    int connections;
    size_t requests;
    int resets;
    uint32_t last_reset_code;
    char path[64];
    char timeout[16]; /* of the last request, its grpc-timeout */
    char user_agent[64];
    struct buf body; /* of the last request */
    /* The answer on its way. */
    const struct fake_script *script;
    struct slice unsent;
    bool closing;
};

static inline void fake_check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "fake server: %s: %s\n", what, strerror(errno));
        abort();
    }
}

static inline nghttp2_nv fake_header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

static inline size_t fake_trailers(const struct fake_script *script, nghttp2_nv *out)
{
    size_t count = 0;
    if (script->grpc_status != NULL)
        out[count++] = fake_header("grpc-status", script->grpc_status);
    if (script->grpc_message != NULL)
        out[count++] = fake_header("grpc-message", script->grpc_message);
    if (script->reason != NULL)
        out[count++] = fake_header("keystore-reason", script->reason);
    return count;
}

static inline ssize_t fake_on_body_wanted(nghttp2_session *session, int32_t id, uint8_t *out,
                                          size_t size, uint32_t *flags, nghttp2_data_source *source,
                                          void *user_data)
{
    struct fake_server *server = user_data;
    (void)source;
    if (server->script->frame_size > 0 && size > server->script->frame_size)
        size = server->script->frame_size;
    size_t count = size < server->unsent.len ? size : server->unsent.len;
    memcpy(out, server->unsent.data, count);
    server->unsent = slice_skip(server->unsent, count);
    if (server->unsent.len == 0) {
        nghttp2_nv trailers[3];
        size_t trailer_count = fake_trailers(server->script, trailers);
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (trailer_count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, trailers, trailer_count);
        }
    }
    return (ssize_t)count;
}

static inline void fake_answer(struct fake_server *server, nghttp2_session *session, int32_t id)
{
    const struct fake_script *script = server->script;
    nghttp2_nv headers[5] = {
        fake_header(":status", script->http_status != NULL ? script->http_status : "200"),
        fake_header("content-type",
                    script->content_type != NULL ? script->content_type : "application/grpc"),
    };
    size_t count = 2;
    nghttp2_data_provider provider = {.read_callback = fake_on_body_wanted};
    server->unsent = script->echo ? buf_slice(&server->body) : script->body;
    if (server->unsent.len == 0)
        count += fake_trailers(script, headers + count);
    nghttp2_submit_response(session, id, headers, count, server->unsent.len > 0 ? &provider : NULL);
    if (script->goaway)
        nghttp2_submit_goaway(session, 0, id, NGHTTP2_NO_ERROR, (const uint8_t *)"bye", 3);
    server->closing = script->close_after;
}

static inline void fake_act(struct fake_server *server, nghttp2_session *session, int32_t id)
{
    switch (server->script->behaviour) {
    case FAKE_ANSWER:
    case FAKE_EARLY:
        fake_answer(server, session, id);
        break;
    case FAKE_SILENT:
        server->closing = server->script->close_after;
        break;
    case FAKE_RESET:
        nghttp2_submit_rst_stream(session, 0, id, server->script->reset_code);
        break;
    case FAKE_REFUSE:
        nghttp2_submit_goaway(session, 0, id - 2 > 0 ? id - 2 : 0, NGHTTP2_NO_ERROR, NULL, 0);
        break;
    }
}

static inline int fake_on_begin(nghttp2_session *session, const nghttp2_frame *frame,
                                void *user_data)
{
    struct fake_server *server = user_data;
    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    size_t last = server->script_count - 1;
    server->script = &server->scripts[server->requests < last ? server->requests : last];
    server->requests++;
    server->body.len = 0;
    server->timeout[0] = '\0';
    return 0;
}

static inline int fake_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                                 const uint8_t *name, size_t name_len, const uint8_t *value,
                                 size_t value_len, uint8_t flags, void *user_data)
{
    struct fake_server *server = user_data;
    (void)session;
    (void)frame;
    (void)flags;
    (void)value_len;
    struct slice key = slice_make(name, name_len);
    if (slice_equal(key, SLICE_LITERAL(":path")))
        snprintf(server->path, sizeof server->path, "%s", (const char *)value);
    if (slice_equal(key, SLICE_LITERAL("grpc-timeout")))
        snprintf(server->timeout, sizeof server->timeout, "%s", (const char *)value);
    if (slice_equal(key, SLICE_LITERAL("user-agent")))
        snprintf(server->user_agent, sizeof server->user_agent, "%s", (const char *)value);
    return 0;
}

static inline int fake_on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                               const uint8_t *data, size_t len, void *user_data)
{
    struct fake_server *server = user_data;
    (void)session;
    (void)flags;
    (void)id;
    fake_check(buf_append(&server->body, slice_make(data, len)), "request too large");
    return 0;
}

static inline int fake_on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                                void *user_data)
{
    struct fake_server *server = user_data;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        server->resets++;
        server->last_reset_code = frame->rst_stream.error_code;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    bool early = server->script->behaviour == FAKE_EARLY;
    if ((ended && !early) || (early && frame->hd.type == NGHTTP2_HEADERS))
        fake_act(server, session, frame->hd.stream_id);
    return 0;
}

static inline nghttp2_session *fake_session(struct fake_server *server)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, fake_on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, fake_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, fake_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, fake_on_frame);
    nghttp2_session_server_new(&session, callbacks, server);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, 0, NULL, 0);
    return session;
}

/* Waits until the descriptor is readable; false when the test wants the server to stop. */
static inline bool fake_wait(const struct fake_server *server, int fd)
{
    struct pollfd entries[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = server->stop, .events = POLLIN}};
    while (poll(entries, 2, -1) < 0)
        fake_check(errno == EINTR, "poll");
    return entries[1].revents == 0;
}

/* False when the client is gone. */
static inline bool fake_send(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes = slice_skip(bytes, (size_t)sent);
    }
    return true;
}

static inline bool fake_flush(nghttp2_session *session, int fd)
{
    for (;;) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(session, &bytes);
        if (len <= 0)
            return len == 0;
        if (!fake_send(fd, slice_make(bytes, (size_t)len)))
            return false;
    }
}

static inline void fake_serve(struct fake_server *server, int fd)
{
    static const size_t in_size = 65536;
    uint8_t *in = malloc(in_size);
    nghttp2_session *session = fake_session(server);
    server->closing = false;
    while (fake_flush(session, fd) && !server->closing && fake_wait(server, fd)) {
        ssize_t got = recv(fd, in, in_size, 0);
        if (got <= 0 || nghttp2_session_mem_recv(session, in, (size_t)got) < 0)
            break;
    }
    nghttp2_session_del(session);
    free(in);
}

/* Sends bytes that are no HTTP/2, or nothing, and stays until the client goes. */
static inline void fake_serve_raw(struct fake_server *server, int fd)
{
    char ignored[1024];
    if (fake_send(fd, server->raw))
        while (fake_wait(server, fd) && recv(fd, ignored, sizeof ignored, 0) > 0)
            continue;
}

static inline void *fake_main(void *argument)
{
    struct fake_server *server = argument;
    while (fake_wait(server, server->listener)) {
        int fd = accept(server->listener, NULL, NULL);
        fake_check(fd >= 0, "accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        server->connections++;
        if (server->mute || server->raw.len > 0)
            fake_serve_raw(server, fd);
        else
            fake_serve(server, fd);
        close(fd);
    }
    return NULL;
}

/* Listens and starts the thread; the script and the modes are set before. */
static inline void fake_start(struct fake_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    buf_init(&server->body, FAKE_BODY_LIMIT);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fake_check(bind(server->listener, (struct sockaddr *)&address, len) == 0, "bind");
    fake_check(listen(server->listener, 8) == 0, "listen");
    getsockname(server->listener, (struct sockaddr *)&address, &len);
    snprintf(server->address, sizeof server->address, "127.0.0.1:%d", ntohs(address.sin_port));
    server->stop = eventfd(0, EFD_CLOEXEC);
    fake_check(pthread_create(&server->thread, NULL, fake_main, server) == 0, "pthread_create");
}

/* Ends the thread; then what it saw may be read. */
static inline void fake_stop(struct fake_server *server)
{
    uint64_t one = 1;
    fake_check(write(server->stop, &one, sizeof one) == sizeof one, "write");
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop);
}

#endif
