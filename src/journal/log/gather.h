/*
 * Records of changes on their way to the log, as commands one after the other: of a record with one
 * change its command, of several a transaction. A SELECT stands before a command whose database is
 * not the former one's.
 */
#ifndef KEYSTORE_JOURNAL_LOG_GATHER_H
#define KEYSTORE_JOURNAL_LOG_GATHER_H

#include "base/buf.h"
#include "store/op.h"

struct gather {
    struct buf bytes;
    uint64_t count; /* records */
    bool selected;  /* false: it is not known which database is selected behind the bytes */
    uint32_t db;    /* which it is */

    struct { /* of the open record */
        bool is_open;
        size_t start;
        size_t changes;
        bool selected; /* before it */
        uint32_t db;
    } record;
};

/* Empty, for the beginning of a file. */
void gather_init(struct gather *gather);

void gather_deinit(struct gather *gather);

/* Opens a record; none is open. */
void gather_begin(struct gather *gather);

/* Adds a change (store/change.h) to the open record. */
void gather_change(struct gather *gather, const struct op *change);

/* The open record is complete: gathered, or as if it had never been. */
void gather_end(struct gather *gather);
void gather_abort(struct gather *gather);

/* Bytes and records become those of `bytes`, whose memory is used on, and *count; what comes next
 * stands behind them in the same file, or, if `new_file`, at the beginning of another. */
void gather_take(struct gather *gather, struct buf *bytes, uint64_t *count, bool new_file);

#endif
