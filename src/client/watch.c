/*
 * A watch that survives its connection: it reconnects, and resumes after the version that the last
 * batch had. Events of a commit whose batches had not all arrived come again then, and are skipped.
 */
#include "client/stream.h"

#include "base/check.h"
#include "base/clock.h"
#include "client/replies.h"
#include "client/socket.h"
#include "client/status.h"

/* Before the first and between later attempts to reconnect, doubled from one to the next. */
#define FIRST_DELAY_MS   ((int64_t)50)
#define LONGEST_DELAY_MS ((int64_t)2000)

/* The server shows that it lives every 10 seconds. */
#define SILENCE_MS ((int64_t)30000)

/* Fields of WatchRequest, which replace those sent before. */
#define TAG_START_VERSION (2 << 3)
#define TAG_INITIAL       (3 << 3)
#define RESUME_SIZE       ((size_t)13) /* both tags, a varint of 10 bytes, a bool */

/* ---- requests ---- */

static size_t watch_put_varint(uint8_t *to, uint64_t number)
{
    size_t len = 0;
    for (; number >= 128; number >>= 7)
        to[len++] = (uint8_t)(0x80 | (number & 0x7f));
    to[len++] = (uint8_t)number;
    return len;
}

/* Whether it is known where to resume from. */
static bool watch_can_resume(const struct stream_watch *watch)
{
    return watch->version != 0 && (watch->initial_done || !watch->initial);
}

/* Opens the stream with the kept request, or one that resumes. */
static bool watch_open(struct keystore_stream *stream, struct keystore_error *error)
{
    struct stream_watch *watch = &stream->watch;
    struct buffer *request = &stream->request;
    size_t whole = request->len;
    if (watch_can_resume(watch)) {
        uint8_t *to = buffer_reserve(request, RESUME_SIZE);
        if (to == NULL) {
            status_out_of_memory(error, "the watch was not resumed");
            return false;
        }
        size_t len = 0;
        to[len++] = TAG_START_VERSION;
        len += watch_put_varint(to + len, watch->version);
        to[len++] = TAG_INITIAL;
        to[len++] = 0;
        request->len += len;
        call_write_prefix(request->data, (uint32_t)(request->len - CALL_PREFIX_SIZE));
    }
    watch->is_open = stream_open(stream, buffer_slice(request), true, error);
    watch->heard_ms = clock_monotonic_ms();
    request->len = whole;
    call_write_prefix(request->data, (uint32_t)(whole - CALL_PREFIX_SIZE));
    return watch->is_open;
}

enum keystore_code keystore_watch(struct keystore_client *client,
                                  const struct keystore_watch_request *request,
                                  struct keystore_stream **out)
{
    if (out != NULL)
        *out = NULL;
    if (!client_check(client, request, out) || out == NULL)
        return keystore_last_error(client)->code;
    struct keystore_stream *stream = stream_new(client, STREAM_WATCH);
    if (stream == NULL)
        return client->error.code;
    stream->watch.initial = request->initial;
    stream->watch.silence_ms = SILENCE_MS;
    struct request_builder builder = {.pool = &stream->pool};
    const void *message = requests_watch_request(&builder, request);
    if (!client_pack(&stream->request, &builder, message, &client->error) ||
        !watch_open(stream, &client->error) || !stream_await_headers(stream, &client->error)) {
        keystore_stream_close(stream);
        return client->error.code;
    }
    stream->watch.version = request->start_version;
    *out = stream;
    return KEYSTORE_OK;
}

uint64_t keystore_watch_oldest_version(const struct keystore_stream *stream)
{
    return stream != NULL ? stream->streaming.stream.call.oldest_version : 0;
}

/* ---- reconnecting ---- */

/* Whether an error of the connection or the server may pass. */
static bool watch_may_retry(const struct keystore_error *error)
{
    return error->code == KEYSTORE_UNAVAILABLE || error->code == KEYSTORE_DEADLINE_EXCEEDED;
}

/* Delays are random, so that the clients of a server that is back do not all come at once. */
static void watch_plan_attempt(struct stream_watch *watch)
{
    int64_t delay_ms = watch->delay_ms * 2;
    if (delay_ms < FIRST_DELAY_MS)
        delay_ms = FIRST_DELAY_MS;
    if (delay_ms > LONGEST_DELAY_MS)
        delay_ms = LONGEST_DELAY_MS;
    watch->delay_ms = delay_ms;
    watch->attempt_ms =
        clock_monotonic_ms() + delay_ms / 2 + clock_monotonic_us() % (delay_ms / 2 + 1);
}

