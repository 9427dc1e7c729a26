/* What Info tells of this server: the sections, and where their numbers come from. */
#ifndef KEYSTORE_SERVER_REPORT_H
#define KEYSTORE_SERVER_REPORT_H

#include "server/config.h"
#include "service/info.h"

struct data;
struct net_admission;
struct offload;
struct store;
struct worker;

/* The sources; all borrowed. */
struct report {
    struct info_source info; /* what the services get */
    const struct config *config;
    struct store *store;
    struct net_admission *admission;
    struct data *data;
    const struct offload *offload; /* NULL: there is none yet */
    struct worker **workers;       /* config->threads; NULL: there are none yet */
    int64_t started_ms;            /* monotonic */
};

/* A report of sources that may be filled in until somebody asks; it begins to count its uptime. It
 * must not move. */
void report_init(struct report *report);

#endif
