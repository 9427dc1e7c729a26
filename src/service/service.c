/*
 * Dispatches calls: decode, check, engine, encode (answer.c). The memory of a request is a struct
 * request that is reused for the next one; a call that the engine answers later keeps its own until
 * then.
 *
 * A worker must not spend long on one call. So a large request is decoded, carried out and encoded
 * by another thread (offload.h), as is one that the engine finds to take long. A request whose keys
 * are locked by such a one is held, and starts again from its message when they are free.
 */
#include "service/service.h"

#include "access/access.h"
#include "base/chain.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/gzip.h"
#include "grpc/metadata.h"
#include "grpc/principal.h"
#include "service/admit.h"
#include "service/audited.h"
#include "service/blocked.h"
#include "service/check.h"
#include "service/health_calls.h"
#include "service/identified.h"
#include "service/info.h"
#include "service/latency.h"
#include "service/notable.h"
#include "service/request.h"
#include "service/slowlog.h"
#include "service/status.h"
#include "service/streams/channels.h"
#include "service/streams/health_watch.h"
#include "service/streams/publish.h"
#include "service/streams/watch_feed.h"

#include <mini_redis.pb-c.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Decoding and carrying out a larger message takes more than a millisecond: with many keys or
 * values, which may be 10 bytes each and take 200 ns; or with one value, which is logged. */
#define MANY_BYTES ((size_t)64 * 1024)
#define ONE_BYTES  ((size_t)4 * 1024 * 1024)

/* A request that was held as often, by one long request after the other, waits for its locks on
 * another thread. */
#define MOST_HOLDS 4

/* ---- on another thread ---- */

/* Answers the message of a call about the server; as info_answer(). */
typedef enum err report_function(const struct service_options *options, struct slice message,
                                 struct arena *arena, struct chain *reply, const char **why);

static enum err service_answer_info(struct request *request, const char **why)
{
    static report_function *const reports[] = {[REPORT_INFO] = info_report,
                                               [REPORT_LATENCY] = latency_report,
                                               [REPORT_SLOW_LOG] = slowlog_report};
    return reports[request->method->report](&request->service->options,
                                            grpc_message_bytes(&request->message), &request->arena,
                                            &request->reply, why);
}

/* The reply to a request that is repeated is for those who may make it. */
static enum err service_judge_identified(struct request *request, int64_t now_ms, const char **why)
{
    struct origin origin = request_origin(request, now_ms);
    if (request->identified == NULL || request->principal == NULL)
        return ERR_NONE;
    enum err err = request_make_op(request, &origin, why);
    if (err == ERR_NONE)
        arena_reset(&request->arena);
    return err;
}

/* False: there is nothing to carry out, or not yet. */
static bool service_run_claim(struct request *request)
{
    if (request->identified == NULL)
        return true;
    enum identified_answer answer =
        identified_claim(request, grpc_message_bytes(&request->message));
    request->must_hold = answer == IDENTIFIED_BUSY;
    return answer == IDENTIFIED_GO;
}

static enum err service_run_op(struct request *request, const char **why)
{
    struct engine_task *task = &request->task;
    struct origin origin = request_origin(request, clock_unix_ms());
    enum err err = service_judge_identified(request, origin.now_ms, why);
    if (err != ERR_NONE) {
        notable_note_nothing(request, origin.message.len);
        return err;
    }
    if (!service_run_claim(request)) {
        notable_note_nothing(request, origin.message.len);
        *why = task->result.why;
        return task->result.err;
    }
    err = request_make_op(request, &origin, why);
    if (err != ERR_NONE) {
        notable_note_nothing(request, origin.message.len);
        return err;
    }
    notable_note(request);
    request->note.offloaded = true;
    engine_run(request->service->options.engine, task);
    *why = task->result.why;
    if (task->result.err != ERR_NONE)
        return task->result.err;
    request->must_wait = op_waits(&task->op) && !task->result.ok;
    if (request->must_wait)
        return ERR_NONE;
    if (request->identified != NULL)
        identified_end(request);
    const struct encoder *encoder = request->method->encoder;
    grpc_reply_begin(&request->reply, encoder->size(&task->result));
    encoder->write(&task->result, &request->reply);
    return ERR_NONE;
}

