/*
 * What all public streams have in common, and those of which each message is returned as it comes.
 * Does not know HTTP/2.
 */
#include "client/stream.h"

#include "base/check.h"
#include "base/clock.h"
#include "client/replies.h"
#include "client/status.h"

#include <stdlib.h>

static const char *const paths[] = {
    [STREAM_SCAN] = CLIENT_SERVICE "Scan",
    [STREAM_LIST] = CLIENT_SERVICE "StreamList",
    [STREAM_WATCH] = CLIENT_SERVICE "Watch",
    [STREAM_CONSUME] = CLIENT_SERVICE "Consume",
    [STREAM_SUBSCRIBE] = CLIENT_SERVICE "Subscribe",
    [STREAM_BACKUP] = CLIENT_ADMIN_SERVICE "Backup",
    [STREAM_CLIENTS] = CLIENT_ADMIN_SERVICE "Clients",
};

/* ---- life ---- */

struct keystore_stream *stream_new(struct keystore_client *client, enum stream_kind kind)
{
    struct keystore_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        status_out_of_memory(&client->error, "the stream was not opened");
        return NULL;
    }
    stream->client = client_hold(client);
    stream->generation = client->generation;
    stream->kind = kind;
    streaming_init(&stream->streaming);
    pool_init(&stream->pool);
    buffer_init(&stream->request, CLIENT_REQUEST_LIMIT);
    return stream;
}

void keystore_stream_close(struct keystore_stream *stream)
{
    struct keystore_error ignored;
    if (stream == NULL)
        return;
    streaming_close(&stream->streaming, !client_is_ours(stream->generation, &ignored));
    pool_deinit(&stream->pool);
    buffer_deinit(&stream->request);
    client_release(stream->client);
    free(stream);
}

const struct keystore_error *keystore_stream_error(const struct keystore_stream *stream)
{
    static const struct keystore_error none = {
        .code = KEYSTORE_INVALID_ARGUMENT,
        .message = "the stream is NULL",
    };
    return stream != NULL ? &stream->error : &none;
}

bool stream_open(struct keystore_stream *stream, struct slice request, bool half_close,
                 struct keystore_error *error)
{
    struct keystore_client *client = stream->client;
    if (!streaming_open(&stream->streaming, client->channel, paths[stream->kind],
                        client->max_message, error))
        return false;
    if (!streaming_send(&stream->streaming, request)) {
        status_out_of_memory(error, "the stream was not opened");
        return false;
    }
    if (half_close)
        streaming_half_close(&stream->streaming);
    (void)streaming_step(&stream->streaming, false, 0); /* what fails here is found later, too */
    return true;
}

bool stream_await_headers(struct keystore_stream *stream, struct keystore_error *error)
{
    struct channel_stream *inner = &stream->streaming.stream;
    int64_t deadline_ms =
        channel_deadline_in(clock_monotonic_ms(), channel_call_timeout_ms(stream->client->channel));
    while (!call_has_headers(&inner->call) && !channel_stream_is_over(inner)) {
        enum channel_step step = streaming_step(&stream->streaming, true, deadline_ms);
        if (step == CHANNEL_TIMEOUT)
            status_set(error, KEYSTORE_DEADLINE_EXCEEDED,
                       "the server did not open the stream in time");
        else if (step == CHANNEL_CANCELLED)
            status_set(error, KEYSTORE_CANCELLED, "cancelled before the stream was open");
        if (step == CHANNEL_TIMEOUT || step == CHANNEL_CANCELLED)
            return false;
    }
    struct slice ignored;
    if (!channel_stream_is_over(inner) ||
        streaming_find(&stream->streaming, &ignored) == STREAMING_MESSAGE ||
        streaming_conclude(&stream->streaming) == KEYSTORE_OK)
        return true;
    *error = inner->call.error;
    return false;
}

/* ---- receiving ---- */

bool stream_check(struct keystore_stream *stream, enum stream_kind kind, const void *answer)
{
    if (stream == NULL || stream->is_over)
        return false;
    if (stream->kind != kind || answer == NULL) {
        status_set(&stream->error, KEYSTORE_INVALID_ARGUMENT,
                   answer == NULL ? "the answer is NULL" : "this function is for another stream");
        return false;
    }
    return client_is_ours(stream->generation, &stream->error);
}

