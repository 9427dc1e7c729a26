/*
 * A batch is decoded when it arrives, with a copy of its message, a bulky one by another thread. It
 * is carried out in pieces that the engine can fetch ahead. Normally all of its operations are done
 * immediately, and the reply leaves with the same feed. Some are answered later, when the disk has
 * them; one that is held up by a long operation stops the stream until that is over; and a long one
 * is carried out by another thread meanwhile. After a turn of many operations other calls of the
 * thread have theirs.
 */
#include "service/streams/pipeline.h"

#include "base/arena.h"
#include "base/blob.h"
#include "base/chain.h"
#include "base/check.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/message.h"
#include "grpc/server.h"
#include "service/decode_op.h"
#include "service/encode_reply.h"
#include "service/field.h"
#include "service/identity.h"
#include "service/status.h"
#include "service/streams/host.h"
#include "service/wire.h"

#include <stdlib.h>

/* Operations of a turn, about a millisecond. */
#define TURN_OPS 1000
/* An operation with more keys, values or parts takes long. */
#define MANY_PARTS ((size_t)5000)

/* A message of more bytes takes long to decode: an operation may be ten bytes and take 100 ns. */
#define BULKY_BYTES ((size_t)64 * 1024)

enum { REPLIES = 1 }; /* the field of ReplyBatch */

static const char stopping[] =
    "the server, or this connection, is shutting down; what has no reply was not executed";

struct pipeline_item {
    struct engine_task task; /* first: on_done finds the item by it */
    struct pipeline_batch *batch;
    bool is_pending;
};

struct pipeline_batch {
    struct pipeline_batch *next;
    struct pipeline *pipeline;
    struct arena arena;
    struct pipeline_item *items;
    size_t count, started, done;
    struct grpc_principal *principal; /* with a holder; NULL: the call has none */
    uint64_t max_reply;               /* bytes of a reply that the caller accepts */
    size_t answered;                  /* items whose replies are written */
    struct blob *holder;              /* of the message, or NULL */
    struct offload_job job;           /* decodes it: */
    bool is_decoding;
    bool is_counted; /* its operations, for the rate of its caller */
    struct slice message;
    int64_t now_ms; /* when it arrived */
    enum err err;
    const char *why;
};

struct pipeline {
    struct stream_waiter waiter; /* first: it is found by it */
    struct offload_job job;
    struct stream_host *host;
    struct grpc_call *call; /* NULL once it is cancelled, with jobs under way: */
    size_t jobs;            /* of other threads */
    struct pipeline_batch *first, **last;
    struct pipeline_batch *spare; /* for the next one; NULL if there is none */
    size_t batches;
    struct pipeline_item *offloaded; /* NULL: none is */
    bool is_holding;                 /* the caller */
    bool half_closed;
    bool draining; /* what arrives now is not executed */
};

/* ---- life ---- */

static struct pipeline_batch *pipeline_take_batch(struct pipeline *pipeline)
{
    struct pipeline_batch *batch = pipeline->spare;
    pipeline->spare = NULL;
    if (batch != NULL)
        return batch;
    batch = mem_alloc_zero(sizeof *batch);
    arena_init(&batch->arena);
    batch->pipeline = pipeline;
    return batch;
}

static void pipeline_clear(struct pipeline_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        op_result_release(&batch->items[i].task.result);
    arena_reset(&batch->arena);
    blob_release(batch->holder);
    batch->holder = NULL;
    grpc_principal_release(batch->principal);
    batch->principal = NULL;
    batch->next = NULL;
    batch->is_counted = false;
    batch->items = NULL;
    batch->count = batch->started = batch->done = batch->answered = 0;
}

static void pipeline_free_batch(struct pipeline_batch *batch)
{
    if (batch == NULL)
        return;
    pipeline_clear(batch);
    arena_deinit(&batch->arena);
    free(batch);
}

static void pipeline_give_back(struct pipeline *pipeline, struct pipeline_batch *batch)
{
    pipeline_clear(batch);
    if (pipeline->spare != NULL)
        pipeline_free_batch(batch);
    else
        pipeline->spare = batch;
}

