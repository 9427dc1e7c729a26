/* The operations on strings, on both sides. */
#include "exchange.h"
#include "guard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Set, MSet ---- */

static size_t set_words(const struct keystore_key_value *set, bool has_deadline)
{
    size_t words = has_deadline ? 5 : 3;
    bool has_existence = set->condition != NULL && set->condition->existence != KEYSTORE_ANY;
    return words + set->return_previous + set->keep_ttl + has_existence;
}

static void add_set(struct script *script, const struct keystore_key_value *set,
                    int64_t deadline_ms)
{
    script_bytes(script, set->key);
    script_bytes(script, set->value);
    if (set->return_previous)
        script_text(script, "GET");
    if (set->keep_ttl)
        script_text(script, "KEEPTTL");
    if (deadline_ms != 0) {
        script_text(script, "PXAT");
        script_number(script, deadline_ms);
    }
    if (set->condition != NULL && set->condition->existence != KEYSTORE_ANY)
        script_text(script, set->condition->existence == KEYSTORE_ABSENT ? "NX" : "XX");
}

void send_set(const struct exchange *exchange, struct script *script)
{
    const struct keystore_key_value *set = &exchange->op->request.key_value;
    if (set->condition == NULL) {
        script_begin(script, set->db, "SET");
    } else {
        guard_begin(script, set->db, 1);
        script_bytes(script, set->key);
        guard_condition(script, set->condition, set->return_previous ? GUARD_STRING : GUARD_ANY);
        guard_command(script, set_words(set, exchange->deadline_ms != 0));
        script_text(script, "SET");
    }
    add_set(script, set, exchange->deadline_ms);
    script_end(script);
}

/* The answer to a condition that does not hold; `previous` is the string that is there, or nil. */
static void judge_unmet(struct judge *judge, uint32_t db, struct keystore_slice key,
                        const struct keystore_status *status, const redisReply *previous)
{
    judge_number(judge, "ok", status->ok, false);
    judge_number(judge, "has_previous", status->has_previous, previous->type != REDIS_REPLY_NIL);
    if (status->has_previous)
        judge_value(judge, &status->previous, previous);
    judge_kept(judge, db, key, status->version);
}

void judge_set(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key_value *set = &exchange->op->request.key_value;
    const struct keystore_status *status = &exchange->ours->answer.status;
    const redisReply *result = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, result))
        return;
    if (set->condition != NULL) {
        bool held = guard_held(result);
        result = guard_result(result);
        if (!held) {
            judge_unmet(judge, set->db, set->key, status, result);
            return;
        }
    }
    judge_number(judge, "ok", status->ok, true);
    judge_number(judge, "count", status->count, 1);
    judge_number(judge, "has_previous", status->has_previous, set->return_previous);
    if (set->return_previous)
        judge_value(judge, &status->previous, result);
    else
        judge_number(judge, "Redis' OK", true, result->type == REDIS_REPLY_STATUS);
    judge_wrote(judge, set->db, set->key, status->version, exchange_is_past(exchange, judge));
}

static int64_t entry_deadline(const struct keystore_key_value *entry)
{
    struct keystore_op set = {.kind = KEYSTORE_OP_SET, .request.key_value = *entry};
    return exchange_of(&set, 0, 0).deadline_ms;
}

enum m_set_form { FORM_MSET, FORM_MSETNX, FORM_GUARD };

static enum m_set_form form_of(const struct keystore_key_values *request)
{
    size_t plain = 0, absent = 0;
    for (size_t i = 0; i < request->count; i++) {
        const struct keystore_key_value *entry = &request->entries[i];
        if (entry->keep_ttl || entry->expire_at_ms != 0)
            continue;
        plain += entry->condition == NULL;
        absent += entry->condition != NULL && entry->condition->existence == KEYSTORE_ABSENT;
    }
    return plain == request->count    ? FORM_MSET
           : absent == request->count ? FORM_MSETNX
                                      : FORM_GUARD;
}

