/*
 * Cutting the one message of a unary request out of its DATA: a 5-byte prefix (flag, length), then
 * the message. A message that arrives in one piece is not copied; a large one is gathered in a blob
 * of its length, so that whoever wants a value that makes up nearly all of it may keep that.
 */
#ifndef KEYSTORE_GRPC_MESSAGE_H
#define KEYSTORE_GRPC_MESSAGE_H

#include "base/blob.h"
#include "base/buf.h"
#include "base/err.h"

#define GRPC_PREFIX_SIZE 5

/* All zero is a message of which nothing has arrived. */
struct grpc_message {
    uint8_t prefix[GRPC_PREFIX_SIZE]; /* what has arrived of one that came in pieces */
    uint8_t prefix_len;
    size_t expected;       /* bytes of message, once the prefix is complete */
    struct slice borrowed; /* the whole message, where the caller's bytes are */
    struct buf gathered;   /* else what has arrived of it, */
    struct blob *blob;     /* or NULL; of a large one, of which enough has arrived: all of it, */
    struct slice in_blob;  /* with what has arrived. The blob may be cut meanwhile */
};

/* The same as grpc_message_deinit(), for a message of which something was copied. */
void grpc_message_drop_gathered(struct grpc_message *message);

/* Gives back what was copied. */
static inline void grpc_message_deinit(struct grpc_message *message)
{
    if (message->gathered.data != NULL || message->blob != NULL)
        grpc_message_drop_gathered(message);
}

/* The length that a prefix announces. */
static inline size_t grpc_message_read_size(const uint8_t prefix[GRPC_PREFIX_SIZE])
{
    return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
           (size_t)prefix[4];
}

/*
 * Takes the next bytes. ERR_TOO_LARGE as soon as the prefix says more than `max`, ERR_NOT_SERVED
 * for a second message, ERR_BAD_MESSAGE for a malformed prefix or one that says compressed, which
 * no accepted grpc-encoding is, ERR_OUT_OF_MEMORY if the clients' account does not allow the blob
 * that a large one needs, or the system does not give it; *why is then an error message.
 */
enum err grpc_message_take(struct grpc_message *message, struct slice bytes, size_t max,
                           const char **why) __attribute__((warn_unused_result));

/*
 * Takes what nearly every call sends: a whole message, not empty and of at most `max` bytes, in the
 * first piece that comes, which is borrowed. False, with nothing done, if that is something else,
 * which grpc_message_take() takes or refuses.
 */
static inline bool grpc_message_borrow(struct grpc_message *message, struct slice bytes, size_t max)
{
    if (message->prefix_len > 0 || bytes.len <= GRPC_PREFIX_SIZE || bytes.data[0] != 0)
        return false;
    size_t size = grpc_message_read_size(bytes.data);
    if (size != bytes.len - GRPC_PREFIX_SIZE || size > max)
        return false;
    message->prefix_len = GRPC_PREFIX_SIZE;
    message->expected = size;
    message->gathered.limit = size;
    message->borrowed = slice_skip(bytes, GRPC_PREFIX_SIZE);
    return true;
}

/* The same as grpc_message_check_complete(), for a message that is not borrowed. */
enum err grpc_message_check_gathered(const struct grpc_message *message, const char **why)
    __attribute__((warn_unused_result));

/* To be called when the request has ended: ERR_NONE if exactly one message has arrived. */
static inline enum err grpc_message_check_complete(const struct grpc_message *message,
                                                   const char **why)
{
    return message->borrowed.len > 0 ? ERR_NONE : grpc_message_check_gathered(message, why);
}

/* Where the rest of it shall lie, `size` bytes; NULL if it has no memory yet. What was put there
 * already is then taken without a copy. */
uint8_t *grpc_message_room(struct grpc_message *message, size_t *size);

/* Copies what is borrowed, because its memory is about to go. */
void grpc_message_keep(struct grpc_message *message);

/* The complete message. */
static inline struct slice grpc_message_bytes(const struct grpc_message *message)
{
    if (message->borrowed.len > 0)
        return message->borrowed;
    return message->blob != NULL ? message->in_blob : buf_slice(&message->gathered);
}

/* Bytes that have arrived and were copied... */
static inline size_t grpc_message_gathered(const struct grpc_message *message)
{
    return message->blob != NULL ? message->in_blob.len : message->gathered.len;
}

/* ...and bytes of memory taken for them. */
static inline size_t grpc_message_memory(const struct grpc_message *message)
{
    return message->blob != NULL ? message->expected : message->gathered.cap;
}

/* Writes the prefix of an uncompressed message of `size` bytes (below 4 GiB) to `out`. */
void grpc_message_write_prefix(uint8_t out[GRPC_PREFIX_SIZE], size_t size);

#endif
