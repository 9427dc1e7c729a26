/* The operations on lists, on both sides. */
#include "differences.h"
#include "exchange.h"
#include "guard.h"

/* ---- pushing ---- */

static const char *push_name(const struct keystore_op *op, bool only_present)
{
    if (op->kind == KEYSTORE_OP_LPUSH)
        return only_present ? "LPUSHX" : "LPUSH";
    return only_present ? "RPUSHX" : "RPUSH";
}

static void add_push(struct script *script, const struct keystore_list_insert *insert)
{
    script_bytes(script, insert->key);
    for (size_t i = 0; i < insert->count; i++)
        script_bytes(script, insert->values[i]);
}

/* LPUSHX and RPUSHX; with a version it takes more. */
static bool is_only_present(const struct keystore_list_insert *insert)
{
    const struct keystore_condition *condition = insert->condition;
    return condition != NULL && condition->existence == KEYSTORE_PRESENT && condition->version == 0;
}

static bool is_plain(const struct exchange *exchange)
{
    const struct keystore_list_insert *insert = &exchange->op->request.list_insert;
    return exchange->deadline_ms == 0 && insert->max_length == 0 &&
           (insert->condition == NULL || is_only_present(insert));
}

static void add_cut(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_insert *insert = &exchange->op->request.list_insert;
    bool to_head = exchange->op->kind == KEYSTORE_OP_LPUSH;
    guard_command(script, 4);
    script_text(script, "LTRIM");
    script_bytes(script, insert->key);
    script_number(script, to_head ? 0 : -(int64_t)insert->max_length);
    script_number(script, to_head ? (int64_t)insert->max_length - 1 : -1);
}

static void send_guarded_push(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_insert *insert = &exchange->op->request.list_insert;
    guard_begin(script, insert->db, 1);
    script_bytes(script, insert->key);
    guard_condition(script, insert->condition, GUARD_LIST);
    guard_command(script, 2 + insert->count);
    script_text(script, push_name(exchange->op, false));
    add_push(script, insert);
    if (insert->max_length > 0)
        add_cut(exchange, script);
    if (exchange->deadline_ms != 0) {
        guard_command(script, 3);
        script_text(script, "PEXPIREAT");
        script_bytes(script, insert->key);
        script_number(script, exchange->deadline_ms);
    }
    script_end(script);
}

void send_push(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_insert *insert = &exchange->op->request.list_insert;
    if (!is_plain(exchange)) {
        send_guarded_push(exchange, script);
        return;
    }
    script_begin(script, insert->db, push_name(exchange->op, insert->condition != NULL));
    add_push(script, insert);
    script_end(script);
}

void judge_push(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_list_insert *insert = &exchange->op->request.list_insert;
    const struct keystore_status *status = &exchange->ours->answer.status;
    const redisReply *result = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, result))
        return;
    bool held = is_plain(exchange) ? result->integer > 0 : guard_held(result);
    judge_number(judge, "ok", status->ok, held);
    judge_number(judge, "has_previous", status->has_previous, false);
    if (!held) {
        judge_kept(judge, insert->db, insert->key, status->version);
        return;
    }
    int64_t length = is_plain(exchange) ? result->integer : guard_result(result)->integer;
    if (insert->max_length > 0 && length > (int64_t)insert->max_length)
        length = (int64_t)insert->max_length;
    judge_number(judge, "count", status->count, length);
    judge_wrote(judge, insert->db, insert->key, status->version, false);
}

/* ---- popping, moving ---- */

void send_pop(const struct exchange *exchange, struct script *script)
{
    const struct keystore_key *request = &exchange->op->request.key;
    script_key_command(script, request->db,
                       exchange->op->kind == KEYSTORE_OP_LPOP ? "LPOP" : "RPOP", request->key);
    script_key_command(script, request->db, "LLEN", request->key);
}

void judge_pop(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_key *request = &exchange->op->request.key;
    const struct keystore_value *value = &exchange->ours->answer.value;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_value(judge, value, exchange->replies[0]);
    judge_wrote(judge, request->db, request->key, value->version,
                exchange->replies[1]->integer == 0);
}

