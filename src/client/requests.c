/*
 * Converts public structs to generated protobuf messages, field by field. Validates nothing, which
 * is left to the server, and does not know how requests are sent.
 */
#include "client/requests.h"

#include "client/status.h"

/* Most bytes of a tag and a length. */
#define ELEMENT_HEAD_LIMIT ((size_t)20)
#define WIRE_TYPE_BYTES    2U

void *requests_new_message(struct request_builder *builder, const ProtobufCMessageDescriptor *type)
{
    void *message = pool_alloc(builder->pool, type->sizeof_message);
    if (message != NULL)
        protobuf_c_message_init(type, message);
    return message;
}

void *requests_new_array(struct request_builder *builder, const void *parts, size_t count,
                         size_t size)
{
    if (parts != NULL || count == 0)
        return pool_alloc_array(builder->pool, count, size);
    builder->missing = true;
    return NULL;
}

static ProtobufCBinaryData requests_to_wire(struct request_builder *builder,
                                            struct keystore_slice slice)
{
    if (slice.data == NULL && slice.len > 0)
        builder->missing = true;
    /* protobuf-c only reads the data. */
    return (ProtobufCBinaryData){.len = slice.len, .data = (uint8_t *)slice.data};
}

static ProtobufCBinaryData *requests_slices_to_wire(struct request_builder *builder,
                                                    const struct keystore_slice *slices,
                                                    size_t count)
{
    ProtobufCBinaryData *wire = requests_new_array(builder, slices, count, sizeof *wire);
    for (size_t i = 0; wire != NULL && i < count; i++)
        wire[i] = requests_to_wire(builder, slices[i]);
    return wire;
}

/* NULL when there is no condition. */
static Keystore__V1__Condition *
requests_condition_to_wire(struct request_builder *builder,
                           const struct keystore_condition *condition)
{
    if (condition == NULL)
        return NULL;
    Keystore__V1__Condition *wire =
        requests_new_message(builder, &keystore__v1__condition__descriptor);
    if (wire == NULL)
        return NULL;
    wire->existence = (Keystore__V1__Existence)condition->existence;
    wire->version = condition->version;
    wire->match_value = condition->match_value;
    wire->value = requests_to_wire(builder, condition->value);
    return wire;
}

Keystore__V1__Key *requests_key(struct request_builder *builder, const struct keystore_key *key)
{
    Keystore__V1__Key *wire = requests_new_message(builder, &keystore__v1__key__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, key->key);
    wire->condition = requests_condition_to_wire(builder, key->condition);
    wire->db = key->db;
    wire->want_as_of = key->want_as_of;
    return wire;
}

Keystore__V1__KeyValue *requests_key_value(struct request_builder *builder,
                                           const struct keystore_key_value *key_value)
{
    Keystore__V1__KeyValue *wire =
        requests_new_message(builder, &keystore__v1__key_value__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, key_value->key);
    wire->value = requests_to_wire(builder, key_value->value);
    wire->ttl_ms = key_value->ttl_ms;
    wire->expire_at_ms = key_value->expire_at_ms;
    wire->keep_ttl = key_value->keep_ttl;
    wire->return_previous = key_value->return_previous;
    wire->condition = requests_condition_to_wire(builder, key_value->condition);
    wire->db = key_value->db;
    return wire;
}

Keystore__V1__ListInsert *requests_list_insert(struct request_builder *builder,
                                               const struct keystore_list_insert *insert)
{
    Keystore__V1__ListInsert *wire =
        requests_new_message(builder, &keystore__v1__list_insert__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, insert->key);
    wire->n_values = insert->count;
    wire->values = requests_slices_to_wire(builder, insert->values, insert->count);
    wire->condition = requests_condition_to_wire(builder, insert->condition);
    wire->ttl_ms = insert->ttl_ms;
    wire->max_length = insert->max_length;
    wire->db = insert->db;
    return wire;
}

Keystore__V1__ListRange *requests_list_range(struct request_builder *builder,
                                             const struct keystore_list_range *range)
{
    Keystore__V1__ListRange *wire =
        requests_new_message(builder, &keystore__v1__list_range__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, range->key);
    wire->start = range->start;
    wire->stop = range->stop;
    wire->db = range->db;
    return wire;
}

