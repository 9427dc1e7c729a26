/* The values of lists in an RDB file, in every encoding, passed to a receiver as elements. */
#ifndef KEYSTORE_JOURNAL_RDB_LISTS_H
#define KEYSTORE_JOURNAL_RDB_LISTS_H

#include "journal/rdb/receiver.h"

/* True for the types that rdb_lists_read() reads. */
bool rdb_lists_is_list(uint8_t type);

/* Reads a value of one of these types, which belongs to the key; false after rdb_input_fail(). The
 * key's name must not be in the scratch. */
bool rdb_lists_read(struct rdb_input *input, uint8_t type, const struct rdb_key *key,
                    struct rdb_scratch *scratch, const struct rdb_receiver *receiver);

#endif
