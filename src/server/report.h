/* The sections of Info about this server, and the sources of their numbers. */
#ifndef KEYSTORE_SERVER_REPORT_H
#define KEYSTORE_SERVER_REPORT_H

#include "server/config.h"
#include "service/info.h"

struct channels;
struct data;
struct net_admission;
struct offload;
struct slowlog;
struct store;
struct worker;

/* The sources; all borrowed. */
struct report {
    struct info_source info; /* for the services */
    const struct config *config;
    struct store *store;
    struct net_admission *admission;
    struct data *data;
    const struct offload *offload; /* NULL: there is none yet */
    struct channels *channels;     /* the same */
    struct slowlog *slowlog;       /* the same */
    struct worker **workers;       /* config->threads; NULL: there are none yet */
    int64_t started_ms;            /* monotonic */
};

/* Initializes the report and starts its uptime. The caller sets the sources before the first
 * question. The report must not move. */
void report_init(struct report *report);

#endif
