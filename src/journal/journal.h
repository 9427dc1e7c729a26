/*
 * What a server keeps on disk: loads a data directory (journal/recovery.h), then logs all writes
 * (journal/log/wal.h), and replaces base and logs by a new base (journal/rdb/snapshot_file.h) when
 * the log has outgrown the base, a rule applies or a save is requested.
 *
 *     journal_open(), journal_load(); journal_durable() for the engine; journal_start()
 *     ... nobody writes any more; journal_stop(); journal_free()
 *
 * While a base is written, the files are: base N, log N; then base N, log N, log N+1; then base N
 * + 1, log N+1. The manifest always names what a restart needs, so a failure or crash in between
 * costs no more than another attempt.
 */
#ifndef KEYSTORE_JOURNAL_JOURNAL_H
#define KEYSTORE_JOURNAL_JOURNAL_H

#include "journal/durable.h"
#include "journal/fs/fs.h"
#include "journal/journal_options.h"
#include "journal/log/wal.h"
#include "journal/recovery.h"

struct journal;
struct past;
struct store;

/*
 * Locks the directory for this process and takes ownership of `fs`. NULL if that fails: then `why`
 * holds an error message, and the directory is closed.
 */
struct journal *journal_open(struct fs *fs, const struct journal_options *options, char *why,
                             size_t why_size);

/*
 * Loads the directory into the empty store (both borrowed until journal_free()). The result belongs
 * to the journal.
 */
const struct recovery *
journal_load(struct journal *journal, struct store *store,
             bool (*on_progress)(void *user, const struct loading_progress *progress), void *user);

/* How far the data are durable; set its on_progress before the start. */
struct durable *journal_durable(struct journal *journal);

/* After a successful load: starts to keep the store's writes. False if that fails: then `why` holds
 * an error message. */
bool journal_start(struct journal *journal, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/* A save request. */
struct journal_save {
    /* Called on the journal's thread, or within journal_stop(). `why` is NULL if the base was
     * written, else an error message in static memory. May be NULL. */
    void (*on_done)(struct journal_save *save, const char *why);
    struct journal_save *next; /* the journal's */
};

/* Requests a base that holds all writes so far; `save` stays in place until on_done. A base in
 * progress is completed first. From any thread, between start and stop. */
void journal_save(struct journal *journal, struct journal_save *save);

/* Replaces when a base is due: the rules, rewrite_percent and rewrite_min_size of the options. From
 * any thread, between open and free. */
void journal_set_schedule(struct journal *journal, const struct journal_options *options);

/*
 * Opens the newest base for reading; it can be read to its end even when another has replaced it
 * meanwhile. 0, with its size in bytes, and the caller closes the file; -ENOENT if there is none,
 * or another negative errno. From any thread, between start and stop.
 */
int journal_open_base(struct journal *journal, struct fs_file **file, uint64_t *size)
    __attribute__((warn_unused_result));

/* The commits after the revision as the logs have them (past.h); NULL: there are none. From any
 * thread, between start and stop. */
struct past *journal_past(struct journal *journal, uint64_t after);

/* True if the log holds all commits up to the revision, durably. From any thread,
 * between start and stop, with a log. */
bool journal_has_written(struct journal *journal, uint64_t revision);

struct journal_stats {
    enum journal_durability durability;
    const char *read_only_reason; /* the read-only reason; NULL = writes are accepted */
    bool disk_is_full;            /* which is that reason; else it has failed */
    uint64_t revision;            /* of the newest commit */
    uint64_t durable_revision;    /* of the newest one that no crash undoes; 0 without a log */
    uint64_t log_bytes;           /* since the base */
    uint64_t log_written;         /* bytes since the start */
    uint64_t log_pending;         /* bytes that wait to be written */
    uint64_t base_bytes;          /* 0 = there is none */
    uint64_t changes;             /* commits since the last base, or since the start */
    int64_t last_sync_us;         /* duration; 0 = none yet */
    uint64_t syncs;
    uint64_t sync_times[WAL_SYNC_BOUNDS + 1]; /* and sync_sum_us: as in wal.h */
    uint64_t sync_sum_us;
    int64_t waits_since_us; /* and slow_waits: as in wal.h */
    uint64_t slow_waits;
    enum journal_outcome last_save;
    int64_t last_save_at_ms; /* Unix time of its end; 0 = never */
    int64_t last_save_ms;    /* duration */
    bool saving;
    uint64_t saving_keys, saving_total; /* progress of that */
};
/* From any thread, after the start. */
struct journal_stats journal_stats(struct journal *journal);

/*
 * Nobody writes any more: makes everything durable; without a log, by a last base if there are
 * rules. False if writes were lost, which has been logged. A no-op before the start.
 */
bool journal_stop(struct journal *journal);

/* Unlocks and closes the directory. Must be stopped. NULL is allowed. */
void journal_free(struct journal *journal);

#endif
