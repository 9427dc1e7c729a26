/* The operations on keys of any type, on both sides. */
#include "differences.h"
#include "exchange.h"
#include "guard.h"

/* ---- Delete ---- */

void send_delete(const struct exchange *exchange, struct script *script)
{
    const struct keystore_key *request = &exchange->op->request.key;
    if (request->condition == NULL) {
        script_key_command(script, request->db, "DEL", request->key);
        return;
    }
    guard_begin(script, request->db, 1);
    script_bytes(script, request->key);
    guard_condition(script, request->condition, GUARD_ANY);
    guard_command(script, 2);
    script_text(script, "DEL");
    script_bytes(script, request->key);
    script_end(script);
}

void judge_delete(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key *request = &exchange->op->request.key;
    const struct keystore_status *status = &exchange->ours->answer.status;
    const redisReply *result = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, result))
        return;
    bool held = request->condition == NULL || guard_held(result);
    if (request->condition != NULL)
        result = guard_result(result);
    if (held) {
        judge_integer(judge, "count", status->count, result);
        judge_number(judge, "ok", status->ok, result->integer > 0);
        judge_wrote(judge, request->db, request->key, status->version, true);
        return;
    }
    judge_number(judge, "ok", status->ok, false);
    judge_number(judge, "has_previous", status->has_previous, result->type != REDIS_REPLY_NIL);
    if (status->has_previous)
        judge_value(judge, &status->previous, result);
    judge_kept(judge, request->db, request->key, status->version);
}

/* ---- DeleteMany, Exists, Touch ---- */

void send_count(const struct exchange *exchange, struct script *script)
{
    const struct keystore_keys *request = &exchange->op->request.keys;
    script_begin(script, request->db,
                 exchange->op->kind == KEYSTORE_OP_EXISTS        ? "EXISTS"
                 : exchange->op->kind == KEYSTORE_OP_DELETE_MANY ? "DEL"
                                                                 : "TOUCH");
    for (size_t i = 0; i < request->count; i++)
        script_bytes(script, request->keys[i]);
    script_end(script);
}

void judge_count(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_keys *request = &exchange->op->request.keys;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_integer(judge, "count", status->count, exchange->replies[0]);
    judge_number(judge, "ok", status->ok, status->count > 0);
    if (exchange->op->kind != KEYSTORE_OP_DELETE_MANY)
        return;
    for (size_t i = 0; i < request->count; i++)
        versions_gone(judge->versions, request->db, request->keys[i]);
}

/* ---- Describe ---- */

void send_describe(const struct exchange *exchange, struct script *script)
{
    const struct keystore_key *request = &exchange->op->request.key;
    script_key_command(script, request->db, "TYPE", request->key);
    script_key_command(script, request->db, "PEXPIRETIME", request->key);
    script_key_command(script, request->db, "STRLEN", request->key);
    script_key_command(script, request->db, "LLEN", request->key);
}

static enum keystore_type type_of(const redisReply *reply)
{
    return strcmp(reply->str, "string") == 0 ? KEYSTORE_TYPE_STRING
           : strcmp(reply->str, "list") == 0 ? KEYSTORE_TYPE_LIST
                                             : KEYSTORE_TYPE_NONE;
}

void judge_describe(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key *request = &exchange->op->request.key;
    const struct keystore_key_info *info = &exchange->ours->answer.info;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    enum keystore_type type = type_of(exchange->replies[0]);
    judge_number(judge, "found", info->found, type != KEYSTORE_TYPE_NONE);
    judge_number(judge, "type", info->type, type);
    judge_deadline(judge, info->expire_at_ms, exchange->replies[1]);
    judge_integer(judge, "length", info->length,
                  exchange->replies[type == KEYSTORE_TYPE_LIST ? 3 : 2]);
    judge_expect(judge, !info->found || info->memory_bytes > info->length / 2,
                 "memory_bytes is %lld", (long long)info->memory_bytes);
    judge_kept(judge, request->db, request->key, info->version);
}

/* ---- Expire ---- */

