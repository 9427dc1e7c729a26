/*
 * Converts protobuf messages to public structs. protobuf-c unpacks into the pool, and the answers
 * refer to that memory.
 */
#include "client/replies.h"

#include "client/changes.h"

#include "mini_redis.pb-c.h"

#include <grpc/health/v1/health.pb-c.h>

static struct keystore_slice replies_from_wire(ProtobufCBinaryData data)
{
    return (struct keystore_slice){.data = data.data, .len = data.len};
}

static const struct keystore_slice *
replies_slices_from_wire(struct pool *pool, const ProtobufCBinaryData *wire, size_t count)
{
    struct keystore_slice *slices = pool_alloc_array(pool, count, sizeof *slices);
    for (size_t i = 0; slices != NULL && i < count; i++)
        slices[i] = replies_from_wire(wire[i]);
    return slices;
}

static struct keystore_value replies_value_from_wire(struct pool *pool,
                                                     const Keystore__V1__Value *wire)
{
    (void)pool;
    return (struct keystore_value){
        .value = replies_from_wire(wire->value),
        .found = wire->found,
        .version = wire->version,
        .expire_at_ms = wire->expire_at_ms,
        .as_of = wire->as_of,
    };
}

static struct keystore_status replies_status_from_wire(struct pool *pool,
                                                       const Keystore__V1__Status *wire)
{
    struct keystore_status status = {
        .ok = wire->ok,
        .count = wire->count,
        .version = wire->version,
        .has_previous = wire->previous != NULL,
    };
    if (wire->previous != NULL)
        status.previous = replies_value_from_wire(pool, wire->previous);
    return status;
}

static struct keystore_list replies_list_values_from_wire(struct pool *pool,
                                                          const Keystore__V1__ListValues *wire)
{
    return (struct keystore_list){
        .values = replies_slices_from_wire(pool, wire->values, wire->n_values),
        .count = wire->n_values,
        .found = wire->found,
        .length = wire->length,
        .offset = wire->offset,
        .version = wire->version,
    };
}

static struct keystore_values replies_values_from_wire(struct pool *pool,
                                                       const Keystore__V1__Values *wire)
{
    struct keystore_value *values = pool_alloc_array(pool, wire->n_values, sizeof *values);
    for (size_t i = 0; values != NULL && i < wire->n_values; i++)
        values[i] = replies_value_from_wire(pool, wire->values[i]);
    return (struct keystore_values){.values = values, .count = wire->n_values};
}

static struct keystore_number replies_number_from_wire(struct pool *pool,
                                                       const Keystore__V1__Number *wire)
{
    (void)pool;
    return (struct keystore_number){
        .integer = wire->integer,
        .real = wire->real,
        .version = wire->version,
        .decimal = keystore_text(wire->decimal),
    };
}

static struct keystore_key replies_key_from_wire(struct pool *pool, const Keystore__V1__Key *wire)
{
    (void)pool;
    return (struct keystore_key){.key = replies_from_wire(wire->key), .db = wire->db};
}

static struct keystore_key_info replies_key_info_from_wire(struct pool *pool,
                                                           const Keystore__V1__KeyInfo *wire)
{
    (void)pool;
    return (struct keystore_key_info){
        .found = wire->found,
        .type = (enum keystore_type)wire->type,
        .length = wire->length,
        .expire_at_ms = wire->expire_at_ms,
        .version = wire->version,
        .memory_bytes = wire->memory_bytes,
        .as_of = wire->as_of,
    };
}

static struct keystore_popped replies_popped_from_wire(struct pool *pool,
                                                       const Keystore__V1__Popped *wire)
{
    return (struct keystore_popped){
        .key = replies_from_wire(wire->key),
        .values = replies_slices_from_wire(pool, wire->values, wire->n_values),
        .count = wire->n_values,
        .found = wire->found,
    };
}

static struct keystore_positions replies_positions_from_wire(struct pool *pool,
                                                             const Keystore__V1__Positions *wire)
{
    (void)pool;
    return (struct keystore_positions){.indexes = wire->indexes, .count = wire->n_indexes};
}

