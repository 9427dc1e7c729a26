/*
 * An in-memory HTTP/2 client on nghttp2's client session, for tests of servers: it makes requests,
 * records the answers, and checks the server's conformance independently.
 */
#ifndef KEYSTORE_TESTS_HTTP2_NG_CLIENT_H
#define KEYSTORE_TESTS_HTTP2_NG_CLIENT_H

#include "base/buf.h"
#include "base/chain.h"
#include "base/mem.h"
#include "http2/http2.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A request and its answer. */
struct ng_stream {
    int32_t id;
    struct buf headers;  /* of the answer, as "name: value\n" */
    struct buf trailers; /* likewise */
    struct buf body;
    bool ended;  /* END_STREAM arrived */
    bool closed; /* both sides have ended it, or it was reset */
    bool reset;  /* RST_STREAM arrived, with: */
    uint32_t error_code;
    struct buf out; /* the request's body; bytes before `out_sent` have been sent */
    size_t out_sent;
    bool out_ends;
    bool deferred;
    struct http2_field trailer; /* ends the request if it has a name */
};

struct ng_client {
    nghttp2_session *session;
    struct ng_stream **streams;
    size_t count;
    size_t padding; /* bytes of padding in HEADERS and DATA */
    size_t goaways;
    int32_t goaway_last[4]; /* the streams that they named */
    uint32_t goaway_code[4];
};

struct ng_options {
    uint32_t stream_window; /* announced in SETTINGS; 0: the default of 65535 */
    bool manual_windows;    /* only WINDOW_UPDATE frames that the test submits */
};

/* The connection of the client to the server. */
struct ng_peer {
    void *server;
    bool (*feed)(void *server, struct slice bytes);
    void (*pull)(void *server, struct buf *out); /* appends all output available now */
};

static inline struct ng_stream *ng_client_stream(struct ng_client *client, int32_t id)
{
    for (size_t i = client->count; i > 0; i--) {
        if (client->streams[i - 1]->id == id)
            return client->streams[i - 1];
    }
    return NULL;
}

static inline void ng_client_append(struct buf *buf, struct slice bytes)
{
    assert_true(buf_append(buf, bytes));
}

/* Moves what the chain holds to the buffer. */
static inline void ng_client_flatten(struct chain *chain, struct buf *out)
{
    struct chain_cursor cursor = {0};
    struct iovec piece;
    while (chain_pieces(chain, cursor, &piece, 1) == 1) {
        ng_client_append(out, slice_make(piece.iov_base, piece.iov_len));
        chain_skip(chain, &cursor, piece.iov_len);
    }
    chain_clear(chain, 0);
}

/* nghttp2's callbacks. */

static inline int ng_client_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                                      const uint8_t *name, size_t name_len, const uint8_t *value,
                                      size_t value_len, uint8_t flags, void *user)
{
    (void)session;
    (void)flags;
    struct ng_stream *stream = ng_client_stream(user, frame->hd.stream_id);
    assert_non_null(stream);
    struct buf *into =
        frame->headers.cat == NGHTTP2_HCAT_RESPONSE ? &stream->headers : &stream->trailers;
    ng_client_append(into, slice_make(name, name_len));
    ng_client_append(into, SLICE_LITERAL(": "));
    ng_client_append(into, slice_make(value, value_len));
    ng_client_append(into, SLICE_LITERAL("\n"));
    return 0;
}

static inline int ng_client_on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                                    const uint8_t *data, size_t len, void *user)
{
    (void)session;
    (void)flags;
    struct ng_stream *stream = ng_client_stream(user, id);
    assert_non_null(stream);
    ng_client_append(&stream->body, slice_make(data, len));
    return 0;
}

static inline void ng_client_note_goaway(struct ng_client *client, const nghttp2_goaway *goaway)
{
    assert_true(client->goaways < sizeof client->goaway_last / sizeof client->goaway_last[0]);
    client->goaway_last[client->goaways] = goaway->last_stream_id;
    client->goaway_code[client->goaways++] = goaway->error_code;
}

static inline int ng_client_on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                                     void *user)
{
    (void)session;
    struct ng_client *client = user;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        ng_client_note_goaway(client, &frame->goaway);
    struct ng_stream *stream = ng_client_stream(client, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        stream->reset = true;
        stream->error_code = frame->rst_stream.error_code;
    } else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        stream->ended = true;
    }
    return 0;
}

