/*
 * A server in memory: nghttp2's server session, which knows nothing of our code and so is the judge
 * of what we send. It answers each request as `answer` says and remembers what it saw. Included
 * after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_BENCH_PEER_H
#define KEYSTORE_TESTS_BENCH_PEER_H

#include "base/buf.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#define PEER_BODY_LIMIT ((size_t)4 << 20)

/* What happens to requests. */
struct peer_answer {
    bool silent;             /* nothing */
    const char *http_status; /* NULL: 200 */
    const char *grpc_status; /* NULL: the answer has none */
    struct slice body;
    uint32_t reset; /* not 0: RST_STREAM with this code instead */
};

struct peer_request {
    struct peer *peer;
    struct peer_request *next; /* of those not closed */
    int32_t id;
    char path[64];
    struct buf body;
    size_t sent; /* bytes of the answer's body */
};

struct peer {
    nghttp2_session *session;
    struct peer_answer answer;
    bool hold; /* windows are not opened again as requests are read */
    struct peer_request *open;
    size_t requests;    /* complete ones */
    size_t most_open;   /* at once */
    size_t resets;      /* RST_STREAMs of the client */
    size_t updates;     /* WINDOW_UPDATEs of the client */
    int32_t last_id;    /* of a request */
    char last_path[64]; /* of a complete one */
    struct buf last_body;
};

static inline void peer_send_answer(struct peer *peer, int32_t id);

static inline struct peer_request *peer_find(struct peer *peer, int32_t id)
{
    return nghttp2_session_get_stream_user_data(peer->session, id);
}

static inline int peer_on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct peer *peer = user;
    struct peer_request *request = calloc(1, sizeof *request);
    size_t open = 1;
    for (struct peer_request *at = peer->open; at != NULL; at = at->next)
        open++;
    peer->most_open = open > peer->most_open ? open : peer->most_open;
    request->peer = peer;
    request->id = frame->hd.stream_id;
    request->next = peer->open;
    buf_init(&request->body, PEER_BODY_LIMIT);
    peer->open = request;
    peer->last_id = request->id;
    return nghttp2_session_set_stream_user_data(session, request->id, request);
}

static inline int peer_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                                 const uint8_t *name, size_t name_len, const uint8_t *value,
                                 size_t value_len, uint8_t flags, void *user)
{
    (void)session;
    (void)flags;
    struct peer_request *request = peer_find(user, frame->hd.stream_id);
    if (slice_equal(slice_make(name, name_len), SLICE_LITERAL(":path")))
        snprintf(request->path, sizeof request->path, "%.*s", (int)value_len, (const char *)value);
    return 0;
}

static inline int peer_on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                               const uint8_t *data, size_t len, void *user)
{
    (void)flags;
    struct peer *peer = user;
    struct peer_request *request = peer_find(peer, id);
    assert_true(buf_append(&request->body, slice_make(data, len)));
    return peer->hold ? 0 : nghttp2_session_consume(session, id, len);
}

static inline int peer_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct peer *peer = user;
    peer->resets += frame->hd.type == NGHTTP2_RST_STREAM;
    peer->updates += frame->hd.type == NGHTTP2_WINDOW_UPDATE;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
        return 0;
    struct peer_request *request = peer_find(peer, frame->hd.stream_id);
    peer->requests++;
    snprintf(peer->last_path, sizeof peer->last_path, "%s", request->path);
    buf_clear(&peer->last_body, SIZE_MAX);
    assert_true(buf_append(&peer->last_body, buf_slice(&request->body)));
    if (!peer->answer.silent)
        peer_send_answer(peer, frame->hd.stream_id);
    return 0;
}

static inline void peer_forget(struct peer *peer, struct peer_request *request)
{
    struct peer_request **at = &peer->open;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    buf_deinit(&request->body);
    free(request);
}

static inline int peer_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    (void)session;
    (void)code;
    struct peer_request *request = peer_find(user, id);
    if (request != NULL)
        peer_forget(user, request);
    return 0;
}

static inline nghttp2_nv peer_field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

static inline ssize_t peer_read_body(nghttp2_session *session, int32_t id, uint8_t *out,
                                     size_t room, uint32_t *flags, nghttp2_data_source *source,
                                     void *user)
{
    (void)user;
    struct peer_request *request = source->ptr;
    struct slice left = slice_skip(request->peer->answer.body, request->sent);
    size_t len = left.len < room ? left.len : room;
    if (len > 0)
        memcpy(out, left.data, len);
    request->sent += len;
    if (len < left.len)
        return (ssize_t)len;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (request->peer->answer.grpc_status != NULL) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_nv trailer = peer_field("grpc-status", request->peer->answer.grpc_status);
        assert_int_equal(nghttp2_submit_trailer(session, id, &trailer, 1), 0);
    }
    return (ssize_t)len;
}

static inline void peer_send_answer(struct peer *peer, int32_t id)
{
    const struct peer_answer *answer = &peer->answer;
    if (answer->reset != 0) {
        nghttp2_submit_rst_stream(peer->session, 0, id, answer->reset);
        return;
    }
    nghttp2_nv fields[2] = {
        peer_field(":status", answer->http_status != NULL ? answer->http_status : "200"),
        peer_field("content-type", "application/grpc")};
    nghttp2_data_provider body = {.source.ptr = peer_find(peer, id),
                                  .read_callback = peer_read_body};
    assert_int_equal(nghttp2_submit_response(peer->session, id, fields, 2, &body), 0);
}

/* Answers all the requests that were left without. */
static inline void peer_answer_all(struct peer *peer)
{
    for (struct peer_request *at = peer->open; at != NULL; at = at->next)
        peer_send_answer(peer, at->id);
}

/* `settings` may be NULL if there are none. */
static inline void peer_init(struct peer *peer, const nghttp2_settings_entry *settings,
                             size_t count)
{
    *peer =
        (struct peer){.answer = {.grpc_status = "0", .body = SLICE_LITERAL("\0\0\0\0\2\x10\1")}};
    buf_init(&peer->last_body, PEER_BODY_LIMIT);
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, peer_on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, peer_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, peer_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, peer_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, peer_on_close);
    assert_int_equal(nghttp2_session_server_new2(&peer->session, callbacks, peer, option), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    assert_int_equal(nghttp2_submit_settings(peer->session, 0, settings, count), 0);
}

static inline void peer_deinit(struct peer *peer)
{
    nghttp2_session_del(peer->session);
    while (peer->open != NULL)
        peer_forget(peer, peer->open);
    buf_deinit(&peer->last_body);
}

/* Takes the client's bytes; false if the client broke the protocol. */
static inline bool peer_feed(struct peer *peer, struct slice bytes)
{
    return nghttp2_session_mem_recv(peer->session, bytes.data, bytes.len) == (ssize_t)bytes.len;
}

/* Appends all that the server has to send; true if that was anything. */
static inline bool peer_pull(struct peer *peer, struct buf *out)
{
    const uint8_t *frame;
    ssize_t len;
    size_t before = out->len;
    while ((len = nghttp2_session_mem_send(peer->session, &frame)) > 0)
        assert_true(buf_append(out, slice_make(frame, (size_t)len)));
    assert_int_equal(len, 0);
    return out->len > before;
}

#endif
