/* Reads lines and runs them as commands. */
#include "cli/batch.h"

#include <inttypes.h>
#include <stdlib.h>

static enum session_result run_line(struct session *session, struct slice line, struct arena *arena,
                                    uint64_t number, struct batch_counts *counts)
{
    if (line.len > 0 && line.data[0] == '#')
        return SESSION_OK;
    char label[32];
    snprintf(label, sizeof label, "line %" PRIu64 ": ", number);
    struct words words;
    const char *problem = split_line(line, arena, &words);
    if (problem == NULL && words.count == 0)
        return SESSION_OK;
    counts->commands++;
    return problem == NULL ? session_run(session, words, label)
                           : session_refuse(session, problem, label);
}

struct batch_counts batch_run(struct session *session, FILE *in)
{
    struct batch_counts counts = {0};
    struct arena arena;
    arena_init(&arena);
    char *line = NULL; /* as long as the user's own lines; the server bounds what it takes */
    size_t size = 0;
    ssize_t len;
    uint64_t number = 0;
    while (!session->quit && (len = getline(&line, &size, in)) >= 0) {
        enum session_result result =
            run_line(session, slice_make(line, (size_t)len), &arena, ++number, &counts);
        arena_reset(&arena);
        if (result != SESSION_OK)
            counts.errors++;
        if (result == SESSION_UNREACHABLE) {
            fprintf(stderr, "Stopped at line %" PRIu64 "; it and what follows was not run.\n",
                    number);
            break;
        }
    }
    free(line);
    arena_deinit(&arena);
    if (!session_finish(session))
        counts.errors++;
    return counts;
}