static inline int ng_client_on_invalid(nghttp2_session *session, const nghttp2_frame *frame,
                                       int error, void *user)
{
    (void)session;
    (void)user;
    fail_msg("the server sent a frame of type %d that is not valid: %s", frame->hd.type,
             nghttp2_strerror(error));
    return 0;
}

static inline int ng_client_on_close(nghttp2_session *session, int32_t id, uint32_t code,
                                     void *user)
{
    (void)session;
    (void)code;
    struct ng_stream *stream = ng_client_stream(user, id);
    if (stream != NULL)
        stream->closed = true;
    return 0;
}

static inline ssize_t ng_client_pad(nghttp2_session *session, const nghttp2_frame *frame,
                                    size_t max, void *user)
{
    (void)session;
    const struct ng_client *client = user;
    size_t padded = frame->hd.length + client->padding;
    return (ssize_t)(padded < max ? padded : max);
}

static inline ssize_t ng_client_read_body(nghttp2_session *session, int32_t id, uint8_t *out,
                                          size_t room, uint32_t *flags, nghttp2_data_source *source,
                                          void *user)
{
    (void)user;
    struct ng_stream *stream = source->ptr;
    size_t left = stream->out.len - stream->out_sent;
    size_t len = left < room ? left : room;
    if (len == 0 && !stream->out_ends) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (len > 0)
        memcpy(out, stream->out.data + stream->out_sent, len);
    stream->out_sent += len;
    if (stream->out_ends && stream->out_sent == stream->out.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if ((*flags & NGHTTP2_DATA_FLAG_EOF) != 0 && stream->trailer.name.len > 0) {
        const nghttp2_nv nv = {.name = (uint8_t *)stream->trailer.name.data,
                               .namelen = stream->trailer.name.len,
                               .value = (uint8_t *)stream->trailer.value.data,
                               .valuelen = stream->trailer.value.len};
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        assert_int_equal(nghttp2_submit_trailer(session, id, &nv, 1), 0);
    }
    return (ssize_t)len;
}

static inline nghttp2_session_callbacks *ng_client_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, ng_client_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, ng_client_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, ng_client_on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, ng_client_on_invalid);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, ng_client_on_close);
    nghttp2_session_callbacks_set_select_padding_callback(callbacks, ng_client_pad);
    return callbacks;
}

static inline struct ng_client *ng_client_new(const struct ng_options *options)
{
    struct ng_client *client = mem_alloc_zero(sizeof *client);
    nghttp2_session_callbacks *callbacks = ng_client_callbacks();
    nghttp2_option *option;
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, options->manual_windows);
    nghttp2_option_set_max_send_header_block_length(option, 4 * 1024 * 1024);
    nghttp2_option_set_peer_max_concurrent_streams(option, 1000000);
    assert_int_equal(nghttp2_session_client_new2(&client->session, callbacks, client, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                           options->stream_window};
    assert_int_equal(nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, &window,
                                             options->stream_window > 0 ? 1 : 0),
                     0);
    return client;
}

static inline void ng_client_free(struct ng_client *client)
{
    nghttp2_session_del(client->session);
    for (size_t i = 0; i < client->count; i++) {
        struct ng_stream *stream = client->streams[i];
        buf_deinit(&stream->headers);
        buf_deinit(&stream->trailers);
        buf_deinit(&stream->body);
        buf_deinit(&stream->out);
        free(stream);
    }
    free(client->streams);
    free(client);
}

static inline struct ng_stream *ng_client_add_stream(struct ng_client *client)
{
    struct ng_stream *stream = mem_alloc_zero(sizeof *stream);
    client->streams = mem_realloc(client->streams, (client->count + 1) * sizeof(void *));
    client->streams[client->count++] = stream;
    buf_init(&stream->headers, SIZE_MAX);
    buf_init(&stream->trailers, SIZE_MAX);
    buf_init(&stream->body, SIZE_MAX);
    buf_init(&stream->out, SIZE_MAX);
    return stream;
}

