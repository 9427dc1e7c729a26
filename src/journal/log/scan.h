/*
 * Reads a log file from its start, verifies it, and delivers the records that may be applied, that
 * is single commands or transactions from MULTI to EXEC. Reports at the end how the file ends, and
 * up to which offset it is good.
 *
 * The file may hold batches (journal/log/batch.h), each of which is verified as a whole before its
 * first record is delivered, and plain commands, as Redis writes them, whose records have no
 * checksum: one that is cut short ends the file, as in Redis. Lines with '#' between commands,
 * annotations and comments, are skipped, except for the notes (journal/log/note.h) that follow a
 * record and belong to it. A server that writes batches starts a new file for them, so plain
 * commands precede batches only in files that people joined; they follow batches if Redis continued
 * our file.
 *
 * How a file ends:
 *  - clean: after a whole record or batch.
 *  - torn: with a bad one, and nothing shows that it had been durable. A crash leaves that; the
 *    file may be truncated at `offset`, and must be, durably, before anything is appended.
 *  - damaged: with a bad one although a later line says that its revision was durable, or with
 *    plain commands that are not RESP, or with a batch whose intact payload is not RESP or not what
 *    its line says. Acknowledged writes are lost; nothing may truncate that silently.
 * Damage to the very last batch looks like a torn one, as nothing follows that could say otherwise.
 */
#ifndef KEYSTORE_JOURNAL_LOG_SCAN_H
#define KEYSTORE_JOURNAL_LOG_SCAN_H

#include "journal/log/batch.h"
#include "journal/log/resp.h"

enum scan_verdict { SCAN_RECORD, SCAN_CLEAN, SCAN_TORN, SCAN_DAMAGED };

struct scan_command {
    uint32_t db;              /* the database selected for it */
    const struct slice *args; /* the command's name first; they point into the log */
    size_t count;             /* at least one */
};

struct scan_record {
    uint64_t revision; /* 0 in plain commands before the first revision is known */
    size_t offset;     /* of the record in the log, with its SELECT commands */
    size_t size;       /* bytes */
    const struct scan_command *commands; /* without SELECT, MULTI and EXEC */
    size_t count;                        /* 0: an empty transaction */
    struct slice notes;                  /* the lines after it (journal/log/note.h); seldom any */
};

struct scan {
    uint64_t next;   /* expected revision of the next record, after the good ones; 0 = unknown */
    uint64_t synced; /* the highest `synced` of any batch's line */
    size_t offset;   /* everything before it is good; at a clean end the file's size */
    const char *why; /* at a torn or damaged end: what is wrong there; static memory */
    size_t proof;    /* offset of the line that proves the damage; 0 = none does, or not damaged */

    /* The rest is private. */
    struct slice log;
    struct batch batch; /* the current one */
    size_t batch_end;   /* offset after it; 0 = not within a batch */
    enum { SCAN_NOTHING, SCAN_PLAIN, SCAN_BATCH } before; /* what precedes */
    enum scan_verdict end;                                /* if it is not SCAN_RECORD */
    uint32_t db;
    struct resp_args args;
    struct scan_command *commands; /* of the current record */
    size_t count;
    size_t capacity;
};

/*
 * Starts at the beginning of a whole file, which must stay in memory. `next` is the expected
 * revision of its first record: one above the last of the base or of the file before. It may be
 * higher in the file if none in between was durable. 0 = unknown: then the first line is trusted,
 * and a bad start counts as damage if an intact line follows.
 */
void scan_init(struct scan *scan, struct slice log, uint64_t next);

void scan_deinit(struct scan *scan);

/* The file has got longer, and is now mapped here: the scan, if it has ended, goes on where it did.
 * For a reader beside the writer; what is bad at the end may be complete then. */
void scan_extend(struct scan *scan, struct slice log);

/* SCAN_RECORD: the next record, valid until the next call. Any other verdict is the end of the
 * file, and is final. */
enum scan_verdict scan_next(struct scan *scan, struct scan_record *record)
    __attribute__((warn_unused_result));

#endif
