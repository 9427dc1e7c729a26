/* Chooses operations and keys. Does not know when and how calls are made. */
#include "bench/workload.h"

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

/* splitmix64. */
static uint64_t workload_next_random(struct workload *workload)
{
    uint64_t mixed = workload->random += GOLDEN;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

void workload_init_random(struct workload *workload, const enum op *ops, const uint32_t *weights,
                          size_t op_count, uint64_t keyspace, uint64_t seed, uint32_t thread)
{
    uint64_t other = op_count > 1 ? weights[1] : 0;
    *workload = (struct workload){
        .ops = {ops[0], op_count > 1 ? ops[1] : ops[0]},
        .first_share = ((uint64_t)weights[0] << 32) / (weights[0] + other),
        .keyspace = keyspace,
        .random = seed,
    };
    /* Pairs of seed and thread start far apart in the sequence of all states. */
    workload->random = workload_next_random(workload) + thread;
    workload->random = workload_next_random(workload);
}

void workload_take_turns(struct workload *workload)
{
    workload->turns = 1;
}

void workload_init_in_turn(struct workload *workload, enum op op, uint64_t keyspace,
                           uint32_t thread, uint32_t threads)
{
    *workload =
        (struct workload){.ops = {op, op}, .keyspace = keyspace, .next = thread, .step = threads};
}

enum op workload_next(struct workload *workload, uint64_t *key)
{
    if (workload->step != 0) {
        *key = workload->next % workload->keyspace;
        workload->next += workload->step;
        return workload->ops[0];
    }
    uint64_t random = workload_next_random(workload);
    /* The product's high half is below the keyspace. */
    *key = (uint64_t)(((unsigned __int128)random * workload->keyspace) >> 64);
    if (workload->turns > 0)
        return workload->ops[(workload->turns++ & 1) ^ 1];
    if (workload->first_share >> 32 != 0)
        return workload->ops[0];
    return workload->ops[(uint32_t)workload_next_random(workload) < workload->first_share ? 0 : 1];
}