/* All conditions are judged before the first Set, so a Set itself has none. */
static void send_guarded_sets(const struct keystore_key_values *request, struct script *script)
{
    guard_begin(script, request->db, request->count);
    for (size_t i = 0; i < request->count; i++)
        script_bytes(script, request->entries[i].key);
    for (size_t i = 0; i < request->count; i++)
        guard_condition(script, request->entries[i].condition, GUARD_ANY);
    for (size_t i = 0; i < request->count; i++) {
        struct keystore_key_value entry = request->entries[i];
        int64_t deadline_ms = entry_deadline(&entry);
        entry.condition = NULL;
        guard_command(script, set_words(&entry, deadline_ms != 0));
        script_text(script, "SET");
        add_set(script, &entry, deadline_ms);
    }
    script_end(script);
}

void send_m_set(const struct exchange *exchange, struct script *script)
{
    const struct keystore_key_values *request = &exchange->op->request.key_values;
    enum m_set_form form = form_of(request);
    if (form == FORM_GUARD) {
        send_guarded_sets(request, script);
        return;
    }
    script_begin(script, request->db, form == FORM_MSET ? "MSET" : "MSETNX");
    for (size_t i = 0; i < request->count; i++) {
        script_bytes(script, request->entries[i].key);
        script_bytes(script, request->entries[i].value);
    }
    script_end(script);
}

/* All keys that were written have the same version, which a key that is named twice gets twice. */
static void judge_entries(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key_values *request = &exchange->op->request.key_values;
    uint64_t version = exchange->ours->answer.status.version, unit = judge->versions->unit;
    for (size_t i = 0; i < request->count; i++) {
        const struct keystore_key_value *entry = &request->entries[i];
        int64_t deadline_ms = entry_deadline(entry);
        if (deadline_ms != 0 && deadline_ms <= judge->now_ms)
            versions_gone(judge->versions, request->db, entry->key);
        else
            judge_wrote(judge, request->db, entry->key, version, false);
        judge->versions->unit = version;
    }
    judge->versions->unit = unit;
}

void judge_m_set(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key_values *request = &exchange->op->request.key_values;
    const struct keystore_status *status = &exchange->ours->answer.status;
    const redisReply *result = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, result))
        return;
    enum m_set_form form = form_of(request);
    if (form == FORM_GUARD && !guard_held(result)) {
        size_t unmet = (size_t)result->element[1]->integer - 1;
        judge_unmet(judge, request->db, request->entries[unmet].key, status, guard_result(result));
        return;
    }
    bool held = form != FORM_MSETNX || result->integer == 1;
    judge_number(judge, "ok", status->ok, held);
    if (!held)
        return;
    judge_number(judge, "count", status->count, (int64_t)request->count);
    judge_entries(exchange, judge);
}

/* ---- reading ---- */

void send_get(const struct exchange *exchange, struct script *script)
{
    const struct keystore_key *request = &exchange->op->request.key;
    script_key_command(script, request->db, "GET", request->key);
    script_key_command(script, request->db, "PEXPIRETIME", request->key);
}

void judge_get(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key *request = &exchange->op->request.key;
    const struct keystore_value *value = &exchange->ours->answer.value;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_value(judge, value, exchange->replies[0]);
    judge_deadline(judge, value->expire_at_ms, exchange->replies[1]);
    judge_kept(judge, request->db, request->key, value->version);
}

void send_m_get(const struct exchange *exchange, struct script *script)
{
    const struct keystore_keys *request = &exchange->op->request.keys;
    script_begin(script, request->db, "MGET");
    for (size_t i = 0; i < request->count; i++)
        script_bytes(script, request->keys[i]);
    script_end(script);
    for (size_t i = 0; i < request->count; i++)
        script_key_command(script, request->db, "PEXPIRETIME", request->keys[i]);
}

void judge_m_get(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_keys *request = &exchange->op->request.keys;
    const struct keystore_values *values = &exchange->ours->answer.values;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_number(judge, "values", (int64_t)values->count, (int64_t)request->count);
    for (size_t i = 0; i < request->count && judge->difference[0] == '\0'; i++) {
        const struct keystore_value *value = &values->values[i];
        judge_value(judge, value, exchange->replies[0]->element[i]);
        if (!value->found)
            continue;
        judge_deadline(judge, value->expire_at_ms, exchange->replies[1 + i]);
        judge_kept(judge, request->db, request->keys[i], value->version);
    }
}

