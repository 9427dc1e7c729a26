/*
 * Latencies counted in buckets whose width grows with their value: 128 to each power of two, so
 * that a percentile is at most 1 % above the true one, from 1 ns to 73 minutes.
 */
#ifndef KEYSTORE_BENCH_HISTOGRAM_H
#define KEYSTORE_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_MAX_BITS 42 /* larger values count as the largest one that fits */
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_MAX      ((UINT64_C(1) << HISTOGRAM_MAX_BITS) - 1)

/* All zero is an empty histogram. */
struct histogram {
    uint64_t count;
    uint64_t max; /* the largest value, exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket of a value of at most HISTOGRAM_MAX. */
static inline size_t histogram_index(uint64_t value)
{
    unsigned top = 63 - (unsigned)__builtin_clzll(value | (1 << HISTOGRAM_SUB_BITS));
    unsigned shift = top - HISTOGRAM_SUB_BITS;
    return ((size_t)shift << HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    if (value > HISTOGRAM_MAX)
        value = HISTOGRAM_MAX;
    histogram->buckets[histogram_index(value)]++;
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
}

/* The largest value that is counted at this index. */
uint64_t histogram_upper(size_t index);

/* Adds the counts of `from`. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The smallest value that `percent` (0 to 100) of the values do not exceed; 0 if there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