static struct keystore_bit_fields replies_bit_fields_from_wire(struct pool *pool,
                                                               const Keystore__V1__BitFields *wire)
{
    struct keystore_bit_field_item *items = pool_alloc_array(pool, wire->n_items, sizeof *items);
    for (size_t i = 0; items != NULL && i < wire->n_items; i++)
        items[i] = (struct keystore_bit_field_item){
            .done = wire->items[i]->done,
            .value = wire->items[i]->value,
        };
    return (struct keystore_bit_fields){
        .items = items, .count = wire->n_items, .version = wire->version};
}

static struct keystore_lcs_reply replies_lcs_reply_from_wire(struct pool *pool,
                                                             const Keystore__V1__LcsReply *wire)
{
    struct keystore_lcs_match *matches = pool_alloc_array(pool, wire->n_matches, sizeof *matches);
    for (size_t i = 0; matches != NULL && i < wire->n_matches; i++)
        matches[i] = (struct keystore_lcs_match){
            .start = wire->matches[i]->start,
            .other_start = wire->matches[i]->other_start,
            .length = wire->matches[i]->length,
        };
    return (struct keystore_lcs_reply){
        .length = wire->length,
        .value = replies_from_wire(wire->value),
        .matches = matches,
        .count = wire->n_matches,
    };
}

static struct keystore_info_reply replies_info_reply_from_wire(struct pool *pool,
                                                               const Keystore__V1__InfoReply *wire)
{
    struct keystore_info_field *fields = pool_alloc_array(pool, wire->n_fields, sizeof *fields);
    for (size_t i = 0; fields != NULL && i < wire->n_fields; i++)
        fields[i] = (struct keystore_info_field){
            .name = wire->fields[i]->key,
            .value = wire->fields[i]->value,
        };
    return (struct keystore_info_reply){.fields = fields, .count = wire->n_fields};
}

static struct keystore_slow_call
replies_slow_call_from_wire(const Keystore__V1__SlowLogReply__Entry *wire)
{
    return (struct keystore_slow_call){
        .unix_ms = wire->unix_ms,
        .duration_us = wire->duration_us,
        .method = wire->method,
        .key = replies_from_wire(wire->key),
        .id = wire->id,
        .db = wire->db,
        .key_size = wire->key_size,
        .keys = wire->keys,
        .elements = wire->elements,
        .request_bytes = wire->request_bytes,
        .reply_bytes = wire->reply_bytes,
        .peer = wire->peer,
        .status = (enum keystore_code)wire->status,
        .trace_id = wire->trace_id,
        .request_id = replies_from_wire(wire->request_id),
        .previous_attempts = wire->previous_attempts,
        .waited_for_disk = wire->waited_for_disk,
        .waited_for_lock = wire->waited_for_lock,
        .offloaded = wire->offloaded,
    };
}

static struct keystore_slow_log_reply
replies_slow_log_reply_from_wire(struct pool *pool, const Keystore__V1__SlowLogReply *wire)
{
    struct keystore_slow_call *calls = pool_alloc_array(pool, wire->n_entries, sizeof *calls);
    for (size_t i = 0; calls != NULL && i < wire->n_entries; i++)
        calls[i] = replies_slow_call_from_wire(wire->entries[i]);
    return (struct keystore_slow_log_reply){
        .calls = calls,
        .count = wire->n_entries,
        .total = wire->total,
        .kept = wire->kept,
    };
}

static struct keystore_method_latency
replies_method_latency_from_wire(const Keystore__V1__LatencyReply__Method *wire)
{
    return (struct keystore_method_latency){
        .service = wire->service,
        .method = wire->method,
        .started = wire->started,
        .ended = wire->count,
        .failed = wire->failed,
        .retried = wire->retried,
        .messages_received = wire->messages_received,
        .messages_sent = wire->messages_sent,
        .sum_us = wire->sum_us,
        .max_us = wire->max_us,
        .p50_us = wire->p50_us,
        .p90_us = wire->p90_us,
        .p99_us = wire->p99_us,
        .p999_us = wire->p999_us,
        .buckets = wire->buckets,
        .bucket_count = wire->n_buckets,
        .codes = wire->codes,
        .code_count = wire->n_codes,
    };
}

static struct keystore_latency_reply
replies_latency_reply_from_wire(struct pool *pool, const Keystore__V1__LatencyReply *wire)
{
    struct keystore_method_latency *methods =
        pool_alloc_array(pool, wire->n_methods, sizeof *methods);
    for (size_t i = 0; methods != NULL && i < wire->n_methods; i++)
        methods[i] = replies_method_latency_from_wire(wire->methods[i]);
    return (struct keystore_latency_reply){
        .methods = methods,
        .count = wire->n_methods,
        .bounds_us = wire->bounds_us,
        .bound_count = wire->n_bounds_us,
    };
}