Keystore__V1__Keys *requests_keys(struct request_builder *builder, const struct keystore_keys *keys)
{
    Keystore__V1__Keys *wire = requests_new_message(builder, &keystore__v1__keys__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_keys = keys->count;
    wire->keys = requests_slices_to_wire(builder, keys->keys, keys->count);
    wire->db = keys->db;
    return wire;
}

Keystore__V1__KeyValues *requests_key_values(struct request_builder *builder,
                                             const struct keystore_key_values *key_values)
{
    Keystore__V1__KeyValues *wire =
        requests_new_message(builder, &keystore__v1__key_values__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_entries = key_values->count;
    wire->entries =
        requests_new_array(builder, key_values->entries, key_values->count, sizeof *wire->entries);
    for (size_t i = 0; wire->entries != NULL && i < key_values->count; i++)
        wire->entries[i] = requests_key_value(builder, &key_values->entries[i]);
    wire->db = key_values->db;
    return wire;
}

Keystore__V1__Increment *requests_increment(struct request_builder *builder,
                                            const struct keystore_increment *increment)
{
    Keystore__V1__Increment *wire =
        requests_new_message(builder, &keystore__v1__increment__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, increment->key);
    if (increment->delta == KEYSTORE_BY) {
        wire->delta_case = KEYSTORE__V1__INCREMENT__DELTA_BY;
        wire->by = increment->by;
    } else if (increment->delta == KEYSTORE_BY_FLOAT) {
        wire->delta_case = KEYSTORE__V1__INCREMENT__DELTA_BY_FLOAT;
        wire->by_float = increment->by_float;
    } else if (increment->delta == KEYSTORE_BY_DECIMAL) {
        wire->delta_case = KEYSTORE__V1__INCREMENT__DELTA_BY_DECIMAL;
        wire->by_decimal = (char *)(increment->by_decimal != NULL ? increment->by_decimal : "");
    }
    wire->ttl_ms = increment->ttl_ms;
    wire->db = increment->db;
    return wire;
}

Keystore__V1__ByteRange *requests_byte_range(struct request_builder *builder,
                                             const struct keystore_byte_range *range)
{
    Keystore__V1__ByteRange *wire =
        requests_new_message(builder, &keystore__v1__byte_range__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, range->key);
    wire->start = range->start;
    wire->stop = range->stop;
    wire->value = requests_to_wire(builder, range->value);
    wire->db = range->db;
    return wire;
}

Keystore__V1__BitRequest *requests_bit_request(struct request_builder *builder,
                                               const struct keystore_bit_request *request)
{
    Keystore__V1__BitRequest *wire =
        requests_new_message(builder, &keystore__v1__bit_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, request->key);
    wire->offset = request->offset;
    wire->bit = request->bit;
    wire->db = request->db;
    return wire;
}

Keystore__V1__BitRange *requests_bit_range(struct request_builder *builder,
                                           const struct keystore_bit_range *range)
{
    Keystore__V1__BitRange *wire =
        requests_new_message(builder, &keystore__v1__bit_range__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, range->key);
    wire->start = range->start;
    if (range->has_stop) {
        wire->last_case = KEYSTORE__V1__BIT_RANGE__LAST_STOP;
        wire->stop = range->stop;
    }
    wire->in_bits = range->in_bits;
    wire->bit = range->bit;
    wire->db = range->db;
    return wire;
}

Keystore__V1__BitOpRequest *requests_bit_op_request(struct request_builder *builder,
                                                    const struct keystore_bit_op_request *request)
{
    Keystore__V1__BitOpRequest *wire =
        requests_new_message(builder, &keystore__v1__bit_op_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->operation = (Keystore__V1__BitOpRequest__Operation)request->operation;
    wire->key = requests_to_wire(builder, request->key);
    wire->n_keys = request->key_count;
    wire->keys = requests_slices_to_wire(builder, request->keys, request->key_count);
    wire->db = request->db;
    return wire;
}

static Keystore__V1__BitFieldRequest__Part *
requests_part_to_wire(struct request_builder *builder, const struct keystore_bit_field *part)
{
    Keystore__V1__BitFieldRequest__Part *wire =
        requests_new_message(builder, &keystore__v1__bit_field_request__part__descriptor);
    if (wire == NULL)
        return NULL;
    wire->action = (Keystore__V1__BitFieldRequest__Action)part->action;
    wire->is_signed = part->is_signed;
    wire->bits = part->bits;
    wire->offset = part->offset;
    wire->value = part->value;
    wire->overflow = (Keystore__V1__BitFieldRequest__Overflow)part->overflow;
    return wire;
}

Keystore__V1__BitFieldRequest *
requests_bit_field_request(struct request_builder *builder,
                           const struct keystore_bit_field_request *request)
{
    Keystore__V1__BitFieldRequest *wire =
        requests_new_message(builder, &keystore__v1__bit_field_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, request->key);
    wire->n_parts = request->count;
    wire->parts = requests_new_array(builder, request->parts, request->count, sizeof *wire->parts);
    for (size_t i = 0; wire->parts != NULL && i < request->count; i++)
        wire->parts[i] = requests_part_to_wire(builder, &request->parts[i]);
    wire->db = request->db;
    return wire;
}

Keystore__V1__LcsRequest *requests_lcs_request(struct request_builder *builder,
                                               const struct keystore_lcs_request *request)
{
    Keystore__V1__LcsRequest *wire =
        requests_new_message(builder, &keystore__v1__lcs_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, request->key);
    wire->other_key = requests_to_wire(builder, request->other_key);
    wire->want_string = request->want_string;
    wire->want_matches = request->want_matches;
    wire->min_match_length = request->min_match_length;
    wire->db = request->db;
    return wire;
}

Keystore__V1__ExpireRequest *requests_expire_request(struct request_builder *builder,
                                                     const struct keystore_expire_request *request)
{
    Keystore__V1__ExpireRequest *wire =
        requests_new_message(builder, &keystore__v1__expire_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, request->key);
    wire->ttl_ms = request->ttl_ms;
    wire->expire_at_ms = request->expire_at_ms;
    wire->persist = request->persist;
    wire->when = (Keystore__V1__ExpireRequest__When)request->when;
    wire->db = request->db;
    return wire;
}

Keystore__V1__CopyRequest *requests_copy_request(struct request_builder *builder,
                                                 const struct keystore_copy_request *request)
{
    Keystore__V1__CopyRequest *wire =
        requests_new_message(builder, &keystore__v1__copy_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->source = requests_to_wire(builder, request->source);
    wire->target = requests_to_wire(builder, request->target);
    if (request->has_target_db) {
        wire->target_database_case = KEYSTORE__V1__COPY_REQUEST__TARGET_DATABASE_TARGET_DB;
        wire->target_db = request->target_db;
    }
    wire->replace = request->replace;
    wire->absent_only = request->absent_only;
    wire->db = request->db;
    return wire;
}

Keystore__V1__DbRequest *requests_db_request(struct request_builder *builder,
                                             const struct keystore_db_request *request)
{
    Keystore__V1__DbRequest *wire =
        requests_new_message(builder, &keystore__v1__db_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->db = request->db;
    return wire;
}

Keystore__V1__SwapRequest *requests_swap_request(struct request_builder *builder,
                                                 const struct keystore_swap_request *request)
{
    Keystore__V1__SwapRequest *wire =
        requests_new_message(builder, &keystore__v1__swap_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->db = request->db;
    wire->other_db = request->other_db;
    return wire;
}

Keystore__V1__PopRequest *requests_pop_request(struct request_builder *builder,
                                               const struct keystore_pop_request *request)
{
    Keystore__V1__PopRequest *wire =
        requests_new_message(builder, &keystore__v1__pop_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_keys = request->key_count;
    wire->keys = requests_slices_to_wire(builder, request->keys, request->key_count);
    wire->end = (Keystore__V1__ListEnd)request->end;
    wire->count = request->count;
    wire->wait_ms = request->wait_ms;
    builder->wait_ms = request->wait_ms > 0 ? request->wait_ms : 0;
    wire->db = request->db;
    return wire;
}

Keystore__V1__MoveRequest *requests_move_request(struct request_builder *builder,
                                                 const struct keystore_move_request *request)
{
    Keystore__V1__MoveRequest *wire =
        requests_new_message(builder, &keystore__v1__move_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->source = requests_to_wire(builder, request->source);
    wire->target = requests_to_wire(builder, request->target);
    wire->source_end = (Keystore__V1__ListEnd)request->source_end;
    wire->target_end = (Keystore__V1__ListEnd)request->target_end;
    wire->wait_ms = request->wait_ms;
    builder->wait_ms = request->wait_ms > 0 ? request->wait_ms : 0;
    wire->db = request->db;
    return wire;
}

Keystore__V1__ListItem *requests_list_item(struct request_builder *builder,
                                           const struct keystore_list_item *item)
{
    Keystore__V1__ListItem *wire =
        requests_new_message(builder, &keystore__v1__list_item__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, item->key);
    wire->index = item->index;
    wire->value = requests_to_wire(builder, item->value);
    wire->pivot = requests_to_wire(builder, item->pivot);
    wire->after = item->after;
    wire->db = item->db;
    return wire;
}

Keystore__V1__ListFind *requests_list_find(struct request_builder *builder,
                                           const struct keystore_list_find *find)
{
    Keystore__V1__ListFind *wire =
        requests_new_message(builder, &keystore__v1__list_find__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, find->key);
    wire->value = requests_to_wire(builder, find->value);
    wire->count = find->count;
    wire->rank = find->rank;
    wire->max_scan = find->max_scan;
    wire->db = find->db;
    return wire;
}

/* Converts the operation's member of the union to the message of its field in Op. */
static void *requests_request_to_wire(struct request_builder *builder, const struct keystore_op *op)
{
    const void *members = &op->request;
    switch ((Keystore__V1__Op__OpCase)op->kind) {
#define OPERATION(kind, method, request, ...)                                                      \
    case KEYSTORE__V1__OP__OP_##kind:                                                              \
        return requests_##request(builder, members);
#define OPERATION_ALONE(...)
#include "store/operations.def"
#undef OPERATION
    case KEYSTORE__V1__OP__OP__NOT_SET:
    case _KEYSTORE__V1__OP__OP__CASE_IS_INT_SIZE:
        break;
    }
    return NULL;
}

Keystore__V1__Op *requests_op(struct request_builder *builder, const struct keystore_op *op)
{
    Keystore__V1__Op *wire = requests_new_message(builder, &keystore__v1__op__descriptor);
    if (wire == NULL)
        return NULL;
    wire->id = op->id;
    void *request = requests_request_to_wire(builder, op);
    if (request != NULL) {
        wire->op_case = (Keystore__V1__Op__OpCase)op->kind;
        wire->set = request; /* whichever message that union holds */
    }
    return wire;
}

static Keystore__V1__Op **requests_ops_to_wire(struct request_builder *builder,
                                               const struct keystore_op *ops, size_t count)
{
    Keystore__V1__Op **wire = requests_new_array(builder, ops, count, sizeof(Keystore__V1__Op *));
    for (size_t i = 0; wire != NULL && i < count; i++)
        wire[i] = requests_op(builder, &ops[i]);
    return wire;
}

static Keystore__V1__TxnRequest__Compare *
requests_compare_to_wire(struct request_builder *builder, const struct keystore_compare *compare)
{
    Keystore__V1__TxnRequest__Compare *wire =
        requests_new_message(builder, &keystore__v1__txn_request__compare__descriptor);
    if (wire == NULL)
        return NULL;
    wire->key = requests_to_wire(builder, compare->key);
    wire->condition = requests_condition_to_wire(builder, compare->condition);
    wire->db = compare->db;
    if (compare->has_unchanged_since) {
        wire->since_case = KEYSTORE__V1__TXN_REQUEST__COMPARE__SINCE_UNCHANGED_SINCE;
        wire->unchanged_since = compare->unchanged_since;
    }
    return wire;
}

Keystore__V1__TxnRequest *requests_txn_request(struct request_builder *builder,
                                               const struct keystore_txn_request *request)
{
    Keystore__V1__TxnRequest *wire =
        requests_new_message(builder, &keystore__v1__txn_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_compares = request->compare_count;
    wire->compares = requests_new_array(builder, request->compares, request->compare_count,
                                        sizeof *wire->compares);
    for (size_t i = 0; wire->compares != NULL && i < request->compare_count; i++)
        wire->compares[i] = requests_compare_to_wire(builder, &request->compares[i]);
    wire->n_success = request->success_count;
    wire->success = requests_ops_to_wire(builder, request->success, request->success_count);
    wire->n_failure = request->failure_count;
    wire->failure = requests_ops_to_wire(builder, request->failure, request->failure_count);
    return wire;
}

/* ---- streams ---- */

Keystore__V1__ScanRequest *requests_scan_request(struct request_builder *builder,
                                                 const struct keystore_scan_request *request)
{
    Keystore__V1__ScanRequest *wire =
        requests_new_message(builder, &keystore__v1__scan_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->pattern = requests_to_wire(builder, request->pattern);
    wire->type = (Keystore__V1__ValueType)request->type;
    wire->with_values = request->with_values;
    wire->cursor = requests_to_wire(builder, request->cursor);
    wire->page_bytes = request->page_bytes;
    wire->max_visited = request->max_visited;
    wire->db = request->db;
    return wire;
}

static Keystore__V1__WatchRequest__Selector *
requests_selector_to_wire(struct request_builder *builder, const struct keystore_selector *selector)
{
    Keystore__V1__WatchRequest__Selector *wire =
        requests_new_message(builder, &keystore__v1__watch_request__selector__descriptor);
    if (wire == NULL)
        return NULL;
    wire->selector_case = (Keystore__V1__WatchRequest__Selector__SelectorCase)selector->kind;
    wire->key = requests_to_wire(builder, selector->text); /* whichever field that union holds */
    wire->db = selector->db;
    return wire;
}

Keystore__V1__WatchRequest *requests_watch_request(struct request_builder *builder,
                                                   const struct keystore_watch_request *request)
{
    Keystore__V1__WatchRequest *wire =
        requests_new_message(builder, &keystore__v1__watch_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_selectors = request->count;
    wire->selectors =
        requests_new_array(builder, request->selectors, request->count, sizeof *wire->selectors);
    for (size_t i = 0; wire->selectors != NULL && i < request->count; i++)
        wire->selectors[i] = requests_selector_to_wire(builder, &request->selectors[i]);
    wire->start_version = request->start_version;
    wire->initial = request->initial;
    wire->n_types = request->type_count;
    wire->types =
        requests_new_array(builder, request->types, request->type_count, sizeof *wire->types);
    for (size_t i = 0; wire->types != NULL && i < request->type_count; i++)
        wire->types[i] = (Keystore__V1__EventType)request->types[i];
    wire->with_changes = request->with_changes;
    return wire;
}

Keystore__V1__Message *requests_message(struct request_builder *builder,
                                        const struct keystore_message *message)
{
    Keystore__V1__Message *wire = requests_new_message(builder, &keystore__v1__message__descriptor);
    if (wire == NULL)
        return NULL;
    wire->channel = requests_to_wire(builder, message->channel);
    wire->payload = requests_to_wire(builder, message->payload);
    wire->sequence = message->sequence;
    wire->missed = message->missed;
    return wire;
}

Keystore__V1__SubscribeRequest *
requests_subscribe_request(struct request_builder *builder,
                           const struct keystore_subscribe_request *request)
{
    Keystore__V1__SubscribeRequest *wire =
        requests_new_message(builder, &keystore__v1__subscribe_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_channels = request->channel_count;
    wire->channels = requests_slices_to_wire(builder, request->channels, request->channel_count);
    wire->n_patterns = request->pattern_count;
    wire->patterns = requests_slices_to_wire(builder, request->patterns, request->pattern_count);
    return wire;
}

static Keystore__V1__ConsumeRequest__Start *
requests_start_to_wire(struct request_builder *builder,
                       const struct keystore_consume_request *request)
{
    Keystore__V1__ConsumeRequest__Start *wire =
        requests_new_message(builder, &keystore__v1__consume_request__start__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_keys = request->key_count;
    wire->keys = requests_slices_to_wire(builder, request->keys, request->key_count);
    wire->end = (Keystore__V1__ListEnd)request->end;
    wire->max_in_flight = request->max_in_flight;
    wire->pending = requests_to_wire(builder, request->pending);
    wire->lease_ms = request->lease_ms;
    wire->auto_ack = request->auto_ack;
    wire->db = request->db;
    return wire;
}

Keystore__V1__ConsumeRequest *
requests_consume_request(struct request_builder *builder,
                         const struct keystore_consume_request *request)
{
    Keystore__V1__ConsumeRequest *wire =
        requests_new_message(builder, &keystore__v1__consume_request__descriptor);
    if (wire != NULL)
        wire->start = requests_start_to_wire(builder, request);
    return wire;
}

static uint64_t *requests_ids_to_wire(struct request_builder *builder, const uint64_t *ids,
                                      size_t count)
{
    if (ids == NULL && count > 0)
        builder->missing = true;
    return (uint64_t *)ids; /* protobuf-c only reads them */
}

Keystore__V1__ConsumeRequest *requests_acks(struct request_builder *builder,
                                            const struct keystore_acks *acks)
{
    Keystore__V1__ConsumeRequest *wire =
        requests_new_message(builder, &keystore__v1__consume_request__descriptor);
    if (wire == NULL)
        return NULL;
    wire->n_done = acks->done_count;
    wire->done = requests_ids_to_wire(builder, acks->done, acks->done_count);
    wire->n_give_back = acks->give_back_count;
    wire->give_back = requests_ids_to_wire(builder, acks->give_back, acks->give_back_count);
    return wire;
}

/* ---- packing ---- */

static bool requests_is_complete(const struct request_builder *builder,
                                 struct keystore_error *error)
{
    if (builder->pool->failed) {
        status_out_of_memory(error, "the request was not sent");
        return false;
    }
    if (builder->missing) {
        status_set(error, KEYSTORE_INVALID_ARGUMENT,
                   "a pointer of the request is NULL, but its length or count is not 0");
        return false;
    }
    return true;
}

/* Space for `size` bytes; NULL with *error set. */
static uint8_t *requests_reserve(struct buffer *out, size_t size, struct keystore_error *error)
{
    if (!buffer_allows(out, size)) {
        status_set(error, KEYSTORE_RESOURCE_EXHAUSTED,
                   "the request is larger than %zu bytes: send less at a time", out->limit);
        return NULL;
    }
    uint8_t *end = buffer_reserve(out, size);
    if (end == NULL)
        status_out_of_memory(error, "the request was not sent");
    return end;
}

bool requests_pack(struct buffer *out, const struct request_builder *builder, const void *message,
                   struct keystore_error *error)
{
    if (!requests_is_complete(builder, error))
        return false;
    uint8_t *end = requests_reserve(out, protobuf_c_message_get_packed_size(message), error);
    if (end == NULL)
        return false;
    out->len += protobuf_c_message_pack(message, end);
    return true;
}

static uint8_t *requests_put_varint(uint8_t *to, size_t number)
{
    for (; number >= 128; number >>= 7)
        *to++ = (uint8_t)(0x80 | (number & 0x7f));
    *to++ = (uint8_t)number;
    return to;
}

bool requests_pack_element(struct buffer *out, const struct request_builder *builder,
                           unsigned field, const void *message, struct keystore_error *error)
{
    if (!requests_is_complete(builder, error))
        return false;
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *to = requests_reserve(out, size + ELEMENT_HEAD_LIMIT, error);
    if (to == NULL)
        return false;
    to = requests_put_varint(to, field << 3 | WIRE_TYPE_BYTES);
    to = requests_put_varint(to, size);
    to += protobuf_c_message_pack(message, to);
    out->len = (size_t)(to - out->data);
    return true;
}
