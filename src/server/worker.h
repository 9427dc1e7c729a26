/* A worker: one thread with its own loop, service and share of the connections. */
#ifndef KEYSTORE_SERVER_WORKER_H
#define KEYSTORE_SERVER_WORKER_H

#include "grpc/server.h"
#include "server/config.h"

struct access_source;
struct authenticator;
struct activity;
struct channels;
struct clients;
struct runtime;
struct engine;
struct health;
struct info_source;
struct offload;
struct meter;
struct net_admission;
struct net_tls;
struct service_meters;
struct sessions;
struct quota;
struct slowlog;
struct stream_counts;
struct worker;

/* What the workers of a server share, borrowed for their lives. */
struct worker_options {
    const struct config *config;
    struct engine *engine;
    struct activity *activity;
    struct net_admission *admission;
    struct net_tls *tls;       /* for addresses with TLS; NULL: there are none */
    struct offload *offload;   /* NULL: a worker itself does what takes long */
    struct channels *channels; /* NULL: Publish and Subscribe are not served */
    struct clients *clients;   /* NULL: Clients and KillClients are not served */
    struct runtime *runtime;   /* NULL: no setting changes */
    const struct info_source *info;
    const struct service_meters *meters; /* of all workers, see service_options.h */
    struct slowlog *slowlog;             /* the same */
    const struct audit_sink *audit;      /* NULL: nobody keeps an audit log */
    struct quota *quota;                 /* the same */
    const struct protoset *protoset;     /* of the API, for reflection; NULL: it is off */
    const struct health *health;         /* NULL: health checks are not served */
    struct access_source *access;        /* NULL: everybody may do everything */
    struct sessions *sessions;           /* NULL with the former, as: */
    struct authenticator *authenticator;
    struct opening
        *opening; /* accepts nothing before it is open, or OPENING_HOLD_MS; may be NULL */
};

/* Worker `index` of config->threads, not running yet; registers with the engine and `offload` how
 * it is woken. NULL, with errno, if the system has no descriptors for it. */
struct worker *worker_new(const struct worker_options *options, unsigned index);

/* Serves a bound socket, whose descriptor the worker takes over: with NET_PROBES, only health
 * checks. 0, or a negative errno. */
int worker_listen(struct worker *worker, int descriptor, const struct net_address *address,
                  enum net_purpose purpose) __attribute__((warn_unused_result));

/* Starts the thread. 0, or a negative errno if the system gives none. */
int worker_start(struct worker *worker) __attribute__((warn_unused_result));

/* Has a worker finish, if it was started; returns immediately. NULL is allowed. */
void worker_stop(struct worker *worker);

/* When its event loop last did its regular maintenance, every 100 ms at least; any thread may ask.
 * Monotonic. */
int64_t worker_ticked_ms(const struct worker *worker);

/* CPU time of its thread so far; -1 if the system does not say, as after its end. Any thread may
 * ask. */
int64_t worker_busy_us(const struct worker *worker);

/* Requests received so far; any thread may ask. */
uint64_t worker_commands(const struct worker *worker);

/* Calls that wait for a list, see service_blocked(). */
uint64_t worker_blocked(const struct worker *worker);

/* As service_count_streams(). */
void worker_count_streams(const struct worker *worker, struct stream_counts *sum);

/* Calls and connections refused or ended so far; any thread may ask. */
struct grpc_counts worker_counts(const struct worker *worker);

/* The calls of each method, numbered as in service/route.h; any thread may read it. */
const struct meter *worker_meter(const struct worker *worker);

/* Waits for the thread of a worker after worker_stop(). NULL is allowed. */
void worker_join(struct worker *worker);

/* Waits for the thread, if it was started, and frees the worker. NULL is allowed. */
void worker_free(struct worker *worker);

#endif
