/*
 * How often a log line may come that clients can cause: the first time at once, then once in
 * SELDOM_MS, with how many were left out meanwhile. Thread-safe, without a lock.
 */
#ifndef KEYSTORE_BASE_SELDOM_H
#define KEYSTORE_BASE_SELDOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SELDOM_MS 10000

/* All zero to begin with. */
struct seldom {
    atomic_int_fast64_t next_ms;       /* no line before; 0: none has come yet */
    atomic_uint_fast64_t not_told_yet; /* events since the last line */
};

/*
 * Counts `events`, perhaps none, at a monotonic time. True if a line is due: then *told is how many
 * events it stands for, with those of which no line has told.
 */
bool seldom_note(struct seldom *seldom, int64_t now_ms, uint64_t events, uint64_t *told);

#endif
