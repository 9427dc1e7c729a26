/*
 * Clients and KillClients: the connections of all workers. A call's question goes from worker to
 * worker, each of which answers for its own connections on its own thread, some hundred
 * microseconds at a time; pages of what was found go back to the call's worker.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_CLIENTS_H
#define KEYSTORE_SERVICE_STREAMS_CLIENTS_H

#include "grpc/stream.h"

#include <stddef.h>
#include <stdint.h>

struct clients;
struct offload;

/* A connection. */
struct client_entry {
    uint64_t id;
    char address[64];       /* of the peer */
    const void *connection; /* as grpc_call_connection() */
    /* The rest is set by describe(). */
    char listener[128];
    int64_t age_ms, idle_ms;
    uint32_t calls, streams;
    uint64_t calls_so_far, bytes_in, bytes_out, queued;
    char user_agent[104]; /* in ASCII */
};

/* The connections of a worker. All on its thread. */
struct clients_source {
    void *user; /* NULL: there are none */
    /* Starts at the first connection; the result is for the functions below. */
    void *(*begin)(void *user);
    /* The next connection, of which the first members are set; false: there are no more. */
    bool (*next)(void *visit, struct client_entry *entry);
    /* What is to be known of that connection, and its end. */
    void (*describe)(void *visit, struct client_entry *entry);
    void (*kill)(void *visit);
    /* Frees what begin() has returned. After clients_stop() on any thread. */
    void (*end)(void *visit);
};

/* For workers with the numbers from 0 to workers - 1. `offload` is borrowed. */
struct clients *clients_new(struct offload *offload, unsigned workers);

/* To be set before the worker runs. */
void clients_set_source(struct clients *clients, unsigned worker,
                        const struct clients_source *source);

/* The workers' threads have ended: from now on no source is used, but for end(). */
void clients_stop(struct clients *clients);

/* After the services were freed. NULL is allowed. */
void clients_free(struct clients *clients);

extern const struct grpc_stream_method clients_method;
extern const struct grpc_stream_method kill_clients_method;

#endif
