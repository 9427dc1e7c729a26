/* A line on standard error that says how a run goes. */
#ifndef KEYSTORE_BENCH_PROGRESS_H
#define KEYSTORE_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;   /* NULL: say nothing */
    bool redraw; /* a terminal: one line that is written over and over */
    const char *what;
    uint64_t begin_ns;
    uint64_t shown_ns; /* when the last line was */
    uint64_t shown_calls;
};

/* `what` is borrowed; lines begin with it. `out` may be NULL. */
void progress_init(struct progress *progress, FILE *out, bool redraw, const char *what,
                   uint64_t now_ns);

/* When the next line is due; UINT64_MAX if none is ever. */
uint64_t progress_due_ns(const struct progress *progress);

/* A line: calls that ended so far, and those of them with errors. */
void progress_show(struct progress *progress, uint64_t now_ns, uint64_t calls, uint64_t errors);

/* Takes the line off a terminal. */
void progress_end(struct progress *progress);

#endif
