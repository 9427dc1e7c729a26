/* What the operations share: finding keys, the gates through which all writes go, answers. */
#include "store/apply.h"

#include "base/arena.h"
#include "base/blob.h"
#include "store/change.h"
#include "store/entry.h"
#include "store/evict.h"
#include "store/shard.h"
#include "store/snapshot.h"
#include "store/undo.h"

static apply_function *const functions[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply) [OP_##kind] = apply,
#include "store/operations.def"
#undef OPERATION
};

void apply_op(struct keyspace *space, const struct op *op, struct op_result *result)
{
    functions[op->kind](space, op, result);
}

/* ---- finding ---- */

void apply_see(struct keyspace *space, uint64_t revision)
{
    if (revision > space->seen)
        space->seen = revision;
}

/* What is there, expired or not. */
static struct lookup look_up(struct keyspace *space, uint32_t db, struct slice key, uint64_t hash)
{
    if (hash == 0)
        hash = store_hash(space->store, key);
    struct shard *shard = shard_of(space->store, hash);
    struct lookup at = {
        .shard = shard, .database = &shard->databases[db], .key = key, .hash = hash, .db = db};
    at.entry = dict_find(&at.database->dict, hash, key);
    apply_see(space, at.entry != NULL ? entry_version(at.entry) : shard->removed);
    return at;
}

static inline void use(struct keyspace *space, const struct lookup *at)
{
    if (space->store->note_visits && at->entry != NULL)
        evict_note_use(space->store, at->shard, at->entry);
}

struct lookup apply_peek(struct keyspace *space, uint32_t db, struct slice key, uint64_t hash)
{
    struct lookup at = look_up(space, db, key, hash);
    if (at.entry != NULL && apply_is_due(space, entry_expire_at_ms(at.entry)))
        at.entry = NULL;
    return at;
}

struct lookup apply_find(struct keyspace *space, uint32_t db, struct slice key, uint64_t hash)
{
    struct lookup at = apply_peek(space, db, key, hash);
    use(space, &at);
    return at;
}

struct lookup apply_open(struct keyspace *space, uint32_t db, struct slice key, uint64_t hash)
{
    struct lookup at = look_up(space, db, key, hash);
    if (at.entry != NULL && apply_is_due(space, entry_expire_at_ms(at.entry))) {
        apply_drop(space, &at);
        at.shard->expired_keys++;
    }
    use(space, &at);
    return at;
}

/* ---- writing ---- */

uint64_t apply_revision(struct keyspace *space)
{
    if (space->revision == 0) {
        struct change_sink *sink = space->store->sink;
        space->revision =
            sink != NULL ? sink->begin(sink) : atomic_fetch_add(&space->store->revision, 1) + 1;
    }
    return space->revision;
}

void apply_end(struct keyspace *space)
{
    struct change_sink *sink = space->store->sink;
    if (space->revision == 0 || sink == NULL)
        return;
    atomic_store_explicit(&space->store->revision, space->revision, memory_order_relaxed);
    sink->end(sink);
}

void apply_preserve(struct keyspace *space, struct lookup *at)
{
    if (space->store->snapshot != NULL && at->entry != NULL && !at->preserved)
        snapshot_preserve(space->store, at, space->undo != NULL);
    at->preserved = true;
}

static void count_deadlines(struct lookup *at, const struct entry *entry, size_t count)
{
    if (entry != NULL && entry_expire_at_ms(entry) != 0)
        at->database->expiring += count;
}

/* The entry is in nobody's hands any more, unless its return is still possible. */
static void let_go(struct keyspace *space, const struct lookup *at, struct entry *former)
{
    if (space->undo != NULL)
        undo_entry(space->undo, at, former);
    else
        entry_free(&at->shard->slab, former);
}

void apply_put(struct keyspace *space, struct lookup *at, struct entry *entry)
{
    apply_revision(space);
    apply_preserve(space, at);
    count_deadlines(at, at->entry, (size_t)-1);
    count_deadlines(at, entry, 1);
    if (at->entry == NULL) {
        evict_note_new(at->shard, at->hash, entry);
        dict_put(&at->database->dict, at->hash, entry);
    } else {
        entry_set_marks(entry, entry_marks(at->entry));
        dict_replace(&at->database->dict, at->hash, at->entry, entry);
    }
    let_go(space, at, at->entry);
    at->entry = entry;
}

/* Changes the entry where it is, or as a new object in the same place. */
static void change_entry(struct lookup *at, struct entry *changed)
{
    count_deadlines(at, changed, 1);
    if (changed != at->entry)
        dict_replace(&at->database->dict, at->hash, at->entry, changed);
    at->entry = changed;
}

