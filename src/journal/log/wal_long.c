/*
 * Units that take long. Each gathers its changes alone, without the log's mutex, so that others
 * begin and end meanwhile; its place among them is where it began. What has gathered before it may
 * be written at once, what comes after it waits for its end.
 */
#include "base/mem.h"
#include "journal/log/wal_state.h"

#include <stdlib.h>

/* One unit that others do not wait for: change.h. It gathers its changes alone. */
struct wal_long_record {
    struct change_sink sink; /* first: the sink's functions find the unit by it */
    struct wal *log;
    struct gather gather;
    struct wal_work *work; /* its place among the others; NULL: the log has failed meanwhile */
    struct wal_long_record *next; /* of those that are open */
};

static uint64_t wal_long_begin(struct change_sink *sink)
{
    struct wal_long_record *unit = (struct wal_long_record *)sink;
    struct wal *log = unit->log;
    struct wal_work *before = wal_work_new(), *work = wal_work_new();
    gather_begin(&unit->gather);
    pthread_mutex_lock(&log->mutex);
    while (wal_is_crowded(log))
        wal_wait_for_others(log);
    uint64_t revision = ++log->revision;
    if (log->state == WAL_FAILED) {
        free(before);
        free(work);
    } else {
        wal_cut_gathered(log, before); /* if it is nothing: what follows must select its database */
        work->is_open = true;
        unit->work = wal_add_work(log, work);
        unit->next = log->long_units;
        log->long_units = unit;
    }
    pthread_mutex_unlock(&log->mutex);
    return revision;
}

static void wal_long_change(struct change_sink *sink, const struct op *op)
{
    gather_change(&((struct wal_long_record *)sink)->gather, op);
}

static void wal_long_forget(struct wal *log, const struct wal_long_record *unit)
{
    struct wal_long_record **link = &log->long_units;
    while (*link != unit)
        link = &(*link)->next;
    *link = unit->next;
}

static void wal_long_end(struct change_sink *sink)
{
    struct wal_long_record *unit = (struct wal_long_record *)sink;
    struct wal *log = unit->log;
    gather_end(&unit->gather);
    pthread_mutex_lock(&log->mutex);
    if (unit->work != NULL) {
        wal_long_forget(log, unit);
        gather_take(&unit->gather, &unit->work->bytes, &unit->work->count, false);
        log->cut_bytes += unit->work->bytes.len;
        unit->work->is_open = false;
    }
    log->has_idle = true;
    wal_unlock_and_wake(log, wal_has_work(log));
    gather_deinit(&unit->gather);
    free(unit);
}

/* Others have got their revisions since, so this one stays: nothing happened in it. */
static void wal_long_abort(struct change_sink *sink)
{
    struct gather *gather = &((struct wal_long_record *)sink)->gather;
    gather_abort(gather);
    gather_begin(gather);
    wal_long_end(sink);
}

struct change_sink *wal_open_long(struct change_sink *sink)
{
    struct wal_long_record *unit = mem_alloc_zero(sizeof *unit);
    unit->log = (struct wal *)sink;
    unit->sink = (struct change_sink){.begin = wal_long_begin,
                                      .change = wal_long_change,
                                      .end = wal_long_end,
                                      .abort = wal_long_abort};
    gather_init(&unit->gather);
    return &unit->sink;
}

void wal_forget_long_records(struct wal *log)
{
    for (; log->long_units != NULL; log->long_units = log->long_units->next)
        log->long_units->work = NULL;
}
