/*
 * Translates between the store's operations and the commands of a Redis log, RESP
 * (journal/log/resp.h).
 *
 * What is written is understood by redis-server 7.0, and does there what the change did here. What
 * is read is that, and what Redis up to 8 and Valkey up to 9 write for strings, lists and keys:
 * they turn times to live into absolute deadlines, and commands whose effect is not certain into
 * others (GETEX, INCRBYFLOAT, BLPOP, LMPOP and so on). See https://redis.io/commands/ for each.
 */
#ifndef KEYSTORE_JOURNAL_LOG_COMMAND_H
#define KEYSTORE_JOURNAL_LOG_COMMAND_H

#include "base/buf.h"
#include "journal/log/scan.h"
#include "store/op.h"

struct arena;

/* Around the commands of a transaction. */
#define COMMAND_MULTI "*1\r\n$5\r\nMULTI\r\n"
#define COMMAND_EXEC  "*1\r\n$4\r\nEXEC\r\n"

/*
 * Appends the command that does what the change says, in its database, which is not part of it.
 * `change` is of a kind that the operation table has a `log` for, or the process ends. False, with
 * nothing appended, if that may exceed the buffer's limit: a few bytes more per argument are
 * reserved than needed.
 */
bool command_append(struct buf *out, const struct op *change) __attribute__((warn_unused_result));

/* Appends the selection of a database for the commands that follow. False as above. */
bool command_append_select(struct buf *out, uint32_t db) __attribute__((warn_unused_result));

enum command_verdict {
    COMMAND_OP = 0,      /* the operation does what the command did */
    COMMAND_FLUSH_ALL,   /* FLUSHALL: the operation is to be applied to every database */
    COMMAND_NOTHING,     /* it changes no data */
    COMMAND_COMPUTED,    /* compute() knows what it does (journal/compute.h) */
    COMMAND_UNSUPPORTED, /* it changes data in a way that the store does not know, but only of the
                            keys that command_keys() returns */
    COMMAND_UNKNOWN,     /* it may change any data */
    COMMAND_BAD,         /* it is known, but not as Redis writes it */
};

/*
 * Fills in the operation that does what the command did, when applied with now_ms = 0, so that
 * nothing expires meanwhile. Its slices point to the command's, its arrays are in the arena.
 * Databases may be any: `db` is the command's, `target_db` may be another. With COMMAND_BAD,
 * COMMAND_UNKNOWN and COMMAND_UNSUPPORTED, *why is an error message in static memory, else NULL.
 */
enum command_verdict command_read(const struct scan_command *command, struct arena *arena,
                                  struct op *op, const char **why)
    __attribute__((warn_unused_result));

#endif
