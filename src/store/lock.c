/* Finding and taking an operation's locks. Knows of operations only where their keys are. */
#include "store/lock.h"

#include "store/shard.h"

_Static_assert(LOCK_WORDS *LOCK_WORD == SHARDS_MOST, "a set has a bit for each shard");

static void add_shard(struct lock_set *set, size_t shard)
{
    set->bits[shard / LOCK_WORD] |= (uint64_t)1 << shard % LOCK_WORD;
}

static void add_key(struct store *store, struct lock_set *set, struct slice key, uint64_t *hash)
{
    if (*hash == 0)
        *hash = store_hash(store, key);
    add_shard(set, shard_number(store, *hash));
}

static void add_ops(struct store *store, struct lock_set *set, struct op *ops, size_t count);

static void add_op(struct store *store, struct lock_set *set, struct op *op)
{
    switch (op_info(op->kind)->keys) {
    case OP_KEYS_PAIR:
        add_key(store, set, op->target.bytes, &op->target.hash);
        add_key(store, set, op->key, &op->hash);
        break;
    case OP_KEYS_KEY:
        add_key(store, set, op->key, &op->hash);
        break;
    case OP_KEYS_KEYS:
        for (size_t i = 0; i < op->key_count; i++)
            add_key(store, set, op->keys[i].bytes, &op->keys[i].hash);
        break;
    case OP_KEYS_OPS:
        add_ops(store, set, op->ops, op->op_count);
        if (op->txn != NULL) {
            add_ops(store, set, op->txn->ops, op->txn->op_count);
            for (size_t i = 0; i < op->txn->compare_count; i++)
                add_key(store, set, op->txn->compares[i].key, &op->txn->compares[i].hash);
        }
        break;
    case OP_KEYS_NONE:
        break;
    case OP_KEYS_DB:
        for (size_t i = 0; i < store->shard_count; i++)
            add_shard(set, i);
        break;
    }
}

static void add_ops(struct store *store, struct lock_set *set, struct op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_op(store, set, &ops[i]);
}

/* Goes through the shards of a set in ascending order. */
static struct shard *next_shard(struct store *store, struct lock_set *rest)
{
    for (size_t word = 0; word < LOCK_WORDS; word++) {
        if (rest->bits[word] == 0)
            continue;
        size_t bit = (size_t)__builtin_ctzll(rest->bits[word]);
        rest->bits[word] &= rest->bits[word] - 1;
        return &store->shards[word * LOCK_WORD + bit];
    }
    return NULL;
}

struct lock_set lock_shards(struct store *store, struct op *op)
{
    struct lock_set set = {0};
    add_op(store, &set, op);
    struct lock_set rest = set;
    for (struct shard *shard; (shard = next_shard(store, &rest)) != NULL;)
        mutex_lock(&shard->lock);
    return set;
}

void lock_release(struct store *store, const struct lock_set *set)
{
    struct lock_set rest = *set;
    for (struct shard *shard; (shard = next_shard(store, &rest)) != NULL;)
        mutex_unlock(&shard->lock);
}
