/* Wires loop, gRPC and service together: connections speak gRPC, and calls go to the service. */
#include "server/worker.h"

#include "access/access.h"
#include "base/activity.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "grpc/server.h"
#include "net/loop.h"
#include "net/visit.h"
#include "server/opening.h"
#include "server/roster.h"
#include "server/runtime.h"
#include "service/offload.h"
#include "service/service.h"
#include "service/streams/channels.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* Bytes of a request on a connection of NET_PROBES. */
#define PROBE_BYTES ((size_t)4096)

struct worker {
    struct net_protocol protocol;
    struct service *service;
    struct grpc_server *grpc, *probes; /* one for each enum net_purpose */
    struct net_loop *loop;
    struct engine *engine;
    struct opening *opening;
    struct activity_worker activity;
    struct net_tls *tls;
    unsigned index, count;  /* this worker's number, and how many there are */
    int64_t maintain_at_ms; /* monotonic: when maintenance is due */
    struct runtime *runtime;
    unsigned generation; /* of the settings that are in effect here */
    pthread_t thread;
    bool started;
    atomic_int cpu_clock; /* a clockid_t, that of the thread; 0 = not known */
    atomic_int_fast64_t ticked_ms;
};

static void worker_on_output(void *connection)
{
    net_connection_flush(connection);
}

static void *worker_on_open(void *user, struct net_connection *connection, int64_t now_ms)
{
    struct worker *worker = user;
    bool is_probe = net_connection_purpose(connection) == NET_PROBES;
    return grpc_connection_new(is_probe ? worker->probes : worker->grpc, worker_on_output,
                               connection, now_ms);
}

static void worker_on_close(void *session)
{
    grpc_connection_free(session);
}

static bool worker_feed(void *user, void *session, struct slice bytes, struct chain *out,
                        int64_t now_ms)
{
    struct worker *worker = user;
    service_set_time(worker->service, clock_unix_ms());
    bool goes_on = grpc_connection_feed(session, bytes, out, now_ms);
    activity_limit(&worker->activity);
    return goes_on;
}

_Static_assert(NET_MAX_PIECES == HTTP2_MAX_PIECES, "the session's pieces are passed to the loop");

static size_t worker_place(void *session, struct iovec *pieces)
{
    return grpc_connection_place(session, pieces);
}

static bool worker_feed_placed(void *user, void *session, size_t size, struct chain *out,
                               int64_t now_ms)
{
    struct worker *worker = user;
    service_set_time(worker->service, clock_unix_ms());
    bool goes_on = grpc_connection_feed_placed(session, size, out, now_ms);
    activity_limit(&worker->activity);
    return goes_on;
}

static void worker_pull(void *session, struct chain *out, int64_t now_ms)
{
    grpc_connection_pull(session, out, now_ms);
}

static size_t worker_queued(const void *session)
{
    return grpc_connection_queued(session);
}

static size_t worker_owed(const void *session)
{
    return grpc_connection_owed(session);
}

static uint64_t worker_sent(const void *session)
{
    return grpc_connection_sent(session);
}

static bool worker_finished(const void *session)
{
    return grpc_connection_finished(session);
}

static bool worker_has_unanswered(const void *session)
{
    return grpc_connection_has_unanswered(session);
}

static struct closing worker_expired(const void *session, int64_t now_ms)
{
    return grpc_connection_expired(session, now_ms);
}

static void worker_end(void *session, struct closing why)
{
    grpc_connection_end(session, why);
}

static struct closing worker_closing(const void *session)
{
    return grpc_connection_closing(session);
}

static void worker_check(void *session, int64_t now_ms)
{
    grpc_connection_check(session, now_ms);
}

static void worker_on_hang_up(void *session)
{
    grpc_connection_hang_up(session);
}

static struct grpc_limits worker_grpc_limits(const struct config *config)
{
    struct http2_limits http2 = config->http2;
    /* Not opening the windows is the same as not reading. */
    http2.stall_timeout_ms = config->net.write_timeout_ms;
    struct grpc_limits limits = grpc_limits_for(config->max_value, &http2);
    limits.request_timeout_ms = config->request_timeout_ms;
    limits.min_progress = config->net.min_progress;
    limits.write_timeout_ms = config->net.write_timeout_ms;
    limits.idle_timeout_ms = config->idle_timeout_ms;
    limits.compress = config->compress_replies;
    limits.max_age_ms = config->max_age_ms;
    limits.max_age_grace_ms = config->max_age_grace_ms;
    limits.slow_ns =
        config->slow_log_us == CONFIG_SLOW_LOG_OFF ? GRPC_NEVER_SLOW : config->slow_log_us * 1000;
    return limits;
}

/* Probes come from anywhere and are tiny. */
static struct grpc_limits worker_probe_limits(const struct grpc_limits *limits)
{
    struct grpc_limits probes = *limits;
    probes.max_message = PROBE_BYTES;
    probes.max_unfinished = 2 * PROBE_BYTES;
    return probes;
}

