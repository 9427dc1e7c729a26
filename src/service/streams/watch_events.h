/* What changes are to watchers: events of keys and databases, and their messages. */
#ifndef KEYSTORE_SERVICE_STREAMS_WATCH_EVENTS_H
#define KEYSTORE_SERVICE_STREAMS_WATCH_EVENTS_H

#include "base/buf.h"
#include "engine/engine.h"

struct arena;

/* With the numbers of EventType. */
enum watch_event_type { WATCH_WRITE = 1, WATCH_DELETE, WATCH_EXPIRE, WATCH_EVICT, WATCH_FLUSH };
#define WATCH_ALL_TYPES 0x3eu /* a bit each */

struct watch_event {
    enum watch_event_type type;
    uint32_t db;
    struct slice key;        /* empty: all of the database */
    uint64_t version;        /* of the commit */
    const struct op *change; /* what did it; NULL: that is not reported */
};

/* Calls back for each event of the change. */
void watch_events_each(const struct op *change, uint64_t version,
                       void (*on_event)(void *user, const struct watch_event *event), void *user);

/* Appends the event as an element of WatchBatch.events; `with_change`: with what did it. */
void watch_events_append(struct buf *out, const struct watch_event *event, bool with_change,
                         struct arena *arena);

/* The rest of a WatchBatch, after its events. */
struct watch_tail {
    uint64_t version;
    bool initial_done, partial;
};

/* The most bytes that watch_events_write_tail() writes; it returns how many. */
#define WATCH_TAIL ((size_t)16)
size_t watch_events_write_tail(uint8_t *out, const struct watch_tail *tail);

#endif
