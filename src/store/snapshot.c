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

static void snapshot_drop_notes(struct shard *shard, struct database *database)
{
    if (database->noted == NULL)
        return;
    dict_deinit(database->noted);
    slab_free(&shard->slab, database->noted, sizeof *database->noted);
    database->noted = NULL;
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
            DCHECK(database->noted == NULL);
            database->saved = database->dict.count == 0;
            database->saved_to = 0;
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
        garbage_forget_unsaved(&store->shards[i]);
        for (uint32_t db = 0; db < store->databases; db++)
            snapshot_drop_notes(&store->shards[i], &store->shards[i].databases[db]);
    }
    snapshot_unlock_all(store);
}

/* ---- before a change ---- */

static bool snapshot_is_noted(const struct database *database, struct slice key, uint64_t hash)
{
    return database->noted != NULL && dict_find(database->noted, hash, key) != NULL;
}

/* The entry may return to what it is now. */
static void snapshot_note(struct store *store, const struct lookup *at)
{
    struct slab *slab = &at->shard->slab;
    struct database *database = at->database;
    struct entry_stamp stamp = {0};
    if (database->noted == NULL) {
        database->noted = slab_alloc(slab, sizeof *database->noted);
        dict_init(database->noted, slab, &store->hasher);
    }
    dict_put(database->noted, at->hash,
             entry_new_string(slab, at->key, slice_make(NULL, 0), stamp));
    DCHECK(snapshot_is_noted(database, at->key, at->hash));
}

void snapshot_preserve(struct store *store, const struct lookup *at, bool undoable)
{
    DCHECK(mutex_is_held(&at->shard->lock));
    struct snapshot *snapshot = store->snapshot;
    const struct database *database = at->database;
    if (database->saved || entry_version(at->entry) > snapshot->revision ||
        dict_scan_position(at->hash) < database->saved_to ||
        snapshot_is_noted(database, at->key, at->hash))
        return;
    snapshot->save(snapshot, at->db, at->entry, true);
    /* From now on its version is too new, unless the change is rolled back. */
    if (undoable)
        snapshot_note(store, at);
}

/* ---- step by step ---- */

/* The state of a step in one shard. */
struct walk {
    struct store *store;
    struct snapshot *snapshot;
    struct shard *shard;
    size_t visited;
};

/* `cursor` is the position before this bucket: after a merge of buckets the scan may report entries
 * again. */
static void snapshot_visit(void *context, uint32_t db, uint64_t cursor, struct entry *entry)
{
    struct walk *walk = context;
    struct slice key = entry_key(entry);
    walk->visited++;
    if (entry_version(entry) > walk->snapshot->revision)
        return;
    uint64_t hash = store_hash(walk->store, key);
    if (dict_scan_position(hash) < cursor ||
        snapshot_is_noted(&walk->shard->databases[db], key, hash))
        return;
    walk->snapshot->save(walk->snapshot, db, entry, false);
    if (entry_type(entry) == ENTRY_LIST)
        walk->visited += list_length(entry_list(entry)) / STEP_ELEMENTS;
}

static void snapshot_visit_in_database(void *context, struct entry *entry)
{
    const struct walk *walk = context;
    uint32_t db = walk->snapshot->db;
    snapshot_visit(context, db, walk->shard->databases[db].saved_to, entry);
}

static void snapshot_save_database(struct walk *walk, struct database *database)
{
    while (!database->saved && walk->visited < STEP_ENTRIES) {
        database->saved_to =
            dict_scan(&database->dict, database->saved_to, snapshot_visit_in_database, walk);
        database->saved = database->saved_to == 0;
    }
    if (database->saved)
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
