/*
 * What a user uses at the moment, and how much that may be. The counts are shared by all threads
 * and outlast the users file: a version of it that is read later continues those of its users.
 */
#ifndef KEYSTORE_ACCESS_USAGE_H
#define KEYSTORE_ACCESS_USAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The most that can be given for a rate, so that the time for one call is a number of ns. */
#define ACCESS_MOST_RATE  10000000
#define ACCESS_MOST_CALLS 1000000000

/* Of a user; 0: no limit. A `limit` line of the users file gives some, or says that there is none;
 * the rest are the server's. */
struct access_limits {
    uint32_t calls;           /* in flight */
    uint32_t rate;            /* calls per second, */
    uint32_t burst;           /* and how many at once after a pause; 0: those of a second */
    bool has_calls, has_rate; /* these are given; else the server's are in force */
};

/* Counts of a user. `due_ns` is a token bucket: the monotonic time at which it will be full if
 * nothing is taken meanwhile. */
struct access_usage {
    atomic_uint_fast32_t holders;
    atomic_uint_fast32_t calls; /* in flight, of those that are counted */
    atomic_int_fast64_t due_ns;
};

struct access_usage *access_usage_new(void);
struct access_usage *access_usage_retain(struct access_usage *usage);
/* The last one frees it; then no call is counted any longer. NULL is allowed. */
void access_usage_release(struct access_usage *usage);

/* Counts a call that begins; false if `most` are in flight. Any thread, as the others. */
bool access_count_call(atomic_uint_fast32_t *calls, uint32_t most)
    __attribute__((warn_unused_result));

/*
 * Takes that many calls, at least one, of `rate` per second. 0: they may go on. Else nothing is
 * taken, and the result is the time in ns until a call may go on. As long as one may, so may any
 * number, and the following calls wait the longer: a batch is not divided, and none is too large to
 * pass at all.
 */
int64_t access_take_calls(struct access_usage *usage, uint32_t rate, uint32_t burst, uint64_t count,
                          int64_t now_ns) __attribute__((warn_unused_result));

#endif