/* Takes over settings that have changed. */
static void worker_renew_limits(struct worker *worker)
{
    struct config config;
    if (worker->runtime == NULL || !runtime_take(worker->runtime, &worker->generation, &config))
        return;
    struct grpc_limits limits = worker_grpc_limits(&config);
    struct grpc_limits probe_limits = worker_probe_limits(&limits);
    grpc_server_set_limits(worker->grpc, &limits);
    grpc_server_set_limits(worker->probes, &probe_limits);
    net_loop_set_limits(worker->loop, &config.net);
    service_set_quota(worker->service, &config.quota);
}

/* Maintenance has times of its own, however often timers are due. */
static int64_t worker_tick(void *user)
{
    struct worker *worker = user;
    service_set_time(worker->service, clock_unix_ms());
    worker_renew_limits(worker);
    int64_t now_ms = clock_monotonic_ms();
    atomic_store_explicit(&worker->ticked_ms, now_ms, memory_order_relaxed);
    if (now_ms >= worker->maintain_at_ms)
        worker->maintain_at_ms =
            now_ms + engine_maintain(worker->engine, worker->index, worker->count, clock_unix_ms());
    service_tell_health(worker->service);
    int64_t next_ms = service_run_timers(worker->service, now_ms);
    if (next_ms > worker->maintain_at_ms)
        next_ms = worker->maintain_at_ms;
    return next_ms > now_ms ? next_ms - now_ms : 1;
}

static void worker_set_alarm(void *user, int64_t at_ms)
{
    struct worker *worker = user;
    net_loop_tick_within(worker->loop, at_ms - clock_monotonic_ms());
}

/* Something has become durable, another thread has finished a job, or a message was published. */
static void worker_on_wake(void *user)
{
    struct worker *worker = user;
    grpc_server_begin_turn(worker->grpc);
    engine_complete(worker->engine, worker->index);
    service_resume(worker->service);
    grpc_server_end_turn(worker->grpc);
    activity_limit(&worker->activity);
}

static void worker_on_stop(void *user)
{
    struct worker *worker = user;
    service_tell_health(worker->service);
}

static void worker_drain(void *session)
{
    grpc_connection_drain(session);
}

static void worker_wake(void *user)
{
    struct worker *worker = user;
    net_loop_wake(worker->loop);
}

static struct net_protocol worker_protocol(struct worker *worker)
{
    return (struct net_protocol){.user = worker,
                                 .on_open = worker_on_open,
                                 .on_close = worker_on_close,
                                 .feed = worker_feed,
                                 .place = worker_place,
                                 .feed_placed = worker_feed_placed,
                                 .pull = worker_pull,
                                 .queued = worker_queued,
                                 .owed = worker_owed,
                                 .sent = worker_sent,
                                 .finished = worker_finished,
                                 .has_unanswered = worker_has_unanswered,
                                 .on_hang_up = worker_on_hang_up,
                                 .check = worker_check,
                                 .expired = worker_expired,
                                 .end = worker_end,
                                 .closing = worker_closing,
                                 .tick = worker_tick,
                                 .on_wake = worker_on_wake,
                                 .on_stop = worker_on_stop,
                                 .activity = &worker->activity,
                                 .drain = worker_drain};
}

_Static_assert(SERVICE_PEER_TEXT == NET_PEER_TEXT, "the service has room for the loop's names");

static void worker_print_peer(const void *connection, char text[SERVICE_PEER_TEXT])
{
    net_connection_print_peer(connection, text);
}

static bool worker_find_uid(const void *connection, unsigned *uid)
{
    return net_connection_peer_uid(connection, uid);
}

/* Of a unix socket, an address that no peer has, a multicast one, with the number of the user. */
static void worker_find_address(const void *connection, uint8_t address[16])
{
    const struct net_peer *peer = net_connection_peer(connection);
    unsigned uid = 0;
    memcpy(address, peer->address, 16);
    if (peer->is_counted)
        return;
    (void)net_connection_peer_uid(connection, &uid);
    memset(address, 0, 16);
    address[0] = 0xff;
    memcpy(address + 1, &uid, sizeof uid);
}

struct worker_search {
    const struct access *access;
    const struct access_user *found;
};

static void worker_look_up(void *user, enum net_name_kind kind, struct slice name)
{
    static const enum access_sign signs[] = {[NET_NAME_DNS] = ACCESS_DNS,
                                             [NET_NAME_URI] = ACCESS_URI,
                                             [NET_NAME_SUBJECT] = ACCESS_SUBJECT};
    struct worker_search *search = user;
    const struct access_certificate_name known = {.sign = signs[kind], .name = name};
    if (search->found == NULL)
        search->found = access_user_by_certificate(search->access, &known, 1);
}

static const struct access_user *worker_find_certified(const void *connection,
                                                       const struct access *access)
{
    struct worker_search search = {.access = access};
    (void)net_connection_certificate(connection, worker_look_up, &search);
    return search.found;
}

