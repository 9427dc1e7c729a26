/* Limits the number of connections, in total and per address. Shared by all loops. */
#ifndef KEYSTORE_NET_ADMISSION_H
#define KEYSTORE_NET_ADMISSION_H

#include "net/peer.h"

struct net_admission;
struct net_closings;

/* `max_per_address` of 0 means no limit. Free with net_admission_free(). */
struct net_admission *net_admission_new(uint32_t max_connections, uint32_t max_per_address);
void net_admission_free(struct net_admission *admission);

/* Counts a new connection; false if it exceeds a limit. Thread-safe. */
bool net_admission_enter(struct net_admission *admission, const struct net_peer *peer)
    __attribute__((warn_unused_result));

/*
 * The same for a connection of NET_PROBES. These have a limit of their own and count for no other:
 * a probe must not take a server for dead because it has all the connections that it may have, and
 * clients of the address of the probes must not keep others from connecting.
 */
#define NET_PROBE_CONNECTIONS 64
bool net_admission_enter_probe(struct net_admission *admission, const struct net_peer *peer)
    __attribute__((warn_unused_result));

/* The counters and log lines of connections that the server closed; borrowed. */
struct net_closings *net_admission_closings(struct net_admission *admission);

/* An admitted connection is closed. Thread-safe. */
void net_admission_leave(struct net_admission *admission, const struct net_peer *peer);
void net_admission_leave_probe(struct net_admission *admission);

/* The number of the next connection, from 1. Thread-safe. */
uint64_t net_admission_next_id(struct net_admission *admission);

/* Sets the limit on connections, of new ones: open ones stay. net_admission_cap() still holds.
 * Thread-safe. */
void net_admission_set_max(struct net_admission *admission, uint32_t max_open);

/* Lowers the limit on connections to `max_open`, because there are no descriptors for more; never
 * raises it. Thread-safe. */
void net_admission_cap(struct net_admission *admission, uint32_t max_open);

struct net_admission_counts {
    uint32_t open;                /* now */
    uint32_t max_open;            /* the limit on `open` */
    bool capped;                  /* by net_admission_cap() */
    uint64_t admitted;            /* so far, including closed ones */
    uint64_t refused;             /* so far */
    uint64_t refused_per_address; /* of them, because of the limit per address */
    uint64_t refused_probes;      /* of them, those of NET_PROBES */
    uint32_t probes;              /* open now, beyond `open` */
    uint64_t pauses;              /* how often accepting was paused */
};

/* Thread-safe. */
struct net_admission_counts net_admission_counts(struct net_admission *admission);

/* Counts a pause in accepting for lack of resources. True if a log line is due. Thread-safe. */
bool net_admission_note_pause(struct net_admission *admission, int64_t now_ms);

/* Refused connections not yet logged. */
struct net_admission_refused {
    uint64_t all;
    uint64_t per_address;
    uint64_t probes;
    struct net_peer last; /* the latest one */
};

/* True if there are some and a log line is due; they then count as logged. Thread-safe. */
bool net_admission_take_refused(struct net_admission *admission, int64_t now_ms,
                                struct net_admission_refused *refused);

#endif
