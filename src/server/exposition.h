/*
 * The server's numbers as metrics, from the same sources as Info (report.h). What they mean is in
 * docs/metrics.md. Labels hold neither keys nor users, so that the number of series is bounded.
 */
#ifndef KEYSTORE_SERVER_EXPOSITION_H
#define KEYSTORE_SERVER_EXPOSITION_H

struct exposition;
struct metrics_text;
struct report;

/* Of the report, which is borrowed. Belongs to one thread at a time. Free with exposition_free().
 */
struct exposition *exposition_new(const struct report *report);

/* NULL is allowed. */
void exposition_free(struct exposition *exposition);

/* Writes all families but those of the process. Waits for nobody: where an operation holds a lock
 * for long, the numbers of the store are those of the last call. */
void exposition_write(struct exposition *exposition, struct metrics_text *text);

#endif
