/*
 * A gRPC client over nghttp2's client session, bytes in and bytes out, for tests of what answers
 * gRPC calls. It does no I/O: the test carries the bytes. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_H2_CLIENT_H
#define KEYSTORE_TESTS_H2_CLIENT_H

#include "base/buf.h"
#include "grpc/status.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define H2_CLIENT_PREFIX 5

/* One call. Owned by the client, until h2_client_free(). */
struct h2_call {
    struct h2_call *next;
    int32_t stream;
    struct buf request; /* what is sent, `sent` bytes of it already */
    size_t sent;
    bool closed;
    uint32_t error_code; /* of HTTP/2, once closed */
    int grpc_status;     /* -1 = none yet */
    char http_status[8];
    char reason[64];
    char message[512];
    struct buf body;
};

struct h2_client {
    nghttp2_session *session;
    struct h2_call *calls;
    bool going_away; /* a GOAWAY has come */
    int pongs;       /* answers to PINGs that have come */
};

static inline bool h2_client_name_is(const uint8_t *name, size_t len, const char *wanted)
{
    return slice_equal(slice_make(name, len), slice_from_string(wanted));
}

static inline int h2_client_on_header(nghttp2_session *session, const nghttp2_frame *frame,
                                      const uint8_t *name, size_t name_len, const uint8_t *value,
                                      size_t value_len, uint8_t flags, void *user)
{
    (void)flags;
    (void)user;
    struct h2_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    int len = (int)value_len;
    if (call == NULL)
        return 0;
    if (h2_client_name_is(name, name_len, ":status"))
        snprintf(call->http_status, sizeof call->http_status, "%.*s", len, (const char *)value);
    else if (h2_client_name_is(name, name_len, "grpc-status"))
        call->grpc_status = atoi((const char *)value);
    else if (h2_client_name_is(name, name_len, "keystore-reason"))
        snprintf(call->reason, sizeof call->reason, "%.*s", len, (const char *)value);
    else if (h2_client_name_is(name, name_len, "grpc-message"))
        snprintf(call->message, sizeof call->message, "%.*s", len, (const char *)value);
    return 0;
}

static inline int h2_client_on_data(nghttp2_session *session, uint8_t flags, int32_t stream,
                                    const uint8_t *data, size_t len, void *user)
{
    (void)flags;
    (void)user;
    struct h2_call *call = nghttp2_session_get_stream_user_data(session, stream);
    if (!buf_append(&call->body, slice_make(data, len)))
        abort();
    return 0;
}

static inline int h2_client_on_close(nghttp2_session *session, int32_t stream, uint32_t error_code,
                                     void *user)
{
    (void)user;
    struct h2_call *call = nghttp2_session_get_stream_user_data(session, stream);
    call->closed = true;
    call->error_code = error_code;
    return 0;
}

static inline int h2_client_on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                                     void *user)
{
    (void)session;
    struct h2_client *client = user;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        client->going_away = true;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        client->pongs++;
    return 0;
}

