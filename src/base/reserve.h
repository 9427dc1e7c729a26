/*
 * Address space kept in reserve for when the system gives no more memory (ulimit -v, a container).
 * It is not resident. Thread-safe; there is one for the process.
 *
 * It has two parts. The reserve itself, empty until it is taken, is for small allocations. When it
 * is broken, operations in flight get the memory that they need to finish, and from then on
 * requests that need much memory are refused until the reserve can be taken again. In addition,
 * each request that will need much memory takes a lease on that much address space or is refused,
 * so that concurrent requests together cannot need more than there is. Failed allocations break
 * leases first.
 */
#ifndef KEYSTORE_BASE_RESERVE_H
#define KEYSTORE_BASE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/* Enough for a region of pages, which is cut from a mapping of twice its size, and the largest
 * message. */
#define RESERVE_BYTES ((size_t)256 * 1024 * 1024)
/* Requests that need less take no lease. */
#define RESERVE_LEASED ((size_t)1024 * 1024)

/* Takes the reserve if it is not held; true if it is held then. */
bool reserve_take(void);

/*
 * Called when an allocation has failed. True if it is worth retrying: memory was released by this
 * call or, since the last call, by another thread's. `*seen` is 0 before the first call for an
 * allocation, and kept from call to call.
 */
bool reserve_break(unsigned *seen);

/* True if the reserve was broken and has not been taken again: one atomic load. */
bool reserve_is_broken(void);

/* The same, after an attempt to take it again. */
bool reserve_is_missing(void);

/* Initially all zero; must not move while it is held. */
struct reserve_lease {
    struct reserve_lease *next, **link; /* in the list of leases that are not broken */
    void *memory;                       /* NULL: none, or broken */
    size_t mapped;                      /* bytes of `memory` */
    size_t size;                        /* bytes leased, even if broken since; 0 = not held */
};

/* Adds `size` bytes to the lease; false, with nothing changed, if the system refuses. */
bool reserve_lease(struct reserve_lease *lease, size_t size) __attribute__((warn_unused_result));

/* Releases what is left of the lease. */
void reserve_release(struct reserve_lease *lease);

#endif
