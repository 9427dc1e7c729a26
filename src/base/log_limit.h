/*
 * How many lines of one kind there may be in the log: what clients do again and again must not fill
 * the disk. What is left out is counted, and told with the next line. The caller has the clock and
 * the lock.
 */
#ifndef KEYSTORE_BASE_LOG_LIMIT_H
#define KEYSTORE_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* So many lines may be written in a span of so long. */
#define LOG_LIMIT_LINES   5
#define LOG_LIMIT_SPAN_MS 10000

/* All zero at first. */
struct log_limit {
    int64_t begun_ms; /* the span; it begins with its first line */
    uint32_t lines;   /* in it */
    uint64_t left_out;
};

/* True if a line may be written now; *left_out is then how many were not since the one before. If
 * not, it is counted as left out. `now_ms` is a monotonic clock's. */
bool log_limit_pass(struct log_limit *limit, int64_t now_ms, uint64_t *left_out)
    __attribute__((warn_unused_result));

/* How many lines were left out in a span that is over, so that they are told though no other line
 * comes; they are forgotten then. 0 if there were none. */
uint64_t log_limit_take(struct log_limit *limit, int64_t now_ms);

#endif
