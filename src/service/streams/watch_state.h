/* The state of a watch; private to watch.c and watch_initial.c. */
#ifndef KEYSTORE_SERVICE_STREAMS_WATCH_STATE_H
#define KEYSTORE_SERVICE_STREAMS_WATCH_STATE_H

#include "base/arena.h"
#include "service/streams/host.h"
#include "service/streams/watch_feed.h"

struct grpc_call;
struct past;
struct watch_initial;

struct watch {
    struct stream_waiter waiter; /* first: it is found by it */
    struct stream_host *host;
    struct grpc_call *call; /* NULL: it has ended, while it was offloaded */
    struct watch_member member;
    struct watch_select *wanted;   /* until it has joined the feed */
    struct watch_initial *initial; /* NULL: it shows changes only */
    struct watch_writer writer;    /* what it has read for itself */
    uint64_t position;             /* everything up to this version is sent, or in `writer` */
    struct past *past;             /* NULL: what it needs is in memory */
    struct offload_job job;        /* reads the past */
    enum engine_history read;      /* how that ended */
    uint64_t upto;                 /* and how far it is to go */
    bool is_offloaded;             /* nothing but `call` and `owes_version` may be touched */
    bool has_request, wants_initial;
    bool owes_version; /* it is to say how far it is */
};

/* End the call with an error; the watch is gone. */
void watch_fail(struct watch *watch, enum err err, const char *why);
void watch_fail_lost(struct watch *watch, enum watch_loss loss, const char *why);

/* watch_past.c. Opens the past; false if there is none. */
bool watch_past_open(struct watch *watch);
void watch_past_close(struct watch *watch);

/* Like watch_initial_produce(), below. */
bool watch_past_produce(struct watch *watch, bool *ended);

/* Reading changes for itself, bounded: to be initialized and ended. */
struct watch_reading {
    struct engine_reader reader;
    struct watch *watch;
    const struct watch_select *select;
    struct arena arena;
    size_t commits, most;
};
void watch_reading_init(struct watch_reading *reading, struct watch *watch);
void watch_reading_end(struct watch_reading *reading);

/* Frees what has ended. */
void watch_free(struct watch *watch);

/* watch_initial.c: the keys as they are. */
/* The selection is borrowed. */
struct watch_initial *watch_initial_new(const struct watch_select *select);
void watch_initial_free(struct watch_initial *initial);

/* Adds a page to the watch's writer, or ends the initial part. Returns whether to look again;
 * else it has arranged to be resumed, or the watch has ended: then *ended. */
bool watch_initial_produce(struct watch *watch, bool *ended);

#endif
