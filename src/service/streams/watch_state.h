/* The state of a watch; private to watch.c and watch_initial.c. */
#ifndef KEYSTORE_SERVICE_STREAMS_WATCH_STATE_H
#define KEYSTORE_SERVICE_STREAMS_WATCH_STATE_H

#include "service/streams/host.h"
#include "service/streams/watch_feed.h"

struct grpc_call;
struct watch_initial;

struct watch {
    struct stream_waiter waiter; /* first: it is found by it */
    struct stream_host *host;
    struct grpc_call *call;
    struct watch_member member;
    struct watch_select *wanted;   /* until it has joined the feed */
    struct watch_initial *initial; /* NULL: it shows changes only */
    struct watch_writer writer;    /* what it has read for itself */
    uint64_t position;             /* everything up to this version is sent, or in `writer` */
    bool has_request;
    bool owes_version; /* it is to say how far it is */
};

/* End the call with an error; the watch is gone. */
void watch_fail(struct watch *watch, enum err err, const char *why);
void watch_fail_lost(struct watch *watch, const char *why);

/* Has it go on after others. */
void watch_yield(struct watch *watch);

/* watch_initial.c: the keys as they are. */
struct watch_initial *watch_initial_new(const struct watch_select *select);
void watch_initial_free(struct watch_initial *initial);

/* Adds a page to the watch's writer, or ends the initial part. Returns whether to look again;
 * else it has arranged to be resumed, or the watch has ended: then *ended. */
bool watch_initial_produce(struct watch *watch, bool *ended);

#endif
