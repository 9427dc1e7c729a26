/* An HPACK encoder for a handful of fields. Does not know frames and what the fields mean. */
#include "bench/hpack.h"

#include "base/check.h"

#define STATIC_ENTRIES 61
#define ENTRY_OVERHEAD 32

/* The part of RFC 7541's appendix A that requests need; an empty value means that only the name
 * fits. */
static const struct {
    uint8_t index;
    struct slice name;
    struct slice value;
} static_fields[] = {
    {1, SLICE_LITERAL(":authority"), {NULL, 0}},
    {3, SLICE_LITERAL(":method"), SLICE_LITERAL("POST")},
    {4, SLICE_LITERAL(":path"), {NULL, 0}},
    {6, SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")},
    {31, SLICE_LITERAL("content-type"), {NULL, 0}},
    {58, SLICE_LITERAL("user-agent"), {NULL, 0}},
};
#define STATIC_FIELDS (sizeof static_fields / sizeof static_fields[0])

static void hpack_put_bytes(struct buf *out, struct slice bytes)
{
    bool fits = buf_append(out, bytes);
    CHECK(fits); /* the caller's buffer is large enough for any header block of ours */
}

static void hpack_put_byte(struct buf *out, uint8_t byte)
{
    hpack_put_bytes(out, slice_make(&byte, 1));
}

/* An integer (5.1) whose first byte has `pattern` above its `bits` low bits. */
static void hpack_put_integer(struct buf *out, uint8_t pattern, unsigned bits, size_t value)
{
    size_t limit = ((size_t)1 << bits) - 1;
    if (value < limit) {
        hpack_put_byte(out, (uint8_t)(pattern | value));
        return;
    }
    hpack_put_byte(out, (uint8_t)(pattern | limit));
    for (value -= limit; value >= 128; value >>= 7)
        hpack_put_byte(out, (uint8_t)(0x80 | (value & 0x7f)));
    hpack_put_byte(out, (uint8_t)value);
}

static void hpack_put_string(struct buf *out, struct slice text)
{
    hpack_put_integer(out, 0x00, 7, text.len);
    hpack_put_bytes(out, text);
}

/* A literal whose index part has that pattern; the name by index if the static table has it. */
static void hpack_put_literal(struct buf *out, uint8_t pattern, unsigned bits, struct slice name,
                              struct slice value)
{
    size_t index = 0;
    for (size_t i = 0; i < STATIC_FIELDS; i++)
        if (slice_equal(static_fields[i].name, name))
            index = static_fields[i].index;
    hpack_put_integer(out, pattern, bits, index);
    if (index == 0)
        hpack_put_string(out, name);
    hpack_put_string(out, value);
}

static bool hpack_put_static(struct buf *out, struct slice name, struct slice value)
{
    for (size_t i = 0; i < STATIC_FIELDS; i++) {
        if (static_fields[i].value.len > 0 && slice_equal(static_fields[i].name, name) &&
            slice_equal(static_fields[i].value, value)) {
            hpack_put_integer(out, 0x80, 7, static_fields[i].index);
            return true;
        }
    }
    return false;
}

void hpack_put(struct hpack *table, struct buf *out, struct slice name, struct slice value)
{
    if (hpack_put_static(out, name, value))
        return;
    for (size_t i = 0; i < table->count; i++) {
        if (slice_equal(table->entries[i].name, name) &&
            slice_equal(table->entries[i].value, value)) {
            /* The newest entry has the lowest index. */
            hpack_put_integer(out, 0x80, 7, STATIC_ENTRIES + table->count - i);
            return;
        }
    }
    CHECK(table->count < HPACK_MAX_ENTRIES);
    hpack_put_literal(out, 0x40, 6, name, value);
    table->entries[table->count].name = name;
    table->entries[table->count].value = value;
    table->count++;
    table->size += name.len + value.len + ENTRY_OVERHEAD;
}

void hpack_put_stateless(struct buf *out, struct slice name, struct slice value)
{
    if (!hpack_put_static(out, name, value))
        hpack_put_literal(out, 0x00, 4, name, value);
}

void hpack_put_table_size(struct buf *out, uint32_t size)
{
    hpack_put_integer(out, 0x20, 5, size);
}
