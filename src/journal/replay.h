/* Does again in a store what a log (journal/log/scan.h) tells. */
#ifndef KEYSTORE_JOURNAL_REPLAY_H
#define KEYSTORE_JOURNAL_REPLAY_H

#include "journal/loading.h"

/* How a log ended. */
struct replay_end {
    size_t good;     /* bytes from its beginning that were applied; a clean end is at log.len */
    const char *why; /* a torn end: what is wrong there, in static memory; NULL if clean */
};

/*
 * Applies the log, which begins `start` bytes into its file, to the store, whose revision is that
 * of the record before. Every record gets its revision, and what it writes has that version; nothing
 * expires meanwhile. False if the loading has ended: loading->verdict, where damage is also what is
 * sound but cannot be done. A torn end is no failure here.
 *
 * Commands that the store cannot do are noted, and the keys that they would have written are left
 * out (journal/left_out.h), as is what later commands make of these; so that no key is left with a
 * value that it did not have. The loading is refused if it is not known what a command may write.
 */
bool replay_log(struct loading *loading, struct slice file, size_t start, struct replay_end *end);

#endif
