/* Finds and takes an operation's locks. Knows of operations only where their keys are. */
#include "store/data/lock.h"

#include "base/check.h"
#include "store/data/shard.h"

_Static_assert(LOCK_WORDS *LOCK_WORD == SHARDS_MAX, "a set has a bit for each shard");

static void lock_add_shard(struct lock_set *set, size_t shard)
{
    set->bits[shard / LOCK_WORD] |= (uint64_t)1 << shard % LOCK_WORD;
}

/* ---- the keys of an operation ---- */

static void lock_each_key_of(struct op *ops, size_t count, struct lock_visitor *visitor)
{
    for (size_t i = 0; i < count; i++)
        lock_each_key(&ops[i], visitor);
}

static void lock_each_key_of_txn(struct op_txn *txn, struct lock_visitor *visitor)
{
    lock_each_key_of(txn->else_ops, txn->else_count, visitor);
    for (size_t i = 0; i < txn->compare_count; i++) {
        struct op *compare = &txn->compares[i];
        visitor->visit(visitor, compare->db, compare->key, &compare->hash);
    }
}

void lock_each_key(struct op *op, struct lock_visitor *visitor)
{
    switch (op_info(op->kind)->keys) {
    case OP_KEYS_PAIR: {
        uint32_t target_db = op->kind == OP_L_MOVE ? op->db : op->target_db;
        visitor->visit(visitor, target_db, op->target.bytes, &op->target.hash);
        visitor->visit(visitor, op->db, op->key, &op->hash);
        break;
    }
    case OP_KEYS_KEY:
        visitor->visit(visitor, op->db, op->key, &op->hash);
        break;
    case OP_KEYS_INTO:
        visitor->visit(visitor, op->db, op->key, &op->hash);
        /* fall through */
    case OP_KEYS_KEYS:
        for (size_t i = 0; i < op->key_count; i++)
            visitor->visit(visitor, op->db, op->keys[i].bytes, &op->keys[i].hash);
        break;
    case OP_KEYS_OPS:
        lock_each_key_of(op->ops, op->op_count, visitor);
        if (op->txn != NULL)
            lock_each_key_of_txn(op->txn, visitor);
        break;
    case OP_KEYS_NONE:
    case OP_KEYS_DB:
    case OP_KEYS_DBS:
        break;
    }
}

/* ---- their locks ---- */

struct shard_adder {
    struct lock_visitor visitor; /* first, so that a pointer to it is one to this */
    struct store *store;
    struct lock_set set;
};

static void lock_add_key(struct lock_visitor *visitor, uint32_t db, struct slice key,
                         uint64_t *hash)
{
    struct shard_adder *adder = (struct shard_adder *)visitor;
    (void)db;
    if (*hash == 0)
        *hash = store_hash(adder->store, key);
    lock_add_shard(&adder->set, shard_number(adder->store, *hash));
}

/* An operation on a database, which a Txn cannot contain, needs all shards. */
struct lock_set lock_shards_of(struct store *store, struct op *op)
{
    struct shard_adder adder = {.visitor = {.visit = lock_add_key}, .store = store};
    lock_each_key(op, &adder.visitor);
    enum op_keys keys = op_info(op->kind)->keys;
    if (keys == OP_KEYS_DB || keys == OP_KEYS_DBS)
        for (size_t i = 0; i < store->shard_count; i++)
            lock_add_shard(&adder.set, i);
    return adder.set;
}

struct shard *lock_next(struct store *store, struct lock_set *rest)
{
    for (size_t word = 0; word < LOCK_WORDS; word++) {
        if (rest->bits[word] == 0)
            continue;
        size_t bit = (size_t)__builtin_ctzll(rest->bits[word]);
        rest->bits[word] &= rest->bits[word] - 1;
        DCHECK(word * LOCK_WORD + bit < store->shard_count);
        return &store->shards[word * LOCK_WORD + bit];
    }
    return NULL;
}

/* The shards of `set` that are not in `rest`. */
static struct lock_set lock_taken_of(const struct lock_set *set, const struct lock_set *rest)
{
    struct lock_set taken;
    for (size_t word = 0; word < LOCK_WORDS; word++)
        taken.bits[word] = set->bits[word] & ~rest->bits[word];
    return taken;
}

static void lock_unlock(struct store *store, struct lock_set set)
{
    for (struct shard *shard; (shard = lock_next(store, &set)) != NULL;)
        mutex_unlock(&shard->lock);
}

bool lock_take(struct store *store, const struct lock_set *set, bool quick)
{
    struct lock_set rest = *set, before = rest;
    for (struct shard *shard; (shard = lock_next(store, &rest)) != NULL; before = rest) {
        if (!quick) {
            mutex_lock_long(&shard->lock);
        } else if (!mutex_lock_brief(&shard->lock)) {
            lock_unlock(store, lock_taken_of(set, &before));
            return false;
        }
    }
    return true;
}

void lock_release(struct store *store, const struct lock_set *set, bool quick)
{
    lock_unlock(store, *set);
    if (!quick)
        store_notify_freed(store);
}
