/*
 * The line before each batch of the log. It starts with '#', so Redis takes it for an annotation
 * and skips it; it precedes its batch because Redis truncates a torn file after the last whole
 * command.
 *
 *   #KS1 seq=<first revision> ops=<records> len=<bytes> xxh3=<checks> synced=<durable revision>\n
 *
 *   seq     revision of the batch's first record, at least 1; the others follow without gaps
 *   ops     records in the batch: commands, or transactions from MULTI to EXEC. 0 is a batch
 *           without payload, which only says how far the log is durable.
 *   len     bytes of the payload, which follows the line: RESP commands
 *   xxh3    32 lower-case hexadecimal digits: 16 of the payload's XXH3-64, and 16 of the XXH3-64 of
 *           the whole line without these last 16 digits, seeded with the line's offset in the file.
 *           So a flipped bit in any field is found, the line (its len, and its `synced`) is trusted
 *           even if its payload is torn, and bytes inside a value, or at a wrong place in the file,
 *           do not pass for a line.
 *    synced  every record up to this revision was durable before this line was written; below seq
 *
 * Numbers are plain decimals. At most 146 bytes in all; Redis allows 1,023.
 */
#ifndef KEYSTORE_JOURNAL_LOG_BATCH_H
#define KEYSTORE_JOURNAL_LOG_BATCH_H

#include "base/slice.h"

#include <sys/uio.h>

/* The start of each line. */
#define BATCH_MARK "#KS1 "

/* Bytes of the longest line. */
#define BATCH_MOST_LINE 146

struct batch {
    uint64_t seq;
    uint64_t ops;
    uint64_t len;
    uint64_t synced;
    uint64_t payload_hash;
    size_t line_size; /* bytes, with the newline */
};

/*
 * Writes the line for a payload that will be written right after it, at `offset` in the file;
 * returns its size. The caller sets seq, ops and synced of `batch`, the rest is filled in.
 */
size_t batch_format(struct batch *batch, uint64_t offset, const struct iovec *payload, size_t count,
                    uint8_t out[BATCH_MOST_LINE]);

/* True if there is an intact line at that offset of the log; its payload is not checked. */
bool batch_parse(struct slice log, size_t offset, struct batch *batch);

/* True if the payload of the line that batch_parse() read at `offset` is complete and intact. */
bool batch_check(struct slice log, size_t offset, const struct batch *batch);

/* Finds the first intact line at or after *offset, which becomes its offset; false if none. */
bool batch_find(struct slice log, size_t *offset, struct batch *batch);

#endif