void send_expire(const struct exchange *exchange, struct script *script)
{
    static const char *const whens[] = {"", "NX", "XX", "GT", "LT"};
    const struct keystore_expire_request *request = &exchange->op->request.expire;
    if (request->persist) {
        script_key_command(script, request->db, "PERSIST", request->key);
        return;
    }
    script_begin(script, request->db, "PEXPIREAT");
    script_bytes(script, request->key);
    script_number(script, exchange->deadline_ms);
    if (request->when != KEYSTORE_WHEN_ANY)
        script_text(script, whens[request->when]);
    script_end(script);
}

void judge_expire(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_expire_request *request = &exchange->op->request.expire;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_integer(judge, "ok", status->ok, exchange->replies[0]);
    if (!status->ok)
        judge_kept(judge, request->db, request->key, status->version);
    else
        judge_wrote(judge, request->db, request->key, status->version,
                    exchange_is_past(exchange, judge));
}

/* ---- Rename, Copy ---- */

static uint32_t target_db(const struct keystore_copy_request *request)
{
    return request->has_target_db ? request->target_db : request->db;
}

static bool is_same_key(const struct keystore_copy_request *request)
{
    return target_db(request) == request->db && request->source.data == request->target.data;
}

static void add_copy(struct script *script, const struct keystore_copy_request *request,
                     bool replace)
{
    script_bytes(script, request->source);
    script_bytes(script, request->target);
    script_text(script, "DB");
    script_number(script, target_db(request));
    if (replace)
        script_text(script, "REPLACE");
}

static void send_rename_db(struct script *script, const struct keystore_copy_request *request)
{
    if (request->absent_only && request->source.data == request->target.data) {
        script_begin(script, request->db, "MOVE");
        script_bytes(script, request->source);
        script_number(script, request->target_db);
        script_end(script);
        return;
    }
    script_begin(script, request->db, "EVAL");
    script_text(script, "local copied = redis.call('COPY', unpack(ARGV))\n"
                        "if copied == 1 then redis.call('DEL', ARGV[1]) end\n"
                        "return copied\n");
    script_number(script, 0);
    add_copy(script, request, !request->absent_only);
    script_end(script);
    difference_met(DIFFERENCE_RENAME_DB);
}

void send_rename(const struct exchange *exchange, struct script *script)
{
    const struct keystore_copy_request *request = &exchange->op->request.copy;
    if (target_db(request) != request->db) {
        send_rename_db(script, request);
    } else {
        script_begin(script, request->db, request->absent_only ? "RENAMENX" : "RENAME");
        script_bytes(script, request->source);
        script_bytes(script, request->target);
        script_end(script);
    }
    script_key_command(script, request->db, "EXISTS", request->source);
}

/* Nothing has happened; the version is that of the target, if there is a source. */
static void judge_not_done(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_copy_request *request = &exchange->op->request.copy;
    uint64_t version = exchange->ours->answer.status.version;
    if (exchange->replies[1]->integer == 0)
        judge_number(judge, "version", (int64_t)version, 0);
    else
        judge_kept(judge, target_db(request), request->target, version);
}

void judge_rename(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_copy_request *request = &exchange->op->request.copy;
    const struct keystore_status *status = &exchange->ours->answer.status;
    const redisReply *result = exchange->replies[0];
    bool is_miss = judge_is_no_such_key(result) && difference_met(DIFFERENCE_NO_SUCH_KEY);
    if (!is_miss && !judge_errors(judge, exchange->ours, result))
        return;
    bool done = result->type == REDIS_REPLY_STATUS ||
                (result->type == REDIS_REPLY_INTEGER && result->integer == 1);
    judge_number(judge, "ok", status->ok, done);
    if (!done) {
        judge_not_done(exchange, judge);
    } else if (is_same_key(request)) {
        judge_kept(judge, request->db, request->source, status->version);
    } else {
        versions_gone(judge->versions, request->db, request->source);
        judge_wrote(judge, target_db(request), request->target, status->version, false);
    }
}

void send_copy(const struct exchange *exchange, struct script *script)
{
    const struct keystore_copy_request *request = &exchange->op->request.copy;
    script_begin(script, request->db, "COPY");
    add_copy(script, request, request->replace);
    script_end(script);
    script_key_command(script, request->db, "EXISTS", request->source);
}

void judge_copy(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_copy_request *request = &exchange->op->request.copy;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_integer(judge, "ok", status->ok, exchange->replies[0]);
    if (status->ok)
        judge_wrote(judge, target_db(request), request->target, status->version, false);
    else
        judge_not_done(exchange, judge);
}
