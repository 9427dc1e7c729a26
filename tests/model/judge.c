/* Compares parts of our answers with Redis' replies. Knows no operation. */
#include "judge.h"

#include "differences.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void judge_expect(struct judge *judge, bool same, const char *format, ...)
{
    if (same || judge->difference[0] != '\0')
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(judge->difference, sizeof judge->difference, format, args);
    va_end(args);
}

void judge_locate(struct judge *judge, const char *what, uint64_t number, const char *name)
{
    char text[sizeof judge->difference];
    if (judge->difference[0] == '\0')
        return;
    memcpy(text, judge->difference, sizeof text);
    snprintf(judge->difference, sizeof judge->difference, "%s %" PRIu64 " %s: %.300s", what, number,
             name, text);
}

/* ---- errors ---- */

#define LCS_LIMIT "ERR Insufficient memory, transient memory for LCS"

static const struct error_row {
    const char *redis; /* how its message begins */
    const char *reason;
    enum keystore_code code;
} errors[] = {
    {"ERR The specified keys must contain string values", "ERROR_REASON_WRONG_TYPE",
     KEYSTORE_FAILED_PRECONDITION},
    {LCS_LIMIT, "ERROR_REASON_TOO_LARGE", KEYSTORE_RESOURCE_EXHAUSTED},
    {"WRONGTYPE", "ERROR_REASON_WRONG_TYPE", KEYSTORE_FAILED_PRECONDITION},
    {"ERR value is not an integer", "ERROR_REASON_NOT_A_NUMBER", KEYSTORE_FAILED_PRECONDITION},
    {"ERR value is not a valid float", "ERROR_REASON_NOT_A_NUMBER", KEYSTORE_FAILED_PRECONDITION},
    {"ERR increment or decrement would overflow", "ERROR_REASON_OUT_OF_RANGE",
     KEYSTORE_OUT_OF_RANGE},
    {"ERR increment would produce NaN", "ERROR_REASON_OUT_OF_RANGE", KEYSTORE_OUT_OF_RANGE},
    {"ERR index out of range", "ERROR_REASON_OUT_OF_RANGE", KEYSTORE_OUT_OF_RANGE},
    {"ERR offset is out of range", "ERROR_REASON_OUT_OF_RANGE", KEYSTORE_OUT_OF_RANGE},
    {"ERR bit offset is not an integer or out of range", "ERROR_REASON_TOO_LARGE",
     KEYSTORE_RESOURCE_EXHAUSTED},
    {"ERR string exceeds maximum", "ERROR_REASON_TOO_LARGE", KEYSTORE_RESOURCE_EXHAUSTED},
    {"ERR source and destination objects are the same", "ERROR_REASON_BAD_ARGUMENT",
     KEYSTORE_INVALID_ARGUMENT},
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static const struct error_row *find_error(const char *message)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (begins(message, errors[i].redis))
            return &errors[i];
    return NULL;
}

bool judge_is_no_such_key(const redisReply *redis)
{
    return redis->type == REDIS_REPLY_ERROR && begins(redis->str, "ERR no such key");
}

bool judge_is_lcs_limit(const redisReply *redis)
{
    return redis->type == REDIS_REPLY_ERROR && begins(redis->str, LCS_LIMIT) &&
           difference_met(DIFFERENCE_LCS_LENGTH);
}

static bool is_same_error(const struct keystore_op_error *ours, const redisReply *redis)
{
    const struct error_row *row = find_error(redis->str);
    return row != NULL && ours->code == row->code && strcmp(ours->reason, row->reason) == 0;
}

bool judge_errors(struct judge *judge, const struct keystore_reply *ours, const redisReply *redis)
{
    const struct keystore_op_error *error = &ours->answer.error;
    bool failed = ours->kind == KEYSTORE_REPLY_ERROR;
    bool redis_failed = redis->type == REDIS_REPLY_ERROR;
    if (!failed && !redis_failed)
        return true;
    if (failed && !redis_failed)
        judge_expect(judge, false, "ours fails with %s (%s), Redis succeeds", error->reason,
                     error->message);
    else if (!failed)
        judge_expect(judge, false, "ours succeeds, Redis fails with %s", redis->str);
    else
        judge_expect(judge, is_same_error(error, redis),
                     "ours fails with %s %s (%s), Redis with %s", keystore_code_name(error->code),
                     error->reason, error->message, redis->str);
    return false;
}