static void pipeline_free(struct pipeline *pipeline)
{
    stream_leave(pipeline->host, &pipeline->waiter);
    while (pipeline->first != NULL) {
        struct pipeline_batch *batch = pipeline->first;
        pipeline->first = batch->next;
        pipeline_free_batch(batch);
    }
    pipeline_free_batch(pipeline->spare);
    free(pipeline);
}

static void pipeline_cancel_pending(struct pipeline *pipeline)
{
    for (struct pipeline_batch *batch = pipeline->first; batch != NULL; batch = batch->next) {
        for (size_t i = 0; i < batch->started; i++) {
            if (batch->items[i].is_pending)
                engine_cancel(pipeline->host->engine, &batch->items[i].task);
            batch->items[i].is_pending = false;
        }
    }
}

/* Frees the pipeline unless another thread is at work for it: then when that is done. */
static void pipeline_abandon(struct pipeline *pipeline)
{
    pipeline_cancel_pending(pipeline);
    stream_leave(pipeline->host, &pipeline->waiter);
    pipeline->call = NULL;
    if (pipeline->jobs == 0)
        pipeline_free(pipeline);
}

/* Ends the stream. The error message may lie in a batch. */
static void pipeline_end(struct pipeline *pipeline, enum err err, const char *why)
{
    stream_end(pipeline->call, err, why);
    pipeline_abandon(pipeline);
}

/* All batches are answered. A caller that would send more gets an error in a shutdown. */
static void pipeline_end_if_done(struct pipeline *pipeline)
{
    if (pipeline->half_closed)
        pipeline_end(pipeline, ERR_NONE, NULL);
    else if (pipeline->draining)
        pipeline_end(pipeline, ERR_STOPPING, stopping);
}

/* ---- carrying out ---- */

static void pipeline_note_done(struct pipeline_item *item)
{
    struct pipeline_batch *batch = item->batch;
    struct pipeline *pipeline = batch->pipeline;
    const struct op_result *result = &item->task.result;
    if (result->err != ERR_NONE)
        status_of(result->err, result->why); /* counts it */
    item->is_pending = false;
    batch->done++;
    if (batch->done == batch->count && batch == pipeline->first && pipeline->call != NULL)
        grpc_stream_ready(pipeline->call);
}

static void pipeline_on_done(struct engine_task *task)
{
    pipeline_note_done((struct pipeline_item *)task);
}

static void pipeline_run(struct offload_job *job)
{
    struct pipeline *pipeline = CONTAINER_OF(job, struct pipeline, job);
    engine_run(pipeline->host->engine, &pipeline->offloaded->task);
}

static void pipeline_advance(struct pipeline *pipeline);

static void pipeline_settle(struct pipeline *pipeline, struct pipeline_item *item)
{
    if (engine_settle(pipeline->host->engine, &item->task) == ENGINE_PENDING)
        item->is_pending = true;
    else
        pipeline_note_done(item);
}

/* True if the stream has ended meanwhile. */
static bool pipeline_end_job(struct pipeline *pipeline)
{
    pipeline->jobs--;
    if (pipeline->call != NULL)
        return false;
    if (pipeline->jobs == 0)
        pipeline_free(pipeline);
    return true;
}

static void pipeline_start_job(struct pipeline *pipeline, struct offload_job *job,
                               void (*run)(struct offload_job *job),
                               void (*finish)(struct offload_job *job))
{
    pipeline->jobs++;
    stream_offload(pipeline->host, job, run, finish);
}

/* Another thread has carried the operation out. */
static void pipeline_finish_job(struct offload_job *job)
{
    struct pipeline *pipeline = CONTAINER_OF(job, struct pipeline, job);
    struct pipeline_item *item = pipeline->offloaded;
    pipeline->offloaded = NULL;
    if (pipeline_end_job(pipeline))
        return;
    pipeline_settle(pipeline, item);
    pipeline_advance(pipeline);
}

