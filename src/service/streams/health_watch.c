/*
 * Statuses are not queued: when there is room, the status of that moment is written, unless it is
 * the one that was written last. What has changed is noticed by looking, since a status depends on
 * several things, of which none is told who watches.
 */
#include "service/streams/health_watch.h"

#include "base/arena.h"
#include "base/chain.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/decode.h"
#include "service/health.h"
#include "service/streams/host.h"
#include "service/wire.h"

#include <grpc/health/v1/health.pb-c.h>

#include <stdlib.h>

enum { RESPONSE_STATUS = 1 };

static const char health_watch_stops[] =
    "the server is shutting down; connect to another, or again later";

struct health_watch {
    struct stream_host *host;
    struct grpc_call *call;
    const struct health_service *service; /* NULL: unknown */
    enum health_status told;              /* written last; 0 = none */
    bool is_asking;                       /* on_room is going to be called */
    bool has_request;
    struct health_watch *next, **link; /* in host->health_watches, once it has a request */
};

static enum health_status health_watch_status(const struct health_watch *watch)
{
    return health_status(watch->host->health, watch->service);
}

static void health_watch_look(struct health_watch *watch)
{
    if (watch->is_asking || health_watch_status(watch) == watch->told)
        return;
    watch->is_asking = true;
    grpc_stream_ready(watch->call);
}

void health_watch_tell(struct stream_host *host)
{
    for (struct health_watch *watch = host->health_watches, *next; watch != NULL; watch = next) {
        next = watch->next;
        health_watch_look(watch);
    }
}

static void health_watch_link(struct health_watch *watch)
{
    struct health_watch **first = &watch->host->health_watches;
    watch->next = *first;
    watch->link = first;
    if (watch->next != NULL)
        watch->next->link = &watch->next;
    *first = watch;
}

static void health_watch_free(struct health_watch *watch)
{
    if (watch->link != NULL)
        *watch->link = watch->next;
    if (watch->next != NULL)
        watch->next->link = watch->link;
    free(watch);
}

static void health_watch_end(struct health_watch *watch, enum err err, const char *why)
{
    struct grpc_call *call = watch->call;
    health_watch_free(watch);
    stream_end(call, err, why);
}

static void health_watch_on_open(void *user, struct grpc_call *call)
{
    struct health_watch *watch = mem_alloc_zero(sizeof *watch);
    watch->host = stream_host_of(user);
    watch->call = call;
    grpc_call_set_user(call, watch);
    if (watch->host->health == NULL)
        health_watch_end(watch, ERR_NOT_SERVED, "this server does not serve health checks");
}

static void health_watch_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct health_watch *watch = grpc_call_user(call);
    struct arena arena;
    void *decoded;
    const char *why = STREAM_SECOND_MESSAGE;
    enum err err = ERR_NOT_SERVED;
    (void)user;
    arena_init(&arena);
    if (!watch->has_request)
        err = decode_message(&grpc__health__v1__health_check_request__descriptor, message, &arena,
                             &decoded, &why);
    if (err == ERR_NONE) {
        const Grpc__Health__V1__HealthCheckRequest *request = decoded;
        watch->has_request = true;
        watch->service = health_find(watch->host->health, slice_from_string(request->service));
        health_watch_link(watch);
        health_watch_look(watch);
    } else {
        health_watch_end(watch, err, why);
    }
    arena_deinit(&arena);
}

static void health_watch_on_half_close(void *user, struct grpc_call *call)
{
    struct health_watch *watch = grpc_call_user(call);
    (void)user;
    if (!watch->has_request)
        health_watch_end(watch, ERR_NOT_SERVED, STREAM_NO_MESSAGE);
}

static void health_watch_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct health_watch *watch = grpc_call_user(call);
    enum health_status status = health_watch_status(watch);
    (void)user;
    (void)room;
    watch->is_asking = false;
    if (status == watch->told)
        return;
    watch->told = status;
    size_t size = wire_number_size(status);
    wire_write_number(chain_append(grpc_stream_write(call, size), size), RESPONSE_STATUS, status);
}

static void health_watch_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    health_watch_end(grpc_call_user(call), ERR_STOPPING, health_watch_stops);
}

static void health_watch_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    health_watch_free(grpc_call_user(call));
}

const struct grpc_stream_method health_watch_method = {
    .on_open = health_watch_on_open,
    .on_message = health_watch_on_message,
    .on_half_close = health_watch_on_half_close,
    .on_room = health_watch_on_room,
    .on_drain = health_watch_on_drain,
    .on_cancel = health_watch_on_cancel,
};
