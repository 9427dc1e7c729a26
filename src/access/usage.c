/* Counts without locks: many threads count calls of the same user. */
#include "access/usage.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)
/* The furthest into the future that a bucket can be indebted, a century: no number of calls makes
 * the time overflow. */
#define MOST_DEBT_NS (INT64_C(100) * 365 * 86400 * SECOND_NS)

struct access_usage *access_usage_new(void)
{
    struct access_usage *usage = mem_alloc_zero(sizeof *usage);
    atomic_init(&usage->holders, 1);
    return usage;
}

struct access_usage *access_usage_retain(struct access_usage *usage)
{
    atomic_fetch_add_explicit(&usage->holders, 1, memory_order_relaxed);
    return usage;
}

void access_usage_release(struct access_usage *usage)
{
    if (usage == NULL || atomic_fetch_sub_explicit(&usage->holders, 1, memory_order_acq_rel) > 1)
        return;
    CHECK(atomic_load(&usage->calls) == 0); /* each call holds its user */
    free(usage);
}

/* Not an addition that is taken back: meanwhile another thread would refuse a call that fits. */
bool access_count_call(atomic_uint_fast32_t *calls, uint32_t most)
{
    uint_fast32_t before = atomic_load_explicit(calls, memory_order_relaxed);
    do {
        if (before >= most)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(calls, &before, before + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

int64_t access_take_calls(struct access_usage *usage, uint32_t rate, uint32_t burst, uint64_t count,
                          int64_t now_ns)
{
    DCHECK(rate > 0 && rate <= ACCESS_MOST_RATE && count > 0);
    int64_t each_ns = SECOND_NS / rate;
    int64_t ahead_ns = (int64_t)((burst != 0 ? burst : rate) - 1) * each_ns;
    int64_t debt_ns =
        count < (uint64_t)(MOST_DEBT_NS / each_ns) ? (int64_t)count * each_ns : MOST_DEBT_NS;
    int_fast64_t due_ns = atomic_load_explicit(&usage->due_ns, memory_order_relaxed);
    int64_t from_ns;
    do {
        from_ns = due_ns > now_ns ? due_ns : now_ns;
        if (from_ns - now_ns > ahead_ns)
            return from_ns - now_ns - ahead_ns;
    } while (!atomic_compare_exchange_weak_explicit(&usage->due_ns, &due_ns, from_ns + debt_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    return 0;
}
