/*
 * What writes did, for whoever keeps or passes it on (the log, watchers): the change stream.
 *
 * An operation that changes something is a unit: it gets one revision and tells one change or more,
 * each an operation that does the same when it is done again, in this order, on the data as it was:
 * with absolute deadlines, without conditions, and with deletes in place of expiry and eviction.
 * Kinds in use, those whose row of operations.def names how the log writes them: SET (keep_ttl if
 * the deadline stays), DELETE, INCR (by), APPEND, SET_RANGE, EXPIRE (expire_at_ms, or persist),
 * RENAME (within a database), COPY (replace), L_PUSH, R_PUSH, LIST_POP (one key, count), L_MOVE,
 * L_SET, L_INSERT, L_REM, L_TRIM, FLUSH_DB, SWAP_DB (db, target_db).
 *
 * Invariants:
 * 1. Units have revisions 1, 2, 3 and so on, without gaps, and are told in that order.
 * 2. A unit is told while the locks of all its shards are held, so the changes of one key are told
 *    in the order in which they happened.
 * 3. A unit that was aborted has changed nothing; its revision is given to the next one, unless it
 *    was opened.
 */
#ifndef KEYSTORE_STORE_CHANGE_H
#define KEYSTORE_STORE_CHANGE_H

#include "store/op.h"

struct change_sink {
    /* A unit begins: its revision. Until the same thread ends or aborts it, no other begins, unless
     * it was opened. */
    uint64_t (*begin)(struct change_sink *sink);
    /* Slices in the operation are valid during the call. */
    void (*change)(struct change_sink *sink, const struct op *op);
    void (*end)(struct change_sink *sink);
    void (*abort)(struct change_sink *sink);
    /*
     * A sink for one unit that may take long, for others begin and end meanwhile. Its begin() is
     * called at once, and its end() or abort() frees it. In the stream it stands where it began. If
     * it is aborted, it is an empty unit there. NULL: units do not exclude each other anyway.
     */
    struct change_sink *(*open)(struct change_sink *sink);
};

#endif
