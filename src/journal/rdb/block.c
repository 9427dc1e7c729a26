/*
 * Encodes keys into blocks. The records of a block gather in a buffer after free space, where its
 * head (database and versions) is put when it is full. Knows nothing of the file around the blocks.
 */
#include "journal/rdb/block.h"

#include "base/check.h"
#include "journal/rdb/encode.h"

#include <lzf.h>

/* Space before the records: SELECTDB, AUX with name and length, the versions. */
#define HEAD ((size_t)64 + RDB_BLOCK_KEYS * RDB_ENCODE_VARINT)

/* A list with at most so many nodes, whose number then takes one byte, and so many bytes is written
 * to the buffer in one pass. A longer one takes two more passes, as the number of nodes precedes
 * them. */
#define SHORT_NODES 63u
#define SHORT_BYTES ((size_t)256 * 1024)

/* Redis does not try to compress fewer bytes. */
#define COMPRESS_FROM ((size_t)21)

/* Space for that many bytes more; never NULL, as the buffer has no limit. */
static uint8_t *block_reserve(struct rdb_block *block, size_t size)
{
    return buf_reserve(&block->bytes, size);
}

void rdb_block_init(struct rdb_block *block, uint64_t revision, bool compress, struct rdb_sink sink)
{
    block->sink = sink;
    block->revision = revision;
    block->compress = compress;
    block->failed = false;
    block->db = 0;
    block->count = 0;
    buf_init_for(&block->compressed, SIZE_MAX, ACCOUNT_JOURNAL);
    buf_init_for(&block->bytes, SIZE_MAX, ACCOUNT_JOURNAL);
    block_reserve(block, HEAD);
    block->bytes.len = HEAD;
}

void rdb_block_deinit(struct rdb_block *block)
{
    buf_deinit(&block->bytes);
    buf_deinit(&block->compressed);
}

/* ---- the buffer ---- */

static void block_put_byte(struct rdb_block *block, unsigned byte)
{
    *block_reserve(block, 1) = (uint8_t)byte;
    block->bytes.len++;
}

static void block_put_length(struct rdb_block *block, uint64_t length)
{
    uint8_t *out = block_reserve(block, RDB_ENCODE_LENGTH);
    block->bytes.len += rdb_encode_length(out, length);
}

static void block_put_bytes(struct rdb_block *block, struct slice bytes)
{
    if (bytes.len > 0)
        memcpy(block_reserve(block, bytes.len), bytes.data, bytes.len);
    block->bytes.len += bytes.len;
}

static size_t block_gathered(const struct rdb_block *block)
{
    DCHECK(block->bytes.len >= HEAD);
    return block->bytes.len - HEAD;
}

static bool block_emit(struct rdb_block *block, struct slice bytes)
{
    if (!block->failed)
        block->failed = !block->sink.write(block->sink.context, bytes);
    return !block->failed;
}

/* Puts the block's head right before its records, at least one; returns its start. */
static uint8_t *block_put_head(struct rdb_block *block)
{
    uint8_t head[HEAD], numbers[RDB_BLOCK_KEYS * RDB_ENCODE_VARINT];
    size_t size = 0, length = 0, i = 0;
    do {
        DCHECK(block->versions[i] <= block->revision); /* later versions are not part of the
                                                          snapshot */
        length += rdb_encode_varint(numbers + length, block->revision - block->versions[i]);
    } while (++i < block->count);
    head[size++] = RDB_SELECTDB;
    size += rdb_encode_length(head + size, block->db);
    head[size++] = RDB_AUX;
    size += rdb_encode_string(head + size, SLICE_LITERAL(RDB_AUX_VERSIONS));
    size += rdb_encode_length(head + size, length);
    memcpy(head + size, numbers, length);
    size += length;
    CHECK(size <= HEAD && length <= sizeof numbers);
    return memcpy(block->bytes.data + HEAD - size, head, size);
}

