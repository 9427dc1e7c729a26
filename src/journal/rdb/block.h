/*
 * Encodes keys with their values as records of an RDB file, in blocks of up to RDB_BLOCK_KEYS keys
 * of one database. What goes to the sink is self-contained, since it starts with SELECTDB and
 * ks-versions (format.h), so the blocks of several of these, each used by one thread, may follow
 * each other in any order. What one call of string, list or flush passes to the sink must stay
 * together.
 *
 * Memory is bounded: somewhat over RDB_BLOCK_BYTES, and 512 KiB more for lists. A longer string is
 * passed to the sink as it is; a longer list piece by piece.
 */
#ifndef KEYSTORE_JOURNAL_RDB_BLOCK_H
#define KEYSTORE_JOURNAL_RDB_BLOCK_H

#include "base/buf.h"
#include "journal/rdb/format.h"
#include "journal/rdb/listpack.h"

/* A block of this size is finished; a string of this size is not copied. */
#define RDB_BLOCK_BYTES ((size_t)64 * 1024)

struct rdb_block {
    struct rdb_sink sink;
    uint64_t revision;
    bool compress;
    bool failed;
    uint64_t db;                       /* of the keys in `bytes` */
    size_t count;                      /* of the keys in `bytes` without a head yet */
    uint64_t versions[RDB_BLOCK_KEYS]; /* of these keys */
    struct buf bytes;                  /* space for the head, and the records */
    struct buf compressed;
    struct listpack pack;
};

/* Iterates over the elements of a list. */
struct rdb_elements {
    /* The next one, borrowed until the next call; false at the end. */
    bool (*next)(void *context, struct slice *element);
    /* Returns to the start; the same elements come again. Called first, and perhaps later. */
    void (*restart)(void *context);
    void *context;
};

/*
 * `revision` is that of rdb_write_header(); no key has a later version. `compress`: compresses by
 * LZF what that makes shorter, as Redis does by default, and slower. A compressed string is held in
 * memory as a whole.
 */
void rdb_block_init(struct rdb_block *block, uint64_t revision, bool compress,
                    struct rdb_sink sink);

/* Frees the memory; what was not flushed is lost. */
void rdb_block_deinit(struct rdb_block *block);

/* Each returns false after the sink has failed, which then is not called again. */

bool rdb_block_string(struct rdb_block *block, uint64_t db, const struct rdb_key *key,
                      struct slice value);

/* Nothing is written for an empty list. Elements have at most UINT32_MAX bytes. */
bool rdb_block_list(struct rdb_block *block, uint64_t db, const struct rdb_key *key,
                    const struct rdb_elements *elements);

/* Passes what is left to the sink. */
bool rdb_block_flush(struct rdb_block *block);

#endif
