/* Differences of counters, as lines of the log. Does not know where the numbers come from. */
#include "server/watch.h"

#include "base/log.h"

#include <inttypes.h>
#include <stddef.h>

/* A wait for the disk that is told while it lasts. */
#define LONG_WAIT_US 1000000

/* Errors that are no client's mistake, so that whoever runs the server has to do something. */
static const char *const advice[ERR_COUNT] = {
    [ERR_OUT_OF_MEMORY] =
        ("there is no memory for them (--max-memory, --max-client-memory and what "
         "the system gives); see used_memory in Info"),
    [ERR_READ_ONLY] = "the disk takes no more; see writes_refused in Info and the lines above",
    [ERR_NOT_DURABLE] = "the disk failed before they were durable; see the lines above",
};

/* How many have come of which no line has told, if one is due; else 0. */
static uint64_t watch_news(struct log_limit *limit, uint64_t seen, uint64_t now, int64_t now_ms)
{
    uint64_t told = 0;
    return log_limit_note(limit, 1, now_ms, now - seen, &told) ? told : 0;
}

static void watch_tell_refused(struct watch *watch, const struct watch_numbers *numbers,
                               int64_t now_ms)
{
    for (size_t err = 0; err < ERR_COUNT; err++) {
        if (advice[err] == NULL)
            continue;
        uint64_t count = watch_news(&watch->refused[err], watch->seen.refused[err],
                                    numbers->refused[err], now_ms);
        if (count > 0)
            log_warning("%" PRIu64 " calls were refused: %s", count, advice[err]);
    }
}

static void watch_tell_evicted(struct watch *watch, const struct watch_numbers *numbers,
                               int64_t now_ms)
{
    uint64_t count =
        watch_news(&watch->evicted, watch->seen.evicted_keys, numbers->evicted_keys, now_ms);
    if (count > 0)
        log_info("%" PRIu64 " keys were evicted, for --max-memory is reached", count);
}

static void watch_tell_clients(struct watch *watch, const struct watch_numbers *numbers,
                               int64_t now_ms)
{
    const struct watch_numbers *seen = &watch->seen;
    uint64_t count =
        watch_news(&watch->clients[0], seen->slow_requests, numbers->slow_requests, now_ms);
    if (count > 0)
        log_warning("%" PRIu64 " requests were ended: they did not arrive in time "
                    "(--request-timeout, --min-progress)",
                    count);
    count =
        watch_news(&watch->clients[1], seen->idle_connections, numbers->idle_connections, now_ms);
    if (count > 0)
        log_info("%" PRIu64 " connections were ended: they made no calls (--idle-timeout)", count);
    count = watch_news(&watch->clients[2], seen->turned_away, numbers->turned_away, now_ms);
    if (count > 0)
        log_info("%" PRIu64 " calls were refused unseen (REFUSED_STREAM), so that they are safe to "
                 "repeat: their connections have too many under way (--max-streams) or do not read "
                 "their answers, or the server stops",
                 count);
}

static void watch_tell_slow(struct watch *watch, const struct watch_numbers *numbers,
                            int64_t now_ms)
{
    int64_t since_us = numbers->waits_since_us, waits_us = now_ms * 1000 - since_us;
    uint64_t count = watch_news(&watch->slow, watch->seen.slow_waits, numbers->slow_waits, now_ms);
    if (count > 0)
        log_warning("%" PRIu64 " writes or syncs of the log took longer than a second: the disk is "
                    "slow, and calls wait for it (see log_last_sync_us in Info)",
                    count);
    if (since_us == 0 || since_us == watch->waited_since_us || waits_us < LONG_WAIT_US)
        return;
    watch->waited_since_us = since_us;
    log_warning("the disk has not been done with a write or sync of the log for %.1f s, and calls "
                "wait for it",
                (double)waits_us / 1000000);
}

void watch_look(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms)
{
    watch_tell_refused(watch, numbers, now_ms);
    watch_tell_evicted(watch, numbers, now_ms);
    watch_tell_clients(watch, numbers, now_ms);
    watch_tell_slow(watch, numbers, now_ms);
    watch->seen = *numbers;
}

void watch_end(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms)
{
    struct watch_numbers last = *numbers;
    last.waits_since_us = 0;
    watch_look(watch, &last, now_ms + LOG_LIMIT_SPAN_MS);
}
