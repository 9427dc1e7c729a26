/* The layout of the store; private to it. store.h says what a shard is for. */
#ifndef KEYSTORE_STORE_DATA_SHARD_H
#define KEYSTORE_STORE_DATA_SHARD_H

#include "base/check.h"
#include "base/mutex.h"
#include "store/data/dict.h"
#include "store/data/entry.h"
#include "store/data/removals.h"
#include "store/data/saving.h"
#include "store/data/usage.h"
#include "store/data/waiters.h"
#include "store/memory/pages.h"
#include "store/memory/slab.h"
#include "store/options.h"

/* Enough per thread that two seldom meet in one and that each dictionary stays small; not more,
 * because each holds the first page of everything it has. Powers of two. */
#define SHARDS_PER_THREAD 16
#define SHARDS_MIN        64
#define SHARDS_MAX        256
#define CACHE_LINE        64
/* Threads assumed if the caller does not say. */
#define DEFAULT_THREADS 4
/* The size of the secret for XXH3, whose header asks for at least 136 bytes of entropy. */
#define STORE_SECRET_SIZE 192

struct change_sink;
struct garbage;
struct restore_reserve;

/*
 * A shard's part of a database. All fields but `swapped_at` belong to the entries and move with
 * them when two databases are swapped.
 *
 * A swap leaves the versions of entries as they are, but a key, which is a database number and a
 * name, may have another value afterwards. So the version of a key, for clients, is that of its
 * entry or, if that is later, the revision of the last swap of its database (database_version()).
 * Invariants, for a key:
 * 1. Its version never decreases, and never stands for two values or deadlines: a swap is a commit
 *    of its own, so no write has its revision.
 * 2. It counts as unchanged since a revision, even if absent, only if that is swapped_at or later.
 * 3. An answer that shows it reflects the swap, and is durable only when the swap is.
 * 4. A snapshot saves it with the number and version that it had when the snapshot began.
 * 5. All shards have the same swapped_at, which changes only while all of them are locked.
 * Within the store, as with the revision of a snapshot, the version of the entry is compared.
 */
struct database {
    struct dict dict;       /* its entries come from the shard's slab */
    uint64_t swapped_at;    /* revision of the last swap with another one; 0 = none */
    size_t expiring;        /* entries with a deadline */
    size_t expiring_memory; /* bytes they take (entry_memory()) */
    uint64_t hand;          /* the cursor of the eviction hand... */
    uint64_t ahead;         /* ...and of what is prefetched ahead of it (evict.c) */
    struct saving saving;
};

struct shard {
    struct mutex lock;
    atomic_bool has_garbage;  /* there is `garbage`; may be read without the lock */
    uint64_t lookups[2];      /* of reads: [true] found the key; in the line of the lock */
    uint64_t removed;         /* revision of the last commit that removed a key, or of the start */
    struct removals removals; /* which keys those were, lately */
    struct slab slab;         /* allocates the databases' memory */
    struct database *databases;
    uint32_t hand;           /* the database of the eviction hand, */
    uint32_t compact_db;     /* and of the hand of compaction; */
    uint64_t stride;         /* how far the former goes in each before the next one has its turn, */
    uint64_t compact_cursor; /* and where the latter is in its dictionary */
    struct usage *usage;     /* NULL: no policy so far depended on use */
    uint64_t expired_keys, evicted_keys[STORE_POLICIES];
    struct garbage *garbage; /* what FlushDb has left to be freed (garbage.h) */
    struct waiters waiters;  /* for lists at its keys */
} __attribute__((aligned(CACHE_LINE)));

struct store {
    struct pages pages; /* of all shards */
    struct dict_hasher hasher;
    struct change_sink *sink;     /* receives every commit; NULL: none */
    struct snapshot *snapshot;    /* the one in progress; changes with all shards locked */
    void (*on_freed)(void *user); /* store_on_freed(); NULL: none */
    void *on_freed_user;
    atomic_uint_fast64_t revision __attribute__((aligned(CACHE_LINE))); /* of the last commit */
    atomic_uint_fast64_t reserved;   /* no commit has a revision above it (restore.h) */
    struct restore_reserve *reserve; /* raises it; NULL: it is UINT64_MAX */
    uint32_t databases;
    _Atomic enum store_policy policy; /* in effect, as what follows: limit_change.h changes it */
    atomic_size_t max_memory;         /* 0 = unlimited */
    atomic_size_t ceiling;            /* what may be in use while that is above max_memory */
    unsigned threads;                 /* that may be busy at the same time */
    atomic_bool note_visits;          /* the policy depends on them */
    struct mutex limit_lock;          /* of those who change the limit, and of: */
    struct store_limit wanted;
    bool is_lifted;               /* there is no limit for now */
    atomic_bool is_limit_pending; /* `wanted` is not in effect yet */
    struct usage_sums usage;
    atomic_uint hand;                  /* the shard where eviction continues */
    atomic_uint compact_hand;          /* the same for compaction */
    uint8_t secret[STORE_SECRET_SIZE]; /* keys cannot be made to collide without it */
    uint64_t cursor_seed;              /* the secret of the cursors of scans (scan.h) */
    size_t shard_count;                /* a power of two up to SHARDS_MAX */
    struct shard shards[];
};

/* Locks a shard for less than a millisecond; false if `quick` and it is held for long. */
static inline bool shard_lock(struct shard *shard, bool quick)
{
    if (quick)
        return mutex_lock_brief(&shard->lock);
    mutex_lock(&shard->lock);
    return true;
}

/* Notifies the owner that locks held for long were released. */
static inline void store_notify_freed(const struct store *store)
{
    if (store->on_freed != NULL)
        store->on_freed(store->on_freed_user);
}

/* The keyed hash of a key; never 0. */
uint64_t store_hash(const struct store *store, struct slice key);

/* The dictionaries use the lower bits of the hash for buckets and tags and leave the top 8 to
 * this. */
static inline size_t shard_number(const struct store *store, uint64_t hash)
{
    return hash >> 56 & (store->shard_count - 1);
}

static inline struct shard *shard_of(struct store *store, uint64_t hash)
{
    return &store->shards[shard_number(store, hash)];
}

/* The shard's part of the database that the key is in. */
static inline struct database *database_of(struct store *store, uint32_t db, uint64_t hash)
{
    return &shard_of(store, hash)->databases[db];
}

/* The version of an entry's key, as clients see it. */
static inline uint64_t database_version(const struct database *database, const struct entry *entry)
{
    uint64_t version = entry_version(entry);
    return version > database->swapped_at ? version : database->swapped_at;
}

/* Counts an entry of the database if it has a deadline (NULL is allowed)... */
static inline void database_count(struct database *database, const struct entry *entry)
{
    if (entry == NULL || entry_expire_at_ms(entry) == 0)
        return;
    database->expiring++;
    database->expiring_memory += entry_memory(entry);
}

/* ...and removes it from the count, unchanged since it was counted. */
static inline void database_uncount(struct database *database, const struct entry *entry)
{
    if (entry == NULL || entry_expire_at_ms(entry) == 0)
        return;
    DCHECK(database->expiring > 0 && database->expiring_memory >= entry_memory(entry));
    database->expiring--;
    database->expiring_memory -= entry_memory(entry);
}

_Static_assert(SHARDS_MAX <= 256, "the hash's top 8 bits choose the shard");

#endif
