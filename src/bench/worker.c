/*
 * Makes calls until all are done or the time is over: each round waits for answers, counts them and
 * starts new calls, with one read and one write per connection. Does not know frames and reports.
 */
#include "bench/worker.h"

#include "base/mem.h"
#include "bench/now.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define INPUT_SIZE ((size_t)256 * 1024)
#define MAX_EVENTS 256
/* Maximum wait of a round, so that the stop flag, the end of the time and stalls are noticed. */
#define ROUND_NS (NS_PER_S / 10)
/* The same while another thread may make room in the ledger. */
#define HELD_NS (NS_PER_S / 1000)
/* How late the last calls may start. */
#define LATE_NS NS_PER_S

void worker_init(struct worker *worker, const struct plan *plan, uint32_t number, atomic_bool *stop)
{
    const struct options *options = plan->options;
    *worker = (struct worker){.plan = plan, .number = number, .epoll = -1, .stop = stop};
    tally_init(&worker->tally);
    worker->setup = (struct session_setup){
        .templates = &plan->templates,
        .tally = &worker->tally,
        .max_streams = options->streams,
        .first_id = 1,
        .verify = plan->verify,
        .batch = plan->batch,
        .feed = {plan->feed, &plan->payload, plan->ledger, &worker->tally},
    };
    worker->writing = plan->ledger != NULL;
    if (plan->in_turn)
        workload_init_in_turn(&worker->workload, plan->ops[0], options->keyspace, number,
                              options->threads);
    else
        workload_init_random(&worker->workload, plan->ops, plan->weights, plan->op_count,
                             options->keyspace, options->seed, number);
    if (plan->take_turns)
        workload_take_turns(&worker->workload);
    worker->count = (uint32_t)plan_share(options->connections, number, options->threads);
    worker->left = plan_share(plan->calls, number, options->threads);
    worker->connections = mem_alloc_zero(worker->count * sizeof *worker->connections);
    worker->dirty = mem_alloc_zero(worker->count * sizeof *worker->dirty);
    worker->input = mem_alloc(INPUT_SIZE);
    for (uint32_t i = 0; i < worker->count; i++)
        worker->connections[i].fd = -1;
}

void worker_deinit(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++)
        connection_close(&worker->connections[i]);
    if (worker->epoll >= 0)
        close(worker->epoll);
    free(worker->connections);
    free(worker->dirty);
    free(worker->input);
}

/* Ends the run with this error message, unless there is one already. Always false. */
#define fail(worker, ...)                                                                          \
    ((worker)->problem[0] == '\0'                                                                  \
         ? (void)snprintf((worker)->problem, WORKER_PROBLEM_SIZE, __VA_ARGS__)                     \
         : (void)0,                                                                                \
     false)

static bool worker_open_connection(struct worker *worker, struct connection *connection)
{
    char problem[TARGET_PROBLEM_SIZE];
    const struct plan *plan = worker->plan;
    uint64_t feeds = plan_share(plan->feeds, worker->number, plan->options->threads);
    uint32_t index = (uint32_t)(connection - worker->connections);
    worker->setup.feeds = (uint32_t)plan_share(feeds, index, worker->count);
    if (connection_open(connection, &worker->setup, worker->plan->target,
                        worker->plan->options->timeout_ns, worker->epoll, problem))
        return true;
    return fail(worker, "%s", problem);
}

/*
 * Replaces a connection that was lost or cannot make more calls, and counts its calls as lost.
 * Fails if the server closed it without answering any call, since it would do so forever.
 */
static bool worker_replace(struct worker *worker, struct connection *connection)
{
    struct session *session = &connection->session;
    bool answered = session->finished > 0;
    session_end_calls(session, 0, TALLY_LOST, now_ns());
    if (session->problem != NULL)
        return fail(worker, "%s", session->problem);
    if (!answered)
        return fail(worker, "%s closed a connection before it answered a call on it%s",
                    worker->plan->target->name,
                    session->ready ? "" : "; check that a gRPC server without TLS listens there");
    if (session->feed_count > 0) {
        worker->tally.ends[TALLY_STREAM_ENDED] += session->feed_count;
        return fail(worker, "%s closed a connection with streams of %s", worker->plan->target->name,
                    feed_row(worker->plan->feed)->method);
    }
    connection_close(connection);
    worker->reconnects++;
    return worker_open_connection(worker, connection);
}

