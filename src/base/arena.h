/*
 * Memory that is given back all at once: what one call needs while it runs. The first block stays
 * with the arena over resets, so a small call allocates nothing from the heap.
 */
#ifndef KEYSTORE_BASE_ARENA_H
#define KEYSTORE_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *first;   /* kept by arena_reset; NULL until first used */
    struct arena_block *current; /* the newest block */
    size_t used;                 /* bytes taken of `current` */
};

/* An arena that holds no memory yet. */
void arena_init(struct arena *arena);

/* Gives everything back to the heap; the arena is empty and usable afterwards. */
void arena_deinit(struct arena *arena);

/* Invalidates all that was allocated; keeps one small block for the next round. */
void arena_reset(struct arena *arena);

/* `size` bytes aligned for any type, not initialised; never NULL; valid until reset or deinit. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

/* A copy of the bytes in the arena. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

#endif
