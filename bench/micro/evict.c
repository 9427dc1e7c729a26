/*
 * The cost of an eviction: CPU time of a Get and a Set of a new key in a full store, which evicts
 * another one. Meant to be compared with an earlier build.
 *
 * usage: micro_evict [KEYS [VALUE_SIZE]]     default 300000 keys of 16 bytes, values of 32
 *
 * Half of the keys are read once between two Sets, so that the LRU policy can distinguish
 * keys. Prints CSV: the best of several runs.
 */
#include "base/arena.h"
#include "store/op.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_SIZE       16
#define MAX_VALUE_SIZE ((size_t)100000)
#define RUNS           5
#define DATABASES      16

struct load {
    struct store *store;
    struct arena arena;
    struct slice value;
    uint64_t keys, random;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(struct load *load)
{
    load->random = load->random * 6364136223846793005u + 1442695040888963407u;
    return load->random >> 24;
}

static void apply(struct load *load, enum op_kind kind, uint64_t number)
{
    char key[32];
    struct op_result result;
    snprintf(key, sizeof key, "key:%012" PRIu64, number);
    struct op op = {.kind = kind, .key = slice_make(key, KEY_SIZE), .now_ms = 1};
    if (kind == OP_SET) {
        op.value = load->value;
        op.expire_at_ms = (int64_t)(1000000 + number % 1000000);
    }
    store_apply(load->store, &op, &load->arena, &result);
    if (result.err != ERR_NONE)
        abort();
    op_result_release(&result);
    arena_reset(&load->arena);
}

/* Nanoseconds per Set of a new key, with a Get before each. */
static double set_ns(struct load *load, size_t max_memory, enum store_policy policy)
{
    load->store = store_new(&(struct store_options){
        .databases = DATABASES, .max_memory = max_memory, .policy = policy});
    uint64_t number = 0;
    while (number < load->keys)
        apply(load, OP_SET, number++);
    uint64_t begin = now_ns();
    for (uint64_t i = 0; i < load->keys; i++) {
        apply(load, OP_GET, number - 1 - next_random(load) % load->keys / 2);
        apply(load, OP_SET, number++);
    }
    double took = (double)(now_ns() - begin) / (double)load->keys;
    store_free(load->store);
    return took;
}

static double best_ns(struct load *load, size_t max_memory, enum store_policy policy)
{
    double best = 1e18;
    for (int i = 0; i < RUNS; i++) {
        double took = set_ns(load, max_memory, policy);
        if (took < best)
            best = took;
    }
    return best;
}

int main(int argc, char **argv)
{
    static uint8_t bytes[MAX_VALUE_SIZE];
    static const char *const names[] = {[STORE_ALLKEYS_LRU] = "allkeys-lru",
                                        [STORE_VOLATILE_LRU] = "volatile-lru",
                                        [STORE_ALLKEYS_RANDOM] = "allkeys-random",
                                        [STORE_VOLATILE_TTL] = "volatile-ttl"};
    struct load load = {.keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000};
    size_t value_size = argc > 2 ? strtoull(argv[2], NULL, 10) : 32;
    if (load.keys == 0 || value_size > sizeof bytes) {
        fprintf(stderr, "usage: micro_evict [KEYS [VALUE_SIZE]], values of %zu bytes at most\n",
                sizeof bytes);
        return 2;
    }
    memset(bytes, 'v', sizeof bytes);
    load.value = slice_make(bytes, value_size);
    arena_init(&load.arena);
    /* Each key takes at least so much: the store is full before they are all there. */
    size_t limit = load.keys * (KEY_SIZE + value_size);
    printf("policy,ns\n");
    for (int policy = STORE_ALLKEYS_LRU; policy <= STORE_VOLATILE_TTL; policy++)
        printf("%s,%.0f\n", names[policy], best_ns(&load, limit, (enum store_policy)policy));
    arena_deinit(&load.arena);
    return 0;
}
