/*
 * Listpacks: consecutive elements, as Redis 7 keeps and saves short lists. The layout,
 * from listpack.md by Salvatore Sanfilippo and listpack.c of Redis 7.0, tried against
 * redis-server 7.0.15:
 *
 *    0  u32  all bytes, this header and the terminator included; numbers are little-endian
 *    4  u16  elements; 65535: unknown, count them
 *    6       the elements
 *       u8   terminator, 255
 *
 * An element is an encoding with its content, followed by the size of both, for walking back:
 *
 *    0nnnnnnn                     the integer n, 0 to 127
 *    10nnnnnn content             n bytes, up to 63
 *    110nnnnn nnnnnnnn            a 13-bit signed integer, high bits first
 *    1110nnnn nnnnnnnn content    n bytes, up to 4095, high bits first
 *    11110000 u32 content         that many bytes
 *    11110001 to 11110100         a signed integer of 2, 3, 4 or 8 bytes
 *
 *    size: 7 bits a byte, high bits first; all bytes but the first have bit 7 set. One byte up to
 *    127, two up to 16382 (not 16383), three up to 2097150, four up to 268435454, else five.
 */
#ifndef KEYSTORE_JOURNAL_RDB_LISTPACK_H
#define KEYSTORE_JOURNAL_RDB_LISTPACK_H

#include "journal/rdb/packed.h"

/* Maximum bytes of a listpack that is written here: Redis's list-max-listpack-size -2. */
#define LISTPACK_MAX ((size_t)8192)

/* Places the cursor before the first element; false, with cursor->wrong, if there is none to walk.
 * `bytes` must stay while the cursor is used. */
bool listpack_open(struct packed_cursor *cursor, struct slice bytes);

/* Reads the next element. Stays within the bytes of listpack_open(), whatever they are. */
enum packed_step listpack_next(struct packed_cursor *cursor, struct packed_element *element);

/* How an element will be written. */
struct listpack_item {
    struct slice content; /* borrowed; empty for an integer */
    uint8_t head[9];      /* the encoding, and an integer after it */
    uint8_t head_len;
    uint8_t tail_len; /* bytes of the size after it */
};

/* A listpack that is being written. */
struct listpack {
    size_t len; /* so far, without the terminator */
    size_t count;
    uint8_t bytes[LISTPACK_MAX];
};

/* Texts of 64-bit integers become integers. The element has at most UINT32_MAX bytes. */
struct listpack_item listpack_item(struct slice element);

static inline size_t listpack_item_size(const struct listpack_item *item)
{
    return item->head_len + item->content.len + item->tail_len;
}

/* Bytes of an empty listpack. */
#define LISTPACK_EMPTY ((size_t)7)

/* True if no listpack written here can hold the item. */
static inline bool listpack_item_is_large(const struct listpack_item *item)
{
    return listpack_item_size(item) > LISTPACK_MAX - LISTPACK_EMPTY;
}

/* Starts an empty one. */
void listpack_begin(struct listpack *pack);

static inline bool listpack_takes(const struct listpack *pack, const struct listpack_item *item)
{
    return pack->len + 1 + listpack_item_size(item) <= LISTPACK_MAX;
}

/* Appends an item that fits: listpack_takes(). */
void listpack_append(struct listpack *pack, const struct listpack_item *item);

/* Writes header and terminator; the slice is borrowed from the listpack. */
struct slice listpack_finish(struct listpack *pack);

#endif
