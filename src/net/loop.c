/* The event loop of one worker: its timers, wake-ups, and the graceful shutdown. */
#include "net/loop.h"

#include "base/account.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/acceptor.h"
#include "net/closings.h"
#include "net/connection.h"
#include "net/connection_state.h"
#include "net/progress.h"
#include "net/visit.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SWEEP_MS 1000
/* The most descriptors that libuv opens for a loop: epoll, eventfd, and two pipes. */
#define LOOP_DESCRIPTORS 6
/* The interval of the check whether clients hold too much memory. */
#define RELIEF_MS 200

struct net_loop {
    struct net_shared shared;
    uv_async_t stop;
    uv_async_t wake;
    uv_timer_t drain_timer;  /* first for the grace period, then for the rest of the timeout */
    uv_timer_t sweep_timer;  /* once a second, for timeouts */
    uv_timer_t relief_timer; /* checks the memory that clients hold */
    uv_timer_t tick_timer;   /* for the protocol's tick() */
    uv_prepare_t idle;       /* before each waiting, for the protocol's activity */
};

const struct net_limits net_default_limits = {
    .drain_timeout_ms = (int64_t)10 * 1000,
    .write_timeout_ms = (int64_t)60 * 1000,
    .min_progress = (size_t)256 * 1024,
    .max_queued = (size_t)4 * 1024 * 1024,
    .max_queued_total = (size_t)256 * 1024 * 1024,
};

static void loop_on_drain_timeout(uv_timer_t *timer)
{
    static const struct closing late = {CLOSING_SHUTDOWN,
                                        "the server is shutting down, and the client did not close "
                                        "the connection in time (--drain-timeout)"};
    struct net_loop *loop = timer->data;
    size_t count = 0;
    while (loop->shared.first != NULL) {
        connection_close_for(loop->shared.first, late);
        count++;
    }
    if (count > 0)
        log_warning("%zu connections were not closed by their clients in time and were dropped",
                    count);
}

static void loop_on_relief(uv_timer_t *timer)
{
    struct net_loop *loop = timer->data;
    if (account_is_tight())
        progress_shed_load(&loop->shared);
}

static void loop_log_refused(struct net_admission *admission, int64_t now_ms)
{
    struct net_admission_counts counts = net_admission_counts(admission);
    struct net_admission_refused refused;
    if (!net_admission_take_refused(admission, now_ms, &refused))
        return;
    uint64_t too_many = refused.all - refused.per_address - refused.probes;
    char peer[NET_PEER_TEXT];
    net_peer_print(&refused.last, peer);
    if (too_many > 0)
        log_warning(
            "%" PRIu64 " connections were refused, the last one from %s: the limit is %" PRIu32
            " (%s)",
            too_many, peer, counts.max_open,
            counts.capped ? "by the limit on open files, see ulimit -n" : "see --max-connections");
    if (refused.per_address > 0)
        log_warning("%" PRIu64 " connections were refused, the last one from %s: their address has "
                    "reached its limit (see --max-connections-per-address)",
                    refused.per_address, peer);
    if (refused.probes > 0)
        log_warning("%" PRIu64 " connections for health checks were refused, the last one from %s: "
                    "at most %d may be open",
                    refused.probes, peer, NET_PROBE_CONNECTIONS);
}

static void loop_on_sweep(uv_timer_t *timer)
{
    struct net_loop *loop = timer->data;
    for (struct net_connection *at = loop->shared.first, *next; at != NULL; at = next) {
        next = connection_next(at);
        progress_check_timeouts(at);
    }
    net_closings_report(net_admission_closings(loop->shared.admission),
                        (int64_t)uv_now(&loop->shared.uv));
    loop_log_refused(loop->shared.admission, (int64_t)uv_now(timer->loop));
}

static void loop_on_tick(uv_timer_t *timer)
{
    struct net_loop *loop = timer->data;
    const struct net_protocol *protocol = loop->shared.protocol;
    loop->shared.gathering = true;
    int64_t delay_ms = protocol->tick(protocol->user);
    loop->shared.gathering = false;
    uv_timer_start(timer, loop_on_tick, (uint64_t)delay_ms, 0);
    connection_flush_waiting(&loop->shared);
}

