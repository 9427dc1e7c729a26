/*
 * A call's way through decode, check, engine and encode. What a request needs in memory lives in a
 * struct request that is used again for the next one; only a call that the engine answers later
 * keeps its own for longer.
 */
#include "service/service.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "grpc/server.h"
#include "service/route.h"
#include "service/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Requests that are worked off together, so that the engine can fetch their data ahead. */
#define MAX_BATCH 16
/* Longest sentence that is made from numbers. */
#define MAX_SENTENCE 200

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
    size_t max_value;
    size_t max_answer;
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

__attribute__((format(printf, 2, 3))) static const char *sentence(struct request *request,
                                                                  const char *format, ...)
{
    char *text = arena_alloc(&request->arena, MAX_SENTENCE);
    va_list args;
    va_start(args, format);
    vsnprintf(text, MAX_SENTENCE, format, args);
    va_end(args);
    return text;
}

/* True if no value is longer than the server takes. */
static bool values_fit(const struct op *op, size_t max_value)
{
    if (op->value.len > max_value)
        return false;
    for (size_t i = 0; i < op->value_count; i++) {
        if (op->values[i].len > max_value)
            return false;
    }
    return true;
}

/* What every operation must obey. */
static enum err check(struct request *request, const char **why)
{
    const struct service *service = request->service;
    const struct op *op = &request->task.op;
    if (op->key.len == 0) {
        *why = "the key is empty; a key is 1 byte to 64 KiB";
        return ERR_BAD_ARGUMENT;
    }
    if (op->key.len > OP_MAX_KEY) {
        *why = sentence(request, "the key has %zu bytes; a key is 1 byte to 64 KiB", op->key.len);
        return ERR_TOO_LARGE;
    }
    if (op->db >= service->engine->databases) {
        *why = sentence(request, "there is no database %u; this server has 0 to %u", op->db,
                        service->engine->databases - 1);
        return ERR_BAD_ARGUMENT;
    }
    if (!values_fit(op, service->max_value)) {
        *why = sentence(request, "a value is longer than the %zu bytes of --max-value",
                        service->max_value);
        return ERR_TOO_LARGE;
    }
    return ERR_NONE;
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
        request->method->encode(result, request->call);
    give_back(request);
}

static void on_done(struct engine_task *task)
{
    answer((struct request *)task);
}

static void submit(struct request *request)
{
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

static void on_request(void *user, struct grpc_call *call, const void *method, struct slice message)
{
    struct service *service = user;
    struct request *request = take_request(service);
    struct engine_task *task = &request->task;
    const char *why;
    request->call = call;
    request->method = method;
    task->op = (struct op){.kind = request->method->kind, .max_answer = service->max_answer};
    task->result = (struct op_result){0};
    task->arena = &request->arena;
    task->now_ms = service->now_ms;
    task->on_done = on_done;
    enum err err = request->method->decode(message, &request->arena, &task->op, &why);
    if (err == ERR_NONE)
        err = check(request, &why);
    if (err != ERR_NONE) {
        fail(request, err, why);
        give_back(request);
        return;
    }
    grpc_call_set_user(call, request);
    request->batched = true;
    service->batch[service->batch_count++] = request;
    if (service->batch_count == MAX_BATCH)
        on_batch_end(service);
}

static void on_cancel(void *user, struct grpc_call *call)
{
    struct service *service = user;
    struct request *request = grpc_call_user(call);
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

struct service *service_new(struct engine *engine, size_t max_value, size_t max_answer)
{
    struct service *service = mem_alloc(sizeof *service);
    *service = (struct service){
        .engine = engine,
        .max_value = max_value,
        .max_answer = max_answer,
        .grpc = {.user = service,
                 .find_method = find_method,
                 .unknown_method = "this server has no such method; the path is "
                                   "/keystore.v1.KeyStore/ and one of Set, Get, Delete, LPush, "
                                   "LRange, LPop",
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
