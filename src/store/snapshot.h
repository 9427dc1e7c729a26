/*
 * A snapshot of the store, exact as of one revision, while writes go on. There is one at a time.
 *
 *     store_snapshot_begin(store, &snapshot);
 *     while (store_snapshot_step(store, &snapshot))
 *         write out what was saved;
 *     store_snapshot_end(store);
 *
 * Each key that existed at the snapshot's revision is saved once, as it was then: by a step, or
 * before that by the writer that is about to change it.
 *
 * Nothing is kept per key. A step advances through a dictionary in scan order, the order of
 * reversed hashes, so an entry has been saved if and only if its reversed hash is below the cursor.
 * An entry with a version later than the snapshot's revision is not part of it, and every change
 * gives the entry such a version. The one exception is a transaction that is rolled back, which
 * restores the old version; so keys that a transaction saves before it changes them are noted
 * (shard.h).
 *
 * Invariants, at any time between begin and end, for each entry of a version up to the snapshot's
 * revision:
 * 1. It was saved if and only if it is below the cursor of its place or noted there.
 * 2. It is not changed or freed unless it was saved.
 */
#ifndef KEYSTORE_STORE_SNAPSHOT_H
#define KEYSTORE_STORE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

struct entry;
struct lookup;
struct store;

struct snapshot {
    /*
     * Saves the entry, which is borrowed, under its shard's lock: called by a step, or, if `early`,
     * on the thread of the writer that is about to change it; several writers may call it at the
     * same time. Must be quick: of a long list it takes a copy (list_copy()) to read when the lock
     * is free.
     */
    void (*save)(struct snapshot *snapshot, uint32_t db, const struct entry *entry, bool early);
    /* Called within begin, when nobody can write and `revision` is known. */
    void (*on_begin)(struct snapshot *snapshot);
    uint64_t revision; /* of the snapshot; set by begin */
    /* The position of the steps; the store's. */
    unsigned shard;
    uint32_t db;
};

/* Fixes the revision that is saved. Blocks all writes for about ten microseconds. */
void store_snapshot_begin(struct store *store, struct snapshot *snapshot);

/* Saves some more; false if everything is saved. Locks a shard for about 50 us, provided `save` is
 * quick. One thread at a time. */
bool store_snapshot_step(struct store *store, struct snapshot *snapshot);

/* Ends the snapshot, complete or abandoned. */
void store_snapshot_end(struct store *store);

/* For apply.c: saves the entry, if necessary, before it is changed; `undoable`: the change may be
 * rolled back. */
void snapshot_preserve(struct store *store, const struct lookup *at, bool undoable);

#endif
