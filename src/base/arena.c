/* A bump allocator over a chain of blocks. Big requests get a block of their own size. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>

/* Bytes of the block that an arena keeps; most calls fit. */
#define BLOCK_SIZE ((size_t)4096)

struct arena_block {
    struct arena_block *older;
    size_t size; /* bytes of data */
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void free_blocks_newer_than(struct arena *arena, struct arena_block *keep)
{
    while (arena->current != keep) {
        struct arena_block *older = arena->current->older;
        mem_give(arena->current, sizeof *arena->current + arena->current->size);
        arena->current = older;
    }
}

void arena_deinit(struct arena *arena)
{
    free_blocks_newer_than(arena, NULL);
    arena_init(arena);
}

void arena_reset(struct arena *arena)
{
    free_blocks_newer_than(arena, arena->first);
    arena->used = 0;
}

static __attribute__((noinline, cold)) void add_block(struct arena *arena, size_t size)
{
    struct arena_block *block = mem_take(sizeof *block + size);
    block->older = arena->current;
    block->size = size;
    arena->current = block;
    arena->used = 0;
    if (arena->first == NULL)
        arena->first = block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    size_t needed = (size + align - 1) & ~(align - 1);
    if (arena->first == NULL)
        add_block(arena, BLOCK_SIZE);
    if (needed > arena->current->size - arena->used)
        add_block(arena, needed > BLOCK_SIZE ? needed : BLOCK_SIZE);
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
