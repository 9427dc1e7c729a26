/* Generates request traces. Does not know servers and policies. */
#include "traces/trace.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_SIZE 400u
/* Keys, and keys of the loop, per thousand requests. */
#define KEYS_PER_MILLE 333u
#define LOOP_PER_MILLE 97u
#define WARM_UP(count) ((count)*2 / 5)
#define PHASES         3u
#define SCAN_LENGTH    2000u
/* Sizes from 16 B to 1 MiB. */
#define LEAST_SIZE_BITS 4u
#define USUAL_SIZE_BITS 11u
#define MOST_SIZE_BITS  20u

struct generator {
    struct trace *trace;
    uint64_t random;
    size_t scale;  /* requests that were asked for, to which the number of keys is in proportion */
    uint32_t keys; /* that a distribution has */
    /* Of a Zipf distribution: the sums of the weights up to a rank, and the key of a rank. */
    double *sums;
    uint32_t *shuffled;
};

static uint64_t next_random(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A number that belongs to the key and looks random. */
static uint64_t key_random(uint32_t key)
{
    uint64_t random = key;
    return next_random(&random);
}

static void use_zipf(struct generator *generator, uint32_t keys, double exponent)
{
    generator->keys = keys;
    generator->sums = mem_alloc(keys * sizeof *generator->sums);
    generator->shuffled = mem_alloc(keys * sizeof *generator->shuffled);
    double sum = 0;
    for (uint32_t i = 0; i < keys; i++) {
        generator->sums[i] = sum += pow(i + 1, -exponent);
        uint32_t other = (uint32_t)((next_random(&generator->random) >> 32) * (i + 1) >> 32);
        generator->shuffled[i] = generator->shuffled[other];
        generator->shuffled[other] = i;
    }
}

static uint32_t draw(struct generator *generator)
{
    uint32_t low = 0, high = generator->keys - 1;
    double at = (double)(next_random(&generator->random) >> 11) * 0x1p-53 * generator->sums[high];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (generator->sums[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return generator->shuffled[low];
}

/* Makes room for so many keys, which are alike. */
static void make_keys(struct generator *generator, uint32_t count, enum trace_access access)
{
    struct trace *trace = generator->trace;
    trace->key_count = count;
    trace->keys = mem_alloc_zero(count * sizeof *trace->keys);
    for (uint32_t i = 0; i < count; i++)
        trace->keys[i] = (struct trace_key){.size = VALUE_SIZE, .access = (uint8_t)access};
}

static uint32_t usual_keys(const struct generator *generator)
{
    return (uint32_t)(generator->scale * KEYS_PER_MILLE / 1000);
}

static void request(struct generator *generator, size_t at, uint32_t key)
{
    generator->trace->requests[at] = key;
    generator->trace->keys[key].is_requested = true;
}

/* Requests of the usual number of keys. */
static void make_zipf(struct generator *generator, double exponent, enum trace_access access)
{
    make_keys(generator, usual_keys(generator), access);
    use_zipf(generator, usual_keys(generator), exponent);
    for (size_t i = 0; i < generator->trace->count; i++)
        request(generator, i, draw(generator));
}

static void make_zipf_09(struct generator *generator)
{
    make_zipf(generator, 0.9, TRACE_CACHE);
}

static void make_zipf_11(struct generator *generator)
{
    make_zipf(generator, 1.1, TRACE_CACHE);
}

/* Of three stretches two are drawn and one is a scan, which goes on where the last one ended. */
static void make_scan(struct generator *generator)
{
    uint32_t keys = usual_keys(generator), scanned = 0;
    make_keys(generator, 2 * keys, TRACE_CACHE);
    use_zipf(generator, keys, 1.0);
    for (size_t i = 0; i < generator->trace->count; i++) {
        bool scans = i / SCAN_LENGTH % 3 == 2;
        request(generator, i, scans ? keys + scanned++ % keys : draw(generator));
    }
}

static void make_loop(struct generator *generator)
{
    uint32_t keys = (uint32_t)(generator->scale * LOOP_PER_MILLE / 1000);
    make_keys(generator, keys, TRACE_CACHE);
    for (size_t i = 0; i < generator->trace->count; i++)
        request(generator, i, (uint32_t)(i % keys));
}

/* Each phase has other keys. */
static void make_phases(struct generator *generator)
{
    uint32_t keys = usual_keys(generator) / 2;
    make_keys(generator, PHASES * keys, TRACE_CACHE);
    use_zipf(generator, keys, 1.0);
    for (size_t i = 0; i < generator->trace->count; i++) {
        uint32_t phase = (uint32_t)(i * PHASES / generator->trace->count);
        request(generator, i, phase * keys + draw(generator));
    }
}

/* Spread evenly over their logarithm up to 4 KiB; above, each power of two has half as many keys as
 * the one before. */
static uint32_t size_of(uint32_t key)
{
    uint64_t random = key_random(key);
    uint32_t bits = LEAST_SIZE_BITS + (uint32_t)(random & 7);
    random >>= 3;
    for (; bits >= USUAL_SIZE_BITS && bits < MOST_SIZE_BITS && (random & 1) != 0; random >>= 1)
        bits++;
    uint32_t least = (uint32_t)1 << bits;
    return bits == MOST_SIZE_BITS ? least : least + ((uint32_t)(random >> 20) & (least - 1));
}

static void make_sizes(struct generator *generator)
{
    make_zipf(generator, 0.9, TRACE_CACHE);
    for (uint32_t i = 0; i < generator->trace->key_count; i++)
        generator->trace->keys[i].size = size_of(i);
}

/* A database has half as many keys as the one before it. */
static void make_databases(struct generator *generator)
{
    make_zipf(generator, 0.9, TRACE_CACHE);
    for (uint32_t i = 0; i < generator->trace->key_count; i++) {
        uint64_t bits = key_random(i) | (uint64_t)1 << (TRACE_DATABASES - 1);
        generator->trace->keys[i].db = (uint8_t)__builtin_ctzll(bits);
    }
}

static void make_counters(struct generator *generator)
{
    make_zipf(generator, 0.9, TRACE_COUNTER);
}

static void make_queues(struct generator *generator)
{
    make_zipf(generator, 1.0, TRACE_CACHE);
    for (uint32_t i = 1; i < generator->trace->key_count; i += 2)
        generator->trace->keys[i].access = TRACE_QUEUE;
}

static const struct {
    struct trace_kind kind;
    void (*make)(struct generator *generator);
} kinds[] = {
    {{"zipf0.9", "Zipf 0.9", 35, 1, false}, make_zipf_09},
    {{"long", "Zipf 0.9, four times as long", 35, 4, false}, make_zipf_09},
    {{"zipf1.1", "Zipf 1.1", 18, 1, false}, make_zipf_11},
    {{"scan", "Zipf 1.0, a third of the time scans of other keys", 35, 1, false}, make_scan},
    {{"loop", "a loop over more keys than there is room for", 35, 1, false}, make_loop},
    {{"phases", "Zipf 1.0 over other keys in each third", 18, 1, false}, make_phases},
    {{"sizes", "Zipf 0.9, values of 16 B to 1 MiB", 110, 1, true}, make_sizes},
    {{"databases", "Zipf 0.9 over 16 databases", 35, 1, false}, make_databases},
    {{"counters", "Zipf 0.9, counters that nobody reads", 5, 1, false}, make_counters},
    {{"queues", "Zipf 1.0, every other key a queue", 35, 1, false}, make_queues},
};

#define KIND_COUNT (sizeof kinds / sizeof *kinds)

const struct trace_kind *trace_kind_at(size_t number)
{
    return number < KIND_COUNT ? &kinds[number].kind : NULL;
}

bool trace_init(struct trace *trace, const char *name, uint64_t seed, size_t requests)
{
    size_t number = 0;
    while (number < KIND_COUNT && strcmp(kinds[number].kind.name, name) != 0)
        number++;
    if (number == KIND_COUNT)
        return false;
    size_t count = requests * kinds[number].kind.length;
    *trace = (struct trace){.kind = &kinds[number].kind,
                            .count = count,
                            .warm_up = WARM_UP(count),
                            .requests = mem_alloc(count * sizeof *trace->requests)};
    struct generator generator = {.trace = trace, .random = seed, .scale = requests};
    kinds[number].make(&generator);
    free(generator.sums);
    free(generator.shuffled);
    return true;
}

void trace_deinit(struct trace *trace)
{
    free(trace->keys);
    free(trace->requests);
}
