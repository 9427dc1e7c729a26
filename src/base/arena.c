/*
 * A bump allocator over a list of blocks. A large allocation gets a block of its own size. Large
 * blocks are taken from runs directly, not through mem_take(), because the account may have to
 * allow them first.
 */
#include "base/arena.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/runs.h"

#include <stdalign.h>
#include <stdlib.h>

/* Bytes of the block that an arena keeps; most calls need no other. */
#define BLOCK_SIZE ((size_t)4096)
/* How often the size of further blocks doubles. */
#define MAX_DOUBLINGS 8

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

static size_t arena_memory_of(const struct arena_block *block)
{
    return sizeof *block + block->size;
}

static void arena_free_block(struct arena_block *block)
{
    if (arena_memory_of(block) >= ACCOUNT_LEAST)
        runs_give(block, arena_memory_of(block));
    else
        free(block);
}

static void arena_free_blocks_newer_than(struct arena *arena, struct arena_block *keep)
{
    while (arena->current != keep) {
        struct arena_block *older = arena->current->older;
        arena_free_block(arena->current);
        arena->current = older;
    }
    if (arena->counted > 0)
        account_count(arena->account, -(ptrdiff_t)arena->counted);
    arena->counted = arena->unfolded = arena->asked = 0;
    if (arena->lease.size > 0)
        reserve_release(&arena->lease);
    arena->grown = 0;
}

void arena_deinit(struct arena *arena)
{
    arena_free_blocks_newer_than(arena, NULL);
    arena_init_for(arena, arena->account);
}

void arena_reset(struct arena *arena)
{
    if (arena->current != arena->first || arena->counted + arena->asked > 0)
        arena_free_blocks_newer_than(arena, arena->first);
    arena->used = 0;
    arena->uncounted = 0;
    arena->refusal = ERR_NONE;
}

/* Records that the client's request fails for lack of memory. */
static bool arena_refuse(struct arena *arena, const char *why)
{
    arena->refusal = ERR_NO_CLIENT_MEMORY;
    arena->why = why;
    return false;
}

bool arena_lease(struct arena *arena, size_t size)
{
    size_t needed = arena->asked + size - arena->lease.size;
    if (needed >= RESERVE_LEASED && !reserve_lease(&arena->lease, needed))
        return arena_refuse(arena, account_starved);
    arena->asked += size;
    return true;
}

/* True, with the bytes counted, if the account and then the system allow the arena `size` more
 * bytes. */
static bool arena_reserve_bytes(struct arena *arena, size_t size)
{
    if (arena->account != ACCOUNT_CLIENTS) {
        account_count(arena->account, (ptrdiff_t)size);
    } else if (!account_reserve(size, arena->counted + arena->beside)) {
        return arena_refuse(arena, account_full);
    } else if (!arena_lease(arena, size)) {
        account_count(arena->account, -(ptrdiff_t)size);
        return false;
    }
    arena->counted += size;
    return true;
}

bool arena_reserve(struct arena *arena, size_t size)
{
    arena->uncounted += size;
    if (arena->uncounted < ACCOUNT_LEAST)
        return true;
    size = arena->uncounted;
    arena->uncounted = 0;
    return arena_reserve_bytes(arena, size);
}

/* Bytes of the next block, header included, if it has to hold `needed` bytes. A large one is
 * rounded up to whole pages later. */
static size_t arena_next_block(const struct arena *arena, size_t needed)
{
    size_t memory = sizeof(struct arena_block) + needed, least = BLOCK_SIZE << arena->grown;
    return memory > least ? memory : least;
}

/* Allocates a block of `memory` bytes; if it is large, it has been counted. */
static __attribute__((noinline, cold)) void arena_take_block(struct arena *arena, size_t memory)
{
    struct arena_block *block = memory >= ACCOUNT_LEAST ? runs_take(memory) : mem_alloc(memory);
    block->older = arena->current;
    block->size = memory - sizeof *block;
    arena->current = block;
    arena->used = 0;
    if (arena->first == NULL)
        arena->first = block;
    else if (arena->grown < MAX_DOUBLINGS)
        arena->grown++;
}

/* True if the newest block has `needed` bytes left. Allocates the first block if there is none. */
static bool arena_fits(struct arena *arena, size_t needed)
{
    if (arena->first == NULL)
        arena_take_block(arena, sizeof(struct arena_block) + BLOCK_SIZE);
    return needed <= arena->current->size - arena->used;
}

static __attribute__((noinline, cold)) void arena_grow(struct arena *arena, size_t needed)
{
    size_t memory = arena_next_block(arena, needed);
    if (memory >= ACCOUNT_LEAST) {
        account_count(arena->account, (ptrdiff_t)runs_round(memory));
        arena->counted += runs_round(memory);
    }
    arena_take_block(arena, memory);
}

static void *arena_take(struct arena *arena, size_t needed)
{
    void *memory = arena->current->data + arena->used;
    arena->used += needed;
    return memory;
}

/* `size` rounded up, so that the next allocation is aligned. */
static size_t arena_round_up(size_t size)
{
    size_t align = alignof(max_align_t);
    return (size + align - 1) & ~(align - 1);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t needed = arena_round_up(size);
    if (!arena_fits(arena, needed))
        arena_grow(arena, needed);
    return arena_take(arena, needed);
}

/* The same, unless the account refuses a large block. */
static __attribute__((noinline, cold)) bool arena_try_grow(struct arena *arena, size_t needed)
{
    size_t memory = arena_next_block(arena, needed);
    if (memory >= ACCOUNT_LEAST && !arena_reserve_bytes(arena, runs_round(memory)))
        return false;
    arena_take_block(arena, memory);
    return true;
}

void *arena_try(struct arena *arena, size_t size)
{
    size_t needed = arena_round_up(size);
    if (!arena_fits(arena, needed) && !arena_try_grow(arena, needed))
        return NULL;
    return arena_take(arena, needed);
}

/* The same, unless the request has unfolded into too much. */
static __attribute__((noinline, cold)) bool arena_try_unfold(struct arena *arena, size_t needed)
{
    size_t memory = arena_next_block(arena, needed), most = account_most_unfolded();
    if (memory < ACCOUNT_LEAST || arena->account != ACCOUNT_CLIENTS)
        return arena_try_grow(arena, needed);
    if (memory > most || arena->unfolded > most - memory) {
        arena->refusal = ERR_TOO_LARGE;
        return false;
    }
    if (!arena_try_grow(arena, needed))
        return false;
    arena->unfolded += memory;
    return true;
}

void *arena_unfold(struct arena *arena, size_t size)
{
    size_t needed = arena_round_up(size);
    if (!arena_fits(arena, needed) && !arena_try_unfold(arena, needed))
        return NULL;
    return arena_take(arena, needed);
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    uint8_t *copy = arena_alloc(arena, bytes.len);
    slice_write(copy, bytes);
    return slice_make(copy, bytes.len);
}