/* The message and the key of an error may be in the arena, which is reset. */
static void service_keep_error(struct request *request, const char *why, struct slice *key)
{
    snprintf(request->why, sizeof request->why, "%s", why);
    slice_write(request->wrong_key, *key);
    key->data = request->wrong_key;
}

/* Also releases here, not on the worker, what is large. */
static void service_run(struct offload_job *job)
{
    struct request *request = request_of_job(job);
    struct op_result *result = &request->task.result;
    const char *why = NULL;
    if (atomic_load(&request->is_abandoned))
        return;
    enum err err = request->method->type == METHOD_INFO ? service_answer_info(request, &why)
                                                        : service_run_op(request, &why);
    struct op_result kept = op_result_error(result);
    kept.err = err;
    kept.seen = result->seen;
    op_result_release(result);
    if (err != ERR_NONE)
        service_keep_error(request, why, &kept.key);
    kept.why = request->why;
    *result = kept;
    if (request->wants_gzip && chain_length(&request->reply) > 0)
        grpc_reply_compress(&request->reply);
    if (!request->must_wait && !request->must_hold)
        grpc_message_deinit(&request->message);
    arena_reset(&request->arena);
}

/* ---- dispatch ---- */

static void service_submit_again(struct request *request);
static void service_hold(struct request *request);

/* The result is set: sends it when it may be shown. */
static void service_settle(struct request *request)
{
    request->state = REQUEST_PENDING;
    if (request->method->type == METHOD_INFO ||
        engine_settle(request->service->options.engine, &request->task) == ENGINE_DONE)
        request_answer(request);
    else
        request->note.waited_for_disk = true;
}

static void service_finish(struct request *request)
{
    if (request->call == NULL) {
        request_recycle(request);
        return;
    }
    if (request->must_wait) {
        request->must_wait = false;
        request->state = REQUEST_NEW;
        service_submit_again(request);
        return;
    }
    if (request->must_hold) {
        request->must_hold = false;
        service_hold(request);
        return;
    }
    service_settle(request);
}

static void service_finish_job(struct offload_job *job)
{
    service_finish(request_of_job(job));
}

void service_offload(struct request *request)
{
    struct offload *offload = request->service->options.offload;
    request_detach(request);
    request->wants_gzip = grpc_call_wants_gzip(request->call);
    arena_reset(&request->arena);
    request->task.result = (struct op_result){0};
    if (offload != NULL) {
        request_start_job(request, service_run, service_finish_job);
        return;
    }
    request->state = REQUEST_OFFLOADED;
    service_run(&request->job);
    service_finish(request);
}

/* Appends the request to those that wait for long ones to end. */
static void service_hold(struct request *request)
{
    struct service *service = request->service;
    request_detach(request);
    arena_reset(&request->arena);
    request->state = REQUEST_HELD;
    request->next = NULL;
    request->previous = service->last_held;
    *(request->previous != NULL ? &request->previous->next : &service->held) = request;
    service->last_held = request;
    service->held_count++;
}

static void service_unhold(struct request *request)
{
    struct service *service = request->service;
    *(request->previous != NULL ? &request->previous->next : &service->held) = request->next;
    *(request->next != NULL ? &request->next->previous : &service->last_held) = request->previous;
    request->state = REQUEST_NEW;
    service->held_count--;
}

/* ---- submitting ---- */

/* An answer of the engine that few requests get. */
static void service_defer(struct request *request, enum engine_answer answer)
{
    switch (answer) {
    case ENGINE_DONE:
    case ENGINE_PENDING:
        break;
    case ENGINE_HELD:
        if (request->holds++ < MOST_HOLDS)
            service_hold(request);
        else
            service_offload(request);
        break;
    case ENGINE_COSTLY:
        service_offload(request);
        break;
    case ENGINE_WAITING:
        blocked_begin(request);
        break;
    }
}

