/* Logs differences of counters. Does not know where they come from. */
#include "server/watch.h"

#include "base/log.h"

#include <inttypes.h>
#include <stddef.h>

/* A wait for the disk of at least this is logged while it lasts. */
#define LONG_WAIT_US 1000000

/* Errors that the operator has to act on, because no client made a mistake. */
static const char *const advice[ERR_COUNT] = {
    [ERR_OUT_OF_MEMORY] =
        ("there is no memory for them (--max-memory, --max-client-memory and what "
         "the system gives); see used_memory in Info"),
    [ERR_READ_ONLY] = "the disk takes no more; see writes_refused in Info and the lines above",
    [ERR_NOT_DURABLE] = "the disk failed before they were durable; see the lines above",
};

/* How many were counted since the last line about them, if a line is due; else 0. */
static uint64_t watch_count_new(struct log_limit *limit, uint64_t seen, uint64_t now,
                                int64_t now_ms)
{
    uint64_t count = 0;
    return log_limit_note(limit, 1, now_ms, now - seen, &count) ? count : 0;
}

static void watch_log_refused(struct watch *watch, const struct watch_numbers *numbers,
                              int64_t now_ms)
{
    for (size_t err = 0; err < ERR_COUNT; err++) {
        if (advice[err] == NULL)
            continue;
        uint64_t count = watch_count_new(&watch->refused[err], watch->seen.refused[err],
                                         numbers->refused[err], now_ms);
        if (count > 0)
            log_warning("%" PRIu64 " calls were refused: %s", count, advice[err]);
    }
}

static void watch_log_evicted(struct watch *watch, const struct watch_numbers *numbers,
                              int64_t now_ms)
{
    uint64_t count =
        watch_count_new(&watch->evicted, watch->seen.evicted_keys, numbers->evicted_keys, now_ms);
    if (count > 0)
        log_info("%" PRIu64 " keys were evicted, because --max-memory is reached", count);
}

static void watch_log_clients(struct watch *watch, const struct watch_numbers *numbers,
                              int64_t now_ms)
{
    const struct watch_numbers *seen = &watch->seen;
    uint64_t count =
        watch_count_new(&watch->clients[0], seen->slow_requests, numbers->slow_requests, now_ms);
    if (count > 0)
        log_warning("%" PRIu64 " requests were ended: they did not arrive in time "
                    "(--request-timeout, --min-progress)",
                    count);
    count = watch_count_new(&watch->clients[1], seen->turned_away, numbers->turned_away, now_ms);
    if (count > 0)
        log_info("%" PRIu64 " calls were refused unseen (REFUSED_STREAM), so that they are safe to "
                 "repeat: their connections have too many in flight (--max-streams) or do not read "
                 "their answers, or the server stops",
                 count);
}

static void watch_log_slow(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms)
{
    int64_t since_us = numbers->waits_since_us, waits_us = now_ms * 1000 - since_us;
    uint64_t count =
        watch_count_new(&watch->slow, watch->seen.slow_waits, numbers->slow_waits, now_ms);
    if (count > 0)
        log_warning("%" PRIu64 " writes or syncs of the log took longer than a second: the disk is "
                    "slow, and calls wait for it (see log_last_sync_us in Info)",
                    count);
    if (since_us == 0 || since_us == watch->logged_since_us || waits_us < LONG_WAIT_US)
        return;
    watch->logged_since_us = since_us;
    log_warning("the disk has not been done with a write or sync of the log for %.1f s, and calls "
                "wait for it",
                (double)waits_us / 1000000);
}

void watch_look(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms)
{
    watch_log_refused(watch, numbers, now_ms);
    watch_log_evicted(watch, numbers, now_ms);
    watch_log_clients(watch, numbers, now_ms);
    watch_log_slow(watch, numbers, now_ms);
    watch->seen = *numbers;
}

void watch_end(struct watch *watch, const struct watch_numbers *numbers, int64_t now_ms)
{
    struct watch_numbers last = *numbers;
    last.waits_since_us = 0;
    watch_look(watch, &last, now_ms + LOG_LIMIT_SPAN_MS);
}
