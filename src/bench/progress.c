/* Formats progress lines. Does not know threads and clocks. */
#include "bench/progress.h"

#include "bench/now.h"

#include <inttypes.h>

#define REDRAW_NS (NS_PER_S / 5)
#define LINE_NS   NS_PER_S

void progress_init(struct progress *progress, FILE *out, bool redraw, const char *what,
                   uint64_t now)
{
    *progress = (struct progress){
        .out = out, .redraw = redraw, .what = what, .start_ns = now, .shown_ns = now};
}

uint64_t progress_due_ns(const struct progress *progress)
{
    if (progress->out == NULL)
        return UINT64_MAX;
    return progress->shown_ns + (progress->redraw ? REDRAW_NS : LINE_NS);
}

void progress_show(struct progress *progress, uint64_t now, uint64_t calls, uint64_t errors)
{
    if (progress->out == NULL || now <= progress->shown_ns)
        return;
    double seconds = (double)(now - progress->shown_ns) / (double)NS_PER_S;
    double rate = (double)(calls - progress->shown_calls) / seconds;
    fprintf(progress->out, "%s%s: %.1f s, %" PRIu64 " calls, %.0f/s, %" PRIu64 " errors%s",
            progress->redraw ? "\r\033[K" : "", progress->what,
            (double)(now - progress->start_ns) / (double)NS_PER_S, calls, rate, errors,
            progress->redraw ? "" : "\n");
    fflush(progress->out);
    progress->shown_ns = now;
    progress->shown_calls = calls;
}

void progress_end(struct progress *progress)
{
    if (progress->out == NULL || !progress->redraw)
        return;
    fputs("\r\033[K", progress->out);
    fflush(progress->out);
}
