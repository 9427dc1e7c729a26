/*
 * Skips values by their structure alone: does not check whether a set's members are distinct or a
 * listpack is intact.
 */
#include "journal/rdb/skip.h"

#include "journal/rdb/format.h"

#include <stdio.h>

#define STREAM_ID 16 /* two u64, high byte first */
#define TIMESTAMP 8
#define SCORE     8
#define NO_DIGITS 253 /* from here on, a text score's first byte is a value instead of a length */

/* What the data of a module may consist of. */
enum module_opcode {
    MODULE_EOF = 0,
    MODULE_SIGNED = 1,   /* length */
    MODULE_UNSIGNED = 2, /* length */
    MODULE_FLOAT = 3,    /* 4 bytes */
    MODULE_DOUBLE = 4,   /* 8 bytes */
    MODULE_STRING = 5,   /* string */
};

static bool skip_lengths(struct rdb_input *input, unsigned count)
{
    uint64_t passed;
    for (; count > 0; count--) {
        if (!rdb_input_length(input, &passed))
            return false;
    }
    return true;
}

static bool skip_bytes(struct rdb_input *input, uint64_t count, const char *what)
{
    return rdb_input_take(input, count, what, NULL);
}

/* ---- sets, sorted sets, hashes ---- */

/* A count, then so many times `each` strings. */
static bool skip_strings(struct rdb_input *input, unsigned each)
{
    uint64_t count;
    if (!rdb_input_count(input, each, &count))
        return false;
    for (count *= each; count > 0; count--) {
        if (!rdb_input_skip_string(input))
            return false;
    }
    return true;
}

/* A score as text: a byte for its length and the text, or a byte for a value without digits. */
static bool skip_text_score(struct rdb_input *input)
{
    uint8_t len;
    if (!rdb_input_byte(input, &len))
        return false;
    return len >= NO_DIGITS || skip_bytes(input, len, "a score");
}

static bool skip_zset(struct rdb_input *input, bool binary)
{
    uint64_t count;
    if (!rdb_input_count(input, 2, &count))
        return false;
    for (; count > 0; count--) {
        if (!rdb_input_skip_string(input))
            return false;
        if (!(binary ? skip_bytes(input, SCORE, "a score") : skip_text_score(input)))
            return false;
    }
    return true;
}

/* Fields with deadlines: a length before each field or, in Valkey, a time after each value. */
static bool skip_fields(struct rdb_input *input, bool valkey)
{
    uint64_t count;
    if (!rdb_input_count(input, valkey ? 2 + TIMESTAMP : 3, &count))
        return false;
    for (; count > 0; count--) {
        if (!(valkey || skip_lengths(input, 1)) || !rdb_input_skip_string(input) ||
            !rdb_input_skip_string(input) || !(!valkey || skip_bytes(input, TIMESTAMP, "a hash")))
            return false;
    }
    return true;
}

/* Hashes whose fields expire; in those of released versions the first deadline precedes them. */
static bool skip_expiring_hash(struct rdb_input *input, uint8_t type)
{
    bool first = type == RDB_HASH_TTL || type == RDB_HASH_TTL_LISTPACK;
    if (first && !skip_bytes(input, TIMESTAMP, "a hash"))
        return false;
    if (type == RDB_HASH_TTL_LISTPACK || type == RDB_HASH_TTL_LISTPACK_PRE_GA)
        return rdb_input_skip_string(input);
    return skip_fields(input, type == RDB_HASH_VALKEY);
}

/* ---- streams ---- */

/* A group's entries that were delivered and not acknowledged: ID, time, deliveries. */
static bool skip_pending(struct rdb_input *input)
{
    uint64_t count;
    if (!rdb_input_count(input, STREAM_ID + TIMESTAMP + 1, &count))
        return false;
    for (; count > 0; count--) {
        if (!skip_bytes(input, STREAM_ID + TIMESTAMP, "a stream") || !skip_lengths(input, 1))
            return false;
    }
    return true;
}

/* A group's consumers: name, times (in the third format two), and the IDs of their entries among
 * those. */
static bool skip_consumers(struct rdb_input *input, unsigned format)
{
    uint64_t count, pending, times = format < 3 ? TIMESTAMP : 2 * TIMESTAMP;
    if (!rdb_input_count(input, 1 + times + 1, &count))
        return false;
    for (; count > 0; count--) {
        if (!rdb_input_skip_string(input) || !skip_bytes(input, times, "a stream") ||
            !rdb_input_count(input, STREAM_ID, &pending) ||
            !skip_bytes(input, pending * STREAM_ID, "a stream"))
            return false;
    }
    return true;
}

static bool skip_groups(struct rdb_input *input, unsigned format)
{
    uint64_t count;
    if (!rdb_input_count(input, 5, &count))
        return false;
    for (; count > 0; count--) {
        /* Name; last ID; from the second format on the entries read. */
        if (!rdb_input_skip_string(input) || !skip_lengths(input, format >= 2 ? 3 : 2) ||
            !skip_pending(input) || !skip_consumers(input, format))
            return false;
    }
    return true;
}

static bool skip_stream(struct rdb_input *input, unsigned format)
{
    /* Nodes: ID and listpack. Then the length and the last ID; from the second format on also the
     * first and the greatest deleted ID, and how many entries were added. */
    return skip_strings(input, 2) && skip_lengths(input, format >= 2 ? 8 : 3) &&
           skip_groups(input, format);
}

