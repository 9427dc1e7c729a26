/* Writes "file: 40 %" over itself, a few times a second. Does not know what is being read. */
#include "check/progress.h"

#include "base/clock.h"

#define FIRST_MS 1000 /* what takes less needs no line */
#define LINE_MS  200
/* Bytes between two readings of the clock. */
#define STEP ((uint64_t)1024 * 1024)

void progress_init(struct progress *progress, FILE *out)
{
    *progress = (struct progress){.out = out};
}

void progress_begin(struct progress *progress, const char *name, uint64_t size)
{
    *progress = (struct progress){.out = progress->out, .name = name, .size = size};
    progress->due_ms = clock_monotonic_ms() + FIRST_MS;
}

static void progress_show(struct progress *progress, uint64_t offset)
{
    double part = progress->size > 0 ? (double)offset / (double)progress->size : 1;
    fputc('\r', progress->out);
    int shown = fprintf(progress->out, "%s: %.0f %%", progress->name, 100 * part);
    progress->shown = shown > progress->shown ? shown : progress->shown;
    fflush(progress->out);
}

void progress_step(struct progress *progress, uint64_t offset)
{
    if (progress->out == NULL || offset < progress->looked + STEP)
        return;
    progress->looked = offset;
    int64_t now = clock_monotonic_ms();
    if (now < progress->due_ms)
        return;
    progress->due_ms = now + LINE_MS;
    progress_show(progress, offset);
}

void progress_end(struct progress *progress)
{
    if (progress->shown == 0)
        return;
    fprintf(progress->out, "\r%*s\r", progress->shown, "");
    fflush(progress->out);
    progress->shown = 0;
}
