/* The connections that the server has ended before their clients did, by reason: counted, and told
 * in the log. Shared by all loops. */
#ifndef KEYSTORE_NET_CLOSINGS_H
#define KEYSTORE_NET_CLOSINGS_H

#include "base/closing.h"

#include <stdint.h>

/* Of each kind there may be so many lines in a span (base/log_limit.h), since they name peers. */
#define NET_CLOSINGS_LINES 5

struct net_closings;
struct net_peer;

/* Free with net_closings_free(). */
struct net_closings *net_closings_new(void);
void net_closings_free(struct net_closings *closings);

/* Counts one, whose kind is not CLOSING_NONE, and writes a line with peer and text, unless there
 * were many of its kind lately. `now_ms` is a monotonic clock's. Thread-safe. */
void net_closings_note(struct net_closings *closings, const struct net_peer *peer,
                       struct closing closing, int64_t now_ms);

/* Tells how many lines were left out, if no other comes. To be called every second or so.
 * Thread-safe. */
void net_closings_report(struct net_closings *closings, int64_t now_ms);

/* How many there were of that kind. Thread-safe. */
uint64_t net_closings_count(struct net_closings *closings, enum closing_kind kind);

/* The kind in lower case, as a part of names: "http1". */
const char *net_closings_name(enum closing_kind kind);

#endif
