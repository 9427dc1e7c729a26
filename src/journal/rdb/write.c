/* The frame of an RDB file: header, fields, checksum. Knows no values; block.c does. */
#include "journal/rdb/write.h"

#include "base/decimal.h"
#include "journal/rdb/crc64.h"
#include "journal/rdb/encode.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the checksum is written as it is");

void rdb_write_init(struct rdb_write *write, struct rdb_sink sink)
{
    *write = (struct rdb_write){.sink = sink};
}

bool rdb_write_bytes(void *write, struct slice bytes)
{
    struct rdb_write *self = write;
    if (self->failed)
        return false;
    self->crc = crc64_update(self->crc, bytes);
    self->size += bytes.len;
    self->failed = !self->sink.write(self->sink.context, bytes);
    return !self->failed;
}

bool rdb_write_header(struct rdb_write *write, uint64_t revision)
{
    static const char magic[] = RDB_MAGIC "0010";
    _Static_assert(RDB_VERSION == 10 && sizeof magic == RDB_MAGIC_SIZE + 1, "as in the digits");
    uint8_t digits[DECIMAL_MAX];
    return rdb_write_bytes(write, SLICE_LITERAL(magic)) &&
           rdb_write_aux(write, SLICE_LITERAL(RDB_AUX_REVISION),
                         decimal_write((int64_t)revision, digits));
}

/* Writes a string, whose bytes are not copied if it is long. */
static bool write_string(struct rdb_write *write, struct slice bytes)
{
    uint8_t out[RDB_ENCODE_LENGTH + 64];
    if (bytes.len <= 64)
        return rdb_write_bytes(write, slice_make(out, rdb_encode_string(out, bytes)));
    return rdb_write_bytes(write, slice_make(out, rdb_encode_length(out, bytes.len))) &&
           rdb_write_bytes(write, bytes);
}

bool rdb_write_aux(struct rdb_write *write, struct slice name, struct slice value)
{
    static const uint8_t opcode[] = {RDB_AUX};
    return rdb_write_bytes(write, slice_make(opcode, 1)) && write_string(write, name) &&
           write_string(write, value);
}

bool rdb_write_sizes(struct rdb_write *write, uint64_t db, uint64_t keys, uint64_t expiring)
{
    uint8_t out[2 + 3 * RDB_ENCODE_LENGTH];
    size_t size = 0;
    out[size++] = RDB_SELECTDB;
    size += rdb_encode_length(out + size, db);
    out[size++] = RDB_RESIZEDB;
    size += rdb_encode_length(out + size, keys);
    size += rdb_encode_length(out + size, expiring);
    return rdb_write_bytes(write, slice_make(out, size));
}

bool rdb_write_end(struct rdb_write *write)
{
    static const uint8_t opcode[] = {RDB_EOF};
    if (!rdb_write_bytes(write, slice_make(opcode, 1)))
        return false;
    uint64_t crc = write->crc;
    return rdb_write_bytes(write, slice_make(&crc, sizeof crc));
}
