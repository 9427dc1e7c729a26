/*
 * Pages cut into objects (cells) of one size, without a header per object. A page may have any size
 * up to 512 KiB that is a power of two, and is aligned to its size. The pages for one size of
 * object that have free cells form a ring; its owner keeps a pointer to the first page (NULL =
 * none) and holds its own lock for every call here.
 *
 * Layout of a page:
 *
 *     0   struct cells: neighbours in the ring, size, counters
 *     at  objects, packed to the page's end, so that one of a size that is a power of two lies at a
 *         multiple of its size. A free one starts with the place (16 bits) of the next free one.
 *
 * Invariants:
 * 1. Object sizes are multiples of CELLS_UNIT.
 * 2. A page is in its ring if and only if it has both a free cell and an object in use.
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

/* A page is sparse if more than one part in this many is free. That is more than what is left over
 * at the end of a page, so a full page is not sparse. */
#define CELLS_SPARSE 24

/* The header of a page. Places are counted in units from its start. */
struct cells {
    struct cells *next, *prev;
    uint16_t size;
    uint16_t used;  /* objects in use */
    uint16_t free;  /* place of the first freed object, 0 = none */
    uint16_t fresh; /* place of the first object that was never used */
    uint16_t end;
    uint16_t owner; /* whose page it is: set and read by the caller */
};

_Static_assert(sizeof(struct cells) <= CELLS_HEADER, "the first object follows the header");

/* Hides free objects, and the bytes after the end of used ones, from the address sanitizer. */
#define CELLS_HIDE(address, size) SHADOW_HIDE(address, size)
#define CELLS_SHOW(address, size) SHADOW_SHOW(address, size)

/* The largest object size of which a page holds as many as of `size`. */
size_t cells_round(size_t page_size, size_t size);

/* The rounded size of an object of `size` bytes, at least 1: CELLS_SMALLEST at least; up to
 * CELLS_STEPWISE whole units, since nearly every unit saved there lets a page hold another object;
 * above that cells_round(). */
static inline size_t cells_size(size_t page_size, size_t size)
{
    if (size <= CELLS_SMALLEST)
        return CELLS_SMALLEST;
    if (size <= CELLS_STEPWISE)
        return (size + CELLS_UNIT - 1) & ~(CELLS_UNIT - 1);
    return cells_round(page_size, size);
}

/* Cuts a page into objects of a size that is a multiple of CELLS_UNIT and puts it first in the
 * ring. */
void cells_open(struct cells **ring, void *page, size_t page_size, size_t size);

/* An object of the first page, not initialised; the ring is not empty. */
void *cells_alloc(struct cells **ring);

/* The page that contains the object. */
static inline struct cells *cells_of(void *object, size_t page_size)
{
    uintptr_t offset = (uintptr_t)object & (page_size - 1);
    return (struct cells *)((uint8_t *)object - offset);
}

/* Frees an object of the page. True if it was the last one: then the page has left the ring. */
bool cells_free(struct cells **ring, struct cells *page, void *object);

/* True if a page with objects is sparse and is not the first of the ring, to which its objects
 * would move. Objects in the first page stay, else they would only move back and forth. */
bool cells_is_sparse(const struct cells *first, const struct cells *page);

/* True if pages of `held` bytes have so much free that some must be sparse; `allowed`: free bytes
 * in the first pages of the rings, which can be ignored. */
static inline bool cells_are_fragmented(size_t held, size_t used, size_t allowed)
{
    return held > used + used / (CELLS_SPARSE - 1) + allowed;
}

/* An object of the first page to replace one of this sparse page, which becomes the last of the
 * ring. */
void *cells_alloc_elsewhere(struct cells **ring, struct cells *page);

#endif
