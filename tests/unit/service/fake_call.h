/*
 * A call whose reply is caught: this file takes the place of grpc/server.c in the tests of
 * service/encode*.c. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_FAKE_CALL_H
#define KEYSTORE_TESTS_FAKE_CALL_H

#include "base/blob.h"
#include "grpc/server.h"
#include "service/encode.h"
#include "service/messages.h"

struct grpc_call {
    uint8_t *reply; /* of exactly the announced size, so that a sanitizer sees what passes it */
    size_t size;
    size_t written;
    size_t blob_bytes; /* of them, not copied */
    bool ended;
};

void grpc_call_reply_begin(struct grpc_call *call, size_t size)
{
    assert_null(call->reply);
    call->reply = malloc(size > 0 ? size : 1);
    call->size = size;
}

uint8_t *grpc_call_reply_bytes(struct grpc_call *call, size_t size)
{
    assert_non_null(call->reply);
    assert_true(size <= call->size - call->written);
    call->written += size;
    return call->reply + call->written - size;
}

void grpc_call_reply_blob(struct grpc_call *call, struct blob *blob, struct slice part)
{
    assert_true(part.data >= blob->data && part.len <= blob->len);
    memcpy(grpc_call_reply_bytes(call, part.len), part.data, part.len);
    call->blob_bytes += part.len;
    blob_release(blob);
}

void grpc_call_reply_end(struct grpc_call *call)
{
    assert_int_equal(call->written, call->size);
    assert_false(call->ended);
    call->ended = true;
}

static size_t blob_bytes; /* of the newest encoding */

/* Encodes the result and reads it back as such a message, to be freed by the caller. */
static inline void *fake_call_encode(const struct encoder *encoder, const struct op_result *result,
                                     const ProtobufCMessageDescriptor *descriptor)
{
    struct grpc_call call = {0};
    encode(encoder, result, &call);
    assert_true(call.ended);
    blob_bytes = call.blob_bytes;
    void *message = protobuf_c_message_unpack(descriptor, NULL, call.size, call.reply);
    assert_non_null(message);
    free(call.reply);
    return message;
}

static inline struct blob *fake_call_blob(size_t len)
{
    struct blob *blob = blob_new(len);
    for (size_t i = 0; i < len; i++)
        blob->data[i] = (uint8_t)(i * 31 >> 3);
    return blob;
}

#endif
