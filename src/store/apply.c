/* What the operations share: finding keys, the gates through which all writes go, answers. */
#include "store/apply.h"

#include "base/account.h"
#include "base/arena.h"
#include "base/blob.h"
#include "store/change.h"
#include "store/entry.h"
#include "store/evict.h"
#include "store/list.h"
#include "store/restore.h"
#include "store/shard.h"
#include "store/snapshot.h"
#include "store/undo.h"

#include <stdio.h>

static apply_function *const functions[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply) [OP_##kind] = apply,
#include "store/operations.def"
#undef OPERATION
};

void apply_op(struct keyspace *space, const struct op *op, struct op_result *result)
{
    functions[op->kind](space, op, result);
}

void apply_unit(struct keyspace *space, const struct op *op, struct op_result *result)
{
    apply_op(space, op, result);
    if (result->err == ERR_NONE || space->undo == NULL)
        return;
    struct op_result failed = {.err = result->err, .why = result->why};
    apply_roll_back(space, result);
    *result = failed;
}

void apply_roll_back(struct keyspace *space, struct op_result *result)
{
    undo_roll_back(space->undo);
    op_result_release(result);
    *result = (struct op_result){0};
    space->expired_keys = 0;
    space->wrote = false;
    if (space->revision == 0)
        return;
    if (space->store->sink != NULL)
        space->store->sink->abort(space->store->sink);
    if (space->seen >= space->revision)
        space->seen = space->revision - 1;
    space->revision = 0;
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
    at.as_of = at.entry != NULL ? entry_version(at.entry) : shard->removed;
    apply_see(space, at.as_of);
    return at;
}

static inline void use(struct keyspace *space, const struct lookup *at)
{
    if (space->store->note_visits && at->entry != NULL)
        evict_note_use(space->store, at->shard, at->entry, at->hash);
}

struct lookup apply_peek(struct keyspace *space, uint32_t db, struct slice key, uint64_t hash)
{
    struct lookup at = look_up(space, db, key, hash);
    if (at.entry != NULL && apply_is_due(space, entry_expire_at_ms(at.entry))) {
        at.entry = NULL;
        if (at.shard->removed > at.as_of)
            at.as_of = at.shard->removed;
        apply_see(space, at.as_of);
    }
    return at;
}

struct lookup apply_find(struct keyspace *space, uint32_t db, struct slice key, uint64_t hash)
{
    struct lookup at = apply_peek(space, db, key, hash);
    use(space, &at);
    return at;
}

/* Nobody asked for that, so it is no write of the operation. */
static void drop_expired(struct keyspace *space, struct lookup *at)
{
    bool wrote = space->wrote;
    apply_drop(space, at);
    space->wrote = wrote;
    space->expired_keys++;
    space->expired_in = at->shard;
}

struct lookup apply_open(struct keyspace *space, uint32_t db, struct slice key, uint64_t hash)
{
    struct lookup at = look_up(space, db, key, hash);
    if (at.entry != NULL && apply_is_due(space, entry_expire_at_ms(at.entry)))
        drop_expired(space, &at);
    use(space, &at);
    return at;
}

/* Who read an expired key as absent may have done so before or after its removal, and who read it
 * while it was there must hear of the end; where the two have the same revision, both do. The key
 * is removed then, so that the next answer tells them apart. */
bool apply_is_unchanged(struct keyspace *space, const struct op *compare)
{
    struct lookup at = look_up(space, compare->db, compare->key, compare->hash);
    if (at.entry == NULL)
        return removals_latest(&at.shard->removals, at.db, at.hash) <= compare->since;
    if (!apply_is_due(space, entry_expire_at_ms(at.entry)))
        return entry_version(at.entry) <= compare->since;
    if (entry_version(at.entry) < compare->since)
        return true;
    drop_expired(space, &at);
    return false;
}

/* ---- writing ---- */

static void begin_unit(struct keyspace *space)
{
    struct store *store = space->store;
    struct change_sink *sink = store->sink;
    space->revision = sink != NULL ? sink->begin(sink) : atomic_fetch_add(&store->revision, 1) + 1;
    if (space->revision > atomic_load_explicit(&store->reserved, memory_order_relaxed))
        store->reserve->wait(store->reserve, space->revision);
}

uint64_t apply_revision(struct keyspace *space)
{
    space->wrote = true;
    if (space->revision == 0)
        begin_unit(space);
    return space->revision;
}

