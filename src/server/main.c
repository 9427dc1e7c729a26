/* keystore-server: reads the settings, starts the workers, waits for a signal, ends in order. */
#include "base/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/standard.h"
#include "engine/embedded.h"
#include "net/admission.h"
#include "net/listener.h"
#include "server/config.h"
#include "server/data.h"
#include "server/hints.h"
#include "server/report.h"
#include "server/worker.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct server {
    struct config config;
    struct engine *engine;
    struct net_admission *admission;
    struct worker **workers;
    struct report report;
    struct data data;
    size_t listening; /* addresses of the configuration that are bound */
};

/* Each connection is a descriptor: takes as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("the limit of open files stays as it is: %s", strerror(errno));
}

/* Large objects lie in runs (base/runs.h). What malloc() has for the others goes back to the system
 * as it is freed at the end of its areas, and from within them by mem_trim(): glibc's usual
 * thresholds rise with what is freed, and then nothing does. */
static void bound_malloc(void)
{
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

/* The workers' threads inherit this, so that signals come to main's sigwait() only. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of the disk, EFBIG */
}

static bool serve_address(struct server *server, struct net_address *address)
{
    unsigned threads = server->config.threads;
    int *descriptors = mem_alloc(threads * sizeof *descriptors);
    bool bound = listener_bind(address, descriptors, threads);
    int result = bound ? 0 : -errno;
    for (unsigned i = 0; i < threads && result == 0; i++)
        result = worker_listen(server->workers[i], descriptors[i], address);
    free(descriptors);
    if (bound)
        server->listening++;
    if (result == 0)
        return true;
    fprintf(stderr, "keystore-server: cannot listen on %s: %s\n", address->text,
            result == -EADDRINUSE ? "the address is in use by another server; stop that one or "
                                    "choose another with --listen"
                                  : strerror(-result));
    return false;
}

static void announce(const struct net_address *address)
{
    if (net_address_is_unix(address))
        printf("Server started on %s\n", address->text);
    else
        printf("Server started on port %d\n", net_address_port(address));
}

/* The engine has answers for this part. */
static void on_ready(void *user, unsigned part)
{
    struct server *server = user;
    worker_wake(server->workers[part]);
}

static void make_workers(struct server *server)
{
    struct config *config = &server->config;
    server->admission = net_admission_new(config->max_connections, config->max_per_address);
    server->workers = mem_alloc_zero(config->threads * sizeof(struct worker *));
    report_init(&server->report);
    server->report.config = config;
    server->report.store = embedded_store(server->engine);
    server->report.admission = server->admission;
    server->report.data = &server->data;
    for (unsigned i = 0; i < config->threads; i++)
        server->workers[i] =
            worker_new(config, i, server->engine, server->admission, &server->report.info);
    server->report.workers = server->workers;
}

/* From here on calls are answered, with ERR_LOADING until the data are there. */
static bool serve(struct server *server)
{
    struct config *config = &server->config;
    server->engine = embedded_new(&config->store, config->threads);
    server->engine->on_ready = on_ready;
    server->engine->on_ready_user = server;
    embedded_set_loading(server->engine, true);
    make_workers(server);
    for (size_t i = 0; i < config->listen_count; i++) {
        if (!serve_address(server, &config->listen[i]))
            return false;
    }
    if (!data_open(&server->data, config, server->engine))
        return false;
    for (unsigned i = 0; i < config->threads; i++)
        worker_start(server->workers[i]);
    for (size_t i = 0; i < config->listen_count; i++)
        log_info("listening on %s, loading from %s", config->listen[i].text, config->dir);
    return true;
}

/* True if a signal came that ends the server; it is then not seen again. */
static bool is_stopped(void)
{
    static const struct timespec at_once = {0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return sigtimedwait(&signals, NULL, &at_once) > 0;
}

static void announce_all(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        announce(&config->listen[i]);
    if (!standard_flush("keystore-server")) /* clients do not need to see it */
        log_warning("started all the same, but whoever waits for that line will not see it");
}

static void drain(struct server *server)
{
    for (unsigned i = 0; i < server->config.threads; i++)
        worker_stop(server->workers[i]);
}

/* A second signal while the workers finish ends the process at once. What waits here has the time
 * to see to it that freed memory goes back, also when nothing is asked of the server any more. */
static void wait_and_drain(struct server *server, const sigset_t *signals)
{
    static const struct timespec second = {.tv_sec = 1};
    int received;
    while ((received = sigtimedwait(signals, NULL, &second)) < 0)
        mem_trim();
    log_info("%s received: finishing the calls under way", strsignal(received));
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    drain(server);
}

/* True if all that was acknowledged is on disk. */
static bool stop(struct server *server)
{
    /* Each may still look at the others, to report on them; the log wakes them as long as it runs.
     */
    for (unsigned i = 0; i < server->config.threads; i++)
        worker_join(server->workers[i]);
    bool kept = data_stop(&server->data);
    for (unsigned i = 0; i < server->config.threads; i++)
        worker_free(server->workers[i]);
    free(server->workers);
    net_admission_free(server->admission);
    for (size_t i = 0; i < server->listening; i++)
        listener_unlink(&server->config.listen[i]);
    data_close(&server->data);
    embedded_free(server->engine);
    return kept;
}

/* Serves until a signal comes; false if it could not, after a sentence on standard error. */
static bool run(struct server *server, const sigset_t *signals)
{
    if (!serve(server))
        return false;
    enum data_loaded loaded = data_load(&server->data, is_stopped);
    if (loaded == DATA_LOADED) {
        announce_all(&server->config);
        wait_and_drain(server, signals);
    } else {
        drain(server);
    }
    return loaded != DATA_BAD;
}

static void on_hint(void *user, const char *hint)
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
    hints_give(&server.config, on_hint, NULL);
    raise_descriptor_limit();
    account_set_limit(server.config.max_client_memory);
    bound_malloc();
    block_signals(&signals);
    bool served = run(&server, &signals);
    bool kept = stop(&server);
    if (served)
        log_info("stopped");
    return served && kept ? 0 : 1;
}
