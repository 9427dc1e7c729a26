/*
 * The log: the store's change sink (store/change.h), which gathers records and makes them durable in
 * a file of batches (journal/log/batch.h). A thread of its own writes and syncs.
 *
 * Group commit: while one batch is written and synced, the next one gathers. It starts as soon as
 * the former is done, or as soon after that as those are back whose records have just become durable,
 * if they are fast (journal/log/commit_delay.h). Nor does it start while all who write are still at
 * work, if they say so (journal/durable.h): a batch that begins amid their requests parts those
 * that came together, and their answers, into ever more and smaller reads and writes. Writers wait
 * for nothing but the sink's lock, or, when more than `most_gathered` bytes wait for the disk, for
 * room.
 *
 * How far the data are durable and whether writes are taken is told in a struct durable:
 *  - WAL_ALWAYS: each batch is synced at once; `revision` follows.
 *  - WAL_EVERY_SECOND: `revision` is DURABLE_AT_ONCE. Records are written within some 10 ms, and
 *    synced within a second after that: a crash of the machine costs two seconds at most, if the
 *    disk keeps up.
 *  - When there is no room for a write on the disk, `read_only_reason` says so. The batch is
 *    kept, the file is cut back to what was good, and the write is tried again until there is room;
 *    then `read_only_reason` is taken back. Nothing is lost meanwhile, unless the process ends.
 *  - Any other failure, and each failed sync: `read_only_reason` says so for good, for nobody
 *    knows what the disk holds. Nothing more is written, nothing more becomes durable. Records still
 *    get revisions.
 * Whoever carries out operations refuses writes while there is a refusal; also those that nobody
 * asked for, such as the removal of what has expired, so that nothing gathers without end.
 *
 * All functions may be called on any thread unless they say otherwise.
 */
#ifndef KEYSTORE_JOURNAL_LOG_WAL_H
#define KEYSTORE_JOURNAL_LOG_WAL_H

#include "journal/log/wal_options.h"
#include "store/change.h"

struct wal;

/*
 * Starts the thread. `file` (passes to the log, unless that fails) is opened to append and holds
 * whole batches only, or nothing; all that is in the data directory is durable, and so is
 * `options.revision`. NULL: there is no room for one, so the log begins as on a full disk, and
 * on_open is asked for it until there is. 0 or a negative errno value.
 */
int wal_new(const struct wal_options *options, struct fs_file *file, struct wal **log)
    __attribute__((warn_unused_result));

/*
 * Writes and syncs all records, if the disk allows, and ends the thread. Nobody may be writing. False
 * if the log has failed, so that records may be lost; the server's log tells why. NULL is allowed.
 */
bool wal_free(struct wal *log);

/* What the store tells its writes to; valid until wal_free(). */
struct change_sink *wal_sink(struct wal *log);

/*
 * From the next record on, records go to a new file of that name (copied) in the folder; those before
 * it to the former one. To be called while no record can begin: under all locks under which records
 * begin. Returns at once; on_rotated tells when it is done.
 */
void wal_rotate(struct wal *log, const char *name);

/* Bytes in the log's files since the base, as far as they are written. */
uint64_t wal_size(const struct wal *log);

/* There is a new base, and the files before the last rotation are not needed any more: only what
 * was written since then counts for wal_size(). */
void wal_forget_former(struct wal *log);

struct wal_stats {
    uint64_t records;       /* written */
    uint64_t batches;       /* written */
    uint64_t bytes;         /* written, with the batches' lines */
    uint64_t syncs;         /* of data */
    int64_t last_sync_us;   /* how long the newest one took; 0 = none yet */
    int64_t waits_since_us; /* monotonic time since which the disk has not been done with a write or
                               sync; 0 = there is none */
    uint64_t slow_waits;    /* writes and syncs that took slow_us or longer */
    uint64_t revision;      /* of the newest record that is durable, whatever is told */
    size_t gathered_bytes;  /* that wait to be written, but for those on their way */
    size_t buffer_bytes;    /* memory of the buffer that gathers */
    int error;              /* positive errno value of what stands in the way; 0 = nothing */
};
struct wal_stats wal_stats(struct wal *log);

#endif