void apply_put_string(struct keyspace *space, struct lookup *at, struct slice value,
                      int64_t expire_at_ms)
{
    struct entry_stamp stamp = {.version = apply_revision(space), .expire_at_ms = expire_at_ms};
    if (at->entry == NULL || space->undo != NULL) {
        apply_put(space, at, entry_new_string(&at->shard->slab, at->key, value, stamp));
        return;
    }
    apply_preserve(space, at);
    count_deadlines(at, at->entry, (size_t)-1);
    change_entry(at, entry_replace_string(&at->shard->slab, at->entry, value, stamp));
}

void apply_restamp(struct keyspace *space, struct lookup *at, int64_t expire_at_ms)
{
    struct entry_stamp stamp = {.version = apply_revision(space), .expire_at_ms = expire_at_ms};
    apply_preserve(space, at);
    if (space->undo != NULL)
        undo_stamp(space->undo, at);
    count_deadlines(at, at->entry, (size_t)-1);
    change_entry(at, entry_restamp(&at->shard->slab, at->entry, stamp));
}

void apply_remove(struct keyspace *space, struct lookup *at)
{
    uint64_t revision = apply_revision(space);
    apply_preserve(space, at);
    count_deadlines(at, at->entry, (size_t)-1);
    let_go(space, at, dict_take(&at->database->dict, at->hash, at->key));
    at->shard->removed = revision; /* the undo has noted the former one */
    at->entry = NULL;
}

void apply_drop(struct keyspace *space, struct lookup *at)
{
    apply_revision(space);
    apply_change_delete(space, at); /* while the key is there, which may be the entry's own */
    apply_remove(space, at);
}

void apply_change(struct keyspace *space, const struct op *change)
{
    struct change_sink *sink = space->store->sink;
    if (sink != NULL)
        sink->change(sink, change);
}

void apply_change_delete(struct keyspace *space, const struct lookup *at)
{
    if (space->store->sink != NULL)
        apply_change(
            space, &(struct op){.kind = OP_DELETE, .db = at->db, .key = at->key, .hash = at->hash});
}

/* ---- answering ---- */

void apply_return_bytes(struct keyspace *space, struct slice bytes, struct blob *blob,
                        struct op_value *value)
{
    value->found = true;
    value->bytes = blob != NULL ? bytes : arena_copy(space->arena, bytes);
    value->blob = blob != NULL ? blob_retain(blob) : NULL;
}

void apply_return_string(struct keyspace *space, const struct entry *entry, struct op_value *value)
{
    apply_return_bytes(space, entry_string(entry), entry_blob(entry), value);
    value->version = entry_version(entry);
    value->expire_at_ms = entry_expire_at_ms(entry);
}

void apply_fail(struct op_result *result, enum err err, const char *why)
{
    result->err = err;
    result->why = why;
}

static void wrong_type(const struct entry *entry, struct op_result *result)
{
    apply_fail(result, ERR_WRONG_TYPE,
               entry_type(entry) == ENTRY_LIST
                   ? "the key holds a list; this operation needs a string (or no such key)"
                   : "the key holds a string; this operation needs a list (or no such key)");
}

bool apply_wants_string(const struct entry *entry, struct op_result *result)
{
    if (entry == NULL || entry_type(entry) == ENTRY_STRING)
        return true;
    wrong_type(entry, result);
    return false;
}

bool apply_wants_list(const struct entry *entry, struct op_result *result)
{
    if (entry == NULL || entry_type(entry) == ENTRY_LIST)
        return true;
    wrong_type(entry, result);
    return false;
}

bool apply_condition_holds(const struct condition *condition, const struct entry *entry)
{
    if (entry == NULL)
        return condition->existence != EXISTENCE_PRESENT && condition->version == 0 &&
               !condition->match_value;
    if (condition->existence == EXISTENCE_ABSENT)
        return false;
    if (condition->version != 0 && condition->version != entry_version(entry))
        return false;
    return !condition->match_value || (entry_type(entry) == ENTRY_STRING &&
                                       slice_equal(entry_string(entry), condition->value));
}

bool apply_condition(struct keyspace *space, const struct op *op, const struct entry *entry,
                     struct op_result *result)
{
    if (op->condition.match_value && !apply_wants_string(entry, result))
        return false;
    if (apply_condition_holds(&op->condition, entry))
        return true;
    if (entry != NULL) {
        result->version = entry_version(entry);
        if (entry_type(entry) == ENTRY_STRING) {
            result->has_previous = true;
            apply_return_string(space, entry, &result->value);
        }
    }
    return false;
}
