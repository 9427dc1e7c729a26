/*
 * How the operations access the data; private to the store. Each row of operations.def has one
 * apply function. It runs under the locks of its keys' shards, fills a zeroed result, and changes
 * nothing if it fails.
 *
 * An apply function looks its keys up with apply_lookup_read() if it only reads, else with
 * apply_lookup_write(); both count as a use for eviction. A function that only asks whether a key
 * exists, or for its properties, uses apply_peek(). It changes the data only with the mutators
 * below (lists: edit.h) and emits what it did with apply_change(); so every write has a revision,
 * is logged, and can be rolled back in a Txn.
 *
 * What an operation writes is one commit. The first mutator starts it; the caller of the apply
 * function ends it with apply_commit() or apply_roll_back().
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

/* The state of an operation while it is carried out. */
struct op_context {
    /* Aligned, since it is zeroed for each operation on the stack: if a store happens to cross a
     * page there, that takes 10 ns. */
    _Alignas(64) struct store *store;
    struct change_sink *sink; /* the store's, or one for this commit only; NULL: none */
    struct arena *arena;      /* for what the result points to */
    struct undo *undo;        /* the undo log; NULL if the commit will not be rolled back */
    struct blob *holder;      /* op.holder: may own the values to be written */
    bool is_final; /* the operation will not be carried out again: its values are needed once */
    int64_t now_ms;
    uint64_t revision;         /* of this commit; 0 until its first write */
    uint64_t seen;             /* newest revision whose effects the operation has observed */
    size_t replied;            /* upper bound of the bytes of a Txn's reply so far */
    bool wrote;                /* it has changed something beyond removing expired keys */
    bool is_tight;             /* a string that grows gets no reserve */
    bool took_reserve;         /* a string has got one */
    bool quick;                /* the operation must not take long: store_try_apply() */
    enum store_answer outcome; /* not STORE_DONE: it has notified waiters, waits, or has failed and
                                  is to be retried */
    size_t spent;              /* steps so far: apply_may_spend() */
    /* Expired keys removed, added to the statistics of the last one's shard at the commit. */
    uint64_t expired_keys;
    struct shard *expired_in;
};

typedef void apply_function(struct op_context *ctx, const struct op *op, struct op_result *result);

#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    apply_function apply;
#include "store/operations.def"
#undef OPERATION

/* The context of an operation, and the one for the store's own evictions and removals. */
struct op_context apply_context(struct store *store, const struct op *op, struct arena *arena,
                                bool quick);
struct op_context apply_internal_context(struct store *store, int64_t now_ms);

/* Carries out an operation whose shards are locked, with the function of its row. */
void apply_op(struct op_context *ctx, const struct op *op, struct op_result *result);

/* The same, but rolls back if the operation fails and there is an undo log. */
void apply_atomically(struct op_context *ctx, const struct op *op, struct op_result *result);

/* Ends the commit, if one was started; its changes are final. */
void apply_commit(struct op_context *ctx);

/* The same; `op`, which was carried out with that result, may have a receipt. */
void apply_commit_op(struct op_context *ctx, const struct op *op, const struct op_result *result);

/* Rolls the commit back with its undo log, as if it had never started. Releases what `result` holds
 * and zeroes it. */
void apply_roll_back(struct op_context *ctx, struct op_result *result);

/* ---- lookup ---- */

/* Looks a key up to read it: an expired key is treated as absent. `hash` 0 = not known. */
struct lookup apply_lookup_read(struct op_context *ctx, uint32_t db, struct slice key,
                                uint64_t hash);

/* The same, but does not count as a use for eviction. */
struct lookup apply_peek(struct op_context *ctx, uint32_t db, struct slice key, uint64_t hash);

/* Looks a key up to write it: an expired key is removed. */
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

/* Call before the i-th of many keys is looked up, or the i-th of many operations is carried out:
 * prefetches what the next ones need. All hashes are known. */
void apply_fetch_keys(const struct op_context *ctx, const struct op *op, size_t i);
void apply_fetch_ops(const struct op_context *ctx, const struct op *ops, size_t count, size_t i);

/* True if the key has not been written or removed since compare.since, a revision from an answer:
 * the key's version, or its as_of if it was absent. For a key that is absent or has expired since,
 * removals of other keys may rarely cause a false negative (store/data/removals.h). */
bool apply_is_unchanged(struct op_context *ctx, const struct op *compare);

/* Notes that the answer reflects the commit with this revision; the functions above do so. */
void apply_observe_revision(struct op_context *ctx, uint64_t revision);

/* True if the deadline has come; 0 never does. */
static inline bool apply_is_due(const struct op_context *ctx, int64_t expire_at_ms)
{
    return expire_at_ms != 0 && expire_at_ms <= ctx->now_ms;
}

/* ---- mutators; they update `at` ---- */

/* The revision of this commit, which the first call starts. All mutators call it. */
uint64_t apply_revision(struct op_context *ctx);

/* The version of all keys that this commit has written; 0 = none was. */
static inline uint64_t apply_version(const struct op_context *ctx)
{
    return ctx->wrote ? ctx->revision : 0;
}

/* Saves the entry first if a snapshot still needs it. Call before its value is changed; all
 * mutators do so. */
void apply_preserve(struct op_context *ctx, struct lookup *at);

/* Puts the entry in place of the present one, if any. Its key is at->key, and it comes from
 * at->shard's slab. The store takes ownership. */
