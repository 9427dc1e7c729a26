/* Converts protobuf messages to the request structs of operations: those that change one key. */
#include "client/changes.h"

static struct keystore_slice changes_slice(ProtobufCBinaryData data)
{
    return (struct keystore_slice){.data = data.data, .len = data.len};
}

static const struct keystore_slice *changes_slices(struct pool *pool,
                                                   const ProtobufCBinaryData *wire, size_t count)
{
    struct keystore_slice *slices = pool_alloc_array(pool, count, sizeof *slices);
    for (size_t i = 0; slices != NULL && i < count; i++)
        slices[i] = changes_slice(wire[i]);
    return slices;
}

static struct keystore_key changes_key(const Keystore__V1__Key *wire)
{
    return (struct keystore_key){.key = changes_slice(wire->key), .db = wire->db};
}

static struct keystore_key_value changes_key_value(const Keystore__V1__KeyValue *wire)
{
    return (struct keystore_key_value){
        .key = changes_slice(wire->key),
        .value = changes_slice(wire->value),
        .db = wire->db,
        .ttl_ms = wire->ttl_ms,
        .expire_at_ms = wire->expire_at_ms,
        .keep_ttl = wire->keep_ttl,
    };
}

static struct keystore_byte_range changes_byte_range(const Keystore__V1__ByteRange *wire)
{
    return (struct keystore_byte_range){
        .key = changes_slice(wire->key),
        .start = wire->start,
        .stop = wire->stop,
        .value = changes_slice(wire->value),
        .db = wire->db,
    };
}

static struct keystore_increment changes_increment(const Keystore__V1__Increment *wire)
{
    struct keystore_increment increment = {
        .key = changes_slice(wire->key),
        .delta = (enum keystore_delta)wire->delta_case,
        .ttl_ms = wire->ttl_ms,
        .db = wire->db,
    };
    if (increment.delta == KEYSTORE_BY)
        increment.by = wire->by;
    else if (increment.delta == KEYSTORE_BY_FLOAT)
        increment.by_float = wire->by_float;
    else if (increment.delta == KEYSTORE_BY_DECIMAL)
        increment.by_decimal = wire->by_decimal;
    return increment;
}

static struct keystore_expire_request changes_expire(const Keystore__V1__ExpireRequest *wire)
{
    return (struct keystore_expire_request){
        .key = changes_slice(wire->key),
        .ttl_ms = wire->ttl_ms,
        .expire_at_ms = wire->expire_at_ms,
        .persist = wire->persist,
        .when = (enum keystore_expire_when)wire->when,
        .db = wire->db,
    };
}

static struct keystore_list_insert changes_list_insert(struct pool *pool,
                                                       const Keystore__V1__ListInsert *wire)
{
    return (struct keystore_list_insert){
        .key = changes_slice(wire->key),
        .values = changes_slices(pool, wire->values, wire->n_values),
        .count = wire->n_values,
        .db = wire->db,
        .ttl_ms = wire->ttl_ms,
        .max_length = wire->max_length,
    };
}

static struct keystore_list_range changes_list_range(const Keystore__V1__ListRange *wire)
{
    return (struct keystore_list_range){
        .key = changes_slice(wire->key), .start = wire->start, .stop = wire->stop, .db = wire->db};
}

static struct keystore_list_item changes_list_item(const Keystore__V1__ListItem *wire)
{
    return (struct keystore_list_item){
        .key = changes_slice(wire->key),
        .index = wire->index,
        .value = changes_slice(wire->value),
        .pivot = changes_slice(wire->pivot),
        .after = wire->after,
        .db = wire->db,
    };
}

static struct keystore_list_find changes_list_find(const Keystore__V1__ListFind *wire)
{
    return (struct keystore_list_find){
        .key = changes_slice(wire->key),
        .value = changes_slice(wire->value),
        .count = wire->count,
        .rank = wire->rank,
        .max_scan = wire->max_scan,
        .db = wire->db,
    };
}

static struct keystore_pop_request changes_pop(struct pool *pool,
                                               const Keystore__V1__PopRequest *wire)
{
    return (struct keystore_pop_request){
        .keys = changes_slices(pool, wire->keys, wire->n_keys),
        .key_count = wire->n_keys,
        .end = (enum keystore_list_end)wire->end,
        .count = wire->count,
        .db = wire->db,
    };
}

struct keystore_op *changes_from_wire(struct pool *pool, const Keystore__V1__Op *wire)
{
    struct keystore_op *op = pool_alloc(pool, sizeof *op);
    if (op == NULL)
        return NULL;
    *op = (struct keystore_op){.kind = (enum keystore_op_kind)wire->op_case, .id = wire->id};
    /* The members of the message's union have the same place, whichever operation they are of. */
    if (op->kind == KEYSTORE_OP_SET || op->kind == KEYSTORE_OP_APPEND)
        op->request.key_value = changes_key_value(wire->set);
    else if (op->kind == KEYSTORE_OP_SET_RANGE)
        op->request.byte_range = changes_byte_range(wire->set_range);
    else if (op->kind == KEYSTORE_OP_INCR)
        op->request.increment = changes_increment(wire->incr);
    else if (op->kind == KEYSTORE_OP_EXPIRE)
        op->request.expire = changes_expire(wire->expire);
    else if (op->kind == KEYSTORE_OP_LPUSH || op->kind == KEYSTORE_OP_RPUSH)
        op->request.list_insert = changes_list_insert(pool, wire->l_push);
    else if (op->kind == KEYSTORE_OP_LPOP || op->kind == KEYSTORE_OP_RPOP ||
             op->kind == KEYSTORE_OP_DELETE)
        op->request.key = changes_key(wire->l_pop);
    else if (op->kind == KEYSTORE_OP_LIST_POP)
        op->request.pop = changes_pop(pool, wire->list_pop);
    else if (op->kind == KEYSTORE_OP_LTRIM)
        op->request.list_range = changes_list_range(wire->l_trim);
    else if (op->kind == KEYSTORE_OP_LSET || op->kind == KEYSTORE_OP_LINSERT)
        op->request.list_item = changes_list_item(wire->l_set);
    else if (op->kind == KEYSTORE_OP_LREM)
        op->request.list_find = changes_list_find(wire->l_rem);
    else
        return NULL;
    return op;
}
