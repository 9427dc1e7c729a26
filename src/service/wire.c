/*
 * Decoding driven by protobuf-c's descriptors, which covers every message of the schema. Unlike
 * protobuf_c_message_unpack() it does not copy bytes fields.
 */
#include "service/wire.h"

#include "base/check.h"

#include <stdalign.h>

/* The first capacity of a repeated field. */
#define FIRST_REPEATED 4
/* The elements that follow are counted first if at least as many bytes are left. */
#define WORTH_COUNTING ((size_t)512)

/* One value off the wire, before its field says what it means. */
struct value {
    enum wire_type type;
    uint64_t number; /* varint, or the bits of a fixed-size value */
    struct slice bytes;
};

static __attribute__((noinline)) bool wire_read_long_varint(struct slice *in, uint64_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < in->len && i < 10; i++) {
        value |= (uint64_t)(in->data[i] & 0x7f) << (7 * i);
        if ((in->data[i] & 0x80) == 0) {
            *number = value;
            *in = slice_skip(*in, i + 1);
            return true;
        }
    }
    return false;
}

/* Tags, and the lengths of small values, are numbers of one byte. */
static inline bool wire_read_varint(struct slice *in, uint64_t *number)
{
    if (in->len == 0 || in->data[0] >= 0x80)
        return wire_read_long_varint(in, number);
    *number = in->data[0];
    *in = slice_skip(*in, 1);
    return true;
}

/* Little-endian bits of a fixed-size value. */
static bool wire_read_fixed(struct slice *in, size_t size, uint64_t *number)
{
    if (in->len < size)
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++)
        *number |= (uint64_t)in->data[i] << (8 * i);
    *in = slice_skip(*in, size);
    return true;
}

static bool wire_read_value(struct slice *in, struct value *value)
{
    switch (value->type) {
    case WIRE_VARINT:
        return wire_read_varint(in, &value->number);
    case WIRE_FIXED64:
        return wire_read_fixed(in, 8, &value->number);
    case WIRE_FIXED32:
        return wire_read_fixed(in, 4, &value->number);
    case WIRE_BYTES:
        if (!wire_read_varint(in, &value->number) || value->number > in->len)
            return false;
        value->bytes = slice_make(in->data, (size_t)value->number);
        *in = slice_skip(*in, value->bytes.len);
        return true;
    }
    return false; /* groups, and types that do not exist */
}

/* One call of wire_decode(). */
struct decoding {
    struct arena *arena;
    size_t messages;   /* made so far */
    struct slice rest; /* of the message being read, after the current field */
};

/* Reads the number and the value of the next field. */
static bool wire_read_field(struct slice *in, unsigned *number, struct value *value)
{
    uint64_t tag;
    if (!wire_read_varint(in, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
        return false;
    *number = (unsigned)(tag >> 3);
    value->type = (enum wire_type)(tag & 7);
    return wire_read_value(in, value);
}

static bool wire_merge(ProtobufCMessage *message, struct slice bytes, struct decoding *decoding);

/* NULL if there are too many messages, or there is no memory for another. */
static ProtobufCMessage *wire_new_message(const ProtobufCMessageDescriptor *descriptor,
                                          struct decoding *decoding)
{
    if (decoding->messages > WIRE_MAX_MESSAGES)
        return NULL;
    decoding->messages++;
    ProtobufCMessage *message = arena_unfold(decoding->arena, descriptor->sizeof_message);
    if (message != NULL)
        descriptor->message_init(message);
    return message;
}

/* Bytes of a field in its struct; 0 if requests have no such type. */
static size_t wire_size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SINT64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    default:
        return 0;
    }
}

static enum wire_type wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return WIRE_BYTES;
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    default:
        return WIRE_VARINT;
    }
}

static bool wire_store_message(const ProtobufCFieldDescriptor *field, struct slice bytes,
                               struct decoding *decoding, ProtobufCMessage **member)
{
    /* A message that occurs twice is merged, as the specification demands. */
    if (*member == NULL)
        *member = wire_new_message(field->descriptor, decoding);
    return *member != NULL && wire_merge(*member, bytes, decoding);
}

/* protobuf-c's strings are zero-terminated, so a zero within would hide the rest. */
static bool wire_store_string(struct slice bytes, struct decoding *decoding, char **member)
{
    if (bytes.len > 0 && memchr(bytes.data, 0, bytes.len) != NULL)
        return false;
    *member = arena_unfold(decoding->arena, bytes.len + 1);
    if (*member == NULL)
        return false;
    if (bytes.len > 0)
        memcpy(*member, bytes.data, bytes.len);
    (*member)[bytes.len] = 0;
    return true;
}

static inline void wire_store_bytes(struct slice bytes, void *member)
{
    *(ProtobufCBinaryData *)member =
        (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)bytes.data};
}

/* Stores the value, whose wire type fits the field, at `member`. */
static bool wire_store(const ProtobufCFieldDescriptor *field, const struct value *value,
                       struct decoding *decoding, void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES:
        wire_store_bytes(value->bytes, member);
        return true;
    case PROTOBUF_C_TYPE_MESSAGE:
        return wire_store_message(field, value->bytes, decoding, member);
    case PROTOBUF_C_TYPE_STRING:
        return wire_store_string(value->bytes, decoding, member);
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)member = value->number != 0;
        return true;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)member = (uint32_t)value->number;
        return true;
    case PROTOBUF_C_TYPE_SINT64: /* zigzag */
        *(uint64_t *)member = value->number >> 1 ^ -(value->number & 1);
        return true;
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(member, &value->number, sizeof(double));
        return true;
    default:
        *(uint64_t *)member = value->number;
        return true;
    }
}

