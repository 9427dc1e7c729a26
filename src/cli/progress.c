/* Writes the line. Does not know what is counted. */
#include "cli/progress.h"

#include <inttypes.h>

#define INTERVAL_MS 100
#define MEGABYTE    1e6

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

/* Whether the line is due; it is hidden then. */
static bool progress_renew(struct progress *progress, int64_t now_ms)
{
    if (progress->out == NULL || now_ms - progress->shown_ms < INTERVAL_MS)
        return false;
    progress_hide(progress);
    progress->is_shown = true;
    progress->shown_ms = now_ms;
    return true;
}

void progress_show(struct progress *progress, uint64_t commands, uint64_t errors, int64_t now_ms)
{
    if (!progress_renew(progress, now_ms))
        return;
    int64_t ms = now_ms - progress->start_ms;
    fprintf(progress->out, "%" PRIu64 " commands, %" PRIu64 " errors, %.0f commands/s", commands,
            errors, (double)commands * 1000 / (double)ms);
    fflush(progress->out);
}

void progress_show_bytes(struct progress *progress, uint64_t bytes, uint64_t size, int64_t now_ms)
{
    int64_t ms = now_ms - progress->start_ms;
    if (size == 0)
        progress->start_ms = now_ms;
    if (!progress_renew(progress, now_ms))
        return;
    if (size == 0)
        fputs("the server writes its snapshot", progress->out);
    else
        fprintf(progress->out, "%.1f of %.1f MB (%.0f %%), %.1f MB/s", (double)bytes / MEGABYTE,
                (double)size / MEGABYTE, (double)bytes * 100 / (double)size,
                (double)bytes / MEGABYTE * 1000 / (double)(ms > 0 ? ms : 1));
    fflush(progress->out);
}