/* Waits for events, at most `wait_ns`; returns their number, 0 for none. */
static int worker_wait_for_events(struct worker *worker, struct epoll_event *events,
                                  uint64_t wait_ns)
{
    struct timespec time = {.tv_sec = (time_t)(wait_ns / NS_PER_S),
                            .tv_nsec = (long)(wait_ns % NS_PER_S)};
    int count = epoll_pwait2(worker->epoll, events, MAX_EVENTS, &time, NULL);
    return count > 0 ? count : 0;
}

/* Connecting. */

static uint32_t worker_count_ready(struct worker *worker, const struct epoll_event *events,
                                   int count, bool *good)
{
    uint32_t ready = 0;
    for (int i = 0; i < count && *good; i++) {
        struct connection *connection = events[i].data.ptr;
        bool was_ready = session_is_ready(&connection->session);
        if (!connection_read(connection, worker->input, INPUT_SIZE) ||
            !connection_flush(connection))
            *good = worker_replace(worker, connection);
        else if (session_is_ready(&connection->session) && !was_ready)
            ready++;
    }
    return ready;
}

static bool worker_wait_until_ready(struct worker *worker)
{
    uint64_t deadline_ns = now_ns() + worker->plan->options->timeout_ns;
    uint32_t ready = 0;
    bool good = true;
    while (good && ready < worker->count) {
        if (now_ns() >= deadline_ns)
            return fail(worker,
                        "%s accepted %" PRIu32 " connections but sent nothing on %" PRIu32
                        " of them; check that a gRPC server without TLS listens there",
                        worker->plan->target->name, worker->count, worker->count - ready);
        struct epoll_event events[MAX_EVENTS];
        int count = worker_wait_for_events(worker, events, ROUND_NS);
        ready += worker_count_ready(worker, events, count, &good);
    }
    return good;
}

bool worker_connect(struct worker *worker)
{
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (worker->epoll < 0)
        return fail(worker, "cannot wait for sockets: %s", strerror(errno));
    /* So that sleeps end at the scheduled time, not up to 50 us later. */
    (void)prctl(PR_SET_TIMERSLACK, 1);
    for (uint32_t i = 0; i < worker->count; i++)
        if (!worker_open_connection(worker, &worker->connections[i]))
            return false;
    return worker_wait_until_ready(worker);
}

/* Calling. */

/* False if the ledger has no room for it. */
static bool worker_start_call(struct worker *worker, struct connection *connection,
                              uint64_t start_ns)
{
    struct session_call call = {.start_ns = start_ns};
    struct ledger *ledger = worker->plan->ledger;
    call.op = workload_next(&worker->workload, &call.key);
    if (ledger != NULL && !ledger_enter(ledger, start_ns, &call.key)) {
        worker->held = true;
        return false;
    }
    session_start(&connection->session, &call);
    worker->started++;
    if (start_ns >= worker->tally.from_ns && worker->left != UINT64_MAX)
        worker->left--;
    return true;
}

static bool worker_may_start_more(const struct worker *worker, uint64_t now)
{
    if (worker->left == 0 || worker->plan->rate == 0)
        return worker->left > 0 && now < worker->stop_ns;
    bool too_late = worker->stop_ns < UINT64_MAX - LATE_NS && now >= worker->stop_ns + LATE_NS;
    return !too_late && schedule_peek_ns(&worker->schedule) < worker->stop_ns;
}

