/* What the operations share: finding keys, the gates through which all writes go, answers. */
#include "store/ops/apply.h"

#include "base/account.h"
#include "base/arena.h"
#include "base/blob.h"
#include "base/check.h"
#include "store/change.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/data/visits.h"
#include "store/list/list.h"
#include "store/ops/undo.h"
#include "store/restore.h"
#include "store/snapshot.h"

#include <stdio.h>

/* Values of fewer bytes are not given back one by one. */
#define DISCARD_LEAST ((size_t)64 * 1024)

static apply_function *const functions[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    [OP_##kind] = apply,
#include "store/operations.def"
#undef OPERATION
};

struct keyspace apply_space(struct store *store, const struct op *op, struct arena *arena,
                            bool quick)
{
    return (struct keyspace){.store = store,
                             .sink = store->sink,
                             .arena = arena,
                             .holder = op->holder,
                             .now_ms = op->now_ms,
                             .quick = quick};
}

struct keyspace apply_own_space(struct store *store, int64_t now_ms)
{
    return (struct keyspace){.store = store, .sink = store->sink, .now_ms = now_ms, .quick = true};
}

void apply_op(struct keyspace *space, const struct op *op, struct op_result *result)
{
    DCHECK((unsigned)op->kind < OP_COUNT);
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

/* Units that take long may end in another order than they began. */
static void note_revision(struct store *store, uint64_t revision)
{
    uint64_t newest = atomic_load_explicit(&store->revision, memory_order_relaxed);
    while (newest < revision &&
           !atomic_compare_exchange_weak_explicit(&store->revision, &newest, revision,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void apply_roll_back(struct keyspace *space, struct op_result *result)
{
    CHECK(space->undo != NULL);
    undo_roll_back(space->undo);
    op_result_release(result);
    *result = (struct op_result){0};
    space->expired_keys = 0;
    space->wrote = false;
    if (space->revision == 0)
        return;
    if (space->sink != space->store->sink) /* its revision is not given again */
        note_revision(space->store, space->revision);
    if (space->sink != NULL)
        space->sink->abort(space->sink);
    space->sink = space->store->sink;
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
    DCHECK(db < space->store->databases && hash == store_hash(space->store, key));
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
        visits_note(space->store, at->shard, at->entry, at->hash);
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

struct place {
    const struct dict *dict;
    uint64_t hash;
};

static struct place place_of(const struct keyspace *space, uint32_t db, uint64_t hash)
{
    return (struct place){&shard_of(space->store, hash)->databases[db].dict, hash};
}

/* One step for all before the next one, so that what one fetches comes at the same time. */
static void fetch(const struct place *places, size_t count)
{
    struct dict_guess guesses[STORE_PREFETCH];
    for (size_t i = 0; i < count; i++)
        dict_prefetch_bucket(places[i].dict, places[i].hash);
    for (size_t i = 0; i < count; i++) {
        guesses[i] = dict_guess(places[i].dict, places[i].hash, 0);
        dict_prefetch(guesses[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (guesses[i].is_bucket)
            dict_prefetch(dict_guess(places[i].dict, places[i].hash, 1));
}

void apply_fetch_keys(const struct keyspace *space, const struct op *op, size_t i)
{
    struct place places[STORE_PREFETCH];
    size_t count = 0;
    if (i % STORE_PREFETCH != 0 || op->key_count == 1)
        return;
    for (; i < op->key_count && count < STORE_PREFETCH; i++)
        places[count++] = place_of(space, op->db, op->keys[i].hash);
    fetch(places, count);
}

void apply_fetch_ops(const struct keyspace *space, const struct op *ops, size_t count, size_t i)
{
    struct place places[STORE_PREFETCH];
    size_t found = 0;
    if (i % STORE_PREFETCH != 0 || count == 1)
        return;
    for (size_t end = i + STORE_PREFETCH; i < count && i < end; i++)
        if (op_info(ops[i].kind)->keys == OP_KEYS_KEY)
            places[found++] = place_of(space, ops[i].db, ops[i].hash);
    fetch(places, found);
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
    if (!space->quick && space->sink != NULL && space->sink->open != NULL)
        space->sink = space->sink->open(space->sink);
    struct change_sink *sink = space->sink;
    space->revision = sink != NULL ? sink->begin(sink) : atomic_fetch_add(&store->revision, 1) + 1;
    if (space->revision > atomic_load_explicit(&store->reserved, memory_order_relaxed))
        store->reserve->wait(store->reserve, space->revision);
    DCHECK(sink == NULL ||
           sink != store->sink || /* others may have ended since an opened one began */
           space->revision > atomic_load(&store->revision));
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
    DCHECK(space->undo == NULL || space->undo->newest == NULL); /* it stands or was taken back */
    DCHECK(!space->wrote || space->revision > 0);
    struct change_sink *sink = space->sink;
    if (space->expired_keys > 0)
        space->expired_in->expired_keys += space->expired_keys;
    if (space->revision == 0 || sink == NULL)
        return;
    note_revision(space->store, space->revision);
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
    DCHECK(slice_equal(entry_key(entry), at->key) && entry_version(entry) == space->revision);
    apply_preserve(space, at);
    database_uncount(at->database, at->entry);
    database_count(at->database, entry);
    if (at->entry == NULL) {
        visits_note_new(at->shard, at->hash, entry);
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
    DCHECK(slice_equal(entry_key(changed), at->key));
    database_count(at->database, changed);
    if (changed != at->entry)
        dict_replace(&at->database->dict, at->hash, at->entry, changed);
    at->entry = changed;
}

struct blob *apply_adopt(const struct keyspace *space, struct slice value)
{
    if (value.len < BLOB_LEAST || space->holder == NULL)
        return NULL;
    return blob_cut(space->holder, value);
}

static void discard(struct blob *holder, struct slice value)
{
    if (value.len >= DISCARD_LEAST)
        blob_discard(holder, value);
}

void apply_discard(const struct keyspace *space, const struct op *op)
{
    if (!space->is_final || space->holder == NULL)
        return;
    discard(space->holder, op->value);
    for (size_t i = 0; i < op->value_count; i++)
        discard(space->holder, op->values[i]);
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
    DCHECK(at->entry != NULL);
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
    CHECK(former != NULL && former == at->entry);
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

void apply_change(struct keyspace *space, const struct op *change)
{
    if (space->sink != NULL)
        space->sink->change(space->sink, change);
}

void apply_change_delete(struct keyspace *space, const struct lookup *at)
{
    if (space->sink != NULL)
        apply_change(
            space, &(struct op){.kind = OP_DELETE, .db = at->db, .key = at->key, .hash = at->hash});
}

/* ---- answering ---- */

void apply_return_bytes(struct keyspace *space, struct slice bytes, struct blob *blob,
                        struct op_value *value)
{
    DCHECK(blob == NULL || (bytes.data >= blob->data && bytes.len <= blob->capacity));
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

/* Steps that a quick operation may take: some of them are 50 ns long. */
#define MOST_QUICK_STEPS ((size_t)16 * 1024)

bool apply_may_spend(struct keyspace *space, size_t steps, struct op_result *result)
{
    if (!space->quick)
        return true;
    space->spent += steps;
    if (space->spent <= MOST_QUICK_STEPS)
        return true;
    space->later = STORE_COSTLY;
    apply_fail(result, ERR_TOO_LARGE, "it takes long");
    return false;
}

void apply_fail_held(struct keyspace *space, struct op_result *result)
{
    space->later = STORE_HELD;
    apply_fail(result, ERR_TOO_LARGE, "another operation takes long");
}

void apply_fail(struct op_result *result, enum err err, const char *why)
{
    DCHECK(err != ERR_NONE && why != NULL);
    result->err = err;
    result->why = why;
}

/* The arena has refused memory for the answer. */
static void fail_memory(const struct keyspace *space, struct op_result *result)
{
    enum err err = space->arena->refusal;
    apply_fail(result, err,
               err == ERR_TOO_LARGE
                   ? "the answer has so many elements that to make it takes more than half of "
                     "--max-client-memory; ask for fewer at once"
                   : space->arena->why);
}

void *apply_unfold(struct keyspace *space, size_t size, struct op_result *result)
{
    void *memory = arena_unfold(space->arena, size);
    if (memory == NULL)
        fail_memory(space, result);
    return memory;
}

bool apply_reserve_message(struct keyspace *space, size_t size, struct op_result *result)
{
    if (arena_reserve(space->arena, size))
        return true;
    fail_memory(space, result);
    return false;
}

bool apply_copy_bytes(struct keyspace *space, struct slice bytes, struct slice *copy,
                      struct op_result *result)
{
    if (!apply_reserve_message(space, op_answer_size(bytes.len), result))
        return false;
    uint8_t *memory = arena_try(space->arena, bytes.len);
    if (memory == NULL) {
        fail_memory(space, result);
        return false;
    }
    slice_write(memory, bytes);
    *copy = slice_make(memory, bytes.len);
    return true;
}

bool apply_lease(struct keyspace *space, size_t size, struct op_result *result)
{
    if (size < RESERVE_LEASED || arena_lease(space->arena, size))
        return true;
    fail_memory(space, result);
    return false;
}

void apply_fail_reply(struct keyspace *space, const struct op *op, size_t size,
                      struct op_result *result)
{
    static const char format[] =
        "the answer has %zu bytes or more and this client takes %zu at most, so nothing was "
        "changed; "
        "ask for less, or raise the client's limit for messages that it receives and send it in "
        "the metadata keystore-max-reply-bytes";
    size_t room = sizeof format + (size_t)2 * 20;
    char *why = arena_alloc(space->arena, room);
    snprintf(why, room, format, size, op->max_reply);
    apply_fail(result, ERR_TOO_LARGE, why);
}

bool apply_wants_reply(struct keyspace *space, const struct op *op, struct op_result *result)
{
    if (op->max_reply == 0)
        return true;
    DCHECK(!space->wrote || space->undo != NULL); /* on an error nothing has changed */
    size_t size = space->replied + op_reply_size(op->kind, result);
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
