/* How many connections there may be, in all and from one address. Shared by all loops. */
#ifndef KEYSTORE_NET_ADMISSION_H
#define KEYSTORE_NET_ADMISSION_H

#include "net/peer.h"

struct net_admission;
struct net_closings;

/* `max_per_address` of 0 means no limit. Free with net_admission_free(). */
struct net_admission *net_admission_new(uint32_t max_connections, uint32_t max_per_address);
void net_admission_free(struct net_admission *admission);

/* Counts a new connection; false if it is one too many. Thread-safe. */
bool net_admission_enter(struct net_admission *admission, const struct net_peer *peer)
    __attribute__((warn_unused_result));

/* What is told of connections that the server ends; borrowed. */
struct net_closings *net_admission_closings(struct net_admission *admission);

/* The connection that was let in is gone. Thread-safe. */
void net_admission_leave(struct net_admission *admission, const struct net_peer *peer);

/* From now on there may be at most so many connections, whatever else was said: each takes a
 * descriptor, of which there are no more. Thread-safe. */
void net_admission_cap(struct net_admission *admission, uint32_t most);

struct net_admission_counts {
    uint32_t open;               /* now */
    uint32_t most;               /* that there may be */
    bool capped;                 /* by net_admission_cap() */
    uint64_t admitted;           /* so far, those gone included */
    uint64_t refused;            /* so far */
    uint64_t refused_of_address; /* of them, because their address had enough */
    uint64_t pauses;             /* how often nothing could be accepted for a while */
};

/* Thread-safe. */
struct net_admission_counts net_admission_counts(struct net_admission *admission);

/* A loop could accept nothing for lack of descriptors. True if a log line is due. Thread-safe. */
bool net_admission_note_pause(struct net_admission *admission, int64_t now_ms);

/* Connections turned away of which no log line has told. */
struct net_admission_refused {
    uint64_t all;
    uint64_t of_address;
    struct net_peer last; /* of them all */
};

/* True if there are some and a log line is due; then they are told. Thread-safe. */
bool net_admission_take_refused(struct net_admission *admission, int64_t now_ms,
                                struct net_admission_refused *refused);

#endif
