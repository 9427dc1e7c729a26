/*
 * How the operations reach the data; private to the store. One function per row of operations.def.
 * Each runs under the locks of its keys' shards, fills a zeroed result, and on error changes
 * nothing.
 *
 * An apply function finds its keys with apply_lookup_read() if it only reads, else with
 * apply_lookup_write(): both count as use for eviction. What only asks whether a key is there, or
 * what it is, is a peek. It changes the data with the functions below alone (lists: edit.h), and
 * tells what it did with apply_change(); so that every write has a revision, is logged, and can be
 * undone in a Txn.
 */
#ifndef KEYSTORE_STORE_OPS_APPLY_H
#define KEYSTORE_STORE_OPS_APPLY_H

#include "store/data/lookup.h"
#include "store/op.h"

struct arena;
struct blob;
struct change_sink;
struct database;
struct entry;
struct shard;
struct store;
struct undo;

/* One operation on its way, over the whole store. */
struct op_context {
    struct store *store;
    struct change_sink *sink; /* the store's, or one for this unit alone; NULL: nobody is told */
    struct arena *arena;      /* for what the result points to */
    struct undo *undo;        /* what would take the writes back; NULL if nothing will */
    struct blob *holder;      /* of the values that are written, perhaps: op.holder */
    bool is_final; /* no operation will be carried out again: its values are needed once */
    int64_t now_ms;
    uint64_t revision; /* of this unit; 0 until its first write */
    uint64_t seen;     /* newest revision that it has seen the effects of */
    size_t replied;    /* at most the bytes of a Txn's reply so far */
    bool wrote;        /* it has changed something itself: more than removed what had expired */
    bool is_tight;     /* a string that grows gets no reserve */
    bool took_reserve; /* one has got some */
    bool quick;        /* it must not take long: store_try_apply() */
    enum store_answer outcome; /* why it has failed, if it is to be tried again */
    size_t spent;              /* apply_may_spend() */
    /* Expired keys that it removed, counted when the unit stands: in the last one's shard. */
    uint64_t expired_keys;
    struct shard *expired_in;
};

typedef void apply_function(struct op_context *ctx, const struct op *op, struct op_result *result);

#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    apply_function apply;
#include "store/operations.def"
#undef OPERATION

/* What an operation begins with, and what the store itself does when it evicts or removes. */
struct op_context apply_context(struct store *store, const struct op *op, struct arena *arena,
                                bool quick);
struct op_context apply_internal_context(struct store *store, int64_t now_ms);

/* Carries out an operation whose shards are locked, with the function of its row. */
void apply_op(struct op_context *ctx, const struct op *op, struct op_result *result);

/* The same for a whole unit: if it fails and there is an undo, nothing has changed. */
void apply_atomically(struct op_context *ctx, const struct op *op, struct op_result *result);

/*
 * Takes back what the unit has done, with its undo, as if it had never begun; what `result` holds
 * is released, and it is zero afterwards.
 */
void apply_roll_back(struct op_context *ctx, struct op_result *result);

/* ---- finding ---- */

/* Looks a key up to read it: what has expired is not there. `hash` 0 = not known. */
struct lookup apply_lookup_read(struct op_context *ctx, uint32_t db, struct slice key,
                                uint64_t hash);

/* The same without using it: eviction is not impressed. */
struct lookup apply_peek(struct op_context *ctx, uint32_t db, struct slice key, uint64_t hash);

/* Looks a key up to write it: what has expired is removed. */
struct lookup apply_lookup_write(struct op_context *ctx, uint32_t db, struct slice key,
                                 uint64_t hash);

/* The same for the operation's key. */
static inline struct lookup apply_lookup_read_key(struct op_context *ctx, const struct op *op)
{
    return apply_lookup_read(ctx, op->db, op->key, op->hash);
}

static inline struct lookup apply_lookup_write_key(struct op_context *ctx, const struct op *op)
{
    return apply_lookup_write(ctx, op->db, op->key, op->hash);
}

/* To be called before the i-th of many keys is looked up, or of many operations carried out: begins
 * to fetch what the next ones need. All hashes are known. */
void apply_fetch_keys(const struct op_context *ctx, const struct op *op, size_t i);
void apply_fetch_ops(const struct op_context *ctx, const struct op *ops, size_t count, size_t i);

/* True if the key has not been written or removed since the revision, which an answer gave: that of
 * the key, or if it was absent its as_of. If it is absent, or has expired since, also removals
 * of other keys may count, but seldom (store/data/removals.h). */
bool apply_is_unchanged(struct op_context *ctx, const struct op *compare);

/* Notes that the answer shows what the unit with this revision did; the functions above do so. */
void apply_observe_revision(struct op_context *ctx, uint64_t revision);

/* True if the deadline has come; 0 never does. */
static inline bool apply_is_due(const struct op_context *ctx, int64_t expire_at_ms)
{
    return expire_at_ms != 0 && expire_at_ms <= ctx->now_ms;
}

/* ---- writing; `at` tells afterwards what is there ---- */

/* The revision of this unit, which begins with the first call. Every function below calls it. */
uint64_t apply_revision(struct op_context *ctx);

/* The version of all keys that this unit has written; 0 = none was. */
static inline uint64_t apply_version(const struct op_context *ctx)
{
    return ctx->wrote ? ctx->revision : 0;
}