int64_t stream_deadline(int64_t timeout_ms)
{
    if (timeout_ms < 0)
        return INT64_MAX;
    return timeout_ms == 0 ? 0 : channel_deadline_in(clock_monotonic_ms(), timeout_ms);
}

enum keystore_next stream_fail(struct keystore_stream *stream)
{
    DCHECK(stream->error.code != KEYSTORE_OK);
    stream->is_over = true;
    return KEYSTORE_FAILED;
}

static enum keystore_next stream_end(struct keystore_stream *stream)
{
    if (streaming_conclude(&stream->streaming) != KEYSTORE_OK) {
        stream->error = stream->streaming.stream.call.error;
        return stream_fail(stream);
    }
    stream->is_over = true;
    return KEYSTORE_END;
}

enum keystore_next stream_receive(struct keystore_stream *stream, int64_t deadline_ms,
                                  struct slice *message)
{
    for (;;) {
        switch (streaming_find(&stream->streaming, message)) {
        case STREAMING_MESSAGE:
            return KEYSTORE_ITEM;
        case STREAMING_OVER:
            return stream_end(stream);
        case STREAMING_NOTHING:
            break;
        }
        enum channel_step step = streaming_step(&stream->streaming, deadline_ms != 0, deadline_ms);
        if (step == CHANNEL_TIMEOUT || step == CHANNEL_CANCELLED) {
            streaming_await(&stream->streaming);
            return KEYSTORE_NOTHING;
        }
    }
}

enum keystore_next stream_unpacked(struct keystore_stream *stream, struct slice message,
                                   bool unpacked)
{
    streaming_drop(&stream->streaming, message);
    if (unpacked)
        return KEYSTORE_ITEM;
    if (stream->pool.failed)
        status_out_of_memory(&stream->error, "a message of the stream is lost");
    else
        status_set(&stream->error, KEYSTORE_INTERNAL,
                   "a message of the stream is not valid: check whether client and server have the "
                   "same version");
    return stream_fail(stream);
}

/* ---- public streams ---- */

/* How the messages of a stream are packed and unpacked. */
struct stream_method {
    enum stream_kind kind;
    bool half_close;
    bool awaits_headers;
    void *(*pack)(struct request_builder *builder, const void *request);
    bool (*unpack)(struct slice bytes, struct pool *pool, void *answer);
    size_t answer_size;
};

static enum keystore_code stream_start(struct keystore_client *client,
                                       const struct stream_method *method, const void *request,
                                       struct keystore_stream **out)
{
    if (out != NULL)
        *out = NULL;
    if (!client_check(client, request, out) || out == NULL)
        return keystore_last_error(client)->code;
    struct keystore_stream *stream = stream_new(client, method->kind);
    if (stream == NULL)
        return client->error.code;
    struct request_builder builder = {.pool = &stream->pool};
    const void *message = method->pack(&builder, request);
    struct keystore_error *error = &client->error;
    if (!client_pack(&stream->request, &builder, message, error) ||
        !stream_open(stream, buffer_slice(&stream->request), method->half_close, error) ||
        (method->awaits_headers && !stream_await_headers(stream, error))) {
        keystore_stream_close(stream);
        return error->code;
    }
    buffer_deinit(&stream->request);
    *out = stream;
    return KEYSTORE_OK;
}

static enum keystore_next stream_next(struct keystore_stream *stream,
                                      const struct stream_method *method, int64_t timeout_ms,
                                      void *answer)
{
    struct slice message;
    if (answer != NULL)
        memset(answer, 0, method->answer_size);
    if (!stream_check(stream, method->kind, answer))
        return keystore_stream_error(stream)->code == KEYSTORE_OK ? KEYSTORE_END : KEYSTORE_FAILED;
    pool_reset(&stream->pool);
    enum keystore_next next = stream_receive(stream, stream_deadline(timeout_ms), &message);
    if (next != KEYSTORE_ITEM)
        return next;
    return stream_unpacked(stream, message, method->unpack(message, &stream->pool, answer));
}

/* Defines how the messages of a stream are packed and unpacked, and the function that returns the
 * next one. */
