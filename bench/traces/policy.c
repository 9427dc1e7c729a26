/*
 * A cache that evicts the key of the highest rank, in a binary heap. Both policies work like that:
 * the rank is the time since the last use, or until the next one. Does not know servers.
 */
#include "traces/policy.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct cache {
    uint32_t *heap;   /* keys; none is ranked above its parent */
    uint32_t *places; /* by key: where it is in the heap plus one; 0 = not cached */
    uint32_t *ranks;  /* by key */
    size_t count;
    uint64_t weight, capacity;
};

static void place(struct cache *cache, size_t at, uint32_t key)
{
    cache->heap[at] = key;
    cache->places[key] = (uint32_t)at + 1;
}

static void sift_up(struct cache *cache, size_t at, uint32_t key)
{
    for (size_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (cache->ranks[cache->heap[parent]] >= cache->ranks[key])
            break;
        place(cache, at, cache->heap[parent]);
    }
    place(cache, at, key);
}

static void sift_down(struct cache *cache, size_t at, uint32_t key)
{
    const uint32_t *heap = cache->heap, *ranks = cache->ranks;
    for (size_t child; (child = 2 * at + 1) < cache->count; at = child) {
        if (child + 1 < cache->count && ranks[heap[child + 1]] > ranks[heap[child]])
            child++;
        if (ranks[heap[child]] <= ranks[key])
            break;
        place(cache, at, heap[child]);
    }
    place(cache, at, key);
}

/* Evicts the first of the heap. */
static void evict(struct cache *cache, const struct trace *trace)
{
    uint32_t key = cache->heap[0], last = cache->heap[--cache->count];
    cache->places[key] = 0;
    cache->weight -= trace_weight(trace, key);
    if (cache->count > 0)
        sift_down(cache, 0, last);
}

/* Makes room for the key and caches it; one that is larger than the cache passes by. */
static void insert(struct cache *cache, const struct trace *trace, uint32_t key)
{
    uint64_t weight = trace_weight(trace, key);
    if (weight > cache->capacity)
        return;
    while (cache->weight + weight > cache->capacity)
        evict(cache, trace);
    cache->weight += weight;
    sift_up(cache, cache->count++, key);
}

/* The key, which is cached or not, has this rank from now on; true if it is a hit. */
static bool use(struct cache *cache, const struct trace *trace, uint32_t key, uint32_t rank)
{
    bool is_hit = cache->places[key] != 0, rises = rank > cache->ranks[key];
    cache->ranks[key] = rank;
    if (!is_hit)
        insert(cache, trace, key);
    else if (rises)
        sift_up(cache, cache->places[key] - 1, key);
    else
        sift_down(cache, cache->places[key] - 1, key);
    return is_hit;
}

/* ranks[i] is that of the key from request i on. */
static size_t count_hits(const struct trace *trace, uint64_t capacity, const uint32_t *ranks)
{
    size_t keys = trace->key_count, hits = 0;
    struct cache cache = {.heap = mem_alloc_zero(keys * sizeof *cache.heap),
                          .places = mem_alloc_zero(keys * sizeof *cache.places),
                          .ranks = mem_alloc_zero(keys * sizeof *cache.ranks),
                          .capacity = capacity};
    for (size_t i = 0; i < trace->count; i++) {
        bool is_hit = use(&cache, trace, trace->requests[i], ranks[i]);
        hits += is_hit && i >= trace->warm_up;
    }
    free(cache.heap);
    free(cache.places);
    free(cache.ranks);
    return hits;
}

size_t policy_lru_hits(const struct trace *trace, uint64_t capacity)
{
    uint32_t *ranks = mem_alloc(trace->count * sizeof *ranks);
    for (size_t i = 0; i < trace->count; i++)
        ranks[i] = (uint32_t)(trace->count - i);
    size_t hits = count_hits(trace, capacity, ranks);
    free(ranks);
    return hits;
}

size_t policy_belady_hits(const struct trace *trace, uint64_t capacity)
{
    uint32_t *ranks = mem_alloc(trace->count * sizeof *ranks);
    uint32_t *next = mem_alloc(trace->key_count * sizeof *next);
    memset(next, 0xff, trace->key_count * sizeof *next); /* never */
    for (size_t i = trace->count; i-- > 0;) {
        ranks[i] = next[trace->requests[i]];
        next[trace->requests[i]] = (uint32_t)i;
    }
    size_t hits = count_hits(trace, capacity, ranks);
    free(next);
    free(ranks);
    return hits;
}
