/*
 * A page is made when the caller has room, and written in the same call if it is there by then. It
 * is not if the engine answers later, or if others have their turn first; then the caller is asked
 * again. So what a caller does not read costs one page, which waits in the call.
 */
#include "service/streams/pages.h"

#include "base/check.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/field.h"

#include <stdlib.h>

static const char stopping[] = "the server, or this connection, is shutting down; start again";

/* ---- life ---- */

/* The engine and the host know nothing of it afterwards. */
static void pages_free(struct pages *pages)
{
    if (pages->is_pending)
        engine_cancel(pages->host->engine, &pages->task);
    stream_leave(pages->host, &pages->waiter);
    op_result_release(&pages->task.result);
    pages->method->release(pages);
    arena_deinit(&pages->request);
    free(pages);
}

/* `why` may be in the memory of the stream. */
static void pages_end(struct pages *pages, enum err err, const char *why)
{
    stream_end(pages->call, err, why);
    pages_free(pages);
}

static void pages_end_failed(struct pages *pages)
{
    stream_end_failed(pages->call, &pages->task.result);
    pages_free(pages);
}

/* ---- pages ---- */

static void pages_resume(struct stream_waiter *waiter);

/* Works on the next page. False if the call has ended, or there is no page yet. */
static bool pages_prepare(struct pages *pages)
{
    if (pages->is_ready)
        return true;
    if (pages->is_pending || pages->waiter.link != NULL)
        return false;
    switch (pages->method->fill(pages)) {
    case PAGES_READY:
        break;
    case PAGES_PENDING:
        pages->is_pending = true;
        return false;
    case PAGES_HELD:
        stream_wait(pages->host, &pages->waiter);
        return false;
    case PAGES_MORE:
        stream_yield(pages->host, &pages->waiter);
        return false;
    }
    if (pages->task.result.err != ERR_NONE) {
        pages_end_failed(pages);
        return false;
    }
    pages->is_ready = true;
    return true;
}

static void pages_resume(struct stream_waiter *waiter)
{
    struct pages *pages = (struct pages *)waiter;
    if (pages_prepare(pages))
        grpc_stream_ready(pages->call);
}

static void pages_on_done(struct engine_task *task)
{
    struct pages *pages = CONTAINER_OF(task, struct pages, task);
    pages->is_pending = false;
    if (task->result.err != ERR_NONE) {
        pages_end_failed(pages);
        return;
    }
    pages->is_ready = true;
    grpc_stream_ready(pages->call);
}

void pages_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct pages *pages = grpc_call_user(call);
    (void)user;
    (void)room;
    if (!pages_prepare(pages))
        return;
    pages->is_ready = false;
    if (pages->method->write(pages))
        pages_end(pages, ERR_NONE, NULL);
}

/* ---- the request ---- */

static enum err pages_begin(struct pages *pages, struct slice message, const char **why)
{
    uint8_t *copy = arena_unfold(&pages->request, message.len + 1);
    if (copy == NULL)
        return field_refuse_memory(&pages->request, why);
    slice_write(copy, message);
    return pages->method->begin(pages, slice_make(copy, message.len), why);
}

void pages_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct pages *pages = grpc_call_user(call);
    const char *why;
    (void)user;
    if (pages->has_begun) {
        pages_end(pages, ERR_NOT_SERVED, STREAM_SECOND_MESSAGE);
        return;
    }
    pages->has_begun = true;
    enum err err = pages_begin(pages, message, &why);
    if (err != ERR_NONE)
        pages_end(pages, err, why);
    else
        grpc_stream_ready(call);
}

void pages_on_half_close(void *user, struct grpc_call *call)
{
    struct pages *pages = grpc_call_user(call);
    (void)user;
    if (!pages->has_begun)
        pages_end(pages, ERR_NOT_SERVED, STREAM_NO_MESSAGE);
}

void pages_open(void *user, struct grpc_call *call, const struct pages_method *method)
{
    struct stream_host *host = stream_host_of(user);
    struct pages *pages = mem_alloc_zero(method->size);
    pages->waiter.resume = pages_resume;
    pages->task = (struct engine_task){
        .arena = &pages->request, .on_done = pages_on_done, .worker = host->worker};
    pages->method = method;
    pages->host = host;
    pages->call = call;
    arena_init(&pages->request);
    grpc_call_set_user(call, pages);
}

void pages_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    pages_end(grpc_call_user(call), ERR_STOPPING, stopping);
}

void pages_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    pages_free(grpc_call_user(call));
}

bool pages_size(uint32_t page_bytes, size_t *size, const char **why)
{
    *size = page_bytes != 0 ? page_bytes : PAGES_DEFAULT;
    if (*size <= PAGES_MAX)
        return true;
    *why = "page_bytes: it is more than 1048576 (1 MiB); leave it unset for 64 KiB";
    return false;
}