/* Closed loop: starts as many calls as the connection allows, and writes them. */
static bool worker_refill(struct worker *worker, struct connection *connection)
{
    struct session *session = &connection->session;
    uint64_t now = now_ns();
    bool more;
    do {
        while (worker_may_start_more(worker, now) && session_can_start(session) &&
               worker_start_call(worker, connection, now))
            ;
        if (!connection_flush(connection))
            return false;
        more = !worker->held && session->out.len == 0 && worker_may_start_more(worker, now) &&
               session_can_start(session);
    } while (more);
    return true;
}

static void worker_mark_dirty(struct worker *worker, struct connection *connection)
{
    if (connection->dirty)
        return;
    connection->dirty = true;
    worker->dirty[worker->dirty_count++] = connection;
}

static bool worker_flush_dirty(struct worker *worker)
{
    bool good = true;
    for (uint32_t i = 0; i < worker->dirty_count; i++) {
        struct connection *connection = worker->dirty[i];
        connection->dirty = false;
        if (good && !connection_flush(connection))
            good = worker_replace(worker, connection);
    }
    worker->dirty_count = 0;
    return good;
}

/* The next connection, round robin, that can start a call; NULL if none can. */
static struct connection *worker_pick(struct worker *worker)
{
    for (uint32_t tried = 0; tried < worker->count; tried++) {
        struct connection *connection = &worker->connections[worker->cursor];
        if (++worker->cursor == worker->count)
            worker->cursor = 0;
        if (session_can_start(&connection->session))
            return connection;
    }
    return NULL;
}

/* Open loop: starts the calls that are due; latency is measured from the scheduled time. */
static bool worker_start_due(struct worker *worker)
{
    uint64_t now = now_ns();
    worker->held = false;
    while (worker_may_start_more(worker, now)) {
        uint64_t intended_ns = schedule_peek_ns(&worker->schedule);
        if (intended_ns > now)
            break;
        struct connection *connection = worker_pick(worker);
        worker->blocked = connection == NULL;
        if (worker->blocked || !worker_start_call(worker, connection, intended_ns))
            break;
        if (intended_ns >= worker->tally.from_ns)
            histogram_record(&worker->tally.late_ns, now - intended_ns);
        schedule_advance(&worker->schedule);
        worker_mark_dirty(worker, connection);
    }
    return worker_flush_dirty(worker);
}

static bool worker_handle_event(struct worker *worker, const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    bool good = true;
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0)
        good = connection_read(connection, worker->input, INPUT_SIZE);
    if (good && session_is_spent(&connection->session))
        good = false;
    if (!good)
        return worker_replace(worker, connection);
    good =
        worker->plan->rate == 0 ? worker_refill(worker, connection) : connection_flush(connection);
    return good || worker_replace(worker, connection);
}

/* Tells the other threads, once, that this one writes no more. */
static void worker_end_writing(struct worker *worker)
{
    if (worker->writing)
        ledger_end_writing(worker->plan->ledger);
    worker->writing = false;
}

/* All calls have ended, and what they wrote, together with the other threads, has arrived. */
static bool worker_is_finished(struct worker *worker, uint64_t now)
{
    struct ledger *ledger = worker->plan->ledger;
    if (worker->started != worker->tally.finished || worker_may_start_more(worker, now))
        return false;
    worker_end_writing(worker);
    return ledger == NULL || (ledger_is_settled(ledger) && worker->tally.unacknowledged == 0);
}

/* Starts the measurement of CPU time after the warmup. */
static void worker_start_measuring(struct worker *worker)
{
    worker->measuring = true;
    worker->cpu = cpu_of_thread();
    worker->run_ns = now_ns();
}

/* Whether calls ended within the timeout, or none is due. */
static bool worker_is_alive(struct worker *worker, uint64_t now)
{
    const uint64_t timeout_ns = worker->plan->options->timeout_ns;
    bool waiting = worker->started != worker->tally.finished || worker->plan->rate == 0 ||
                   schedule_peek_ns(&worker->schedule) + timeout_ns < now ||
                   (worker->plan->ledger != NULL && ledger_is_open(worker->plan->ledger));
    uint64_t ended = worker->tally.finished + worker->tally.all_receipts;
    if (worker->finished != ended || !waiting) {
        worker->finished = ended;
        worker->changed_ns = now;
    }
    return now - worker->changed_ns < timeout_ns;
}

