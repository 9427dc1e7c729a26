/*
 * Reads RDB files, as Redis up to 8, Valkey up to 9 and KeyStore write them, from memory (a mapped
 * file) in one pass. Strings and lists are passed to a receiver in whatever encoding they have;
 * keys of other types are skipped by their structure and named. Layout: format.h.
 */
#ifndef KEYSTORE_JOURNAL_RDB_READ_H
#define KEYSTORE_JOURNAL_RDB_READ_H

#include "journal/rdb/receiver.h"

/* True if the bytes start like an RDB file. */
bool rdb_read_has_magic(struct slice bytes);

/*
 * Reads the file at the start of `bytes`. True: it was complete and intact, `*size` is its size,
 * and what follows it was not read. False: `*error` says what was wrong and where, or what is
 * unknown there although nothing shows damage; then what the receiver got is not reliable.
 *
 * A deadline at or before 1970 is reported as 1 ms after its start. Duplicate keys or databases and
 * expired keys are not detected. The checksum, which files from version 5 on have unless Redis was
 * configured otherwise, is only verified at the end.
 */
bool rdb_read(struct slice bytes, const struct rdb_receiver *receiver, size_t *size,
              struct rdb_error *error);

/*
 * Reads what DUMP returns and RESTORE takes, a value without its key: the type, the value, and ten
 * bytes for the version and the checksum. The receiver gets it under `key`.
 */
bool rdb_read_dump(struct slice bytes, const struct rdb_key *key,
                   const struct rdb_receiver *receiver, struct rdb_error *error);

#endif