/* As in the trailer of a call; empty if the reason is unknown. */
static const char *replies_reason_name(Keystore__V1__ErrorReason reason)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&keystore__v1__error_reason__descriptor, (int)reason);
    bool given = value != NULL && value->value != 0;
    return given ? value->name : "";
}

static struct keystore_op_error replies_error_from_wire(const Keystore__V1__OpError *wire)
{
    bool known = wire->code > KEYSTORE_OK && wire->code <= KEYSTORE_UNAUTHENTICATED;
    return (struct keystore_op_error){
        .code = known ? (enum keystore_code)wire->code : KEYSTORE_UNKNOWN,
        .reason = replies_reason_name(wire->reason),
        .message = wire->message,
    };
}

static struct keystore_reply replies_reply_from_wire(struct pool *pool,
                                                     const Keystore__V1__Reply *wire)
{
    struct keystore_reply reply = {
        .kind = (enum keystore_reply_kind)wire->result_case,
        .id = wire->id,
    };
    switch (reply.kind) {
    case KEYSTORE_REPLY_STATUS:
        reply.answer.status = replies_status_from_wire(pool, wire->status);
        break;
    case KEYSTORE_REPLY_VALUE:
        reply.answer.value = replies_value_from_wire(pool, wire->value);
        break;
    case KEYSTORE_REPLY_LIST:
        reply.answer.list = replies_list_values_from_wire(pool, wire->list);
        break;
    case KEYSTORE_REPLY_NUMBER:
        reply.answer.number = replies_number_from_wire(pool, wire->number);
        break;
    case KEYSTORE_REPLY_ERROR:
        reply.answer.error = replies_error_from_wire(wire->error);
        break;
    case KEYSTORE_REPLY_VALUES:
        reply.answer.values = replies_values_from_wire(pool, wire->values);
        break;
    case KEYSTORE_REPLY_INFO:
        reply.answer.info = replies_key_info_from_wire(pool, wire->info);
        break;
    case KEYSTORE_REPLY_POPPED:
        reply.answer.popped = replies_popped_from_wire(pool, wire->popped);
        break;
    case KEYSTORE_REPLY_POSITIONS:
        reply.answer.positions = replies_positions_from_wire(pool, wire->positions);
        break;
    case KEYSTORE_REPLY_BIT_FIELDS:
        reply.answer.bit_fields = replies_bit_fields_from_wire(pool, wire->bit_fields);
        break;
    case KEYSTORE_REPLY_LCS:
        reply.answer.lcs = replies_lcs_reply_from_wire(pool, wire->lcs);
        break;
    case KEYSTORE_REPLY_NONE:
        break;
    }
    return reply;
}

static struct keystore_txn_reply replies_txn_reply_from_wire(struct pool *pool,
                                                             const Keystore__V1__TxnReply *wire)
{
    struct keystore_reply *replies = pool_alloc_array(pool, wire->n_replies, sizeof *replies);
    for (size_t i = 0; replies != NULL && i < wire->n_replies; i++)
        replies[i] = replies_reply_from_wire(pool, wire->replies[i]);
    return (struct keystore_txn_reply){
        .succeeded = wire->succeeded,
        .replies = replies,
        .count = wire->n_replies,
        .version = wire->version,
    };
}

static struct keystore_scan_page replies_scan_page_from_wire(struct pool *pool,
                                                             const Keystore__V1__ScanPage *wire)
{
    struct keystore_scan_entry *entries = pool_alloc_array(pool, wire->n_entries, sizeof *entries);
    for (size_t i = 0; entries != NULL && i < wire->n_entries; i++) {
        const Keystore__V1__ScanPage__Entry *from = wire->entries[i];
        entries[i] = (struct keystore_scan_entry){
            .key = replies_from_wire(from->key),
            .type = (enum keystore_type)from->type,
            .has_value = from->value != NULL,
        };
        if (from->value != NULL)
            entries[i].value = replies_value_from_wire(pool, from->value);
    }
    return (struct keystore_scan_page){
        .entries = entries, .count = wire->n_entries, .cursor = replies_from_wire(wire->cursor)};
}

