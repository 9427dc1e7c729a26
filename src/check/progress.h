/* A line on a terminal that shows how much of a large file has been read. */
#ifndef KEYSTORE_CHECK_PROGRESS_H
#define KEYSTORE_CHECK_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;        /* NULL: print nothing */
    const char *name; /* of the file, borrowed */
    uint64_t size;    /* its bytes */
    uint64_t looked;  /* offset at which the clock was last read */
    int64_t due_ms;   /* monotonic: when the next line is due */
    int shown;        /* characters of the line on the terminal; 0 = none */
};

/* `out` is a terminal, or NULL. */
void progress_init(struct progress *progress, FILE *out);

/* Starts a file; `name` is borrowed until progress_end(). */
void progress_begin(struct progress *progress, const char *name, uint64_t size);

/* Everything before `offset` has been read. Cheap: it reads the clock seldom. */
void progress_step(struct progress *progress, uint64_t offset);

/* Removes the line. */
void progress_end(struct progress *progress);

#endif
