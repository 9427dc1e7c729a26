/*
 * Ziplists: how Redis before 7 kept and saved short lists; read only. The layout, from the comment
 * at the head of Redis's ziplist.c:
 *
 *    0  u32  all bytes, this header and the terminator included; numbers are little-endian
 *    4  u32  offset of the last element
 *    8  u16  elements; 65535: unknown, count them
 *   10       the elements
 *       u8   terminator, 255
 *
 * An element is the size of the one before, for walking back, an encoding, and its content:
 *
 *    size: a byte up to 253, or 254 and a u32 (which may hold a smaller number, too)
 *
 *    00nnnnnn content             n bytes
 *    01nnnnnn nnnnnnnn content    n bytes, high bits first
 *    10------ nnnnnnnn (4)        n bytes, high bits first
 *    11000000, 11010000, 11100000, 11110000, 11111110   a signed integer of 2, 4, 8, 3, 1 bytes
 *    1111nnnn                     n = 1 to 13: the integer n - 1
 */
#ifndef KEYSTORE_JOURNAL_RDB_ZIPLIST_H
#define KEYSTORE_JOURNAL_RDB_ZIPLIST_H

#include "journal/rdb/packed.h"

/* Places the cursor before the first element; false, with cursor->wrong, if there is none to walk.
 * `bytes` must stay while the cursor is used. */
bool ziplist_open(struct packed_cursor *cursor, struct slice bytes);

/* Reads the next element. Stays within the bytes of ziplist_open(), whatever they are. */
enum packed_step ziplist_next(struct packed_cursor *cursor, struct packed_element *element);

#endif
