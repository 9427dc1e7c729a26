/*
 * What the log is made of: the sink's side (wal.c, wal_long.c) and the thread's (wal_thread.c).
 * Private to the log.
 */
#ifndef KEYSTORE_JOURNAL_LOG_WAL_STATE_H
#define KEYSTORE_JOURNAL_LOG_WAL_STATE_H

#include "journal/log/commit_delay.h"
#include "journal/log/gather.h"
#include "journal/log/wal_file.h"
#include "journal/log/wal_options.h"
#include "store/change.h"

#include <pthread.h>

struct wal_long_record;

/* Records for the current file, and the file that follows them. */
struct wal_work {
    struct buf bytes;
    uint64_t count;
    char *name;   /* the file of the records after these; NULL: the same one */
    bool is_open; /* the place of a long record that has not ended: it must wait, and so must
                    everything after it */
    struct wal_work *next;
};

enum wal_state { WAL_GOOD, WAL_FULL, WAL_FAILED };

struct wal {
    struct change_sink sink; /* first member: the sink's functions find the log by it */
    struct wal_options options;
    pthread_t thread;
    pthread_mutex_t mutex;

    /* Under the mutex. */
    pthread_cond_t wake;   /* the thread waits for work */
    pthread_cond_t space;  /* writers wait until less has gathered */
    enum wal_state state;  /* changed by the thread only */
    uint64_t revision;     /* of the newest record */
    struct gather gather;  /* records for the newest file */
    struct wal_work *cuts; /* records before those, for former files or of long records */
    struct wal_long_record *long_records; /* the open ones */
    size_t cut_bytes;                     /* in `cuts` */
    bool has_idle;  /* some of the gathered records are of an idle worker, or of a writer that
                       waits for space */
    bool sleeping;  /* the thread waits for `wake`... */
    size_t wake_at; /* ...until so many bytes have gathered... */
    uint64_t wake_records; /* ...and so many records */
    bool stopping;

    /* The thread's own. */
    struct wal_work work;
    struct wal_file file;
    struct wal_file next; /* created, but not yet in use; else all zero */
    uint64_t written;     /* newest revision in the file */
    uint64_t synced;      /* newest revision that is durable */
    uint64_t released;    /* WAL_ALWAYS: records that have just become durable */
    struct commit_delay delay;
    int64_t next_write_us; /* WAL_EVERY_SECOND: when gathered records are due to be written */
    int64_t sync_due_us;   /* if the file has unsynced bytes */

    atomic_uint_fast64_t size;   /* bytes of all files since the base */
    atomic_uint_fast64_t former; /* of these, in files before the current one */
    atomic_uint_fast64_t records, batches, bytes, syncs, durable_revision;
    atomic_uint_fast64_t sync_times[WAL_SYNC_BOUNDS + 1], sync_sum_us;
    atomic_int_fast64_t last_sync_us;
    atomic_int_fast64_t waits_since_us; /* for the disk; 0 = it does not */
    atomic_uint_fast64_t slow_waits;
    atomic_int error;
};

/* Bytes that have gathered. The mutex is held, also for the functions below. */
static inline size_t wal_gathered(const struct wal *log)
{
    return log->cut_bytes + log->gather.bytes.len;
}

/* Only in WAL_GOOD: a full disk would never release a waiter, and those who write nevertheless must
 * not block. */
static inline bool wal_is_crowded(const struct wal *log)
{
    return log->state == WAL_GOOD && wal_gathered(log) > log->options.most_gathered;
}

/* Drops everything that waits to be written: the log has failed. */
void wal_drop_gathered(struct wal *log);

/* The thread; `log` is a struct wal *. Ends when the log is stopping and all work is done. */
void *wal_thread_run(void *log);

/* True if a worker is busy. While any is, no `end` wakes the thread. */
bool wal_is_anybody_busy(const struct wal *log);

/* True if there is something to write for which the thread was waiting. */
bool wal_has_work(const struct wal *log);

/* Waits for space. Releases the mutex meanwhile. */
void wal_wait_for_others(struct wal *log);

/* Releases the mutex, and wakes the thread if there is work for it. */
void wal_unlock_and_wake(struct wal *log, bool there_is_work);

/* Creates empty work for wal_add_work(). */
struct wal_work *wal_work_new(void);

/* Queues the work after all other, but before what gathers; returns it. */
struct wal_work *wal_add_work(struct wal *log, struct wal_work *work);

/* Turns what has gathered so far into that work and queues it. */
void wal_cut_gathered(struct wal *log, struct wal_work *work);

/* The log has failed: the open long records lose their places. */
void wal_forget_long_records(struct wal *log);

/* Returns a sink for a record that may take long: change.h. */
struct change_sink *wal_open_long(struct change_sink *sink);

#endif