static void service_submit(struct request *request)
{
    DCHECK(request->call != NULL);
    request->state = REQUEST_PENDING;
    enum engine_answer answer = stream_submit(&request->service->host, &request->task);
    if (answer == ENGINE_DONE)
        request_answer(request);
    else if (answer == ENGINE_PENDING)
        notable_note_pending(request);
    else
        service_defer(request, answer);
}

/* Starts again from the message. */
static void service_submit_again(struct request *request)
{
    struct origin origin = request_origin(request, request->service->host.now_ms);
    const char *why;
    enum err err = request_make_op(request, &origin, &why);
    if (err == ERR_NONE) {
        service_submit(request);
        return;
    }
    request_refuse(request, err, why);
}

/* True if the message of an operation alone says that it takes long. */
static bool service_is_bulky(const struct method *method, size_t size)
{
    if (size <= MANY_BYTES)
        return false;
    bool has_one = op_info(method->kind)->keys == OP_KEYS_KEY && !op_is(method->kind, OP_HAS_MANY);
    return !has_one || size > ONE_BYTES;
}

/* Starts a request that owns its message and has a request id: carries it out if it gets the claim.
 */
static void service_start_identified(struct request *request)
{
    struct slice message = grpc_message_bytes(&request->message);
    if (service_is_bulky(request->method, message.len)) { /* it is hashed there, too */
        service_offload(request);
        return;
    }
    const char *why;
    enum err err = service_judge_identified(request, request->service->host.now_ms, &why);
    if (err != ERR_NONE) {
        request_refuse(request, err, why);
        return;
    }
    switch (identified_claim(request, message)) {
    case IDENTIFIED_GO:
        service_submit_again(request);
        break;
    case IDENTIFIED_ANSWERED:
        notable_note_nothing(request, message.len);
        service_settle(request);
        break;
    case IDENTIFIED_BUSY:
        service_hold(request);
        break;
    }
}

/* Requests that are held again go to the end of the list, so that each has one turn. An answer may
 * end a connection, and with it other requests of the list. */
static void service_submit_held(struct service *service)
{
    for (size_t left = service->held_count; left > 0 && service->held != NULL; left--) {
        struct request *request = service->held;
        service_unhold(request);
        if (request->identified != NULL)
            service_start_identified(request);
        else
            service_submit_again(request);
    }
}

static void service_finish_offloaded(struct service *service)
{
    struct offload *offload = service->options.offload;
    struct offload_job *job;
    while (offload != NULL && (job = offload_take(offload, service->options.worker)) != NULL)
        job->finish(job);
}

void service_resume(struct service *service)
{
    service_set_time(service, clock_unix_ms());
    service_finish_offloaded(service);
    service_submit_held(service);
    if (service->host.channels != NULL)
        channels_deliver(service->host.channels, service->host.worker);
    stream_resume_all(&service->host);
}

/* Removes what was cancelled from the batch, for its message is gone. Returns what is left. */
static size_t service_drop_cancelled(struct service *service)
{
    size_t count = 0;
    for (size_t i = 0; i < service->batch_count; i++) {
        if (service->batch[i]->call == NULL)
            request_recycle(service->batch[i]);
        else
            service->batch[count++] = service->batch[i];
    }
    DCHECK(count <= service->batch_count);
    return count;
}

static void service_on_batch_end(void *user)
{
    struct service *service = user;
    struct engine_task *tasks[MAX_BATCH];
    size_t count = service_drop_cancelled(service);
    for (size_t i = 0; i < count; i++)
        tasks[i] = &service->batch[i]->task;
    if (count > 1)
        engine_prepare(service->options.engine, tasks, count);
    service->batch_count = 0;
    for (size_t i = 0; i < count; i++)
        service_submit(service->batch[i]);
}

/* Only this thread writes it, so this need not be one atomic step. */
static void service_count_command(struct service *service)
{
    uint_fast64_t before = atomic_load_explicit(&service->commands, memory_order_relaxed);
    atomic_store_explicit(&service->commands, before + 1, memory_order_relaxed);
}

