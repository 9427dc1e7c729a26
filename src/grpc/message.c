/* Length-prefixed messages of gRPC. Knows nothing of streams or of the content of messages. */
#include "grpc/message.h"

#include "base/account.h"
#include "base/check.h"
#include "grpc/gunzip.h"

/* The buffer of a message that arrives in pieces has a capacity of GROWTH times the bytes received,
 * but at most 1/FULL_SHARE of the message, until that share has arrived: then it gets the capacity
 * of the whole message. So a prefix alone takes no memory, and growing copies only a few percent of
 * the message. */
#define GROWTH     8
#define FULL_SHARE 32
/* From this size in bytes on, a whole message gets a blob, which the account counts as a large
 * block. */
#define LARGE ACCOUNT_LEAST

void grpc_message_drop_gathered(struct grpc_message *message)
{
    if (message->blob == NULL) {
        buf_deinit(&message->gathered);
        return;
    }
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)blob_memory(message->blob));
    blob_release(message->blob);
    message->blob = NULL;
    message->gathered = (struct buf){0};
}

static enum err message_read_prefix(struct grpc_message *message, size_t max, const char **why)
{
    const uint8_t *prefix = message->prefix;
    if (prefix[0] > GRPC_COMPRESSED) {
        *why = "the message's compressed-flag is neither 0 nor 1; a gRPC message is a flag byte, "
               "4 bytes of length, and that many bytes";
        return ERR_BAD_MESSAGE;
    }
    message->expected = grpc_message_read_size(prefix);
    if (message->expected > max) {
        *why = "the message is larger than this server accepts (--max-value plus 1 MiB)";
        return ERR_TOO_LARGE;
    }
    buf_init(&message->gathered, message->expected);
    return ERR_NONE;
}

static enum err message_take_prefix(struct grpc_message *message, struct slice *bytes, size_t max,
                                    const char **why)
{
    while (message->prefix_len < GRPC_PREFIX_SIZE && bytes->len > 0) {
        message->prefix[message->prefix_len++] = bytes->data[0];
        *bytes = slice_skip(*bytes, 1);
        if (message->prefix_len == GRPC_PREFIX_SIZE)
            return message_read_prefix(message, max, why);
    }
    return ERR_NONE;
}

static void message_append_to_blob(struct grpc_message *message, struct slice bytes)
{
    CHECK(message->gathered.len + bytes.len <= message->expected);
    uint8_t *end = message->gathered.data + message->gathered.len;
    if (bytes.data != end)
        memcpy(end, bytes.data, bytes.len);
    message->gathered.len += bytes.len;
}

/* The account has counted the blob already. False if the system has no memory for it. */
static bool message_take_blob(struct grpc_message *message)
{
    DCHECK(message->blob == NULL);
    message->blob = blob_try_new(message->expected);
    if (message->blob == NULL)
        return false;
    struct buf gathered = message->gathered;
    message->gathered = (struct buf){.data = message->blob->data};
    if (gathered.len > 0)
        message_append_to_blob(message, buf_slice(&gathered));
    buf_deinit(&gathered);
    return true;
}

/* `count` is within the buffer's limit, which is `expected`. */
static void message_reserve_gathered(struct buf *gathered, size_t count)
{
    const uint8_t *end = buf_reserve(gathered, count);
    CHECK(end != NULL);
}

/* Allocates a blob for the whole message. False if the account refuses it, which is not asked if it
 * `must` be, or the system has no memory. */
static bool message_make_blob(struct grpc_message *message, bool must, const char **why)
{
    size_t memory = blob_memory_for(message->expected);
    if (must) {
        account_count(ACCOUNT_CLIENTS, (ptrdiff_t)memory);
    } else if (!account_reserve(memory, message->gathered.cap)) {
        *why = account_full;
        return false;
    }
    if (message_take_blob(message))
        return true;
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)memory);
    *why = account_starved;
    return false;
}

