/* The line that says how far a batch or a backup is, rewritten in place on a terminal. */
#ifndef KEYSTORE_CLI_PROGRESS_H
#define KEYSTORE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out; /* NULL: nothing is shown */
    bool is_shown;
    int64_t start_ms;
    int64_t shown_ms;
};

/* `out` may be NULL. Times are of clock_monotonic_ms(). */
void progress_init(struct progress *progress, FILE *out, int64_t now_ms);

/* Removes the line, before anything else is printed there. */
void progress_hide(struct progress *progress);

/* Shows how many commands were run and failed; at most every 100 ms. */
void progress_show(struct progress *progress, uint64_t commands, uint64_t errors, int64_t now_ms);

/* The same for bytes of a backup; `size`, of all, is 0 while the server still writes its snapshot,
 * and then the rate is counted from now. */
void progress_show_bytes(struct progress *progress, uint64_t bytes, uint64_t size, int64_t now_ms);

#endif