void send_get_range(const struct exchange *exchange, struct script *script)
{
    const struct keystore_byte_range *range = &exchange->op->request.byte_range;
    script_begin(script, range->db, "GETRANGE");
    script_bytes(script, range->key);
    script_number(script, range->start);
    script_number(script, range->stop);
    script_end(script);
    script_key_command(script, range->db, "EXISTS", range->key);
    script_key_command(script, range->db, "PEXPIRETIME", range->key);
}

void judge_get_range(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_byte_range *range = &exchange->op->request.byte_range;
    const struct keystore_value *value = &exchange->ours->answer.value;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_integer(judge, "found", value->found, exchange->replies[1]);
    judge_bytes(judge, "value", value->value, exchange->replies[0]);
    judge_deadline(judge, value->expire_at_ms, exchange->replies[2]);
    judge_kept(judge, range->db, range->key, value->version);
}

/* ---- counting ---- */

/* All digits of a whole number, else the shortest text that is this number. */
static void write_real(char *text, size_t size, double number)
{
    if (trunc(number) == number) {
        snprintf(text, size, "%.0f", number);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            return;
    }
}

static void add_incr(struct script *script, const struct keystore_increment *increment, char *real,
                     size_t size)
{
    script_bytes(script, increment->key);
    if (increment->delta == KEYSTORE_BY_FLOAT) {
        write_real(real, size, increment->by_float);
        script_text(script, real);
    } else if (increment->delta == KEYSTORE_BY_DECIMAL)
        script_text(script, increment->by_decimal);
    else if (increment->delta == KEYSTORE_BY)
        script_number(script, increment->by);
}

void send_incr(const struct exchange *exchange, struct script *script)
{
    static const char *const names[] = {[KEYSTORE_BY_ONE] = "INCR",
                                        [KEYSTORE_BY] = "INCRBY",
                                        [KEYSTORE_BY_FLOAT] = "INCRBYFLOAT",
                                        [KEYSTORE_BY_DECIMAL] = "INCRBYFLOAT"};
    const struct keystore_increment *increment = &exchange->op->request.increment;
    const char *name = names[increment->delta];
    char real[400];
    if (exchange->deadline_ms == 0) {
        script_begin(script, increment->db, name);
        add_incr(script, increment, real, sizeof real);
        script_end(script);
        return;
    }
    guard_begin(script, increment->db, 1);
    script_bytes(script, increment->key);
    guard_condition(script, NULL, GUARD_ANY);
    guard_command(script, increment->delta == KEYSTORE_BY_ONE ? 2 : 3);
    script_text(script, name);
    add_incr(script, increment, real, sizeof real);
    guard_command_if_new(script, 3);
    script_text(script, "PEXPIREAT");
    script_bytes(script, increment->key);
    script_number(script, exchange->deadline_ms);
    script_end(script);
    script_key_command(script, increment->db, "GET", increment->key);
}

static void judge_real(struct judge *judge, const struct keystore_number *number,
                       const redisReply *result)
{
    judge_expect(judge, result->type == REDIS_REPLY_STRING, "Redis' reply is of type %d",
                 result->type);
    judge_bytes(judge, "decimal", number->decimal, result);
    double real = strtod(result->str, NULL);
    judge_expect(judge, number->real == real, "real: ours %.17g, Redis %s", number->real,
                 result->str);
    long double whole = truncl(strtold(result->str, NULL));
    if (whole >= -0x1p63L && whole < 0x1p63L)
        judge_number(judge, "integer", number->integer, (int64_t)whole);
}