static void worker_time_out(struct worker *worker)
{
    bool receives = worker->plan->ledger != NULL && ledger_is_open(worker->plan->ledger);
    if (worker->started == worker->tally.finished && !receives)
        (void)fail(worker, "%s allows no calls", worker->plan->target->name);
    for (uint32_t i = 0; i < worker->count; i++)
        session_end_calls(&worker->connections[i].session, 0, TALLY_NO_ANSWER, now_ns());
}

static void worker_show(struct worker *worker)
{
    atomic_store_explicit(&worker->shown_finished, worker->tally.finished, memory_order_relaxed);
    atomic_store_explicit(&worker->shown_errors, tally_errors(&worker->tally),
                          memory_order_relaxed);
}

static uint64_t worker_time_to_wait(const struct worker *worker, uint64_t now)
{
    if (worker->held)
        return HELD_NS;
    if (worker->plan->rate == 0 || !worker_may_start_more(worker, now))
        return ROUND_NS;
    return schedule_wait_ns(&worker->schedule, now, worker->blocked, ROUND_NS);
}

/* Closed loop: starts as many calls as the connections and the ledger allow. */
static bool worker_refill_all(struct worker *worker)
{
    worker->held = false;
    for (uint32_t i = 0; i < worker->count; i++)
        if (!worker_refill(worker, &worker->connections[i]) &&
            !worker_replace(worker, &worker->connections[i]))
            return false;
    return true;
}

/* One round; false if the run must end. */
static bool worker_run_round(struct worker *worker)
{
    struct epoll_event events[MAX_EVENTS];
    int count = worker_wait_for_events(worker, events, worker_time_to_wait(worker, now_ns()));
    for (int i = 0; i < count; i++)
        if (!worker_handle_event(worker, &events[i]))
            return false;
    if (worker->plan->rate != 0)
        return worker_start_due(worker);
    return !worker->held || worker_refill_all(worker);
}

static bool worker_start_first_calls(struct worker *worker)
{
    if (worker->plan->rate != 0)
        return worker_start_due(worker);
    return worker_refill_all(worker);
}

static void worker_finish(struct worker *worker)
{
    worker_end_writing(worker); /* if it was given up */
    if (worker->plan->rate != 0 && worker->stop_ns != UINT64_MAX)
        worker->unsent = schedule_count_before(&worker->schedule, worker->stop_ns);
    worker->cpu = cpu_between(worker->cpu, cpu_of_thread());
    worker->run_ns = now_ns() - worker->run_ns;
    worker_show(worker);
}

void worker_run(struct worker *worker, uint64_t start_ns)
{
    const struct plan *plan = worker->plan;
    uint64_t from_ns = start_ns + plan->warmup_ns;
    worker->tally.from_ns = from_ns;
    worker->stop_ns = plan->duration_ns > 0 ? from_ns + plan->duration_ns : UINT64_MAX;
    worker->changed_ns = start_ns;
    if (plan->rate != 0)
        schedule_init(&worker->schedule, start_ns, plan->rate, worker->number,
                      plan->options->threads);
    if (plan->warmup_ns == 0)
        worker_start_measuring(worker);
    bool good = worker_start_first_calls(worker);
    uint64_t now = now_ns();
    while (good && !worker_is_finished(worker, now) && !atomic_load(worker->stop)) {
        good = worker_run_round(worker);
        now = now_ns();
        if (!worker->measuring && now >= from_ns)
            worker_start_measuring(worker);
        worker_show(worker);
        if (good && !worker_is_alive(worker, now)) {
            worker_time_out(worker);
            good = false;
        }
    }
    if (!worker->measuring)
        worker_start_measuring(worker);
    worker_finish(worker);
}
