/*
 * Writes a base of the data directory (journal/layout.h): a snapshot of a store, exact at one
 * revision, as an RDB file that Redis 7.0 reads, too. Writes go on meanwhile (store/snapshot.h).
 */
#ifndef KEYSTORE_JOURNAL_RDB_SNAPSHOT_FILE_H
#define KEYSTORE_JOURNAL_RDB_SNAPSHOT_FILE_H

#include "journal/fs/fs.h"

#include <stdatomic.h>

struct receipts;
struct store;

/* Progress; any thread may read it. */
struct snapshot_file_progress {
    atomic_uint_fast64_t keys;  /* saved */
    atomic_uint_fast64_t total; /* keys that there were at the start, approximately */
    atomic_uint_fast64_t bytes; /* written */
};

struct snapshot_file_options {
    struct fs *fs;             /* borrowed */
    struct store *store;       /* borrowed */
    struct receipts *receipts; /* borrowed; NULL: there are none */
    const char *name;          /* in the folder; must not be in use */
    /* Called when the snapshot starts, with the revision that it will show, while no thread can
     * write. */
    void (*on_begin)(void *user, uint64_t revision);
    /* Called regularly while it is written. Both may be NULL. */
    void (*on_progress)(void *user);
    void *user;
    struct snapshot_file_progress *progress; /* set to 0 first */
    const atomic_bool *stop; /* abandons the snapshot once it is true; may be NULL */
};

/* What was written. */
struct snapshot_file_result {
    uint64_t revision;
    uint64_t keys;
    uint64_t bytes;
};

/*
 * Writes the base on the calling thread. 0: it is durable under its name, and may replace
 * everything that was written up to `revision`. Else a negative errno value, -ECANCELED after
 * `stop`: then nothing is left of it, except perhaps its name after an error in the last sync.
 */
int snapshot_file_write(const struct snapshot_file_options *options,
                        struct snapshot_file_result *result) __attribute__((warn_unused_result));

#endif
