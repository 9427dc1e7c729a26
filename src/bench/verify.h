/* Verifies the answers of reads. */
#ifndef KEYSTORE_BENCH_VERIFY_H
#define KEYSTORE_BENCH_VERIFY_H

#include "bench/op.h"
#include "bench/payload.h"

/*
 * Whether `body`, all bytes of an OK answer, is one message in gRPC's framing and contains, for a
 * Get or LPop, the value of the key or found = false, and for an LRange only values of the key. For
 * other operations only the framing is checked.
 */
bool verify_body(const struct payload *payload, enum op op, uint64_t key, struct slice body);

/* Whether `body`, messages of replies to a batch of so many operations, has a reply to each, and no
 * error. Counts those that read and found nothing. */
bool verify_batch(size_t count, struct slice body, uint64_t *misses);

#endif
