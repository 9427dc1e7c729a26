/*
 * What the operations share: lookups, the mutators, answers.
 *
 * A commit starts with the first mutator, which takes a revision from the sink, and ends with
 * apply_commit() or apply_roll_back(). With an undo log, each mutator keeps there what it replaces;
 * without one it is freed immediately. An operation that fails without an undo log has not called a
 * mutator yet, but may have removed keys that had expired.
 */
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

/* Shorter values are not discarded one by one. */
#define DISCARD_MIN ((size_t)64 * 1024)

static apply_function *const functions[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    [OP_##kind] = apply,
#include "store/operations.def"
#undef OPERATION
};

struct op_context apply_context(struct store *store, const struct op *op, struct arena *arena,
                                bool quick)
{
    return (struct op_context){.store = store,
                               .sink = store->sink,
                               .arena = arena,
                               .holder = op->holder,
                               .now_ms = op->now_ms,
                               .quick = quick};
}

struct op_context apply_internal_context(struct store *store, int64_t now_ms)
{
    return (struct op_context){
        .store = store, .sink = store->sink, .now_ms = now_ms, .quick = true};
}

void apply_op(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    DCHECK((unsigned)op->kind < OP_COUNT);
    functions[op->kind](ctx, op, result);
}

void apply_atomically(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    apply_op(ctx, op, result);
    if (result->err == ERR_NONE || ctx->undo == NULL)
        return;
    struct op_result failed = op_result_error(result);
    apply_roll_back(ctx, result);
    *result = failed;
}

/* Commits that take long may end in another order than they started. */
static void apply_note_revision(struct store *store, uint64_t revision)
{
    uint64_t newest = atomic_load_explicit(&store->revision, memory_order_relaxed);
    while (newest < revision &&
           !atomic_compare_exchange_weak_explicit(&store->revision, &newest, revision,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

void apply_roll_back(struct op_context *ctx, struct op_result *result)
{
    CHECK(ctx->undo != NULL);
    undo_roll_back(ctx->undo);
    op_result_release(result);
    *result = (struct op_result){0};
    ctx->expired_keys = 0;
    ctx->wrote = false;
    if (ctx->revision == 0)
        return;
    if (ctx->sink != ctx->store->sink) /* its revision is not reused */
        apply_note_revision(ctx->store, ctx->revision);
    if (ctx->sink != NULL)
        ctx->sink->abort(ctx->sink);
    ctx->sink = ctx->store->sink;
    if (ctx->seen >= ctx->revision)
        ctx->seen = ctx->revision - 1;
    ctx->revision = 0;
}

/* ---- lookup ---- */

void apply_observe_revision(struct op_context *ctx, uint64_t revision)
{
    if (revision > ctx->seen)
        ctx->seen = revision;
}

/* Finds the entry even if it has expired. */
static struct lookup apply_lookup_any(struct op_context *ctx, uint32_t db, struct slice key,
                                      uint64_t hash)
{
    if (hash == 0)
        hash = store_hash(ctx->store, key);
    struct shard *shard = shard_of(ctx->store, hash);
    DCHECK(db < ctx->store->databases && hash == store_hash(ctx->store, key));
    struct lookup at = {
        .shard = shard, .database = &shard->databases[db], .key = key, .hash = hash, .db = db};
    at.entry = dict_find(&at.database->dict, hash, key);
    at.as_of = at.entry != NULL ? entry_version(at.entry) : shard->removed;
    if (at.database->swapped_at > at.as_of)
        at.as_of = at.database->swapped_at;
    apply_observe_revision(ctx, at.as_of);
    return at;
}

static inline void apply_note_use(struct op_context *ctx, const struct lookup *at)
{
    if (atomic_load_explicit(&ctx->store->note_visits, memory_order_relaxed) && at->entry != NULL)
        visits_note(ctx->store, at->shard, at->entry, at->hash);
}

struct lookup apply_peek(struct op_context *ctx, uint32_t db, struct slice key, uint64_t hash)
{
    struct lookup at = apply_lookup_any(ctx, db, key, hash);
    if (at.entry != NULL && apply_is_due(ctx, entry_expire_at_ms(at.entry))) {
        at.entry = NULL;
        if (at.shard->removed > at.as_of)
            at.as_of = at.shard->removed;
        apply_observe_revision(ctx, at.as_of);
    }
    return at;
}

struct lookup apply_lookup_read(struct op_context *ctx, uint32_t db, struct slice key,
                                uint64_t hash)
{
    struct lookup at = apply_peek(ctx, db, key, hash);
    at.shard->lookups[at.entry != NULL]++;
    apply_note_use(ctx, &at);
    return at;
}

struct place {
    const struct dict *dict;
    uint64_t hash;
};

static struct place apply_place_of(const struct op_context *ctx, uint32_t db, uint64_t hash)
{
    return (struct place){&shard_of(ctx->store, hash)->databases[db].dict, hash};
}

/* Does each step for all places before the next step, so that its prefetches overlap. */
static void apply_fetch(const struct place *places, size_t count)
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

void apply_fetch_keys(const struct op_context *ctx, const struct op *op, size_t i)
{
    struct place places[STORE_PREFETCH];
    size_t count = 0;
    if (i % STORE_PREFETCH != 0 || op->key_count == 1)
        return;
    for (; i < op->key_count && count < STORE_PREFETCH; i++)
        places[count++] = apply_place_of(ctx, op->db, op->keys[i].hash);
    apply_fetch(places, count);
}

void apply_fetch_ops(const struct op_context *ctx, const struct op *ops, size_t count, size_t i)
{
    struct place places[STORE_PREFETCH];
    size_t found = 0;
    if (i % STORE_PREFETCH != 0 || count == 1)
        return;
    for (size_t end = i + STORE_PREFETCH; i < count && i < end; i++)
        if (op_info(ops[i].kind)->keys == OP_KEYS_KEY)
            places[found++] = apply_place_of(ctx, ops[i].db, ops[i].hash);
    apply_fetch(places, found);
}

/* The removal of an expired key does not count as a write of the operation. */
static void apply_drop_expired(struct op_context *ctx, struct lookup *at)
{
    bool wrote = ctx->wrote;
    apply_drop(ctx, at, OP_CAUSE_EXPIRY);
    ctx->wrote = wrote;
    ctx->expired_keys++;
    ctx->expired_in = at->shard;
}

struct lookup apply_lookup_write(struct op_context *ctx, uint32_t db, struct slice key,
                                 uint64_t hash)
{
    struct lookup at = apply_lookup_any(ctx, db, key, hash);
    if (at.entry != NULL && apply_is_due(ctx, entry_expire_at_ms(at.entry)))
        apply_drop_expired(ctx, &at);
    apply_note_use(ctx, &at);
    return at;
}

/* A client that read an expired key as absent may have done so before or after its removal; a
 * client that read the key itself must learn that it is gone. If both were given the same revision,
 * the compare fails for both. The key is removed then, so that the next answers differ. */
bool apply_is_unchanged(struct op_context *ctx, const struct op *compare)
{
    struct lookup at = apply_lookup_any(ctx, compare->db, compare->key, compare->hash);
    if (at.entry == NULL)
        return removals_latest(&at.shard->removals, at.db, at.hash) <= compare->compare.since &&
               at.database->swapped_at <= compare->compare.since;
    if (!apply_is_due(ctx, entry_expire_at_ms(at.entry)))
        return lookup_version(&at) <= compare->compare.since;
    if (lookup_version(&at) < compare->compare.since)
        return true;
    apply_drop_expired(ctx, &at);
    return false;
}

/* ---- writing ---- */

static void apply_start_commit(struct op_context *ctx)
{
    struct store *store = ctx->store;
    if (!ctx->quick && ctx->sink != NULL && ctx->sink->open != NULL)
        ctx->sink = ctx->sink->open(ctx->sink);
    struct change_sink *sink = ctx->sink;
    ctx->revision = sink != NULL ? sink->begin(sink) : atomic_fetch_add(&store->revision, 1) + 1;
    if (ctx->revision > atomic_load_explicit(&store->reserved, memory_order_relaxed))
        store->reserve->wait(store->reserve, ctx->revision);
    DCHECK(sink == NULL ||
           sink != store->sink || /* others may have ended since an opened commit started */
           ctx->revision > atomic_load(&store->revision));
}

uint64_t apply_revision(struct op_context *ctx)
{
    ctx->wrote = true;
    if (ctx->revision == 0)
        apply_start_commit(ctx);
    return ctx->revision;
}

static void apply_keep_receipt(struct op_context *ctx, struct op_receipt *receipt,
                               const struct op_result *result)
{
    struct change_sink *sink = ctx->sink;
    if (!ctx->wrote || result->err != ERR_NONE) /* the commit only removes what had expired */
        return;
    struct slice record = receipt->keep(receipt, result, ctx->revision);
    if (sink != NULL && sink->note != NULL)
        sink->note(sink, record);
}

void apply_commit_op(struct op_context *ctx, const struct op *op, const struct op_result *result)
{
    DCHECK(ctx->undo == NULL || ctx->undo->newest == NULL); /* discarded or rolled back */
    DCHECK(!ctx->wrote || ctx->revision > 0);
    struct change_sink *sink = ctx->sink;
    if (ctx->expired_keys > 0)
        ctx->expired_in->expired_keys += ctx->expired_keys;
    if (ctx->revision == 0)
        return;
    if (op->receipt != NULL)
        apply_keep_receipt(ctx, op->receipt, result);
    if (sink == NULL)
        return;
    apply_note_revision(ctx->store, ctx->revision);
    sink->end(sink);
}

void apply_commit(struct op_context *ctx)
{
    static const struct op no_receipt;
    static const struct op_result no_result;
    apply_commit_op(ctx, &no_receipt, &no_result);
}

void apply_preserve(struct op_context *ctx, struct lookup *at)
{
    if (ctx->store->snapshot != NULL && at->entry != NULL && !at->preserved)
        snapshot_preserve(ctx->store, at, ctx->undo != NULL);
    at->preserved = true;
}

bool apply_is_own(const struct op_context *ctx, const struct entry *entry)
{
    return ctx->undo != NULL && !ctx->undo->has_stamped_string && entry != NULL &&
           entry_type(entry) == ENTRY_STRING && entry_version(entry) == ctx->revision;
}

/* Frees the replaced entry, unless a rollback may need it. */
static void apply_release_entry(struct op_context *ctx, const struct lookup *at,
                                struct entry *former)
{
    if (ctx->undo != NULL && !apply_is_own(ctx, former))
        undo_entry(ctx->undo, at, former, false);
    else
        entry_free(&at->shard->slab, former);
}

void apply_note_notified(struct op_context *ctx, bool notified)
{
    if (notified && ctx->outcome == STORE_DONE)
        ctx->outcome = STORE_NOTIFIED;
}

void apply_put(struct op_context *ctx, struct lookup *at, struct entry *entry)
{
    apply_revision(ctx);
    DCHECK(slice_equal(entry_key(entry), at->key) && entry_version(entry) == ctx->revision);
    apply_preserve(ctx, at);
    database_uncount(at->database, at->entry);
    database_count(at->database, entry);
    if (entry_type(entry) == ENTRY_LIST)
        apply_note_notified(ctx, waiters_on_list(&at->shard->waiters, at->db, at->key, at->hash));
    if (at->entry == NULL) {
        visits_note_new(at->shard, at->hash, entry);
        dict_put(&at->database->dict, at->hash, entry);
    } else {
        entry_set_mark(entry, entry_mark(at->entry));
        dict_replace(&at->database->dict, at->hash, at->entry, entry);
    }
    apply_release_entry(ctx, at, at->entry);
    at->entry = entry;
}

/* `changed` is the same entry, in place or reallocated. */
static void apply_update_entry(struct lookup *at, struct entry *changed)
{
    DCHECK(slice_equal(entry_key(changed), at->key));
    database_count(at->database, changed);
    if (changed != at->entry)
        dict_replace(&at->database->dict, at->hash, at->entry, changed);
    at->entry = changed;
}

struct blob *apply_adopt(const struct op_context *ctx, struct slice value)
{
    if (value.len < BLOB_LEAST || ctx->holder == NULL)
        return NULL;
    return blob_cut(ctx->holder, value);
}

static void apply_discard_value(struct blob *holder, struct slice value)
{
    if (value.len >= DISCARD_MIN)
        blob_discard(holder, value);
}

void apply_discard(const struct op_context *ctx, const struct op *op)
{
    if (!ctx->is_final || ctx->holder == NULL)
        return;
    apply_discard_value(ctx->holder, op->value);
    for (size_t i = 0; i < op->value_count; i++)
        apply_discard_value(ctx->holder, op->values[i]);
}

void apply_put_string(struct op_context *ctx, struct lookup *at, struct slice value,
                      int64_t expire_at_ms)
{
    struct entry_stamp stamp = {.version = apply_revision(ctx), .expire_at_ms = expire_at_ms};
    struct slab *slab = &at->shard->slab;
    struct blob *blob = apply_adopt(ctx, value);
    if (at->entry == NULL || (ctx->undo != NULL && !apply_is_own(ctx, at->entry))) {
        apply_put(ctx, at,
                  blob != NULL ? entry_new_blob(slab, at->key, blob, stamp)
                               : entry_new_string(slab, at->key, value, stamp));
        return;
    }
    apply_preserve(ctx, at);
    database_uncount(at->database, at->entry);
    apply_update_entry(at, blob != NULL ? entry_replace_blob(slab, at->entry, blob, stamp)
                                        : entry_replace_string(slab, at->entry, value, stamp));
}

void apply_set_stamp(struct op_context *ctx, struct lookup *at, int64_t expire_at_ms)
{
    DCHECK(at->entry != NULL);
    struct entry_stamp stamp = {.version = apply_revision(ctx), .expire_at_ms = expire_at_ms};
    apply_preserve(ctx, at);
    if (ctx->undo != NULL && !apply_is_own(ctx, at->entry))
        undo_stamp(ctx->undo, at);
    database_uncount(at->database, at->entry);
    apply_update_entry(at, entry_restamp(&at->shard->slab, at->entry, stamp));
}

void apply_remove(struct op_context *ctx, struct lookup *at)
{
    uint64_t revision = apply_revision(ctx);
    apply_preserve(ctx, at);
    database_uncount(at->database, at->entry);
    struct entry *former = dict_take(&at->database->dict, at->hash, at->key);
    CHECK(former != NULL && former == at->entry);
    if (ctx->undo == NULL)
        removals_note(&at->shard->removals, at->db, at->hash, revision);
    if (ctx->undo != NULL && !apply_is_own(ctx, former)) {
        undo_entry(ctx->undo, at, former, true);
    } else {
        entry_free(&at->shard->slab, former);
        if (ctx->undo != NULL)
            undo_entry(ctx->undo, at, NULL, true);
    }
    at->shard->removed = revision; /* the undo has noted the former one */
    at->entry = NULL;
}

static void apply_change_removal(struct op_context *ctx, const struct lookup *at,
                                 enum op_cause cause)
{
    if (ctx->sink != NULL)
        apply_change(ctx, &(struct op){.kind = OP_DELETE,
                                       .db = at->db,
                                       .key = at->key,
                                       .hash = at->hash,
                                       .removal.cause = cause});
}

void apply_drop(struct op_context *ctx, struct lookup *at, enum op_cause cause)
{
    apply_revision(ctx);
    apply_change_removal(ctx, at, cause); /* before the removal: at->key may lie in the entry */
    apply_remove(ctx, at);
}

void apply_change(struct op_context *ctx, const struct op *change)
{
    if (ctx->sink != NULL)
        ctx->sink->change(ctx->sink, change);
}

void apply_change_delete(struct op_context *ctx, const struct lookup *at)
{
    apply_change_removal(ctx, at, OP_CAUSE_REQUEST);
}

void apply_change_list(struct op_context *ctx, const struct lookup *at, const struct op *change)
{
    if (at->entry == NULL)
        apply_change_delete(ctx, at);
    else
        apply_change(ctx, change);
}

/* ---- answers ---- */

void apply_return_bytes(struct op_context *ctx, struct slice bytes, struct blob *blob,
                        struct op_value *value)
{
    DCHECK(blob == NULL || (bytes.data >= blob->data && bytes.len <= blob->capacity));
    value->found = true;
    value->bytes = blob != NULL ? bytes : arena_copy(ctx->arena, bytes);
    value->blob = blob != NULL ? blob_retain(blob) : NULL;
}

void apply_return_string(struct op_context *ctx, const struct lookup *at, struct op_value *value)
{
    apply_return_bytes(ctx, entry_string(at->entry), entry_blob(at->entry), value);
    value->version = lookup_version(at);
    value->expire_at_ms = entry_expire_at_ms(at->entry);
}

/* Steps that a quick operation may take; the slowest take 50 ns. */
#define MAX_QUICK_STEPS ((size_t)16 * 1024)

bool apply_may_spend(struct op_context *ctx, size_t steps, struct op_result *result)
{
    if (!ctx->quick)
        return true;
    ctx->spent += steps;
    if (ctx->spent <= MAX_QUICK_STEPS)
        return true;
    ctx->outcome = STORE_COSTLY;
    apply_fail(result, ERR_TOO_LARGE, "it takes long");
    return false;
}

void apply_fail_held(struct op_context *ctx, struct op_result *result)
{
    ctx->outcome = STORE_HELD;
    apply_fail(result, ERR_TOO_LARGE, "another operation takes long");
}

void apply_fail(struct op_result *result, enum err err, const char *why)
{
    DCHECK(err != ERR_NONE && why != NULL);
    result->err = err;
    result->why = why;
}

/* The arena has refused memory for the answer. Its error message is passed on. */
static void apply_fail_memory(const struct op_context *ctx, struct op_result *result)
{
    enum err err = ctx->arena->refusal;
    apply_fail(result, err,
               err == ERR_TOO_LARGE
                   ? "the answer has so many elements that building it takes more than half of "
                     "--max-client-memory; ask for fewer at a time"
                   : ctx->arena->why);
}

void *apply_unfold(struct op_context *ctx, size_t size, struct op_result *result)
{
    void *memory = arena_unfold(ctx->arena, size);
    if (memory == NULL)
        apply_fail_memory(ctx, result);
    return memory;
}

bool apply_reserve_message(struct op_context *ctx, size_t size, struct op_result *result)
{
    if (arena_reserve(ctx->arena, size))
        return true;
    apply_fail_memory(ctx, result);
    return false;
}

bool apply_copy_bytes(struct op_context *ctx, struct slice bytes, struct slice *copy,
                      struct op_result *result)
{
    if (!apply_reserve_message(ctx, op_answer_size(bytes.len), result))
        return false;
    uint8_t *memory = arena_try(ctx->arena, bytes.len);
    if (memory == NULL) {
        apply_fail_memory(ctx, result);
        return false;
    }
    slice_write(memory, bytes);
    *copy = slice_make(memory, bytes.len);
    return true;
}

bool apply_lease(struct op_context *ctx, size_t size, struct op_result *result)
{
    if (size < RESERVE_LEASED || arena_lease(ctx->arena, size))
        return true;
    apply_fail_memory(ctx, result);
    return false;
}

void apply_fail_reply(struct op_context *ctx, const struct op *op, size_t size,
                      struct op_result *result)
{
    static const char format[] =
        "the answer has %zu bytes or more and this client accepts %zu at most, so nothing was "
        "changed; ask for less, or raise the client's limit for received messages and send it in "
        "the metadata keystore-max-reply-bytes";
    size_t capacity = sizeof format + (size_t)2 * 20;
    char *why = arena_alloc(ctx->arena, capacity);
    snprintf(why, capacity, format, size, op->max_reply);
    apply_fail(result, ERR_TOO_LARGE, why);
}

bool apply_reply_fits(struct op_context *ctx, const struct op *op, struct op_result *result)
{
    if (op->max_reply == 0)
        return true;
    DCHECK(!ctx->wrote || ctx->undo != NULL); /* on an error nothing has changed */
    size_t size = ctx->replied + op_reply_size(op->kind, result);
    if (size <= op->max_reply)
        return true;
    op_result_release(result);
    *result = (struct op_result){0};
    apply_fail_reply(ctx, op, size, result);
    return false;
}

static __attribute__((cold)) void
apply_wrong_type(struct op_context *ctx, const struct entry *entry, struct op_result *result)
{
    bool is_list = entry_type(entry) == ENTRY_LIST;
    apply_fail(result, ERR_WRONG_TYPE,
               is_list ? "the key holds a list; this operation needs a string (or no such key)"
                       : "the key holds a string; this operation needs a list (or no such key)");
    result->type = is_list ? OP_TYPE_LIST : OP_TYPE_STRING;
    if (entry_key_length(entry) <= OP_MAX_KEY_IN_ERROR)
        result->key = arena_copy(ctx->arena, entry_key(entry));
}

bool apply_require_string(struct op_context *ctx, const struct entry *entry,
                          struct op_result *result)
{
    if (entry == NULL || entry_type(entry) == ENTRY_STRING)
        return true;
    apply_wrong_type(ctx, entry, result);
    return false;
}

bool apply_require_list(struct op_context *ctx, const struct entry *entry, struct op_result *result)
{
    if (entry == NULL || entry_type(entry) == ENTRY_LIST)
        return true;
    apply_wrong_type(ctx, entry, result);
    return false;
}

bool apply_condition_holds(const struct condition *condition, const struct lookup *at)
{
    const struct entry *entry = at->entry;
    if (entry == NULL)
        return condition->existence != EXISTENCE_PRESENT && condition->version == 0 &&
               !condition->match_value;
    if (condition->existence == EXISTENCE_ABSENT)
        return false;
    if (condition->version != 0 && condition->version != lookup_version(at))
        return false;
    return !condition->match_value || (entry_type(entry) == ENTRY_STRING &&
                                       slice_equal(entry_string(entry), condition->value));
}

bool apply_condition(struct op_context *ctx, const struct op *op, const struct lookup *at,
                     struct op_result *result)
{
    if (op->condition.match_value && !apply_require_string(ctx, at->entry, result))
        return false;
    if (apply_condition_holds(&op->condition, at))
        return true;
    result->version = lookup_version(at);
    if (at->entry != NULL && entry_type(at->entry) == ENTRY_STRING) {
        result->has_previous = true;
        apply_return_string(ctx, at, &result->value);
    }
    return false;
}
