/* Steps through the dictionaries of one shard after the other. A step is under one lock, so the
 * revision of the newest commit is one that all changes of its keys so far precede. */
#include "store/walk.h"

#include "base/arena.h"
#include "base/blob.h"
#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list.h"

/* What a step visits at most, give or take a bucket. */
#define STEP_ENTRIES 200
#define STEP_BUCKETS 64
#define STEP_BYTES   ((size_t)16 * 1024)
/* Elements of a list that are taken at a time, at most. */
#define ELEMENTS ((size_t)4096)
/* Keys of one bucket; there are rarely more than thirty. */
#define FIRST_KEYS 64

struct walk_step {
    struct store *store;
    const struct store_walk_filter *filter;
    struct arena *arena;
    struct store_walk_step *step;
    uint32_t db;
    const struct database *database;
    size_t capacity, visited, bytes;
};

void store_walk_init(struct store_walk *walk, uint32_t databases)
{
    *walk = (struct store_walk){.wanted = databases};
    walk->db = databases != 0 ? (uint32_t)__builtin_ctz(databases) : 32;
}

void store_walk_init_keys(struct store_walk *walk, const struct store_walk_key *keys, size_t count)
{
    CHECK(keys != NULL && count <= STORE_WALK_KEYS);
    *walk = (struct store_walk){.keys = keys, .key_count = count, .left = count};
}

static bool walk_has_visited(const struct store_walk *walk, size_t number)
{
    return (walk->visited[number / 64] >> number % 64 & 1) != 0;
}

static struct store_walked *walk_add(struct walk_step *self)
{
    struct store_walk_step *step = self->step;
    if (step->count == self->capacity) {
        self->capacity = self->capacity > 0 ? 2 * self->capacity : FIRST_KEYS;
        struct store_walked *keys = arena_alloc(self->arena, self->capacity * sizeof *keys);
        if (step->count > 0)
            memcpy(keys, step->keys, step->count * sizeof *keys);
        step->keys = keys;
    }
    struct store_walked *walked = &step->keys[step->count++];
    *walked = (struct store_walked){0};
    return walked;
}

static void walk_take_value(struct walk_step *self, const struct entry *entry,
                            struct store_walked *walked)
{
    if (walked->is_list) {
        walked->list = list_copy(entry_list(entry));
        return;
    }
    walked->value = entry_string(entry);
    walked->blob = entry_blob(entry);
    if (walked->blob != NULL)
        blob_retain(walked->blob);
    else
        walked->value = arena_copy(self->arena, walked->value);
    self->bytes += walked->blob != NULL ? 0 : walked->value.len;
}

static void walk_show(struct walk_step *self, const struct entry *entry)
{
    const struct store_walk_filter *filter = self->filter;
    struct slice key = entry_key(entry);
    if (entry_is_due(entry, filter->now_ms))
        return;
    struct store_walked *walked = walk_add(self);
    walked->db = self->db;
    walked->key = arena_copy(self->arena, key);
    walked->version = database_version(self->database, entry);
    walked->expire_at_ms = entry_expire_at_ms(entry);
    walked->is_list = entry_type(entry) == ENTRY_LIST;
    if (filter->with_values)
        walk_take_value(self, entry, walked);
    self->bytes += key.len;
}

static void walk_next_database(struct store_walk *walk)
{
    uint32_t left = walk->wanted & ~walk->done;
    walk->db = left != 0 ? (uint32_t)__builtin_ctz(left) : 32;
    walk->shard = 0;
    walk->cursor = 0;
}

static void walk_next_shard(const struct store *store, struct store_walk *walk)
{
    walk->cursor = 0;
    if (++walk->shard < store->shard_count)
        return;
    walk->done |= (uint32_t)1 << walk->db;
    walk_next_database(walk);
}

static void walk_visit(void *context, struct entry *entry)
{
    struct walk_step *self = context;
    const struct store_walk_filter *filter = self->filter;
    self->visited++;
    if (filter->wants(filter->user, self->db, entry_key(entry)))
        walk_show(self, entry);
}

/* The shard is locked. */
static void walk_shard(struct walk_step *self)
{
    struct store_walk *walk = &self->step->after;
    const struct dict *dict = &self->database->dict;
    for (size_t i = 0; i < STEP_BUCKETS && self->visited < STEP_ENTRIES && self->bytes < STEP_BYTES;
         i++) {
        walk->cursor = dict_scan(dict, walk->cursor, walk_visit, self);
        if (walk->cursor == 0) {
            walk_next_shard(self->store, walk);
            return;
        }
    }
}