/* ---- modules ---- */

/* A module's 64-bit identifier is nine letters of six bits and ten bits of version. */
static void skip_write_module_name(char *name, const char *before, uint64_t id)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char text[10];
    for (unsigned i = 0; i < 9; i++)
        text[i] = letters[(id >> (58 - 6 * i)) & 63];
    text[9] = '\0';
    snprintf(name, RDB_SKIP_NAME, "%s %s", before, text);
}

static bool skip_module_part(struct rdb_input *input, uint64_t opcode)
{
    switch (opcode) {
    case MODULE_SIGNED:
    case MODULE_UNSIGNED:
        return skip_lengths(input, 1);
    case MODULE_FLOAT:
        return skip_bytes(input, 4, "data of a module");
    case MODULE_DOUBLE:
        return skip_bytes(input, 8, "data of a module");
    case MODULE_STRING:
        return rdb_input_skip_string(input);
    default:
        return rdb_input_fail(input, input->at, "unknown part %llu of a module's data",
                              (unsigned long long)opcode);
    }
}

static bool skip_module_parts(struct rdb_input *input)
{
    for (;;) {
        uint64_t opcode;
        if (!rdb_input_length(input, &opcode))
            return false;
        if (opcode == MODULE_EOF)
            return true;
        if (!skip_module_part(input, opcode))
            return false;
    }
}

static bool skip_module(struct rdb_input *input, char *name)
{
    uint64_t id;
    if (!rdb_input_length(input, &id))
        return false;
    skip_write_module_name(name, "module", id);
    return skip_module_parts(input);
}

bool rdb_skip_module_aux(struct rdb_input *input, char *name)
{
    uint64_t id, opcode;
    if (!rdb_input_length(input, &id) || !rdb_input_length(input, &opcode))
        return false;
    if (opcode != MODULE_UNSIGNED)
        return rdb_input_fail(input, input->at, "data of a module without its time");
    skip_write_module_name(name, "data of module", id);
    return skip_lengths(input, 1) && skip_module_parts(input);
}

bool rdb_skip_old_function(struct rdb_input *input)
{
    uint64_t described;
    if (!rdb_input_skip_string(input) || !rdb_input_skip_string(input) ||
        !rdb_input_length(input, &described))
        return false;
    return (described == 0 || rdb_input_skip_string(input)) && rdb_input_skip_string(input);
}

/* ---- values ---- */

static bool skip_unknown(struct rdb_input *input, uint8_t type)
{
    if (type == RDB_MODULE_PRE_GA)
        return rdb_input_unknown(input, input->at,
                                 "a module's value in the format of Redis 4.0's "
                                 "release candidates, which has no end mark");
    return rdb_input_unknown(input, input->at,
                             "type %u of a value is none of those of Redis up to 8 and Valkey up "
                             "to 9",
                             type);
}

static bool skip_value(struct rdb_input *input, uint8_t type)
{
    switch (type) {
    case RDB_SET:
        return skip_strings(input, 1);
    case RDB_HASH:
        return skip_strings(input, 2);
    case RDB_ZSET:
    case RDB_ZSET_2:
        return skip_zset(input, type == RDB_ZSET_2);
    case RDB_STREAM:
        return skip_stream(input, 1);
    case RDB_STREAM_2:
        return skip_stream(input, 2);
    case RDB_STREAM_3:
        return skip_stream(input, 3);
    case RDB_HASH_TTL_PRE_GA:
    case RDB_HASH_TTL_LISTPACK_PRE_GA:
    case RDB_HASH_TTL:
    case RDB_HASH_TTL_LISTPACK:
    case RDB_HASH_VALKEY:
        return skip_expiring_hash(input, type);
    default: /* packed into one string as a whole */
        return rdb_input_skip_string(input);
    }
}

bool rdb_skip_value(struct rdb_input *input, uint8_t type, char *name)
{
    static const char *const names[] = {
        [RDB_SET] = "set",
        [RDB_SET_INTSET] = "set",
        [RDB_ZSET] = "zset",
        [RDB_ZSET_2] = "zset",
        [RDB_ZSET_ZIPLIST] = "zset",
        [RDB_ZSET_LISTPACK] = "zset",
        [RDB_HASH] = "hash",
        [RDB_HASH_ZIPMAP] = "hash",
        [RDB_HASH_ZIPLIST] = "hash",
        [RDB_HASH_LISTPACK] = "hash",
        [RDB_STREAM] = "stream",
        [RDB_STREAM_2] = "stream",
        [RDB_STREAM_3] = "stream",
        [RDB_SET_LISTPACK] = "set",
        [RDB_HASH_TTL] = "hash",
        [RDB_HASH_TTL_LISTPACK] = "hash",
        [RDB_HASH_VALKEY] = "hash",
        [RDB_HASH_TTL_PRE_GA] = "hash",
        [RDB_HASH_TTL_LISTPACK_PRE_GA] = "hash",
    };
    if (type == RDB_MODULE_2)
        return skip_module(input, name);
    if (type >= sizeof names / sizeof names[0] || names[type] == NULL)
        return skip_unknown(input, type);
    snprintf(name, RDB_SKIP_NAME, "%s", names[type]);
    return skip_value(input, type);
}
