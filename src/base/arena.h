/*
 * Memory that is given back all at once: what one call needs while it runs. The first block stays
 * with the arena over resets, so a small call allocates nothing from the heap. An arena that grows
 * takes ever larger blocks, so that nearly all of it lies in runs of pages and is counted
 * (base/account.h).
 */
#ifndef KEYSTORE_BASE_ARENA_H
#define KEYSTORE_BASE_ARENA_H

#include "base/account.h"
#include "base/reserve.h"
#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *first;   /* kept by arena_reset; NULL until first used */
    struct arena_block *current; /* the newest block */
    size_t used;                 /* bytes taken of `current` */
    unsigned grown;              /* blocks taken since the first one */
    size_t counted;              /* bytes that the account has for this arena: blocks, and... */
    size_t in_blocks;            /* ...what is reserved beyond these */
    enum account account;
    struct reserve_lease lease;
};

/* An arena that holds no memory yet; what it takes counts as the clients'. */
void arena_init(struct arena *arena);

/* The same for another account. */
void arena_init_for(struct arena *arena, enum account account);

/* Gives everything back to the heap; the arena is empty and usable afterwards. */
void arena_deinit(struct arena *arena);

/* Invalidates all that was allocated; keeps one small block for the next round. */
void arena_reset(struct arena *arena);

/*
 * Counts `size` bytes that the clients' arena is about to take, or that something else takes for
 * the same request, until the next reset; blocks that come then are not counted again. False, with
 * nothing done and a sentence in *why, if the account does not allow them or the system does not
 * give them. `beside`: bytes that the request holds besides the arena. Little memory need not be
 * reserved.
 */
bool arena_reserve(struct arena *arena, size_t size, size_t beside, const char **why)
    __attribute__((warn_unused_result));

/* Makes sure that the system gives `size` bytes more, to whatever the request takes until the next
 * reset (base/reserve.h); they count in no account. False with a sentence if it does not. */
bool arena_lease(struct arena *arena, size_t size, const char **why)
    __attribute__((warn_unused_result));

/* `size` bytes aligned for any type, not initialised; never NULL; valid until reset or deinit. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

/* A copy of the bytes in the arena. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

#endif
