/*
 * A base of the data directory (journal/layout.h): a snapshot of a store, exact at one revision, as
 * an RDB file that Redis 7.0 reads too. It is written while writes go on (store/snapshot.h).
 */
#ifndef KEYSTORE_JOURNAL_RDB_SNAPSHOT_FILE_H
#define KEYSTORE_JOURNAL_RDB_SNAPSHOT_FILE_H

#include "journal/fs/fs.h"

#include <stdatomic.h>

struct store;

/* How far it is; any thread may look. */
struct snapshot_file_progress {
    atomic_uint_fast64_t keys;  /* saved */
    atomic_uint_fast64_t total; /* keys that there were at the beginning, roughly */
    atomic_uint_fast64_t bytes; /* written */
};

struct snapshot_file_options {
    struct fs *fs;       /* borrowed */
    struct store *store; /* borrowed */
    const char *name;    /* in the folder; must not be in use */
    /* Called when it begins, with the revision that it will show, while nobody can write. */
    void (*on_begin)(void *user, uint64_t revision);
    /* Called now and then while it is written. Both may be NULL. */
    void (*on_progress)(void *user);
    void *user;
    struct snapshot_file_progress *progress; /* set to 0 first */
    const atomic_bool *stop;                 /* gives up once it is true; may be NULL */
};

/* What was written. */
struct snapshot_file_result {
    uint64_t revision;
    uint64_t keys;
    uint64_t bytes;
};

/*
 * Writes the base on the calling thread. 0: it is durable under its name, and what it holds may
 * take the place of all that was written before `revision`. Or a negative errno value, -ECANCELED
 * after `stop`: then nothing is left of it, but perhaps its name after an error in the last sync.
 */
int snapshot_file_write(const struct snapshot_file_options *options,
                        struct snapshot_file_result *result) __attribute__((warn_unused_result));

#endif
