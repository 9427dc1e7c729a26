/* A count and the earliest time of the next line. Writes no line itself. */
#include "base/seldom.h"

bool seldom_note(struct seldom *seldom, int64_t now_ms, uint64_t events, uint64_t *told)
{
    int_fast64_t next_ms = atomic_load(&seldom->next_ms);
    if (atomic_fetch_add(&seldom->not_told_yet, events) + events == 0)
        return false;
    if (next_ms != 0 && now_ms < next_ms)
        return false;
    /* Of several threads that come here at once, one tells. */
    if (!atomic_compare_exchange_strong(&seldom->next_ms, &next_ms, now_ms + SELDOM_MS))
        return false;
    *told = atomic_exchange(&seldom->not_told_yet, 0);
    return *told > 0;
}
