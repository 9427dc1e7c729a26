/* What a log (wal.h) is made with. */
#ifndef KEYSTORE_JOURNAL_LOG_WAL_OPTIONS_H
#define KEYSTORE_JOURNAL_LOG_WAL_OPTIONS_H

#include "journal/durable.h"
#include "journal/fs/fs.h"

/* Bytes that may wait for the disk before writers wait too, unless options say otherwise. */
#define WAL_MOST_GATHERED ((size_t)32 * 1024 * 1024)

/* Who waits so long for the disk has a reason to look at it. */
#define WAL_SLOW_US 1000000

enum wal_sync { WAL_ALWAYS, WAL_EVERY_SECOND };

struct wal_options {
    struct fs *fs;           /* borrowed */
    const char *folder;      /* of all log files; copied */
    struct durable *durable; /* borrowed; on_progress must be set before the first write */
    enum wal_sync sync;
    size_t most_gathered; /* bytes; 0 = WAL_MOST_GATHERED */
    int64_t slow_us;      /* a wait for the disk that long is counted; 0 = WAL_SLOW_US */
    uint64_t revision;    /* of the last record in the data: the next one is one above */
    uint64_t gap;         /* revisions up to that one that no record in the data has */
    uint64_t former_size; /* bytes of the log files since the base, but for the one that is given */
    /*
     * wal_rotate() has come so far: the former file is complete and durable, the new one exists and
     * is durable, and nothing is in it. Now the manifest has to name it, durably, before this
     * returns 0; else it returns a negative errno value: -ENOSPC and -EDQUOT have it called again
     * later, others end the log. Called on the log's thread; it must not wait for a lock that
     * anybody holds while he writes.
     */
    int (*on_rotated)(void *user, const char *name);
    /* Makes the file that wal_new() was not given, as it would have to be; its errors are as above,
     * and it is called as above. */
    int (*on_open)(void *user, struct fs_file **file);
    void *user;
};

#endif