struct worker *worker_new(const struct worker_options *options, unsigned index)
{
    const struct config *config = options->config;
    struct worker *worker = mem_alloc_zero(sizeof *worker);
    struct waker waker = {.wake = worker_wake, .user = worker};
    struct grpc_limits limits = worker_grpc_limits(config);
    struct grpc_limits probe_limits = worker_probe_limits(&limits);
    struct settings_source *settings = options->runtime != NULL ? &options->runtime->source : NULL;
    CHECK(index < config->threads);
    worker->engine = options->engine;
    worker->opening = options->opening;
    worker->tls = options->tls;
    worker->index = index;
    worker->count = config->threads;
    worker->runtime = options->runtime;
    activity_worker_init(&worker->activity, options->activity);
    worker->protocol = worker_protocol(worker);
    worker->service =
        service_new(&(struct service_options){.engine = options->engine,
                                              .worker = index,
                                              .activity = &worker->activity,
                                              .waker = waker,
                                              .alarm = {worker_set_alarm, worker},
                                              .info = options->info,
                                              .offload = options->offload,
                                              .channels = options->channels,
                                              .clients = options->clients,
                                              .settings = settings,
                                              .protoset = options->protoset,
                                              .health = options->health,
                                              .meters = options->meters,
                                              .slowlog = options->slowlog,
                                              .print_peer = worker_print_peer,
                                              .audit = options->audit,
                                              .access = options->access,
                                              .sessions = options->sessions,
                                              .authenticator = options->authenticator,
                                              .find_address = worker_find_address,
                                              .find_uid = worker_find_uid,
                                              .find_certified = worker_find_certified,
                                              .quota = {options->quota, config->quota},
                                              .max_value = config->max_value,
                                              .max_answer = limits.max_message});
    worker->grpc = grpc_server_new(&limits, service_grpc(worker->service));
    worker->probes = grpc_server_new(&probe_limits, service_grpc_health(worker->service));
    worker->loop = net_loop_new(&worker->protocol, options->admission, &config->net);
    if (worker->loop == NULL) {
        int error = errno;
        worker_free(worker);
        errno = error;
        return NULL;
    }
    engine_set_waker(options->engine, index, waker);
    if (options->offload != NULL)
        offload_set_waker(options->offload, index, waker);
    if (options->channels != NULL)
        channels_set_waker(options->channels, index, waker);
    if (options->clients != NULL) {
        struct clients_source source = roster_source(worker->loop);
        clients_set_source(options->clients, index, &source);
    }
    return worker;
}

int worker_listen(struct worker *worker, int descriptor, const struct net_address *address,
                  enum net_purpose purpose)
{
    CHECK(!address->is_tls || worker->tls != NULL);
    return net_loop_listen(worker->loop,
                           &(struct net_socket){.descriptor = descriptor,
                                                .is_unix = net_address_is_unix(address),
                                                .purpose = purpose,
                                                .is_shared = address->is_passed,
                                                .tls = address->is_tls ? worker->tls : NULL});
}

static void *worker_run(void *user)
{
    struct worker *worker = user;
    if (worker->opening != NULL)
        opening_wait(worker->opening, OPENING_HOLD_MS);
    net_loop_run(worker->loop);
    activity_mark_idle(&worker->activity);
    return NULL;
}

int worker_start(struct worker *worker)
{
    CHECK(!worker->started);
    atomic_store(&worker->ticked_ms, clock_monotonic_ms());
    int error = pthread_create(&worker->thread, NULL, worker_run, worker);
    worker->started = error == 0;
    clockid_t cpu_clock;
    if (worker->started && pthread_getcpuclockid(worker->thread, &cpu_clock) == 0)
        atomic_store(&worker->cpu_clock, cpu_clock);
    return -error;
}

void worker_stop(struct worker *worker)
{
    if (worker != NULL && worker->started)
        net_loop_stop(worker->loop);
}

int64_t worker_ticked_ms(const struct worker *worker)
{
    return atomic_load_explicit(&worker->ticked_ms, memory_order_relaxed);
}

int64_t worker_busy_us(const struct worker *worker)
{
    struct timespec time;
    clockid_t clock = atomic_load(&worker->cpu_clock);
    if (clock == 0 || clock_gettime(clock, &time) != 0)
        return -1;
    return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

uint64_t worker_commands(const struct worker *worker)
{
    return service_commands(worker->service);
}

uint64_t worker_blocked(const struct worker *worker)
{
    return service_blocked(worker->service);
}

void worker_count_streams(const struct worker *worker, struct stream_counts *sum)
{
    service_count_streams(worker->service, sum);
}

const struct meter *worker_meter(const struct worker *worker)
{
    return grpc_server_meter(worker->grpc);
}

struct grpc_counts worker_counts(const struct worker *worker)
{
    struct grpc_counts sum = grpc_server_counts(worker->grpc);
    struct grpc_counts probes = grpc_server_counts(worker->probes);
    grpc_counts_add(&sum, &probes);
    return sum;
}

void worker_join(struct worker *worker)
{
    if (worker != NULL && worker->started)
        pthread_join(worker->thread, NULL);
    if (worker != NULL) {
        worker->started = false;
        /* The system may know the thread for a moment longer, and another one by its number. */
        atomic_store(&worker->cpu_clock, 0);
    }
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    worker_join(worker);
    net_loop_free(worker->loop);
    grpc_server_free(worker->grpc);
    grpc_server_free(worker->probes);
    service_free(worker->service);
    free(worker);
}
