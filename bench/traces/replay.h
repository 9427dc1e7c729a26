/* A trace as the load of a server that is used as a cache. */
#ifndef KEYSTORE_TRACES_REPLAY_H
#define KEYSTORE_TRACES_REPLAY_H

#include "traces/server.h"
#include "traces/trace.h"

/*
 * Replays requests [begin, end) and returns how many were hits. Many are in flight, but never two
 * of one key, so that the answers are those that come when one request follows the other.
 */
size_t replay_run(struct server *server, const struct trace *trace, size_t begin, size_t end);

/* The weight (trace_weight()) of all of the trace's keys that the server holds. */
uint64_t replay_held(struct server *server, const struct trace *trace);

#endif