static inline ssize_t h2_client_read(nghttp2_session *session, int32_t stream, uint8_t *out,
                                     size_t room, uint32_t *flags, nghttp2_data_source *source,
                                     void *user)
{
    (void)session;
    (void)stream;
    (void)user;
    struct h2_call *call = source->ptr;
    size_t left = call->request.len - call->sent;
    size_t len = left < room ? left : room;
    memcpy(out, call->request.data + call->sent, len);
    call->sent += len;
    if (call->sent == call->request.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

/* A client that has its preface and SETTINGS to send. */
static inline void h2_client_init(struct h2_client *client)
{
    nghttp2_session_callbacks *callbacks;
    *client = (struct h2_client){0};
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_client_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_client_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, h2_client_on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, h2_client_on_frame);
    assert_int_equal(nghttp2_session_client_new(&client->session, callbacks, client), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static inline void h2_client_deinit(struct h2_client *client)
{
    nghttp2_session_del(client->session);
    while (client->calls != NULL) {
        struct h2_call *call = client->calls;
        client->calls = call->next;
        buf_deinit(&call->request);
        buf_deinit(&call->body);
        free(call);
    }
}

static inline nghttp2_nv h2_client_field(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)value,
                        .valuelen = strlen(value)};
}

/* Begins a unary call with a copy of the message. */
static inline struct h2_call *h2_client_call(struct h2_client *client, const char *path,
                                             struct slice message)
{
    struct h2_call *call = calloc(1, sizeof *call);
    const uint8_t prefix[H2_CLIENT_PREFIX] = {0, (uint8_t)(message.len >> 24),
                                              (uint8_t)(message.len >> 16),
                                              (uint8_t)(message.len >> 8), (uint8_t)message.len};
    const nghttp2_nv fields[] = {
        h2_client_field(":method", "POST"), h2_client_field(":scheme", "http"),
        h2_client_field(":path", path),     h2_client_field(":authority", "test"),
        h2_client_field("te", "trailers"),  h2_client_field("content-type", "application/grpc"),
    };
    nghttp2_data_provider body = {.source.ptr = call, .read_callback = h2_client_read};
    call->grpc_status = -1;
    call->next = client->calls;
    client->calls = call;
    buf_init(&call->request, SIZE_MAX);
    buf_init(&call->body, SIZE_MAX);
    assert_true(buf_append(&call->request, slice_make(prefix, sizeof prefix)));
    assert_true(buf_append(&call->request, message));
    call->stream = nghttp2_submit_request(client->session, NULL, fields,
                                          sizeof fields / sizeof fields[0], &body, call);
    assert_true(call->stream > 0);
    return call;
}

/* Resets the call's stream. */
static inline void h2_client_cancel(struct h2_client *client, const struct h2_call *call)
{
    assert_int_equal(
        nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, call->stream, NGHTTP2_CANCEL),
        0);
}

/* Appends all that the client has to send. */
static inline void h2_client_pull(struct h2_client *client, struct buf *out)
{
    const uint8_t *bytes;
    for (;;) {
        ssize_t len = nghttp2_session_mem_send(client->session, &bytes);
        assert_true(len >= 0);
        if (len == 0)
            return;
        assert_true(buf_append(out, slice_make(bytes, (size_t)len)));
    }
}

/* Takes bytes that the server sent. */
static inline void h2_client_feed(struct h2_client *client, struct slice bytes)
{
    if (bytes.len > 0)
        assert_int_equal(nghttp2_session_mem_recv(client->session, bytes.data, bytes.len),
                         bytes.len);
}

/* The message of a call that ended well. */
static inline struct slice h2_client_reply(const struct h2_call *call)
{
    assert_true(call->closed);
    assert_int_equal(call->error_code, NGHTTP2_NO_ERROR);
    assert_string_equal(call->http_status, "200");
    assert_int_equal(call->grpc_status, GRPC_OK);
    assert_true(call->body.len >= H2_CLIENT_PREFIX);
    const uint8_t *prefix = call->body.data;
    size_t len = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
                 (size_t)prefix[4];
    assert_int_equal(prefix[0], 0);
    assert_int_equal(call->body.len - H2_CLIENT_PREFIX, len);
    return slice_make(prefix + H2_CLIENT_PREFIX, len);
}

/* The call ended with that status, that reason and a sentence that contains `words`. */
static inline void assert_call_failed(const struct h2_call *call, enum grpc_code code,
                                      const char *reason, const char *words)
{
    assert_true(call->closed);
    assert_int_equal(call->error_code, NGHTTP2_NO_ERROR);
    assert_string_equal(call->http_status, "200");
    assert_int_equal(call->grpc_status, code);
    assert_string_equal(call->reason, reason);
    if (strstr(call->message, words) == NULL)
        fail_msg("`%s` does not say `%s`", call->message, words);
    assert_int_equal(call->body.len, 0);
}

#endif
