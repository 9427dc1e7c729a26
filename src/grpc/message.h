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

void grpc_message_deinit(struct grpc_message *message);

/*
 * Takes the next bytes. ERR_TOO_LARGE as soon as the prefix says more than `max`, ERR_NOT_SERVED
 * for a second message, ERR_BAD_MESSAGE for a malformed prefix or one that says compressed, which
 * no accepted grpc-encoding is, ERR_OUT_OF_MEMORY if the system gives no memory for it; *why is
 * then a sentence.
 */
enum err grpc_message_take(struct grpc_message *message, struct slice bytes, size_t max,
                           const char **why) __attribute__((warn_unused_result));

/* To be called when the request has ended: ERR_NONE if exactly one message has arrived. */
enum err grpc_message_check_complete(const struct grpc_message *message, const char **why)
    __attribute__((warn_unused_result));

/* Where the rest of it shall lie, `size` bytes; NULL if it has no memory yet. What was put there
 * already is then taken without a copy. */
uint8_t *grpc_message_room(struct grpc_message *message, size_t *size);

/* Copies what is borrowed, because its memory is about to go. */
void grpc_message_keep(struct grpc_message *message);

/* The complete message. */
struct slice grpc_message_bytes(const struct grpc_message *message);

/* Bytes that have arrived and were copied, and bytes of memory taken for them. */
size_t grpc_message_gathered(const struct grpc_message *message);
size_t grpc_message_memory(const struct grpc_message *message);

/* Writes the prefix of an uncompressed message of `size` bytes (below 4 GiB) to `out`. */
void grpc_message_write_prefix(uint8_t out[GRPC_PREFIX_SIZE], size_t size);

#endif