/* True if it is done already, for there is no other thread. */
static bool pipeline_offload(struct pipeline *pipeline, struct pipeline_item *item)
{
    struct stream_host *host = pipeline->host;
    item->task.result = (struct op_result){0};
    if (host->offload == NULL) {
        engine_run(host->engine, &item->task);
        pipeline_settle(pipeline, item);
        return true;
    }
    pipeline->offloaded = item;
    pipeline_start_job(pipeline, &pipeline->job, pipeline_run, pipeline_finish_job);
    return false;
}

static bool pipeline_is_bulky(const struct op *op)
{
    return op->key_count + op->value_count + op->op_count > MANY_PARTS;
}

/* Carries out the batch's next operation; false if the stream has to wait. */
static bool pipeline_step(struct pipeline *pipeline, struct pipeline_batch *batch)
{
    struct pipeline_item *item = &batch->items[batch->started];
    if (item->task.result.err != ERR_NONE) { /* refused when it was decoded */
        if (item->task.result.err == ERR_FORBIDDEN && pipeline->host->on_denied != NULL)
            pipeline->host->on_denied(pipeline->host->audit_user, pipeline->call,
                                      item->task.op.kind, &item->task.result);
        batch->started++;
        pipeline_note_done(item);
        return true;
    }
    enum engine_answer answer = ENGINE_COSTLY;
    struct stream_host *host = pipeline->host;
    item->task.op.now_ms = host->now_ms;
    if (!pipeline_is_bulky(&item->task.op))
        answer = stream_submit(host, &item->task);
    if (answer == ENGINE_HELD) {
        stream_wait(host, &pipeline->waiter);
        return false;
    }
    batch->started++;
    if (answer == ENGINE_COSTLY)
        return pipeline_offload(pipeline, item);
    if (answer == ENGINE_PENDING)
        item->is_pending = true;
    else
        pipeline_note_done(item);
    return true;
}

static void pipeline_prepare(struct pipeline *pipeline, struct pipeline_batch *batch)
{
    struct engine_task *tasks[STORE_PREFETCH];
    size_t count = 0;
    for (size_t i = batch->started; i < batch->count && i < batch->started + STORE_PREFETCH; i++)
        if (batch->items[i].task.result.err == ERR_NONE)
            tasks[count++] = &batch->items[i].task;
    if (count > 1)
        engine_prepare(pipeline->host->engine, tasks, count);
}

/* Counts the operations of a batch as calls of its caller; false if that has too many, and so the
 * stream has to wait. A batch without any counts as one. */
static bool pipeline_count(struct pipeline *pipeline, struct pipeline_batch *batch)
{
    struct stream_host *host = pipeline->host;
    if (batch->is_counted)
        return true;
    int64_t delay_ms =
        quota_delay_ms(&host->quota, batch->principal, batch->count > 0 ? batch->count : 1);
    if (delay_ms > 0) {
        stream_wait(host, &pipeline->waiter);
        stream_resume_after(host, delay_ms);
        return false;
    }
    batch->is_counted = true;
    if (batch->count == 0 && batch == pipeline->first)
        grpc_stream_ready(pipeline->call);
    return true;
}

/* Carries out what has arrived, as far as that can be now. */
static void pipeline_advance(struct pipeline *pipeline)
{
    size_t turn = 0;
    for (struct pipeline_batch *batch = pipeline->first; batch != NULL; batch = batch->next) {
        if (batch->is_decoding || !pipeline_count(pipeline, batch))
            return;
        while (batch->started < batch->count) {
            if (pipeline->offloaded != NULL || pipeline->waiter.link != NULL)
                return;
            if (turn++ == TURN_OPS) {
                stream_yield(pipeline->host, &pipeline->waiter);
                return;
            }
            if (batch->started % STORE_PREFETCH == 0)
                pipeline_prepare(pipeline, batch);
            if (!pipeline_step(pipeline, batch))
                return;
        }
    }
}

static void pipeline_resume(struct stream_waiter *waiter)
{
    pipeline_advance((struct pipeline *)waiter);
}

/* ---- batches ---- */

