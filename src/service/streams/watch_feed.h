/*
 * New changes for all watchers of a worker: they are read once, and each event is matched once and
 * encoded once for those with the same selectors and options, a group. Members that read too slowly
 * fall behind; then they read for themselves until they have caught up.
 *
 * Invariants:
 *  1. A live member has had, or will find in its group's pages, every event it wants after the
 *     version at which it went live.
 *  2. The pages of a group that some members have not taken yet have at most WATCH_FEED_MOST bytes,
 *     or are a single one.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_WATCH_FEED_H
#define KEYSTORE_SERVICE_STREAMS_WATCH_FEED_H

#include "service/streams/watch_pages.h"
#include "service/streams/watch_select.h"

#define WATCH_FEED_MOST ((size_t)1024 * 1024)

struct stream_host;
struct watch_feed;
struct watch_group;

/* A watcher. The functions are called on the worker's thread, and may have the member leave. */
struct watch_member {
    struct watch_feed *feed; /* NULL: it has not joined */
    struct watch_group *group;
    struct watch_page *page; /* while it is live: the next one; NULL: it has all */
    bool is_live;
    uint64_t reached; /* while it is not live: it has had everything up to this version */
    /* There may be more: pages or, after watch_feed_await(), commits. */
    void (*on_news)(struct watch_member *member);
    /* It is not live any longer: it has had what came up to `after` and, if `is_within`, a part of
     * the next commit. */
    void (*on_behind)(struct watch_member *member, uint64_t after, bool is_within);
    /* It has sent nothing for a while. */
    void (*on_idle)(struct watch_member *member);

    /* The feed's. */
    struct watch_member *next, **link; /* live ones of the group, or those that wait for news */
    struct watch_member *idle_next, **idle_link; /* by `sent_ms` */
    int64_t sent_ms;
};

/* Joins the feed of the host, with a copy of the selection. Not live yet. True, or false with an
 * error, or with ERR_NONE if it is to be tried again when the host resumes those that wait. */
bool watch_feed_join(struct stream_host *host, const struct watch_select *select,
                     struct watch_member *member, enum err *err, const char **why);

/* The version up to which the member has had everything. It has joined. */
uint64_t watch_feed_reached(const struct watch_member *member);

/* Leaves, if it has joined. */
void watch_feed_leave(struct watch_member *member);

const struct watch_select *watch_feed_selection(const struct watch_member *member);

/* The version up to which the feed has read. A member that has had everything up to there may go
 * live. */
uint64_t watch_feed_position(const struct watch_member *member);
void watch_feed_go_live(struct watch_member *member);

/* Has on_news called when the feed has read more; for a member that is not live. */
void watch_feed_await(struct watch_member *member);

/* The live member has sent its page. */
void watch_feed_advance(struct watch_member *member);

/* Has the lag of the host's watchers counted (watch_lag), of some hundred at a time. To be called
 * often; the time is monotonic. */
void watch_feed_measure(struct stream_host *host, int64_t now_ms);

/* The member has sent something now. */
void watch_feed_note_sent(struct watch_member *member);

#endif
