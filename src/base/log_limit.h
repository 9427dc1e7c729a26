/*
 * How many lines of one kind there may be in the log: what clients do again and again must not fill
 * the disk. Events are counted, and each is told of: by the line that it is due, or with the next
 * one. Thread-safe, without a lock.
 */
#ifndef KEYSTORE_BASE_LOG_LIMIT_H
#define KEYSTORE_BASE_LOG_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The span of time for which the number of lines is bounded; it begins with its first line. */
#define LOG_LIMIT_SPAN_MS 10000

/* All zero at first. */
struct log_limit {
    atomic_int_fast64_t over_ms; /* when the span is over */
    atomic_uint_fast32_t lines;  /* that were due in it */
    atomic_uint_fast64_t untold; /* events of which no line has told */
};

/*
 * Counts `events`, perhaps none, at a monotonic time. True if a line is due, of which there may be
 * `most` in a span: then *told is how many events it stands for, with those of which none has told.
 */
bool log_limit_note(struct log_limit *limit, uint32_t most, int64_t now_ms, uint64_t events,
                    uint64_t *told) __attribute__((warn_unused_result));

#endif
