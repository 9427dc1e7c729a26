/*
 * Decides which entries a snapshot saves, and when. Knows nothing of files.
 *
 * Normal path: begin locks all shards, sets every cursor to the start and notes the current
 * revision. Each step then locks one shard after the other and saves the entries of a few buckets
 * of one dictionary; the last place of a shard, after its databases, is the garbage that FlushDb
 * has put aside unsaved. A writer calls snapshot_preserve() first, which saves the entry early if
 * the snapshot needs it and no step has saved it. End locks all shards again and drops the notes.
 *
 * Failure modes: nothing here fails. A caller that cannot write what was saved ends the snapshot
 * early, and the data is unaffected. Two events could save an entry twice: the rollback of a
 * transaction brings an old version back, so the keys that a transaction saves are noted; and a
 * merge of buckets makes a scan report entries again, so the position of the hash is compared with
 * the cursor.
 */
#include "store/snapshot.h"

#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/garbage.h"
#include "store/data/lookup.h"
#include "store/data/shard.h"
#include "store/list/list.h"

/* Entries visited while a shard is locked, give or take a bucket. */
#define STEP_ENTRIES 200
/* Elements of a list that take as long to save as an entry. */
#define STEP_ELEMENTS 16
/* Empty places that a step skips. */
#define STEP_PLACES 64

static void snapshot_lock_all(struct store *store)
{
    for (size_t i = 0; i < store->shard_count; i++)
        mutex_lock_long(&store->shards[i].lock);
}

static void snapshot_unlock_all(struct store *store)
{
    for (size_t i = 0; i < store->shard_count; i++)
        mutex_unlock(&store->shards[i].lock);
    store_notify_freed(store);
}

void store_snapshot_begin(struct store *store, struct snapshot *snapshot)
{
    snapshot->shard = 0;
    snapshot->db = 0;
    snapshot_lock_all(store);
    CHECK(store->snapshot == NULL); /* one at a time */
    for (size_t i = 0; i < store->shard_count; i++) {
        for (uint32_t db = 0; db < store->databases; db++) {
            struct database *database = &store->shards[i].databases[db];
            DCHECK(database->saving.noted == NULL);
            database->saving = (struct saving){
                .done = database->dict.count == 0, .db = db, .swapped_at = database->swapped_at};
        }
    }
    snapshot->revision = atomic_load(&store->revision);
    store->snapshot = snapshot;
    snapshot->on_begin(snapshot);
    snapshot_unlock_all(store);
}

void store_snapshot_end(struct store *store)
{
    snapshot_lock_all(store);
    store->snapshot = NULL;
    for (size_t i = 0; i < store->shard_count; i++) {
        struct shard *shard = &store->shards[i];
        garbage_forget_unsaved(shard);
        for (uint32_t db = 0; db < store->databases; db++)
            saving_drop_notes(&shard->databases[db].saving, &shard->slab);
    }
    snapshot_unlock_all(store);
}

/* ---- before a change ---- */

/* Under the number and with the version that its key had when the snapshot began. */
static void snapshot_save(struct snapshot *snapshot, const struct saving *saving,
                          const struct entry *entry, bool early)
{
    uint64_t version = entry_version(entry);
    DCHECK(version <= snapshot->revision && saving->swapped_at <= snapshot->revision);
    if (saving->swapped_at > version)
        version = saving->swapped_at;
    snapshot->save(snapshot, &(struct snapshot_entry){saving->db, version, entry}, early);
}

void snapshot_preserve(struct store *store, const struct lookup *at, bool undoable)
{
    DCHECK(mutex_is_held(&at->shard->lock));
    struct snapshot *snapshot = store->snapshot;
    struct saving *saving = &at->database->saving;
    if (saving->done || entry_version(at->entry) > snapshot->revision ||
        dict_scan_position(at->hash) < saving->cursor ||
        saving_has_noted(saving, at->key, at->hash))
        return;
    snapshot_save(snapshot, saving, at->entry, true);
    /* From now on its version is too new, unless the change is rolled back: then the entry returns
     * to what it is now. */
    if (undoable)
        saving_note(saving, &at->shard->slab, &store->hasher, at->key, at->hash);
}

void snapshot_swap(struct store *store, uint32_t one, uint32_t other)
{
    struct snapshot *snapshot = store->snapshot;
    uint32_t first = one < other ? one : other;
    if (snapshot == NULL || snapshot->shard == store->shard_count || snapshot->db <= first)
        return;
    DCHECK(mutex_is_held(&store->shards[snapshot->shard].lock));
    if (!store->shards[snapshot->shard].databases[first].saving.done)
        snapshot->db = first;
}

/* ---- step by step ---- */

/* The state of a step in one shard. */
struct walk {
    struct store *store;
    struct snapshot *snapshot;
    struct shard *shard;
    size_t visited;
};

static void snapshot_visit(void *context, const struct saving *saving, struct entry *entry)
{
    struct walk *walk = context;
    struct slice key = entry_key(entry);
    walk->visited++;
    if (entry_version(entry) > walk->snapshot->revision)
        return;
    if (saving->noted != NULL && saving_has_noted(saving, key, store_hash(walk->store, key)))
        return;
    snapshot_save(walk->snapshot, saving, entry, false);
    if (entry_type(entry) == ENTRY_LIST)
        walk->visited += list_length(entry_list(entry)) / STEP_ELEMENTS;
}

static void snapshot_visit_in_database(void *context, struct entry *entry)
{
    const struct walk *walk = context;
    snapshot_visit(context, &walk->shard->databases[walk->snapshot->db].saving, entry);
}

static void snapshot_save_database(struct walk *walk, struct database *database)
{
    struct saving *saving = &database->saving;
    while (!saving->done && walk->visited < STEP_ENTRIES) {
        saving->cursor =
            dict_scan(&database->dict, saving->cursor, snapshot_visit_in_database, walk);
        saving->done = saving->cursor == 0;
    }
    if (saving->done)
        walk->snapshot->db++;
}

/* Saves what FlushDb has put aside since begin. */
static void snapshot_save_garbage(struct walk *walk)
{
    while (garbage_scan_unsaved(walk->shard, snapshot_visit, walk)) {
        if (walk->visited >= STEP_ENTRIES)
            return;
    }
    walk->snapshot->db = 0;
    walk->snapshot->shard++;
}

/* Continues at the snapshot's place; the last one of each shard is its garbage. */
bool store_snapshot_step(struct store *store, struct snapshot *snapshot)
{
    DCHECK(store->snapshot == snapshot && snapshot->shard <= store->shard_count);
    struct walk walk = {.store = store, .snapshot = snapshot};
    for (size_t i = 0; i < STEP_PLACES && walk.visited < STEP_ENTRIES; i++) {
        if (snapshot->shard == store->shard_count)
            return false;
        walk.shard = &store->shards[snapshot->shard];
        mutex_lock(&walk.shard->lock);
        if (snapshot->db < store->databases)
            snapshot_save_database(&walk, &walk.shard->databases[snapshot->db]);
        else
            snapshot_save_garbage(&walk);
        mutex_unlock(&walk.shard->lock);
    }
    return true;
}
