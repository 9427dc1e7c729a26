/* Messages of the wire as initializers, and what their bytes become. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_CLIENT_WIRE_MESSAGE_H
#define KEYSTORE_TESTS_CLIENT_WIRE_MESSAGE_H

#include "mini_redis.pb-c.h"

#define WIRE(type) .base = PROTOBUF_C_MESSAGE_INIT(&keystore__v1__##type##__descriptor)

#define WIRE_BYTES(text)                                                                           \
    {                                                                                              \
        sizeof(text) - 1, (uint8_t *)(text)                                                        \
    }

#define assert_slice(slice, literal)                                                               \
    do {                                                                                           \
        assert_int_equal((slice).len, sizeof(literal) - 1);                                        \
        assert_memory_equal((slice).data, literal, sizeof(literal) - 1);                           \
    } while (0)

#endif
