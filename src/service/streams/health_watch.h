/*
 * Watch of grpc.health.v1: the status of a service now, and again whenever it has changed. A caller
 * that does not read gets the newest one when it does. The status of an unknown service is
 * SERVICE_UNKNOWN, and the call goes on.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_HEALTH_WATCH_H
#define KEYSTORE_SERVICE_STREAMS_HEALTH_WATCH_H

#include "grpc/stream.h"

struct stream_host;

extern const struct grpc_stream_method health_watch_method;

/* Tells the host's watchers what has changed. To be called often, and on the host's thread. */
void health_watch_tell(struct stream_host *host);

#endif
