/* Monitoring over HTTP: --metrics-listen (metrics/http.h). */
#ifndef KEYSTORE_SERVER_MONITOR_H
#define KEYSTORE_SERVER_MONITOR_H

#include "net/address.h"

#include <stdbool.h>

struct exposition;
struct health;
struct metrics_http;
struct report;

/* Initially all zero: it is off, and the functions below do nothing. */
struct monitor {
    struct metrics_http *http;
    struct exposition *exposition;
    const struct report *report;
    const struct health *health;
};

/* Serves the address, unless it is empty; sets its port if the system chooses it. The report's
 * sources must be set, but for the workers. The server is ready when its health says that it serves
 * calls. False after an error message on standard error. */
bool monitor_start(struct monitor *monitor, struct net_address *address,
                   const struct report *report, const struct health *health);

/* Descriptors to be kept free for its connections. */
unsigned monitor_descriptors(const struct monitor *monitor);

/* From now on the report and the health are not used any more. */
void monitor_forget_report(struct monitor *monitor);

void monitor_stop(struct monitor *monitor);

#endif
