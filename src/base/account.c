/* Counters of memory not used for data. Does not know who holds it. */
#include "base/account.h"

#include "base/check.h"
#include "base/reserve.h"

#include <stdatomic.h>
#include <stdint.h>

/* A single request may exceed the limit if the others hold at most 1/QUIET_SHARE of it. */
#define QUIET_SHARE 4
/* A request may unfold into at most 1/UNFOLDED_SHARE of the limit. */
#define UNFOLDED_SHARE 2

const char account_full[] =
    "requests and unread answers take all of --max-client-memory; try again, or send and ask for "
    "less at once";
const char account_starved[] = "the system gives this server no more memory (ulimit -v, the "
                               "container's limit); only small requests are accepted";

static atomic_size_t limit_bytes = SIZE_MAX, large[ACCOUNT_COUNT], queued_alone;

static size_t account_read_counter(const atomic_size_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void account_set_limit(size_t limit)
{
    atomic_store_explicit(&limit_bytes, limit, memory_order_relaxed);
}

size_t account_limit(void)
{
    return account_read_counter(&limit_bytes);
}

void account_count(enum account account, ptrdiff_t bytes)
{
    size_t before = atomic_fetch_add_explicit(&large[account], (size_t)bytes, memory_order_relaxed);
    DCHECK(bytes >= 0 || before >= (size_t)-bytes); /* it was counted when it was allocated */
}

void account_count_queued(ptrdiff_t bytes)
{
    size_t before = atomic_fetch_add_explicit(&queued_alone, (size_t)bytes, memory_order_relaxed);
    DCHECK(bytes >= 0 || before >= (size_t)-bytes);
}

size_t account_used(void)
{
    return account_read_counter(&large[ACCOUNT_CLIENTS]) + account_read_counter(&queued_alone);
}

size_t account_queued(void)
{
    return account_read_counter(&queued_alone);
}

size_t account_journal(void)
{
    return account_read_counter(&large[ACCOUNT_JOURNAL]);
}

bool account_is_tight(void)
{
    return account_used() > account_limit() / 2 || reserve_is_broken();
}

/* True if `size` more bytes may be used. */
static bool account_fits(size_t used, size_t size, size_t own)
{
    size_t limit = account_limit();
    if (size < ACCOUNT_LEAST || (used <= limit && size <= limit - used))
        return true;
    size_t others = used > own ? used - own : 0;
    return others <= limit / QUIET_SHARE;
}

bool account_allows(size_t size, size_t own)
{
    return account_fits(account_used(), size, own);
}

bool account_may_grow(size_t before, size_t now, const char **why)
{
    if (now <= before || now < ACCOUNT_LEAST)
        return true;
    *why = reserve_is_missing() ? account_starved : account_full;
    return *why == account_full && account_allows(ACCOUNT_LEAST, now);
}

bool account_reserve(size_t size, size_t own)
{
    atomic_size_t *counter = &large[ACCOUNT_CLIENTS];
    size_t counted = account_read_counter(counter);
    do {
        if (!account_fits(counted + account_queued(), size, own))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(counter, &counted, counted + size,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

size_t account_most_unfolded(void)
{
    return account_limit() / UNFOLDED_SHARE;
}
