/* One function for each request message that a change can be. */
#include "service/encode_change.h"

#include "base/arena.h"

static ProtobufCBinaryData encode_change_bytes(struct slice slice)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)slice.data, .len = slice.len};
}

static Keystore__V1__ListEnd encode_change_end(enum op_end end)
{
    return end == OP_HEAD ? KEYSTORE__V1__LIST_END__LIST_END_HEAD
                          : KEYSTORE__V1__LIST_END__LIST_END_TAIL;
}

/* A message in the arena, initialized by protobuf-c's macro. */
#define CHANGE_NEW(type, init) (memcpy(arena_alloc(arena, sizeof(type)), &(type)init, sizeof(type)))

static Keystore__V1__KeyValue *encode_change_key_value(const struct op *change, struct arena *arena)
{
    Keystore__V1__KeyValue *message =
        CHANGE_NEW(Keystore__V1__KeyValue, KEYSTORE__V1__KEY_VALUE__INIT);
    message->key = encode_change_bytes(change->key);
    message->value = encode_change_bytes(change->value);
    message->db = change->db;
    if (change->kind != OP_SET)
        return message;
    message->expire_at_ms = change->expire_at_ms;
    message->keep_ttl = change->set.keep_ttl;
    return message;
}

static Keystore__V1__ByteRange *encode_change_byte_range(const struct op *change,
                                                         struct arena *arena)
{
    Keystore__V1__ByteRange *message =
        CHANGE_NEW(Keystore__V1__ByteRange, KEYSTORE__V1__BYTE_RANGE__INIT);
    message->key = encode_change_bytes(change->key);
    message->value = encode_change_bytes(change->value);
    message->start = change->start;
    message->db = change->db;
    return message;
}

static Keystore__V1__Increment *encode_change_increment(const struct op *change,
                                                        struct arena *arena)
{
    Keystore__V1__Increment *message =
        CHANGE_NEW(Keystore__V1__Increment, KEYSTORE__V1__INCREMENT__INIT);
    message->key = encode_change_bytes(change->key);
    message->delta_case = KEYSTORE__V1__INCREMENT__DELTA_BY;
    message->by = change->incr.by;
    message->db = change->db;
    return message;
}

static Keystore__V1__ExpireRequest *encode_change_expire(const struct op *change,
                                                         struct arena *arena)
{
    Keystore__V1__ExpireRequest *message =
        CHANGE_NEW(Keystore__V1__ExpireRequest, KEYSTORE__V1__EXPIRE_REQUEST__INIT);
    message->key = encode_change_bytes(change->key);
    message->expire_at_ms = change->expire_at_ms;
    message->persist = change->expire.persist;
    message->db = change->db;
    return message;
}

static Keystore__V1__ListInsert *encode_change_list_insert(const struct op *change,
                                                           struct arena *arena)
{
    Keystore__V1__ListInsert *message =
        CHANGE_NEW(Keystore__V1__ListInsert, KEYSTORE__V1__LIST_INSERT__INIT);
    message->key = encode_change_bytes(change->key);
    message->n_values = change->value_count;
    message->values = arena_alloc(arena, change->value_count * sizeof *message->values);
    for (size_t i = 0; i < change->value_count; i++)
        message->values[i] = encode_change_bytes(change->values[i]);
    message->db = change->db;
    return message;
}

static Keystore__V1__ListItem *encode_change_list_item(const struct op *change, struct arena *arena)
{
    Keystore__V1__ListItem *message =
        CHANGE_NEW(Keystore__V1__ListItem, KEYSTORE__V1__LIST_ITEM__INIT);
    message->key = encode_change_bytes(change->key);
    message->value = encode_change_bytes(change->value);
    message->db = change->db;
    if (change->kind == OP_L_SET) {
        message->index = change->index;
        return message;
    }
    message->pivot = encode_change_bytes(change->insert.pivot);
    message->after = change->insert.after;
    return message;
}

static Keystore__V1__ListFind *encode_change_list_find(const struct op *change, struct arena *arena)
{
    Keystore__V1__ListFind *message =
        CHANGE_NEW(Keystore__V1__ListFind, KEYSTORE__V1__LIST_FIND__INIT);
    message->key = encode_change_bytes(change->key);
    message->value = encode_change_bytes(change->value);
    message->count = change->count;
    message->db = change->db;
    return message;
}

