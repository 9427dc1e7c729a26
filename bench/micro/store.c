/*
 * How long single operations take while the store grows: the mean, 99.99 % and the longest of all
 * Sets of new keys on the way from nothing to so many, in CPU time, page faults included. Here and
 * not through a server, where a machine that is never quiet would hide what the store does.
 *
 * usage: micro_store [KEYS [VALUE_SIZE]]     default 10000000 keys of 16 bytes, values of 32
 *
 * Prints two lines of CSV. What takes long for a reason does so whenever the same keys are set in
 * the same order in a store of the same secret; what is long in one run only was an interruption.
 * So of each Set the least of several runs counts.
 */
#include "store/store.h"
#include "base/arena.h"
#include "store/data/shard.h"
#include "store/op.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_SIZE       16
#define MAX_VALUE_SIZE ((size_t)100000)
#define RUNS           3

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Every run has the same secret, so that the same Sets make the dictionaries grow. */
static struct store *new_store(void)
{
    struct store *store = store_new(&(struct store_options){.databases = 16});
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof store->secret; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        store->secret[i] = (uint8_t)(random >> 56);
    }
    return store;
}

static uint64_t set_ns(struct store *store, struct arena *arena, uint64_t number,
                       struct slice value)
{
    char key[32];
    struct op_result result;
    snprintf(key, sizeof key, "key:%012" PRIu64, number);
    struct op op = {.kind = OP_SET, .key = slice_make(key, KEY_SIZE), .value = value};
    uint64_t begin = now_ns();
    store_apply(store, &op, arena, &result);
    uint64_t took = now_ns() - begin;
    if (result.err != ERR_NONE || !result.ok)
        abort();
    op_result_release(&result);
    arena_reset(arena);
    return took;
}

static void run(uint32_t *least_ns, uint64_t keys, struct slice value)
{
    struct store *store = new_store();
    struct arena arena;
    arena_init(&arena);
    for (uint64_t i = 0; i < keys; i++) {
        uint64_t took = set_ns(store, &arena, i, value);
        if (took < least_ns[i])
            least_ns[i] = (uint32_t)took;
    }
    arena_deinit(&arena);
    store_free(store);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void print_times(uint32_t *least_ns, uint64_t keys)
{
    double sum = 0;
    for (uint64_t i = 0; i < keys; i++)
        sum += least_ns[i];
    qsort(least_ns, keys, sizeof *least_ns, compare);
    printf("keys,mean_us,p9999_us,longest_us\n%" PRIu64 ",%.3f,%.1f,%.1f\n", keys,
           sum / (double)keys / 1000, least_ns[(uint64_t)((double)(keys - 1) * 0.9999)] / 1000.0,
           least_ns[keys - 1] / 1000.0);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[MAX_VALUE_SIZE];
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    size_t value_size = argc > 2 ? strtoull(argv[2], NULL, 10) : 32;
    if (keys == 0 || value_size > sizeof bytes) {
        fprintf(stderr, "usage: micro_store [KEYS [VALUE_SIZE]], values of %zu bytes at most\n",
                sizeof bytes);
        return 2;
    }
    memset(bytes, 'v', sizeof bytes);
    uint32_t *least_ns = malloc(keys * sizeof *least_ns);
    if (least_ns == NULL)
        return 1;
    memset(least_ns, 0xff, keys * sizeof *least_ns);
    for (int i = 0; i < RUNS; i++)
        run(least_ns, keys, slice_make(bytes, value_size));
    print_times(least_ns, keys);
    free(least_ns);
    return 0;
}
