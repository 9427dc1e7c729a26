/*
 * Sends the operations that are queued through one stream of Pipeline: it executes them in order,
 * as separate calls would, and each has a reply of its own, also if it fails. After a shutdown of
 * the server those without a reply were not executed, so they are sent once more.
 */
#include "cli/pipeline.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/standard.h"
#include "cli/commands.h"
#include "cli/send.h"
#include "keystore/streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes from which a command is sent alone. */
#define LARGE ((size_t)64 << 10)

/* Operations of a batch, so that the server works on one while the next is packed. */
#define BATCH 500

#define LABEL_SIZE 80

void pipeline_init(struct pipeline *pipeline, struct session *session)
{
    *pipeline = (struct pipeline){.session = session, .unit = "line"};
    pipeline->items = mem_alloc(PIPELINE_MAX * sizeof *pipeline->items);
    arena_init(&pipeline->arena);
    bool wanted = session->options->pipe && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    progress_init(&pipeline->progress, wanted ? stderr : NULL, clock_monotonic_ms());
}

static void pipeline_write_label(const struct pipeline *pipeline, uint64_t first, uint64_t last,
                                 char out[static LABEL_SIZE])
{
    if (first == last)
        snprintf(out, LABEL_SIZE, "%s %" PRIu64 ": ", pipeline->unit, first);
    else
        snprintf(out, LABEL_SIZE, "%ss %" PRIu64 " to %" PRIu64 ": ", pipeline->unit, first, last);
}

/* Counts `count` commands, the first of which is `number`, with this result; false if the server
 * was unreachable. */
static bool pipeline_count_result(struct pipeline *pipeline, enum session_result result,
                                  uint64_t number, size_t count)
{
    pipeline->commands += count;
    if (result != SESSION_OK)
        pipeline->errors += count;
    if (result != SESSION_UNREACHABLE)
        return true;
    pipeline->stopped = number;
    return false;
}

/* ---- the stream ---- */

static void pipeline_close_stream(struct pipeline *pipeline)
{
    keystore_pipeline_close(pipeline->stream);
    pipeline->stream = NULL;
    pipeline->client = NULL;
}

void pipeline_deinit(struct pipeline *pipeline)
{
    progress_hide(&pipeline->progress);
    pipeline_close_stream(pipeline);
    free(pipeline->items);
    arena_deinit(&pipeline->arena);
}

/* Prints the reply of the next operation. */
static void pipeline_on_reply(void *user, const struct keystore_reply *from)
{
    struct pipeline *pipeline = user;
    struct session *session = pipeline->session;
    const struct pipeline_item *item = &pipeline->items[pipeline->answered++];
    CHECK(pipeline->answered <= pipeline->count);
    arena_reset(&session->arena);
    struct reply reply = send_reply(&item->request, from, &session->arena);
    char label[LABEL_SIZE] = "";
    if (reply.type == REPLY_ERROR) /* only errors are printed with a label */
        pipeline_write_label(pipeline, item->number, item->number, label);
    (void)pipeline_count_result(pipeline, session_print(session, &reply, label), item->number, 1);
}

/* Opens a stream if there is none on the session's connection that is still alive. */
static bool pipeline_open_stream(struct pipeline *pipeline)
{
    struct keystore_client *client = pipeline->session->client;
    if (pipeline->client == client && keystore_pipeline_flush(pipeline->stream) == KEYSTORE_OK)
        return true;
    pipeline_close_stream(pipeline);
    const struct keystore_pipeline_options options = {
        .batch_ops = BATCH, .on_reply = pipeline_on_reply, .user = pipeline};
    pipeline->stream = keystore_pipeline_open(client, &options);
    pipeline->client = client;
    return pipeline->stream != NULL;
}

/* Whether the operations that have no reply were certainly not executed. */
static bool pipeline_was_stopped(const struct keystore_error *error)
{
    return strcmp(error->reason, "ERROR_REASON_STOPPING") == 0;
}

/* Reports that the stream failed: nobody knows whether the rest was executed, or it was not. */
static void pipeline_fail_rest(struct pipeline *pipeline, const struct keystore_error *error)
{
    size_t first = pipeline->answered;
    size_t left = pipeline->count - first;
    char label[LABEL_SIZE];
    pipeline_write_label(pipeline, pipeline->items[first].number,
                         pipeline->items[pipeline->count - 1].number, label);
    enum session_result result = session_print_error_of(pipeline->session, error, label);
    if (left > 1)
        fprintf(stderr, "The %zu commands may or may not have been executed: check their keys.\n",
                left);
    (void)pipeline_count_result(pipeline, result, pipeline->items[first].number, left);
    pipeline->answered = pipeline->count;
}