bool rdb_block_flush(struct rdb_block *block)
{
    if (block_gathered(block) == 0)
        return !block->failed;
    const uint8_t *from = block->count > 0 ? block_put_head(block) : block->bytes.data + HEAD;
    const uint8_t *end = block->bytes.data + block->bytes.len;
    block->count = 0;
    block->bytes.len = HEAD;
    return block_emit(block, slice_make(from, (size_t)(end - from)));
}

/* ---- strings ---- */

/* Compresses the bytes, if that saves four of them; else an empty slice. */
static struct slice block_compress(struct rdb_block *block, struct slice bytes)
{
    if (!block->compress || bytes.len < COMPRESS_FROM || bytes.len > UINT32_MAX)
        return slice_make(NULL, 0);
    buf_clear(&block->compressed, RDB_BLOCK_BYTES);
    size_t most = bytes.len - 4;
    uint8_t *out = buf_reserve(&block->compressed, most);
    return slice_make(out, lzf_compress(bytes.data, (unsigned)bytes.len, out, (unsigned)most));
}

/* Writes what precedes the bytes of a string. Returns these, perhaps compressed. */
static struct slice block_put_string_head(struct rdb_block *block, struct slice bytes)
{
    struct slice shorter = block_compress(block, bytes);
    if (shorter.len == 0) {
        block_put_length(block, bytes.len);
        return bytes;
    }
    block_put_byte(block, 0xC0 | RDB_STRING_LZF);
    block_put_length(block, shorter.len);
    block_put_length(block, bytes.len);
    return shorter;
}

static void block_put_string(struct rdb_block *block, struct slice bytes)
{
    size_t size = rdb_encode_integer(block_reserve(block, RDB_ENCODE_LENGTH), bytes);
    block->bytes.len += size;
    if (size == 0)
        block_put_bytes(block, block_put_string_head(block, bytes));
}

/* The same for a value at the end of the buffer: long ones are not copied. */
static bool block_emit_string(struct rdb_block *block, struct slice bytes)
{
    struct slice body = block_put_string_head(block, bytes);
    return rdb_block_flush(block) && block_emit(block, body);
}

/* ---- keys ---- */

/* Before a record: makes space in this block, or starts another one if it is full. */
static bool block_make_ready(struct rdb_block *block, uint64_t db)
{
    bool full = block->count == RDB_BLOCK_KEYS || block_gathered(block) >= RDB_BLOCK_BYTES;
    if ((full || db != block->db) && !rdb_block_flush(block))
        return false;
    block->db = db;
    return !block->failed;
}

/* Writes a record up to its value. */
static void block_put_key(struct rdb_block *block, const struct rdb_key *key, enum rdb_type type)
{
    CHECK(block->count < RDB_BLOCK_KEYS);
    block->versions[block->count++] = key->version;
    if (key->expire_at_ms != 0) {
        block_put_byte(block, RDB_EXPIRETIME_MS);
        block_put_bytes(block, slice_make(&key->expire_at_ms, sizeof key->expire_at_ms));
    }
    block_put_byte(block, type);
    block_put_string(block, key->name);
}

bool rdb_block_string(struct rdb_block *block, uint64_t db, const struct rdb_key *key,
                      struct slice value)
{
    bool is_long = value.len >= RDB_BLOCK_BYTES;
    if ((is_long && !rdb_block_flush(block)) || !block_make_ready(block, db))
        return false;
    block_put_key(block, key, RDB_STRING);
    if (is_long)
        return block_emit_string(block, value);
    block_put_string(block, value);
    return true;
}

/* ---- lists ---- */

/* What a pass over the elements does with the nodes. */
enum pass {
    PASS_SHORT, /* into the buffer, until they are too many or too long */
    PASS_COUNT, /* nothing */
    PASS_LONG,  /* through the buffer to the sink */
};

struct walk {
    struct rdb_block *block;
    enum pass pass;
    size_t limit;   /* PASS_SHORT: maximum length of the buffer */
    uint64_t nodes; /* finished */
};

