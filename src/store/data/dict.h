/*
 * A hash table of entries by key that grows and shrinks by one bucket at a time (linear hashing),
 * so no operation ever waits for a rehash. The caller passes the hash of the key; the keys that
 * move when a bucket is split are hashed again with the hasher. The table owns its entries.
 *
 * A bucket is a cache line:
 *
 *     0   nine pointers to entries, 6 bytes each, little-endian
 *     54  nine tags: bits 48-55 of the hashes
 *     63  bits 0-3: entries here; bit 7: the last pointer leads to another bucket, not to an entry
 *
 * Buckets 0 to n - 1 lie in pages of 64, to which a directory of pointers leads. As there may be
 * many small tables, the first page only has the capacity of the next power of two while there are
 * fewer buckets. With h the largest power of two up to n, the home of a key is bucket hash mod 2h
 * or, if there is no such bucket yet, hash mod h. Bits 56-63 of the hash are left to a caller that
 * distributes keys over several tables.
 *
 * Invariants:
 * 1. Every entry is in its home bucket or one linked from there.
 * 2. Only the last bucket of a chain has free slots, which follow the used ones; a bucket is linked
 *    only when its contents would not fit into the previous ones, so it has two entries or more.
 * 3. There are at most 29/4 entries per bucket after a put that found its key absent, and at least
 *    22/4 per bucket but one after a removal; no buckets if there are no entries.
 * 4. A directory once published is not freed before dict_deinit(), even when a larger one replaces
 *    it or another dictionary has taken it over: dict_prefetch_bucket() reads it without a lock.
 */
#ifndef KEYSTORE_STORE_DATA_DICT_H
#define KEYSTORE_STORE_DATA_DICT_H

#include "base/slice.h"

#include <stdatomic.h>

struct dict_directory;
struct entry;
struct slab;

/* How keys are hashed; a key always has the same hash. */
struct dict_hasher {
    uint64_t (*hash)(const void *context, struct slice key);
    const void *context;
};

struct dict {
    struct dict_directory *_Atomic directory; /* NULL until the first entry is stored */
    struct dict_directory *spares;            /* returned: published once, now empty */
    atomic_size_t buckets;
    size_t overflows; /* buckets linked from others */
    size_t count;     /* entries */
    struct slab *slab;
    const struct dict_hasher *hasher;
};

/* An empty dictionary that holds no memory yet. Memory comes from the slab, which is borrowed, as
 * is the hasher; a slab serves any number of dictionaries under the same lock. */
void dict_init(struct dict *dict, struct slab *slab, const struct dict_hasher *hasher);

/* Frees all entries and the table; the dictionary is empty and usable afterwards. */
void dict_deinit(struct dict *dict);

/* Frees all entries; unlike dict_deinit() safe while others prefetch without a lock. */
void dict_clear(struct dict *dict);

/* Removes and frees entries, bucket by bucket, until `count` are gone or none is left; returns how
 * many. Does not maintain invariant 3. */
size_t dict_clear_some(struct dict *dict, size_t count);

/* Moves all entries to `taken`, which need not be initialised, in constant time. Once cleared,
 * `taken` must be passed to dict_give_back(), because its directories may still be read without a
 * lock. */
void dict_take_all(struct dict *dict, struct dict *taken);

/* Ends `taken`, which is empty and came from `dict`. */
void dict_give_back(struct dict *dict, struct dict *taken);

/* Swaps the contents of two dictionaries with the same slab and hasher, in constant time. Unlike
 * dict_deinit() safe beside a prefetch without the lock. */
void dict_swap(struct dict *one, struct dict *other);

/* The entry with that key, borrowed; NULL if there is none. */
struct entry *dict_find(const struct dict *dict, uint64_t hash, struct slice key);

/* For an empty dictionary that never held anything: creates the buckets for that many entries, so
 * that none has to move while the others are added. Until there are that many, invariant 3 does not
 * hold. */
void dict_reserve(struct dict *dict, size_t entries);

/* Prefetches the bucket where a search for the hash starts. The only function that needs no
 * lock. */
void dict_prefetch_bucket(const struct dict *dict, uint64_t hash);

/* Where a search continues after a bucket: probably the entry. */
struct dict_guess {
    const void *at; /* NULL: nowhere, the key is absent */
    bool is_bucket; /* a linked bucket, which may lead to the entry */
};

/* Where a search for the hash continues after the bucket that is reached by that many links. The
 * result is good for dict_prefetch() only, which needs no lock. */
struct dict_guess dict_guess(const struct dict *dict, uint64_t hash, unsigned links);
void dict_prefetch(struct dict_guess guess);

/* Stores the entry under its key and takes ownership; frees the entry that had the key. */
void dict_put(struct dict *dict, uint64_t hash, struct entry *entry);

/* The same for a key that is known to be absent. */
void dict_add(struct dict *dict, uint64_t hash, struct entry *entry);

/* Replaces `former`, which the dictionary holds or held under the same key and hash, by `entry`;
 * `former` is only compared as a pointer and may have been freed. */
void dict_replace(struct dict *dict, uint64_t hash, const struct entry *former,
                  struct entry *entry);

/* Removes the entry with that key and passes it to the caller; NULL if there is none. */
struct entry *dict_take(struct dict *dict, uint64_t hash, struct slice key);

/* Removes and frees the entry with that key; false if there is none. */
bool dict_remove(struct dict *dict, uint64_t hash, struct slice key);

/* The entry that `random` (64 random bits) selects, each equally likely; NULL if there is none. */
struct entry *dict_random(const struct dict *dict, uint64_t random);

/*
 * Calls back with the entries of some bucket, except those with positions below the cursor, and
 * returns the cursor for the next call. Start with cursor 0; the scan is complete when 0 is
 * returned. An entry that is present from the first call to the last is reported exactly once, and
 * no key more often, whatever happens to the table between the calls. The callback must not change
 * the dictionary. The low 16 bits of a returned cursor are zero; any position
 * (dict_scan_position()) may be passed as a cursor.
 */
uint64_t dict_scan(const struct dict *dict, uint64_t cursor,
                   void (*on_entry)(void *context, struct entry *entry), void *context);

/* Prefetches the heads of the entries that dict_scan() reads at this cursor, and the bucket that it
 * reads next; returns the cursor of that bucket. */
uint64_t dict_scan_prefetch(const struct dict *dict, uint64_t cursor);

/* Compacts the buckets linked from the bucket that dict_scan() reports at this cursor, and with the
 * first bucket a first page of less than 4 KiB, like slab_move(); returns how many moved. */
size_t dict_move_links(struct dict *dict, uint64_t cursor);

/* The position of the hash in a scan: an entry has been reported if its position is below the
 * cursor (or the scan is complete); otherwise it is yet to be reported, once or, seldom, twice. */
uint64_t dict_scan_position(uint64_t hash);

/* For assertions (dict_sound.c): true if invariant 1 and the counters hold and no key is present
 * twice. Hashes all keys. */
bool dict_is_sound(const struct dict *dict);

/* Bytes that the table takes, without the entries. */
size_t dict_memory(const struct dict *dict);

/* Bytes of that which the table keeps when all its entries are gone. */
size_t dict_min_memory(const struct dict *dict);

/* An entry's share of the buckets in bytes, rounded up; 0 if there are no entries. */
size_t dict_memory_per_entry(const struct dict *dict);

#endif
