/* Between public structs and generated protobuf messages. Refuses to know how they travel. */
#include "client/messages.h"

#include "mini_redis.pb-c.h"

static ProtobufCBinaryData to_wire(struct keystore_slice slice)
{
    /* protobuf-c only reads what it packs. */
    return (ProtobufCBinaryData){.len = slice.len, .data = (uint8_t *)slice.data};
}

static struct keystore_slice from_wire(ProtobufCBinaryData data)
{
    return (struct keystore_slice){.data = data.data, .len = data.len};
}

static bool pack(struct buf *out, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *end = buf_reserve(out, size);
    if (end == NULL)
        return false;
    out->len += protobuf_c_message_pack(message, end);
    return true;
}

/* Fills *wire and returns it, or NULL when there is no condition. */
static Keystore__V1__Condition *pack_condition(const struct keystore_condition *condition,
                                               Keystore__V1__Condition *wire)
{
    if (condition == NULL)
        return NULL;
    keystore__v1__condition__init(wire);
    wire->existence = (Keystore__V1__Existence)condition->existence;
    wire->version = condition->version;
    wire->match_value = condition->match_value;
    wire->value = to_wire(condition->value);
    return wire;
}

bool messages_pack_key(struct buf *out, const struct keystore_key *key)
{
    Keystore__V1__Condition condition;
    Keystore__V1__Key wire = KEYSTORE__V1__KEY__INIT;
    wire.key = to_wire(key->key);
    wire.db = key->db;
    wire.condition = pack_condition(key->condition, &condition);
    return pack(out, &wire.base);
}

bool messages_pack_key_value(struct buf *out, const struct keystore_key_value *key_value)
{
    Keystore__V1__Condition condition;
    Keystore__V1__KeyValue wire = KEYSTORE__V1__KEY_VALUE__INIT;
    wire.key = to_wire(key_value->key);
    wire.value = to_wire(key_value->value);
    wire.db = key_value->db;
    wire.return_previous = key_value->return_previous;
    wire.condition = pack_condition(key_value->condition, &condition);
    return pack(out, &wire.base);
}

bool messages_pack_list_range(struct buf *out, const struct keystore_list_range *range)
{
    Keystore__V1__ListRange wire = KEYSTORE__V1__LIST_RANGE__INIT;
    wire.key = to_wire(range->key);
    wire.start = range->start;
    wire.stop = range->stop;
    wire.db = range->db;
    return pack(out, &wire.base);
}

bool messages_pack_list_insert(struct buf *out, struct arena *arena,
                               const struct keystore_list_insert *insert)
{
    Keystore__V1__Condition condition;
    Keystore__V1__ListInsert wire = KEYSTORE__V1__LIST_INSERT__INIT;
    wire.key = to_wire(insert->key);
    wire.n_values = insert->count;
    wire.values = arena_alloc(arena, insert->count * sizeof *wire.values);
    for (size_t i = 0; i < insert->count; i++)
        wire.values[i] = to_wire(insert->values[i]);
    wire.db = insert->db;
    wire.max_length = insert->max_length;
    wire.condition = pack_condition(insert->condition, &condition);
    return pack(out, &wire.base);
}

static void *arena_alloc_for_protobuf(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void arena_free_for_protobuf(void *arena, void *memory)
{
    (void)arena;
    (void)memory; /* given back with the arena */
}

/* The message of this type in `bytes`, in the arena; NULL if there is none. */
static void *unpack(const ProtobufCMessageDescriptor *type, struct slice bytes, struct arena *arena)
{
    ProtobufCAllocator allocator = {
        .alloc = arena_alloc_for_protobuf,
        .free = arena_free_for_protobuf,
        .allocator_data = arena,
    };
    return protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.data);
}

static struct keystore_value value_from_wire(const Keystore__V1__Value *wire)
{
    return (struct keystore_value){
        .value = from_wire(wire->value),
        .found = wire->found,
        .version = wire->version,
        .expire_at_ms = wire->expire_at_ms,
    };
}

bool messages_unpack_value(struct slice bytes, struct arena *arena, struct keystore_value *value)
{
    const Keystore__V1__Value *wire = unpack(&keystore__v1__value__descriptor, bytes, arena);
    if (wire == NULL)
        return false;
    *value = value_from_wire(wire);
    return true;
}

bool messages_unpack_status(struct slice bytes, struct arena *arena, struct keystore_status *status)
{
    const Keystore__V1__Status *wire = unpack(&keystore__v1__status__descriptor, bytes, arena);
    if (wire == NULL)
        return false;
    *status = (struct keystore_status){
        .ok = wire->ok,
        .count = wire->count,
        .version = wire->version,
        .has_previous = wire->previous != NULL,
    };
    if (wire->previous != NULL)
        status->previous = value_from_wire(wire->previous);
    return true;
}

bool messages_unpack_list(struct slice bytes, struct arena *arena, struct keystore_list *list)
{
    const Keystore__V1__ListValues *wire =
        unpack(&keystore__v1__list_values__descriptor, bytes, arena);
    if (wire == NULL)
        return false;
    struct keystore_slice *values = arena_alloc(arena, wire->n_values * sizeof *values);
    for (size_t i = 0; i < wire->n_values; i++)
        values[i] = from_wire(wire->values[i]);
    *list = (struct keystore_list){
        .values = values,
        .count = wire->n_values,
        .found = wire->found,
        .length = wire->length,
        .offset = wire->offset,
        .version = wire->version,
    };
    return true;
}
