/*
 * Reading RDB files, as Redis up to 8, Valkey up to 9 and KeyStore write them, out of memory (a
 * mapped file) in one pass. Strings and lists are given as they are, in whatever encoding they
 * stand; keys of other types are passed over by their structure and named. Layout: rdb_format.h.
 */
#ifndef KEYSTORE_JOURNAL_RDB_READ_H
#define KEYSTORE_JOURNAL_RDB_READ_H

#include "journal/rdb/receiver.h"

/* True if the bytes begin like an RDB file. */
bool rdb_read_begins(struct slice bytes);

/*
 * Reads the file at the beginning of `bytes`. True: it was whole and sound, `*size` are its bytes,
 * and what follows them was not looked at. False: `*error` says what was wrong and where, or what
 * is not known there although nothing shows that the file is damaged; what the receiver has got by
 * then is not to be relied upon.
 *
 * Expiry at or before 1970 is given as 1 ms after its beginning. Whether keys or databases occur
 * twice, and whether a key has expired, is not looked at. The checksum, which files from version 5
 * on have unless Redis was told otherwise, is known to be right only at the end.
 */
bool rdb_read(struct slice bytes, const struct rdb_receiver *receiver, size_t *size,
              struct rdb_error *error);

/*
 * Reads what DUMP gives and RESTORE takes, a value without its key: the type, the value, and ten
 * bytes for the version and the checksum. The receiver gets it under `key`.
 */
bool rdb_read_dump(struct slice bytes, const struct rdb_key *key,
                   const struct rdb_receiver *receiver, struct rdb_error *error);

#endif
