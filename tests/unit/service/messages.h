/*
 * Short ways to make request messages and to read replies, with protobuf-c itself. Included after
 * <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_MESSAGES_H
#define KEYSTORE_TESTS_MESSAGES_H

#include "base/slice.h"

#include <mini_redis.pb-c.h>
#include <stdlib.h>

/* protobuf-c has no const; the bytes are only read. */
static inline ProtobufCBinaryData message_bytes(struct slice bytes)
{
    return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)bytes.data};
}

static inline ProtobufCBinaryData message_text(const char *text)
{
    return message_bytes(slice_from_string(text));
}

static inline struct slice message_slice(ProtobufCBinaryData bytes)
{
    return slice_make(bytes.data, bytes.len);
}

/* The message packed in memory of exactly its size, which the caller frees. */
static inline struct slice message_pack(const void *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    assert_int_equal(protobuf_c_message_pack(message, bytes), size);
    return slice_make(bytes, size);
}

static inline void message_free_packed(struct slice packed)
{
    free((void *)packed.data);
}

static inline void assert_bytes_are(ProtobufCBinaryData bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    if (bytes.len > 0)
        assert_memory_equal(bytes.data, text, bytes.len);
}

#endif
