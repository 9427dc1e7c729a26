/* A line on a terminal that says how far a large file was read. */
#ifndef KEYSTORE_CHECK_PROGRESS_H
#define KEYSTORE_CHECK_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;        /* NULL: say nothing */
    const char *name; /* of the file, borrowed */
    uint64_t size;    /* its bytes */
    uint64_t looked;  /* at which offset the clock was read last */
    int64_t due_ms;   /* monotonic: when the next line is due */
    int shown;        /* characters of the line that stands there; 0 = none */
};

/* `out` is a terminal, or NULL. */
void progress_init(struct progress *progress, FILE *out);

/* Another file; `name` is borrowed until progress_end(). */
void progress_begin(struct progress *progress, const char *name, uint64_t size);

/* All before `offset` was read. Cheap: it looks at the clock once in a while. */
void progress_step(struct progress *progress, uint64_t offset);

/* Takes the line away. */
void progress_end(struct progress *progress);

#endif
