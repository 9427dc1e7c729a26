/* Writes the line. Does not know what is counted. */
#include "cli/progress.h"

#include <inttypes.h>

#define INTERVAL_MS 100

void progress_init(struct progress *progress, FILE *out, int64_t now_ms)
{
    *progress = (struct progress){.out = out, .start_ms = now_ms, .shown_ms = now_ms};
}

void progress_hide(struct progress *progress)
{
    if (progress->is_shown)
        fputs("\r\033[K", progress->out);
    progress->is_shown = false;
}

void progress_show(struct progress *progress, uint64_t commands, uint64_t errors, int64_t now_ms)
{
    if (progress->out == NULL || now_ms - progress->shown_ms < INTERVAL_MS)
        return;
    int64_t ms = now_ms - progress->start_ms;
    progress_hide(progress);
    fprintf(progress->out, "%" PRIu64 " commands, %" PRIu64 " errors, %.0f commands/s", commands,
            errors, (double)commands * 1000 / (double)ms);
    fflush(progress->out);
    progress->is_shown = true;
    progress->shown_ms = now_ms;
}