/* The elements of a repeated field with their capacity. */
struct elements {
    size_t capacity;
    alignas(max_align_t) char bytes[];
};

/* How often the field occurs in the rest of a message, as far as that is well-formed. */
static size_t wire_count_field(unsigned wanted, struct slice rest)
{
    size_t count = 0;
    unsigned number;
    struct value value;
    while (rest.len > 0 && wire_read_field(&rest, &number, &value))
        count += number == wanted;
    return count;
}

/* A larger array with the first `count` elements: large enough for all that follow, because the
 * arena frees nothing before the end, and at least twice as large, so that elements are not moved
 * often. NULL if there is no memory for it. */
static void *wire_larger_elements(const ProtobufCFieldDescriptor *field, const void *former,
                                  size_t count, const struct decoding *decoding)
{
    size_t size = wire_size_of(field->type), capacity = count == 0 ? FIRST_REPEATED : 2 * count;
    if (decoding->rest.len >= WORTH_COUNTING) {
        size_t following = count + 1 + wire_count_field(field->id, decoding->rest);
        capacity = count == 0 || following > capacity ? following : capacity;
    }
    struct elements *larger = arena_unfold(decoding->arena, sizeof *larger + capacity * size);
    if (larger == NULL)
        return NULL;
    larger->capacity = capacity;
    if (count > 0)
        memcpy(larger->bytes, former, count * size);
    return larger->bytes;
}

static size_t wire_capacity_of(void *elements)
{
    return ((struct elements *)(void *)((char *)elements - sizeof(struct elements)))->capacity;
}

/* Appends an element, to be filled by the caller (a message is NULL), and returns it; NULL if there
 * is no memory for it. */
static void *wire_append_element(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message,
                                 const struct decoding *decoding)
{
    size_t *count = (size_t *)(void *)((char *)message + field->quantifier_offset);
    void **elements = (void **)(void *)((char *)message + field->offset);
    size_t size = wire_size_of(field->type);
    if (*count == 0 || *count == wire_capacity_of(*elements)) {
        void *larger = wire_larger_elements(field, *elements, *count, decoding);
        if (larger == NULL)
            return NULL;
        *elements = larger;
    }
    void *element = (char *)*elements + *count * size;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        *(ProtobufCMessage **)element = NULL;
    ++*count;
    return element;
}

static bool wire_store_element(const ProtobufCFieldDescriptor *field, const struct value *value,
                               ProtobufCMessage *message, struct decoding *decoding)
{
    void *element = wire_append_element(field, message, decoding);
    return element != NULL && wire_store(field, value, decoding, element);
}

/* The elements of a packed repeated number, which are one field. */
static bool wire_store_packed(const ProtobufCFieldDescriptor *field, struct slice bytes,
                              ProtobufCMessage *message, struct decoding *decoding)
{
    struct value value = {.type = wire_type_of(field->type)};
    while (bytes.len > 0) {
        if (!wire_read_value(&bytes, &value) ||
            !wire_store_element(field, &value, message, decoding))
            return false;
    }
    return true;
}

/* A bytes field that occurs once: a key or a value. */
static bool wire_is_plain_bytes(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_BYTES && field->label != PROTOBUF_C_LABEL_REPEATED &&
           (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0;
}

static bool wire_store_field(const ProtobufCFieldDescriptor *field, const struct value *value,
                             ProtobufCMessage *message, struct decoding *decoding)
{
    if (value->type == WIRE_BYTES && wire_is_plain_bytes(field)) {
        wire_store_bytes(value->bytes, (char *)message + field->offset);
        return true;
    }
    enum wire_type expected = wire_type_of(field->type);
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    if (wire_size_of(field->type) == 0)
        return false;
    if (value->type != expected) {
        return repeated && value->type == WIRE_BYTES &&
               wire_store_packed(field, value->bytes, message, decoding);
    }
    if (repeated)
        return wire_store_element(field, value, message, decoding);
    void *member = (char *)message + field->offset;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t *which = (uint32_t *)(void *)((char *)message + field->quantifier_offset);
        if (*which != field->id)
            memset(member, 0, wire_size_of(field->type));
        *which = field->id;
    }
    return wire_store(field, value, decoding, member);
}

/* Descriptors have the fields in the order of their numbers, which in nearly all messages are 1, 2,
 * 3 and so on. */
static const ProtobufCFieldDescriptor *wire_field_of(const ProtobufCMessageDescriptor *descriptor,
                                                     unsigned number)
{
    if (number <= descriptor->n_fields && descriptor->fields[number - 1].id == number)
        return &descriptor->fields[number - 1];
    return protobuf_c_message_descriptor_get_field(descriptor, number);
}

static bool wire_merge(ProtobufCMessage *message, struct slice bytes, struct decoding *decoding)
{
    while (bytes.len > 0) {
        unsigned number;
        struct value value;
        if (!wire_read_field(&bytes, &number, &value))
            return false;
        const ProtobufCFieldDescriptor *field = wire_field_of(message->descriptor, number);
        decoding->rest = bytes;
        if (field != NULL && !wire_store_field(field, &value, message, decoding))
            return false;
    }
    return true;
}

enum err wire_decode(const ProtobufCMessageDescriptor *descriptor, struct slice bytes,
                     struct arena *arena, void **message)
{
    struct decoding decoding = {.arena = arena};
    *message = wire_new_message(descriptor, &decoding);
    if (*message != NULL && wire_merge(*message, bytes, &decoding))
        return ERR_NONE;
    if (arena->refusal != ERR_NONE)
        return arena->refusal;
    return decoding.messages > WIRE_MAX_MESSAGES ? ERR_TOO_LARGE : ERR_BAD_MESSAGE;
}
