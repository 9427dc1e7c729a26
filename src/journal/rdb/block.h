/*
 * Keys with their values as records of an RDB file, in blocks of up to RDB_BLOCK_KEYS keys of one
 * database. What goes to the sink stands on its own, since it begins with SELECTDB and ks-versions
 * (rdb_format.h), so the blocks of several of these, each used by one thread, may follow each other
 * in any order. What one call of string, list or flush gives to the sink must stay together.
 *
 * Memory is bounded: RDB_BLOCK_BYTES and some, and 512 KiB more for lists. A longer string is given
 * to the sink as it is; a longer list piece by piece.
 */
#ifndef KEYSTORE_JOURNAL_RDB_BLOCK_H
#define KEYSTORE_JOURNAL_RDB_BLOCK_H

#include "base/buf.h"
#include "journal/rdb/format.h"
#include "journal/rdb/listpack.h"

/* A block with this many bytes is finished; a string with as many is not copied. */
#define RDB_BLOCK_BYTES ((size_t)64 * 1024)

struct rdb_block {
    struct rdb_sink sink;
    uint64_t revision;
    bool compress;
    bool failed;
    uint64_t db;                       /* of the keys in `bytes` */
    size_t count;                      /* of the keys in `bytes` that no head was written for */
    uint64_t versions[RDB_BLOCK_KEYS]; /* theirs */
    struct buf bytes;                  /* room for the head, and the records */
    struct buf compressed;
    struct listpack pack;
};

/* The elements of a list. */
struct rdb_elements {
    /* The next one, borrowed until the next call; false at the end. */
    bool (*next)(void *context, struct slice *element);
    /* Back to before the first; the same elements come again. Called first, and perhaps later. */
    void (*restart)(void *context);
    void *context;
};

/*
 * `revision` is that of rdb_write_header(); no key has a later version. `compress`: by LZF what
 * becomes shorter by that, as Redis does by default, and slower. A compressed string is held
 * in memory whole.
 */
void rdb_block_init(struct rdb_block *block, uint64_t revision, bool compress,
                    struct rdb_sink sink);

/* Gives the memory back; what was not flushed is lost. */
void rdb_block_deinit(struct rdb_block *block);

/* Each false after the sink has failed; nothing more comes then. */

bool rdb_block_string(struct rdb_block *block, uint64_t db, const struct rdb_key *key,
                      struct slice value);

/* Nothing is written for a list without elements. Elements have at most UINT32_MAX bytes. */
bool rdb_block_list(struct rdb_block *block, uint64_t db, const struct rdb_key *key,
                    const struct rdb_elements *elements);

/* Gives the sink what it has not got yet. */
bool rdb_block_flush(struct rdb_block *block);

#endif