static struct keystore_config_reply
replies_config_reply_from_wire(struct pool *pool, const Keystore__V1__ConfigReply *wire)
{
    struct keystore_setting *settings = pool_alloc_array(pool, wire->n_settings, sizeof *settings);
    for (size_t i = 0; settings != NULL && i < wire->n_settings; i++)
        settings[i] = (struct keystore_setting){
            .name = wire->settings[i]->name,
            .value = wire->settings[i]->value,
            .origin = (enum keystore_setting_origin)wire->settings[i]->origin,
            .accepts = wire->settings[i]->accepts,
            .changeable = wire->settings[i]->changeable,
            .help = wire->settings[i]->help,
        };
    return (struct keystore_config_reply){.settings = settings, .count = wire->n_settings};
}

static struct keystore_clients_page
replies_clients_page_from_wire(struct pool *pool, const Keystore__V1__ClientsPage *wire)
{
    struct keystore_client_info *clients = pool_alloc_array(pool, wire->n_clients, sizeof *clients);
    for (size_t i = 0; clients != NULL && i < wire->n_clients; i++) {
        const Keystore__V1__ClientsPage__Client *from = wire->clients[i];
        clients[i] = (struct keystore_client_info){
            .id = from->id,
            .address = from->address,
            .listener = from->listener,
            .age_ms = from->age_ms,
            .idle_ms = from->idle_ms,
            .calls = from->calls,
            .streams = from->streams,
            .calls_so_far = from->calls_so_far,
            .bytes_in = from->bytes_in,
            .bytes_out = from->bytes_out,
            .queued_bytes = from->queued_bytes,
            .user_agent = from->user_agent,
            .own = from->own,
        };
    }
    return (struct keystore_clients_page){.clients = clients, .count = wire->n_clients};
}

static struct keystore_authenticate_reply
replies_authenticate_reply_from_wire(struct pool *pool, const Keystore__V1__AuthenticateReply *wire)
{
    (void)pool;
    return (struct keystore_authenticate_reply){
        .token = wire->token, .expires_at_ms = wire->expires_at_ms, .user = wire->user};
}

static struct keystore_identity replies_identity_from_wire(struct pool *pool,
                                                           const Keystore__V1__Identity *wire)
{
    (void)pool;
    return (struct keystore_identity){.user = wire->user,
                                      .means = (enum keystore_means)wire->means,
                                      .id = wire->id,
                                      .expires_at_ms = wire->expires_at_ms,
                                      .rules = (const char *const *)wire->rules,
                                      .count = wire->n_rules};
}

static struct keystore_backup_page
replies_backup_page_from_wire(struct pool *pool, const Keystore__V1__BackupPage *wire)
{
    (void)pool;
    return (struct keystore_backup_page){
        .data = replies_from_wire(wire->data), .offset = wire->offset, .size = wire->size};
}

static struct keystore_message replies_message_from_wire(struct pool *pool,
                                                         const Keystore__V1__Message *wire)
{
    (void)pool;
    return (struct keystore_message){
        .channel = replies_from_wire(wire->channel),
        .payload = replies_from_wire(wire->payload),
        .sequence = wire->sequence,
        .missed = wire->missed,
    };
}

static struct keystore_deliveries
replies_consume_reply_from_wire(struct pool *pool, const Keystore__V1__ConsumeReply *wire)
{
    struct keystore_delivery *items = pool_alloc_array(pool, wire->n_deliveries, sizeof *items);
    for (size_t i = 0; items != NULL && i < wire->n_deliveries; i++)
        items[i] = (struct keystore_delivery){
            .id = wire->deliveries[i]->id,
            .key = replies_from_wire(wire->deliveries[i]->key),
            .value = replies_from_wire(wire->deliveries[i]->value),
        };
    return (struct keystore_deliveries){
        .items = items,
        .count = wire->n_deliveries,
        .done = wire->done,
        .done_count = wire->n_done,
        .returned = wire->returned,
        .returned_count = wire->n_returned,
    };
}

