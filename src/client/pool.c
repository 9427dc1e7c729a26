/* A bump allocator over a chain of blocks. Large allocations get a block of their own size. */
#include "client/pool.h"

#include "base/check.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

/* Bytes of the block that a pool keeps; most calls fit. */
#define BLOCK_SIZE ((size_t)4096)

struct pool_block {
    struct pool_block *older;
    size_t size; /* bytes of data */
    alignas(max_align_t) uint8_t data[];
};

void pool_init(struct pool *pool)
{
    *pool = (struct pool){0};
}

static void pool_free_blocks_newer_than(struct pool *pool, struct pool_block *keep)
{
    while (pool->current != keep) {
        struct pool_block *older = pool->current->older;
        free(pool->current);
        pool->current = older;
    }
}

void pool_deinit(struct pool *pool)
{
    pool_free_blocks_newer_than(pool, NULL);
    pool_init(pool);
}

void pool_reset(struct pool *pool)
{
    pool_free_blocks_newer_than(pool, pool->first);
    pool->used = 0;
    pool->failed = false;
}

/* The first block has BLOCK_SIZE, so that the memory kept between calls is small. */
static __attribute__((noinline, cold)) bool pool_add_block(struct pool *pool, size_t size)
{
    struct pool_block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return false;
    block->older = pool->current;
    block->size = size;
    pool->current = block;
    pool->used = 0;
    if (pool->first == NULL)
        pool->first = block;
    return true;
}

static bool pool_reserve(struct pool *pool, size_t needed)
{
    if (pool->first == NULL && !pool_add_block(pool, BLOCK_SIZE))
        return false;
    if (needed <= pool->current->size - pool->used)
        return true;
    return pool_add_block(pool, needed > BLOCK_SIZE ? needed : BLOCK_SIZE);
}

void *pool_alloc(struct pool *pool, size_t size)
{
    size_t align = alignof(max_align_t);
    size_t needed = (size + align - 1) & ~(align - 1);
    if (size > PTRDIFF_MAX - sizeof(struct pool_block) - align || !pool_reserve(pool, needed)) {
        pool->failed = true;
        return NULL;
    }
    void *memory = pool->current->data + pool->used;
    DCHECK(needed >= size && pool->used + needed <= pool->current->size);
    pool->used += needed;
    return memory;
}

void *pool_alloc_array(struct pool *pool, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    return pool_alloc(pool, bytes);
}