void apply_put(struct op_context *ctx, struct lookup *at, struct entry *entry);

/* A blob with only this value, as blob_cut() makes it from the holder, with a reference for the
 * caller; NULL if the value must be copied. */
struct blob *apply_adopt(const struct op_context *ctx, struct slice value);

/* The operation, a part of the commit, is complete and its changes were emitted: frees long values
 * of the holder that were copied, so that they are not in memory twice until the commit ends. */
void apply_discard(const struct op_context *ctx, const struct op *op);

/* Puts a string, which lies elsewhere, in place of the present value; reuses the memory if the size
 * is the same. */
void apply_put_string(struct op_context *ctx, struct lookup *at, struct slice value,
                      int64_t expire_at_ms);

/* The outcome if waiters were notified of lists. apply_put() notifies by itself. */
void apply_note_notified(struct op_context *ctx, bool notified);

/* Gives the entry this commit's version and the deadline, 0 = none. */
void apply_set_stamp(struct op_context *ctx, struct lookup *at, int64_t expire_at_ms);

/* Removes the entry. */
void apply_remove(struct op_context *ctx, struct lookup *at);

/* Removes an entry that no operation asked to remove, and emits a delete with that cause. */
void apply_drop(struct op_context *ctx, struct lookup *at, enum op_cause cause);

/* True if this commit has created the string, so that a rollback will not need it: the undo log has
 * what was there before. */
bool apply_is_own(const struct op_context *ctx, const struct entry *entry);

/* The newest revision whose effects the answer reflects, its own included. */
static inline uint64_t apply_seen(const struct op_context *ctx)
{
    return ctx->revision > ctx->seen ? ctx->revision : ctx->seen;
}

/* Emits a change to the change stream (change.h). Fields without a meaning there are ignored. */
void apply_change(struct op_context *ctx, const struct op *change);

/* Emits the deletion of the key. */
void apply_change_delete(struct op_context *ctx, const struct lookup *at);

/* Emits what was done to the list: `change`, or the deletion of the key if no element is left. */
void apply_change_list(struct op_context *ctx, const struct lookup *at, const struct op *change);

/* ---- answers ---- */

/* Puts bytes into the value: shared if a blob (borrowed) owns them, else copied. */
void apply_return_bytes(struct op_context *ctx, struct slice bytes, struct blob *blob,
                        struct op_value *value);

/* Puts the key's string, version and deadline into the value. */
void apply_return_string(struct op_context *ctx, const struct lookup *at, struct op_value *value);

/* `size` bytes to manage the elements of an answer, counted against the limit of what a request may
 * unfold into (arena_unfold()). NULL if it is reached: then the operation has failed. */
void *apply_unfold(struct op_context *ctx, size_t size, struct op_result *result)
    __attribute__((warn_unused_result));

/*
 * Copies bytes for an answer of many elements into the arena, and reserves as many for its message.
 * False if the clients' account does not allow that: then the operation has failed.
 */
bool apply_copy_bytes(struct op_context *ctx, struct slice bytes, struct slice *copy,
                      struct op_result *result) __attribute__((warn_unused_result));

/* Reserves bytes for the message only. */
bool apply_reserve_message(struct op_context *ctx, size_t size, struct op_result *result)
    __attribute__((warn_unused_result));

/* Bytes that are copied or read in one step. */
#define APPLY_STEP_BYTES ((size_t)64)

/*
 * Call before work whose amount depends on the length of a value. A step is an element read or
 * changed, or APPLY_STEP_BYTES copied. True if the operation may continue; else it has failed, and
 * is to be retried where it may take long.
 */
bool apply_may_spend(struct op_context *ctx, size_t steps, struct op_result *result);

/* Fails the operation because a lock that it needs is held for long. */
void apply_fail_held(struct op_context *ctx, struct op_result *result);

/* Call before a change that may take much more memory than the request has: true if the system has
 * leased `size` bytes (base/reserve.h). Else the operation has failed. */
bool apply_lease(struct op_context *ctx, size_t size, struct op_result *result);

/* Fails the operation. `why` is the error message, static or in the arena. */
void apply_fail(struct op_result *result, enum err err, const char *why);

/* Call before the change, when the result has all data of the answer: true if the caller accepts a
 * reply of that size. Else the operation has failed. */
bool apply_reply_fits(struct op_context *ctx, const struct op *op, struct op_result *result);

/* Fails the operation because its reply, or that of the whole Txn if it is part of one, exceeds
 * op->max_reply bytes: it has `size` or more. */
void apply_fail_reply(struct op_context *ctx, const struct op *op, size_t size,
                      struct op_result *result);

/* True if there is no entry or it holds a string; else the operation has failed. */
bool apply_require_string(struct op_context *ctx, const struct entry *entry,
                          struct op_result *result);

/* True if there is no entry or it holds a list; else the operation has failed. */
bool apply_require_list(struct op_context *ctx, const struct entry *entry,
                        struct op_result *result);

/* True if the condition holds for the key, which may be absent; a list matches no value. */
bool apply_condition_holds(const struct condition *condition, const struct lookup *at);

/*
 * True if the operation's condition holds for the key, which may be absent. Else fills the result:
 * ok = false with the current version and string, or ERR_WRONG_TYPE if a value is compared with a
 * list.
 */
bool apply_condition(struct op_context *ctx, const struct op *op, const struct lookup *at,
                     struct op_result *result);

#endif