/* Fills the item, or notes why it is refused. */
static void pipeline_decode_item(struct pipeline_batch *batch, const Keystore__V1__Op *message,
                                 struct pipeline_item *item)
{
    const struct stream_host *host = batch->pipeline->host;
    *item = (struct pipeline_item){.task = {.op = {.now_ms = batch->now_ms,
                                                   .max_answer = host->max_answer,
                                                   .max_reply = batch->max_reply,
                                                   .max_value = host->limits.max_value},
                                            .arena = &batch->arena,
                                            .on_done = pipeline_on_done,
                                            .worker = host->worker},
                                   .batch = batch};
    struct op_result *result = &item->task.result;
    struct op *op = &item->task.op;
    result->err = decode_op(message, &batch->arena, op, &result->why);
    if (result->err == ERR_NONE && op_waits(op))
        result->err =
            field_refuse("wait_ms: it is set; in a Pipeline an operation that waits would "
                         "hold up the others: leave it unset, or make a call of its own",
                         &result->why);
    if (result->err == ERR_NONE)
        result->err = check_op(&host->limits, op, &batch->arena, &result->why);
    if (result->err == ERR_NONE)
        result->err = identity_permit(batch->principal, op, &batch->arena, &result->why);
}

/* Keeps the message for the life of the batch: its blob if it has one, else a copy. */
static enum err pipeline_keep(struct pipeline_batch *batch, struct slice message,
                              struct blob *holder, const char **why)
{
    batch->now_ms = batch->pipeline->host->now_ms;
    batch->principal = grpc_principal_retain(grpc_call_principal(batch->pipeline->call));
    batch->max_reply = grpc_call_max_reply(batch->pipeline->call);
    batch->message = message;
    batch->arena.beside = message.len;
    if (holder != NULL) {
        if (!arena_reserve(&batch->arena, blob_memory(holder)))
            return field_refuse_memory(&batch->arena, why);
        batch->holder = blob_retain(holder);
        return ERR_NONE;
    }
    uint8_t *copy = arena_unfold(&batch->arena, message.len + 1);
    if (copy == NULL)
        return field_refuse_memory(&batch->arena, why);
    slice_write(copy, message);
    batch->message.data = copy;
    return ERR_NONE;
}

/* Decodes the message; else says why it ends the stream. */
static enum err pipeline_fill(struct pipeline_batch *batch, const char **why)
{
    struct arena *arena = &batch->arena;
    void *decoded;
    enum err err =
        decode_message(&keystore__v1__op_batch__descriptor, batch->message, arena, &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__OpBatch *ops = decoded;
    batch->items = arena_unfold(arena, (ops->n_ops + 1) * sizeof *batch->items);
    if (batch->items == NULL)
        return field_refuse_memory(arena, why);
    batch->count = ops->n_ops;
    for (size_t i = 0; i < batch->count; i++)
        pipeline_decode_item(batch, ops->ops[i], &batch->items[i]);
    return ERR_NONE;
}

static void pipeline_hold(struct pipeline *pipeline, bool hold)
{
    if (pipeline->is_holding == hold)
        return;
    pipeline->is_holding = hold;
    grpc_stream_hold(pipeline->call, hold);
}

static struct pipeline_batch *pipeline_batch_of(struct offload_job *job)
{
    return CONTAINER_OF(job, struct pipeline_batch, job);
}

static void pipeline_decode(struct offload_job *job)
{
    struct pipeline_batch *batch = pipeline_batch_of(job);
    batch->err = pipeline_fill(batch, &batch->why);
}

/* Another thread has decoded the batch. */
static void pipeline_finish_decoding(struct offload_job *job)
{
    struct pipeline_batch *batch = pipeline_batch_of(job);
    struct pipeline *pipeline = batch->pipeline;
    batch->is_decoding = false;
    if (pipeline_end_job(pipeline))
        return;
    if (batch->err != ERR_NONE)
        pipeline_end(pipeline, batch->err, batch->why);
    else
        pipeline_advance(pipeline);
}

static void pipeline_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct pipeline *pipeline = grpc_call_user(call);
    const char *why;
    (void)user;
    if (pipeline->draining)
        return;
    struct pipeline_batch *batch = pipeline_take_batch(pipeline);
    enum err err = pipeline_keep(batch, message, grpc_call_holder(call), &why);
    batch->is_decoding = message.len > BULKY_BYTES && pipeline->host->offload != NULL;
    if (err == ERR_NONE && !batch->is_decoding)
        err = pipeline_fill(batch, &why);
    if (err != ERR_NONE) {
        pipeline_end(pipeline, err, why);
        pipeline_free_batch(batch);
        return;
    }
    *pipeline->last = batch;
    pipeline->last = &batch->next;
    if (++pipeline->batches == PIPELINE_BATCHES)
        pipeline_hold(pipeline, true);
    if (batch->is_decoding)
        pipeline_start_job(pipeline, &batch->job, pipeline_decode, pipeline_finish_decoding);
    else
        pipeline_advance(pipeline);
}

