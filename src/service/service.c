/*
 * A call's way through decode, check, engine and encode. What a request needs in memory lives in a
 * struct request that is used again for the next one; only a call that the engine answers later
 * keeps its own for longer.
 */
#include "service/service.h"

#include "base/check.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "grpc/server.h"
#include "service/check.h"
#include "service/info.h"
#include "service/route.h"
#include "service/status.h"
#include "service/wire.h"

#include <mini_redis.pb-c.h>

#include <stdatomic.h>
#include <stdlib.h>

/* Requests that are worked off together, so that the engine can fetch their data ahead. */
#define MAX_BATCH 16

struct request {
    struct engine_task task; /* first: on_done finds the request by it */
    struct arena arena;
    struct service *service;
    const struct method *method;
    struct grpc_call *call; /* NULL: it was cancelled while it waited in the batch */
    bool batched;
    struct request *next; /* while it waits for use */
};

struct service {
    struct grpc_service grpc;
    struct engine *engine;
    unsigned part; /* of the engine, as it is used by this thread */
    const struct info_source *info;
    struct check_limits limits;
    size_t max_answer;
    atomic_uint_fast64_t commands; /* written by this thread alone */
    struct request *idle;
    struct request *batch[MAX_BATCH]; /* decoded and checked, in order of arrival */
    size_t batch_count;
    int64_t now_ms; /* the wall clock */
};

static struct request *take_request(struct service *service)
{
    struct request *request = service->idle;
    if (request == NULL) {
        request = mem_alloc_zero(sizeof *request);
        arena_init(&request->arena);
        request->service = service;
        request->task.part = service->part;
        return request;
    }
    service->idle = request->next;
    return request;
}

static void give_back(struct request *request)
{
    op_result_release(&request->task.result);
    arena_reset(&request->arena);
    request->next = request->service->idle;
    request->service->idle = request;
}

static void fail(struct request *request, enum err err, const char *why)
{
    struct grpc_status status = status_of(err, why);
    grpc_call_fail(request->call, &status);
}

/* Sends the engine's answer and ends the request. */
static void answer(struct request *request)
{
    const struct op_result *result = &request->task.result;
    if (result->err != ERR_NONE)
        fail(request, result->err, result->why);
    else
        encode(request->method->encoder, result, request->call);
    give_back(request);
}

static void on_done(struct engine_task *task)
{
    answer((struct request *)task);
}

static void submit(struct request *request)
{
    DCHECK(request->batched && request->call != NULL);
    request->batched = false;
    if (engine_submit(request->service->engine, &request->task) == ENGINE_DONE)
        answer(request);
}

/* Takes out of the batch what was cancelled since, for its message is gone. What is left. */
static size_t drop_cancelled(struct service *service)
{
    size_t count = 0;
    for (size_t i = 0; i < service->batch_count; i++) {
        if (service->batch[i]->call == NULL)
            give_back(service->batch[i]);
        else
            service->batch[count++] = service->batch[i];
    }
    DCHECK(count <= service->batch_count);
    return count;
}

static void on_batch_end(void *user)
{
    struct service *service = user;
    struct engine_task *tasks[MAX_BATCH];
    size_t count = drop_cancelled(service);
    for (size_t i = 0; i < count; i++)
        tasks[i] = &service->batch[i]->task;
    if (count > 1)
        engine_prepare(service->engine, tasks, count);
    service->batch_count = 0;
    for (size_t i = 0; i < count; i++)
        submit(service->batch[i]);
}

/* No other thread writes it, so this need not be one indivisible step. */
static void count_command(struct service *service)
{
    uint_fast64_t before = atomic_load_explicit(&service->commands, memory_order_relaxed);
    atomic_store_explicit(&service->commands, before + 1, memory_order_relaxed);
}