void apply_end(struct keyspace *space)
{
    struct change_sink *sink = space->store->sink;
    if (space->expired_keys > 0)
        space->expired_in->expired_keys += space->expired_keys;
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

bool apply_is_own(const struct keyspace *space, const struct entry *entry)
{
    return space->undo != NULL && !space->undo->has_stamped_string && entry != NULL &&
           entry_type(entry) == ENTRY_STRING && entry_version(entry) == space->revision;
}

/* The entry is in nobody's hands any more, unless its return is still possible. */
static void let_go(struct keyspace *space, const struct lookup *at, struct entry *former)
{
    if (space->undo != NULL && !apply_is_own(space, former))
        undo_entry(space->undo, at, former, false);
    else
        entry_free(&at->shard->slab, former);
}

void apply_put(struct keyspace *space, struct lookup *at, struct entry *entry)
{
    apply_revision(space);
    apply_preserve(space, at);
    database_uncount(at->database, at->entry);
    database_count(at->database, entry);
    if (at->entry == NULL) {
        evict_note_new(at->shard, at->hash, entry);
        dict_put(&at->database->dict, at->hash, entry);
    } else {
        entry_set_mark(entry, entry_mark(at->entry));
        dict_replace(&at->database->dict, at->hash, at->entry, entry);
    }
    let_go(space, at, at->entry);
    at->entry = entry;
}

/* Changes the entry where it is, or as a new object in the same place. */
static void change_entry(struct lookup *at, struct entry *changed)
{
    database_count(at->database, changed);
    if (changed != at->entry)
        dict_replace(&at->database->dict, at->hash, at->entry, changed);
    at->entry = changed;
}

struct blob *apply_adopt(const struct keyspace *space, struct slice value)
{
    if (value.len < ENTRY_MIN_BLOB || space->holder == NULL)
        return NULL;
    return blob_cut(space->holder, value);
}

void apply_put_string(struct keyspace *space, struct lookup *at, struct slice value,
                      int64_t expire_at_ms)
{
    struct entry_stamp stamp = {.version = apply_revision(space), .expire_at_ms = expire_at_ms};
    struct slab *slab = &at->shard->slab;
    struct blob *blob = apply_adopt(space, value);
    if (at->entry == NULL || (space->undo != NULL && !apply_is_own(space, at->entry))) {
        apply_put(space, at,
                  blob != NULL ? entry_new_blob(slab, at->key, blob, stamp)
                               : entry_new_string(slab, at->key, value, stamp));
        return;
    }
    apply_preserve(space, at);
    database_uncount(at->database, at->entry);
    change_entry(at, blob != NULL ? entry_replace_blob(slab, at->entry, blob, stamp)
                                  : entry_replace_string(slab, at->entry, value, stamp));
}

void apply_restamp(struct keyspace *space, struct lookup *at, int64_t expire_at_ms)
{
    struct entry_stamp stamp = {.version = apply_revision(space), .expire_at_ms = expire_at_ms};
    apply_preserve(space, at);
    if (space->undo != NULL && !apply_is_own(space, at->entry))
        undo_stamp(space->undo, at);
    database_uncount(at->database, at->entry);
    change_entry(at, entry_restamp(&at->shard->slab, at->entry, stamp));
}

void apply_remove(struct keyspace *space, struct lookup *at)
{
    uint64_t revision = apply_revision(space);
    apply_preserve(space, at);
    database_uncount(at->database, at->entry);
    struct entry *former = dict_take(&at->database->dict, at->hash, at->key);
    if (space->undo == NULL)
        removals_note(&at->shard->removals, at->db, at->hash, revision);
    if (space->undo != NULL && !apply_is_own(space, former)) {
        undo_entry(space->undo, at, former, true);
    } else {
        entry_free(&at->shard->slab, former);
        if (space->undo != NULL)
            undo_entry(space->undo, at, NULL, true);
    }
    at->shard->removed = revision; /* the undo has noted the former one */
    at->entry = NULL;
}

void apply_drop(struct keyspace *space, struct lookup *at)
{
    apply_revision(space);
    apply_change_delete(space, at); /* while the key is there, which may be the entry's own */
    apply_remove(space, at);
}

void apply_recharge(const struct lookup *at, size_t former)
{
    size_t memory = list_memory(entry_list(at->entry));
    slab_charge(&at->shard->slab, memory);
    slab_refund(&at->shard->slab, former);
    if (entry_expire_at_ms(at->entry) != 0)
        at->database->expiring_memory += memory - former;
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

bool apply_reserve_answer(struct keyspace *space, size_t unfolded, size_t size,
                          struct op_result *result)
{
    space->unfolded += unfolded;
    if (space->unfolded > account_most_unfolded()) {
        apply_fail(result, ERR_TOO_LARGE,
                   "the answer has so many elements that to make it takes more than half of "
                   "--max-client-memory; ask for fewer at once");
        return false;
    }
    const char *why;
    if (arena_reserve(space->arena, unfolded + size, 0, &why))
        return true;
    apply_fail(result, ERR_OUT_OF_MEMORY, why);
    return false;
}

bool apply_lease(struct keyspace *space, size_t size, struct op_result *result)
{
    const char *why;
    if (arena_lease(space->arena, size, &why))
        return true;
    apply_fail(result, ERR_OUT_OF_MEMORY, why);
    return false;
}

void apply_fail_reply(struct keyspace *space, const struct op *op, size_t size,
                      struct op_result *result)
{
    static const char format[] =
        "the answer has some %zu bytes and this client takes %zu at most, so nothing was changed; "
        "ask for less, or raise the client's limit for messages that it receives and send it in "
        "the metadata keystore-max-reply-bytes";
    size_t room = sizeof format + 2 * 20;
    char *why = arena_alloc(space->arena, room);
    snprintf(why, room, format, size, op->max_reply);
    apply_fail(result, ERR_TOO_LARGE, why);
}

bool apply_wants_reply(struct keyspace *space, const struct op *op, struct op_result *result)
{
    if (op->max_reply == 0)
        return true;
    size_t size = op_reply_size(op->kind, result);
    if (size <= op->max_reply)
        return true;
    op_result_release(result);
    *result = (struct op_result){0};
    apply_fail_reply(space, op, size, result);
    return false;
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