#define STREAM_METHOD(function, kind, half_close, awaits_headers, takes, gives, unpacks)           \
    static void *pack_##function(struct request_builder *builder, const void *request)             \
    {                                                                                              \
        return requests_##takes(builder, request);                                                 \
    }                                                                                              \
    static bool unpack_##function(struct slice bytes, struct pool *pool, void *answer)             \
    {                                                                                              \
        return replies_##unpacks(bytes, pool, answer);                                             \
    }                                                                                              \
    static const struct stream_method method_##function = {kind,                                   \
                                                           half_close,                             \
                                                           awaits_headers,                         \
                                                           pack_##function,                        \
                                                           unpack_##function,                      \
                                                           sizeof(struct gives)};                  \
    enum keystore_next keystore_##function##_next(struct keystore_stream *stream,                  \
                                                  int64_t timeout_ms, struct gives *answer)        \
    {                                                                                              \
        return stream_next(stream, &method_##function, timeout_ms, answer);                        \
    }

/* Defines the two functions of a stream by their names and the structs of request and answer. */
#define STREAM(function, kind, half_close, awaits_headers, request_, takes, gives, unpacks)        \
    STREAM_METHOD(function, kind, half_close, awaits_headers, takes, gives, unpacks)               \
    enum keystore_code keystore_##function(struct keystore_client *client,                         \
                                           const struct request_ *request,                         \
                                           struct keystore_stream **stream)                        \
    {                                                                                              \
        return stream_start(client, &method_##function, request, stream);                          \
    }

STREAM(scan, STREAM_SCAN, true, false, keystore_scan_request, scan_request, keystore_scan_page,
       scan_page)
STREAM(stream_list, STREAM_LIST, true, false, keystore_list_range, list_range, keystore_list,
       list_values)
STREAM(subscribe, STREAM_SUBSCRIBE, true, true, keystore_subscribe_request, subscribe_request,
       keystore_message, message)
STREAM(consume, STREAM_CONSUME, false, true, keystore_consume_request, consume_request,
       keystore_deliveries, consume_reply)
STREAM(clients, STREAM_CLIENTS, true, false, keystore_clients_request, clients_request,
       keystore_clients_page, clients_page)
STREAM_METHOD(backup, STREAM_BACKUP, true, false, backup_request, keystore_backup_page, backup_page)

enum keystore_code keystore_backup(struct keystore_client *client, struct keystore_stream **stream)
{
    return stream_start(client, &method_backup, &method_backup, stream); /* the request is empty */
}

/* ---- acknowledgements ---- */

/* Whether the stream takes acknowledgements; the error says why not. */
static bool stream_takes_acks(struct keystore_stream *stream, const void *acks)
{
    if (stream_check(stream, STREAM_CONSUME, acks) && !stream->streaming.stream.call.half_closed)
        return true;
    if (stream != NULL && stream->error.code == KEYSTORE_OK)
        status_set(&stream->error, KEYSTORE_FAILED_PRECONDITION,
                   "the stream takes no acknowledgements any more");
    return false;
}

enum keystore_code keystore_consume_ack(struct keystore_stream *stream,
                                        const struct keystore_acks *acks)
{
    if (!stream_takes_acks(stream, acks))
        return keystore_stream_error(stream)->code;
    struct pool pool; /* that of the stream has what it has returned */
    pool_init(&pool);
    struct request_builder builder = {.pool = &pool};
    const void *message = requests_acks(&builder, acks);
    bool packed = client_pack(&stream->request, &builder, message, &stream->error);
    pool_deinit(&pool);
    if (!packed)
        return stream->error.code;
    if (!streaming_send(&stream->streaming, buffer_slice(&stream->request))) {
        status_out_of_memory(&stream->error, "nothing was acknowledged");
        return stream->error.code;
    }
    (void)streaming_step(&stream->streaming, false, 0); /* what fails here is found later, too */
    return KEYSTORE_OK;
}

enum keystore_code keystore_consume_finish(struct keystore_stream *stream)
{
    if (!stream_takes_acks(stream, stream))
        return keystore_stream_error(stream)->code;
    streaming_half_close(&stream->streaming);
    (void)streaming_step(&stream->streaming, false, 0);
    return KEYSTORE_OK;
}
