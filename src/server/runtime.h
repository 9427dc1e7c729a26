/*
 * The settings in effect, of which some change while the server runs (SetConfig). Each is applied
 * immediately where it is used under a lock or atomically; the limits of connections are used
 * without either, so each worker takes them over on its own thread (runtime_take()).
 */
#ifndef KEYSTORE_SERVER_RUNTIME_H
#define KEYSTORE_SERVER_RUNTIME_H

#include "server/settings.h"
#include "service/streams/settings.h"

#include <pthread.h>
#include <stdatomic.h>

struct data;
struct net_admission;
struct store;

struct runtime {
    struct settings_source source; /* for services */
    struct net_admission *admission;
    struct data *data;
    struct store *store;
    atomic_uint generation; /* of `config` */
    pthread_mutex_t lock;   /* of what follows; held briefly */
    struct config config;
    uint64_t changed; /* a bit for each row of options.h */
};

/* With the settings of the start; the rest is borrowed. It must not move. */
void runtime_init(struct runtime *runtime, const struct config *config,
                  struct net_admission *admission, struct data *data, struct store *store);
void runtime_deinit(struct runtime *runtime);

/* Copies the settings if they are newer than *generation, which is 0 at the start; false otherwise.
 * Cheap unless they are. Any thread. */
bool runtime_take(struct runtime *runtime, unsigned *generation, struct config *config);

/* The --drain-timeout in effect. Any thread. */
int64_t runtime_drain_timeout_ms(struct runtime *runtime);

#endif