/* Makes sure that the buffer can hold `arrived` bytes, which is at most `expected`. */
static bool message_reserve(struct grpc_message *message, size_t arrived, bool must,
                            const char **why)
{
    struct buf *gathered = &message->gathered;
    size_t share = message->expected / FULL_SHARE, capacity = arrived * GROWTH;
    if (message->blob != NULL || arrived <= gathered->cap)
        return true;
    if (arrived >= share)
        capacity = message->expected;
    else if (capacity > share)
        capacity = share;
    if (capacity == message->expected && capacity >= LARGE)
        return message_make_blob(message, must, why);
    message_reserve_gathered(gathered, capacity - gathered->len);
    return true;
}

/* Appends to what has arrived; the capacity suffices. */
static void message_gather(struct grpc_message *message, struct slice bytes)
{
    CHECK(grpc_message_gathered(message) + bytes.len <= message->expected);
    if (message->blob != NULL) {
        message_append_to_blob(message, bytes);
        return;
    }
    bool fits = buf_append(&message->gathered, bytes);
    CHECK(fits); /* its limit is `expected` */
}

static size_t message_arrived(const struct grpc_message *message)
{
    return message->borrowed.len + grpc_message_gathered(message);
}

enum err grpc_message_take(struct grpc_message *message, struct slice bytes, size_t max,
                           const char **why)
{
    if (message->prefix_len < GRPC_PREFIX_SIZE) {
        enum err err = message_take_prefix(message, &bytes, max, why);
        if (err != ERR_NONE)
            return err;
    }
    if (bytes.len == 0)
        return ERR_NONE;
    if (bytes.len > message->expected - message_arrived(message)) {
        *why = "the request holds more than one message; a unary call sends exactly one";
        return ERR_NOT_SERVED;
    }
    if (bytes.len == message->expected) {
        message->borrowed = bytes;
        return ERR_NONE;
    }
    if (!message_reserve(message, grpc_message_gathered(message) + bytes.len, false, why))
        return ERR_NO_CLIENT_MEMORY;
    message_gather(message, bytes);
    return ERR_NONE;
}

enum err grpc_message_check_gathered(const struct grpc_message *message, const char **why)
{
    if (message->prefix_len == 0) {
        *why = "the request holds no message; a unary call sends exactly one (it may be empty: "
               "5 zero bytes)";
        return ERR_NOT_SERVED;
    }
    if (message->prefix_len < GRPC_PREFIX_SIZE || message_arrived(message) < message->expected) {
        *why = "the request ended in the middle of its message; send as many bytes as its "
               "length prefix says";
        return ERR_BAD_MESSAGE;
    }
    return ERR_NONE;
}

uint8_t *grpc_message_space(struct grpc_message *message, size_t *size)
{
    if (message->blob == NULL)
        return NULL;
    *size = message->expected - message->gathered.len;
    return message->gathered.data + message->gathered.len;
}

void grpc_message_keep(struct grpc_message *message)
{
    if (message->borrowed.len == 0)
        return;
    const char *why;
    bool is_there = message_reserve(message, message->borrowed.len, true, &why);
    CHECK(is_there); /* it arrived in one piece, so it is too small to be refused */
    message_gather(message, message->borrowed);
    message->borrowed = (struct slice){0};
    DCHECK(grpc_message_gathered(message) <= message->expected);
}

enum err grpc_message_inflate(struct grpc_message *message, size_t size, const char **why)
{
    DCHECK(grpc_message_is_compressed(message));
    struct grpc_message inflated = {.prefix_len = GRPC_PREFIX_SIZE, .expected = size};
    buf_init(&inflated.gathered, size);
    if (!message_reserve(&inflated, size, false, why))
        return ERR_NO_CLIENT_MEMORY;
    enum err err = gunzip(grpc_message_bytes(message), inflated.gathered.data, size, why);
    if (err != ERR_NONE) {
        grpc_message_deinit(&inflated);
        return err;
    }
    inflated.gathered.len = size;
    grpc_message_deinit(message);
    *message = inflated;
    return ERR_NONE;
}

void grpc_message_write_prefix(uint8_t out[GRPC_PREFIX_SIZE], size_t size)
{
    out[0] = 0;
    out[1] = (uint8_t)(size >> 24);
    out[2] = (uint8_t)(size >> 16);
    out[3] = (uint8_t)(size >> 8);
    out[4] = (uint8_t)size;
}
