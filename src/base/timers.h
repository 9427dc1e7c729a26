/*
 * Timers of one thread, any number of them: a heap. The thread's loop calls timers_run() when the
 * alarm says so. Knows no clock: all times are milliseconds of the same one.
 */
#ifndef KEYSTORE_BASE_TIMERS_H
#define KEYSTORE_BASE_TIMERS_H

#include <stddef.h>
#include <stdint.h>

/* All zero but `on_time` is not set. Must not be moved while it is set. */
struct timer {
    void (*on_time)(struct timer *timer); /* called once; the timer is not set any more */
    int64_t at_ms;
    size_t place; /* in the heap, from 1; 0 = it is not set */
};

/* Has timers_run() called at that time or before. */
struct alarm {
    void (*set)(void *user, int64_t at_ms);
    void *user;
};

struct timers {
    struct timer **heap; /* each is not later than the two at 2 i and 2 i + 1, from 1 */
    size_t count, capacity;
    struct alarm alarm; /* `set` may be NULL: then timers_run() has to be called often enough */
};

void timers_init(struct timers *timers, struct alarm alarm);

/* No timer may be set. */
void timers_deinit(struct timers *timers);

/* Sets the timer, or changes its time. */
void timers_set(struct timers *timers, struct timer *timer, int64_t at_ms);

/* A no-op if it is not set. */
void timers_clear(struct timers *timers, struct timer *timer);

/* Calls those whose time has come, the earliest first, and returns when it is to be called again;
 * INT64_MAX if none is set. */
int64_t timers_run(struct timers *timers, int64_t now_ms);

#endif
