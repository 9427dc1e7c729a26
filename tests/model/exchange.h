/*
 * One operation on both servers: the commands that mean the same for Redis, and the comparison of
 * the answers. The first reply tells whether the operation fails.
 */
#ifndef KEYSTORE_TESTS_MODEL_EXCHANGE_H
#define KEYSTORE_TESTS_MODEL_EXCHANGE_H

#include "judge.h"
#include "script.h"
#include "step.h"

struct exchange {
    const struct keystore_op *op;
    int64_t deadline_ms;               /* that the operation gives; 0 = none */
    const struct keystore_reply *ours; /* when judged */
    redisReply **replies;              /* the same */
};

/* The deadline is what ttl_ms of the operation became; 0 = not known, then it is what it may be. */
struct exchange exchange_of(const struct keystore_op *op, int64_t ttl_deadline_ms, int64_t now_ms);

void exchange_send(const struct exchange *exchange, struct script *script);

void exchange_judge(const struct exchange *exchange, struct judge *judge);

/* ---- by kind of operation ---- */

typedef void exchange_send_function(const struct exchange *exchange, struct script *script);
typedef void exchange_judge_function(const struct exchange *exchange, struct judge *judge);

#define EXCHANGE(name)                                                                             \
    exchange_send_function send_##name;                                                            \
    exchange_judge_function judge_##name;

EXCHANGE(set)
EXCHANGE(get)
EXCHANGE(delete)
EXCHANGE(push)
EXCHANGE(l_range)
EXCHANGE(pop)
EXCHANGE(incr)
EXCHANGE(expire)
EXCHANGE(m_get)
EXCHANGE(m_set)
EXCHANGE(count)
EXCHANGE(describe)
EXCHANGE(append)
EXCHANGE(get_range)
EXCHANGE(set_range)
EXCHANGE(set_bit)
EXCHANGE(get_bit)
EXCHANGE(bit_count)
EXCHANGE(bit_pos)
EXCHANGE(bit_op)
EXCHANGE(bit_field)
EXCHANGE(lcs)
EXCHANGE(get_del)
EXCHANGE(get_ex)
EXCHANGE(rename)
EXCHANGE(copy)
EXCHANGE(list_pop)
EXCHANGE(l_move)
EXCHANGE(l_index)
EXCHANGE(l_set)
EXCHANGE(l_insert)
EXCHANGE(l_rem)
EXCHANGE(l_pos)
EXCHANGE(l_trim)

#undef EXCHANGE

/* True if the deadline that the operation gives has passed, so that the key is gone. */
bool exchange_is_past(const struct exchange *exchange, const struct judge *judge);

#endif
