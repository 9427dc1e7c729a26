/*
 * Memory of the process other than data. The clients' account has a limit: incoming requests, what
 * they unfold into when decoded, and answers not read by clients, including values that only those
 * hold. The journal's account has none here, because the journal limits its buffers itself.
 * Thread-safe, without locks.
 *
 * Blocks of ACCOUNT_LEAST bytes and more are counted exactly, when they are allocated and freed
 * (base/mem.h, base/arena.h, base/blob.h); smaller ones are not counted.
 */
#ifndef KEYSTORE_BASE_ACCOUNT_H
#define KEYSTORE_BASE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#define ACCOUNT_LEAST ((size_t)16 * 1024)

/* Whose memory it is. Zero, the clients', is the default of buffers and arenas. */
enum account { ACCOUNT_CLIENTS, ACCOUNT_JOURNAL, ACCOUNT_COUNT };

/* Sets the clients' limit, in bytes; SIZE_MAX, the initial value, means none. */
void account_set_limit(size_t limit);
size_t account_limit(void);

/* Counts bytes of large blocks that were allocated or, if negative, freed. */
void account_count(enum account account, ptrdiff_t bytes);

/* The same for values that only queued answers hold; they must not be counted elsewhere. */
void account_count_queued(ptrdiff_t bytes);

/* The total counted for the clients, in bytes. */
size_t account_used(void);

/* Of that, the values that only queued answers hold. */
size_t account_queued(void);

/* The total counted for the journal, in bytes. */
size_t account_journal(void);

/* True if more than half of the limit is used or the system has no memory (base/reserve.h):
 * connections that hold much without making progress are closed. */
bool account_is_tight(void);

/*
 * True if `size` more bytes may be allocated: always for a small block; for a large one if it stays
 * within the limit, or if the other requests hold little, so that a single request is served
 * whatever the limit. `own`: bytes that the asking request already holds.
 */
bool account_allows(size_t size, size_t own);

/*
 * Called after a block that a client fills has grown from `before` to `now` bytes, which are
 * counted already. True if that is allowed; else false, with an error message for the client in
 * *why: account_full or, if the system has no memory, account_starved.
 */
bool account_may_grow(size_t before, size_t now, const char **why);
extern const char account_full[], account_starved[];

/* As account_allows(), and if allowed, counts the bytes atomically, so that concurrent requests
 * cannot exceed the limit together. Undone with account_count(). */
bool account_reserve(size_t size, size_t own);

/* The most bytes that one request may unfold into, in addition to its message and its answer. */
size_t account_most_unfolded(void);

#endif
