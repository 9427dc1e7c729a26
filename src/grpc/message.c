/* Length-prefixed messages of gRPC. Knows nothing of streams or of what the bytes mean. */
#include "grpc/message.h"

#include <stdlib.h>

/* A message in pieces has room for so many times the bytes that have arrived, though never for more
 * than all of it: growing copies a seventh of it at most, and a prefix alone takes no memory. */
#define ROOM_AHEAD 8

void grpc_message_deinit(struct grpc_message *message)
{
    buf_deinit(&message->gathered);
}

static enum err read_prefix(struct grpc_message *message, const uint8_t prefix[GRPC_PREFIX_SIZE],
                            size_t max, const char **why)
{
    if (prefix[0] == 1) {
        *why = "the message is marked as compressed, but grpc-encoding is identity; send it "
               "uncompressed";
        return ERR_BAD_MESSAGE;
    }
    if (prefix[0] != 0) {
        *why = "the message's compressed-flag is neither 0 nor 1; a gRPC message is a flag byte, "
               "4 bytes of length, and that many bytes";
        return ERR_BAD_MESSAGE;
    }
    message->expected = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
                        (size_t)prefix[4];
    if (message->expected > max) {
        *why = "the message is larger than this server takes (--max-value and room for a key)";
        return ERR_TOO_LARGE;
    }
    buf_init(&message->gathered, message->expected);
    return ERR_NONE;
}

/* Nearly always it comes as a whole: then it is read where it is. */
static enum err take_prefix(struct grpc_message *message, struct slice *bytes, size_t max,
                            const char **why)
{
    if (message->prefix_len == 0 && bytes->len >= GRPC_PREFIX_SIZE) {
        const uint8_t *prefix = bytes->data;
        message->prefix_len = GRPC_PREFIX_SIZE;
        *bytes = slice_skip(*bytes, GRPC_PREFIX_SIZE);
        return read_prefix(message, prefix, max, why);
    }
    while (message->prefix_len < GRPC_PREFIX_SIZE && bytes->len > 0) {
        message->prefix[message->prefix_len++] = bytes->data[0];
        *bytes = slice_skip(*bytes, 1);
        if (message->prefix_len == GRPC_PREFIX_SIZE)
            return read_prefix(message, message->prefix, max, why);
    }
    return ERR_NONE;
}

/* Appends to what has arrived; false if there is more than expected. */
static bool gather(struct grpc_message *message, struct slice bytes)
{
    struct buf *gathered = &message->gathered;
    size_t arrived = gathered->len + bytes.len;
    if (arrived > gathered->cap && arrived <= message->expected) {
        size_t room =
            arrived < message->expected / ROOM_AHEAD ? arrived * ROOM_AHEAD : message->expected;
        if (buf_reserve(gathered, room - gathered->len) == NULL)
            return false;
    }
    return buf_append(gathered, bytes);
}

enum err grpc_message_take(struct grpc_message *message, struct slice bytes, size_t max,
                           const char **why)
{
    if (message->prefix_len < GRPC_PREFIX_SIZE) {
        enum err err = take_prefix(message, &bytes, max, why);
        if (err != ERR_NONE)
            return err;
    }
    if (bytes.len == 0)
        return ERR_NONE;
    if (bytes.len > message->expected - message->borrowed.len - message->gathered.len) {
        *why = "the request holds more than one message; a unary call sends exactly one";
        return ERR_NOT_SERVED;
    }
    if (bytes.len == message->expected)
        message->borrowed = bytes;
    else if (!gather(message, bytes))
        abort(); /* checked above */
    return ERR_NONE;
}

enum err grpc_message_check_complete(const struct grpc_message *message, const char **why)
{
    if (message->prefix_len == 0) {
        *why = "the request holds no message; a unary call sends exactly one (it may be empty: "
               "5 zero bytes)";
        return ERR_NOT_SERVED;
    }
    if (message->prefix_len < GRPC_PREFIX_SIZE ||
        message->borrowed.len + message->gathered.len < message->expected) {
        *why = "the request ended in the middle of its message; send as many bytes as its "
               "length prefix says";
        return ERR_BAD_MESSAGE;
    }
    return ERR_NONE;
}

void grpc_message_keep(struct grpc_message *message)
{
    if (message->borrowed.len == 0)
        return;
    if (!buf_append(&message->gathered, message->borrowed))
        abort(); /* the limit is `expected`, which is the length */
    message->borrowed = (struct slice){0};
}

struct slice grpc_message_bytes(const struct grpc_message *message)
{
    return message->borrowed.len > 0 ? message->borrowed : buf_slice(&message->gathered);
}

void grpc_message_write_prefix(uint8_t out[GRPC_PREFIX_SIZE], size_t size)
{
    out[0] = 0;
    out[1] = (uint8_t)(size >> 24);
    out[2] = (uint8_t)(size >> 16);
    out[3] = (uint8_t)(size >> 8);
    out[4] = (uint8_t)size;
}
