/*
 * Pipelines: packs operations into batches and takes the replies of batches apart, which stay in
 * the stream's buffer until the last of a batch was returned.
 */
#include "client/client.h"
#include "client/replies.h"
#include "client/status.h"
#include "client/streaming.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

#define DEFAULT_BATCH_OPS     1000
#define DEFAULT_BATCH_BYTES   ((size_t)64 << 10)
#define DEFAULT_MAX_IN_FLIGHT 20000

/* While so many bytes wait to be sent, no more are added. */
#define UNSENT_LIMIT ((size_t)1 << 20)

/* The field of OpBatch. */
#define OPS 1

/* How long closing waits for the end of a stream of which all is answered. */
#define FAREWELL_MS 1000

struct keystore_pipeline {
    struct keystore_client *client;
    unsigned generation;
    struct keystore_pipeline_options options; /* with the defaults filled in */
    struct streaming streaming;
    struct buffer batch; /* prefix and message of what is gathered */
    size_t batch_ops;
    size_t unanswered;    /* with those that are gathered */
    size_t at;            /* bytes of the reply batch that were returned */
    struct pool requests; /* memory of an operation while it is packed */
    struct pool replies;  /* of the reply returned last */
    int64_t answered_ms;  /* when a reply came last, or there was nothing to answer */
    bool is_delivering;   /* within on_reply */
    bool has_failed;      /* for good */
    struct keystore_error error;
};

/* ---- life ---- */

static void pipeline_set_options(struct keystore_pipeline *pipeline,
                                 const struct keystore_pipeline_options *options)
{
    if (options != NULL)
        pipeline->options = *options;
    struct keystore_pipeline_options *set = &pipeline->options;
    if (set->batch_ops == 0)
        set->batch_ops = DEFAULT_BATCH_OPS;
    if (set->batch_bytes == 0)
        set->batch_bytes = DEFAULT_BATCH_BYTES;
    if (set->max_in_flight == 0)
        set->max_in_flight = DEFAULT_MAX_IN_FLIGHT;
    if (set->batch_ops > set->max_in_flight)
        set->batch_ops = set->max_in_flight;
}

struct keystore_pipeline *keystore_pipeline_open(struct keystore_client *client,
                                                 const struct keystore_pipeline_options *options)
{
    if (!client_check(client, client, client))
        return NULL;
    struct keystore_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL) {
        status_out_of_memory(&client->error, "the pipeline was not opened");
        return NULL;
    }
    pipeline->client = client_hold(client);
    pipeline->generation = client->generation;
    pipeline_set_options(pipeline, options);
    streaming_init(&pipeline->streaming);
    buffer_init(&pipeline->batch, CLIENT_REQUEST_LIMIT);
    pool_init(&pipeline->requests);
    pool_init(&pipeline->replies);
    if (streaming_open(&pipeline->streaming, client->channel, CLIENT_SERVICE "Pipeline",
                       client->max_message, &client->error))
        return pipeline;
    keystore_pipeline_close(pipeline);
    return NULL;
}

/* Lets the server end a stream of which all is answered, rather than cancel it. */
static void pipeline_finish(struct keystore_pipeline *pipeline)
{
    int64_t timeout_ms = channel_call_timeout_ms(pipeline->client->channel);
    int64_t deadline_ms =
        clock_monotonic_ms() + (timeout_ms < FAREWELL_MS ? timeout_ms : FAREWELL_MS);
    struct slice message;
    streaming_half_close(&pipeline->streaming);
    while (streaming_find(&pipeline->streaming, &message) == STREAMING_NOTHING &&
           streaming_step(&pipeline->streaming, true, deadline_ms) == CHANNEL_PROGRESS)
        continue;
}

void keystore_pipeline_close(struct keystore_pipeline *pipeline)
{
    struct keystore_error ignored;
    if (pipeline == NULL)
        return;
    bool ours = client_is_ours(pipeline->generation, &ignored);
    if (ours && pipeline->streaming.stream.link != NULL && !pipeline->has_failed &&
        pipeline->unanswered == 0)
        pipeline_finish(pipeline);
    streaming_close(&pipeline->streaming, !ours);
    buffer_deinit(&pipeline->batch);
    pool_deinit(&pipeline->requests);
    pool_deinit(&pipeline->replies);
    client_release(pipeline->client);
    free(pipeline);
}

