/*
 * How many calls of each method there were, how they ended and how long they took. One meter per
 * server (server.h): its thread alone writes it, any thread reads it, and neither waits.
 *
 * What is counted only rises, so a reader who wants the figures of a period subtracts those at its
 * start. A call is counted as started first and as handled when it has ended, however it ended; so
 * calls in flight are `started` less the sum of `handled`, never less than none.
 */
#ifndef KEYSTORE_GRPC_METER_H
#define KEYSTORE_GRPC_METER_H

#include "grpc/status.h"

#include <stddef.h>
#include <stdint.h>

struct meter;

/* Gaps between the bounds of the histogram, the first below and the last above all of them. */
#define METER_BUCKETS 19
#define METER_BOUNDS  (METER_BUCKETS - 1)

/* Microseconds, ascending: 10 us, 20, 50, ... 5 s. A duration that equals a bound is counted below
 * it. */
extern const uint64_t meter_bounds_us[METER_BOUNDS];

/*
 * Of the calls of one method. The time of a call begins when its headers have arrived; it ends with
 * the answer to a unary call, and when the last reply to one that streams has been passed on to the
 * connection.
 */
struct meter_method {
    uint64_t started;
    uint64_t handled[GRPC_CODES];    /* ended with that code; CANCELLED: the caller was gone */
    uint64_t retried;                /* of those started: grpc-previous-rpc-attempts is above 0 */
    uint64_t received, sent;         /* messages; of a unary call when it has ended */
    uint64_t sum_ns, max_ns;         /* durations of those handled: all together, and the longest */
    uint64_t buckets[METER_BUCKETS]; /* durations, not accumulated */
};

/* Adds the counts of a method to *sum, whose max_ns becomes the larger one. */
void meter_read(const struct meter *meter, size_t method, struct meter_method *sum);

#endif
