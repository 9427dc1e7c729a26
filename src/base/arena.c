/* A bump allocator over a chain of blocks. Big requests get a block of their own size. What is
 * large is taken in runs here, not through mem_take(), since it may have been counted beforehand.
 */
#include "base/arena.h"

#include "base/mem.h"
#include "base/runs.h"

#include <stdalign.h>
#include <stdlib.h>

/* Bytes of the block that an arena keeps; most calls fit. */
#define BLOCK_SIZE ((size_t)4096)
/* Each further block is twice as large, so many times. */
#define MOST_DOUBLINGS 8

struct arena_block {
    struct arena_block *older;
    size_t size; /* bytes of data */
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *arena)
{
    arena_init_for(arena, ACCOUNT_CLIENTS);
}

void arena_init_for(struct arena *arena, enum account account)
{
    *arena = (struct arena){.account = account};
}

static size_t memory_of(const struct arena_block *block)
{
    return sizeof *block + block->size;
}

static void free_block(struct arena_block *block)
{
    if (memory_of(block) >= ACCOUNT_LEAST)
        runs_give(block, memory_of(block));
    else
        free(block);
}

static void free_blocks_newer_than(struct arena *arena, struct arena_block *keep)
{
    while (arena->current != keep) {
        struct arena_block *older = arena->current->older;
        free_block(arena->current);
        arena->current = older;
    }
    if (arena->counted > 0)
        account_count(arena->account, -(ptrdiff_t)arena->counted);
    arena->counted = arena->in_blocks = 0;
    if (arena->lease.size > 0)
        reserve_release(&arena->lease);
    arena->grown = 0;
}

void arena_deinit(struct arena *arena)
{
    free_blocks_newer_than(arena, NULL);
    arena_init_for(arena, arena->account);
}

void arena_reset(struct arena *arena)
{
    if (arena->current != arena->first || arena->counted + arena->lease.size > 0)
        free_blocks_newer_than(arena, arena->first);
    arena->used = 0;
}

bool arena_lease(struct arena *arena, size_t size, const char **why)
{
    if (size < RESERVE_LEASED || reserve_lease(&arena->lease, size))
        return true;
    *why = account_starved;
    return false;
}

bool arena_reserve(struct arena *arena, size_t size, size_t beside, const char **why)
{
    size_t spare = arena->counted - arena->in_blocks;
    if (size <= spare || arena->counted + size < ACCOUNT_LEAST)
        return true;
    if (!arena_lease(arena, size - spare, why))
        return false;
    if (!account_reserve(size - spare, arena->counted + beside)) {
        *why = account_full;
        return false;
    }
    arena->counted += size - spare;
    return true;
}

static void *take_large(struct arena *arena, size_t size)
{
    arena->in_blocks += runs_round(size);
    if (arena->in_blocks > arena->counted) {
        account_count(arena->account, (ptrdiff_t)(arena->in_blocks - arena->counted));
        arena->counted = arena->in_blocks;
    }
    return runs_take(size);
}

static __attribute__((noinline, cold)) void add_block(struct arena *arena, size_t size)
{
    size_t memory = sizeof(struct arena_block) + size;
    struct arena_block *block =
        memory >= ACCOUNT_LEAST ? take_large(arena, memory) : mem_alloc(memory);
    block->older = arena->current;
    block->size = size;
    arena->current = block;
    arena->used = 0;
    if (arena->first == NULL)
        arena->first = block;
}

static __attribute__((noinline, cold)) void grow(struct arena *arena, size_t needed)
{
    /* With its head it is a whole number of pages, if it is large. */
    size_t size = (BLOCK_SIZE << arena->grown) - sizeof(struct arena_block);
    add_block(arena, needed > size ? needed : size);
    if (arena->grown < MOST_DOUBLINGS)
        arena->grown++;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    size_t needed = (size + align - 1) & ~(align - 1);
    if (arena->first == NULL)
        add_block(arena, BLOCK_SIZE);
    if (needed > arena->current->size - arena->used)
        grow(arena, needed);
    void *memory = arena->current->data + arena->used;
    arena->used += needed;
    return memory;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    uint8_t *copy = arena_alloc(arena, bytes.len);
    slice_write(copy, bytes);
    return slice_make(copy, bytes.len);
}