static Keystore__V1__ListRange *encode_change_list_range(const struct op *change,
                                                         struct arena *arena)
{
    Keystore__V1__ListRange *message =
        CHANGE_NEW(Keystore__V1__ListRange, KEYSTORE__V1__LIST_RANGE__INIT);
    message->key = encode_change_bytes(change->key);
    message->start = change->start;
    message->stop = change->stop;
    message->db = change->db;
    return message;
}

static Keystore__V1__PopRequest *encode_change_pop(struct slice key, enum op_end end, int64_t count,
                                                   uint32_t db, struct arena *arena)
{
    Keystore__V1__PopRequest *message =
        CHANGE_NEW(Keystore__V1__PopRequest, KEYSTORE__V1__POP_REQUEST__INIT);
    message->keys = arena_alloc(arena, sizeof *message->keys);
    message->keys[0] = encode_change_bytes(key);
    message->n_keys = 1;
    message->end = encode_change_end(end);
    message->count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    message->db = db;
    return message;
}

static Keystore__V1__MoveRequest *encode_change_move(const struct op *change, struct arena *arena)
{
    Keystore__V1__MoveRequest *message =
        CHANGE_NEW(Keystore__V1__MoveRequest, KEYSTORE__V1__MOVE_REQUEST__INIT);
    message->source = message->target = encode_change_bytes(change->key);
    message->source_end = encode_change_end(change->move.end);
    message->target_end = encode_change_end(change->move.target_end);
    message->db = change->db;
    return message;
}

#define CHANGE_IS(field, CASE, message)                                                            \
    do {                                                                                           \
        op->op_case = KEYSTORE__V1__OP__OP_##CASE;                                                 \
        op->field = (message);                                                                     \
    } while (0)

/* Where its key is the only one that an LMove concerns, it is one of its own list. */
static void encode_change_fill_list(const struct op *change, struct arena *arena,
                                    Keystore__V1__Op *op)
{
    switch ((int)change->kind) {
    case OP_L_PUSH:
        CHANGE_IS(l_push, L_PUSH, encode_change_list_insert(change, arena));
        break;
    case OP_R_PUSH:
        CHANGE_IS(r_push, R_PUSH, encode_change_list_insert(change, arena));
        break;
    case OP_L_POP:
        CHANGE_IS(list_pop, LIST_POP,
                  encode_change_pop(change->key, OP_HEAD, 1, change->db, arena));
        break;
    case OP_R_POP:
        CHANGE_IS(list_pop, LIST_POP,
                  encode_change_pop(change->key, OP_TAIL, 1, change->db, arena));
        break;
    case OP_LIST_POP:
        CHANGE_IS(list_pop, LIST_POP,
                  encode_change_pop(change->keys[0].bytes, change->move.end, change->count,
                                    change->db, arena));
        break;
    case OP_L_MOVE:
        if (slice_equal(change->key, change->target.bytes))
            CHANGE_IS(l_move, L_MOVE, encode_change_move(change, arena));
        break;
    case OP_L_SET:
        CHANGE_IS(l_set, L_SET, encode_change_list_item(change, arena));
        break;
    case OP_L_INSERT:
        CHANGE_IS(l_insert, L_INSERT, encode_change_list_item(change, arena));
        break;
    case OP_L_REM:
        CHANGE_IS(l_rem, L_REM, encode_change_list_find(change, arena));
        break;
    case OP_L_TRIM:
        CHANGE_IS(l_trim, L_TRIM, encode_change_list_range(change, arena));
        break;
    default:
        break;
    }
}

const Keystore__V1__Op *encode_change(const struct op *change, struct arena *arena)
{
    Keystore__V1__Op *op = CHANGE_NEW(Keystore__V1__Op, KEYSTORE__V1__OP__INIT);
    switch ((int)change->kind) {
    case OP_SET:
        CHANGE_IS(set, SET, encode_change_key_value(change, arena));
        break;
    case OP_APPEND:
        CHANGE_IS(append, APPEND, encode_change_key_value(change, arena));
        break;
    case OP_SET_RANGE:
        CHANGE_IS(set_range, SET_RANGE, encode_change_byte_range(change, arena));
        break;
    case OP_INCR:
        if (!change->incr.is_real)
            CHANGE_IS(incr, INCR, encode_change_increment(change, arena));
        break;
    case OP_EXPIRE:
        CHANGE_IS(expire, EXPIRE, encode_change_expire(change, arena));
        break;
    default:
        encode_change_fill_list(change, arena, op);
        break;
    }
    return op->op_case != KEYSTORE__V1__OP__OP__NOT_SET ? op : NULL;
}
