/*
 * A snapshot of the store, exact at one revision, while writes go on. There is one at a time.
 *
 *     store_snapshot_begin(store, &snapshot);
 *     while (store_snapshot_step(store, &snapshot))
 *         write out what was saved;
 *     store_snapshot_end(store);
 *
 * Each key that was there at the snapshot's revision is saved once, as it was then: by a step, or
 * before that by whoever is about to change it.
 *
 * Nothing is kept per key. A step goes on through a dictionary in the order of its scan, the
 * reversed hashes; so an entry is saved already exactly if its reversed hash is below the cursor.
 * An entry with a later version than the snapshot's is not a part of it, and every change gives the
 * entry such a version. But for one case: a transaction that is undone brings the version back; so
 * keys that transactions save before they change them are noted (data/saving.h).
 *
 * Databases may be swapped meanwhile. How far one is saved, and under which number, goes with its
 * entries; and if one that is not saved comes to where the steps have been, they go back to it.
 *
 * Invariants, at any time between begin and end, for each entry of a version up to the snapshot's:
 * 1. It was saved exactly if it is below the cursor of its place or noted there.
 * 2. It is not changed or freed unless it was saved.
 */
#ifndef KEYSTORE_STORE_SNAPSHOT_H
#define KEYSTORE_STORE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

struct entry;
struct lookup;
struct store;

/* A key that is saved: what it was when the snapshot began. */
struct snapshot_entry {
    uint32_t db;
    uint64_t version; /* as clients see it: the entry's own may be lower (data/shard.h) */
    const struct entry *entry;
};

struct snapshot {
    /*
     * Saves the key, which is borrowed, under its shard's lock: by a step, or, if `early`, on the
     * thread of whoever is about to change it; several may do that at once. May only do what is
     * quick: of a long list it takes a copy (list_copy()) to go through when the lock is free.
     */
    void (*save)(struct snapshot *snapshot, const struct snapshot_entry *saved, bool early);
    /* Called within begin, when nobody can write and `revision` is known. */
    void (*on_begin)(struct snapshot *snapshot);
    uint64_t revision; /* of the snapshot; set by begin */
    /* Where the steps are; the store's. */
    unsigned shard;
    uint32_t db;
};

/* From here on the store is as it will be saved. Blocks all writes for some ten microseconds. */
void store_snapshot_begin(struct store *store, struct snapshot *snapshot);

/* Saves some more; false if all is saved. A shard is locked meanwhile, for some 50 us if `save` is
 * as quick as it should be. One thread at a time. */
bool store_snapshot_step(struct store *store, struct snapshot *snapshot);

/* The snapshot is complete, or given up. */
void store_snapshot_end(struct store *store);

/* For apply.c: the entry is about to be changed, if `undoable` in a way that may be undone; it is
 * saved if it has to be. */
void snapshot_preserve(struct store *store, const struct lookup *at, bool undoable);

/* For swap_db.c: the two databases were swapped in all shards, which are locked. */
void snapshot_swap(struct store *store, uint32_t one, uint32_t other);

#endif
