/* Receives what an RDB file holds (read.h). */
#ifndef KEYSTORE_JOURNAL_RDB_RECEIVER_H
#define KEYSTORE_JOURNAL_RDB_RECEIVER_H

#include "journal/rdb/format.h"
#include "journal/rdb/input.h"

/*
 * The callbacks of a reader, in the order of the file; each may be NULL. Slices are borrowed until
 * the callback returns, except the key of a list: until on_list_end. A callback that returns false
 * ends the reading.
 */
struct rdb_receiver {
    /* Every AUX field except ks-versions. */
    bool (*on_aux)(void *context, struct slice name, struct slice value);
    /* The keys that follow are in this database; 0 before the first call. */
    bool (*on_db)(void *context, uint64_t db);
    /* A hint, not verified: how many keys the database has, and how many of them expire. */
    bool (*on_sizes)(void *context, uint64_t keys, uint64_t expiring);
    bool (*on_string)(void *context, const struct rdb_key *key, struct slice value);
    /* A list with elements; an empty one is left out, as in Redis. */
    bool (*on_list_begin)(void *context, const struct rdb_key *key);
    /* Its next elements, at least one, at most RDB_READ_ELEMENTS. */
    bool (*on_list_elements)(void *context, const struct slice *elements, size_t count);
    bool (*on_list_end)(void *context);
    /* What was skipped: `type` is set, zset, hash, stream or "module NAME". Without a key (NULL) it
     * is a function library or "data of module NAME". */
    bool (*on_unsupported)(void *context, const struct rdb_key *key, const char *type);
    void *context;
};

#define RDB_READ_ELEMENTS 64

#endif
