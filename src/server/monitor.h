/* Monitoring over HTTP: --metrics-listen (metrics/http.h). */
#ifndef KEYSTORE_SERVER_MONITOR_H
#define KEYSTORE_SERVER_MONITOR_H

#include "net/address.h"

#include <stdatomic.h>
#include <stdbool.h>

struct metrics_http;
struct exposition;
struct report;

/* Initially all zero: it is off, and the functions below do nothing. */
struct monitor {
    struct metrics_http *http;
    struct exposition *exposition;
    const struct report *report;
    atomic_bool draining;
};

/* Serves the address, unless it is empty; sets its port if the system chooses it. The report's
 * sources must be set, but for the workers. False after an error message on standard error. */
bool monitor_start(struct monitor *monitor, struct net_address *address,
                   const struct report *report);

/* Descriptors to be kept free for its connections. */
unsigned monitor_descriptors(const struct monitor *monitor);

/* The server is stopping: from now on it is not ready. */
void monitor_drain(struct monitor *monitor);

/* From now on the report is not used any more. */
void monitor_forget_report(struct monitor *monitor);

void monitor_stop(struct monitor *monitor);

#endif
