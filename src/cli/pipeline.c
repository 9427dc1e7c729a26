/*
 * Sends operations in bursts, each as one Txn: it executes them in order, as separate calls would,
 * for one round trip and one wait for the disk. A Txn is all or nothing, but commands are
 * independent of each other; so a burst that is refused, and thus has changed nothing, is sent
 * again in halves until the refused command is alone and gets its own error. Bursts grow again as
 * they succeed.
 */
#include "cli/pipeline.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/standard.h"
#include "cli/commands.h"
#include "cli/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes from which a command is sent alone. */
#define LARGE ((size_t)64 << 10)

#define LABEL_SIZE 80

void pipeline_init(struct pipeline *pipeline, struct session *session)
{
    *pipeline = (struct pipeline){.session = session, .unit = "line", .burst = PIPELINE_MAX};
    pipeline->items = mem_alloc(PIPELINE_MAX * sizeof *pipeline->items);
    arena_init(&pipeline->arena);
}

void pipeline_deinit(struct pipeline *pipeline)
{
    free(pipeline->items);
    arena_deinit(&pipeline->arena);
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

/* ---- bursts ---- */

static void pipeline_print_replies(struct pipeline *pipeline, const struct pipeline_item *items,
                                   size_t count, const struct keystore_txn_reply *from)
{
    static const struct keystore_reply missing = {.kind = KEYSTORE_REPLY_NONE};
    struct session *session = pipeline->session;
    char label[LABEL_SIZE] = "";
    for (size_t i = 0; i < count; i++) {
        struct reply reply = send_reply(
            &items[i].request, i < from->count ? &from->replies[i] : &missing, &session->arena);
        if (reply.type == REPLY_ERROR) /* only errors are printed with a label */
            pipeline_write_label(pipeline, items[i].number, items[i].number, label);
        (void)pipeline_count_result(pipeline, session_print(session, &reply, label),
                                    items[i].number, 1);
    }
}

/* Reports a burst that failed without a refusal: nobody knows whether it was executed. */
static void pipeline_fail_burst(struct pipeline *pipeline, const struct pipeline_item *items,
                                size_t count)
{
    char label[LABEL_SIZE];
    pipeline_write_label(pipeline, items[0].number, items[count - 1].number, label);
    enum session_result result = session_print_failure(pipeline->session, label);
    fprintf(stderr, "The %zu commands may or may not have been executed: check their keys.\n",
            count);
    (void)pipeline_count_result(pipeline, result, items[0].number, count);
    pipeline->burst = 1;
}

/* Sends the operations as one Txn. Returns how many of them are finished: all, or none if the Txn
 * was refused. */
static size_t pipeline_send_burst(struct pipeline *pipeline, const struct pipeline_item *items,
                                  size_t count)
{
    struct session *session = pipeline->session;
    CHECK(count > 1 && count <= PIPELINE_MAX);
    struct keystore_op *ops = arena_alloc(&session->arena, count * sizeof *ops);
    for (size_t i = 0; i < count; i++)
        ops[i] = items[i].request.op;
    struct keystore_txn_request request = {.success = ops, .success_count = count};
    struct keystore_txn_reply from;
    if (keystore_txn(session->client, &request, &from) == KEYSTORE_OK) {
        pipeline_print_replies(pipeline, items, count, &from);
        if (pipeline->burst < PIPELINE_MAX)
            pipeline->burst *= 2;
        return count;
    }
    if (session_was_refused(session)) {
        pipeline->burst = count / 2;
        return 0;
    }
    pipeline_fail_burst(pipeline, items, count);
    return count;
}

/* Sends an operation as a call of its own. */
static bool pipeline_send_one(struct pipeline *pipeline, const struct pipeline_item *item,
                              const char *label)
{
    enum session_result result = session_send(pipeline->session, &item->request, label);
    pipeline->burst = result == SESSION_OK ? 2 : 1;
    return pipeline_count_result(pipeline, result, item->number, 1);
}

/* Sends all operations that are queued; stops if an answer cannot be written. */
static bool pipeline_send_all(struct pipeline *pipeline)
{
    size_t done = 0;
    while (done < pipeline->count && !ferror(stdout)) {
        size_t left = pipeline->count - done;
        size_t count = left < pipeline->burst ? left : pipeline->burst;
        const struct pipeline_item *items = &pipeline->items[done];
        char label[LABEL_SIZE];
        pipeline_write_label(pipeline, items[0].number, items[0].number, label);
        arena_reset(&pipeline->session->arena);
        if (session_connect(pipeline->session, label) != SESSION_OK)
            return pipeline_count_result(pipeline, SESSION_UNREACHABLE, items[0].number, 1);
        if (count > 1)
            done += pipeline_send_burst(pipeline, items, count);
        else if (pipeline_send_one(pipeline, items, label))
            done++;
        else
            return false;
    }
    return true;
}

bool pipeline_flush(struct pipeline *pipeline)
{
    bool sent = pipeline_send_all(pipeline);
    pipeline->count = 0;
    arena_reset(&pipeline->arena);
    standard_push();
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
    bool is_op =
        !session->transaction.open &&
        commands_parse(words, session_db(session), &pipeline->arena, &item->request, problem) &&
        item->request.type == REQUEST_OP;
    if (is_op && !pipeline_is_large(words))
        return ++pipeline->count < PIPELINE_MAX || pipeline_flush(pipeline);
    if (!pipeline_flush(pipeline))
        return false;
    pipeline_write_label(pipeline, number, number, label);
    return pipeline_count_result(pipeline, session_run(session, words, label), number, 1);
}

bool pipeline_refuse(struct pipeline *pipeline, const char *message, uint64_t number)
{
    char label[LABEL_SIZE];
    if (!pipeline_flush(pipeline))
        return false;
    pipeline_write_label(pipeline, number, number, label);
    return pipeline_count_result(pipeline, session_refuse(pipeline->session, message, label),
                                 number, 1);
}
