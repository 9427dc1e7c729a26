/* Connections that the server closed before their clients did: counted and logged by reason. Shared
 * by all loops. */
#ifndef KEYSTORE_NET_CLOSINGS_H
#define KEYSTORE_NET_CLOSINGS_H

#include "base/closing.h"

#include <stdint.h>

/* Log lines per kind in a span (base/log_limit.h); they name peers, so they are limited. */
#define NET_CLOSINGS_LINES 5

struct net_closings;
struct net_peer;

/* Free with net_closings_free(). */
struct net_closings *net_closings_new(void);
void net_closings_free(struct net_closings *closings);

/* Counts a closing, whose kind is not CLOSING_NONE, and logs its peer and text, unless there were
 * too many of its kind recently. `now_ms` is monotonic. Thread-safe. */
void net_closings_note(struct net_closings *closings, const struct net_peer *peer,
                       struct closing closing, int64_t now_ms);

/* Logs how many lines were suppressed, when no other line does. To be called about once a second.
 * Thread-safe. */
void net_closings_report(struct net_closings *closings, int64_t now_ms);

/* The number of closings of that kind so far. Thread-safe. */
uint64_t net_closings_count(struct net_closings *closings, enum closing_kind kind);

/* The kind in lower case, for use in names: "http1". */
const char *net_closings_name(enum closing_kind kind);

#endif
