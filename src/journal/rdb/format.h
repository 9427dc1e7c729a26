/*
 * RDB files, the snapshots of Redis and Valkey. The layout, tried against redis-server 7.0.15 and
 * 8.2.3:
 *
 *    "REDIS" and four decimal digits: the version, 1 to 12 (10: Redis 7.0, 11: Redis 7.2 and
 *    Valkey 7.2 and 8, 12: Redis 7.4 and 8); or "VALKEY" and three digits: 80 (Valkey 9).
 *    KeyStore writes version 10.
 *    records, each a byte that is its type, and its fields:
 *       250  AUX            name string, value string; readers skip unknown ones
 *       254  SELECTDB       length: the database of the keys that follow
 *       251  RESIZEDB       two lengths: keys and keys with expiry in that database, a hint
 *       253  EXPIRETIME     i32, seconds of Unix time: of the next key
 *       252  EXPIRETIME_MS  i64, milliseconds of Unix time: of the next key
 *       249  FREQ           u8, for eviction: of the next key
 *       248  IDLE           length, for eviction: of the next key
 *       247  MODULE_AUX     length: the module; two lengths: a 2 and when; values as in MODULE_2
 *       246  FUNCTION_PRE_GA  name and engine strings; length: is there a description; it; code
 *       245  FUNCTION2      code string
 *       244  SLOT_INFO      three lengths: a slot, its keys, and those that expire; a hint
 *       243  SLOT_IMPORT    Valkey: a slot migration that had not ended
 *       0-25 a key          name string, and the value by that type
 *       255  EOF            u64: CRC64 of all before it, 0 for none; from version 5 on
 *
 * Numbers are little-endian unless it says otherwise. A length:
 *
 *    00nnnnnn                     n
 *    01nnnnnn nnnnnnnn            n, high bits first
 *    10000000 u32, 10000001 u64   high byte first
 *    11eeeeee                     in place of a string's length: how the string is encoded
 *
 * A string is its length and its bytes, or is encoded: e = 0, 1, 2 the decimal text of an i8, i16,
 * i32; e = 3 LZF: length of the compressed bytes, length of the text, compressed bytes.
 *
 * Lists, the types that are read into values besides strings (0):
 *
 *     1  LIST              length: elements; that many strings
 *    10  LIST_ZIPLIST      a string that holds a ziplist
 *    14  LIST_QUICKLIST    length: nodes; that many strings that hold ziplists
 *    18  LIST_QUICKLIST_2  length: nodes; for each a length and a string: 1 and the string is an
 *                          element ("plain"), 2 and the string holds a listpack ("packed").
 *                          Packed nodes may be empty; a plain one may not.
 *
 * Our AUX fields:
 *
 *    ks-revision   decimal: the revision of the store that the file shows
 *    ks-versions   for each of the next 1 to RDB_BLOCK_KEYS keys, in their order, ks-revision minus
 *                  the version of the key: 7 bits a byte, low bits first, all bytes but the last of
 *                  a number with bit 7 set. A key without a version has version 0.
 *    ks-receipt    at the end, any number: what is remembered of a write with a request id, in the
 *                  format of store/receipts.c
 */
#ifndef KEYSTORE_JOURNAL_RDB_FORMAT_H
#define KEYSTORE_JOURNAL_RDB_FORMAT_H

#include "base/slice.h"

#define RDB_MAGIC      "REDIS"
#define RDB_MAGIC_SIZE ((size_t)9) /* with the version's digits */
#define RDB_VERSION    10          /* the version written */
#define RDB_NEWEST     12          /* the newest version read */

#define RDB_VALKEY_MAGIC   "VALKEY"
#define RDB_VALKEY_VERSION 80
/* The first version with a checksum. */
#define RDB_VERSION_CRC 5

#define RDB_AUX_REVISION "ks-revision"
#define RDB_AUX_VERSIONS "ks-versions"
#define RDB_AUX_RECEIPT  "ks-receipt"
#define RDB_BLOCK_KEYS   256u

enum rdb_opcode {
    RDB_SLOT_IMPORT = 243,
    RDB_SLOT_INFO = 244,
    RDB_FUNCTION2 = 245,
    RDB_FUNCTION_PRE_GA = 246,
    RDB_MODULE_AUX = 247,
    RDB_IDLE = 248,
    RDB_FREQ = 249,
    RDB_AUX = 250,
    RDB_RESIZEDB = 251,
    RDB_EXPIRETIME_MS = 252,
    RDB_EXPIRETIME = 253,
    RDB_SELECTDB = 254,
    RDB_EOF = 255,
};

enum rdb_type {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_ZSET = 3,
    RDB_HASH = 4,
    RDB_ZSET_2 = 5,
    RDB_MODULE_PRE_GA = 6,
    RDB_MODULE_2 = 7,
    RDB_HASH_ZIPMAP = 9,
    RDB_LIST_ZIPLIST = 10,
    RDB_SET_INTSET = 11,
    RDB_ZSET_ZIPLIST = 12,
    RDB_HASH_ZIPLIST = 13,
    RDB_LIST_QUICKLIST = 14,
    RDB_STREAM = 15,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_LIST_QUICKLIST_2 = 18,
    RDB_STREAM_2 = 19,
    RDB_SET_LISTPACK = 20,
    RDB_STREAM_3 = 21,
    RDB_HASH_TTL_PRE_GA = 22, /* of Valkey 9: RDB_HASH_VALKEY */
    RDB_HASH_TTL_LISTPACK_PRE_GA = 23,
    RDB_HASH_TTL = 24,
    RDB_HASH_TTL_LISTPACK = 25,
    /* Not in files: their type 22 if the file has Valkey's magic. */
    RDB_HASH_VALKEY = 122,
};

enum rdb_string_encoding {
    RDB_STRING_INT8 = 0,
    RDB_STRING_INT16 = 1,
    RDB_STRING_INT32 = 2,
    RDB_STRING_LZF = 3,
};

enum rdb_list_node {
    RDB_NODE_PLAIN = 1,
    RDB_NODE_PACKED = 2,
};

/* A key in a file, without its value. */
struct rdb_key {
    struct slice name;    /* borrowed */
    int64_t expire_at_ms; /* Unix time; 0 = never */
    uint64_t version;     /* revision of the last write; 0 = not known */
};

/* Takes finished bytes, in the order of the calls; they are borrowed for the call. False when it
 * cannot take them: then it is not called again. */
struct rdb_sink {
    bool (*write)(void *context, struct slice bytes);
    void *context;
};

#endif
