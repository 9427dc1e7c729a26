/* A log-linear histogram. Does not know what is counted. */
#include "bench/histogram.h"

#include "base/check.h"

uint64_t histogram_upper(size_t index)
{
    DCHECK(index < HISTOGRAM_BUCKETS);
    if (index < (size_t)2 << HISTOGRAM_SUB_BITS)
        return index;
    size_t shift = (index >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t lower = (uint64_t)(index - (shift << HISTOGRAM_SUB_BITS)) << shift;
    return lower + (UINT64_C(1) << shift) - 1;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

/* The rank, from 1, of the value that `percent` of `count` values do not exceed. */
static uint64_t histogram_rank_of(double percent, uint64_t count)
{
    double exact = percent / 100 * (double)count;
    uint64_t rank = (uint64_t)exact;
    /* Not ceil(): 99.9 / 100 * 1000 must be rank 999 in spite of the last bit of the product. */
    if (exact - (double)rank > 1e-6)
        rank++;
    if (rank == 0)
        return 1;
    return rank < count ? rank : count;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    if (histogram->count == 0)
        return 0;
    uint64_t left = histogram_rank_of(percent, histogram->count);
    size_t index = 0;
    while (histogram->buckets[index] < left)
        left -= histogram->buckets[index++];
    CHECK(index < HISTOGRAM_BUCKETS);
    uint64_t upper = histogram_upper(index);
    return upper < histogram->max ? upper : histogram->max;
}
