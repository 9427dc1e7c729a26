/* Counts events and log lines in spans of time. Writes no line. */
#include "base/log_limit.h"

bool log_limit_note(struct log_limit *limit, uint32_t max_lines, int64_t now_ms, uint64_t events,
                    uint64_t *reported)
{
    int_fast64_t end_ms = atomic_load(&limit->end_ms);
    if (atomic_fetch_add(&limit->unreported, events) + events == 0)
        return false;
    /* Of several threads that get here at the same time, one starts the span. */
    if (now_ms >= end_ms &&
        atomic_compare_exchange_strong(&limit->end_ms, &end_ms, now_ms + LOG_LIMIT_SPAN_MS))
        atomic_store(&limit->lines, 0);
    if (atomic_fetch_add(&limit->lines, 1) >= max_lines)
        return false;
    *reported = atomic_exchange(&limit->unreported, 0);
    return *reported > 0;
}
