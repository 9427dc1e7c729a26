/*
 * Buffers between a program and its stream. What was received and is not read bounds itself: its
 * bytes reopen the stream's window when their message is dropped, or when the program waits for the
 * rest of it.
 */
#include "client/streaming.h"

#include "base/check.h"
#include "client/status.h"

/* Memory that an empty buffer keeps. */
#define KEPT_BYTES ((size_t)256 << 10)

void streaming_init(struct streaming *streaming)
{
    *streaming = (struct streaming){0};
    buffer_init(&streaming->in, SIZE_MAX / 2);
    buffer_init(&streaming->out, SIZE_MAX / 2);
}

bool streaming_open(struct streaming *streaming, struct channel *channel, const char *path,
                    size_t max_message, struct keystore_error *error)
{
    DCHECK(streaming->stream.link == NULL);
    streaming->channel = channel;
    streaming->stream = (struct channel_stream){0};
    call_init_stream(&streaming->stream.call, &streaming->in, max_message);
    return channel_attach(channel, &streaming->stream, path, error);
}

void streaming_close(struct streaming *streaming, bool quietly)
{
    if (streaming->stream.link != NULL)
        channel_detach(streaming->channel, &streaming->stream, quietly);
    buffer_deinit(&streaming->in);
    buffer_deinit(&streaming->out);
}

size_t streaming_unsent(const struct streaming *streaming)
{
    return streaming->stream.call.request.len;
}

/* Tells the channel that there is more to send. */
static void streaming_resume(struct streaming *streaming)
{
    if (streaming->stream.link != NULL)
        channel_resume(streaming->channel, &streaming->stream);
}

bool streaming_send(struct streaming *streaming, struct slice message)
{
    struct buffer *out = &streaming->out;
    struct slice *unsent = &streaming->stream.call.request;
    DCHECK(!streaming->stream.call.half_closed && unsent->len <= out->len);
    size_t sent = out->len - unsent->len;
    if (sent >= unsent->len) { /* not more is moved than was sent */
        buffer_consume(out, sent);
        sent = 0;
    }
    bool appended = buffer_append(out, message);
    *unsent = slice_skip(buffer_slice(out), sent);
    if (appended)
        streaming_resume(streaming);
    return appended;
}

void streaming_half_close(struct streaming *streaming)
{
    streaming->stream.call.half_closed = true;
    streaming_resume(streaming);
}

enum streaming_found streaming_find(struct streaming *streaming, struct slice *message)
{
    struct channel_stream *stream = &streaming->stream;
    stream->awaited = stream->arrived = false;
    switch (call_find_message(&stream->call, message)) {
    case CALL_MESSAGE:
        return STREAMING_MESSAGE;
    case CALL_REFUSED:
        stream->refused = true;
        break;
    case CALL_INCOMPLETE:
        if (!channel_stream_is_over(stream) && stream->link != NULL)
            channel_consume(streaming->channel, stream, stream->unread);
        break;
    }
    return channel_stream_is_over(stream) ? STREAMING_OVER : STREAMING_NOTHING;
}

void streaming_drop(struct streaming *streaming, struct slice message)
{
    call_drop_message(&streaming->stream.call, message);
    if (streaming->in.len == 0)
        buffer_clear(&streaming->in, KEPT_BYTES);
    if (streaming->stream.link != NULL)
        channel_consume(streaming->channel, &streaming->stream, CALL_PREFIX_SIZE + message.len);
}

void streaming_await(struct streaming *streaming)
{
    streaming->stream.awaited = true;
}

enum channel_step streaming_step(struct streaming *streaming, bool wait, int64_t deadline_ms)
{
    if (streaming->stream.link == NULL)
        return CHANNEL_LOST;
    return channel_step(streaming->channel, wait, deadline_ms);
}

enum keystore_code streaming_conclude(struct streaming *streaming)
{
    return channel_conclude(&streaming->stream);
}
