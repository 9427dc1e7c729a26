/*
 * What a server keeps on disk: loads a data directory (journal/recovery.h), keeps a log of all
 * writes from then on (journal/log/wal.h), and writes a new base (journal/rdb/snapshot_file.h) in
 * place of base and logs when the log has outgrown it, when a rule or somebody asks for it.
 *
 *    journal_open(), journal_load(); whoever serves is told of journal_durable(); journal_start()
 *    ... nobody writes any more; journal_stop(); journal_free()
 *
 * While a base is written the files stand so: base N, log N; then base N, log N, log N + 1; then
 * base N + 1, log N + 1. The manifest always names what a restart needs, so a failure or crash on
 * the way costs nothing but another attempt.
 */
#ifndef KEYSTORE_JOURNAL_JOURNAL_H
#define KEYSTORE_JOURNAL_JOURNAL_H

#include "journal/durable.h"
#include "journal/fs/fs.h"
#include "journal/journal_options.h"
#include "journal/recovery.h"

struct journal;
struct store;

/*
 * Takes the directory, which passes to the journal, for this process. NULL if that fails: then
 * `why` holds a sentence, and the directory is closed.
 */
struct journal *journal_open(struct fs *fs, const struct journal_options *options, char *why,
                             size_t why_size);

/*
 * Loads the directory into the empty store (both borrowed until journal_free()). What it returns
 * belongs to the journal.
 */
const struct recovery *
journal_load(struct journal *journal, struct store *store,
             bool (*on_progress)(void *user, const struct loading_progress *progress), void *user);

/* How far the data are safe; its on_progress is to be set before the start. */
struct durable *journal_durable(struct journal *journal);

/* After a loading that went well: from now on the store's writes are kept. False if that fails:
 * then `why` holds a sentence. */
bool journal_start(struct journal *journal, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/* Somebody who wants a base of what there is now. */
struct journal_save {
    /* Called on the journal's thread, or within journal_stop(); *why is a sentence in static memory
     * if there is none, else NULL. May be NULL. */
    void (*on_done)(struct journal_save *save, const char *why);
    struct journal_save *next; /* the journal's */
};

/* Asks for a base that holds all writes until now; `save` stays in place until on_done. One that is
 * being written is completed first. From any thread, between start and stop. */
void journal_save(struct journal *journal, struct journal_save *save);

struct journal_stats {
    enum journal_durability durability;
    const char *read_only_reason; /* why no write is taken; NULL = they are taken */
    uint64_t revision;            /* of the newest commit */
    uint64_t log_bytes;           /* since the base */
    uint64_t base_bytes;          /* 0: there is none */
    uint64_t changes;             /* commits since the last base, or since the start */
    int64_t last_sync_us;         /* duration; 0 = none yet */
    uint64_t syncs;
    int64_t waits_since_us; /* and slow_waits: as in log.h */
    uint64_t slow_waits;
    enum journal_outcome last_save;
    int64_t last_save_at_ms; /* Unix time of its end; 0 = never */
    int64_t last_save_ms;    /* duration */
    bool saving;
    uint64_t saving_keys, saving_total; /* how far that is */
};
/* From any thread, after the start. */
struct journal_stats journal_stats(struct journal *journal);

/*
 * Nobody writes any more: makes everything durable, without a log by a last base if there are
 * rules. False if writes were lost, which has been logged. Does nothing before the start.
 */
bool journal_stop(struct journal *journal);

/* Gives up the directory. Must be stopped. NULL is allowed. */
void journal_free(struct journal *journal);

#endif
