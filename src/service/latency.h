/* Latency: the calls of all methods, and how long they took. */
#ifndef KEYSTORE_SERVICE_LATENCY_H
#define KEYSTORE_SERVICE_LATENCY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "grpc/meter.h"

struct chain;
struct service_meters;
struct service_options;

/* The counts of a method, added up over all workers. */
struct meter_method latency_sum(const struct service_meters *meters, size_t method);

/* The duration in microseconds that this share of the calls, 0 to 1, did not exceed: interpolated
 * within a bucket. 0 if there were none. */
double latency_percentile(const struct meter_method *sum, double share);

/* Answers a LatencyRequest, as info_answer() an InfoRequest. */
enum err latency_report(const struct service_options *options, struct slice message,
                        struct arena *arena, struct chain *reply, const char **why);

#endif
