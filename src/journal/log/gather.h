/*
 * Gathers commits as log records, as commands one after the other: a commit with one change is its
 * command, one with several a transaction. A SELECT precedes a command whose database is not that
 * of the command before.
 */
#ifndef KEYSTORE_JOURNAL_LOG_GATHER_H
#define KEYSTORE_JOURNAL_LOG_GATHER_H

#include "base/buf.h"
#include "store/op.h"

struct gather {
    struct buf bytes;
    uint64_t count; /* records */
    bool selected;  /* false: it is unknown which database is selected after the bytes */
    uint32_t db;    /* the selected database */

    struct { /* of the open record */
        bool is_open;
        bool is_complete; /* its commands are; notes may follow */
        size_t start;
        size_t changes;
        bool selected; /* before it */
        uint32_t db;
    } record;
};

/* Empty, for the start of a file. */
void gather_init(struct gather *gather);

void gather_deinit(struct gather *gather);

/* Opens a record; none is open. */
void gather_begin(struct gather *gather);

/* Adds a change (store/change.h) to the open record. */
void gather_change(struct gather *gather, const struct op *change);

/* Adds a note, as lines that follow the open record's commands (journal/log/note.h). There are no
 * changes after it. */
void gather_note(struct gather *gather, struct slice note);

/* Ends the open record: it is gathered, or discarded. */
void gather_end(struct gather *gather);
void gather_abort(struct gather *gather);

/* Moves the bytes to `bytes`, whose memory is reused, and the number of records to *count; what
 * comes next follows them in the same file or, if `new_file`, starts another. */
void gather_take(struct gather *gather, struct buf *bytes, uint64_t *count, bool new_file);

#endif