static bool walk_take_shard(struct walk_step *self)
{
    const struct store_walk *walk = &self->step->after;
    struct shard *shard = &self->store->shards[walk->shard];
    CHECK(walk->db < self->store->databases);
    self->db = walk->db;
    self->database = &shard->databases[walk->db];
    if (!mutex_lock_brief(&shard->lock))
        return false;
    self->step->revision = atomic_load(&self->store->revision);
    walk_shard(self);
    mutex_unlock(&shard->lock);
    return true;
}

static bool walk_take_key(struct walk_step *self)
{
    struct store_walk *walk = &self->step->after;
    size_t number = 0;
    while (walk_has_visited(walk, number))
        number++;
    const struct store_walk_key *key = &walk->keys[number];
    uint64_t hash = store_hash(self->store, key->key);
    struct shard *shard = shard_of(self->store, hash);
    CHECK(number < walk->key_count && key->db < self->store->databases);
    self->db = key->db;
    self->database = &shard->databases[key->db];
    if (!mutex_lock_brief(&shard->lock))
        return false;
    self->step->revision = atomic_load(&self->store->revision);
    const struct entry *entry = dict_find(&self->database->dict, hash, key->key);
    if (entry != NULL)
        walk_show(self, entry);
    mutex_unlock(&shard->lock);
    walk->visited[number / 64] |= (uint64_t)1 << number % 64;
    walk->left--;
    return true;
}

bool store_walk_take(struct store *store, const struct store_walk *walk,
                     const struct store_walk_filter *filter, struct arena *arena,
                     struct store_walk_step *step)
{
    CHECK(!store_walk_is_done(walk));
    struct walk_step self = {.store = store, .filter = filter, .arena = arena, .step = step};
    *step = (struct store_walk_step){.after = *walk};
    return walk->keys != NULL ? walk_take_key(&self) : walk_take_shard(&self);
}

bool store_walk_elements(const struct store_walked *walked, size_t first, size_t bytes,
                         struct arena *arena, const struct slice **values, size_t *count)
{
    struct list_cursor cursor;
    size_t length = list_length(walked->list), most = length - first, taken = 0, found = 0;
    if (most > ELEMENTS)
        most = ELEMENTS;
    struct slice *copies = arena_alloc(arena, most * sizeof *copies);
    bool on = list_seek(walked->list, &cursor, first);
    for (; on && found < most && taken < bytes; on = list_next(&cursor)) {
        copies[found] = arena_copy(arena, list_cursor_value(&cursor));
        taken += copies[found++].len;
    }
    *values = copies;
    *count = found;
    return first + found == length;
}

void store_walk_release(struct store_walk_step *step)
{
    for (size_t i = 0; i < step->count; i++) {
        blob_release(step->keys[i].blob);
        list_free(step->keys[i].list);
    }
    step->count = 0;
}

static bool walk_has_passed_key(const struct store_walk *walk, uint32_t db, struct slice key)
{
    for (size_t i = 0; i < walk->key_count; i++)
        if (walk->keys[i].db == db && slice_equal(walk->keys[i].key, key))
            return walk_has_visited(walk, i);
    return false;
}

bool store_walk_has_passed(const struct store *store, const struct store_walk *walk, uint32_t db,
                           struct slice key)
{
    if (walk->keys != NULL)
        return walk_has_passed_key(walk, db, key);
    if (db >= 32 || (walk->done >> db & 1) != 0)
        return db < 32;
    if (db != walk->db)
        return false;
    uint64_t hash = store_hash(store, key);
    size_t shard = shard_number(store, hash);
    if (shard != walk->shard)
        return shard < walk->shard;
    return dict_scan_position(hash) < walk->cursor;
}

static uint32_t walk_bit(uint32_t db)
{
    return db < 32 ? (uint32_t)1 << db : 0;
}

static void walk_restart_keys(struct store_walk *walk, uint32_t one, uint32_t other)
{
    for (size_t i = 0; i < walk->key_count; i++) {
        bool is_swapped = walk->keys[i].db == one || walk->keys[i].db == other;
        if (!is_swapped || !walk_has_visited(walk, i))
            continue;
        walk->visited[i / 64] &= ~((uint64_t)1 << i % 64);
        walk->left++;
    }
}

void store_walk_restart(struct store_walk *walk, uint32_t one, uint32_t other)
{
    if (walk->keys != NULL) {
        walk_restart_keys(walk, one, other);
        return;
    }
    uint32_t both = walk_bit(one) | walk_bit(other);
    bool is_current = walk->db < 32 && (both >> walk->db & 1) != 0;
    walk->done &= ~both;
    if (is_current || store_walk_is_done(walk))
        walk_next_database(walk);
}
