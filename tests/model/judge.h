/* Compares answers, part by part; the first difference counts. */
#ifndef KEYSTORE_TESTS_MODEL_JUDGE_H
#define KEYSTORE_TESTS_MODEL_JUDGE_H

#include "versions.h"

#include <hiredis/hiredis.h>

struct judge {
    struct versions *versions;
    int64_t now_ms;       /* before the operation */
    char difference[400]; /* empty: none */
};

/* Notes a difference unless it is the `same`. */
void judge_expect(struct judge *judge, bool same, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says where the difference is, if there is one. */
void judge_locate(struct judge *judge, const char *what, uint64_t number, const char *name);

/* Both failed alike: false, or a difference. True if both succeeded. "no such key" is for callers
 * that make it a miss. */
bool judge_errors(struct judge *judge, const struct keystore_reply *ours, const redisReply *redis);

/* True if Redis' reply is that error. */
bool judge_is_no_such_key(const redisReply *redis);

/* True if Redis' reply says that it does not compare strings of that length, and ours does. */
bool judge_is_lcs_limit(const redisReply *redis);

/* ---- parts of answers ---- */

void judge_number(struct judge *judge, const char *name, int64_t ours, int64_t redis);
void judge_integer(struct judge *judge, const char *name, int64_t ours, const redisReply *redis);
void judge_bytes(struct judge *judge, const char *name, struct keystore_slice ours,
                 const redisReply *redis);

/* Found and the bytes; nil is not found. */
void judge_value(struct judge *judge, const struct keystore_value *ours, const redisReply *redis);

/* The elements; nil is none. */
void judge_values(struct judge *judge, const struct keystore_slice *values, size_t count,
                  const redisReply *redis);

/* A deadline, with the reply of PEXPIRETIME. */
void judge_deadline(struct judge *judge, int64_t ours, const redisReply *redis);

/* ---- versions ---- */

void judge_kept(struct judge *judge, uint32_t db, struct keystore_slice key, uint64_t version);

/* The key was written or not, which cannot be told from the answer. */
void judge_either(struct judge *judge, uint32_t db, struct keystore_slice key, uint64_t version);

/* `is_gone`: the write has removed the key. */
void judge_wrote(struct judge *judge, uint32_t db, struct keystore_slice key, uint64_t version,
                 bool is_gone);

#endif