/* What a snapshot needs of the entry is saved; to be called before its value is changed. Every
 * function below calls it. */
void apply_preserve(struct op_context *ctx, struct lookup *at);

/* The entry, whose key is at->key and which comes from at->shard's slab, takes the place of what
 * was there. It passes to the store. */
void apply_put(struct op_context *ctx, struct lookup *at, struct entry *entry);

/* A blob that is this value alone, as blob_cut() makes it of the holder, with a reference for the
 * caller; NULL if the value is to be copied. */
struct blob *apply_adopt(const struct op_context *ctx, struct slice value);

/* The operation, a part of the unit, is done and told: long values that were copied out of the
 * holder need not be in memory twice until the others are done, too. */
void apply_discard(const struct op_context *ctx, const struct op *op);

/* A string that lies elsewhere takes the place of what was there, in place if that has its size. */
void apply_put_string(struct op_context *ctx, struct lookup *at, struct slice value,
                      int64_t expire_at_ms);

/* The entry gets this unit's version and the deadline, 0 = none. */
void apply_set_stamp(struct op_context *ctx, struct lookup *at, int64_t expire_at_ms);

/* Removes the entry. */
void apply_remove(struct op_context *ctx, struct lookup *at);

/* Removes an entry that nobody asked to remove, and tells so. */
void apply_drop(struct op_context *ctx, struct lookup *at);

/* True if this unit has made the string, so that nothing but its former value, which the undo
 * has, will be asked for again. */
bool apply_is_own(const struct op_context *ctx, const struct entry *entry);

/* Ends the unit, if there is one; its changes stand. */
void apply_commit(struct op_context *ctx);

/* The newest revision that the unit's answer shows the effects of, its own included. */
static inline uint64_t apply_seen(const struct op_context *ctx)
{
    return ctx->revision > ctx->seen ? ctx->revision : ctx->seen;
}

/* Tells the change stream (change.h) what was done. Fields that mean nothing there are ignored. */
void apply_change(struct op_context *ctx, const struct op *change);

/* Tells that the key is gone. */
void apply_change_delete(struct op_context *ctx, const struct lookup *at);

/* ---- answering ---- */

/* Puts bytes into the value: shared if a blob (borrowed) holds them, else copied. */
void apply_return_bytes(struct op_context *ctx, struct slice bytes, struct blob *blob,
                        struct op_value *value);

/* Puts an entry's string, version and deadline into the value. */
void apply_return_string(struct op_context *ctx, const struct entry *entry, struct op_value *value);

/* Memory to manage the elements of an answer, `size` bytes in all: what the request unfolds into
 * (arena_unfold()). NULL if there may be no more: then the operation has failed. */
void *apply_unfold(struct op_context *ctx, size_t size, struct op_result *result)
    __attribute__((warn_unused_result));

/*
 * Copies bytes for an answer of many elements into the arena, and counts them once more for its
 * message. False if the account of the clients does not allow that: then the operation has failed.
 */
bool apply_copy_bytes(struct op_context *ctx, struct slice bytes, struct slice *copy,
                      struct op_result *result) __attribute__((warn_unused_result));

/* The same for bytes that are copied into the message only. */
bool apply_reserve_message(struct op_context *ctx, size_t size, struct op_result *result)
    __attribute__((warn_unused_result));

/* Bytes that are copied or looked at in one step. */
#define APPLY_STEP_BYTES ((size_t)64)

/*
 * To be asked before work on the data that depends on the length of a value: so many elements are
 * looked at or changed, or APPLY_STEP_BYTES times as many bytes copied. True if it may go on; else
 * the operation has failed, to be tried again where it may take long.
 */
bool apply_may_spend(struct op_context *ctx, size_t steps, struct op_result *result);

/* Fails the operation because a lock it needs is held for long. */
void apply_fail_held(struct op_context *ctx, struct op_result *result);

/* To be asked before a change that may take much more memory than the request's own bytes: true if
 * the system gives so many bytes (base/reserve.h). Else the operation has failed. */
bool apply_lease(struct op_context *ctx, size_t size, struct op_result *result);

/* Fails the operation. `why` is static or lies in the arena. */
void apply_fail(struct op_result *result, enum err err, const char *why);

/* To be asked before the change, when the result holds all data that the answer will: true if the
 * caller takes an answer of that size. Else the operation has failed. */
bool apply_reply_fits(struct op_context *ctx, const struct op *op, struct op_result *result);

/* Fails the operation because its answer, that of the whole Txn if it is a part of one, has more
 * than op->max_reply bytes: `size` or more. */
void apply_fail_reply(struct op_context *ctx, const struct op *op, size_t size,
                      struct op_result *result);

/* True if there is no entry or it holds a string; else the operation has failed. */
bool apply_require_string(const struct entry *entry, struct op_result *result);

/* True if there is no entry or it holds a list; else the operation has failed. */
bool apply_require_list(const struct entry *entry, struct op_result *result);

/* True if the condition holds for the entry (NULL = no such key); a list matches no value. */
bool apply_condition_holds(const struct condition *condition, const struct entry *entry);

/*
 * True if the operation's condition holds for the entry (NULL = no such key). Else the result says
 * so: ok = false with the current version and string, or ERR_WRONG_TYPE when a value is to match a
 * list.
 */
bool apply_condition(struct op_context *ctx, const struct op *op, const struct entry *entry,
                     struct op_result *result);

#endif
