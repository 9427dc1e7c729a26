/* Checking the messages that reads are answered with. */
#ifndef KEYSTORE_BENCH_VERIFY_H
#define KEYSTORE_BENCH_VERIFY_H

#include "bench/op.h"
#include "bench/payload.h"

/*
 * Whether `body`, all the bytes of an OK answer, is one message as gRPC frames it, and holds for a
 * Get or LPop the value of the key or found = false, for an LRange only values of the key. Of other
 * operations only the framing is checked.
 */
bool verify_body(const struct payload *payload, enum op op, uint64_t key, struct slice body);

#endif
