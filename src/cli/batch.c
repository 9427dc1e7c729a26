/* Reads commands and runs them. Does not know how they are sent. */
#include "cli/batch.h"

#include "cli/input.h"
#include "cli/pipeline.h"

#include <inttypes.h>

struct batch {
    struct session *session;
    struct input input;
    struct pipeline pipeline;
    struct arena arena; /* of the words that are queued */
    uint64_t errors;    /* not counted for a command */
};

/* Reports that the batch stops; always false. */
static bool batch_stop(struct batch *batch, const char *problem)
{
    uint64_t run = batch->pipeline.commands;
    batch->errors++;
    fprintf(stderr, "(error) %s. Stopped; %" PRIu64 " command%s before that %s run.\n", problem,
            run, run == 1 ? "" : "s", run == 1 ? "was" : "were");
    return false;
}

/* Reports that the server was unreachable for a command: that one and all after it were not run. */
static bool batch_stop_unreachable(struct batch *batch)
{
    const struct pipeline *pipeline = &batch->pipeline;
    fprintf(stderr, "Stopped at %s %" PRIu64 ", which was not run, nor was anything after it.\n",
            pipeline->unit, pipeline->stopped);
    return false;
}

/* Stops if answers can no longer be written. */
static bool batch_check_answers(struct batch *batch)
{
    return !ferror(stdout) || batch_stop(batch, "the answers cannot be written");
}

/* Runs what is queued; false if the batch stops. */
static bool batch_flush(struct batch *batch)
{
    if (!pipeline_flush(&batch->pipeline))
        return batch_stop_unreachable(batch);
    arena_reset(&batch->arena);
    return batch_check_answers(batch);
}

/* Runs the command, or reports that it is wrong; false if the batch stops. */
static bool batch_run_command(struct batch *batch, enum input_result result, struct words words)
{
    struct pipeline *pipeline = &batch->pipeline;
    uint64_t number = batch->input.number;
    pipeline->unit = input_unit(&batch->input);
    bool reached = result == INPUT_COMMAND
                       ? pipeline_run(pipeline, words, number)
                       : pipeline_refuse(pipeline, batch->input.problem, number);
    return (reached ? batch_check_answers(batch) : batch_stop_unreachable(batch)) &&
           !batch->session->quit;
}

/* Handles the next command or reads more input; false at the end. */
static bool batch_step(struct batch *batch)
{
    struct words words;
    enum input_result result = input_take(&batch->input, &batch->arena, &words);
    switch (result) {
    case INPUT_COMMAND:
    case INPUT_REFUSED:
        return batch_run_command(batch, result, words);
    case INPUT_MORE:
        return batch_flush(batch) &&
               (input_fill(&batch->input) || batch_stop(batch, batch->input.problem));
    case INPUT_BAD:
        return batch_flush(batch) && batch_stop(batch, batch->input.problem);
    case INPUT_END:
        break;
    }
    (void)batch_flush(batch);
    return false;
}

struct batch_counts batch_run(struct session *session, int in)
{
    struct batch batch = {.session = session};
    input_init(&batch.input, in, INPUT_LIMIT);
    pipeline_init(&batch.pipeline, session);
    arena_init(&batch.arena);
    while (batch_step(&batch))
        continue;
    struct batch_counts counts = {
        .commands = batch.pipeline.commands,
        .errors = batch.pipeline.errors + batch.errors + (session_finish(session) ? 0 : 1),
    };
    pipeline_deinit(&batch.pipeline);
    input_deinit(&batch.input);
    arena_deinit(&batch.arena);
    return counts;
}
