/*
 * Restores keys from disk: with their former versions, and without emitting changes. Only while no
 * other thread uses the store; a store with a memory limit may exceed it.
 */
#ifndef KEYSTORE_STORE_RESTORE_H
#define KEYSTORE_STORE_RESTORE_H

#include "base/slice.h"

struct list;
struct store;

/* A key as it was. */
struct restore_key {
    struct slice name;    /* 1 byte to OP_MAX_KEY; borrowed */
    uint32_t db;          /* below store_databases() */
    int64_t expire_at_ms; /* Unix time; 0 = never; may have passed */
    uint64_t version;     /* 0 = unknown: then it becomes the store's newest revision */
};

/* A hint: about `keys` keys will be restored to the database, which is empty. */
void restore_reserve(struct store *store, uint32_t db, uint64_t keys);

/* False, with nothing changed, if the key exists already. */
bool restore_string(struct store *store, const struct restore_key *key, struct slice value);

struct restore_string {
    struct restore_key key;
    struct slice value;
    uint64_t hash; /* private */
};

/* The batch size at which restore_strings() is fastest: larger batches do not fit into the cache.
 */
#define RESTORE_STRINGS 32768

/* The same for up to UINT32_MAX strings, and much faster, as they are restored in an order that
 * suits the caches. Returns `count`, or the index of the first string whose key exists already or
 * is a duplicate; all such strings are left out. */
size_t restore_strings(struct store *store, struct restore_string *strings, size_t count);

/* The same as restore_string() for a list of at least one element. The store takes ownership of it
 * if the result is true. */
bool restore_list(struct store *store, const struct restore_key *key, struct list *list);

/* The next commit will have the revision after this one. */
void restore_revision(struct store *store, uint64_t revision);

/* The restore is complete: the next commit will have the revision after this one, and any absent
 * key counts as removed at this one. */
void restore_end(struct store *store, uint64_t revision);

/* The revision of the last commit. */
uint64_t restore_newest(struct store *store);

/* Reserves revisions, so that none is assigned again after a crash. */
struct restore_reserve {
    /* Returns once commits may have revisions up to at least this one. The caller holds locks of
     * the store and may be the only thread that uses it: do not wait for another one. */
    void (*wait)(struct restore_reserve *reserve, uint64_t revision);
};

/* From now on a commit waits for the reserve (borrowed) before it takes a revision above `limit`.
 * While other threads write, the limit may only be raised. NULL, the default: never waits. */
void restore_set_reserve(struct store *store, struct restore_reserve *reserve, uint64_t limit);

/* Frees the garbage of FlushDb immediately. */
void restore_collect(struct store *store);

#endif