/* The connection was lost: what follows is what had followed. */
static void watch_lose(struct keystore_stream *stream)
{
    struct stream_watch *watch = &stream->watch;
    streaming_close(&stream->streaming, false);
    streaming_init(&stream->streaming);
    stream->is_over = false;
    watch->is_open = false;
    watch->skip = watch->reported;
    if (!watch_can_resume(watch)) {
        watch->restarted = true;
        watch->reported = watch->skip = 0;
    }
    watch_plan_attempt(watch);
}

/* KEYSTORE_ITEM: the stream is open again. */
static enum keystore_next watch_reopen(struct keystore_stream *stream, int64_t deadline_ms)
{
    struct stream_watch *watch = &stream->watch;
    while (!watch->is_open) {
        struct channel *channel = stream->client->channel;
        if (channel == NULL) {
            status_set(&stream->error, KEYSTORE_CANCELLED, "the client was closed");
            return stream_fail(stream);
        }
        int64_t until_ms = watch->attempt_ms < deadline_ms ? watch->attempt_ms : deadline_ms;
        /* Nothing is received: only the time passes. */
        if (socket_wait_or_cancel(-1, 0, channel_cancel_fd(channel), until_ms) != 0 ||
            clock_monotonic_ms() < watch->attempt_ms)
            return KEYSTORE_NOTHING;
        if (watch_open(stream, &stream->error))
            return KEYSTORE_ITEM;
        if (!watch_may_retry(&stream->error))
            return stream_fail(stream);
        watch_lose(stream);
    }
    return KEYSTORE_ITEM;
}

/* ---- batches ---- */

/* Notes what the batch reports, and leaves out what was reported before. */
static void watch_note(struct stream_watch *watch, struct keystore_watch_batch *batch)
{
    size_t after = 0;
    for (size_t i = 0; i < batch->count; i++)
        after += batch->events[i].version > batch->version;
    size_t skipped = watch->skip < batch->count ? watch->skip : batch->count;
    batch->events += skipped;
    batch->count -= skipped;
    watch->skip -= skipped;
    if (batch->version > watch->version) {
        watch->version = batch->version;
        watch->reported = 0;
        watch->skip = 0;
        skipped = 0;
    }
    watch->reported += after > skipped ? after - skipped : 0;
    watch->initial_done |= batch->initial_done;
    watch->heard_ms = clock_monotonic_ms();
    batch->restarted = watch->restarted;
    watch->restarted = false;
    watch->delay_ms = 0;
}

/* Receives as stream_receive(), but fails if the server is silent, as when it is cut off without a
 * notice. What has arrived while the program did something else counts. */
static enum keystore_next watch_listen(struct keystore_stream *stream, int64_t deadline_ms,
                                       struct slice *message)
{
    struct stream_watch *watch = &stream->watch;
    enum keystore_next next = stream_receive(stream, 0, message);
    int64_t silent_ms = watch->heard_ms + watch->silence_ms;
    if (next == KEYSTORE_NOTHING && deadline_ms != 0 && clock_monotonic_ms() < silent_ms)
        next = stream_receive(stream, deadline_ms < silent_ms ? deadline_ms : silent_ms, message);
    if (next != KEYSTORE_NOTHING || clock_monotonic_ms() < silent_ms ||
        stream->streaming.stream.link == NULL)
        return next;
    status_set(&stream->error, KEYSTORE_UNAVAILABLE,
               "the server has not been heard for %lld seconds",
               (long long)(watch->silence_ms / 1000));
    channel_drop(stream->client->channel, &stream->error);
    return KEYSTORE_FAILED;
}

/* The next message of a stream that reconnects as often as necessary. */
static enum keystore_next watch_receive(struct keystore_stream *stream, int64_t deadline_ms,
                                        struct slice *message)
{
    for (;;) {
        enum keystore_next next = watch_reopen(stream, deadline_ms);
        if (next == KEYSTORE_ITEM)
            next = watch_listen(stream, deadline_ms, message);
        if (next != KEYSTORE_FAILED || !watch_may_retry(&stream->error))
            return next;
        watch_lose(stream);
    }
}

enum keystore_next keystore_watch_next(struct keystore_stream *stream, int64_t timeout_ms,
                                       struct keystore_watch_batch *answer)
{
    struct slice message;
    if (answer != NULL)
        *answer = (struct keystore_watch_batch){0};
    if (!stream_check(stream, STREAM_WATCH, answer) || answer == NULL)
        return keystore_stream_error(stream)->code == KEYSTORE_OK ? KEYSTORE_END : KEYSTORE_FAILED;
    pool_reset(&stream->pool);
    enum keystore_next next = watch_receive(stream, stream_deadline(timeout_ms), &message);
    if (next != KEYSTORE_ITEM)
        return next;
    next = stream_unpacked(stream, message, replies_watch_batch(message, &stream->pool, answer));
    if (next != KEYSTORE_ITEM)
        return next;
    stream->error = (struct keystore_error){0};
    watch_note(&stream->watch, answer);
    return KEYSTORE_ITEM;
}
