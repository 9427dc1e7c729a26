/*
 * Whether a sample of a message leaves out a field, so that one that is added to the API later is
 * not forgotten. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_CLIENT_EVERY_FIELD_H
#define KEYSTORE_TESTS_CLIENT_EVERY_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <string.h>

static inline size_t every_field_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

/* Whether the field differs from its default; one of several (oneof) counts as set. */
static inline bool every_field_is_set(const ProtobufCMessage *message,
                                      const ProtobufCFieldDescriptor *field)
{
    static const uint8_t zeroes[sizeof(ProtobufCBinaryData)];
    const uint8_t *bytes = (const uint8_t *)message;
    size_t count;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return true;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, bytes + field->quantifier_offset, sizeof count);
        return count > 0;
    }
    return memcmp(bytes + field->offset, zeroes, every_field_size(field)) != 0;
}

/* Fails for a field that has its default; `except` is the name of one that may, or NULL. */
static inline void assert_every_field(const ProtobufCMessage *message, const char *except)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (except != NULL && strcmp(field->name, except) == 0)
            continue;
        if (!every_field_is_set(message, field))
            fail_msg("%s.%s is not set", message->descriptor->short_name, field->name);
    }
}

#endif
