/*
 * What the journal is made of: starting, stopping and its thread (journal.c), and writing a new
 * base (journal_rewrite.c). Private to the journal.
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
    struct wal *log;       /* NULL = there is none */
    bool from_dump;        /* no base holds yet what was loaded from dump.rdb */
    struct fs_file *first; /* the first log, until the manifest names it */
    struct reserve reserve;
    bool started;
    pthread_t thread;
    atomic_bool stopping;
    struct snapshot_file_progress progress;

    pthread_mutex_t manifest_lock; /* of the manifest; held while files are written */
    struct manifest manifest;
    atomic_size_t files;  /* in it */
    int64_t seq;          /* the highest number of any file; only changed by the thread... */
    atomic_bool rotating; /* ...and not before the log has switched to its file of that number */

    pthread_mutex_t lock; /* of what follows; held briefly */
    pthread_cond_t wake;
    struct journal_save *saves; /* they wait for the next base */
    uint64_t base_bytes;
    uint64_t saved_revision; /* of the last base, or at the start */
    int64_t saved_ms;        /* when, on the monotonic clock */
    int64_t retry_ms;        /* no attempt before that, on the same clock */
    bool saving;
    enum journal_outcome last_save;
    int64_t last_save_at_ms, last_save_ms;

    /* Used by the thread only. */
    int64_t started_ms, reported_ms;
};

/* Notifies the waiters on the journal's condition. */
void journal_wake(struct journal *journal);

/* Waits on the journal's condition, LOOK_MS at most. The lock is held. */
void journal_wait_briefly(struct journal *journal);

/* Creates the folder if it is missing: at the start there may have been no space for it. 0 or a
 * negative errno value, like all functions below. */
int journal_make_folder(struct journal *journal);

/* Replaces the manifest and takes ownership. The manifest lock is held, or there is only one thread
 * yet. */
void journal_set_manifest(struct journal *journal, struct manifest *manifest);

/* Adds a log file that exists durably to the manifest. The manifest lock is held. */
int journal_add_log(struct journal *journal, const char *name, int64_t seq);

/* The log's on_rotated. */
int journal_on_rotated(void *journal, const char *name);

/* Writes a base and replaces the former files by it; `reason` is for the server's log. On one
 * thread at a time. */
int journal_rewrite(struct journal *journal, const char *reason);

/* Writes what was loaded from dump.rdb as a base, before there is a manifest, which would hide the
 * dump. */
int journal_write_first_base(struct journal *journal);

#endif
