/* Wiring: the loop's connections speak gRPC, and the calls go to the service. */
#include "server/worker.h"

#include "base/mem.h"
#include "grpc/server.h"
#include "http2/http2.h"
#include "net/loop.h"
#include "service/service.h"

#include <pthread.h>
#include <stdlib.h>

struct worker {
    struct net_protocol protocol;
    struct grpc_limits limits;
    struct service *service;
    struct net_loop *loop;
    pthread_t thread;
    bool started;
};

static void on_output(void *connection)
{
    net_connection_flush(connection);
}

static void *on_open(void *user, struct net_connection *connection)
{
    struct worker *worker = user;
    return grpc_connection_new(&worker->limits, service_grpc(worker->service), on_output,
                               connection);
}

static void on_close(void *session)
{
    grpc_connection_free(session);
}

static bool feed(void *session, struct slice bytes)
{
    return grpc_connection_feed(session, bytes);
}

static void pull(void *session, struct buf *out, size_t enough)
{
    grpc_connection_pull(session, out, enough);
}

static size_t queued(const void *session)
{
    return grpc_connection_queued(session);
}

static bool finished(const void *session)
{
    return grpc_connection_finished(session);
}

static void drain(void *session)
{
    grpc_connection_drain(session);
}

struct worker *worker_new(const struct config *config, struct engine *engine)
{
    struct worker *worker = mem_alloc_zero(sizeof *worker);
    worker->protocol = (struct net_protocol){.user = worker,
                                             .on_open = on_open,
                                             .on_close = on_close,
                                             .feed = feed,
                                             .pull = pull,
                                             .max_frame = HTTP2_MAX_FRAME,
                                             .queued = queued,
                                             .finished = finished,
                                             .drain = drain};
    worker->limits = grpc_limits_for(config->max_value);
    worker->service = service_new(engine, config->max_value, worker->limits.max_message);
    worker->loop = net_loop_new(&worker->protocol, config->drain_timeout_ms);
    return worker;
}

int worker_listen(struct worker *worker, int descriptor, const struct net_address *address)
{
    return net_loop_listen(worker->loop, descriptor, net_address_is_unix(address));
}

static void *run(void *user)
{
    struct worker *worker = user;
    net_loop_run(worker->loop);
    return NULL;
}

void worker_start(struct worker *worker)
{
    if (pthread_create(&worker->thread, NULL, run, worker) != 0)
        abort();
    worker->started = true;
}

void worker_stop(struct worker *worker)
{
    net_loop_stop(worker->loop);
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    if (worker->started)
        pthread_join(worker->thread, NULL);
    net_loop_free(worker->loop);
    service_free(worker->service);
    free(worker);
}
