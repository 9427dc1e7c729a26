/*
 * Pages cut into objects of one size, without a header per object. A page is of any size up to
 * 512 KiB that is a power of two, and lies at a multiple of that. Pages of one size of object that
 * have room make a ring, which somebody keeps by a pointer to its first page (NULL = none), and
 * under whose lock all this happens.
 *
 * Layout of a page:
 *
 *     0   struct cells: neighbours in the ring, size, counters
 *     at  objects, packed to the page's end, so that one of a size that is a power of two lies at a
 *         multiple of its size. A free one begins with the place (16 bits) of the next free one.
 *
 * Invariants:
 * 1. Objects have sizes that are multiples of CELLS_UNIT.
 * 2. A page is in its ring exactly while it has room and an object in use.
 */
#ifndef KEYSTORE_STORE_MEMORY_CELLS_H
#define KEYSTORE_STORE_MEMORY_CELLS_H

#include "base/shadow.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELLS_UNIT     ((size_t)8)
#define CELLS_HEADER   ((size_t)32)
#define CELLS_SMALLEST ((size_t)16)
#define CELLS_STEPWISE ((size_t)128)

/* A page of which one part in so many is free is sparse. It is more than what is left at the end of
 * a page, so a full one is not. */
#define CELLS_SPARSE 24

/* The begin of a page. Places are counted in units from there. */
struct cells {
    struct cells *next, *prev;
    uint16_t size;
    uint16_t used;  /* objects in use */
    uint16_t free;  /* place of the first freed object, 0 = none */
    uint16_t fresh; /* place of the first object that was never used */
    uint16_t end;
    uint16_t owner; /* whose page it is: the user's to set and read */
};

_Static_assert(sizeof(struct cells) <= CELLS_HEADER, "the first object follows the header");

/* The address sanitizer shall see free objects, and what is behind the end of used ones. */
#define CELLS_HIDE(address, size) SHADOW_HIDE(address, size)
#define CELLS_SHOW(address, size) SHADOW_SHOW(address, size)

/* The largest size of which as many objects fit into a page as of `size`. */
size_t cells_round(size_t page_size, size_t size);

/* What an object of `size` bytes, at least 1, takes: CELLS_SMALLEST at least, up to CELLS_STEPWISE
 * whole units, for nearly each of them less makes room for another object, then cells_round(). */
static inline size_t cells_size(size_t page_size, size_t size)
{
    if (size <= CELLS_SMALLEST)
        return CELLS_SMALLEST;
    if (size <= CELLS_STEPWISE)
        return (size + CELLS_UNIT - 1) & ~(CELLS_UNIT - 1);
    return cells_round(page_size, size);
}

/* Cuts a page into objects of a size that is a multiple of CELLS_UNIT, and puts it first. */
void cells_open(struct cells **ring, void *page, size_t page_size, size_t size);

/* An object, not initialised, of the first page; the ring is not empty. */
void *cells_take(struct cells **ring);

/* The page in which the object lies. */
static inline struct cells *cells_of(void *object, size_t page_size)
{
    uintptr_t offset = (uintptr_t)object & (page_size - 1);
    return (struct cells *)((uint8_t *)object - offset);
}

/* Frees the object of the page. True if that was its last: then the page has left the ring. */
bool cells_give(struct cells **ring, struct cells *page, void *object);

/* True if a page with objects is sparse, and not the first with room: so moving its objects there
 * would empty it. What is moved to the first stays there, else nothing would come of it. */
bool cells_is_sparse(const struct cells *first, const struct cells *page);

/* True if so much is free in pages of `held` bytes that there are sparse ones; `allowed`: what may
 * be free in the first pages of the rings and need not be minded. */
static inline bool cells_are_fragmented(size_t held, size_t used, size_t allowed)
{
    return held > used + used / (CELLS_SPARSE - 1) + allowed;
}

/* An object of the first page for one of that sparse page, which comes last from now on. */
void *cells_take_elsewhere(struct cells **ring, struct cells *page);

#endif