static struct keystore_watch_batch
replies_watch_batch_from_wire(struct pool *pool, const Keystore__V1__WatchBatch *wire)
{
    struct keystore_event *events = pool_alloc_array(pool, wire->n_events, sizeof *events);
    for (size_t i = 0; events != NULL && i < wire->n_events; i++) {
        const Keystore__V1__WatchBatch__Event *from = wire->events[i];
        events[i] = (struct keystore_event){
            .type = (enum keystore_event_type)from->type,
            .key = replies_from_wire(from->key),
            .version = from->version,
            .db = from->db,
        };
        if (from->change != NULL)
            events[i].change = changes_from_wire(pool, from->change);
    }
    return (struct keystore_watch_batch){
        .events = events,
        .count = wire->n_events,
        .version = wire->version,
        .initial_done = wire->initial_done,
        .partial = wire->partial,
    };
}

/* ---- unpacking ---- */

static bool replies_take_varint(struct slice *bytes, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 64 && bytes->len > 0; shift += 7) {
        uint8_t byte = bytes->data[0];
        *bytes = slice_skip(*bytes, 1);
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Skips a field of which the tag is taken. */
static bool replies_skip_field(struct slice *bytes, unsigned wire_type)
{
    uint64_t ignored;
    size_t fixed = wire_type == 1 ? 8 : 4;
    if (wire_type == 0)
        return replies_take_varint(bytes, &ignored);
    if ((wire_type != 1 && wire_type != 5) || bytes->len < fixed)
        return false;
    *bytes = slice_skip(*bytes, fixed);
    return true;
}

bool replies_take_element(struct slice *bytes, struct slice *element)
{
    uint64_t tag, len;
    *element = slice_make(NULL, 0);
    while (bytes->len > 0) {
        if (!replies_take_varint(bytes, &tag))
            return false;
        if ((tag & 7) != 2) {
            if (!replies_skip_field(bytes, tag & 7))
                return false;
            continue;
        }
        if (!replies_take_varint(bytes, &len) || len > bytes->len)
            return false;
        *element = slice_make(bytes->data, (size_t)len);
        *bytes = slice_skip(*bytes, (size_t)len);
        if (tag >> 3 == 1)
            return true;
        *element = slice_make(NULL, 0);
    }
    return true;
}

static void *replies_alloc_for_protobuf(void *pool, size_t size)
{
    return pool_alloc(pool, size);
}

static void replies_free_for_protobuf(void *pool, void *memory)
{
    (void)pool;
    (void)memory; /* freed with the pool */
}

/* Unpacks a message of this type into the pool; NULL if the bytes are not one. */
static void *replies_unpack(const ProtobufCMessageDescriptor *type, struct slice bytes,
                            struct pool *pool)
{
    ProtobufCAllocator allocator = {
        .alloc = replies_alloc_for_protobuf,
        .free = replies_free_for_protobuf,
        .allocator_data = pool,
    };
    return protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.data);
}

#define REPLY(name)                                                                                \
    bool replies_##name(struct slice bytes, struct pool *pool, struct keystore_##name *answer)     \
    {                                                                                              \
        const void *wire = replies_unpack(&keystore__v1__##name##__descriptor, bytes, pool);       \
        if (wire == NULL)                                                                          \
            return false;                                                                          \
        struct keystore_##name whole = replies_##name##_from_wire(pool, wire);                     \
        if (pool->failed)                                                                          \
            return false;                                                                          \
        *answer = whole;                                                                           \
        return true;                                                                               \
    }

bool replies_health_reply(struct slice bytes, struct pool *pool,
                          struct keystore_health_reply *answer)
{
    const Grpc__Health__V1__HealthCheckResponse *wire =
        replies_unpack(&grpc__health__v1__health_check_response__descriptor, bytes, pool);
    if (wire == NULL)
        return false;
    *answer = (struct keystore_health_reply){(enum keystore_serving_status)wire->status};
    return true;
}

REPLY(status)
REPLY(value)
REPLY(list_values)
REPLY(values)
REPLY(number)
REPLY(key)
REPLY(key_info)
REPLY(popped)
REPLY(positions)
REPLY(bit_fields)
REPLY(lcs_reply)
REPLY(info_reply)
REPLY(txn_reply)
REPLY(reply)
REPLY(authenticate_reply)
REPLY(identity)
REPLY(scan_page)
REPLY(backup_page)
REPLY(clients_page)
REPLY(config_reply)
REPLY(slow_log_reply)
REPLY(latency_reply)
REPLY(message)
REPLY(consume_reply)
REPLY(watch_batch)
