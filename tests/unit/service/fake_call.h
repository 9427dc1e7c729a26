/* Encoding of results, read back, for the tests of service/encode*.c. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_FAKE_CALL_H
#define KEYSTORE_TESTS_FAKE_CALL_H

#include "base/chain.h"
#include "service/encode.h"
#include "service/messages.h"

static size_t blob_bytes; /* of the newest encoding */

/* Encodes the result and reads it back as such a message, to be freed by the caller. */
static inline void *fake_call_encode(const struct encoder *encoder, const struct op_result *result,
                                     const ProtobufCMessageDescriptor *descriptor)
{
    struct chain reply = {0};
    encoder->write(result, &reply);
    size_t size = chain_length(&reply), written = 0;
    assert_int_equal(size, encoder->size(result));
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    struct iovec pieces[64];
    size_t count = chain_pieces(&reply, (struct chain_cursor){0}, pieces, 64);
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + written, pieces[i].iov_base, pieces[i].iov_len);
        written += pieces[i].iov_len;
    }
    assert_int_equal(written, size);
    blob_bytes = reply.referenced;
    void *message = protobuf_c_message_unpack(descriptor, NULL, size, bytes);
    assert_non_null(message);
    free(bytes);
    chain_deinit(&reply);
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
