/* Wires the report to the HTTP server for monitoring. */
#include "server/monitor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/shortage.h"
#include "metrics/http.h"
#include "net/listener.h"
#include "server/exposition.h"
#include "server/report.h"
#include "server/slow_calls.h"
#include "service/health.h"

#include <errno.h>
#include <string.h>

static void monitor_write(void *user, struct metrics_text *text)
{
    struct monitor *monitor = user;
    exposition_write(monitor->exposition, text);
}

static char *monitor_slow_calls(void *user, size_t *len)
{
    const struct monitor *monitor = user;
    return slow_calls_print(monitor->report->slowlog, clock_unix_ms(), len);
}

static const char *monitor_not_ready(void *user)
{
    const struct monitor *monitor = user;
    return health_reason(monitor->health, health_find(monitor->health, SLICE_LITERAL("")));
}

bool monitor_start(struct monitor *monitor, struct net_address *address,
                   const struct report *report, const struct health *health)
{
    int descriptor;
    if (address->size == 0)
        return true;
    struct metrics_source source = {.write = monitor_write,
                                    .slow_calls = monitor_slow_calls,
                                    .not_ready = monitor_not_ready,
                                    .user = monitor};
    monitor->report = report;
    monitor->health = health;
    bool bound = listener_bind(address, &descriptor, 1);
    if (bound) {
        monitor->exposition = exposition_new(report);
        monitor->http = metrics_http_new(descriptor, &source, &metrics_http_default_limits);
    }
    if (monitor->http != NULL) {
        log_info("metrics on http://%s/", address->text);
        return true;
    }
    int error = errno;
    log_fatal("keystore-server", "cannot serve metrics on %s: %s%s", address->text,
              error == EADDRINUSE ? "the address is in use by another program; stop that one or "
                                    "choose another with --metrics-listen"
                                  : strerror(error),
              shortage_advice(error));
    return false;
}

unsigned monitor_descriptors(const struct monitor *monitor)
{
    return monitor->http != NULL ? METRICS_HTTP_CONNECTIONS : 0;
}

void monitor_forget_report(struct monitor *monitor)
{
    metrics_http_forget_source(monitor->http);
}

void monitor_stop(struct monitor *monitor)
{
    metrics_http_free(monitor->http);
    exposition_free(monitor->exposition);
    *monitor = (struct monitor){0};
}
