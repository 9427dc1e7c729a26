/*
 * What the process holds beside the data. The clients' account has a limit: requests that arrive,
 * what they become when decoded, and answers that clients have not read, with the values that
 * nobody else holds any more. The journal's has none here, for the journal bounds its buffers
 * itself. Any thread may ask, and no lock is taken.
 *
 * Blocks of ACCOUNT_LEAST bytes and more are counted to the byte, when they are taken and given
 * back (base/mem.h, base/arena.h, base/blob.h); smaller ones are not.
 */
#ifndef KEYSTORE_BASE_ACCOUNT_H
#define KEYSTORE_BASE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#define ACCOUNT_LEAST ((size_t)16 * 1024)

/* Whose memory it is. Zero, the clients', is what buffers and arenas have unless told otherwise. */
enum account { ACCOUNT_CLIENTS, ACCOUNT_JOURNAL, ACCOUNT_COUNT };

/* From now on that is the clients' limit, in bytes; SIZE_MAX, as at first: none. */
void account_set_limit(size_t limit);
size_t account_limit(void);

/* Counts bytes of large blocks that were taken or, below 0, given back. */
void account_count(enum account account, ptrdiff_t bytes);

/* The same for values that only clients' answers hold; these bytes were counted nowhere before. */
void account_count_queued(ptrdiff_t bytes);

/* All that is counted for the clients, in bytes. */
size_t account_used(void);

/* Of that, what only answers hold. */
size_t account_queued(void);

/* All that is counted for the journal, in bytes. */
size_t account_journal(void);

/* True if half of the limit is used, or the system has no more memory (base/reserve.h): who holds
 * much without moving on has to go. */
bool account_is_tight(void);

/*
 * True if `size` bytes more may be taken. A small block always may. A large one may if it stays
 * within the limit, or if little is used besides: so one request is served whatever the limit.
 * `own`: bytes that the asking request holds already.
 */
bool account_allows(size_t size, size_t own);

/*
 * Whether a block of memory that a client fills may have grown from `before` bytes to `now`, which
 * are counted already; else false and an error message for the client in *why: account_full or, if
 * the system has no more memory, account_starved.
 */
bool account_may_grow(size_t before, size_t now, const char **why);
extern const char account_full[], account_starved[];

/* As account_allows(), and if so the bytes are counted in the same step: several that ask at once
 * cannot pass the limit together. They are to be given back with account_count(). */
bool account_reserve(size_t size, size_t own);

/* The most bytes that one request may unfold into, beside those of its message and its answer. */
size_t account_most_unfolded(void);

#endif