/* Starts a request; with `end` it has no body. The stream lives as long as the client. */
static inline struct ng_stream *ng_client_request(struct ng_client *client,
                                                  const struct http2_field *fields, size_t count,
                                                  bool end)
{
    struct ng_stream *stream = ng_client_add_stream(client);
    nghttp2_nv *nv = mem_alloc_zero(count * sizeof *nv);
    for (size_t i = 0; i < count; i++)
        nv[i] = (nghttp2_nv){.name = (uint8_t *)fields[i].name.data,
                             .namelen = fields[i].name.len,
                             .value = (uint8_t *)fields[i].value.data,
                             .valuelen = fields[i].value.len};
    const nghttp2_data_provider body = {.source.ptr = stream, .read_callback = ng_client_read_body};
    stream->id = nghttp2_submit_request(client->session, NULL, nv, count, end ? NULL : &body, NULL);
    assert_true(stream->id > 0);
    free(nv);
    return stream;
}

/* More of the request's body; with `end` its last part. */
static inline void ng_client_send(struct ng_client *client, struct ng_stream *stream,
                                  struct slice bytes, bool end)
{
    ng_client_append(&stream->out, bytes);
    stream->out_ends = end;
    if (stream->deferred)
        assert_int_equal(nghttp2_session_resume_data(client->session, stream->id), 0);
    stream->deferred = false;
}

static inline void ng_client_reset(struct ng_client *client, const struct ng_stream *stream)
{
    assert_int_equal(
        nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL),
        0);
}

/* Sends WINDOW_UPDATE for a stream, or with id 0 for the connection. */
static inline void ng_client_open_window(struct ng_client *client, int32_t id, int32_t increment)
{
    assert_int_equal(
        nghttp2_submit_window_update(client->session, NGHTTP2_FLAG_NONE, id, increment), 0);
}

/* Appends the bytes that the client has to send. */
static inline void ng_client_output(struct ng_client *client, struct buf *out)
{
    const uint8_t *bytes;
    ssize_t len;
    while ((len = nghttp2_session_mem_send(client->session, &bytes)) > 0)
        ng_client_append(out, slice_make(bytes, (size_t)len));
    assert_int_equal(len, 0);
}

/* Receives bytes from the server. */
static inline void ng_client_input(struct ng_client *client, struct slice bytes)
{
    assert_int_equal(nghttp2_session_mem_recv(client->session, bytes.data, bytes.len), bytes.len);
}

/* Sends the client's pending output. Returns what feed returned. */
static inline bool ng_client_push(struct ng_client *client, const struct ng_peer *peer)
{
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    ng_client_output(client, &bytes);
    bool alive = bytes.len == 0 || peer->feed(peer->server, buf_slice(&bytes));
    buf_deinit(&bytes);
    return alive;
}

/* Receives the server's pending output. True if there was any. */
static inline bool ng_client_pull(struct ng_client *client, const struct ng_peer *peer)
{
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    peer->pull(peer->server, &bytes);
    bool any = bytes.len > 0;
    if (any)
        ng_client_input(client, buf_slice(&bytes));
    buf_deinit(&bytes);
    return any;
}

/* Exchanges output until neither side has any. False if the server's feed returned false. */
static inline bool ng_client_exchange(struct ng_client *client, const struct ng_peer *peer)
{
    bool alive = true;
    do
        alive = ng_client_push(client, peer) && alive;
    while (ng_client_pull(client, peer));
    return alive;
}

/* The value of a field in `headers` or `trailers`; fails the test if it is missing. */
static inline struct slice ng_client_field(const struct buf *fields, const char *name)
{
    struct slice rest = buf_slice(fields);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        assert_non_null(end);
        struct slice line = slice_make(rest.data, (size_t)(end - rest.data));
        rest = slice_skip(rest, line.len + 1);
        size_t len = strlen(name);
        if (slice_starts_with(line, slice_from_string(name)) && line.len >= len + 2 &&
            memcmp(line.data + len, ": ", 2) == 0)
            return slice_skip(line, len + 2);
    }
    fail_msg("there is no field %s in: %.*s", name, (int)fields->len, (const char *)fields->data);
    return rest;
}

#define ng_assert_slice(slice, text) ng_client_assert_slice((slice), (text), __FILE__, __LINE__)

static inline void ng_client_assert_slice(struct slice slice, const char *text, const char *file,
                                          int line)
{
    if (slice_equal(slice, slice_from_string(text)))
        return;
    print_error("\"%.*s\" is not \"%s\"\n", (int)slice.len, (const char *)slice.data, text);
    _fail(file, line);
}

#endif
