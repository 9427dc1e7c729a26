/*
 * The RPCs: a request message becomes an operation, the engine answers it, the result becomes the
 * reply. One service per thread; all of its calls belong to that thread.
 */
#ifndef KEYSTORE_SERVICE_SERVICE_H
#define KEYSTORE_SERVICE_SERVICE_H

#include <stddef.h>
#include <stdint.h>

struct engine;
struct grpc_service;
struct info_source;
struct service;

/* `engine` and `info`, which Info answers from, are borrowed; to the engine the service is part
 * `part`. `max_value` is the longest value in bytes, `max_answer` the most that the elements of one
 * answer may take. Free with service_free(). */
struct service *service_new(struct engine *engine, unsigned part, const struct info_source *info,
                            size_t max_value, size_t max_answer);

/* No call may be under way. NULL is allowed. */
void service_free(struct service *service);

/* The wall clock as the next requests see it: Unix time. To be told before they come. */
void service_set_time(struct service *service, int64_t now_ms);

/* Requests that it has taken so far, good or bad. Any thread may ask. */
uint64_t service_commands(const struct service *service);

/* What a grpc_connection asks for; owned by the service. */
const struct grpc_service *service_grpc(const struct service *service);

#endif
