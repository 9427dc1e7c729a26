/*
 * Reads a log file from its beginning, checks it, and delivers what may be applied: records, that is
 * single commands or transactions from MULTI to EXEC. Tells at the end how the file ends, and up to
 * which offset it is good.
 *
 * The file may hold batches (journal/log/batch.h), each of which is checked as a whole before its
 * first record is delivered, and plain commands, as Redis writes them, whose records have no check: one
 * that is cut short ends the file, as in Redis. Lines with '#' between commands, annotations and
 * comments, are skipped. Who writes batches starts a new file for them, so plain commands stand
 * before batches only in files that people joined; behind batches they stand if Redis went on with
 * our file.
 *
 * How a file ends:
 *  - clean: with a whole record.
 *  - torn: with a bad record, and nothing shows that it had been durable. A crash leaves that; the
 *    file may be cut at `offset`, and must be, durably, before anything is appended.
 *  - damaged: with a bad record although a later line says that its revision was durable, or with
 *    plain commands that are no RESP, or with a batch whose intact payload is no RESP or not what
 *    its line says. Acknowledged writes are lost; nobody may cut that silently.
 * Damage to the very last batch looks like a torn one: nothing behind it could say otherwise.
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
    size_t offset;     /* of the record in the log, with the SELECT lines that belong to it */
    size_t size;       /* bytes */
    const struct scan_command *commands; /* without SELECT, MULTI and EXEC */
    size_t count;                        /* 0: an empty transaction */
};

struct scan {
    uint64_t next; /* revision that the next record is due to have, behind those that are good; 0 =
                        not known */
    uint64_t synced; /* the highest that a batch's line spoke of */
    size_t offset;   /* what stands before it is good; at a clean end the file's size */
    const char *why; /* at a torn or damaged end: what is wrong there; static memory */
    size_t proof;    /* offset of the line that shows the damage; 0 = none does, or not damaged */

    /* The rest is private. */
    struct slice log;
    struct batch batch; /* the current one */
    size_t batch_end;   /* offset behind it; 0 = not within a batch */
    enum { SCAN_NOTHING, SCAN_PLAIN, SCAN_BATCH } before; /* kind of the record before */
    enum scan_verdict end;                                /* once it is not SCAN_RECORD */
    uint32_t db;
    struct resp_args args;
    struct scan_command *commands; /* of the current record */
    size_t count;
    size_t capacity;
};

/*
 * Starts at the beginning of a whole file, which must stay in memory. `next` is the revision that
 * its first record is due to have: one above the last of the base or of the file before. It may be
 * higher in the file if none in between was durable. 0 = not known: then the first line is
 * believed, and a bad first record counts as damage if an intact line follows.
 */
void scan_init(struct scan *scan, struct slice log, uint64_t next);

void scan_deinit(struct scan *scan);

/* SCAN_RECORD: the next record, valid until the next call. Any other verdict is the end of the file,
 * and stays. */
enum scan_verdict scan_next(struct scan *scan, struct scan_record *record)
    __attribute__((warn_unused_result));

#endif
