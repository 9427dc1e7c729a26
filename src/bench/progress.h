/* The progress line on standard error. */
#ifndef KEYSTORE_BENCH_PROGRESS_H
#define KEYSTORE_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;   /* NULL: print nothing */
    bool redraw; /* a terminal, on which one line is redrawn */
    const char *what;
    uint64_t start_ns;
    uint64_t shown_ns; /* when the last line was printed */
    uint64_t shown_calls;
};

/* `what` is borrowed; lines start with it. `out` may be NULL. */
void progress_init(struct progress *progress, FILE *out, bool redraw, const char *what,
                   uint64_t now_ns);

/* When the next line is due; UINT64_MAX if never. */
uint64_t progress_due_ns(const struct progress *progress);

/* Prints a line with the numbers of calls that ended so far, and of errors among them. */
void progress_show(struct progress *progress, uint64_t now_ns, uint64_t calls, uint64_t errors);

/* Erases the line from a terminal. */
void progress_end(struct progress *progress);

#endif
