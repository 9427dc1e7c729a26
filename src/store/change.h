/*
 * The change stream: what writes did, for those who keep it or pass it on (the log, watchers).
 *
 * What one operation or transaction writes is a commit. It gets one revision and emits one or more
 * changes. Each change is an operation that has the same effect when it is replayed, in this order,
 * on the data as it was: with absolute deadlines, without conditions, and with deletes in place of
 * expiry, eviction (removal.cause tells them apart) and the removal of a list's last element (but
 * that L_MOVE takes: move.empties). Kinds in use are those whose row in operations.def names how
 * the log writes them: SET (keep_ttl if the deadline stays), DELETE, INCR (by), APPEND, SET_RANGE,
 * EXPIRE (expire_at_ms, or persist), RENAME (within a database), COPY (replace), L_PUSH, R_PUSH,
 * LIST_POP (one key, count), L_MOVE, L_SET, L_INSERT, L_REM, L_TRIM, FLUSH_DB, SWAP_DB (db,
 * target_db).
 *
 * Invariants:
 * 1. Commits have revisions 1, 2, 3 and so on, without gaps, and reach the sink in that order.
 * 2. A commit is emitted while the locks of all its shards are held, so the changes to a key arrive
 *    in the order in which they were made.
 * 3. An aborted commit has changed nothing; the next one gets its revision, unless the aborted one
 *    had been opened with open().
 */
#ifndef KEYSTORE_STORE_CHANGE_H
#define KEYSTORE_STORE_CHANGE_H

#include "store/op.h"

struct change_sink {
    /* Starts a commit and returns its revision. No other commit starts until the same thread ends
     * or aborts it, unless it was opened with open(). */
    uint64_t (*begin)(struct change_sink *sink);
    /* Slices in the operation are valid during the call. */
    void (*change)(struct change_sink *sink, const struct op *op);
    /* Bytes that are kept with the commit, after its last change, and at most once: a receipt
     * (store/receipts.h). NULL: the sink does not keep such. */
    void (*note)(struct change_sink *sink, struct slice note);
    void (*end)(struct change_sink *sink);
    void (*abort)(struct change_sink *sink);
    /*
     * Returns a sink for a single commit that may take long, so that other commits can begin and
     * end meanwhile. The caller calls its begin() immediately; its end() or abort() frees it. The
     * commit's place in the stream is where it began; if it is aborted, an empty commit stands
     * there. NULL if commits do not exclude each other anyway.
     */
    struct change_sink *(*open)(struct change_sink *sink);
};

#endif
