/*
 * Commands to a KeyStore server: unary calls on one connection, all calls of a batch in flight
 * together. Calls and messages are those of the client library, which has only one in flight.
 */
#include "traces/server.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/replies.h"
#include "client/requests.h"
#include "client/socket.h"
#include "traces/trace.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "KeyStore"
/* Of the streams and of the connection: nothing waits for them. */
#define WINDOW INT32_MAX
/* Bytes gathered for one send. */
#define OUT_GOAL ((size_t)128 << 10)
#define IN_SIZE  ((size_t)64 << 10)
/* The largest messages: a value and what is around it. */
#define MESSAGE_LIMIT (SERVER_MAX_VALUE + 1024)

struct flight {
    struct call call;
    struct buffer request, answer;
};

struct keystore {
    struct server server;
    int fd;
    nghttp2_session *session;
    char authority[32];
    struct buffer out;
    struct pool pool; /* of one message */
    struct flight flights[SERVER_MAX_COMMANDS];
    size_t open; /* calls in flight */
    uint8_t in[IN_SIZE];
};

/* HTTP/2. */

static void must(int result)
{
    if (result < 0)
        server_fail(NAME, nghttp2_strerror(result));
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    struct flight *flight = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    (void)user_data;
    if (flight != NULL)
        call_on_header(&flight->call, slice_make(name, name_len), slice_make(value, value_len));
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user_data)
{
    struct flight *flight = nghttp2_session_get_stream_user_data(session, stream_id);
    (void)flags;
    (void)user_data;
    if (flight != NULL && !call_on_data(&flight->call, slice_make(data, len)))
        server_fail(NAME, flight->call.error.message);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user_data)
{
    struct keystore *keystore = user_data;
    (void)session;
    (void)stream_id;
    if (error_code != NGHTTP2_NO_ERROR)
        server_fail(NAME, nghttp2_http2_strerror(error_code));
    keystore->open--;
    return 0;
}

