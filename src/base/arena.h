/*
 * Memory that is given back all at once: what one call needs while it runs. The first block stays
 * with the arena over resets, so a small call allocates nothing from the heap. An arena that grows
 * takes ever larger blocks, so that nearly all of it lies in runs of pages and is counted
 * (base/account.h).
 */
#ifndef KEYSTORE_BASE_ARENA_H
#define KEYSTORE_BASE_ARENA_H

#include "base/account.h"
#include "base/err.h"
#include "base/reserve.h"
#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *first;   /* kept by arena_reset; NULL until first used */
    struct arena_block *current; /* the newest block */
    size_t used;                 /* bytes taken of `current` */
    unsigned grown;              /* blocks taken since the first one */
    size_t counted;              /* bytes that the account has for it: blocks and reservations */
    size_t uncounted;            /* bytes reserved that are too few to be counted */
    size_t unfolded;             /* bytes of the blocks taken by arena_unfold() */
    size_t beside; /* bytes that its request holds besides: set by the owner, before it asks */
    enum account account;
    enum err refusal; /* why the arena last refused memory; ERR_NONE: it has not since the reset */
    const char *why;  /* of ERR_OUT_OF_MEMORY: account_full or account_starved */
    size_t asked;     /* bytes asked of the system: what the lease has, and too few to be leased */
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

/* `size` bytes aligned for any type, not initialised; never NULL; valid until reset or deinit. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

/*
 * The same for what a client's request makes large. NULL, with nothing taken, if that needs a large
 * block which the account does not allow or the system does not give: arena->refusal is then
 * ERR_OUT_OF_MEMORY, with an error message for the client. An arena of another account refuses
 * nothing.
 */
void *arena_try(struct arena *arena, size_t size) __attribute__((malloc, warn_unused_result));

/*
 * The same for what a request unfolds into, which is bounded besides: NULL with ERR_TOO_LARGE if
 * all large blocks taken for that since the reset would exceed account_most_unfolded().
 */
void *arena_unfold(struct arena *arena, size_t size) __attribute__((malloc, warn_unused_result));

/*
 * Counts `size` bytes that something else is about to take for the same request, until the next
 * reset. False, with ERR_OUT_OF_MEMORY as the refusal, if the account does not allow them or the
 * system does not give them.
 */
bool arena_reserve(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* Makes sure that the system gives `size` bytes more, to whatever the request takes until the next
 * reset (base/reserve.h); they count in no account. False in the same way if it does not. */
bool arena_lease(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* A copy of the bytes in the arena. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

#endif
