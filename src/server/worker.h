/* A worker: one thread with its own loop, service and share of the connections. */
#ifndef KEYSTORE_SERVER_WORKER_H
#define KEYSTORE_SERVER_WORKER_H

#include "server/config.h"

struct engine;
struct net_admission;
struct worker;

/* All three are borrowed for the worker's life. Not running yet. */
struct worker *worker_new(const struct config *config, struct engine *engine,
                          struct net_admission *admission);

/* Serves a bound socket, whose descriptor the worker takes over. 0, or a negative errno. */
int worker_listen(struct worker *worker, int descriptor, const struct net_address *address)
    __attribute__((warn_unused_result));

/* Starts the thread; aborts if the system gives none. */
void worker_start(struct worker *worker);

/* Tells a started worker to finish; returns at once. */
void worker_stop(struct worker *worker);

/* Waits for the thread, if it was started, and frees the worker. NULL is allowed. */
void worker_free(struct worker *worker);

#endif
