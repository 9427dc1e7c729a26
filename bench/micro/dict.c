/*
 * The cost of the store's dictionaries: bytes per key, time per search and per insertion from a
 * thousand keys to ten million, and the longest single insertion. The layout is the store's: 256
 * shards, each with a slab and a dictionary, entries of 16-byte keys. No locks, no protocol.
 *
 * usage: micro_dict [KEYS [VALUE_SIZE [with-ttl]]]     one size instead of all; default 32 bytes
 * With HUGE set in the environment, on huge pages.
 *
 * Times are CPU time, yet the machine is never quiet: run it several times and take the least.
 */
#include "store/data/dict.h"
#include "store/data/entry.h"
#include "store/memory/pages.h"
#include "store/memory/slab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define SHARDS   256
#define KEY_SIZE 16
#define BATCH    16
#define RUNS     3
#define SEARCHES ((uint64_t)2000000)

struct key {
    char bytes[KEY_SIZE + 1];
};

struct bench {
    struct pages pages;
    struct slab slabs[SHARDS];
    struct dict dicts[SHARDS];
    struct dict_hasher hasher;
    uint64_t keys;
    size_t value_size;
    int64_t expire_at_ms;
    uint32_t *puts_ns; /* the least that each insertion took in several runs */
};

static char value_bytes[100000];
static uint64_t found; /* so that no search is left out */

