/* Fields of protobuf messages, as far as requests and answers need them. */
#ifndef KEYSTORE_BENCH_MESSAGE_H
#define KEYSTORE_BENCH_MESSAGE_H

#include "base/buf.h"

#define MESSAGE_PREFIX     ((size_t)5) /* gRPC's, before each message: a flag and the length */
#define MESSAGE_MAX_VARINT ((size_t)10)

enum { MESSAGE_VARINT = 0, MESSAGE_FIXED64 = 1, MESSAGE_BYTES = 2, MESSAGE_FIXED32 = 5 };

/* A varint in `number`, or bytes. */
struct message_field {
    uint64_t id;
    uint64_t number;
    struct slice bytes;
};

/* Takes a number from the start of the bytes; false if there is none. */
bool message_take_varint(struct slice *in, uint64_t *number) __attribute__((warn_unused_result));

/* Takes the next field of a message that is not empty; false if it does not decode. */
bool message_take_field(struct slice *in, struct message_field *field)
    __attribute__((warn_unused_result));

/* The buffers that the following append to are large enough, or have no limit. */

void message_put_varint(struct buf *out, uint64_t number);

/* Appends a field of bytes; returns where the caller must write them, valid until the next append.
 */
uint8_t *message_put_bytes(struct buf *out, unsigned field, size_t len);

/* Appends room for gRPC's prefix; returns its offset, for message_end(). */
size_t message_begin(struct buf *out);

/* Completes the prefix of the message that has been appended since. */
void message_end(struct buf *out, size_t begin);

#endif
