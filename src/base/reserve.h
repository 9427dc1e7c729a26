/*
 * Address space that is kept for the moment when the system gives no more memory (ulimit -v, a
 * container). Then it is broken: what was under way gets what it needs and is finished, and from
 * then on whoever would need much is refused, until the reserve can be taken again. It costs no
 * memory. Thread-safe; there is one for the process, and none until it is taken.
 */
#ifndef KEYSTORE_BASE_RESERVE_H
#define KEYSTORE_BASE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/* Room for a region of pages, which is cut from twice its size, and the largest message. */
#define RESERVE_BYTES ((size_t)256 * 1024 * 1024)

/* Takes it; true if it is there. */
bool reserve_take(void);

/* An allocation has failed: gives the reserve back. True if there was one, so that it is worth to
 * try again. */
bool reserve_break(void);

/* True if it was broken and not taken since: a load of memory. */
bool reserve_is_broken(void);

#endif
