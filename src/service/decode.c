/* From protobuf-c's messages to struct op. Knows the wire's form of requests and nothing else. */
#include "service/decode.h"

#include "service/wire.h"

#include <mini_redis.pb-c.h>

static const char not_decodable[] =
    "the message does not decode as this method's request; see proto/mini_redis.proto";
static const char no_ttl[] = "time to live is not served yet; leave ttl_ms, expire_at_ms and "
                             "keep_ttl unset";

static struct slice to_slice(ProtobufCBinaryData bytes)
{
    return slice_make(bytes.data, bytes.len);
}

static enum err refuse(const char *sentence, const char **why)
{
    *why = sentence;
    return ERR_BAD_ARGUMENT;
}

static enum err to_condition(const Keystore__V1__Condition *message, struct condition *condition,
                             const char **why)
{
    if (message == NULL)
        return ERR_NONE;
    if ((int)message->existence < EXISTENCE_ANY || (int)message->existence > EXISTENCE_PRESENT)
        return refuse("condition.existence has no such value; it is 0, 1 (absent) or 2 (present)",
                      why);
    condition->existence = (enum existence)message->existence;
    condition->version = message->version;
    condition->match_value = message->match_value;
    condition->value = to_slice(message->value);
    if (condition->existence == EXISTENCE_ABSENT &&
        (condition->version != 0 || condition->match_value))
        return refuse("condition asks for an absent key and for its version or value; ask for one",
                      why);
    if (!condition->match_value && condition->value.len > 0)
        return refuse("condition.value is given without match_value; set match_value to compare it",
                      why);
    return ERR_NONE;
}

enum err decode_key(struct slice message, struct arena *arena, struct op *op, const char **why)
{
    const Keystore__V1__Key *request = wire_decode(&keystore__v1__key__descriptor, message, arena);
    if (request == NULL) {
        *why = not_decodable;
        return ERR_BAD_MESSAGE;
    }
    op->key = to_slice(request->key);
    op->db = request->db;
    if (request->condition != NULL && op->kind != OP_DELETE)
        return refuse("condition is for Delete; leave it unset in this call", why);
    return to_condition(request->condition, &op->condition, why);
}

enum err decode_key_value(struct slice message, struct arena *arena, struct op *op,
                          const char **why)
{
    const Keystore__V1__KeyValue *request =
        wire_decode(&keystore__v1__key_value__descriptor, message, arena);
    if (request == NULL) {
        *why = not_decodable;
        return ERR_BAD_MESSAGE;
    }
    if (request->ttl_ms != 0 || request->expire_at_ms != 0 || request->keep_ttl) {
        *why = no_ttl;
        return ERR_NOT_SERVED;
    }
    op->key = to_slice(request->key);
    op->value = to_slice(request->value);
    op->db = request->db;
    op->return_previous = request->return_previous;
    return to_condition(request->condition, &op->condition, why);
}

enum err decode_list_insert(struct slice message, struct arena *arena, struct op *op,
                            const char **why)
{
    const Keystore__V1__ListInsert *request =
        wire_decode(&keystore__v1__list_insert__descriptor, message, arena);
    if (request == NULL) {
        *why = not_decodable;
        return ERR_BAD_MESSAGE;
    }
    if (request->ttl_ms != 0) {
        *why = no_ttl;
        return ERR_NOT_SERVED;
    }
    if (request->n_values == 0)
        return refuse("values is empty; give at least one value to push", why);
    if (request->condition != NULL && request->condition->match_value)
        return refuse("condition.match_value compares strings; a list has none", why);
    struct slice *values = arena_alloc(arena, request->n_values * sizeof *values);
    for (size_t i = 0; i < request->n_values; i++)
        values[i] = to_slice(request->values[i]);
    op->key = to_slice(request->key);
    op->values = values;
    op->value_count = request->n_values;
    op->db = request->db;
    op->max_length = request->max_length;
    return to_condition(request->condition, &op->condition, why);
}

enum err decode_list_range(struct slice message, struct arena *arena, struct op *op,
                           const char **why)
{
    const Keystore__V1__ListRange *request =
        wire_decode(&keystore__v1__list_range__descriptor, message, arena);
    if (request == NULL) {
        *why = not_decodable;
        return ERR_BAD_MESSAGE;
    }
    if (request->page_bytes != 0)
        return refuse("page_bytes is for StreamList; leave it unset in this call", why);
    op->key = to_slice(request->key);
    op->start = request->start;
    op->stop = request->stop;
    op->db = request->db;
    return ERR_NONE;
}
