/* keystore-server: reads the settings, starts the workers, waits for a signal, shuts down. */
#include "access/sessions.h"
#include "access/source.h"
#include "base/account.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/reserve.h"
#include "base/runs.h"
#include "base/shortage.h"
#include "base/standard.h"
#include "engine/embedded.h"
#include "net/admission.h"
#include "net/listener.h"
#include "net/loop.h"
#include "server/audit.h"
#include "server/certificates.h"
#include "server/config.h"
#include "server/data.h"
#include "server/descriptors.h"
#include "server/exposure.h"
#include "server/hints.h"
#include "server/monitor.h"
#include "server/opening.h"
#include "server/report.h"
#include "server/runtime.h"
#include "server/systemd.h"
#include "server/watch.h"
#include "server/worker.h"
#include "service/authenticator.h"
#include "service/health.h"
#include "service/offload.h"
#include "service/protoset.h"
#include "service/quota.h"
#include "service/service_options.h"
#include "service/slowlog.h"
#include "service/status.h"
#include "service/streams/channels.h"
#include "service/streams/clients.h"
#include "store/receipts.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The longest that a worker is busy before a group commit starts without waiting for it; a single
 * read may take longer. */
#define MOST_BUSY_US 2000

struct server {
    struct config config;
    struct engine *engine;
    struct receipts *receipts; /* NULL: request ids are off */
    struct activity activity;
    struct net_admission *admission;
    struct offload *offload;
    struct channels *channels;
    struct clients *clients;
    struct protoset *protoset; /* NULL: reflection is off */
    struct health health;
    struct access_source *access; /* NULL: everybody may do everything */
    struct sessions *sessions;    /* NULL with it, as: */
    struct authenticator *authenticator;
    struct audit *audit; /* NULL: there is no audit log */
    struct quota *quota;
    struct slowlog *slowlog;
    const struct meter **meters; /* of the workers, for: */
    struct service_meters all_meters;
    struct worker **workers;
    struct report report;
    struct data data;
    struct opening opening;
    struct runtime runtime;
    struct watch watch;
    struct monitor monitor;
    struct certificates certificates;
    int passed[CONFIG_MAX_LISTEN]; /* listening sockets for the first addresses, */
    size_t passed_count;           /* of them; the others are bound here */
    size_t listening;              /* addresses that are listened on, */
    bool health_listening;         /* besides that for health checks */
};

/* Large objects lie in runs (base/runs.h). Memory of malloc() returns to the system when it is
 * freed at the end of an arena of glibc, and by mem_trim() from within. The thresholds are fixed
 * because glibc raises them with what is freed, until nothing returns. An arena per thread takes 64
 * MiB of addresses at a time and, where there are none, a mapping for each small object: with a
 * limit of addresses (ulimit -v) all threads share one. */
static void server_tune_malloc(void)
{
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
    struct rlimit addresses;
    if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY)
        mallopt(M_ARENA_MAX, 1);
}