void send_list_pop(const struct exchange *exchange, struct script *script)
{
    const struct keystore_pop_request *pop = &exchange->op->request.pop;
    script_begin(script, pop->db, "LMPOP");
    script_number(script, (int64_t)pop->key_count);
    for (size_t i = 0; i < pop->key_count; i++)
        script_bytes(script, pop->keys[i]);
    script_text(script, pop->end == KEYSTORE_TAIL ? "RIGHT" : "LEFT");
    script_text(script, "COUNT");
    script_number(script, pop->count == 0 && difference_met(DIFFERENCE_ZERO) ? 1 : pop->count);
    script_end(script);
}

/* The answer has no version. */
void judge_list_pop(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_pop_request *pop = &exchange->op->request.pop;
    const struct keystore_popped *popped = &exchange->ours->answer.popped;
    const redisReply *result = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, result))
        return;
    judge_number(judge, "found", popped->found, result->type != REDIS_REPLY_NIL);
    if (!popped->found || judge->difference[0] != '\0')
        return;
    judge_bytes(judge, "key", popped->key, result->element[0]);
    judge_values(judge, popped->values, popped->count, result->element[1]);
    for (size_t i = 0; i < pop->key_count; i++)
        versions_forget(judge->versions, pop->db, pop->keys[i]);
}

static const char *end_name(enum keystore_list_end end)
{
    return end == KEYSTORE_TAIL ? "RIGHT" : "LEFT";
}

void send_l_move(const struct exchange *exchange, struct script *script)
{
    const struct keystore_move_request *move = &exchange->op->request.move;
    script_begin(script, move->db, "LMOVE");
    script_bytes(script, move->source);
    script_bytes(script, move->target);
    script_text(script, end_name(move->source_end));
    script_text(script, end_name(move->target_end));
    script_end(script);
}

void judge_l_move(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_move_request *move = &exchange->op->request.move;
    const struct keystore_value *value = &exchange->ours->answer.value;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_value(judge, value, exchange->replies[0]);
    if (!value->found)
        return;
    judge_wrote(judge, move->db, move->target, value->version, false);
    if (move->source.data != move->target.data)
        versions_forget(judge->versions, move->db, move->source);
}

/* ---- reading ---- */

static void send_list_range(const struct exchange *exchange, struct script *script,
                            const char *name)
{
    const struct keystore_list_range *range = &exchange->op->request.list_range;
    script_begin(script, range->db, name);
    script_bytes(script, range->key);
    script_number(script, range->start);
    script_number(script, range->stop);
    script_end(script);
    script_key_command(script, range->db, "LLEN", range->key);
}

void send_l_range(const struct exchange *exchange, struct script *script)
{
    send_list_range(exchange, script, "LRANGE");
}

void judge_l_range(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_list_range *range = &exchange->op->request.list_range;
    const struct keystore_list *list = &exchange->ours->answer.list;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_values(judge, list->values, list->count, exchange->replies[0]);
    judge_integer(judge, "length", list->length, exchange->replies[1]);
    judge_number(judge, "found", list->found, list->length > 0);
    int64_t first = range->start < 0 ? range->start + list->length : range->start;
    if (list->count > 0)
        judge_number(judge, "offset", list->offset, first < 0 ? 0 : first);
    judge_kept(judge, range->db, range->key, list->version);
}

void send_l_index(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_item *item = &exchange->op->request.list_item;
    script_begin(script, item->db, "LINDEX");
    script_bytes(script, item->key);
    script_number(script, item->index);
    script_end(script);
}

void judge_l_index(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_list_item *item = &exchange->op->request.list_item;
    const struct keystore_value *value = &exchange->ours->answer.value;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_value(judge, value, exchange->replies[0]);
    if (value->found)
        judge_kept(judge, item->db, item->key, value->version);
}

