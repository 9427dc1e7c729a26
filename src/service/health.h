/*
 * Whether the server and its services take calls, as grpc.health.v1 says it
 * (proto/grpc/health/v1/health.proto). One per server, and any thread may ask: a status is that of
 * the moment, from the engine's state and whether the server stops.
 */
#ifndef KEYSTORE_SERVICE_HEALTH_H
#define KEYSTORE_SERVICE_HEALTH_H

#include "base/slice.h"

#include <stdatomic.h>
#include <stdbool.h>

struct engine;
struct health_service;

/* The values of HealthCheckResponse.ServingStatus. */
enum health_status { HEALTH_SERVING = 1, HEALTH_NOT_SERVING = 2, HEALTH_SERVICE_UNKNOWN = 3 };

struct health {
    struct engine *engine; /* borrowed */
    bool has_reflection;
    atomic_bool is_stopping;
};

/* `has_reflection`: its services are served, too. */
void health_init(struct health *health, struct engine *engine, bool has_reflection);

/* The server is about to stop: from now on nothing is SERVING but keystore.live. */
void health_stop(struct health *health);

/* The service with that name, in static memory; "" is the whole server. NULL if there is none, now
 * and later. */
const struct health_service *health_find(const struct health *health, struct slice name);

/* Why the service is not SERVING, in static memory; NULL if it is. */
const char *health_reason(const struct health *health, const struct health_service *service);

/* HEALTH_SERVICE_UNKNOWN for NULL. */
enum health_status health_status(const struct health *health, const struct health_service *service);

/* Calls `visit` for each service. */
void health_each(const struct health *health,
                 void (*visit)(void *user, struct slice name, enum health_status status),
                 void *user);

#endif
