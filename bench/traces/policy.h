/* Policies that no server has, simulated: exact LRU, and Belady's optimum, which knows the future.
 */
#ifndef KEYSTORE_TRACES_POLICY_H
#define KEYSTORE_TRACES_POLICY_H

#include "traces/trace.h"

/*
 * Hits after the warm-up in a cache that holds keys of so much weight (trace_weight()) at most, and
 * keeps each that was missing.
 *
 * Belady's policy evicts the key that is needed last. With keys of one weight no policy has more
 * hits; with others that is not quite so, but near it.
 */
size_t policy_lru_hits(const struct trace *trace, uint64_t capacity);
size_t policy_belady_hits(const struct trace *trace, uint64_t capacity);

#endif
