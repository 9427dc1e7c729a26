/* The calls by method, named as by the gRPC libraries of Prometheus' users (go-grpc-prometheus), so
 * that their dashboards and alerts fit. */
#ifndef KEYSTORE_SERVER_EXPOSITION_CALLS_H
#define KEYSTORE_SERVER_EXPOSITION_CALLS_H

#include "grpc/meter.h"

struct metrics_text;
struct report;

/* `methods` has room for route_method_count(); its contents are of no use afterwards. */
void exposition_calls_write(const struct report *report, struct meter_method *methods,
                            struct metrics_text *text);

#endif