void send_l_pos(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_find *find = &exchange->op->request.list_find;
    script_begin(script, find->db, "LPOS");
    script_bytes(script, find->key);
    script_bytes(script, find->value);
    script_text(script, "RANK");
    script_number(script, find->rank == 0 && difference_met(DIFFERENCE_ZERO) ? 1 : find->rank);
    script_text(script, "COUNT");
    script_number(script, find->count);
    script_text(script, "MAXLEN");
    script_number(script, (int64_t)find->max_scan);
    script_end(script);
}

void judge_l_pos(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_positions *positions = &exchange->ours->answer.positions;
    const redisReply *result = exchange->replies[0];
    if (!judge_errors(judge, exchange->ours, result))
        return;
    judge_number(judge, "indexes", (int64_t)positions->count, (int64_t)result->elements);
    for (size_t i = 0; i < positions->count && judge->difference[0] == '\0'; i++)
        judge_integer(judge, "index", positions->indexes[i], result->element[i]);
}

/* ---- changing ---- */

void send_l_set(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_item *item = &exchange->op->request.list_item;
    script_begin(script, item->db, "LSET");
    script_bytes(script, item->key);
    script_number(script, item->index);
    script_bytes(script, item->value);
    script_end(script);
}

void judge_l_set(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_list_item *item = &exchange->op->request.list_item;
    const struct keystore_status *status = &exchange->ours->answer.status;
    const redisReply *result = exchange->replies[0];
    bool is_miss = judge_is_no_such_key(result) && difference_met(DIFFERENCE_NO_SUCH_KEY);
    if (!is_miss && !judge_errors(judge, exchange->ours, result))
        return;
    judge_number(judge, "ok", status->ok, !is_miss);
    judge_number(judge, "count", status->count, !is_miss);
    judge_wrote(judge, item->db, item->key, status->version, is_miss);
}

void send_l_insert(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_item *item = &exchange->op->request.list_item;
    script_begin(script, item->db, "LINSERT");
    script_bytes(script, item->key);
    script_text(script, item->after ? "AFTER" : "BEFORE");
    script_bytes(script, item->pivot);
    script_bytes(script, item->value);
    script_end(script);
}

void judge_l_insert(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_list_item *item = &exchange->op->request.list_item;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_integer(judge, "count", status->count, exchange->replies[0]);
    judge_number(judge, "ok", status->ok, status->count > 0);
    if (status->count > 0)
        judge_wrote(judge, item->db, item->key, status->version, false);
    else
        judge_kept(judge, item->db, item->key, status->version);
}

void send_l_rem(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_find *find = &exchange->op->request.list_find;
    script_begin(script, find->db, "LREM");
    script_bytes(script, find->key);
    script_number(script, find->count);
    script_bytes(script, find->value);
    script_end(script);
    script_key_command(script, find->db, "LLEN", find->key);
}

void judge_l_rem(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_list_find *find = &exchange->op->request.list_find;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    judge_integer(judge, "count", status->count, exchange->replies[0]);
    judge_number(judge, "ok", status->ok, status->count > 0);
    if (status->count > 0)
        judge_wrote(judge, find->db, find->key, status->version,
                    exchange->replies[1]->integer == 0);
    else
        judge_kept(judge, find->db, find->key, status->version);
}

/* LTRIM does not tell what it did; LLEN before it fails as it would. */
void send_l_trim(const struct exchange *exchange, struct script *script)
{
    const struct keystore_list_range *range = &exchange->op->request.list_range;
    script_key_command(script, range->db, "LLEN", range->key);
    send_list_range(exchange, script, "LTRIM");
}

void judge_l_trim(const struct exchange *exchange, struct judge *judge)
{
    const struct keystore_list_range *range = &exchange->op->request.list_range;
    const struct keystore_status *status = &exchange->ours->answer.status;
    if (!judge_errors(judge, exchange->ours, exchange->replies[0]))
        return;
    int64_t before = exchange->replies[0]->integer, after = exchange->replies[2]->integer;
    judge_number(judge, "ok", status->ok, before > 0);
    judge_number(judge, "count", status->count, after);
    if (before == after)
        judge_kept(judge, range->db, range->key, status->version);
    else
        judge_wrote(judge, range->db, range->key, status->version, after == 0);
}
