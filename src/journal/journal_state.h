/*
 * What the journal is made of: starting, stopping and its thread (journal.c), and writing a new base
 * (journal_rewrite.c). Private to the journal.
 */
#ifndef KEYSTORE_JOURNAL_JOURNAL_STATE_H
#define KEYSTORE_JOURNAL_JOURNAL_STATE_H

#include "journal/journal_options.h"
#include "journal/log/wal.h"
#include "journal/rdb/snapshot_file.h"
#include "journal/recovery.h"
#include "journal/reserve.h"

#include <pthread.h>

struct journal_save;

struct journal {
    struct fs *fs;
    struct journal_options options;
    struct store *store;
    struct recovery recovery;
    struct durable durable;
    struct wal *log;       /* NULL: there is none */
    bool from_dump;        /* no base holds yet what was loaded from dump.rdb */
    struct fs_file *first; /* the first log, as long as the manifest does not name it */
    struct reserve reserve;
    bool started;
    pthread_t thread;
    atomic_bool stopping;
    struct snapshot_file_progress progress;

    pthread_mutex_t manifest_lock; /* of the manifest; held while files are written */
    struct manifest manifest;
    atomic_size_t files;  /* in it */
    int64_t seq;          /* the highest number of any file; changed by the thread alone... */
    atomic_bool rotating; /* ...and not while the log has not come to its file of that number */

    pthread_mutex_t lock; /* of what follows; held for moments */
    pthread_cond_t wake;
    struct journal_save *saves; /* that wait for the next base */
    uint64_t base_bytes;
    uint64_t saved_revision; /* what the last base shows, or the start */
    int64_t saved_ms;        /* when, by the monotonic clock */
    int64_t retry_ms;        /* not before that, by the same clock */
    bool saving;
    enum journal_outcome last_save;
    int64_t last_save_at_ms, last_save_ms;

    /* The thread's. */
    int64_t began_ms, told_ms;
};

/* Wakes all that wait on the journal's condition. */
void journal_wake(struct journal *journal);

/* Waits on the journal's condition for LOOK_MS at most. The lock is held. */
void journal_wait_a_moment(struct journal *journal);

/* Makes the folder if it is missing: it may have found no space at the start. 0 or a negative errno
 * value, as for all below. */
int journal_make_folder(struct journal *journal);

/* Takes over the manifest, whose memory passes to the journal. The manifest lock is held, or nobody
 * else is there yet. */
void journal_set_manifest(struct journal *journal, struct manifest *manifest);

/* Names a log file that exists durably. The manifest lock is held. */
int journal_add_log(struct journal *journal, const char *name, int64_t seq);

/* The log's on_rotated. */
int journal_on_rotated(void *journal, const char *name);

/* Writes a base and puts it in use; `reason` is for the server's log. On one thread at a time. */
int journal_rewrite(struct journal *journal, const char *reason);

/* Writes what was loaded from a dump.rdb as a base, before there is a manifest, which would hide the
 * dump. */
int journal_write_first_base(struct journal *journal);

#endif
