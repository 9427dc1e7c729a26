/*
 * The RPCs: a request message becomes an operation, the engine answers it, the result becomes the
 * reply. One service per thread; all of its calls belong to that thread.
 */
#ifndef KEYSTORE_SERVICE_SERVICE_H
#define KEYSTORE_SERVICE_SERVICE_H

#include "service/service_options.h"

#include <stdint.h>

struct grpc_service;
struct service;
struct stream_counts;

/* Free with service_free(). */
struct service *service_new(const struct service_options *options);

/* No call may be in flight, and offload must have been stopped. NULL is allowed. */
void service_free(struct service *service);

/* The limits on calls have changed. */
void service_set_quota(struct service *service, const struct quota_settings *settings);

/* Sets the wall clock (Unix time) for the requests that follow. */
void service_set_time(struct service *service, int64_t now_ms);

/* Continues with requests that were held or offloaded, and with messages that were published. To be
 * called after engine_complete(), and when offload or channels have woken the worker. */
void service_resume(struct service *service);

/* Does what is due, and returns when it is to be called again; INT64_MAX: when the alarm says so.
 * `now_ms` is monotonic. */
int64_t service_run_timers(struct service *service, int64_t now_ms);

/* Tells those who watch the server's health what has changed. To be called often, and before the
 * connections are drained. */
void service_tell_health(struct service *service);

/* Requests received so far, good or bad. Any thread may ask. */
uint64_t service_commands(const struct service *service);

/* Calls that wait for a list. Any thread may ask. */
uint64_t service_blocked(const struct service *service);

/* Adds what its streams have done so far to *sum. Any thread may ask. */
void service_count_streams(const struct service *service, struct stream_counts *sum);

/* For grpc_server_new(); owned by the service. */
const struct grpc_service *service_grpc(const struct service *service);

/* The same, with no methods but those of grpc.health.v1. */
const struct grpc_service *service_grpc_health(const struct service *service);

#endif
