/* The memory limit: what an operation may need, and what has to go for it. Knows no policy. */
#include "store/room.h"

#include "store/compact.h"
#include "store/evict.h"
#include "store/heap.h"
#include "store/shard.h"

/* The memory held may exceed the limit by one part in so many, which is more than what is not
 * compacted, and by this much: what pages of all sizes in all shards take. */
#define HELD_SHARE 14
#define HELD_BASE  ((size_t)16 * 1024 * 1024)
/* Beyond that, an operation moves the hand of the compaction on: once, and once more for so many
 * bytes that it brings along, but not too often, nor when that seems to be of no use. */
#define COMPACT_BYTES 64
#define COMPACT_TURNS 64
#define COMPACT_VAIN  4
/* What a key costs beside its bytes, roughly. */
#define KEY_OVERHEAD 32

/* Bytes that the operation brings along. */
static size_t size_of(const struct op *op)
{
    size_t size = KEY_OVERHEAD + op->key.len + op->value.len;
    for (size_t i = 0; i < op->value_count; i++)
        size += op->values[i].len;
    for (size_t i = 0; i < op->op_count; i++)
        size += size_of(&op->ops[i]);
    if (op->kind == OP_SET_RANGE && op->start > 0)
        size += (size_t)op->start;
    return size;
}

static bool may_grow(const struct op *op)
{
    for (size_t i = 0; i < op->op_count; i++)
        if (may_grow(&op->ops[i]))
            return true;
    return op_info(op->kind)->access == OP_GROW;
}

/* True if the memory held exceeds the limit, because a good part of it is not in use. */
static bool holds_too_much(const struct store *store)
{
    size_t slack = heap_slack() + pages_slack(&store->pages);
    return pages_used(&store->pages) + slack >
           store->max_memory + store->max_memory / HELD_SHARE + HELD_BASE;
}

/* Where keys of one size make room for those of another, pages are held that are full of holes. So
 * what is left in them is moved together as quickly as new memory is asked for. */
static void compact_for(struct store *store, size_t need)
{
    size_t turns = 1 + need / COMPACT_BYTES, vain = 0;
    if (turns > COMPACT_TURNS)
        turns = COMPACT_TURNS;
    for (size_t i = 0; i < turns && vain < COMPACT_VAIN; i++) {
        unsigned number = atomic_fetch_add_explicit(&store->compact_hand, 1, memory_order_relaxed);
        struct shard *shard = &store->shards[number % store->shard_count];
        mutex_lock(&shard->lock);
        vain += compact_shard(store, shard).moved == 0;
        mutex_unlock(&shard->lock);
    }
}

/* What may be in use when the operation has brought `need` bytes along, as long as too much is held
 * although it was compacted: a little less than before. Little, for the operation waits for what
 * goes. */
static size_t lower_limit(const struct store *store, size_t need)
{
    size_t used = pages_used(&store->pages), more = need / 4 < used / 8 ? need / 4 : used / 8;
    return used - more < store->max_memory ? used - more : store->max_memory;
}

bool room_for(struct store *store, const struct op *op)
{
    if (store->max_memory == 0 || !may_grow(op))
        return true;
    size_t need = size_of(op), limit = store->max_memory;
    if (holds_too_much(store)) {
        compact_for(store, need);
        if (store->policy != STORE_NOEVICTION && holds_too_much(store))
            limit = lower_limit(store, need);
    }
    while (pages_used(&store->pages) + need > limit) {
        if (need > store->max_memory || store->policy == STORE_NOEVICTION ||
            !evict_one(store, NULL))
            return pages_used(&store->pages) + need <= store->max_memory;
    }
    return true;
}