/* The workers' threads inherit the mask, so that only main's sigtimedwait() receives signals. */
static void server_block_signals(const struct server *server, sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    /* Of a service manager it means `reload`, even if there is nothing to reload. Else it may be
     * the end of a terminal, and without files to read again it ends the server. */
    if (server->certificates.tls != NULL || server->access != NULL || systemd_is_manager())
        sigaddset(signals, SIGHUP);
    if (server->audit != NULL) /* the same */
        sigaddset(signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is a disk error, EFBIG */
}

/* Lets the sockets that the service manager has passed take the place of the default address, or
 * stand before those that were given. */
static bool server_take_sockets(struct server *server)
{
    struct config *config = &server->config;
    struct net_address passed[CONFIG_MAX_LISTEN], own[CONFIG_MAX_LISTEN];
    size_t own_count = config->listens_by_default ? 0 : config->listen_count;
    int count = systemd_take_sockets(server->passed, passed, CONFIG_MAX_LISTEN - own_count);
    if (count <= 0)
        return count == 0;
    server->passed_count = (size_t)count;
    memcpy(own, config->listen, own_count * sizeof *own);
    memcpy(config->listen, passed, server->passed_count * sizeof *passed);
    for (size_t i = 0; i < server->passed_count; i++)
        config->listen[i].is_passed = true;
    memcpy(config->listen + count, own, own_count * sizeof *own);
    config->listen_count = server->passed_count + own_count;
    return true;
}

/* Has the workers listen on the address, or on the socket `passed` if that is not negative. *bound
 * is set to whether the address was bound, which it may be when this fails. */
static bool server_listen(struct server *server, struct net_address *address, int passed,
                          enum net_purpose purpose, bool *bound)
{
    unsigned threads = server->config.threads;
    int *descriptors = mem_alloc(threads * sizeof *descriptors);
    *bound = passed >= 0 ? listener_share(passed, descriptors, threads)
                         : listener_bind(address, descriptors, threads);
    int result = *bound ? 0 : -errno;
    if (*bound && purpose == NET_CALLS &&
        !exposure_accept(&server->config, descriptors[0], address)) {
        free(descriptors);
        return false;
    }
    for (unsigned i = 0; i < threads && result == 0; i++)
        result = worker_listen(server->workers[i], descriptors[i], address, purpose);
    free(descriptors);
    if (result == 0)
        return true;
    log_fatal("keystore-server", "cannot listen on %s: %s%s%s", address->text,
              result == -EADDRINUSE ? "the address is in use by another server; stop that one or "
                                      "choose another with "
                                    : strerror(-result),
              result != -EADDRINUSE   ? ""
              : purpose == NET_PROBES ? "--health-listen"
              : address->is_tls       ? "--tls-listen"
                                      : "--listen",
              shortage_advice(result));
    return false;
}

static bool server_listen_to_all(struct server *server)
{
    struct config *config = &server->config;
    for (size_t i = 0; i < config->listen_count; i++) {
        bool bound, listens = server_listen(server, &config->listen[i],
                                            i < server->passed_count ? server->passed[i] : -1,
                                            NET_CALLS, &bound);
        server->listening += bound;
        if (!listens)
            return false;
    }
    return config->health_listen.size == 0 ||
           server_listen(server, &config->health_listen, -1, NET_PROBES, &server->health_listening);
}

static void server_announce(const struct net_address *address)
{
    const char *with = address->is_tls ? " with TLS" : "";
    if (net_address_is_unix(address))
        printf("Server started on %s%s\n", address->text, with);
    else
        printf("Server started on port %d%s\n", net_address_port(address), with);
}

static void server_announce_metrics(const struct net_address *address)
{
    if (address->size > 0)
        printf("Metrics on port %d\n", net_address_port(address));
}

/* Prints what the system refused, with errno; false. */
static bool server_print_refusal(const char *what)
{
    int error = errno;
    log_fatal("keystore-server", "cannot make %s: %s%s, or use fewer --threads", what,
              strerror(error), shortage_advice(error));
    return false;
}

/* Passwords are verified by a thread of its own. */
static bool server_make_authenticator(struct server *server)
{
    if (server->access == NULL)
        return true;
    server->sessions = sessions_new();
    server->authenticator = authenticator_new(
        &(struct authenticator_options){.access = server->access,
                                        .sessions = server->sessions,
                                        .offload = server->offload,
                                        .lifetime_ms = server->config.session_lifetime_ms});
    server->report.authenticator = server->authenticator;
    return server->authenticator != NULL;
}

static bool server_make_workers(struct server *server)
{
    struct config *config = &server->config;
    server->admission = net_admission_new(config->max_connections, config->max_per_address);
    server->workers = mem_alloc_zero(config->threads * sizeof(struct worker *));
    server->offload = offload_new(config->threads, config->threads);
    if (server->offload == NULL)
        return server_print_refusal("a thread");
    server->channels = channels_new(config->threads);
    server->clients = clients_new(server->offload, config->threads);
    if (config->reflection != REFLECTION_OFF)
        server->protoset = protoset_new(config->reflection == REFLECTION_TEXT);
    health_init(&server->health, server->engine, config->reflection != REFLECTION_OFF);
    server->quota = quota_new();
    server->slowlog = slowlog_new(config->slow_log_max_len);
    server->meters = mem_alloc(config->threads * sizeof *server->meters);
    report_init(&server->report);
    server->report.config = config;
    server->report.store = embedded_store(server->engine);
    server->report.admission = server->admission;
    server->report.tls = server->certificates.tls;
    server->report.offload = server->offload;
    server->report.slowlog = server->slowlog;
    server->report.audit = server->audit;
    server->report.quota = server->quota;
    server->report.channels = server->channels;
    server->report.data = &server->data;
    if (!server_make_authenticator(server))
        return server_print_refusal("a thread");
    struct worker_options options = {.config = config,
                                     .engine = server->engine,
                                     .activity = &server->activity,
                                     .admission = server->admission,
                                     .tls = server->certificates.tls,
                                     .offload = server->offload,
                                     .channels = server->channels,
                                     .clients = server->clients,
                                     .runtime = &server->runtime,
                                     .protoset = server->protoset,
                                     .health = &server->health,
                                     .access = server->access,
                                     .sessions = server->sessions,
                                     .authenticator = server->authenticator,
                                     .opening = &server->opening,
                                     .meters = &server->all_meters,
                                     .slowlog = server->slowlog,
                                     .audit = audit_sink(server->audit),
                                     .quota = server->quota,
                                     .info = &server->report.info};
    for (unsigned i = 0; i < config->threads; i++) {
        server->workers[i] = worker_new(&options, i);
        if (server->workers[i] == NULL)
            return server_print_refusal("an event loop");
        server->meters[i] = worker_meter(server->workers[i]);
    }
    server->all_meters = (struct service_meters){server->meters, config->threads};
    server->report.workers = server->workers;
    return true;
}

static bool server_start_workers(struct server *server)
{
    for (unsigned i = 0; i < server->config.threads; i++) {
        int error = worker_start(server->workers[i]);
        if (error == 0)
            continue;
        errno = -error;
        return server_print_refusal("a thread");
    }
    return true;
}

/* Clients get only the descriptors that nothing else needs: a snapshot must not fail for lack of
 * one. */
static bool server_cap_connections(struct server *server)
{
    struct config *config = &server->config;
    uint64_t most = descriptors_for_connections(config->threads), limit = descriptors_limit();
    uint64_t kept = monitor_descriptors(&server->monitor);
    if (config->health_listen.size > 0)
        kept += NET_PROBE_CONNECTIONS;
    most = most > kept ? most - kept : 0;
    if (most == 0) {
        log_fatal("keystore-server",
                  "the limit of open files, %" PRIu64 ", leaves none for clients; "
                  "raise it (ulimit -n), or use fewer --threads",
                  limit);
        return false;
    }
    if (most >= config->max_connections)
        return true;
    log_warning("there may be %" PRIu64 " connections, not the %" PRIu32 " of --max-connections, "
                "because of the limit of open files, %" PRIu64 " (ulimit -n)",
                most, config->max_connections, limit);
    net_admission_cap(server->admission, (uint32_t)most);
    return true;
}

/* From now on connections are accepted or wait, and calls are answered, with ERR_LOADING until the
 * data are loaded. */
static bool server_serve(struct server *server)
{
    struct config *config = &server->config;
    server->engine = embedded_new(&config->store, config->threads);
    activity_init(&server->activity, MOST_BUSY_US);
    embedded_set_loading(server->engine, true);
    embedded_set_history(server->engine, config->watch_history);
    if (config->request_ids > 0)
        server->receipts =
            receipts_new(&(struct receipts_options){.most_count = config->request_ids,
                                                    .most_bytes = config->request_id_memory,
                                                    .age_ms = config->request_id_age_ms});
    embedded_set_receipts(server->engine, server->receipts);
    if (!server_make_workers(server))
        return false;
    if (!server_listen_to_all(server))
        return false;
    runtime_init(&server->runtime, config, server->admission, &server->data,
                 embedded_store(server->engine));
    if (!data_open(&server->data, config, server->engine, &server->activity) ||
        !monitor_start(&server->monitor, &config->metrics_listen, &server->report,
                       &server->health) ||
        !server_cap_connections(server) || !server_start_workers(server))
        return false;
    for (size_t i = 0; i < config->listen_count; i++)
        log_info("listening on %s%s, loading from %s", config->listen[i].text,
                 config->listen[i].is_tls ? " with TLS" : "", config->dir);
    if (config->health_listen.size > 0)
        log_info("listening on %s for health checks", config->health_listen.text);
    return true;
}

/* Called often while data is loaded. True if a signal to stop is pending; takes it. */
static bool server_is_stopped(void)
{
    static const struct timespec no_wait = {0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    systemd_loading(clock_monotonic_ms());
    return sigtimedwait(&signals, NULL, &no_wait) > 0;
}

static void server_announce_all(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        server_announce(&config->listen[i]);
    server_announce_metrics(&config->metrics_listen);
    if (!standard_flush("keystore-server")) /* clients do not need to see it */
        log_warning("started, but the line that says so could not be written to standard output");
    systemd_ready();
}

/* Stops the workers that were started. */
static void server_drain(struct server *server)
{
    opening_open(&server->opening);
    health_stop(&server->health);
    for (unsigned i = 0; i < server->config.threads; i++)
        worker_stop(server->workers[i]);
}

static struct watch_numbers server_read_counters(struct server *server)
{
    struct watch_numbers numbers = {.evicted_keys =
                                        store_stats(embedded_store(server->engine)).evicted_keys};
    for (enum err err = ERR_NONE + 1; err < ERR_COUNT; err++)
        numbers.refused[err] = status_count(err);
    for (unsigned i = 0; i < server->config.threads; i++) {
        struct grpc_counts counts = worker_counts(server->workers[i]);
        numbers.slow_requests += counts.slow_requests;
        numbers.turned_away += counts.streams.refused;
    }
    data_disk(&server->data, &numbers.waits_since_us, &numbers.slow_waits);
    return numbers;
}

/* Tells the service manager that the server works, unless an event loop is stuck. One that waits
 * for the disk is not: a restart would not help it. */
static void server_report_alive(struct server *server, const struct watch_numbers *numbers,
                                int64_t watchdog_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    for (unsigned i = 0; i < server->config.threads; i++)
        if (numbers->waits_since_us == 0 &&
            now_ms - worker_ticked_ms(server->workers[i]) > watchdog_ms)
            return;
    systemd_alive();
}

/* Waits up to that time for a signal of the set. Returns it; negative if there was none. */
static int server_take_signal(const sigset_t *signals, int64_t wait_ms)
{
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = (long)(wait_ms % 1000) * 1000000};
    return sigtimedwait(signals, NULL, &wait);
}

static bool server_read_users(struct server *server)
{
    const char *path = server->config.users_file;
    char why[USERS_FILE_WHY];
    if (path[0] == '\0')
        return true;
    server->access = access_source_new(path, why);
    if (server->access == NULL)
        log_fatal("keystore-server", "the users file %s is refused: %s", path, why);
    return server->access != NULL;
}

/* What the administrator has changed is in effect immediately for new calls, and within a second
 * for those under way. */
static void server_reload_users(struct server *server)
{
    const char *path = server->config.users_file;
    char why[USERS_FILE_WHY];
    bool is_good = access_source_reload(server->access, why);
    audit_note_users(server->audit, is_good, is_good ? "" : why);
    if (is_good)
        log_info("the users file %s was read again", path);
    else
        log_error("the users file %s is refused, and the former users stay: %s", path, why);
}

static void server_reload(struct server *server)
{
    log_info("SIGHUP received: loading files again");
    systemd_reloading();
    if (server->certificates.tls != NULL)
        certificates_reload(&server->certificates);
    if (server->access != NULL)
        server_reload_users(server);
    systemd_ready();
}

/* Carries out what a signal asks of a server that goes on; false for one that ends it. */
static bool server_obey(struct server *server, int signal)
{
    if (signal == SIGHUP)
        server_reload(server);
    else if (signal == SIGUSR1)
        audit_reopen(server->audit);
    return signal == SIGHUP || signal == SIGUSR1;
}

/* Waits for a signal of the set that ends the server, which it returns, until that monotonic time;
 * then negative. Once a second, or more often if the service manager wants to hear from the server,
 * it logs what is new, loads files that have changed and returns freed memory to the system, so
 * that this happens on an idle server, too. */
static int server_watch_until(struct server *server, const sigset_t *signals, int64_t until_ms)
{
    int64_t watchdog_ms = systemd_watchdog_ms(), left_ms;
    int64_t period_ms = watchdog_ms > 0 && watchdog_ms < 3000 ? watchdog_ms / 3 + 1 : 1000;
    while ((left_ms = until_ms - clock_monotonic_ms()) > 0) {
        int received = server_take_signal(signals, left_ms < period_ms ? left_ms : period_ms);
        if (received >= 0 && !server_obey(server, received))
            return received;
        struct watch_numbers numbers = server_read_counters(server);
        watch_look(&server->watch, &numbers, clock_monotonic_ms());
        certificates_look(&server->certificates, clock_unix_ms());
        if (watchdog_ms > 0)
            server_report_alive(server, &numbers, watchdog_ms);
        mem_trim();
        runs_trim();
    }
    return -1;
}

/* Serves for the drain delay, unless another signal comes, so that those who check the server's
 * health send their calls elsewhere before it ends connections. */
static void server_delay_drain(struct server *server, const sigset_t *signals, const char *signal)
{
    int64_t delay_ms = server->config.drain_delay_ms;
    if (delay_ms == 0)
        return;
    log_info("%s received: serving for another %" PRId64 " s (--drain-delay)", signal,
             delay_ms / 1000);
    server_watch_until(server, signals, clock_monotonic_ms() + delay_ms);
}

/* A second signal while the workers finish ends the process immediately. */
static void server_wait_and_drain(struct server *server, const sigset_t *signals)
{
    runs_trim(); /* from now on, what was just freed is kept to be used again */
    const char *received = strsignal(server_watch_until(server, signals, INT64_MAX));
    health_stop(&server->health);
    systemd_stopping(server->config.drain_delay_ms + runtime_drain_timeout_ms(&server->runtime));
    server_delay_drain(server, signals, received);
    log_info("%s received: finishing the calls in flight", received);
    sigset_t stopping = *signals;
    sigdelset(&stopping, SIGHUP);  /* a reload that comes too late, */
    sigdelset(&stopping, SIGUSR1); /* and a log that was rotated */
    pthread_sigmask(SIG_UNBLOCK, &stopping, NULL);
    server_drain(server);
}

/* True if all acknowledged writes are on disk. */
static bool server_stop(struct server *server)
{
    /* They are freed later: each may read the counters of the others, and the log may wake them
     * until it ends. */
    for (unsigned i = 0; i < server->config.threads; i++)
        worker_join(server->workers[i]);
    clients_stop(server->clients);
    authenticator_stop(server->authenticator);
    offload_stop(server->offload);
    if (atomic_load(&server->data.serving)) {
        struct watch_numbers numbers = server_read_counters(server);
        watch_end(&server->watch, &numbers, clock_monotonic_ms());
    }
    monitor_forget_report(&server->monitor);
    bool kept = data_stop(&server->data);
    for (unsigned i = 0; i < server->config.threads; i++)
        worker_free(server->workers[i]);
    free(server->workers);
    free(server->meters);
    slowlog_free(server->slowlog);
    quota_free(server->quota);
    offload_free(server->offload);
    channels_free(server->channels);
    clients_free(server->clients);
    runtime_deinit(&server->runtime);
    protoset_free(server->protoset);
    net_admission_free(server->admission);
    for (size_t i = server->passed_count; i < server->listening; i++)
        listener_unlink(&server->config.listen[i]);
    if (server->health_listening)
        listener_unlink(&server->config.health_listen);
    data_close(&server->data);
    embedded_free(server->engine);
    monitor_stop(&server->monitor);
    certificates_close(&server->certificates);
    receipts_free(server->receipts);
    authenticator_free(server->authenticator);
    sessions_free(server->sessions);
    access_source_free(server->access);
    audit_close(server->audit);
    return kept;
}

/* Serves until a signal comes. False, after an error message on standard error, if it cannot. */
static bool server_run(struct server *server, const sigset_t *signals)
{
    if (!server_serve(server)) {
        server_drain(server);
        return false;
    }
    enum data_loaded loaded = data_load(&server->data, server_is_stopped);
    if (loaded == DATA_LOADED) {
        opening_open(&server->opening);
        server_announce_all(&server->config);
        server_wait_and_drain(server, signals);
    } else {
        server_drain(server);
    }
    return loaded != DATA_BAD;
}

static void server_on_hint(void *user, const char *hint)
{
    (void)user;
    log_warning("%s", hint);
}

int main(int argc, char **argv)
{
    struct server server = {0};
    if (!standard_open())
        return 1;
    switch (config_read(argc, argv, &server.config)) {
    case CONFIG_RUN:
        break;
    case CONFIG_EXIT:
        return standard_flush("keystore-server") ? 0 : 1;
    case CONFIG_BAD:
        return 2;
    }
    sigset_t signals;
    log_set_level(server.config.log_level);
    log_set_format(server.config.log_format);
    if (!server_take_sockets(&server) || !certificates_open(&server.certificates, &server.config))
        return 1;
    if (!server_read_users(&server))
        return 1;
    if (server.config.audit_log[0] != '\0') {
        server.audit = audit_open(server.config.audit_log, server.config.users_file);
        if (server.audit == NULL)
            return 1;
    }
    hints_give(&server.config, server_on_hint, NULL);
    descriptors_raise_limit();
    account_set_limit(server.config.max_client_memory);
    server_tune_malloc();
    net_loop_use_reserve();
    if (!reserve_take()) {
        log_fatal("keystore-server",
                  "the system refuses the %zu MiB of addresses that are reserved for "
                  "when memory runs out; raise the limit (ulimit -v)",
                  RESERVE_BYTES / 1024 / 1024);
        return 1;
    }
    server_block_signals(&server, &signals);
    opening_init(&server.opening);
    bool served = server_run(&server, &signals);
    bool kept = server_stop(&server);
    opening_deinit(&server.opening);
    if (served)
        log_info("stopped");
    return served && kept ? 0 : 1;
}