/* Sends the operations that are not answered; their replies are printed as they come. */
static void pipeline_send_rest(struct pipeline *pipeline)
{
    if (!pipeline_open_stream(pipeline)) {
        pipeline_fail_rest(pipeline, keystore_last_error(pipeline->session->client));
        return;
    }
    enum keystore_code code = KEYSTORE_OK;
    for (size_t i = pipeline->answered; i < pipeline->count && code == KEYSTORE_OK; i++)
        code = keystore_pipeline_add(pipeline->stream, &pipeline->items[i].request.op);
    if (code == KEYSTORE_OK)
        code = keystore_pipeline_wait(pipeline->stream);
    if (code == KEYSTORE_OK)
        return;
    const struct keystore_error error = *keystore_pipeline_error(pipeline->stream);
    pipeline_close_stream(pipeline);
    if (!pipeline_was_stopped(&error))
        pipeline_fail_rest(pipeline, &error);
}

/* Sends an operation as a call of its own. */
static bool pipeline_send_one(struct pipeline *pipeline, const struct pipeline_item *item,
                              const char *label)
{
    enum session_result result = session_send(pipeline->session, &item->request, label);
    pipeline->answered++;
    return pipeline_count_result(pipeline, result, item->number, 1);
}

/* Sends all operations that are queued; stops if an answer cannot be written. */
static bool pipeline_send_all(struct pipeline *pipeline)
{
    pipeline->answered = 0;
    while (pipeline->answered < pipeline->count && !ferror(stdout)) {
        const struct pipeline_item *item = &pipeline->items[pipeline->answered];
        char label[LABEL_SIZE];
        pipeline_write_label(pipeline, item->number, item->number, label);
        arena_reset(&pipeline->session->arena);
        if (session_connect(pipeline->session, label) != SESSION_OK)
            return pipeline_count_result(pipeline, SESSION_UNREACHABLE, item->number, 1);
        if (pipeline->count - pipeline->answered > 1)
            pipeline_send_rest(pipeline);
        else if (!pipeline_send_one(pipeline, item, label))
            return false;
    }
    return true;
}

bool pipeline_flush(struct pipeline *pipeline)
{
    progress_hide(&pipeline->progress);
    bool sent = pipeline_send_all(pipeline);
    pipeline->count = 0;
    arena_reset(&pipeline->arena);
    standard_push();
    progress_show(&pipeline->progress, pipeline->commands, pipeline->errors, clock_monotonic_ms());
    return sent;
}

/* ---- commands ---- */

static bool pipeline_is_large(struct words words)
{
    size_t size = 0;
    for (size_t i = 0; i < words.count; i++)
        size += words.items[i].len;
    return size >= LARGE;
}

bool pipeline_run(struct pipeline *pipeline, struct words words, uint64_t number)
{
    struct session *session = pipeline->session;
    struct pipeline_item *item = &pipeline->items[pipeline->count];
    char problem[ARGS_PROBLEM_SIZE], label[LABEL_SIZE];
    item->number = number;
    /* The server knows no request ids within a stream, so what may be repeated is sent alone. */
    bool is_op =
        session->options->max_retries == 0 && !session->transaction.open &&
        commands_parse(words, session_db(session), &pipeline->arena, &item->request, problem) &&
        item->request.type == REQUEST_OP;
    if (is_op && !pipeline_is_large(words))
        return ++pipeline->count < PIPELINE_MAX || pipeline_flush(pipeline);
    if (!pipeline_flush(pipeline))
        return false;
    progress_hide(&pipeline->progress);
    pipeline_write_label(pipeline, number, number, label);
    return pipeline_count_result(pipeline, session_run(session, words, label), number, 1);
}

bool pipeline_refuse(struct pipeline *pipeline, const char *message, uint64_t number)
{
    char label[LABEL_SIZE];
    if (!pipeline_flush(pipeline))
        return false;
    progress_hide(&pipeline->progress);
    pipeline_write_label(pipeline, number, number, label);
    return pipeline_count_result(pipeline, session_refuse(pipeline->session, message, label),
                                 number, 1);
}
