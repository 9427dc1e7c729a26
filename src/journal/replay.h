/* Replays a log (journal/log/scan.h) into a store. */
#ifndef KEYSTORE_JOURNAL_REPLAY_H
#define KEYSTORE_JOURNAL_REPLAY_H

#include "journal/loading.h"

/* How a log ended. */
struct replay_end {
    size_t good;     /* bytes from the start of the file that were applied; a clean end is the
                        file's end */
    const char *why; /* a torn end: what is wrong there, in static memory; NULL if clean */
};

/*
 * Applies the log, which starts `start` bytes into its file, to the store, whose revision is that
 * of the commit before. Each record gives its commit its revision, which is the version of what it
 * writes; nothing expires meanwhile. False if the loading has ended: loading->verdict.
 * LOADING_DAMAGED also stands for a command that is intact but cannot be applied. A torn end is no
 * failure.
 *
 * Commands that the store cannot do are noted, and the keys that they would have written are left
 * out (journal/left_out.h), as is what later commands derive from these; so that no key has a value
 * that it did not have. The loading is refused if it is not known what a command may write.
 */
bool replay_log(struct loading *loading, struct slice file, size_t start, struct replay_end *end);

#endif