static ssize_t on_request_wanted(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                                 size_t size, uint32_t *flags, nghttp2_data_source *source,
                                 void *user_data)
{
    struct flight *flight = source->ptr;
    (void)session;
    (void)stream_id;
    (void)user_data;
    size_t count = call_take_request(&flight->call, out, size);
    if (flight->call.request.len == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static void start_session(struct keystore *keystore)
{
    nghttp2_session_callbacks *callbacks;
    must(nghttp2_session_callbacks_new(&callbacks));
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    must(nghttp2_session_client_new(&keystore->session, callbacks, keystore));
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    must(nghttp2_submit_settings(keystore->session, NGHTTP2_FLAG_NONE, settings, 2));
    must(nghttp2_session_set_local_window_size(keystore->session, NGHTTP2_FLAG_NONE, 0, WINDOW));
}

/* Sends what is ready, as far as the socket takes it. */
static void flush(struct keystore *keystore)
{
    for (;;) {
        while (keystore->out.len < OUT_GOAL) {
            const uint8_t *bytes;
            ssize_t len = nghttp2_session_mem_send(keystore->session, &bytes);
            must((int)len);
            if (len == 0)
                break;
            if (!buffer_append(&keystore->out, slice_make(bytes, (size_t)len)))
                abort(); /* it has no limit but memory */
        }
        if (keystore->out.len == 0)
            return;
        ssize_t sent = socket_send(keystore->fd, buffer_slice(&keystore->out));
        if (sent < 0 && socket_would_block())
            return;
        if (sent < 0)
            server_fail(NAME, strerror(errno));
        buffer_consume(&keystore->out, (size_t)sent);
    }
}

static void receive(struct keystore *keystore)
{
    ssize_t got = socket_receive(keystore->fd, keystore->in, IN_SIZE);
    if (got < 0 && socket_would_block())
        return;
    if (got <= 0)
        server_fail(NAME, got == 0 ? "closed the connection" : strerror(errno));
    must((int)nghttp2_session_mem_recv(keystore->session, keystore->in, (size_t)got));
}

static void finish_all(struct keystore *keystore)
{
    for (;;) {
        flush(keystore);
        if (keystore->open == 0)
            return;
        socket_wait(keystore->fd, keystore->out.len > 0 ? POLLIN | POLLOUT : POLLIN, INT64_MAX);
        receive(keystore);
    }
}

/* Calls. */

static const char *const paths[] = {
    [SERVER_GET] = "/keystore.v1.KeyStore/Get",    [SERVER_SET] = "/keystore.v1.KeyStore/Set",
    [SERVER_INCR] = "/keystore.v1.KeyStore/Incr",  [SERVER_POP] = "/keystore.v1.KeyStore/LPop",
    [SERVER_PUSH] = "/keystore.v1.KeyStore/RPush", [SERVER_EXISTS] = "/keystore.v1.KeyStore/Exists",
};

/* The request's message, in the builder's pool. */
static const ProtobufCMessage *make_request(struct request_builder *builder,
                                            const struct server_command *command,
                                            struct keystore_slice key)
{
    struct keystore_slice value = {server_value(), command->size};
    struct keystore_slice values[TRACE_QUEUE_LENGTH];
    for (uint32_t i = 0; i < TRACE_QUEUE_LENGTH; i++)
        values[i] = value;
    uint32_t db = command->db;
    switch (command->verb) {
    case SERVER_SET:
        return &requests_key_value(
                    builder, &(struct keystore_key_value){.key = key, .value = value, .db = db})
                    ->base;
    case SERVER_INCR:
        return &requests_increment(builder, &(struct keystore_increment){.key = key, .db = db})
                    ->base;
    case SERVER_PUSH:
        return &requests_list_insert(
                    builder,
                    &(struct keystore_list_insert){
                        .key = key, .values = values, .count = command->count, .db = db})
                    ->base;
    case SERVER_EXISTS:
        return &requests_keys(builder, &(struct keystore_keys){.keys = &key, .count = 1, .db = db})
                    ->base;
    default:
        return &requests_key(builder, &(struct keystore_key){.key = key, .db = db})->base;
    }
}

static void pack_request(struct keystore *keystore, struct buffer *request,
                         const struct server_command *command)
{
    char key[TRACE_KEY_SIZE + 1];
    server_put_key(key, command->key);
    pool_reset(&keystore->pool);
    struct request_builder builder = {.pool = &keystore->pool};
    struct keystore_error error;
    const ProtobufCMessage *message =
        make_request(&builder, command, (struct keystore_slice){key, TRACE_KEY_SIZE});
    request->len = 0;
    if (buffer_reserve(request, CALL_PREFIX_SIZE) == NULL)
        abort(); /* it has no limit but memory */
    request->len = CALL_PREFIX_SIZE;
    if (!requests_pack(request, &builder, message, &error))
        server_fail(NAME, error.message);
    call_write_prefix(request->data, (uint32_t)(request->len - CALL_PREFIX_SIZE));
}

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static void begin(struct keystore *keystore, struct flight *flight,
                  const struct server_command *command)
{
    pack_request(keystore, &flight->request, command);
    call_init(&flight->call, buffer_slice(&flight->request), NULL, &flight->answer, MESSAGE_LIMIT);
    const nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", paths[command->verb]),
        header(":authority", keystore->authority),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
    };
    nghttp2_data_provider body = {.source.ptr = flight, .read_callback = on_request_wanted};
    must(nghttp2_submit_request(keystore->session, NULL, headers, sizeof headers / sizeof *headers,
                                &body, flight));
    keystore->open++;
}

static bool read_answer(struct pool *pool, enum server_verb verb, struct slice bytes, bool *found)
{
    struct keystore_number number = {0};
    struct keystore_status status = {0};
    struct keystore_value value = {0};
    bool good;
    switch (verb) {
    case SERVER_INCR: /* a new counter is 1 */
        good = replies_number(bytes, pool, &number);
        *found = number.integer > 1;
        return good;
    case SERVER_GET:
    case SERVER_POP:
        good = replies_value(bytes, pool, &value);
        *found = value.found;
        return good;
    default:
        good = replies_status(bytes, pool, &status);
        *found = status.count > 0;
        return good;
    }
}

static void run(struct server *server, const struct server_command *commands, size_t count,
                bool *found)
{
    struct keystore *keystore = (struct keystore *)server;
    for (size_t i = 0; i < count; i++)
        begin(keystore, &keystore->flights[i], &commands[i]);
    finish_all(keystore);
    for (size_t i = 0; i < count; i++) {
        struct flight *flight = &keystore->flights[i];
        if (call_finish(&flight->call) != KEYSTORE_OK)
            server_fail(NAME, flight->call.error.message);
        pool_reset(&keystore->pool);
        if (!read_answer(&keystore->pool, commands[i].verb, buffer_slice(&flight->answer),
                         &found[i]))
            server_fail(NAME, "sent a message that is none");
    }
}

static void close_keystore(struct server *server)
{
    struct keystore *keystore = (struct keystore *)server;
    nghttp2_session_del(keystore->session);
    close(keystore->fd);
    for (size_t i = 0; i < SERVER_MAX_COMMANDS; i++) {
        buffer_deinit(&keystore->flights[i].request);
        buffer_deinit(&keystore->flights[i].answer);
    }
    buffer_deinit(&keystore->out);
    pool_deinit(&keystore->pool);
    free(keystore);
}

struct server *server_open_keystore(const char *port)
{
    struct keystore *keystore = mem_alloc_zero(sizeof *keystore);
    struct keystore_error error;
    struct target target;
    keystore->server = (struct server){.run = run, .close = close_keystore};
    snprintf(keystore->authority, sizeof keystore->authority, "127.0.0.1:%s", port);
    keystore->fd = target_parse(keystore->authority, &target, &error)
                       ? socket_connect(&target, INT64_MAX, &error)
                       : -1;
    if (keystore->fd < 0)
        server_fail(NAME, error.message);
    buffer_init(&keystore->out, SIZE_MAX);
    pool_init(&keystore->pool);
    for (size_t i = 0; i < SERVER_MAX_COMMANDS; i++) {
        buffer_init(&keystore->flights[i].request, SIZE_MAX);
        buffer_init(&keystore->flights[i].answer, MESSAGE_LIMIT);
    }
    start_session(keystore);
    return &keystore->server;
}
