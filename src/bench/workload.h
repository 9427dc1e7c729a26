/* The sequence of calls: operations and keys. */
#ifndef KEYSTORE_BENCH_WORKLOAD_H
#define KEYSTORE_BENCH_WORKLOAD_H

#include "bench/op.h"

#include <stddef.h>
#include <stdint.h>

struct workload {
    enum op ops[2];
    uint64_t first_share; /* probability of ops[0], times 2^32 */
    uint64_t turns;       /* if the operations alternate: calls so far, plus 1; else 0 */
    uint64_t keyspace;
    uint64_t random; /* state of the generator */
    uint64_t next;   /* in sequence: number of the next call... */
    uint64_t step;   /* ...and its increment; 0: random keys */
};

/* Calls of one or two operations, in the ratio of their weights, of random keys below `keyspace`.
 * The same seed and thread give the same calls. */
void workload_init_random(struct workload *workload, const enum op *ops, const uint32_t *weights,
                          size_t op_count, uint64_t keyspace, uint64_t seed, uint32_t thread);

/* Makes a random workload alternate between its two operations, starting with the first. */
void workload_take_turns(struct workload *workload);

/* All keys in sequence, starting over after the last; thread `thread` of `threads` has every
 * threads-th call of that. */
void workload_init_in_turn(struct workload *workload, enum op op, uint64_t keyspace,
                           uint32_t thread, uint32_t threads);

enum op workload_next(struct workload *workload, uint64_t *key);

#endif
