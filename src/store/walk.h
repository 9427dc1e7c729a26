/*
 * A walk over the keys of some databases, a few at a time, for a reader that follows the commits
 * (store/change.h), too: a step shows keys as they were right after one commit, and for the commits
 * since then the reader can tell whether the walk has passed a key, or is yet to show it. Together
 * they give the state at one commit and all changes after it, without a gap, and without noting
 * keys.
 *
 *     take a step, which shows keys as of revision r;
 *     of the commits up to r, take the changes of keys that the walk had passed before the step;
 *     then take the keys of the step; and so on
 *
 * Every key that is there throughout is shown once.
 */
#ifndef KEYSTORE_STORE_WALK_H
#define KEYSTORE_STORE_WALK_H

#include "store/op.h"

struct arena;
struct blob;
struct list;
struct store;

/* A key to visit. */
struct store_walk_key {
    uint32_t db;
    struct slice key;
};

/* The most keys that are visited as such. */
#define STORE_WALK_KEYS ((size_t)256)

/* A position. Starts with one of the functions below. */
struct store_walk {
    /* Of a walk to certain keys: */
    const struct store_walk_key *keys; /* NULL: it goes through all keys of databases */
    size_t key_count, left;            /* `left` of them have not been visited */
    uint64_t visited[STORE_WALK_KEYS / 64];
    /* Of one through databases: */
    uint32_t wanted; /* databases, a bit each */
    uint32_t done;   /* those that have been walked */
    uint32_t db;     /* the current one; 32: all are done */
    size_t shard;    /* the current one in it */
    uint64_t cursor; /* in its dictionary */
};

/* A key and its value. */
struct store_walked {
    uint32_t db;
    struct slice key;
    uint64_t version;
    int64_t expire_at_ms;
    struct slice value; /* with values: of a string... */
    struct blob *blob;  /* ...which that holds, one reference; NULL: it lies in the arena */
    struct list *list;  /* with values: of a list, to be freed; no other thread changes it */
    bool is_list;
};

/* What to show. */
struct store_walk_filter {
    /* True if the key is to be shown. Called under a lock: it must be quick. */
    bool (*wants)(void *user, uint32_t db, struct slice key);
    void *user;
    bool with_values;
    int64_t now_ms; /* keys that have expired are not shown */
};

/* What a step has shown. */
struct store_walk_step {
    struct store_walked *keys; /* in the arena */
    size_t count;
    uint64_t revision;       /* the newest commit that they reflect; none before it is missing */
    struct store_walk after; /* where the walk is after this step */
};

/* A walk through the databases, a bit each; or to at most STORE_WALK_KEYS different keys, of
 * databases below 32, borrowed. */
void store_walk_init(struct store_walk *walk, uint32_t databases);
void store_walk_init_keys(struct store_walk *walk, const struct store_walk_key *keys, size_t count);

static inline bool store_walk_is_done(const struct store_walk *walk)
{
    return walk->keys != NULL ? walk->left == 0 : walk->db >= 32;
}

/* A step from there, for some tens of microseconds; it may show none. False, with nothing done, if
 * another operation holds the lock for long. store_walk_release() is due for the step. */
bool store_walk_take(struct store *store, const struct store_walk *walk,
                     const struct store_walk_filter *filter, struct arena *arena,
                     struct store_walk_step *step) __attribute__((warn_unused_result));

/* Elements of the walked list from that index on, until they have some `bytes`; copied to the
 * arena. True if they are the last ones. */
bool store_walk_elements(const struct store_walked *walked, size_t first, size_t bytes,
                         struct arena *arena, const struct slice **values, size_t *count);

/* Releases what the keys of the step hold; a member that was set to NULL is the caller's. */
void store_walk_release(struct store_walk_step *step);

/* True if the walk had passed the key. */
bool store_walk_has_passed(const struct store *store, const struct store_walk *walk, uint32_t db,
                           struct slice key);

/* The databases have been swapped: their keys are to be shown again. */
void store_walk_restart(struct store_walk *walk, uint32_t one, uint32_t other);

#endif
