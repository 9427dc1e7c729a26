/*
 * Loads a data directory (journal/layout.h) into a store when a server starts: the base, and the
 * logs since then, as the manifest names them; or, without a manifest, the dump.rdb of a Redis.
 *
 * What a crash leaves is put in order once all is loaded: the torn tail of the last log is cut, and
 * files that no manifest names are removed. Nothing is changed in a directory whose data cannot be
 * loaded, so that it can still be looked at, repaired, or loaded with other settings.
 */
#ifndef KEYSTORE_JOURNAL_RECOVERY_H
#define KEYSTORE_JOURNAL_RECOVERY_H

#include "journal/loading.h"
#include "journal/manifest.h"

#include <limits.h>

struct recovery_options {
    /* Keys of types that the store does not have are left out; else the loading is refused. */
    bool skip_unsupported;
    /* As in struct loading; may be NULL. */
    bool (*on_progress)(void *user, const struct loading_progress *progress);
    void *user;
};

/* What a directory held. To be given to recovery_deinit(). */
struct recovery {
    enum loading_verdict verdict;
    char why[1000];           /* unless it is LOADING_DONE: a sentence for the user */
    struct manifest manifest; /* what is there, without history; empty if there was none */
    bool from_dump;           /* loaded from dump.rdb: no manifest names what is in the store */
    uint64_t revision;        /* of the newest unit */
    uint64_t reserved;        /* newest revision that may have been given (reserve.h); 0 = none */
    uint64_t base_bytes, log_bytes;
    struct loading_progress progress;
    struct unsupported unsupported; /* what was left out */
    /* The torn tail that was cut: its file and where it began, and why it was one. */
    char torn_name[NAME_MAX + 1]; /* empty: there was none */
    uint64_t torn_offset, torn_bytes;
    const char *torn_why;
};

/*
 * Loads the directory, which the caller has locked, into the empty store. Afterwards the store has
 * the revision of the newest unit, and all that it shows is durable. `recovery->verdict` is also
 * returned; unless it is LOADING_DONE the store holds a part of the data and is to be thrown away.
 * Files of a directory of Redis are left as they are but for those that its manifest calls history.
 */
enum loading_verdict recovery_load(struct fs *fs, struct store *store,
                                   const struct recovery_options *options,
                                   struct recovery *recovery);

void recovery_deinit(struct recovery *recovery);

#endif
