/* The options of a store. */
#ifndef KEYSTORE_STORE_OPTIONS_H
#define KEYSTORE_STORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is evicted at the memory limit. Redis' names, with the same meaning. */
enum store_policy {
    STORE_NOEVICTION, /* nothing: operations that need memory are refused */
    STORE_ALLKEYS_LRU,
    STORE_VOLATILE_LRU, /* only keys with a deadline */
    STORE_ALLKEYS_RANDOM,
    STORE_VOLATILE_TTL, /* keys with the nearest deadline */
    STORE_POLICIES,
};

/* True if the policy evicts only keys with a deadline. */
static inline bool store_policy_is_volatile(enum store_policy policy)
{
    return policy == STORE_VOLATILE_LRU || policy == STORE_VOLATILE_TTL;
}

/* True if the policy depends on how entries are used. */
static inline bool store_policy_is_lru(enum store_policy policy)
{
    return policy == STORE_ALLKEYS_LRU || policy == STORE_VOLATILE_LRU;
}

/* The memory limit, and what happens at it. */
struct store_limit {
    size_t max_memory; /* bytes that the data may take; 0 = any */
    enum store_policy policy;
};

struct store_options {
    uint32_t databases; /* 0 to databases - 1 */
    size_t max_memory;  /* bytes that the data may take; 0 = any */
    enum store_policy policy;
    unsigned threads; /* that will use it concurrently; sets the number of shards; 0 = a few */
};

#endif
