/* The unary calls of grpc.health.v1; its Watch is in streams/health_watch.h. */
#ifndef KEYSTORE_SERVICE_HEALTH_CALLS_H
#define KEYSTORE_SERVICE_HEALTH_CALLS_H

#include "base/slice.h"

struct request;

/* Answer the call at once and recycle the request. */
void health_calls_check(struct request *request, struct slice message);
void health_calls_list(struct request *request, struct slice message);

#endif
