/* RDB files and their parts built by hand. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_RDB_BYTES_H
#define KEYSTORE_TESTS_RDB_BYTES_H

#include "base/buf.h"
#include "journal/rdb/crc64.h"
#include "journal/rdb/encode.h"

/* The bytes of string literals, of zero bytes, too. */
#define RDB_BYTES(buf, literal) rdb_bytes_add(buf, SLICE_LITERAL(literal))

static inline void rdb_bytes_add(struct buf *buf, struct slice bytes)
{
    assert_true(buf_append(buf, bytes));
}

/* A string in its plain form. */
static inline void rdb_bytes_string(struct buf *buf, struct slice bytes)
{
    uint8_t length[RDB_ENCODE_LENGTH];
    rdb_bytes_add(buf, slice_make(length, rdb_encode_length(length, bytes.len)));
    rdb_bytes_add(buf, bytes);
}

static inline void rdb_bytes_crc(struct buf *buf)
{
    uint64_t crc = crc64_update(0, buf_slice(buf));
    rdb_bytes_add(buf, slice_make(&crc, sizeof crc));
}

/* A ziplist in the making: entries are added with the right size of the former one. */
struct rdb_ziplist {
    struct buf bytes;
    uint32_t last;
    uint16_t count;
};

static inline void rdb_ziplist_begin(struct rdb_ziplist *list)
{
    *list = (struct rdb_ziplist){0};
    buf_init(&list->bytes, SIZE_MAX);
    RDB_BYTES(&list->bytes, "0123456789");
}

/* An encoding with its content. */
static inline void rdb_ziplist_add(struct rdb_ziplist *list, struct slice head,
                                   struct slice content)
{
    uint32_t former = list->count > 0 ? (uint32_t)list->bytes.len - list->last : 0;
    list->last = (uint32_t)list->bytes.len;
    list->count++;
    uint8_t size[5] = {former < 254 ? (uint8_t)former : 254};
    memcpy(size + 1, &former, 4);
    rdb_bytes_add(&list->bytes, slice_make(size, former < 254 ? 1 : 5));
    rdb_bytes_add(&list->bytes, head);
    rdb_bytes_add(&list->bytes, content);
}

static inline struct slice rdb_ziplist_end(struct rdb_ziplist *list)
{
    RDB_BYTES(&list->bytes, "\xff");
    uint32_t size = (uint32_t)list->bytes.len, last = list->count > 0 ? list->last : 10;
    memcpy(list->bytes.data, &size, 4);
    memcpy(list->bytes.data + 4, &last, 4);
    memcpy(list->bytes.data + 8, &list->count, 2);
    return buf_slice(&list->bytes);
}

/* A ziplist with an element of every encoding. What Redis 7 and rdb_read() must make of it: */
#define RDB_ZIPLIST_ELEMENTS 14
static const char *const rdb_ziplist_texts[RDB_ZIPLIST_ELEMENTS] = {
    "",     "short",   NULL /* 300 x */, NULL /* 20000 y */,    "-2", "0", "12", "-128", "127",
    "-300", "8388607", "-2147483648",    "9223372036854775807", "end"};

static inline void rdb_ziplist_fill(struct rdb_ziplist *list)
{
    static uint8_t letters[20000];
    struct slice none = {0};
    rdb_ziplist_begin(list);
    rdb_ziplist_add(list, SLICE_LITERAL("\x00"), none);
    rdb_ziplist_add(list, SLICE_LITERAL("\x05"), SLICE_LITERAL("short"));
    memset(letters, 'x', 300);
    rdb_ziplist_add(list, SLICE_LITERAL("\x41\x2c"), slice_make(letters, 300));
    memset(letters, 'y', 20000);
    rdb_ziplist_add(list, SLICE_LITERAL("\x80\x00\x00\x4e\x20"), slice_make(letters, 20000));
    rdb_ziplist_add(list, SLICE_LITERAL("\xfe"), SLICE_LITERAL("\xfe"));
    rdb_ziplist_add(list, SLICE_LITERAL("\xf1"), none);
    rdb_ziplist_add(list, SLICE_LITERAL("\xfd"), none);
    rdb_ziplist_add(list, SLICE_LITERAL("\xfe"), SLICE_LITERAL("\x80"));
    rdb_ziplist_add(list, SLICE_LITERAL("\xfe"), SLICE_LITERAL("\x7f"));
    rdb_ziplist_add(list, SLICE_LITERAL("\xc0"), SLICE_LITERAL("\xd4\xfe"));
    rdb_ziplist_add(list, SLICE_LITERAL("\xf0"), SLICE_LITERAL("\xff\xff\x7f"));
    rdb_ziplist_add(list, SLICE_LITERAL("\xd0"), SLICE_LITERAL("\x00\x00\x00\x80"));
    rdb_ziplist_add(list, SLICE_LITERAL("\xe0"), SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\x7f"));
    rdb_ziplist_add(list, SLICE_LITERAL("\x03"), SLICE_LITERAL("end"));
}

/* Whether element `index` of that ziplist is this. */
static inline bool rdb_ziplist_matches(size_t index, struct slice element)
{
    if (rdb_ziplist_texts[index] != NULL)
        return slice_equal(element, slice_from_string(rdb_ziplist_texts[index]));
    if (element.len != (index == 2 ? 300 : 20000))
        return false;
    for (size_t i = 0; i < element.len; i++) {
        if (element.data[i] != (index == 2 ? 'x' : 'y'))
            return false;
    }
    return true;
}

#endif
