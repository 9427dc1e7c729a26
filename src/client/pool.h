/*
 * An arena for one call and its answer, freed all at once. It uses the heap of the program that
 * uses the library and, unlike base/arena.h, reports lack of memory. The first block is kept by
 * resets, so a small call allocates nothing.
 */
#ifndef KEYSTORE_CLIENT_POOL_H
#define KEYSTORE_CLIENT_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool_block;

struct pool {
    struct pool_block *first;   /* kept by pool_reset(); NULL until first used */
    struct pool_block *current; /* the newest block */
    size_t used;                /* bytes of `current` in use */
    bool failed;                /* a pool_alloc() since the last reset returned NULL */
};

/* A pool that holds no memory yet. */
void pool_init(struct pool *pool);

/* Frees everything; the pool is empty and usable afterwards. */
void pool_deinit(struct pool *pool);

/* Invalidates everything that was allocated; keeps one small block for the next call. */
void pool_reset(struct pool *pool);

/* `size` bytes aligned for any type, uninitialized; valid until reset or deinit. NULL, with
 * pool->failed set, if memory is short, so that callers can check once after several. */
void *pool_alloc(struct pool *pool, size_t size) __attribute__((malloc));

/* The same for `count` objects of `size` bytes. */
void *pool_alloc_array(struct pool *pool, size_t count, size_t size) __attribute__((malloc));

#endif
