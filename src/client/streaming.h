/*
 * A call with streams of messages, over a channel: opens it, sends and receives messages. Does not
 * know what the messages mean. Nothing blocks but streaming_step(), which serves all calls of the
 * channel.
 */
#ifndef KEYSTORE_CLIENT_STREAMING_H
#define KEYSTORE_CLIENT_STREAMING_H

#include "client/channel.h"

struct streaming {
    struct channel *channel; /* only used while the stream is attached to it */
    struct channel_stream stream;
    struct buffer in;  /* messages received, with prefixes */
    struct buffer out; /* messages to send, with prefixes; call.request is the rest of it */
};

/* A stream that is not open. It must not be moved once it is opened. */
void streaming_init(struct streaming *streaming);

/* Opens the stream, whose messages may have `max_message` bytes; connects if necessary. False with
 * *error set. */
bool streaming_open(struct streaming *streaming, struct channel *channel, const char *path,
                    size_t max_message, struct keystore_error *error);

/* Cancels the stream if it is not over and frees it; it may be opened again. `quietly`: sends
 * nothing, since the connection is another process'. */
void streaming_close(struct streaming *streaming, bool quietly);

/* Bytes of messages that wait to be sent. */
size_t streaming_unsent(const struct streaming *streaming);

/* Appends a message with its prefix to what is sent. False if memory is short. */
bool streaming_send(struct streaming *streaming, struct slice message)
    __attribute__((warn_unused_result));

/* There are no more messages to send. */
void streaming_half_close(struct streaming *streaming);

enum streaming_found {
    STREAMING_MESSAGE, /* *message is the next one, valid until streaming_drop() or a step */
    STREAMING_NOTHING, /* more must be received first */
    STREAMING_OVER,    /* there are no more: streaming_conclude() */
};

/* Finds the next message, which stays the next until it is dropped. */
enum streaming_found streaming_find(struct streaming *streaming, struct slice *message);
void streaming_drop(struct streaming *streaming, struct slice message);

/* To be called before a program waits for channel_descriptor(), since it was found that there is
 * nothing: what arrives from now on wakes it, also if another stream or call receives it. */
void streaming_await(struct streaming *streaming);

/* Sends and receives; as channel_step(). */
enum channel_step streaming_step(struct streaming *streaming, bool wait, int64_t deadline_ms);

/* The code of a stream that is over; the error is streaming->stream.call.error. */
enum keystore_code streaming_conclude(struct streaming *streaming);

#endif