/* Calls back, and writes the output that this causes, once per connection. */
static void loop_gather(struct net_loop *loop, void (*callback)(void *user))
{
    loop->shared.gathering = true;
    callback(loop->shared.protocol->user);
    loop->shared.gathering = false;
    connection_flush_waiting(&loop->shared);
}

static void loop_on_wake(uv_async_t *async)
{
    struct net_loop *loop = async->data;
    loop_gather(loop, loop->shared.protocol->on_wake);
}

/* The loop would not wait if it has something to do, so it is asked what it would wait for. */
static void loop_on_prepare(uv_prepare_t *prepare)
{
    struct net_loop *loop = prepare->data;
    struct activity_worker *activity = loop->shared.protocol->activity;
    activity_limit(activity); /* something may always be ready */
    if (!activity->is_busy)
        return;
    struct pollfd ready = {.fd = uv_backend_fd(&loop->shared.uv), .events = POLLIN};
    if (poll(&ready, 1, 0) == 0)
        activity_mark_idle(activity);
}

static void loop_drain_all(struct net_loop *loop)
{
    for (struct net_connection *at = loop->shared.first, *next; at != NULL; at = next) {
        next = connection_next(at);
        connection_drain(at);
    }
}

static int64_t loop_grace_ms(const struct net_loop *loop)
{
    int64_t timeout_ms = loop->shared.limits.drain_timeout_ms;
    return timeout_ms < NET_DRAIN_GRACE_MS ? timeout_ms : NET_DRAIN_GRACE_MS;
}

static void loop_on_grace_end(uv_timer_t *timer)
{
    struct net_loop *loop = timer->data;
    int64_t rest = loop->shared.limits.drain_timeout_ms - loop_grace_ms(loop);
    loop_drain_all(loop);
    uv_timer_start(timer, loop_on_drain_timeout, (uint64_t)rest, 0);
}

static void loop_on_stop(uv_async_t *async)
{
    struct net_loop *loop = async->data;
    uv_close((uv_handle_t *)&loop->stop, NULL);
    acceptor_accept_all(&loop->shared);
    acceptor_close_all(&loop->shared);
    if (loop->shared.protocol->on_stop != NULL)
        loop_gather(loop, loop->shared.protocol->on_stop);
    uv_timer_start(&loop->drain_timer, loop_on_grace_end, (uint64_t)loop_grace_ms(loop), 0);
    /* The timer bounds the drain; only connections keep the loop alive. */
    uv_unref((uv_handle_t *)&loop->drain_timer);
    loop_drain_all(loop);
}

void net_loop_use_reserve(void)
{
    uv_replace_allocator(mem_try_alloc, mem_try_realloc, mem_try_alloc_zero, free);
}

