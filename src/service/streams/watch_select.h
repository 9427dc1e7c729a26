/* Which events a watcher wants: the selectors of a WatchRequest. */
#ifndef KEYSTORE_SERVICE_STREAMS_WATCH_SELECT_H
#define KEYSTORE_SERVICE_STREAMS_WATCH_SELECT_H

#include "base/err.h"
#include "service/streams/watch_events.h"

#include <mini_redis.pb-c.h>

struct access;
struct access_rules;
struct arena;
struct check_limits;
struct grpc_principal;

/* The most selectors of a watch, and bytes of a glob: each bounds the work per event. */
#define WATCH_MAX_SELECTORS ((size_t)10000)
#define WATCH_MAX_PATTERN   ((size_t)1024)

enum watch_kind { WATCH_KEY, WATCH_PREFIX, WATCH_PATTERN };

struct watch_selector {
    enum watch_kind kind;
    uint32_t db;
    struct slice text;
};

struct watch_select {
    struct watch_selector *selectors;
    size_t count;
    unsigned types;     /* a bit for each enum watch_event_type */
    uint32_t databases; /* that are selected, a bit each */
    bool with_changes;
    struct access *access;            /* with a holder of a copy; NULL: all keys are shown; has: */
    const struct access_rules *rules; /* of the watcher, who sees the keys that these let it read */
};

/* From the request, whose bytes it points to; its array is in the arena. Else the error, with its
 * message in *why. */
enum err watch_select_decode(const Keystore__V1__WatchRequest *request,
                             const struct check_limits *limits, struct arena *arena,
                             struct watch_select *select, const char **why);

/* A copy of its own, to be freed with watch_select_free(), for which NULL is allowed. */
struct watch_select *watch_select_copy(const struct watch_select *select);
void watch_select_free(struct watch_select *select);

/* Shows only what the principal may see. ERR_FORBIDDEN, with an error message in the arena, if one
 * of the selectors can never select such a key. */
enum err watch_select_permit(struct watch_select *select, const struct grpc_principal *principal,
                             struct arena *arena, const char **why);

/* True if the watcher may see the key. */
bool watch_select_shows(const struct watch_select *select, uint32_t db, struct slice key);

/* True if rules show the same as those of the selection. */
bool watch_select_shows_as(const struct watch_select *select, const struct access_rules *rules);

bool watch_select_equal(const struct watch_select *one, const struct watch_select *other);

/* The bytes that the selected keys start with: all of a key or prefix, of a pattern those before
 * its first special character. */
struct slice watch_select_literal(const struct watch_selector *selector);

/* True if the selector selects the key. */
bool watch_select_matches(const struct watch_selector *selector, uint32_t db, struct slice key);

/* True if the watcher wants the key; or events of the type, or the event. */
bool watch_select_wants_key(const struct watch_select *select, uint32_t db, struct slice key);
static inline bool watch_select_wants_type(const struct watch_select *select,
                                           const struct watch_event *event)
{
    return (select->types >> event->type & 1) != 0 && event->db < 32 &&
           (select->databases >> event->db & 1) != 0;
}
bool watch_select_wants(const struct watch_select *select, const struct watch_event *event);

#endif
