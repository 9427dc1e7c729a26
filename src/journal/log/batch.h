/*
 * The line before each batch of the log. It starts with '#', so Redis takes it for an annotation
 * and skips it; it stands before its batch because Redis cuts a torn file behind the last whole
 * command.
 *
 *   #KS1 seq=<first revision> ops=<records> len=<bytes> xxh3=<checks> synced=<durable revision>\n
 *
 *   seq     revision of the batch's first record; the others count on from it. At least 1.
 *   ops     records in the batch: commands, or transactions from MULTI to EXEC. 0 is a batch without
 *           bytes, which only says how far the log is durable.
 *   len     bytes of the payload, which follows the line: RESP commands
 *   xxh3    32 lower-case hexadecimal digits: 16 of the payload's XXH3-64, and 16 of the XXH3-64 of
 *           the whole line without these last 16 digits, seeded with the line's offset in the file.
 *           So a flipped bit in any field is found, the line is trusted (and its len, and what it
 *           says of `synced`) even if its payload is torn, and bytes inside a value, or at a wrong
 *           place in the file, do not pass for a line.
 *   synced  every record up to this revision was durable before this line was written; below seq
 *
 * Numbers are plain decimals. At most 146 bytes in all; Redis allows 1,023.
 */
#ifndef KEYSTORE_JOURNAL_LOG_BATCH_H
#define KEYSTORE_JOURNAL_LOG_BATCH_H

#include "base/slice.h"

#include <sys/uio.h>

/* What each line starts with. */
#define BATCH_MARK "#KS1 "

/* Bytes of the longest line. */
#define BATCH_MOST_LINE 146

struct batch {
    uint64_t seq;
    uint64_t ops;
    uint64_t len;
    uint64_t synced;
    uint64_t payload_hash;
    size_t line_size; /* bytes, with the line end */
};

/*
 * Writes the line for a payload that will be written right behind it, at `offset` in the file;
 * returns its size. `batch` brings seq, ops and synced, the rest is filled in.
 */
size_t batch_format(struct batch *batch, uint64_t offset, const struct iovec *payload, size_t count,
                    uint8_t out[BATCH_MOST_LINE]);

/* True if an intact line stands at that offset of the log; its payload is not looked at. */
bool batch_parse(struct slice log, size_t offset, struct batch *batch);

/* True if the payload of the line that batch_parse() read at `offset` is there and intact. */
bool batch_check(struct slice log, size_t offset, const struct batch *batch);

/* Finds the first intact line at or behind *offset, which becomes its place; false if none. */
bool batch_find(struct slice log, size_t *offset, struct batch *batch);

#endif
