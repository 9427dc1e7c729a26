/*
 * Units that take long. Each gathers its changes alone, without the log's mutex, so that others
 * begin and end meanwhile; its place among them is where it began. What has gathered before it may
 * be written at once, what comes after it waits for its end.
 */
#include "base/mem.h"
#include "journal/log/wal_state.h"

#include <stdlib.h>

/* One unit that others do not wait for: change.h. It gathers its changes alone. */
struct log_long_unit {
    struct change_sink sink; /* first: the sink's functions find the unit by it */
    struct log *log;
    struct gather gather;
    struct log_work *work;      /* its place among the others; NULL: the log has failed meanwhile */
    struct log_long_unit *next; /* of those that are open */
};

static uint64_t begin_long(struct change_sink *sink)
{
    struct log_long_unit *unit = (struct log_long_unit *)sink;
    struct log *log = unit->log;
    struct log_work *before = log_work_new(), *work = log_work_new();
    gather_begin(&unit->gather);
    pthread_mutex_lock(&log->mutex);
    while (log_is_crowded(log))
        log_wait_for_others(log);
    uint64_t revision = ++log->revision;
    if (log->state == LOG_FAILED) {
        free(before);
        free(work);
    } else {
        log_cut_gathered(log, before); /* if it is nothing: what follows must select its database */
        work->is_open = true;
        unit->work = log_add_work(log, work);
        unit->next = log->long_units;
        log->long_units = unit;
    }
    pthread_mutex_unlock(&log->mutex);
    return revision;
}

static void change_long(struct change_sink *sink, const struct op *op)
{
    gather_change(&((struct log_long_unit *)sink)->gather, op);
}

static void forget_long(struct log *log, const struct log_long_unit *unit)
{
    struct log_long_unit **link = &log->long_units;
    while (*link != unit)
        link = &(*link)->next;
    *link = unit->next;
}

static void end_long(struct change_sink *sink)
{
    struct log_long_unit *unit = (struct log_long_unit *)sink;
    struct log *log = unit->log;
    gather_end(&unit->gather);
    pthread_mutex_lock(&log->mutex);
    if (unit->work != NULL) {
        forget_long(log, unit);
        gather_take(&unit->gather, &unit->work->bytes, &unit->work->count, false);
        log->cut_bytes += unit->work->bytes.len;
        unit->work->is_open = false;
    }
    log->rested = true;
    log_unlock_and_wake(log, log_has_work(log));
    gather_deinit(&unit->gather);
    free(unit);
}

/* Others have got their revisions since, so this one stays: nothing happened in it. */
static void abort_long(struct change_sink *sink)
{
    struct gather *gather = &((struct log_long_unit *)sink)->gather;
    gather_abort(gather);
    gather_begin(gather);
    end_long(sink);
}

struct change_sink *log_open_long(struct change_sink *sink)
{
    struct log_long_unit *unit = mem_alloc_zero(sizeof *unit);
    unit->log = (struct log *)sink;
    unit->sink = (struct change_sink){
        .begin = begin_long, .change = change_long, .end = end_long, .abort = abort_long};
    gather_init(&unit->gather);
    return &unit->sink;
}

void log_forget_long_units(struct log *log)
{
    for (; log->long_units != NULL; log->long_units = log->long_units->next)
        log->long_units->work = NULL;
}