const struct keystore_error *keystore_pipeline_error(const struct keystore_pipeline *pipeline)
{
    static const struct keystore_error none = {
        .code = KEYSTORE_INVALID_ARGUMENT,
        .message = "the pipeline is NULL",
    };
    return pipeline != NULL ? &pipeline->error : &none;
}

size_t keystore_pipeline_unanswered(const struct keystore_pipeline *pipeline)
{
    return pipeline != NULL ? pipeline->unanswered : 0;
}

/* ---- errors ---- */

/* Whether the pipeline can be used; its error says why not. */
static bool pipeline_check(struct keystore_pipeline *pipeline, const void *argument)
{
    if (pipeline == NULL || pipeline->has_failed)
        return false;
    if (argument == NULL) {
        status_set(&pipeline->error, KEYSTORE_INVALID_ARGUMENT, "an argument is NULL");
        return false;
    }
    return client_is_ours(pipeline->generation, &pipeline->error);
}

/* Ends the pipeline with its error; always false. */
static bool pipeline_fail(struct keystore_pipeline *pipeline)
{
    DCHECK(pipeline->error.code != KEYSTORE_OK);
    pipeline->has_failed = true;
    return false;
}

static bool pipeline_fail_memory(struct keystore_pipeline *pipeline, const char *consequence)
{
    status_out_of_memory(&pipeline->error, consequence);
    return pipeline_fail(pipeline);
}

/* The stream is over, although operations are not answered; always false. */
static bool pipeline_fail_over(struct keystore_pipeline *pipeline)
{
    if (streaming_conclude(&pipeline->streaming) == KEYSTORE_OK)
        status_set(&pipeline->error, KEYSTORE_INTERNAL,
                   "the server ended the pipeline, although it was not closed");
    else
        pipeline->error = pipeline->streaming.stream.call.error;
    return pipeline_fail(pipeline);
}

/* ---- replies ---- */

enum taken { TAKEN_REPLY, TAKEN_NOTHING, TAKEN_FAILURE };

/* Takes the next element of the batch that arrived, whose bytes are in the stream's buffer. */
static enum taken pipeline_unpack(struct keystore_pipeline *pipeline, struct slice batch,
                                  struct keystore_reply *reply)
{
    struct slice element;
    struct slice rest = slice_skip(batch, pipeline->at);
    bool taken = replies_take_element(&rest, &element);
    pipeline->at = batch.len - rest.len;
    if (taken && element.data == NULL)
        return TAKEN_NOTHING;
    pool_reset(&pipeline->replies);
    if (taken && pipeline->unanswered > pipeline->batch_ops &&
        replies_reply(element, &pipeline->replies, reply)) {
        pipeline->unanswered--;
        pipeline->answered_ms = clock_monotonic_ms();
        return TAKEN_REPLY;
    }
    if (pipeline->replies.failed)
        pipeline_fail_memory(pipeline, "a reply is lost");
    else {
        status_set(&pipeline->error, KEYSTORE_INTERNAL,
                   "a reply of the pipeline is not valid: check whether client and server have the "
                   "same version");
        pipeline_fail(pipeline);
    }
    return TAKEN_FAILURE;
}

/* Takes the next reply that has arrived. */
static enum taken pipeline_take(struct keystore_pipeline *pipeline, struct keystore_reply *reply)
{
    struct slice batch;
    for (;;) {
        switch (streaming_find(&pipeline->streaming, &batch)) {
        case STREAMING_NOTHING:
            return TAKEN_NOTHING;
        case STREAMING_OVER:
            if (pipeline->unanswered > 0)
                pipeline_fail_over(pipeline);
            return pipeline->unanswered > 0 ? TAKEN_FAILURE : TAKEN_NOTHING;
        case STREAMING_MESSAGE:
            break;
        }
        enum taken taken = pipeline_unpack(pipeline, batch, reply);
        if (pipeline->at == batch.len) {
            pipeline->at = 0;
            streaming_drop(&pipeline->streaming, batch);
        }
        if (taken != TAKEN_NOTHING)
            return taken;
    }
}