/* ---- parts ---- */

void judge_number(struct judge *judge, const char *name, int64_t ours, int64_t redis)
{
    judge_expect(judge, ours == redis, "%s: ours %" PRId64 ", Redis %" PRId64, name, ours, redis);
}

void judge_integer(struct judge *judge, const char *name, int64_t ours, const redisReply *redis)
{
    judge_expect(judge, redis->type == REDIS_REPLY_INTEGER, "%s: Redis' reply is of type %d", name,
                 redis->type);
    judge_number(judge, name, ours, redis->integer);
}

/* The first bytes as text. */
struct shown {
    char text[3 * 16 + 1];
};

static struct shown show(const char *bytes, size_t len)
{
    struct shown shown = {""};
    size_t end = 0;
    for (size_t i = 0; i < len && i < 16; i++) {
        bool plain = bytes[i] > ' ' && bytes[i] < 127 && bytes[i] != '%';
        end += (size_t)snprintf(shown.text + end, sizeof shown.text - end, plain ? "%c" : "%%%02x",
                                (unsigned char)bytes[i]);
    }
    return shown;
}

static size_t common(const char *one, const char *two, size_t len)
{
    size_t same = 0;
    while (same < len && one[same] == two[same])
        same++;
    return same;
}

void judge_bytes(struct judge *judge, const char *name, struct keystore_slice ours,
                 const redisReply *redis)
{
    judge_expect(judge, redis->type == REDIS_REPLY_STRING || redis->type == REDIS_REPLY_STATUS,
                 "%s: ours has %zu bytes, Redis' reply is of type %d", name, ours.len, redis->type);
    if (judge->difference[0] != '\0')
        return;
    size_t shorter = ours.len < redis->len ? ours.len : redis->len;
    if (ours.len == redis->len && (shorter == 0 || memcmp(ours.data, redis->str, shorter) == 0))
        return;
    size_t same = common(ours.data, redis->str, shorter);
    judge_expect(judge, false, "%s: ours has %zu bytes, Redis %zu; from %zu on ours %s, Redis %s",
                 name, ours.len, redis->len, same,
                 show((const char *)ours.data + same, ours.len - same).text,
                 show(redis->str + same, redis->len - same).text);
}

void judge_value(struct judge *judge, const struct keystore_value *ours, const redisReply *redis)
{
    judge_number(judge, "found", ours->found, redis->type != REDIS_REPLY_NIL);
    if (ours->found)
        judge_bytes(judge, "value", ours->value, redis);
}

void judge_values(struct judge *judge, const struct keystore_slice *values, size_t count,
                  const redisReply *redis)
{
    size_t elements = redis->type == REDIS_REPLY_NIL ? 0 : redis->elements;
    judge_number(judge, "values", (int64_t)count, (int64_t)elements);
    for (size_t i = 0; i < count && judge->difference[0] == '\0'; i++) {
        char name[32];
        snprintf(name, sizeof name, "values[%zu]", i);
        judge_bytes(judge, name, values[i], redis->element[i]);
    }
}

void judge_deadline(struct judge *judge, int64_t ours, const redisReply *redis)
{
    judge_number(judge, "expire_at_ms", ours, redis->integer < 0 ? 0 : redis->integer);
}

/* ---- versions ---- */

void judge_kept(struct judge *judge, uint32_t db, struct keystore_slice key, uint64_t version)
{
    const char *wrong = versions_kept(judge->versions, db, key, version);
    judge_expect(judge, wrong == NULL, "%s (%" PRIu64 ")", wrong, version);
}

void judge_either(struct judge *judge, uint32_t db, struct keystore_slice key, uint64_t version)
{
    const char *wrong = versions_either(judge->versions, db, key, version);
    judge_expect(judge, wrong == NULL, "%s (%" PRIu64 ")", wrong, version);
}

void judge_wrote(struct judge *judge, uint32_t db, struct keystore_slice key, uint64_t version,
                 bool is_gone)
{
    if (is_gone) {
        judge_expect(judge, version == 0, "the key was removed, and its version is %" PRIu64,
                     version);
        versions_gone(judge->versions, db, key);
        return;
    }
    const char *wrong = versions_wrote(judge->versions, db, key, version);
    judge_expect(judge, wrong == NULL, "%s (%" PRIu64 ")", wrong, version);
}
