/*
 * Extracts the one message of a unary request from its DATA: a Length-Prefixed-Message of gRPC,
 * that is a 5-byte prefix (Compressed-Flag, Message-Length) and the message. A message that arrives
 * in one piece is not copied; a large one is gathered in a blob of its length, so that a value that
 * makes up nearly all of it can be kept without a copy. A compressed message is gathered as it is,
 * and inflated when it is complete.
 */
#ifndef KEYSTORE_GRPC_MESSAGE_H
#define KEYSTORE_GRPC_MESSAGE_H

#include "base/blob.h"
#include "base/buf.h"
#include "base/err.h"

#define GRPC_PREFIX_SIZE 5
/* The Compressed-Flag of a message compressed with the grpc-encoding. */
#define GRPC_COMPRESSED 1

/* All zero is a message of which nothing has arrived. */
struct grpc_message {
    uint8_t prefix[GRPC_PREFIX_SIZE]; /* what has arrived of the prefix, if not borrowed */
    uint8_t prefix_len;
    size_t expected;       /* the length of the message, once the prefix is complete */
    struct slice borrowed; /* the whole message in the caller's buffer */
    struct buf gathered;   /* else a copy of what has arrived; its memory is that of: */
    struct blob *blob;     /* NULL unless enough of a large message has arrived: it has room for all
                              of it. It may be cut meanwhile */
};

/* As grpc_message_deinit(), for a message with copied bytes. */
void grpc_message_drop_gathered(struct grpc_message *message);

/* Frees the copied bytes. */
static inline void grpc_message_deinit(struct grpc_message *message)
{
    if (message->gathered.data != NULL)
        grpc_message_drop_gathered(message);
}

/* The Message-Length of a prefix. */
static inline size_t grpc_message_read_size(const uint8_t prefix[GRPC_PREFIX_SIZE])
{
    return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
           (size_t)prefix[4];
}

/*
 * Consumes the next bytes. ERR_TOO_LARGE as soon as the prefix announces more than `max` bytes,
 * ERR_NOT_SERVED for a second message, ERR_BAD_MESSAGE for a malformed prefix, ERR_NO_CLIENT_MEMORY
 * if the clients' account refuses the blob for a large message or the system has no memory for it.
 * On errors *why is the error message.
 */
enum err grpc_message_take(struct grpc_message *message, struct slice bytes, size_t max,
                           const char **why) __attribute__((warn_unused_result));

/*
 * The fast path: borrows a whole message, not empty and of at most `max` bytes, that makes up the
 * first piece, as in nearly every call. Otherwise false, with nothing done: call
 * grpc_message_take().
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

/* As grpc_message_check_complete(), for a message that is not borrowed. */
enum err grpc_message_check_gathered(const struct grpc_message *message, const char **why)
    __attribute__((warn_unused_result));

/* Called at the end of the request: ERR_NONE if exactly one message has arrived, else
 * ERR_NOT_SERVED if there is none, or ERR_BAD_MESSAGE if it is truncated. */
static inline enum err grpc_message_check_complete(const struct grpc_message *message,
                                                   const char **why)
{
    return message->borrowed.len > 0 ? ERR_NONE : grpc_message_check_gathered(message, why);
}

/* True if the message, whose prefix is complete, is compressed. */
static inline bool grpc_message_is_compressed(const struct grpc_message *message)
{
    return message->prefix[0] == GRPC_COMPRESSED;
}

/*
 * Replaces a complete compressed message, as it has arrived, by what it inflates to, in memory of
 * its own. `size` is from gunzip_size(). ERR_BAD_MESSAGE if it is corrupt, ERR_NO_CLIENT_MEMORY as
 * above; then it is unchanged, and *why is the error message, valid until the next call by this
 * thread.
 */
enum err grpc_message_inflate(struct grpc_message *message, size_t size, const char **why)
    __attribute__((warn_unused_result));

/* Where the rest of the message, *size bytes, is to be stored; NULL if no blob has been allocated.
 * grpc_message_take() does not copy bytes that are there already. */
uint8_t *grpc_message_space(struct grpc_message *message, size_t *size);

/* Copies a borrowed message, because the caller's buffer is about to be reused. */
void grpc_message_keep(struct grpc_message *message);

/* The complete message. */
static inline struct slice grpc_message_bytes(const struct grpc_message *message)
{
    if (message->borrowed.len > 0)
        return message->borrowed;
    return buf_slice(&message->gathered);
}

/* Bytes that have arrived and were copied. */
static inline size_t grpc_message_gathered(const struct grpc_message *message)
{
    return message->gathered.len;
}

/* Bytes of memory allocated for them. */
static inline size_t grpc_message_memory(const struct grpc_message *message)
{
    return message->blob != NULL ? message->expected : message->gathered.cap;
}

/* Writes the prefix of an uncompressed message of `size` bytes (below 4 GiB) to `out`. */
void grpc_message_write_prefix(uint8_t out[GRPC_PREFIX_SIZE], size_t size);

#endif
