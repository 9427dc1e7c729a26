/* What a service (service.h) works with. */
#ifndef KEYSTORE_SERVICE_SERVICE_OPTIONS_H
#define KEYSTORE_SERVICE_SERVICE_OPTIONS_H

#include "base/timers.h"
#include "base/waker.h"
#include "service/quota.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct access;
struct access_source;
struct access_user;
struct audit_sink;
struct activity_worker;
struct authenticator;
struct channels;
struct clients;
struct engine;
struct health;
struct info_source;
struct meter;
struct offload;
struct protoset;
struct sessions;
struct settings_source;
struct slowlog;

/* Bytes of a peer's name, with its terminating zero. */
#define SERVICE_PEER_TEXT 64

/* The calls of all workers. */
struct service_meters {
    const struct meter *const *meters;
    size_t count;
};

/* All borrowed. */
struct service_options {
    struct engine *engine;
    unsigned worker;                  /* the worker's number, to the engine and to `offload` */
    struct activity_worker *activity; /* marked busy before a write; NULL: nobody listens */
    const struct info_source *info;   /* Info answers from it */
    struct waker waker;               /* has service_resume() called on the worker's thread */
    struct alarm alarm;               /* has service_run_timers() called; monotonic */
    struct offload *offload;          /* for requests that take long; NULL: they run here */
    struct channels *channels;        /* NULL: Publish and Subscribe are not served */
    struct clients *clients;          /* NULL: Clients and KillClients are not served */
    const struct settings_source *settings; /* NULL: Config and SetConfig are not served */
    const struct protoset *protoset;        /* of the API, for reflection; NULL: it is off */
    const struct health *health;            /* NULL: health checks are not served */
    const struct service_meters *meters;    /* Latency adds them up; NULL: there are none */
    struct slowlog *slowlog;                /* of the process; NULL: nobody keeps slow calls */
    /* Prints the peer of a connection: the `user` of its grpc_connection_new(). NULL: it has none
     * that is known. */
    void (*print_peer)(const void *connection, char text[SERVICE_PEER_TEXT]);
    const struct audit_sink *audit; /* see audited.h; NULL: nobody wants to know */
    struct access_source *access;   /* NULL: there are no users, and everybody may do everything */
    struct sessions *sessions;      /* that callers are known by, too; NULL: there are none */
    struct authenticator *authenticator; /* NULL: Authenticate is not served */
    /* The address of the peer of a connection, IPv6 or IPv4-mapped; of a unix socket, something
     * that stands for its user. NULL: it is not known. */
    void (*find_address)(const void *connection, uint8_t address[16]);
    /* Sets *uid to the system's user number of the peer of a connection; false: it is not known.
     * NULL: none is. */
    bool (*find_uid)(const void *connection, unsigned *uid);
    /* The one of the users whom the verified client certificate of a connection names; NULL: there
     * is none. NULL: no connection has a certificate. */
    const struct access_user *(*find_certified)(const void *connection,
                                                const struct access *access);
    struct quota_share quota; /* the limits on calls */
    size_t max_value;         /* of one value, in bytes */
    size_t max_answer;        /* that the elements of one answer may take, in bytes */
};

#endif
