/*
 * Writes an RDB file of version 10, from its first byte to its checksum, to a sink. The keys come
 * as blocks (block.h), whose sink is then rdb_write_bytes():
 *
 *    rdb_write_init(&file, sink);
 *    rdb_write_header(&file, revision);
 *    rdb_write_sizes(&file, db, ...);                        for each database, if known
 *    rdb_block_init(&block, ..., (struct rdb_sink){rdb_write_bytes, &file});
 *    rdb_block_string(&block, ...); ... rdb_block_flush(&block);
 *    rdb_write_end(&file);
 *
 * After a failure of the sink every call returns false and does nothing.
 */
#ifndef KEYSTORE_JOURNAL_RDB_WRITE_H
#define KEYSTORE_JOURNAL_RDB_WRITE_H

#include "journal/rdb/format.h"

struct rdb_write {
    struct rdb_sink sink;
    uint64_t crc;
    uint64_t size; /* bytes passed to the sink */
    bool failed;
};

/* Allocates no memory. */
void rdb_write_init(struct rdb_write *write, struct rdb_sink sink);

/* Writes the first bytes, and ks-revision, at most INT64_MAX. */
bool rdb_write_header(struct rdb_write *write, uint64_t revision);

/* Writes an AUX field; Redis skips those whose name it does not know. */
bool rdb_write_aux(struct rdb_write *write, struct slice name, struct slice value);

/* Writes how many keys the database has, and how many of them expire: a hint for the reader. */
bool rdb_write_sizes(struct rdb_write *write, uint64_t db, uint64_t keys, uint64_t expiring);

/* Writes whole records as they are. `write` is a struct rdb_write *, so that this can be a sink. */
bool rdb_write_bytes(void *write, struct slice bytes);

/* Writes the end with the checksum; the file is complete if this returns true. */
bool rdb_write_end(struct rdb_write *write);

#endif