/* The snapshot contains what came before it in this read. */
static void service_answer_save(struct request *request, struct slice message)
{
    struct service *service = request->service;
    const char *why;
    void *decoded;
    enum err err = decode_message(&keystore__v1__save_request__descriptor, message, &request->arena,
                                  &decoded, &why);
    service_on_batch_end(service);
    if (err != ERR_NONE) {
        request_fail(request, err, why);
        request_recycle(request);
        return;
    }
    const Keystore__V1__SaveRequest *save = decoded;
    request->state = REQUEST_PENDING;
    if (engine_save(service->options.engine, &request->task, save->wait) == ENGINE_DONE)
        request_answer(request);
}

/* To those who subscribe; it is answered when it is on its way to them. */
static void service_answer_publish(struct request *request, struct slice message)
{
    struct op_result *result = &request->task.result;
    uint64_t subscriptions;
    *result = (struct op_result){0};
    result->err =
        publish(&request->service->host, grpc_call_principal(request->call), message,
                grpc_call_holder(request->call), &request->arena, &subscriptions, &result->why);
    result->ok = subscriptions > 0;
    result->count = (int64_t)subscriptions;
    request_answer(request);
}

/* A request that is no operation. */
static void service_start_other(struct request *request, struct slice message)
{
    switch (request->method->type) {
    case METHOD_INFO:
        service_offload(request);
        break;
    case METHOD_SAVE:
        service_answer_save(request, message);
        break;
    case METHOD_PUBLISH:
        service_answer_publish(request, message);
        break;
    case METHOD_HEALTH_CHECK:
        health_calls_check(request, message);
        break;
    case METHOD_HEALTH_LIST:
        health_calls_list(request, message);
        break;
    case METHOD_OP:
    case METHOD_STREAM:
        break;
    }
}

static void service_on_request(void *user, struct grpc_call *call, const void *found,
                               struct slice message)
{
    struct service *service = user;
    const struct method *method = found;
    struct request *request = request_take(service);
    struct engine_task *task = &request->task;
    const char *why;
    service_count_command(service);
    request->call = call;
    request->method = method;
    task->arena = &request->arena;
    task->on_done = request_on_done;
    grpc_call_set_user(call, request);
    const struct grpc_metadata *metadata = grpc_call_metadata(call);
    if (metadata != NULL && identified_init(request, metadata)) {
        request_detach(request);
        service_start_identified(request);
        return;
    }
    if (method->type != METHOD_OP) {
        service_start_other(request, message);
        return;
    }
    if (service_is_bulky(method, message.len)) {
        service_offload(request);
        return;
    }
    struct origin origin = {.message = message,
                            .holder = grpc_call_holder(call),
                            .principal = grpc_call_principal(call),
                            .max_reply = grpc_call_max_reply(call),
                            .now_ms = service->host.now_ms};
    enum err err = request_make_op(request, &origin, &why);
    if (err != ERR_NONE) {
        request_refuse(request, err, why);
        return;
    }
    request->state = REQUEST_BATCHED;
    CHECK(service->batch_count < MAX_BATCH);
    service->batch[service->batch_count++] = request;
    if (service->batch_count == MAX_BATCH)
        service_on_batch_end(service);
}

static void service_on_cancel(void *user, struct grpc_call *call)
{
    struct service *service = user;
    if (grpc_call_is_waiting(call)) {
        blocked_free(grpc_call_user(call));
        return;
    }
    struct request *request = grpc_call_user(call);
    switch (request->state) {
    case REQUEST_BATCHED: /* service_drop_cancelled() recycles it */
        request->call = NULL;
        CHECK(service->batch_count < MAX_BATCH);
        return;
    case REQUEST_OFFLOADED: /* service_finish() recycles it */
        request->call = NULL;
        atomic_store(&request->is_abandoned, true);
        return;
    case REQUEST_HELD:
        service_unhold(request);
        break;
    case REQUEST_PENDING:
        engine_cancel(service->options.engine, &request->task);
        break;
    case REQUEST_NEW:
        break;
    }
    request_recycle(request);
}

