/* Writes the small parts of an RDB file: lengths, integers, strings. Layout: format.h. */
#ifndef KEYSTORE_JOURNAL_RDB_ENCODE_H
#define KEYSTORE_JOURNAL_RDB_ENCODE_H

#include "base/slice.h"

/* Maximum bytes of a length. */
#define RDB_ENCODE_LENGTH ((size_t)9)

/* Maximum bytes of a 64-bit number of ks-versions. */
#define RDB_ENCODE_VARINT ((size_t)10)

/* Each writes at `out`, where there is space, and returns the bytes written. */

/* A length, in its shortest form. */
size_t rdb_encode_length(uint8_t *out, uint64_t length);

/* The text of a 32-bit integer as an encoded string of at most 5 bytes; 0 for other texts. */
size_t rdb_encode_integer(uint8_t *out, struct slice text);

/* A string, encoded if it is such a text, never compressed; takes space for its bytes and a length.
 */
size_t rdb_encode_string(uint8_t *out, struct slice bytes);

/* A number of ks-versions. */
size_t rdb_encode_varint(uint8_t *out, uint64_t number);

#endif
