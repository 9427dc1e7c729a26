/* The operations on bits of strings, on both sides. */
#include "exchange.h"

/* Redis answers with a number; whether there is the key is asked for beside it. */
static void judge_found(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_status *status = &exchange->ours->answer.status;
    judge_integer(judge, "count", status->count, exchange->replies[0]);
    judge_integer(judge, "ok", status->ok, exchange->replies[1]);
}

void send_set_bit(const struct exchange *exchange, struct script *script)
{
    const struct keystore_bit_request *request = &exchange->op->request.bit_request;
    script_begin(script, request->db, "SETBIT");
    script_bytes(script, request->key);
    script_number(script, (int64_t)request->offset);
    script_number(script, request->bit);
    script_end(script);
    script_key_command(script, request->db, "EXISTS", request->key);
}

void judge_set_bit(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_bit_request *request = &exchange->op->request.bit_request;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    const struct keystore_status *status = &exchange->ours->answer.status;
    judge_found(exchange, judge);
    if (status->count != request->bit)
        judge_wrote(judge, request->db, request->key, status->version, false);
    else /* a write only if the string became longer */
        judge_either(judge, request->db, request->key, status->version);
}

void send_get_bit(const struct exchange *exchange, struct script *script)
{
    const struct keystore_bit_request *request = &exchange->op->request.bit_request;
    script_begin(script, request->db, "GETBIT");
    script_bytes(script, request->key);
    script_number(script, (int64_t)request->offset);
    script_end(script);
    script_key_command(script, request->db, "EXISTS", request->key);
}

void judge_get_bit(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_bit_request *request = &exchange->op->request.bit_request;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_found(exchange, judge);
    judge_kept(judge, request->db, request->key, exchange->ours->answer.status.version);
}

static void send_range(const struct exchange *exchange, struct script *script, const char *name,
                       bool has_bit)
{
    const struct keystore_bit_range *range = &exchange->op->request.bit_range;
    script_begin(script, range->db, name);
    script_bytes(script, range->key);
    if (has_bit)
        script_number(script, range->bit);
    if (range->start != 0 || range->has_stop)
        script_number(script, range->start);
    if (range->has_stop)
        script_number(script, range->stop);
    if (range->in_bits)
        script_text(script, "BIT");
    script_end(script);
    script_key_command(script, range->db, "EXISTS", range->key);
}

static void judge_range(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_bit_range *range = &exchange->op->request.bit_range;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_found(exchange, judge);
    judge_kept(judge, range->db, range->key, exchange->ours->answer.status.version);
}

void send_bit_count(const struct exchange *exchange, struct script *script)
{
    send_range(exchange, script, "BITCOUNT", false);
}

void judge_bit_count(const struct exchange *exchange, struct judge *judge)
{
    judge_range(exchange, judge);
}

void send_bit_pos(const struct exchange *exchange, struct script *script)
{
    send_range(exchange, script, "BITPOS", true);
}

void judge_bit_pos(const struct exchange *exchange, struct judge *judge)
{
    judge_range(exchange, judge);
}

static const char *name_of_bitwise(enum keystore_bitwise operation)
{
    switch (operation) {
    case KEYSTORE_BITS_AND:
        return "AND";
    case KEYSTORE_BITS_OR:
        return "OR";
    case KEYSTORE_BITS_XOR:
        return "XOR";
    case KEYSTORE_BITS_NOT:
        break;
    }
    return "NOT";
}

void send_bit_op(const struct exchange *exchange, struct script *script)
{
    const struct keystore_bit_op_request *request = &exchange->op->request.bit_op_request;
    script_begin(script, request->db, "BITOP");
    script_text(script, name_of_bitwise(request->operation));
    script_bytes(script, request->key);
    for (size_t i = 0; i < request->key_count; i++)
        script_bytes(script, request->keys[i]);
    script_end(script);
    script_key_command(script, request->db, "EXISTS", request->key);
}

void judge_bit_op(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_bit_op_request *request = &exchange->op->request.bit_op_request;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_found(exchange, judge);
    if (status->ok)
        judge_wrote(judge, request->db, request->key, status->version, false);
    else
        judge_either(judge, request->db, request->key, status->version);
}

static void send_field(struct script *script, const struct keystore_bit_field *field)
{
    static const char *const overflows[] = {"WRAP", "WRAP", "SAT", "FAIL"};
    static const char *const actions[] = {"GET", "GET", "SET", "INCRBY"};
    static const char *const types[2][65] = {
#define EIGHT(sign, a, b, c, d, e, f, g, h)                                                        \
    sign #a, sign #b, sign #c, sign #d, sign #e, sign #f, sign #g, sign #h
#define ALL(sign)                                                                                  \
    {NULL,                                                                                         \
     EIGHT(sign, 1, 2, 3, 4, 5, 6, 7, 8),                                                          \
     EIGHT(sign, 9, 10, 11, 12, 13, 14, 15, 16),                                                   \
     EIGHT(sign, 17, 18, 19, 20, 21, 22, 23, 24),                                                  \
     EIGHT(sign, 25, 26, 27, 28, 29, 30, 31, 32),                                                  \
     EIGHT(sign, 33, 34, 35, 36, 37, 38, 39, 40),                                                  \
     EIGHT(sign, 41, 42, 43, 44, 45, 46, 47, 48),                                                  \
     EIGHT(sign, 49, 50, 51, 52, 53, 54, 55, 56),                                                  \
     EIGHT(sign, 57, 58, 59, 60, 61, 62, 63, 64)}
        ALL("u"), ALL("i")};
    script_text(script, "OVERFLOW");
    script_text(script, overflows[field->overflow]);
    script_text(script, actions[field->action]);
    script_text(script, types[field->is_signed][field->bits]);
    script_number(script, (int64_t)field->offset);
    if (field->action != KEYSTORE_FIELD_GET)
        script_number(script, field->value);
}

void send_bit_field(const struct exchange *exchange, struct script *script)
{
    const struct keystore_bit_field_request *request = &exchange->op->request.bit_field_request;
    script_begin(script, request->db, "BITFIELD");
    script_bytes(script, request->key);
    for (size_t i = 0; i < request->count; i++)
        send_field(script, &request->parts[i]);
    script_end(script);
}

/* Whether a write has changed something cannot be told from the answer. */
void judge_bit_field(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_bit_field_request *request = &exchange->op->request.bit_field_request;
    const struct keystore_bit_fields *fields = &exchange->ours->answer.bit_fields;
    const redisReply *redis = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, redis))
        return;
    judge_number(judge, "items", (int64_t)fields->count, (int64_t)redis->elements);
    for (size_t i = 0; i < fields->count && i < redis->elements; i++) {
        const redisReply *item = redis->element[i];
        judge_number(judge, "done", fields->items[i].done, item->type == REDIS_REPLY_INTEGER);
        if (item->type == REDIS_REPLY_INTEGER)
            judge_number(judge, "value", fields->items[i].value, item->integer);
    }
    judge_either(judge, request->db, request->key, fields->version);
}
