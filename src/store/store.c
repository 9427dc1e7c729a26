/* Shards, their locks, and the dispatch of an operation to its function. */
#include "store/store.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/apply.h"
#include "store/pages.h"
#include "store/slab.h"

#include <pthread.h>
#include <stdlib.h>
#include <xxhash.h>

/* Enough that the workers of a large machine rarely meet, and that one dictionary stays small. */
#define SHARD_COUNT 256
#define CACHE_LINE  64
/* What XXH3 draws its keys from; its header asks for at least 136 bytes of entropy. */
#define SECRET_SIZE 192

struct shard {
    pthread_mutex_t lock;
    uint64_t revision;
    struct slab slab;       /* what the databases' memory comes from */
    struct dict *databases; /* one per database */
} __attribute__((aligned(CACHE_LINE)));

struct store {
    struct shard shards[SHARD_COUNT];
    struct pages pages; /* of all shards */
    struct dict_hasher hasher;
    uint32_t databases;
    uint8_t secret[SECRET_SIZE]; /* keys cannot be made to collide without it */
};

static apply_function *const functions[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, apply) [OP_##kind] = apply,
#include "store/operations.def"
#undef OPERATION
};

static uint64_t hash_key(const void *secret, struct slice key)
{
    return XXH3_64bits_withSecret(key.data, key.len, secret, SECRET_SIZE);
}

static void init_shard(struct store *store, struct shard *shard)
{
    pthread_mutex_init(&shard->lock, NULL);
    shard->revision = 0;
    slab_init(&shard->slab, &store->pages);
    shard->databases = mem_alloc(store->databases * sizeof *shard->databases);
    for (uint32_t db = 0; db < store->databases; db++)
        dict_init(&shard->databases[db], &shard->slab, &store->hasher);
}

static void deinit_shard(struct shard *shard, uint32_t databases)
{
    for (uint32_t db = 0; db < databases; db++)
        dict_deinit(&shard->databases[db]);
    free(shard->databases);
    slab_deinit(&shard->slab);
    pthread_mutex_destroy(&shard->lock);
}

struct store *store_new(uint32_t databases)
{
    void *memory;
    if (posix_memalign(&memory, CACHE_LINE, sizeof(struct store)) != 0)
        abort();
    struct store *store = memory;
    store->databases = databases;
    random_fill(store->secret, sizeof store->secret);
    store->hasher = (struct dict_hasher){.hash = hash_key, .context = store->secret};
    /* No huge pages: no single insertion shall take a millisecond. */
    pages_init(&store->pages, false);
    for (size_t i = 0; i < SHARD_COUNT; i++)
        init_shard(store, &store->shards[i]);
    return store;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < SHARD_COUNT; i++)
        deinit_shard(&store->shards[i], store->databases);
    pages_deinit(&store->pages);
    free(store);
}

uint32_t store_databases(const struct store *store)
{
    return store->databases;
}

size_t store_count(struct store *store, uint32_t db)
{
    size_t count = 0;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        pthread_mutex_lock(&store->shards[i].lock);
        count += store->shards[i].databases[db].count;
        pthread_mutex_unlock(&store->shards[i].lock);
    }
    return count;
}

static void hash(const struct store *store, struct op *op)
{
    if (op->hash == 0)
        op->hash = hash_key(store->secret, op->key);
}

/* The dictionaries take buckets and tags from the hash's lower bits, the shard is in the top ones.
 */
static struct shard *shard_of(struct store *store, const struct op *op)
{
    return &store->shards[op->hash >> 56];
}

void store_prefetch_slot(struct store *store, struct op *op)
{
    hash(store, op);
    dict_prefetch_slot(&shard_of(store, op)->databases[op->db], op->hash);
}

void store_prefetch_entry(struct store *store, const struct op *op)
{
    struct shard *shard = shard_of(store, op);
    pthread_mutex_lock(&shard->lock);
    dict_prefetch_entry(&shard->databases[op->db], op->hash);
    pthread_mutex_unlock(&shard->lock);
}

struct shard *store_lock(struct store *store, struct op *op)
{
    hash(store, op);
    struct shard *shard = shard_of(store, op);
    pthread_mutex_lock(&shard->lock);
    return shard;
}

void store_unlock(struct shard *shard)
{
    pthread_mutex_unlock(&shard->lock);
}

void store_apply(struct shard *shard, const struct op *op, int64_t now_ms, struct arena *arena,
                 struct op_result *result)
{
    struct keyspace space = {.dict = &shard->databases[op->db],
                             .revision = &shard->revision,
                             .arena = arena,
                             .now_ms = now_ms};
    *result = (struct op_result){0};
    functions[op->kind](&space, op, result);
}

_Static_assert(SHARD_COUNT == 256, "shard_of takes the shard from the hash's top 8 bits");