/* ---- what else takes long ---- */

struct service_work {
    struct offload_job job;
    struct grpc_job *of; /* gRPC's */
};

static void service_run_work(struct offload_job *job)
{
    struct service_work *work = CONTAINER_OF(job, struct service_work, job);
    work->of->run(work->of);
}

static void service_finish_work(struct offload_job *job)
{
    struct service_work *work = CONTAINER_OF(job, struct service_work, job);
    work->of->finish(work->of, clock_monotonic_ms());
    free(work);
}

static void service_run_elsewhere(void *user, struct grpc_job *job)
{
    struct service *service = user;
    struct service_work *work = mem_alloc(sizeof *work);
    work->of = job;
    stream_offload(&service->host, &work->job, service_run_work, service_finish_work);
}

/* ---- the service ---- */

static void service_on_outcome(void *user, struct grpc_call *call,
                               const struct grpc_outcome *outcome)
{
    const struct service *service = user;
    audited_on_outcome(&service->options, call, outcome);
    notable_on_outcome(user, call, outcome);
}

static void service_on_denied(void *user, struct grpc_call *call, enum op_kind kind,
                              const struct op_result *result)
{
    const struct service *service = user;
    const struct method *method = route_find(SLICE_LITERAL("/keystore.v1.KeyStore/Pipeline"));
    audited_note_operation(&service->options, call, method, kind, result);
}

static void service_on_login(void *user, struct grpc_call *call, const char *name)
{
    const struct service *service = user;
    const struct method *method =
        route_find(SLICE_LITERAL("/keystore.v1.KeyStoreAuth/Authenticate"));
    audited_note_login(&service->options, call, method, name);
}

static bool service_tells_all(const void *method)
{
    return route_is_admin(method);
}

static const void *service_find_method(void *user, struct slice path)
{
    (void)user;
    return route_find(path);
}

static const void *service_find_health_method(void *user, struct slice path)
{
    (void)user;
    return route_find_health(path);
}

static size_t service_number_of(const void *found)
{
    return route_method_number(found);
}

static const char *service_refuses(void *user, const void *method,
                                   const struct grpc_metadata *metadata)
{
    const struct service *service = user;
    return identified_refuses(service->options.engine, method, metadata);
}

/* What a call of the method counts in. Whether the server works is asked most urgently when it has
 * too much to do, so health checks count in nothing; and an administrator may have to see, and end,
 * what uses up the limit of all. */
static unsigned service_scope(const struct method *method)
{
    if (method->needs == METHOD_NEEDS_NOTHING)
        return 0;
    return method->needs == METHOD_NEEDS_ADMIN ? QUOTA_HOLDS_USER
                                               : QUOTA_HOLDS_ALL | QUOTA_HOLDS_USER;
}

static bool service_enter(void *user, const void *method, const struct grpc_principal *principal,
                          int64_t now_ns, uint8_t *holds, struct grpc_status *status)
{
    const struct service *service = user;
    return quota_enter(&service->host.quota, service_scope(method), principal, now_ns, holds,
                       status);
}

static void service_count(void *user, const void *method, const struct grpc_principal *principal,
                          uint8_t *holds)
{
    const struct service *service = user;
    quota_count(&service->host.quota, service_scope(method), principal, holds);
}

static void service_leave(void *user, const struct grpc_principal *principal, uint8_t holds)
{
    const struct service *service = user;
    quota_leave(&service->host.quota, principal, holds);
}

void service_settle_quota(struct service *service)
{
    service->grpc.counts_calls = quota_has_limits(&service->host.quota, service->access);
}

static const struct grpc_stream_method *service_stream_of(const void *found)
{
    const struct method *method = found;
    return method->stream;
}

/* Has service_resume() called. */
static void service_on_due(struct timer *timer)
{
    struct stream_host *host = CONTAINER_OF(timer, struct stream_host, due);
    waker_wake(host->waker);
}

struct stream_host *stream_host_of(void *user)
{
    struct service *service = user;
    return &service->host;
}

