/* Counters of the memory beside the data. Refuses to know who holds it. */
#include "base/account.h"

#include <stdatomic.h>
#include <stdint.h>

/* A single request may pass the limit if others hold no more than one part in so many of it. */
#define QUIET_SHARE 4

static atomic_size_t limit_bytes = SIZE_MAX, large, queued_alone;

static size_t read_counter(const atomic_size_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void account_set_limit(size_t limit)
{
    atomic_store_explicit(&limit_bytes, limit, memory_order_relaxed);
}

size_t account_limit(void)
{
    return read_counter(&limit_bytes);
}

void account_count(ptrdiff_t bytes)
{
    atomic_fetch_add_explicit(&large, (size_t)bytes, memory_order_relaxed);
}

void account_count_queued(ptrdiff_t bytes)
{
    atomic_fetch_add_explicit(&queued_alone, (size_t)bytes, memory_order_relaxed);
}

size_t account_used(void)
{
    return read_counter(&large) + read_counter(&queued_alone);
}

size_t account_queued(void)
{
    return read_counter(&queued_alone);
}

bool account_is_tight(void)
{
    return account_used() > account_limit() / 2;
}

bool account_allows(size_t size, size_t own)
{
    size_t used = account_used(), limit = account_limit();
    if (size < ACCOUNT_LEAST || (used <= limit && size <= limit - used))
        return true;
    size_t others = used > own ? used - own : 0;
    return others <= limit / QUIET_SHARE;
}
