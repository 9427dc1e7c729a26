/* Which entries a snapshot has to save, and when. Knows nothing of files. */
#include "store/snapshot.h"

#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/garbage.h"
#include "store/data/lookup.h"
#include "store/data/shard.h"
#include "store/list/list.h"

/* Entries that are looked at while a shard is locked, or a bucket more. */
#define STEP_ENTRIES 200
/* Elements of a list that take as long to save as an entry. */
#define STEP_ELEMENTS 16
/* Places without entries that a step passes over. */
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
    store_tell_freed(store);
}

static void snapshot_forget_notes(struct shard *shard, struct database *database)
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
            snapshot_forget_notes(&store->shards[i], &store->shards[i].databases[db]);
    }
    snapshot_unlock_all(store);
}

/* ---- before a change ---- */

static bool snapshot_is_noted(const struct database *database, struct slice key, uint64_t hash)
{
    return database->noted != NULL && dict_find(database->noted, hash, key) != NULL;
}

/* The entry may come to be as it is now once more. */
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
    /* Its version is from now on too new, unless the change is undone. */
    if (undoable)
        snapshot_note(store, at);
}

/* ---- step by step ---- */

/* A step on its way through one shard. */
struct walk {
    struct store *store;
    struct snapshot *snapshot;
    struct shard *shard;
    size_t visited;
};

/* `cursor` is where the scan was before this bucket: merging buckets may bring up entries again. */
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

/* What FlushDb took away meanwhile. */
static void snapshot_save_garbage(struct walk *walk)
{
    while (garbage_scan_unsaved(walk->shard, snapshot_visit, walk)) {
        if (walk->visited >= STEP_ENTRIES)
            return;
    }
    walk->snapshot->db = 0;
    walk->snapshot->shard++;
}

/* Goes on in the snapshot's place, of which the last in each shard is its garbage. */
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
