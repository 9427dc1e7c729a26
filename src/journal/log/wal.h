/*
 * The write-ahead log: the store's change sink (store/change.h), which gathers the commits as
 * records and makes them durable in a file of batches (journal/log/batch.h). A thread of its own
 * writes and syncs.
 *
 * Group commit: while one batch is written and synced, the next one gathers. It starts as soon as
 * the former is durable or, after a commit delay, when the writers of that batch have written
 * again, if they are fast (journal/log/commit_delay.h). It also waits while all workers that have
 * written are still busy (base/activity.h): a batch that started amid their requests would split
 * those that came together, and their answers, into more and smaller reads and writes. Writers
 * never wait for the disk, only for the sink's lock and, when more than `most_gathered` bytes have
 * gathered, for space in the buffer (backpressure).
 *
 * struct durable says how far the data are durable and whether writes are accepted:
 *  - WAL_ALWAYS: each batch is synced immediately; `revision` follows.
 *  - WAL_EVERY_SECOND: `revision` is DURABLE_AT_ONCE. Records are written within some 10 ms, and
 *    synced within a second after that: a crash of the machine costs two seconds at most, if the
 *    disk keeps up.
 *  - If the disk has no space for a write, `read_only_reason` says so. The batch is kept, the file
 *    is truncated to what was good, and the write is retried until there is space; then
 *    `read_only_reason` becomes NULL again. Nothing is lost unless the process ends.
 *  - After any other failure, and each failed sync, `read_only_reason` stays for good, as it is
 *    unknown what the disk holds. Nothing more is written, nothing more becomes durable. Records
 *    still get revisions.
 * The caller that applies operations refuses writes while there is a read-only reason, also those
 * that no client requested, such as the removal of expired keys, so that what gathers stays
 * bounded.
 *
 * All functions may be called on any thread unless they say otherwise.
 */
#ifndef KEYSTORE_JOURNAL_LOG_WAL_H
#define KEYSTORE_JOURNAL_LOG_WAL_H

#include "journal/log/wal_options.h"
#include "store/change.h"

struct wal;

/*
 * Starts the thread. `file` is opened for appending and holds only whole batches, or nothing;
 * everything in the data directory is durable, and so is `options.revision`. On success the log
 * owns `file`. NULL: the disk has no space for one, so the log starts as on a full disk, and
 * retries on_open until there is. 0 or a negative errno value.
 */
int wal_new(const struct wal_options *options, struct fs_file *file, struct wal **log)
    __attribute__((warn_unused_result));

/*
 * Writes and syncs all records, if the disk allows, and ends the thread. Nobody may be writing.
 * False if the log has failed, so that records may be lost; the server's log says why. NULL is
 * allowed.
 */
bool wal_free(struct wal *log);

/* The sink for the store's changes; valid until wal_free(). */
struct change_sink *wal_sink(struct wal *log);

/*
 * Directs the records after this call to a new file of that name (copied) in the folder; those
 * before it go to the former one. Call it while no record can start: under all locks under which
 * records start. Returns immediately; on_rotated reports that it is done.
 */
void wal_rotate(struct wal *log, const char *name);

/* Bytes in the log's files since the base, as far as they are written. */
uint64_t wal_size(const struct wal *log);

/* After a new base: the files before the last rotation are no longer needed, and wal_size() only
 * counts what was written since then. */
void wal_forget_former(struct wal *log);

struct wal_stats {
    uint64_t records;                         /* written */
    uint64_t batches;                         /* written */
    uint64_t bytes;                           /* written, with the batches' lines */
    uint64_t syncs;                           /* of data */
    uint64_t sync_times[WAL_SYNC_BOUNDS + 1]; /* syncs by their duration... */
    uint64_t sync_sum_us;                     /* ...and that of all of them */
    int64_t last_sync_us;                     /* duration of the newest one; 0 = none yet */
    int64_t waits_since_us; /* monotonic time at which the write or sync in progress started; 0 =
                               none is */
    uint64_t slow_waits;    /* writes and syncs that took slow_us or longer */
    uint64_t revision;      /* of the newest record that is durable, whatever struct durable says */
    size_t gathered_bytes;  /* waiting to be written, without the batch in flight */
    size_t buffer_bytes;    /* memory of the gathering buffer */
    int error;              /* positive errno value of what prevents writes; 0 = nothing */
};
struct wal_stats wal_stats(struct wal *log);

#endif
