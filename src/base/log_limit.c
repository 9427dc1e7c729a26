/* Counting lines in spans of time. Writes no line. */
#include "base/log_limit.h"

bool log_limit_note(struct log_limit *limit, uint32_t most, int64_t now_ms, uint64_t events,
                    uint64_t *told)
{
    int_fast64_t over_ms = atomic_load(&limit->over_ms);
    if (atomic_fetch_add(&limit->untold, events) + events == 0)
        return false;
    /* Of several threads that come here at once, one begins the span. */
    if (now_ms >= over_ms &&
        atomic_compare_exchange_strong(&limit->over_ms, &over_ms, now_ms + LOG_LIMIT_SPAN_MS))
        atomic_store(&limit->lines, 0);
    if (atomic_fetch_add(&limit->lines, 1) >= most)
        return false;
    *told = atomic_exchange(&limit->untold, 0);
    return *told > 0;
}
