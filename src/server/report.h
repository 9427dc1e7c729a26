/* The sections of Info about this server, and the sources of their numbers. */
#ifndef KEYSTORE_SERVER_REPORT_H
#define KEYSTORE_SERVER_REPORT_H

#include "grpc/server.h"
#include "net/tls.h"
#include "server/config.h"
#include "service/info.h"
#include "service/quota.h"
#include "service/streams/channels.h"
#include "service/streams/stream_counts.h"
#include "store/receipts.h"

struct audit;
struct authenticator;
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
    struct net_tls *tls; /* NULL: no address speaks TLS */
    struct data *data;
    const struct offload *offload;             /* NULL: there is none yet */
    struct channels *channels;                 /* the same */
    struct slowlog *slowlog;                   /* the same */
    const struct authenticator *authenticator; /* NULL: there are no users */
    struct audit *audit;                       /* NULL: there is no audit log */
    const struct quota *quota;                 /* the same as `offload` */
    struct worker **workers;                   /* config->threads; NULL: there are none yet */
    int64_t started_ms;                        /* monotonic */
};

/* Initializes the report and starts its uptime. The caller sets the sources before the first
 * question. The report must not move. */
void report_init(struct report *report);

/* Sums over the workers, over the channels and over request ids; any thread may ask, before there
 * are some, too. */
uint64_t report_count_blocked(const struct report *report);
uint64_t report_count_commands(const struct report *report);
struct grpc_counts report_count_calls(const struct report *report);
struct channels_counts report_count_channels(const struct report *report);
struct stream_counts report_count_streams(const struct report *report);
struct receipts_stats report_receipts(const struct report *report);
uint64_t report_count_limited(const struct report *report, enum quota_limit limit);

/* All zero if no address speaks TLS; any thread may ask. */
struct net_tls_counts report_count_tls(const struct report *report);

#endif
