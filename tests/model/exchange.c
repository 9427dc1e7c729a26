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

struct row {
    exchange_send_function *send;
    exchange_judge_function *judge;
};

/* A kind without a row does not compile. */
static struct row row_of(enum keystore_op_kind kind)
{
    switch (kind) {
#define ROW(kind, name)                                                                            \
    case KEYSTORE_OP_##kind:                                                                       \
        return (struct row){send_##name, judge_##name};
        ROW(SET, set)
        ROW(GET, get)
        ROW(DELETE, delete)
        ROW(LPUSH, push)
        ROW(LRANGE, l_range)
        ROW(LPOP, pop)
        ROW(RPUSH, push)
        ROW(RPOP, pop)
        ROW(INCR, incr)
        ROW(EXPIRE, expire)
        ROW(MGET, m_get)
        ROW(MSET, m_set)
        ROW(EXISTS, count)
        ROW(DESCRIBE, describe)
        ROW(APPEND, append)
        ROW(GET_RANGE, get_range)
        ROW(SET_RANGE, set_range)
        ROW(SETBIT, set_bit)
        ROW(GETBIT, get_bit)
        ROW(BITCOUNT, bit_count)
        ROW(BITPOS, bit_pos)
        ROW(BITOP, bit_op)
        ROW(BITFIELD, bit_field)
        ROW(LCS, lcs)
        ROW(GET_DEL, get_del)
        ROW(GET_EX, get_ex)
        ROW(DELETE_MANY, count)
        ROW(TOUCH, count)
        ROW(RENAME, rename)
        ROW(COPY, copy)
        ROW(LIST_POP, list_pop)
        ROW(LMOVE, l_move)
        ROW(LINDEX, l_index)
        ROW(LSET, l_set)
        ROW(LINSERT, l_insert)
        ROW(LREM, l_rem)
        ROW(LPOS, l_pos)
        ROW(LTRIM, l_trim)
#undef ROW
    case KEYSTORE_OP_NONE:
        break;
    }
    return (struct row){NULL, NULL};
}

void exchange_send(const struct exchange *exchange, struct script *script)
{
    row_of(exchange->op->kind).send(exchange, script);
}

void exchange_judge(const struct exchange *exchange, struct judge *judge)
{
    row_of(exchange->op->kind).judge(exchange, judge);
}