/* libuv aborts if it finds no descriptors for a loop or, once, for its signals. */
static bool loop_has_descriptors(void)
{
    int probes[LOOP_DESCRIPTORS];
    size_t count = 0;
    while (count < LOOP_DESCRIPTORS && (probes[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
        count++;
    int error = errno;
    for (size_t i = 0; i < count; i++)
        close(probes[i]);
    errno = error;
    return count == LOOP_DESCRIPTORS;
}

/* Initialises the loop and its wake-ups from other threads. Returns 0 or a negative errno. */
static int loop_init_uv(struct net_loop *loop)
{
    if (!loop_has_descriptors())
        return -errno;
    int error = uv_loop_init(&loop->shared.uv);
    if (error < 0)
        return error;
    error = uv_async_init(&loop->shared.uv, &loop->stop, loop_on_stop);
    if (error == 0)
        error = uv_async_init(&loop->shared.uv, &loop->wake, loop_on_wake);
    if (error < 0)
        uv_loop_close(&loop->shared.uv);
    return error;
}

struct net_loop *net_loop_new(const struct net_protocol *protocol, struct net_admission *admission,
                              const struct net_limits *limits)
{
    struct net_loop *loop = mem_alloc_zero(sizeof *loop);
    loop->shared.protocol = protocol;
    loop->shared.admission = admission;
    loop->shared.limits = *limits;
    int error = loop_init_uv(loop);
    if (error < 0) {
        free(loop);
        errno = -error;
        return NULL;
    }
    loop->shared.uv.data = &loop->shared;
    loop->stop.data = loop;
    loop->wake.data = loop;
    uv_unref((uv_handle_t *)&loop->wake);
    loop->shared.anchor = (uv_handle_t *)&loop->wake;
    uv_timer_init(&loop->shared.uv, &loop->drain_timer);
    loop->drain_timer.data = loop;
    uv_timer_init(&loop->shared.uv, &loop->sweep_timer);
    loop->sweep_timer.data = loop;
    uv_timer_start(&loop->sweep_timer, loop_on_sweep, SWEEP_MS, SWEEP_MS);
    uv_unref((uv_handle_t *)&loop->sweep_timer);
    uv_timer_init(&loop->shared.uv, &loop->relief_timer);
    loop->relief_timer.data = loop;
    uv_timer_start(&loop->relief_timer, loop_on_relief, RELIEF_MS, RELIEF_MS);
    uv_unref((uv_handle_t *)&loop->relief_timer);
    uv_timer_init(&loop->shared.uv, &loop->tick_timer);
    loop->tick_timer.data = loop;
    if (protocol->tick != NULL)
        uv_timer_start(&loop->tick_timer, loop_on_tick, 0, 0);
    uv_unref((uv_handle_t *)&loop->tick_timer);
    uv_prepare_init(&loop->shared.uv, &loop->idle);
    loop->idle.data = loop;
    if (protocol->activity != NULL)
        uv_prepare_start(&loop->idle, loop_on_prepare);
    uv_unref((uv_handle_t *)&loop->idle);
    return loop;
}

void net_loop_free(struct net_loop *loop)
{
    if (loop == NULL)
        return;
    acceptor_close_all(&loop->shared);
    if (!uv_is_closing((uv_handle_t *)&loop->stop))
        uv_close((uv_handle_t *)&loop->stop, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->drain_timer, NULL);
    uv_close((uv_handle_t *)&loop->sweep_timer, NULL);
    uv_close((uv_handle_t *)&loop->relief_timer, NULL);
    uv_close((uv_handle_t *)&loop->tick_timer, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_run(&loop->shared.uv, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&loop->shared.uv);
    CHECK(busy == 0); /* else a handle was not closed */
    CHECK(loop->shared.first == NULL && loop->shared.queued_total == 0);
    net_visit_end_all(&loop->shared);
    chain_deinit(&loop->shared.output);
    chain_deinit(&loop->shared.records);
    free(loop->shared.plain);
    free(loop);
}

int net_loop_listen(struct net_loop *loop, const struct net_socket *socket)
{
    return acceptor_new(&loop->shared, socket);
}

void net_loop_set_limits(struct net_loop *loop, const struct net_limits *limits)
{
    loop->shared.limits = *limits;
}

void net_loop_run(struct net_loop *loop)
{
    uv_run(&loop->shared.uv, UV_RUN_DEFAULT);
}

void net_loop_wake(struct net_loop *loop)
{
    uv_async_send(&loop->wake);
}

void net_visit_begin(struct net_loop *loop, struct net_visit *visit)
{
    visit_begin(&loop->shared, visit);
}

void net_loop_tick_within(struct net_loop *loop, int64_t delay_ms)
{
    uint64_t delay = delay_ms > 0 ? (uint64_t)delay_ms : 0;
    if (uv_timer_get_due_in(&loop->tick_timer) > delay)
        uv_timer_start(&loop->tick_timer, loop_on_tick, delay, 0);
}

void net_loop_stop(struct net_loop *loop)
{
    uv_async_send(&loop->stop);
}
