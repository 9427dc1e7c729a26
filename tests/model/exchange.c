/* The table of operations on both sides. */
#include "exchange.h"

struct exchange exchange_of(const struct keystore_op *op, int64_t ttl_deadline_ms, int64_t now_ms)
{
    struct exchange exchange = {.op = op, .deadline_ms = step_expire_at_ms(op)};
    if (step_ttl_ms(op) != 0)
        exchange.deadline_ms = ttl_deadline_ms != 0 ? ttl_deadline_ms : now_ms + step_ttl_ms(op);
    return exchange;
}

bool exchange_is_past(const struct exchange *exchange, const struct judge *judge)
{
    return exchange->deadline_ms != 0 && exchange->deadline_ms <= judge->now_ms;
}

static const struct row {
    exchange_send_function *send;
    exchange_judge_function *judge;
} rows[] = {
    [KEYSTORE_OP_SET] = {send_set, judge_set},
    [KEYSTORE_OP_GET] = {send_get, judge_get},
    [KEYSTORE_OP_DELETE] = {send_delete, judge_delete},
    [KEYSTORE_OP_LPUSH] = {send_push, judge_push},
    [KEYSTORE_OP_LRANGE] = {send_l_range, judge_l_range},
    [KEYSTORE_OP_LPOP] = {send_pop, judge_pop},
    [KEYSTORE_OP_RPUSH] = {send_push, judge_push},
    [KEYSTORE_OP_RPOP] = {send_pop, judge_pop},
    [KEYSTORE_OP_INCR] = {send_incr, judge_incr},
    [KEYSTORE_OP_EXPIRE] = {send_expire, judge_expire},
    [KEYSTORE_OP_MGET] = {send_m_get, judge_m_get},
    [KEYSTORE_OP_MSET] = {send_m_set, judge_m_set},
    [KEYSTORE_OP_EXISTS] = {send_count, judge_count},
    [KEYSTORE_OP_DESCRIBE] = {send_describe, judge_describe},
    [KEYSTORE_OP_APPEND] = {send_append, judge_append},
    [KEYSTORE_OP_GET_RANGE] = {send_get_range, judge_get_range},
    [KEYSTORE_OP_SET_RANGE] = {send_set_range, judge_set_range},
    [KEYSTORE_OP_GET_DEL] = {send_get_del, judge_get_del},
    [KEYSTORE_OP_GET_EX] = {send_get_ex, judge_get_ex},
    [KEYSTORE_OP_DELETE_MANY] = {send_count, judge_count},
    [KEYSTORE_OP_TOUCH] = {send_count, judge_count},
    [KEYSTORE_OP_RENAME] = {send_rename, judge_rename},
    [KEYSTORE_OP_COPY] = {send_copy, judge_copy},
    [KEYSTORE_OP_LIST_POP] = {send_list_pop, judge_list_pop},
    [KEYSTORE_OP_LMOVE] = {send_l_move, judge_l_move},
    [KEYSTORE_OP_LINDEX] = {send_l_index, judge_l_index},
    [KEYSTORE_OP_LSET] = {send_l_set, judge_l_set},
    [KEYSTORE_OP_LINSERT] = {send_l_insert, judge_l_insert},
    [KEYSTORE_OP_LREM] = {send_l_rem, judge_l_rem},
    [KEYSTORE_OP_LPOS] = {send_l_pos, judge_l_pos},
    [KEYSTORE_OP_LTRIM] = {send_l_trim, judge_l_trim},
};

void exchange_send(const struct exchange *exchange, struct script *script)
{
    rows[exchange->op->kind].send(exchange, script);
}

void exchange_judge(const struct exchange *exchange, struct judge *judge)
{
    rows[exchange->op->kind].judge(exchange, judge);
}
