/* Counts and reports progress, and keeps why a loading ended. Knows no format. */
#include "journal/loading.h"

#include "store/receipts.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes between two calls of on_progress. */
#define PROGRESS_STEP ((uint64_t)1024 * 1024)

static bool loading_report(struct loading *loading, uint64_t done)
{
    loading->progress.done = done;
    loading->next = done + PROGRESS_STEP;
    if (loading->on_progress == NULL || loading->on_progress(loading->user, &loading->progress))
        return true;
    return loading_fail(loading, LOADING_STOPPED, (size_t)(done - loading->before),
                        "the loading was stopped");
}

void loading_deinit(struct loading *loading)
{
    left_out_deinit(&loading->left_out);
}

void loading_start_file(struct loading *loading, uint64_t former_size)
{
    loading->before += former_size;
    loading->next = 0;
}

bool loading_reach(struct loading *loading, size_t offset)
{
    uint64_t done = loading->before + offset;
    return done < loading->next || loading_report(loading, done);
}

void loading_clean(char *text)
{
    for (; *text != 0; text++) {
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
    }
}

bool loading_fail(struct loading *loading, enum loading_verdict verdict, size_t offset,
                  const char *format, ...)
{
    if (loading->verdict != LOADING_DONE)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(loading->why, sizeof loading->why, format, args);
    va_end(args);
    loading_clean(loading->why);
    loading->verdict = verdict;
    loading->offset = offset;
    return false;
}

void loading_note(struct loading *loading, struct slice bytes, uint64_t revision)
{
    if (loading->receipts != NULL)
        (void)receipts_restore(loading->receipts, bytes, revision);
}
