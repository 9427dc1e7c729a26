/*
 * Address space that is kept for the moment when the system gives no more memory (ulimit -v, a
 * container). It costs no memory. Thread-safe; there is one for the process.
 *
 * What is kept has two parts. The reserve itself, none until it is taken, is for all that is small.
 * When it is broken, what was under way gets what it needs and is finished, and from then on
 * whoever would need much is refused, until the reserve can be taken again. Beside it each request
 * that will take much holds a lease of as many addresses, or is refused: so however many such
 * requests run at once, together they cannot take more than there is. Allocations that fail break
 * leases first.
 */
#ifndef KEYSTORE_BASE_RESERVE_H
#define KEYSTORE_BASE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/* Room for a region of pages, which is cut from twice its size, and the largest message. */
#define RESERVE_BYTES ((size_t)256 * 1024 * 1024)
/* Requests that take less need no lease. */
#define RESERVE_LEASED ((size_t)1024 * 1024)

/* Takes it; true if it is there. */
bool reserve_take(void);

/*
 * An allocation has failed. True if it is worth to try again: something was given back, by this
 * call or, since the last one, by another thread's. `*seen` is 0 before the first call of one
 * allocation, and kept from call to call.
 */
bool reserve_break(unsigned *seen);

/* True if it was broken and not taken since: a load of memory. */
bool reserve_is_broken(void);

/* The same, after an attempt to take it again. */
bool reserve_is_missing(void);

/* All zero at first; must not move while it is held. */
struct reserve_lease {
    struct reserve_lease *next, **link; /* among those that are not broken */
    void *memory;                       /* NULL: none, or broken */
    size_t mapped;                      /* bytes of it */
    size_t size; /* bytes it was taken for, perhaps broken meanwhile; 0 = it is not held */
};

/* Adds `size` bytes to the lease; false, with nothing changed, if the system does not give them. */
bool reserve_lease(struct reserve_lease *lease, size_t size) __attribute__((warn_unused_result));

/* Gives back what is left of it. */
void reserve_release(struct reserve_lease *lease);

#endif
