/*
 * Limits the log lines of one kind, so that what clients do over and over cannot fill the disk.
 * Every event is counted and reported: by its own line, or with the next one. Thread-safe, without
 * a lock.
 */
#ifndef KEYSTORE_BASE_LOG_LIMIT_H
#define KEYSTORE_BASE_LOG_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The span of time, in milliseconds, in which lines are limited; it starts with its first line. */
#define LOG_LIMIT_SPAN_MS 10000

/* Initially all zero. */
struct log_limit {
    atomic_int_fast64_t end_ms;      /* of the current span */
    atomic_uint_fast32_t lines;      /* due in it so far */
    atomic_uint_fast64_t unreported; /* events not yet in a line */
};

/*
 * Counts `events`, perhaps 0, at a monotonic time. True if a line is due, at most `max_lines` in a
 * span: *reported is then the number of events since the last one, these included.
 */
bool log_limit_note(struct log_limit *limit, uint32_t max_lines, int64_t now_ms, uint64_t events,
                    uint64_t *reported) __attribute__((warn_unused_result));

#endif
