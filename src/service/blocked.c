/*
 * A call that waits keeps its message rather than a request, which is large, and is decoded again
 * when it is its turn. It is in line at its keys (engine.h) until it is answered or has left.
 */
#include "service/blocked.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/principal.h"
#include "service/identified.h"
#include "service/notable.h"
#include "service/request.h"

#include <stdlib.h>

struct blocked {
    struct engine_waiter waiter; /* first: on_list finds it by it */
    struct timer timer;
    struct stream_waiter again; /* it was its turn, and a lock was held */
    struct service *service;
    const struct method *method;
    struct grpc_call *call;
    struct grpc_message message;
    uint64_t max_reply;
    struct identified *identified; /* it has a request id, and the claim */
    bool until_deadline;           /* what the timer is set for */
};

static struct origin blocked_origin(const struct blocked *blocked)
{
    return (struct origin){.message = grpc_message_bytes(&blocked->message),
                           .holder = blocked->message.blob,
                           .principal = grpc_call_principal(blocked->call),
                           .max_reply = blocked->max_reply,
                           .now_ms = blocked->service->host.now_ms};
}

void blocked_free(struct blocked *blocked)
{
    struct stream_host *host = &blocked->service->host;
    atomic_fetch_sub_explicit(&host->blocked, 1, memory_order_relaxed);
    engine_leave(host->engine, &blocked->waiter);
    timers_clear(&host->timers, &blocked->timer);
    stream_leave(host, &blocked->again);
    grpc_message_deinit(&blocked->message);
    identified_free(blocked->identified);
    free(blocked);
}

/* Ends the wait because the request gets an answer. */
static void blocked_end(struct blocked *blocked, struct request *request)
{
    request->call = blocked->call;
    request->max_reply = blocked->max_reply;
    request->message = blocked->message;
    request->principal = grpc_principal_retain(grpc_call_principal(blocked->call));
    request->is_detached = true;
    request->identified = blocked->identified;
    blocked->identified = NULL;
    blocked->message = (struct grpc_message){0};
    grpc_call_go_on(request->call);
    grpc_call_set_user(request->call, request);
    request->state = REQUEST_PENDING;
    blocked_free(blocked);
}

/* It may be the call's turn. If it is not, it stays where it is. */
static void blocked_try(struct blocked *blocked)
{
    struct service *service = blocked->service;
    struct request *request = request_take(service);
    struct origin origin = blocked_origin(blocked);
    const char *why;
    request->method = blocked->method;
    request->task.arena = &request->arena;
    request->task.on_done = request_on_done;
    request->identified = blocked->identified;
    enum err err = request_make_op(request, &origin, &why);
    if (err != ERR_NONE) {
        blocked_end(blocked, request);
        request_refuse(request, err, why);
        return;
    }
    request->task.op.move.take->waiter = &blocked->waiter.waiter;
    enum engine_answer answer = stream_submit(&service->host, &request->task);
    if (answer == ENGINE_WAITING || answer == ENGINE_HELD) {
        request->identified = NULL;
        request_recycle(request);
        if (answer == ENGINE_HELD)
            stream_wait(&service->host, &blocked->again);
        return;
    }
    blocked_end(blocked, request);
    if (answer == ENGINE_DONE)
        request_answer(request);
    else if (answer == ENGINE_COSTLY)
        service_offload(request);
}

bool blocked_may_go_on(struct blocked *blocked)
{
    struct request *request = request_take(blocked->service);
    struct origin origin = blocked_origin(blocked);
    const char *why;
    request->method = blocked->method;
    enum err err = request_make_op(request, &origin, &why);
    request_recycle(request);
    return err == ERR_NONE;
}

static void blocked_on_list(struct engine_waiter *waiter)
{
    blocked_try((struct blocked *)waiter);
}

static void blocked_resume(struct stream_waiter *again)
{
    blocked_try(CONTAINER_OF(again, struct blocked, again));
}

static void blocked_on_time(struct timer *timer)
{
    struct blocked *blocked = CONTAINER_OF(timer, struct blocked, timer);
    bool until_deadline = blocked->until_deadline;
    struct request *request = request_take(blocked->service);
    request->method = blocked->method;
    blocked_end(blocked, request);
    request->task.result = (struct op_result){0}; /* nothing was found */
    notable_note_nothing(request, request->arena.beside);
    if (until_deadline)
        request->task.result =
            (struct op_result){.err = ERR_DEADLINE,
                               .why = "the call's deadline passed while it waited for a list; "
                                      "nothing was popped"};
    request_answer(request);
}

/* Sets the timer for the end of the wait or the call's deadline. The time is rounded up, so that a
 * wait is never shorter than it was asked to be. */
static void blocked_limit(struct blocked *blocked, int64_t wait_ms)
{
    int64_t now_ms = clock_monotonic_ms() + 1, deadline_ms = grpc_call_deadline_ms(blocked->call);
    int64_t end_ms = wait_ms < 0 || wait_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + wait_ms;
    blocked->until_deadline = deadline_ms <= end_ms;
    if (blocked->until_deadline)
        end_ms = deadline_ms;
    if (end_ms != INT64_MAX)
        timers_set(&blocked->service->host.timers, &blocked->timer, end_ms);
}

void blocked_begin(struct request *request)
{
    struct service *service = request->service;
    int64_t wait_ms = request->task.op.move.take->wait_ms;
    request_detach(request);
    const char *why = grpc_call_wait(request->call);
    if (why != NULL) {
        request_fail(request, ERR_STOPPING, why);
        request_recycle(request);
        return;
    }
    struct blocked *blocked = mem_alloc_zero(sizeof *blocked);
    *blocked = (struct blocked){
        .waiter = {.on_list = blocked_on_list, .worker = service->options.worker},
        .timer.on_time = blocked_on_time,
        .again.resume = blocked_resume,
        .service = service,
        .method = request->method,
        .call = request->call,
        .message = request->message,
        .max_reply = request->max_reply,
        .identified = request->identified,
    };
    engine_init_waiter(service->options.engine, &blocked->waiter);
    atomic_fetch_add_explicit(&service->host.blocked, 1, memory_order_relaxed);
    request->message = (struct grpc_message){0};
    request->identified = NULL;
    grpc_call_set_user(request->call, blocked);
    request_recycle(request);
    blocked_limit(blocked, wait_ms);
    blocked_try(blocked);
}
