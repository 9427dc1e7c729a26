/*
 * Memory that is freed all at once: what one call needs while it runs. The arena keeps its first
 * block over resets, so a small call allocates nothing from the heap. The blocks of a growing arena
 * become larger, so that nearly all of it is in runs of pages and counted (base/account.h).
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
    unsigned grown;              /* blocks allocated since the first one */
    size_t counted;              /* bytes counted in the account: blocks and reservations */
    size_t uncounted;            /* bytes reserved, still too few to be counted */
    size_t unfolded;             /* bytes of the blocks allocated by arena_unfold() */
    size_t beside; /* bytes that its request holds elsewhere; set by the owner, before it
                      allocates */
    enum account account;
    enum err refusal; /* why the arena last refused memory; ERR_NONE if it has not since the
                         reset */
    const char *why;  /* of ERR_NO_CLIENT_MEMORY: account_full or account_starved */
    size_t asked;     /* bytes asked of the system: those leased, and those too few to be leased */
    struct reserve_lease lease;
};

/* An arena without memory; what it allocates is counted in the clients' account. */
void arena_init(struct arena *arena);

/* The same for another account. */
void arena_init_for(struct arena *arena, enum account account);

/* Frees all memory; the arena is empty and usable afterwards. */
void arena_deinit(struct arena *arena);

/* Invalidates all allocations; keeps one small block for the next use. */
void arena_reset(struct arena *arena);

/* `size` bytes aligned for any type, not initialised; never NULL; valid until reset or deinit. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

/*
 * The same for sizes that a client's request determines. NULL, with nothing allocated, if that
 * needs a large block that the account or the system refuses: arena->refusal is then
 * ERR_NO_CLIENT_MEMORY, and arena->why an error message for the client. An arena of another account
 * refuses nothing.
 */
void *arena_try(struct arena *arena, size_t size) __attribute__((malloc, warn_unused_result));

/*
 * The same for what a request unfolds into, which has a limit of its own: NULL with ERR_TOO_LARGE
 * if all large blocks allocated by this function since the reset would exceed
 * account_most_unfolded().
 */
void *arena_unfold(struct arena *arena, size_t size) __attribute__((malloc, warn_unused_result));

/*
 * Counts `size` bytes that are about to be allocated elsewhere for the same request, until the next
 * reset. False, with ERR_NO_CLIENT_MEMORY as the refusal, if the account or the system refuses
 * them.
 */
bool arena_reserve(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* Leases `size` more bytes of address space (base/reserve.h) for what the request allocates until
 * the next reset; they count in no account. False, as above, if the system refuses. */
bool arena_lease(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* A copy of the bytes in the arena. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

#endif
