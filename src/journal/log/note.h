/*
 * A note of a record in the log: bytes that belong to its commit and are no change, such as the
 * receipt of a request id (store/receipts.h). It follows the record's commands as lines of
 * base64, which Redis takes for annotations and skips:
 *
 *   #KSN <lines that follow> <up to 756 bytes as unpadded base64>\n
 *
 * The number counts down to 0. A note has at least one byte, and every line but the last is full.
 * Redis allows 1,022 characters in a line.
 */
#ifndef KEYSTORE_JOURNAL_LOG_NOTE_H
#define KEYSTORE_JOURNAL_LOG_NOTE_H

#include "base/buf.h"

/* The start of each line. */
#define NOTE_MARK "#KSN "

/* Appends the lines; the buffer has no limit. */
void note_append(struct buf *out, struct slice note);

/* The lines of notes at the start of the text: their bytes, 0 = there are none. Lines that are not
 * in this format do not count, but for the mark. */
size_t note_measure(struct slice text);

/* Decodes the note at the start of *lines, which note_measure() has found, into `note`, which is
 * emptied first, and skips it. False if it is not in this format; then *lines are empty. */
bool note_read(struct slice *lines, struct buf *note);

#endif
