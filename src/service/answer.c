/* Requests: how they are taken and reused, their operations, and how they are answered. */
#include "service/request.h"

#include "base/check.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/gzip.h"
#include "service/check.h"
#include "service/identified.h"
#include "service/identity.h"
#include "service/notable.h"
#include "service/status.h"

#include <stdlib.h>

struct request *request_take(struct service *service)
{
    struct request *request = service->idle;
    if (request == NULL) {
        request = mem_alloc_zero(sizeof *request);
        arena_init(&request->arena);
        request->service = service;
        request->task.worker = service->options.worker;
        return request;
    }
    service->idle = request->next;
    return request;
}

/* Releases what only requests have that are not answered immediately. */
static void request_release(struct request *request)
{
    grpc_message_deinit(&request->message);
    chain_deinit(&request->reply);
    identified_free(request->identified);
    request->identified = NULL;
    grpc_principal_release(request->principal);
    request->principal = NULL;
    atomic_store_explicit(&request->is_abandoned, false, memory_order_relaxed);
    request->wants_gzip = false;
    request->holds = 0;
    request->must_wait = false;
    request->must_hold = false;
    request->is_detached = false;
}

void request_recycle(struct request *request)
{
    op_result_release(&request->task.result);
    arena_reset(&request->arena);
    if (request->is_detached)
        request_release(request);
    request->note.state = NOTE_NONE;
    request->state = REQUEST_NEW;
    request->next = request->service->idle;
    request->service->idle = request;
}

void request_detach(struct request *request)
{
    if (request->is_detached)
        return;
    request->is_detached = true;
    request->max_reply = grpc_call_max_reply(request->call);
    request->principal = grpc_principal_retain(grpc_call_principal(request->call));
    grpc_call_take_message(request->call, &request->message);
}

/* True if it does not matter whether the call is made once or twice. */
static bool request_is_repeatable(const struct request *request)
{
    return request->identified != NULL || (request->method->type == METHOD_OP &&
                                           op_info(request->method->kind)->access == OP_READ);
}

static void request_fail_with(struct request *request, struct grpc_status *status)
{
    if (request_is_repeatable(request))
        status_allow_retry(status);
    grpc_call_fail(request->call, status);
}

void request_fail(struct request *request, enum err err, const char *why)
{
    struct grpc_status status = status_of(err, why);
    request_fail_with(request, &status);
}

struct request *request_of_job(struct offload_job *job)
{
    return CONTAINER_OF(job, struct request, job);
}

void request_start_job(struct request *request, void (*run)(struct offload_job *job),
                       void (*finish)(struct offload_job *job))
{
    request->state = REQUEST_OFFLOADED;
    request->job.run = run;
    request->job.finish = finish;
    request->job.worker = request->service->options.worker;
    offload_add(request->service->options.offload, &request->job,
                request->method->type == METHOD_INFO);
}

static void request_compress(struct offload_job *job)
{
    struct request *request = request_of_job(job);
    if (!atomic_load(&request->is_abandoned))
        grpc_reply_compress(&request->reply);
}

static void request_finish_compressed(struct offload_job *job)
{
    struct request *request = request_of_job(job);
    request->state = REQUEST_PENDING;
    request->note.offloaded = true;
    request->note.reply_bytes = chain_length(&request->reply) - GRPC_PREFIX_SIZE;
    if (request->call != NULL)
        grpc_call_reply_chain(request->call, &request->reply);
    request_recycle(request);
}

/* Sends the engine's answer to a caller who wants it compressed; a large one is compressed by
 * another thread. */
static void request_answer_compressed(struct request *request)
{
    const struct encoder *encoder = request->method->encoder;
    const struct op_result *result = &request->task.result;
    size_t size = encoder->size(result);
    request->is_detached = true; /* the reply is its own */
    grpc_reply_begin(&request->reply, size);
    encoder->write(result, &request->reply);
    if (size > GZIP_MOST_INLINE && request->service->options.offload != NULL) {
        notable_note_all(request);
        op_result_release(&request->task.result);
        request->task.result = (struct op_result){0};
        arena_reset(&request->arena);
        request_start_job(request, request_compress, request_finish_compressed);
        return;
    }
    grpc_call_compress(request->call, &request->reply);
    grpc_call_reply_chain(request->call, &request->reply);
    request_recycle(request);
}

void request_refuse(struct request *request, enum err err, const char *why)
{
    notable_note_nothing(request, request->arena.beside);
    request_fail(request, err, why);
    request_recycle(request);
}

/* True if the reply has been encoded before, and is sent. */
static bool request_answer_encoded(struct request *request)
{
    if (request->identified != NULL)
        identified_end(request);
    if (chain_length(&request->reply) == 0)
        return false;
    request->note.reply_bytes = chain_length(&request->reply) - GRPC_PREFIX_SIZE;
    grpc_call_reply_chain(request->call, &request->reply);
    return true;
}

void request_answer(struct request *request)
{
    const struct op_result *result = &request->task.result;
    if (result->err != ERR_NONE) {
        struct grpc_status status = status_of_result(result);
        request_fail_with(request, &status);
    } else if (request->is_detached && request_answer_encoded(request)) {
        /* it was encoded before */
    } else if (grpc_call_wants_gzip(request->call)) {
        request_answer_compressed(request);
        return;
    } else {
        const struct encoder *encoder = request->method->encoder;
        encoder->write(result, grpc_call_reply_begin(request->call, encoder->size(result)));
        grpc_call_reply_end(request->call);
    }
    request_recycle(request);
}

void request_on_done(struct engine_task *task)
{
    request_answer((struct request *)task);
}

enum err request_make_op(struct request *request, const struct origin *origin, const char **why)
{
    const struct service *service = request->service;
    struct op *op = &request->task.op;
    request->arena.beside = origin->message.len;
    *op = (struct op){.kind = request->method->kind,
                      .holder = origin->holder,
                      .receipt = (struct op_receipt *)request->identified,
                      .now_ms = origin->now_ms,
                      .max_answer = service->options.max_answer,
                      .max_reply = origin->max_reply,
                      .max_value = service->host.limits.max_value};
    enum err err = decode(&request->method->decoder, origin->message, &request->arena, op, why);
    if (err == ERR_NONE)
        err = check_op(&service->host.limits, op, &request->arena, why);
    return err != ERR_NONE ? err : identity_permit(origin->principal, op, &request->arena, why);
}

struct origin request_origin(const struct request *request, int64_t now_ms)
{
    return (struct origin){.message = grpc_message_bytes(&request->message),
                           .holder = request->message.blob,
                           .principal = request->principal,
                           .max_reply = request->max_reply,
                           .now_ms = now_ms};
}