/* Counts a finished node; false if the pass ends here. */
static bool block_count_node(struct walk *walk)
{
    struct rdb_block *block = walk->block;
    walk->nodes++;
    if (walk->pass == PASS_SHORT)
        return walk->nodes <= SHORT_NODES && block->bytes.len <= walk->limit;
    return walk->pass == PASS_COUNT || block_gathered(block) < RDB_BLOCK_BYTES ||
           rdb_block_flush(block);
}

static bool block_end_pack(struct walk *walk)
{
    struct rdb_block *block = walk->block;
    if (block->pack.count == 0)
        return true;
    struct slice pack = listpack_finish(&block->pack);
    if (walk->pass != PASS_COUNT) {
        block_put_length(block, RDB_NODE_PACKED);
        block_put_bytes(block, block_put_string_head(block, pack));
    }
    listpack_begin(&block->pack);
    return block_count_node(walk);
}

/* Writes an element that is a node of its own. */
static bool block_put_plain(struct walk *walk, struct slice element)
{
    struct rdb_block *block = walk->block;
    if (walk->pass == PASS_COUNT)
        return block_count_node(walk);
    if (walk->pass == PASS_SHORT && element.len > SHORT_BYTES)
        return false;
    block_put_length(block, RDB_NODE_PLAIN);
    if (walk->pass == PASS_SHORT)
        block_put_bytes(block, block_put_string_head(block, element));
    else if (!block_emit_string(block, element))
        return false;
    return block_count_node(walk);
}

static bool block_put_element(struct walk *walk, struct slice element)
{
    struct listpack *pack = &walk->block->pack;
    struct listpack_item item = listpack_item(element);
    if (listpack_item_is_large(&item))
        return block_end_pack(walk) && block_put_plain(walk, element);
    if (!listpack_takes(pack, &item) && !block_end_pack(walk))
        return false;
    listpack_append(pack, &item);
    return true;
}

/* False if the pass ended early. */
static bool block_walk_elements(struct walk *walk, const struct rdb_elements *elements)
{
    struct slice element;
    listpack_begin(&walk->block->pack);
    elements->restart(elements->context);
    while (elements->next(elements->context, &element)) {
        if (!block_put_element(walk, element))
            return false;
    }
    return block_end_pack(walk);
}

static bool block_emit_long_list(struct rdb_block *block, uint64_t db, const struct rdb_key *key,
                                 const struct rdb_elements *elements)
{
    struct walk count = {.block = block, .pass = PASS_COUNT};
    block_walk_elements(&count, elements);
    if (!rdb_block_flush(block) || !block_make_ready(block, db))
        return false;
    block_put_key(block, key, RDB_LIST_QUICKLIST_2);
    block_put_length(block, count.nodes);
    /* The head goes first: what is passed to the sink later goes without one. */
    if (!rdb_block_flush(block))
        return false;
    struct walk nodes = {.block = block, .pass = PASS_LONG};
    return block_walk_elements(&nodes, elements) && rdb_block_flush(block);
}

bool rdb_block_list(struct rdb_block *block, uint64_t db, const struct rdb_key *key,
                    const struct rdb_elements *elements)
{
    if (!block_make_ready(block, db))
        return false;
    size_t start = block->bytes.len;
    block_put_key(block, key, RDB_LIST_QUICKLIST_2);
    size_t number_at = block->bytes.len;
    block_put_byte(block, 0);
    struct walk walk = {
        .block = block, .pass = PASS_SHORT, .limit = block->bytes.len + SHORT_BYTES};
    bool is_short = block_walk_elements(&walk, elements);
    if (is_short && walk.nodes > 0) {
        block->bytes.data[number_at] = (uint8_t)walk.nodes;
        return true;
    }
    block->bytes.len = start;
    block->count--;
    return is_short || block_emit_long_list(block, db, key, elements);
}
