/* What a log (wal.h) is created with. */
#ifndef KEYSTORE_JOURNAL_LOG_WAL_OPTIONS_H
#define KEYSTORE_JOURNAL_LOG_WAL_OPTIONS_H

#include "base/activity.h"
#include "journal/durable.h"
#include "journal/fs/fs.h"

/* Bytes that may gather before writers have to wait, unless the options say otherwise. */
#define WAL_MOST_GATHERED ((size_t)32 * 1024 * 1024)

/* A write or sync that takes so long points to a problem with the disk. */
#define WAL_SLOW_US 1000000

enum wal_sync { WAL_ALWAYS, WAL_EVERY_SECOND };

struct wal_options {
    struct fs *fs;           /* borrowed */
    const char *folder;      /* of all log files; copied */
    struct durable *durable; /* borrowed; on_progress must be set before the first write */
    enum wal_sync sync;
    struct activity *activity; /* WAL_ALWAYS: no batch starts while all workers with requests are
                                  busy; borrowed. NULL: none is waited for */
    size_t most_gathered;      /* bytes; 0 = WAL_MOST_GATHERED */
    int64_t slow_us;           /* a write or sync that takes so long is counted; 0 = WAL_SLOW_US */
    uint64_t revision; /* of the last record in the data; the next one has the revision after it */
    uint64_t gap;      /* so many revisions up to that one are of no record in the data */
    uint64_t former_size; /* bytes of the log files since the base, without the given one */
    /*
     * Called for a rotation when the former file is complete and durable, and the new one exists
     * durably and is empty. It must name the new file in the manifest, durably, before it returns
     * 0. Otherwise it returns a negative errno value: after -ENOSPC and -EDQUOT it is retried
     * later, others end the log. Called on the log's thread; it must not wait for a lock that any
     * writer holds.
     */
    int (*on_rotated)(void *user, const char *name);
    /* Creates the file that wal_new() was not given, in the same state; errors and thread as above.
     */
    int (*on_open)(void *user, struct fs_file **file);
    void *user;
};

/* The read-only reason on a full disk. */
extern const char wal_full_reason[];

/* Bounds of how long syncs take: those up to the first, ..., and those beyond the last. */
#define WAL_SYNC_BOUNDS 16
extern const uint64_t wal_sync_bounds_us[WAL_SYNC_BOUNDS];

#endif