struct service *service_new(const struct service_options *options)
{
    struct service *service = mem_alloc(sizeof *service);
    *service = (struct service){
        .options = *options,
        .grpc = {.user = service,
                 .find_method = service_find_method,
                 .number_of = service_number_of,
                 .counted = route_method_count(),
                 .refuses = service_refuses,
                 .stream_of = service_stream_of,
                 .unknown_method = "this server has no such method; docs/operations.md lists those "
                                   "it has, and a path is /keystore.v1.KeyStore/NAME or "
                                   "/keystore.v1.KeyStoreAdmin/NAME",
                 .on_request = service_on_request,
                 .on_batch_end = service_on_batch_end,
                 .on_cancel = service_on_cancel,
                 .run_elsewhere = options->offload != NULL ? service_run_elsewhere : NULL,
                 .status_of = status_of,
                 .tells_all = options->audit != NULL ? service_tells_all : NULL,
                 .enter = service_enter,
                 .count = service_count,
                 .leave = service_leave,
                 .on_outcome = service_on_outcome},
        .host = {.engine = options->engine,
                 .offload = options->offload,
                 .channels = options->channels,
                 .clients = options->clients,
                 .settings = options->settings,
                 .authenticator = options->authenticator,
                 .find_address = options->find_address,
                 .worker = options->worker,
                 .activity = options->activity,
                 .waker = options->waker,
                 .protoset = options->protoset,
                 .health = options->health,
                 .quota = options->quota,
                 .limits = {.databases = options->engine->databases,
                            .max_value = options->max_value},
                 .max_answer = options->max_answer},
    };
    if (options->access != NULL) {
        service->grpc.admit = admit_call;
        service->grpc.is_current = admit_is_current;
        service->grpc.review = admit_review;
    }
    if (options->audit != NULL) {
        service->host.on_denied = service_on_denied;
        service->host.on_login = service_on_login;
        service->host.audit_user = service;
    }
    service->grpc_health = service->grpc;
    service_settle_quota(service);
    service->grpc_health.find_method = service_find_health_method;
    service->grpc_health.unknown_method =
        "this address serves only health checks, the methods of /grpc.health.v1.Health/ "
        "(--health-listen); the others are served at the addresses of --listen";
    stream_host_init(&service->host);
    service->host.due.on_time = service_on_due;
    timers_init(&service->host.timers, options->alarm);
    return service;
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    service_finish_offloaded(service);
    stream_resume_all(&service->host); /* what cancelled streams have left to be done */
    CHECK(service->batch_count < MAX_BATCH && service->host.first == NULL);
    stream_host_deinit(&service->host);
    grpc_principal_release(service->newest);
    access_release(service->access);
    while (service->idle != NULL) {
        struct request *request = service->idle;
        service->idle = request->next;
        arena_deinit(&request->arena);
        free(request);
    }
    free(service);
}

int64_t service_run_timers(struct service *service, int64_t now_ms)
{
    watch_feed_measure(&service->host, now_ms);
    return timers_run(&service->host.timers, now_ms);
}

void service_tell_health(struct service *service)
{
    health_watch_tell(&service->host);
}

void service_set_quota(struct service *service, const struct quota_settings *settings)
{
    service->host.quota.settings = *settings;
    service_settle_quota(service);
}

void service_set_time(struct service *service, int64_t now_ms)
{
    service->host.now_ms = now_ms;
}

const struct grpc_service *service_grpc(const struct service *service)
{
    return &service->grpc;
}

const struct grpc_service *service_grpc_health(const struct service *service)
{
    return &service->grpc_health;
}

uint64_t service_blocked(const struct service *service)
{
    return atomic_load_explicit(&service->host.blocked, memory_order_relaxed);
}

void service_count_streams(const struct service *service, struct stream_counts *sum)
{
    stream_counts_add(sum, &service->host.counters);
}

uint64_t service_commands(const struct service *service)
{
    return atomic_load_explicit(&service->commands, memory_order_relaxed);
}
