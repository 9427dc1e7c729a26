/*
 * Records that take long. Each gathers its changes separately, without the log's mutex, so that
 * others start and end meanwhile; its place among them is where it started. What gathered before it
 * may be written immediately; what comes after it waits for its end.
 */
#include "base/mem.h"
#include "journal/log/wal_state.h"

#include <stdlib.h>

/* A record that does not block others: change.h. */
struct wal_long_record {
    struct change_sink sink; /* first member: the sink's functions find the record by it */
    struct wal *log;
    struct gather gather;
    struct wal_work *work; /* its place among the others; NULL: the log has failed meanwhile */
    struct wal_long_record *next; /* of the open ones */
};

static uint64_t wal_long_begin(struct change_sink *sink)
{
    struct wal_long_record *record = (struct wal_long_record *)sink;
    struct wal *log = record->log;
    struct wal_work *before = wal_work_new(), *work = wal_work_new();
    gather_begin(&record->gather);
    pthread_mutex_lock(&log->mutex);
    while (wal_is_crowded(log))
        wal_wait_for_others(log);
    uint64_t revision = ++log->revision;
    if (log->state == WAL_FAILED) {
        free(before);
        free(work);
    } else {
        wal_cut_gathered(log, before); /* even if it is empty: what follows must select its database
                                        */
        work->is_open = true;
        record->work = wal_add_work(log, work);
        record->next = log->long_records;
        log->long_records = record;
    }
    pthread_mutex_unlock(&log->mutex);
    return revision;
}

static void wal_long_change(struct change_sink *sink, const struct op *op)
{
    gather_change(&((struct wal_long_record *)sink)->gather, op);
}

static void wal_long_note(struct change_sink *sink, struct slice note)
{
    gather_note(&((struct wal_long_record *)sink)->gather, note);
}

static void wal_long_unlink(struct wal *log, const struct wal_long_record *record)
{
    struct wal_long_record **link = &log->long_records;
    while (*link != record)
        link = &(*link)->next;
    *link = record->next;
}

static void wal_long_end(struct change_sink *sink)
{
    struct wal_long_record *record = (struct wal_long_record *)sink;
    struct wal *log = record->log;
    gather_end(&record->gather);
    pthread_mutex_lock(&log->mutex);
    if (record->work != NULL) {
        wal_long_unlink(log, record);
        gather_take(&record->gather, &record->work->bytes, &record->work->count, false);
        log->cut_bytes += record->work->bytes.len;
        record->work->is_open = false;
    }
    log->has_idle = true;
    wal_unlock_and_wake(log, wal_has_work(log));
    gather_deinit(&record->gather);
    free(record);
}

/* Others have taken later revisions, so this one stays, as that of an empty record. */
static void wal_long_abort(struct change_sink *sink)
{
    struct gather *gather = &((struct wal_long_record *)sink)->gather;
    gather_abort(gather);
    gather_begin(gather);
    wal_long_end(sink);
}

struct change_sink *wal_open_long(struct change_sink *sink)
{
    struct wal_long_record *record = mem_alloc_zero(sizeof *record);
    record->log = (struct wal *)sink;
    record->sink = (struct change_sink){.begin = wal_long_begin,
                                        .change = wal_long_change,
                                        .note = wal_long_note,
                                        .end = wal_long_end,
                                        .abort = wal_long_abort};
    gather_init(&record->gather);
    return &record->sink;
}

void wal_forget_long_records(struct wal *log)
{
    for (; log->long_records != NULL; log->long_records = log->long_records->next)
        log->long_records->work = NULL;
}
