/*
 * Memory that is freed all at once: what one call needs while it runs, and its answer. On the heap
 * of the program that uses the library, and able to say that there is none (as base/arena.h is
 * not). The first block stays over resets, so a small call allocates nothing.
 */
#ifndef KEYSTORE_CLIENT_POOL_H
#define KEYSTORE_CLIENT_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool_block;

struct pool {
    struct pool_block *first;   /* kept by pool_reset(); NULL until first used */
    struct pool_block *current; /* the newest block */
    size_t used;                /* bytes taken of `current` */
    bool failed;                /* some pool_alloc() since the last reset returned NULL */
};

/* A pool that holds no memory yet. */
void pool_init(struct pool *pool);

/* Frees everything; the pool is empty and usable afterwards. */
void pool_deinit(struct pool *pool);

/* Invalidates all that was allocated; keeps one small block for the next round. */
void pool_reset(struct pool *pool);

/* `size` bytes aligned for any type, not initialised; valid until reset or deinit. NULL, with
 * pool->failed set, if there is no memory: several may be taken before that is looked at. */
void *pool_alloc(struct pool *pool, size_t size) __attribute__((malloc));

/* Room for `count` objects of `size` bytes; the same. */
void *pool_alloc_array(struct pool *pool, size_t count, size_t size) __attribute__((malloc));

#endif
