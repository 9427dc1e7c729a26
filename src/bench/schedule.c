/* Evenly spaced times, computed from the call's number so that no error accumulates. */
#include "bench/schedule.h"

#include "bench/now.h"

void schedule_init(struct schedule *schedule, uint64_t start_ns, uint64_t rate, uint32_t thread,
                   uint32_t threads)
{
    *schedule =
        (struct schedule){.start_ns = start_ns, .rate = rate, .step = threads, .next = thread};
}

uint64_t schedule_peek_ns(const struct schedule *schedule)
{
    unsigned __int128 product = (unsigned __int128)schedule->next * NS_PER_S;
    return schedule->start_ns + (uint64_t)(product / schedule->rate);
}

void schedule_advance(struct schedule *schedule)
{
    schedule->next += schedule->step;
}

uint64_t schedule_wait_ns(const struct schedule *schedule, uint64_t now_ns, bool blocked,
                          uint64_t limit_ns)
{
    uint64_t next_ns = schedule_peek_ns(schedule);
    if (next_ns <= now_ns)
        return blocked ? limit_ns : 0;
    return next_ns - now_ns < limit_ns ? next_ns - now_ns : limit_ns;
}

uint64_t schedule_count_before(const struct schedule *schedule, uint64_t time_ns)
{
    if (time_ns <= schedule_peek_ns(schedule))
        return 0;
    /* Call i starts before the time iff i * 10^9 / rate < span, rounded down: i * 10^9 < span *
     * rate. */
    unsigned __int128 span = time_ns - schedule->start_ns;
    uint64_t calls = (uint64_t)((span * schedule->rate + NS_PER_S - 1) / NS_PER_S);
    if (calls <= schedule->next)
        return 0;
    return (calls - schedule->next + schedule->step - 1) / schedule->step;
}