void judge_incr(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_increment *increment = &exchange->op->request.increment;
    const struct keystore_number *number = &exchange->ours->answer.number;
    const redisReply *result = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, result))
        return;
    if (increment->delta == KEYSTORE_BY_FLOAT || increment->delta == KEYSTORE_BY_DECIMAL)
        judge_real(judge, number, exchange->deadline_ms != 0 ? exchange->replies[1] : result);
    else if (exchange->deadline_ms != 0) /* the guard's numbers are doubles */
        judge_number(judge, "integer", number->integer,
                     strtoll(exchange->replies[1]->str, NULL, 10));
    else
        judge_integer(judge, "integer", number->integer, result);
    judge_wrote(judge, increment->db, increment->key, number->version, false);
}

/* ---- parts ---- */

void send_append(const struct exchange *exchange, struct script *script)
{
    const struct keystore_key_value *request = &exchange->op->request.key_value;
    script_begin(script, request->db, "APPEND");
    script_bytes(script, request->key);
    script_bytes(script, request->value);
    script_end(script);
}

/* Nothing, appended, writes a key that was not there. */
void judge_append(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key_value *request = &exchange->op->request.key_value;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_number(judge, "ok", status->ok, true);
    judge_integer(judge, "count", status->count, exchange->replies[0]);
    if (request->value.len > 0) {
        judge_wrote(judge, request->db, request->key, status->version, false);
        return;
    }
    judge_either(judge, request->db, request->key, status->version);
}

void send_set_range(const struct exchange *exchange, struct script *script)
{
    const struct keystore_byte_range *range = &exchange->op->request.byte_range;
    script_begin(script, range->db, "SETRANGE");
    script_bytes(script, range->key);
    script_number(script, range->start);
    script_bytes(script, range->value);
    script_end(script);
    script_key_command(script, range->db, "EXISTS", range->key);
}

void judge_set_range(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_byte_range *range = &exchange->op->request.byte_range;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_integer(judge, "ok", status->ok, exchange->replies[1]);
    judge_integer(judge, "count", status->count, exchange->replies[0]);
    if (range->value.len == 0)
        judge_kept(judge, range->db, range->key, status->version);
    else
        judge_wrote(judge, range->db, range->key, status->version, false);
}

/* ---- reading and more ---- */

void send_get_del(const struct exchange *exchange, struct script *script)
{
    const struct keystore_key *request = &exchange->op->request.key;
    if (request->condition == NULL) {
        script_key_command(script, request->db, "GETDEL", request->key);
        return;
    }
    guard_begin(script, request->db, 1);
    script_bytes(script, request->key);
    guard_condition(script, request->condition, GUARD_STRING);
    guard_command(script, 2);
    script_text(script, "GETDEL");
    script_bytes(script, request->key);
    script_end(script);
}

void judge_get_del(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key *request = &exchange->op->request.key;
    const struct keystore_value *value = &exchange->ours->answer.value;
    const redisReply *result = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, result))
        return;
    if (request->condition != NULL && !guard_held(result)) {
        judge_number(judge, "found", value->found, false);
        judge_kept(judge, request->db, request->key, value->version);
        return;
    }
    judge_value(judge, value, request->condition != NULL ? guard_result(result) : result);
    judge_wrote(judge, request->db, request->key, value->version, true);
}

void send_get_ex(const struct exchange *exchange, struct script *script)
{
    const struct keystore_expire_request *request = &exchange->op->request.expire;
    script_begin(script, request->db, "GETEX");
    script_bytes(script, request->key);
    if (request->persist)
        script_text(script, "PERSIST");
    if (exchange->deadline_ms != 0) {
        script_text(script, "PXAT");
        script_number(script, exchange->deadline_ms);
    }
    script_end(script);
    script_key_command(script, request->db, "PEXPIRETIME", request->key);
}

void judge_get_ex(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_expire_request *request = &exchange->op->request.expire;
    const struct keystore_value *value = &exchange->ours->answer.value;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_value(judge, value, exchange->replies[0]);
    judge_deadline(judge, value->expire_at_ms, exchange->replies[1]);
    if (value->found && request->persist) /* which writes nothing if there was no deadline */
        judge_either(judge, request->db, request->key, value->version);
    else if (!value->found || exchange->deadline_ms == 0)
        judge_kept(judge, request->db, request->key, value->version);
    else
        judge_wrote(judge, request->db, request->key, value->version,
                    exchange_is_past(exchange, judge));
}