/* Passes what has arrived to on_reply; false if the pipeline has failed. */
static bool pipeline_deliver(struct keystore_pipeline *pipeline)
{
    struct keystore_reply reply;
    enum taken taken = TAKEN_NOTHING;
    if (pipeline->options.on_reply == NULL || pipeline->is_delivering)
        return true;
    pipeline->is_delivering = true;
    while ((taken = pipeline_take(pipeline, &reply)) == TAKEN_REPLY)
        pipeline->options.on_reply(pipeline->options.user, &reply);
    pipeline->is_delivering = false;
    return taken != TAKEN_FAILURE;
}

/* ---- sending ---- */

/* Sends what is gathered, as far as that goes without waiting; false if the pipeline has failed. */
static bool pipeline_send(struct keystore_pipeline *pipeline)
{
    struct buffer *batch = &pipeline->batch;
    if (pipeline->batch_ops > 0) {
        call_write_prefix(batch->data, (uint32_t)(batch->len - CALL_PREFIX_SIZE));
        if (!streaming_send(&pipeline->streaming, buffer_slice(batch)))
            return pipeline_fail_memory(pipeline, "the operations were not sent");
        pipeline->batch_ops = 0;
        buffer_clear(batch, 2 * pipeline->options.batch_bytes);
    }
    (void)streaming_step(&pipeline->streaming, false, 0); /* a loss is found by what follows */
    return pipeline_deliver(pipeline);
}

/* Sends, waits, receives and delivers; false with the error set, if the pipeline has failed, or
 * waiting was cancelled. */
static bool pipeline_round(struct keystore_pipeline *pipeline)
{
    struct slice batch;
    if (streaming_find(&pipeline->streaming, &batch) == STREAMING_OVER)
        return pipeline_fail_over(pipeline);
    int64_t timeout_ms = channel_call_timeout_ms(pipeline->client->channel);
    int64_t deadline_ms = channel_deadline_in(pipeline->answered_ms, timeout_ms);
    switch (streaming_step(&pipeline->streaming, true, deadline_ms)) {
    case CHANNEL_TIMEOUT:
        status_set(&pipeline->error, KEYSTORE_DEADLINE_EXCEEDED,
                   "no operation of the pipeline was answered within %lld ms",
                   (long long)timeout_ms);
        return pipeline_fail(pipeline);
    case CHANNEL_CANCELLED:
        status_set(&pipeline->error, KEYSTORE_CANCELLED, "waiting for the pipeline was cancelled");
        return false;
    case CHANNEL_PROGRESS:
    case CHANNEL_LOST:
        break;
    }
    return pipeline_deliver(pipeline);
}

static bool pipeline_is_full(const struct keystore_pipeline *pipeline)
{
    return pipeline->unanswered >= pipeline->options.max_in_flight ||
           streaming_unsent(&pipeline->streaming) >= UNSENT_LIMIT;
}

/* Without on_reply nothing is waited for that only the program can bring about. */
static bool pipeline_needs_taking(struct keystore_pipeline *pipeline)
{
    struct slice batch;
    return pipeline->options.on_reply == NULL &&
           (pipeline->unanswered >= pipeline->options.max_in_flight ||
            streaming_find(&pipeline->streaming, &batch) == STREAMING_MESSAGE);
}

/* Waits until an operation can be added; false with the error set. */
static bool pipeline_make_room(struct keystore_pipeline *pipeline)
{
    if (pipeline->is_delivering || !pipeline_is_full(pipeline))
        return true;
    if (!pipeline_send(pipeline))
        return false;
    while (pipeline_is_full(pipeline)) {
        if (pipeline_needs_taking(pipeline)) {
            status_set(&pipeline->error, KEYSTORE_RESOURCE_EXHAUSTED,
                       "%zu operations are not answered: take replies with "
                       "keystore_pipeline_next() before more are added",
                       pipeline->unanswered);
            return false;
        }
        if (!pipeline_round(pipeline))
            return false;
    }
    return true;
}

/* Packs the operation behind those that are gathered. */
static bool pipeline_pack(struct keystore_pipeline *pipeline, const struct keystore_op *op)
{
    struct buffer *batch = &pipeline->batch;
    if (batch->len == 0) {
        if (buffer_reserve(batch, CALL_PREFIX_SIZE) == NULL) {
            status_out_of_memory(&pipeline->error, "the operation was not added");
            return false;
        }
        batch->len = CALL_PREFIX_SIZE;
    }
    pool_reset(&pipeline->requests);
    struct request_builder builder = {.pool = &pipeline->requests};
    const void *message = requests_op(&builder, op);
    return requests_pack_element(batch, &builder, OPS, message, &pipeline->error);
}