/* ---- replies ---- */

/* Writes a message of the next replies, up to PIPELINE_REPLY_BYTES of them; returns its bytes. */
static size_t pipeline_write(struct grpc_call *call, struct pipeline_batch *batch)
{
    size_t size = 0;
    size_t end = batch->answered;
    for (; end < batch->count; end++) {
        const struct engine_task *task = &batch->items[end].task;
        size_t reply = encode_reply_size(&task->op, &task->result);
        reply += wire_head_size(reply);
        if (size > 0 && size + reply > PIPELINE_REPLY_BYTES)
            break;
        size += reply;
    }
    struct chain *to = grpc_stream_write(call, size);
    for (; batch->answered < end; batch->answered++) {
        const struct engine_task *task = &batch->items[batch->answered].task;
        encode_reply_write(REPLIES, &task->op, &task->result, to);
    }
    return size;
}

static void pipeline_drop_first(struct pipeline *pipeline)
{
    struct pipeline_batch *batch = pipeline->first;
    pipeline->first = batch->next;
    if (pipeline->first == NULL)
        pipeline->last = &pipeline->first;
    pipeline_give_back(pipeline, batch);
    if (--pipeline->batches <= PIPELINE_BATCHES / 2 && !pipeline->draining)
        pipeline_hold(pipeline, false);
}

static void pipeline_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct pipeline *pipeline = grpc_call_user(call);
    (void)user;
    for (size_t written = 0; written < room;) {
        struct pipeline_batch *batch = pipeline->first;
        if (batch == NULL || !batch->is_counted || batch->done < batch->count)
            break;
        written += GRPC_PREFIX_SIZE + pipeline_write(call, batch);
        if (batch->answered == batch->count)
            pipeline_drop_first(pipeline);
    }
    if (pipeline->first == NULL)
        pipeline_end_if_done(pipeline);
}

static void pipeline_on_drain(void *user, struct grpc_call *call)
{
    struct pipeline *pipeline = grpc_call_user(call);
    (void)user;
    pipeline->draining = true;
    pipeline_hold(pipeline, true);
    if (pipeline->first == NULL)
        pipeline_end_if_done(pipeline);
}

static void pipeline_on_half_close(void *user, struct grpc_call *call)
{
    struct pipeline *pipeline = grpc_call_user(call);
    (void)user;
    pipeline->half_closed = true;
    if (pipeline->first == NULL)
        pipeline_end_if_done(pipeline);
}

static void pipeline_on_open(void *user, struct grpc_call *call)
{
    struct pipeline *pipeline = mem_alloc_zero(sizeof *pipeline);
    pipeline->waiter.resume = pipeline_resume;
    pipeline->host = stream_host_of(user);
    pipeline->call = call;
    pipeline->last = &pipeline->first;
    grpc_call_set_user(call, pipeline);
}

static void pipeline_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    pipeline_abandon(grpc_call_user(call));
}

const struct grpc_stream_method pipeline_method = {
    .on_open = pipeline_on_open,
    .on_message = pipeline_on_message,
    .on_half_close = pipeline_on_half_close,
    .on_room = pipeline_on_room,
    .on_drain = pipeline_on_drain,
    .on_cancel = pipeline_on_cancel,
};
