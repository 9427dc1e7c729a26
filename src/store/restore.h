/*
 * Putting keys back that were kept on disk: with the versions that they had, and untold. Only while
 * nobody else works on the store; a store that has a limit may go beyond it.
 */
#ifndef KEYSTORE_STORE_RESTORE_H
#define KEYSTORE_STORE_RESTORE_H

#include "base/slice.h"

struct list;
struct store;

/* What a key was. */
struct restore_key {
    struct slice name;    /* 1 byte to OP_MAX_KEY; borrowed */
    uint32_t db;          /* below store_databases() */
    int64_t expire_at_ms; /* Unix time; 0 = never; may have passed */
    uint64_t version;     /* 0 = not known: then it is the store's newest revision */
};

/* So many keys will come into the database, which holds none yet; a guess is good enough. */
void restore_reserve(struct store *store, uint32_t db, uint64_t keys);

/* False, with nothing changed, if the key is there already. */
bool restore_string(struct store *store, const struct restore_key *key, struct slice value);

struct restore_string {
    struct restore_key key;
    struct slice value;
    uint64_t hash; /* private */
};

/* Of these restore_strings() makes the most: larger numbers leave the cache. */
#define RESTORE_STRINGS 32768

/* The same for many, up to UINT32_MAX, and much faster: their order is one that suits the memory.
 * Returns `count`, or the index of the first that was there already or comes a second time; it and
 * others like it are left out. */
size_t restore_strings(struct store *store, struct restore_string *strings, size_t count);

/* The same as restore_string() for a list of one element at least, which passes to the store unless
 * it is false. */
bool restore_list(struct store *store, const struct restore_key *key, struct list *list);

/* The next unit will have the revision after this one. */
void restore_revision(struct store *store, uint64_t revision);

/* All is restored: the next unit will have the revision after this one, and what is absent may have
 * been removed at it. */
void restore_end(struct store *store, uint64_t revision);

/* The revision of the last unit. */
uint64_t restore_newest(struct store *store);

/* Who answers for it that no revision is given again after a crash. */
struct restore_reserve {
    /* Returns once units may have revisions up to this one at least. The caller holds locks of the
     * store, and may be the only one who works on it. */
    void (*wait)(struct restore_reserve *reserve, uint64_t revision);
};

/* From now on no unit has a revision above `limit` until the reserve, borrowed, has been waited
 * for. While others write it may only be raised. NULL: any revision, as it is to begin with. */
void restore_set_reserve(struct store *store, struct restore_reserve *reserve, uint64_t limit);

/* Frees at once what FlushDb has left to be freed. */
void restore_collect(struct store *store);

/* From now on the data may take so many bytes, 0 = any; returns what they were allowed before.
 * While a log is done again nothing is evicted, for it tells what was. */
size_t restore_limit(struct store *store, size_t max_memory);

#endif