/* Of this thread's time, so that others on the machine do not count, but page faults do. */
static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static size_t resident_bytes(void)
{
    size_t total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%zu %zu", &total, &resident) != 2)
        abort();
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static uint64_t hash_key(const void *secret, struct slice key)
{
    (void)secret;
    return XXH3_64bits(key.data, key.len);
}

/* Hex digits of a number that is scattered, as random keys are. */
static struct key make_key(uint64_t number)
{
    struct key key;
    number *= 0x9e3779b97f4a7c15u;
    for (int i = 0; i < KEY_SIZE; i++, number >>= 4)
        key.bytes[i] = "0123456789abcdef"[number & 15];
    key.bytes[KEY_SIZE] = '\0';
    return key;
}

static struct slice slice_of(const struct key *key)
{
    return slice_make(key->bytes, KEY_SIZE);
}

static void init(struct bench *bench)
{
    bench->hasher = (struct dict_hasher){.hash = hash_key};
    pages_init(&bench->pages, getenv("HUGE") != NULL);
    for (int i = 0; i < SHARDS; i++) {
        slab_init(&bench->slabs[i], &bench->pages);
        dict_init(&bench->dicts[i], &bench->slabs[i], &bench->hasher);
    }
}

static void deinit(struct bench *bench)
{
    for (int i = 0; i < SHARDS; i++) {
        dict_deinit(&bench->dicts[i]);
        slab_deinit(&bench->slabs[i]);
    }
    pages_deinit(&bench->pages);
}

static void put(struct bench *bench, uint64_t number)
{
    struct key key = make_key(number);
    uint64_t hash = hash_key(NULL, slice_of(&key));
    struct dict *dict = &bench->dicts[hash >> 56];
    struct entry_stamp stamp = {.version = number + 1, .expire_at_ms = bench->expire_at_ms};
    dict_put(dict, hash,
             entry_new_string(dict->slab, slice_of(&key),
                              slice_make(value_bytes, bench->value_size), stamp));
}

/* Nanoseconds per insertion. */
static double fill(struct bench *bench)
{
    uint64_t begin = now_ns();
    for (uint64_t i = 0; i < bench->keys; i++)
        put(bench, i);
    return (double)(now_ns() - begin) / (double)bench->keys;
}

static void fill_timed(struct bench *bench)
{
    uint64_t before = now_ns();
    for (uint64_t i = 0; i < bench->keys; i++) {
        put(bench, i);
        uint64_t now = now_ns(), took = now - before;
        if (took < bench->puts_ns[i])
            bench->puts_ns[i] = (uint32_t)took;
        before = now;
    }
}

/* In microseconds. What takes long for a reason does so whenever the same keys are put in the same
 * order; what is long in one run only was an interruption. */
static double longest_put(struct bench *bench)
{
    bench->puts_ns = malloc(bench->keys * sizeof *bench->puts_ns);
    memset(bench->puts_ns, 0xff, bench->keys * sizeof *bench->puts_ns);
    for (int i = 0; i < RUNS; i++) {
        init(bench);
        fill_timed(bench);
        deinit(bench);
    }
    uint32_t longest = 0;
    for (uint64_t i = 0; i < bench->keys; i++)
        longest = bench->puts_ns[i] > longest ? bench->puts_ns[i] : longest;
    free(bench->puts_ns);
    return (double)longest / 1000;
}

static uint64_t random_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Reads an entry as an answer would. */
static void read_entry(const struct dict *dict, uint64_t hash, struct slice key)
{
    const struct entry *entry = dict_find(dict, hash, key);
    if (entry == NULL)
        abort();
    struct slice value = entry_string(entry);
    found += entry_version(entry) + (value.len > 0 ? value.data[value.len - 1] : 0u);
}

/* Nanoseconds per search of a random key, one after the other. */
static double search_singly(const struct bench *bench)
{
    uint64_t state = 1, begin = now_ns();
    for (uint64_t i = 0; i < SEARCHES; i++) {
        struct key key = make_key(random_number(&state) % bench->keys);
        uint64_t hash = hash_key(NULL, slice_of(&key));
        read_entry(&bench->dicts[hash >> 56], hash, slice_of(&key));
    }
    return (double)(now_ns() - begin) / (double)SEARCHES;
}

/* The same in batches that are fetched first, as the engine does it. */
static double search_in_batches(const struct bench *bench)
{
    uint64_t state = 2, begin = now_ns();
    for (uint64_t i = 0; i < SEARCHES; i += BATCH) {
        struct key keys[BATCH];
        uint64_t hashes[BATCH];
        for (int j = 0; j < BATCH; j++) {
            keys[j] = make_key(random_number(&state) % bench->keys);
            hashes[j] = hash_key(NULL, slice_of(&keys[j]));
            dict_prefetch_bucket(&bench->dicts[hashes[j] >> 56], hashes[j]);
        }
        struct dict_guess guesses[BATCH];
        for (int j = 0; j < BATCH; j++)
            guesses[j] = dict_guess(&bench->dicts[hashes[j] >> 56], hashes[j], 0);
        for (int j = 0; j < BATCH; j++)
            dict_prefetch(guesses[j]);
        for (int j = 0; j < BATCH; j++)
            if (guesses[j].is_bucket)
                dict_prefetch(dict_guess(&bench->dicts[hashes[j] >> 56], hashes[j], 1));
        for (int j = 0; j < BATCH; j++)
            read_entry(&bench->dicts[hashes[j] >> 56], hashes[j], slice_of(&keys[j]));
    }
    return (double)(now_ns() - begin) / (double)SEARCHES;
}

/* What a batch costs besides the dictionary. */
static double search_nothing(const struct bench *bench)
{
    uint64_t state = 2, begin = now_ns();
    for (uint64_t i = 0; i < SEARCHES; i++) {
        struct key key = make_key(random_number(&state) % bench->keys);
        found += hash_key(NULL, slice_of(&key));
    }
    return (double)(now_ns() - begin) / (double)SEARCHES;
}

static double min(double a, double b)
{
    return a < b ? a : b;
}

static void measure(struct bench *bench)
{
    size_t base = resident_bytes();
    init(bench);
    double put_ns = fill(bench);
    double rss = (double)(resident_bytes() - base) / (double)bench->keys;
    size_t slabs = 0, tables = 0;
    for (int i = 0; i < SHARDS; i++) {
        slabs += slab_memory(&bench->slabs[i]);
        tables += dict_memory(&bench->dicts[i]);
    }
    double singly = 1e9, batched = 1e9, nothing = 1e9;
    for (int i = 0; i < RUNS; i++) {
        singly = min(singly, search_singly(bench));
        batched = min(batched, search_in_batches(bench));
        nothing = min(nothing, search_nothing(bench));
    }
    deinit(bench);
    double keys = (double)bench->keys;
    printf("%9" PRIu64 " %7.1f %7.1f %7.1f %7.0f %7.0f %7.0f %7.0f %9.1f\n", bench->keys, rss,
           (double)slabs / keys, (double)tables / keys, put_ns, singly, batched, nothing,
           longest_put(bench));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    uint64_t only = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    size_t value_size = argc > 2 ? strtoull(argv[2], NULL, 10) : 32;
    if (value_size > sizeof value_bytes) {
        fprintf(stderr, "a value may have %zu bytes at most\n", sizeof value_bytes);
        return 2;
    }
    printf("            bytes per key            ns per\n"
           "     keys     RSS    slab   table     put    find batched   (key)  longest put, us\n");
    for (uint64_t keys = 1000; keys <= 10000000; keys *= 10) {
        if (only != 0 && keys != only && keys != 1000)
            continue;
        bench = (struct bench){.keys = only != 0 ? only : keys,
                               .value_size = value_size,
                               .expire_at_ms = argc > 3 ? 1900000000000 : 0};
        measure(&bench);
        if (only != 0)
            break;
    }
    return found == 1; /* never, but the compiler does not know */
}