/* ---- public functions ---- */

enum keystore_code keystore_pipeline_add(struct keystore_pipeline *pipeline,
                                         const struct keystore_op *op)
{
    if (!pipeline_check(pipeline, op))
        return keystore_pipeline_error(pipeline)->code;
    if (keystore_reply_kind_of(op->kind) == KEYSTORE_REPLY_NONE) {
        status_set(&pipeline->error, KEYSTORE_INVALID_ARGUMENT,
                   "the operation's kind is %d, which is not in enum keystore_op_kind",
                   (int)op->kind);
        return pipeline->error.code;
    }
    if (!pipeline_make_room(pipeline) || !pipeline_pack(pipeline, op))
        return pipeline->error.code;
    if (pipeline->unanswered++ == 0)
        pipeline->answered_ms = clock_monotonic_ms();
    pipeline->batch_ops++;
    bool complete = pipeline->batch_ops >= pipeline->options.batch_ops ||
                    pipeline->batch.len >= pipeline->options.batch_bytes;
    if (complete && !pipeline_send(pipeline))
        return pipeline->error.code;
    return KEYSTORE_OK;
}

enum keystore_code keystore_pipeline_flush(struct keystore_pipeline *pipeline)
{
    struct slice batch;
    if (!pipeline_check(pipeline, pipeline) || !pipeline_send(pipeline))
        return keystore_pipeline_error(pipeline)->code;
    if (streaming_find(&pipeline->streaming, &batch) != STREAMING_OVER)
        return KEYSTORE_OK;
    pipeline_fail_over(pipeline);
    return pipeline->error.code;
}

enum keystore_code keystore_pipeline_wait(struct keystore_pipeline *pipeline)
{
    if (!pipeline_check(pipeline, pipeline))
        return keystore_pipeline_error(pipeline)->code;
    if (pipeline->options.on_reply == NULL || pipeline->is_delivering) {
        status_set(&pipeline->error, KEYSTORE_FAILED_PRECONDITION,
                   pipeline->is_delivering
                       ? "on_reply cannot wait for other replies"
                       : "without on_reply, replies are taken with keystore_pipeline_next()");
        return pipeline->error.code;
    }
    bool good = pipeline_send(pipeline);
    while (good && pipeline->unanswered > 0) /* on_reply may have added some */
        good = pipeline->batch_ops > 0 ? pipeline_send(pipeline) : pipeline_round(pipeline);
    return good ? KEYSTORE_OK : pipeline->error.code;
}

enum keystore_next keystore_pipeline_next(struct keystore_pipeline *pipeline, int64_t timeout_ms,
                                          struct keystore_reply *reply)
{
    if (reply != NULL)
        *reply = (struct keystore_reply){0};
    if (!pipeline_check(pipeline, reply))
        return KEYSTORE_FAILED;
    if (pipeline->options.on_reply != NULL) {
        status_set(&pipeline->error, KEYSTORE_FAILED_PRECONDITION,
                   "the replies of this pipeline are passed to on_reply");
        return KEYSTORE_FAILED;
    }
    if (pipeline->batch_ops > 0 && !pipeline_send(pipeline))
        return KEYSTORE_FAILED;
    int64_t deadline_ms =
        timeout_ms < 0 ? INT64_MAX : channel_deadline_in(clock_monotonic_ms(), timeout_ms);
    while (pipeline->unanswered > 0) {
        enum taken taken = pipeline_take(pipeline, reply);
        if (taken != TAKEN_NOTHING)
            return taken == TAKEN_REPLY ? KEYSTORE_ITEM : KEYSTORE_FAILED;
        enum channel_step step = streaming_step(&pipeline->streaming, timeout_ms != 0, deadline_ms);
        if (step == CHANNEL_TIMEOUT || step == CHANNEL_CANCELLED) {
            streaming_await(&pipeline->streaming);
            return KEYSTORE_NOTHING;
        }
    }
    return KEYSTORE_END;
}
