/*
 * The 64-bit checksum at the end of an RDB file: Jones's polynomial 0xad93d23594c935a9, bits
 * reflected on input and output, initial value 0, no final exclusive or. The check value of
 * "123456789" is 0xe9c6d914c4b8d9ca (from Redis's crc64.c).
 */
#ifndef KEYSTORE_JOURNAL_RDB_CRC64_H
#define KEYSTORE_JOURNAL_RDB_CRC64_H

#include "base/slice.h"

/* Returns the checksum of what `crc` covers (0 for nothing yet) followed by `bytes`. */
uint64_t crc64_update(uint64_t crc, struct slice bytes);

#endif
