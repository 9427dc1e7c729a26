/* Counting lines in spans of time. Writes no line. */
#include "base/log_limit.h"

static bool is_over(const struct log_limit *limit, int64_t now_ms)
{
    return now_ms - limit->begun_ms >= LOG_LIMIT_SPAN_MS;
}

bool log_limit_pass(struct log_limit *limit, int64_t now_ms, uint64_t *left_out)
{
    if (limit->lines == 0 || is_over(limit, now_ms)) {
        limit->begun_ms = now_ms;
        limit->lines = 0;
    }
    if (limit->lines == LOG_LIMIT_LINES) {
        limit->left_out++;
        return false;
    }
    limit->lines++;
    *left_out = limit->left_out;
    limit->left_out = 0;
    return true;
}

uint64_t log_limit_take(struct log_limit *limit, int64_t now_ms)
{
    uint64_t left_out = limit->left_out;
    if (left_out == 0 || !is_over(limit, now_ms))
        return 0;
    limit->left_out = 0;
    return left_out;
}