/* The operation of the message, as far as it can be judged without the data. */
static enum err make_op(struct request *request, struct slice message, const char **why)
{
    const struct service *service = request->service;
    struct op *op = &request->task.op;
    *op = (struct op){.kind = request->method->kind,
                      .holder = grpc_call_holder(request->call),
                      .now_ms = service->now_ms,
                      .max_answer = service->max_answer,
                      .max_reply = grpc_call_max_reply(request->call),
                      .max_value = service->limits.max_value};
    enum err err = decode(&request->method->decoder, message, &request->arena, op, why);
    return err != ERR_NONE ? err : check_op(&service->limits, op, &request->arena, why);
}

static void answer_info(struct request *request, struct slice message)
{
    const char *why;
    enum err err =
        info_answer(request->service->info, message, &request->arena, request->call, &why);
    if (err != ERR_NONE)
        fail(request, err, why);
    give_back(request);
}

/* What came before it in this read is a part of the snapshot. */
static void answer_save(struct request *request, struct slice message)
{
    struct service *service = request->service;
    void *decoded;
    enum err err =
        wire_decode(&keystore__v1__save_request__descriptor, message, &request->arena, &decoded);
    on_batch_end(service);
    if (err != ERR_NONE) {
        fail(request, err,
             "the message does not decode as SaveRequest; see proto/mini_redis.proto");
        give_back(request);
        return;
    }
    const Keystore__V1__SaveRequest *save = decoded;
    grpc_call_set_user(request->call, request);
    if (engine_save(service->engine, &request->task, save->wait) == ENGINE_DONE)
        answer(request);
}

static void on_request(void *user, struct grpc_call *call, const void *method, struct slice message)
{
    struct service *service = user;
    struct request *request = take_request(service);
    struct engine_task *task = &request->task;
    const char *why;
    count_command(service);
    request->call = call;
    request->method = method;
    request->batched = false;
    task->arena = &request->arena;
    task->on_done = on_done;
    if (request->method->type == METHOD_INFO) {
        answer_info(request, message);
        return;
    }
    if (request->method->type == METHOD_SAVE) {
        answer_save(request, message);
        return;
    }
    enum err err = make_op(request, message, &why);
    if (err != ERR_NONE) {
        fail(request, err, why);
        give_back(request);
        return;
    }
    grpc_call_set_user(call, request);
    request->batched = true;
    CHECK(service->batch_count < MAX_BATCH);
    service->batch[service->batch_count++] = request;
    if (service->batch_count == MAX_BATCH)
        on_batch_end(service);
}

static void on_cancel(void *user, struct grpc_call *call)
{
    struct service *service = user;
    struct request *request = grpc_call_user(call);
    CHECK(request->call == call);
    if (request->batched) {
        request->call = NULL; /* the batch lets it go */
        return;
    }
    engine_cancel(service->engine, &request->task);
    give_back(request);
}

static const void *find_method(void *user, struct slice path)
{
    (void)user;
    return route_find(path);
}

struct service *service_new(struct engine *engine, unsigned part, const struct info_source *info,
                            size_t max_value, size_t max_answer)
{
    struct service *service = mem_alloc(sizeof *service);
    *service = (struct service){
        .engine = engine,
        .part = part,
        .info = info,
        .limits = {.databases = engine->databases, .max_value = max_value},
        .max_answer = max_answer,
        .grpc = {.user = service,
                 .find_method = find_method,
                 .unknown_method = "this server has no such method; docs/operations.md lists those "
                                   "it has, and a path is /keystore.v1.KeyStore/NAME or "
                                   "/keystore.v1.KeyStoreAdmin/NAME",
                 .on_request = on_request,
                 .on_batch_end = on_batch_end,
                 .on_cancel = on_cancel,
                 .status_of = status_of},
    };
    return service;
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    CHECK(service->batch_count == 0);
    while (service->idle != NULL) {
        struct request *request = service->idle;
        service->idle = request->next;
        arena_deinit(&request->arena);
        free(request);
    }
    free(service);
}

void service_set_time(struct service *service, int64_t now_ms)
{
    service->now_ms = now_ms;
}

const struct grpc_service *service_grpc(const struct service *service)
{
    return &service->grpc;
}

uint64_t service_commands(const struct service *service)
{
    return atomic_load_explicit(&service->commands, memory_order_relaxed);
}
