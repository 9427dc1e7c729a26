/* Decodes header blocks, or recognises repeated ones. Knows nothing of streams. */
#include "http2/decoder.h"

#include "base/check.h"
#include "base/mem.h"
#include "http2/rules.h"

#include <stdlib.h>

/* RFC 9113, 6.5.2: the overhead of a field beyond its name and value. */
#define FIELD_OVERHEAD 32
/* The maximum size of the dynamic table (SETTINGS_HEADER_TABLE_SIZE is left at its default). */
#define TABLE_SIZE ((size_t)4096)
/* The longest string literal that nghttp2's inflater accepts. */
#define LONGEST_STRING ((size_t)65536)
/* The start of a field that is larger than the table and so empties it (RFC 7541, 4.4): a literal
 * with incremental indexing and a new name (0x40), the name "x", and the length TABLE_SIZE of its
 * value as an integer of RFC 7541, 5.1. */
#define CLEARING_HEAD "\x40\x01x\x7f\x81\x1f"

/* nghttp2's allocator: it reports when memory runs out, and only that connection ends. */
static void *decoder_allocate(size_t size, void *user)
{
    (void)user;
    return mem_try_alloc(size);
}

static void *decoder_allocate_zero(size_t count, size_t size, void *user)
{
    (void)user;
    return mem_try_alloc_zero(count, size);
}

static void *decoder_reallocate(void *memory, size_t size, void *user)
{
    (void)user;
    return mem_try_realloc(memory, size);
}

static void decoder_release(void *memory, void *user)
{
    (void)user;
    free(memory);
}

void decoder_init(struct decoder *decoder)
{
    static nghttp2_mem memory = {.malloc = decoder_allocate,
                                 .calloc = decoder_allocate_zero,
                                 .realloc = decoder_reallocate,
                                 .free = decoder_release};
    *decoder = (struct decoder){.max_inflated = SIZE_MAX};
    if (nghttp2_hd_inflate_new2(&decoder->inflater, &memory) != 0)
        decoder->inflater = NULL;
}

void decoder_deinit(struct decoder *decoder)
{
    if (decoder->inflater != NULL)
        nghttp2_hd_inflate_del(decoder->inflater);
    for (size_t i = 0; i < DECODER_MEMOS; i++)
        fields_deinit(&decoder->memos[i].fields);
}

/* RFC 7541, 5.1: skips an integer with a prefix of `bits` bits. */
static bool decoder_skip_integer(struct slice *bytes, unsigned bits, size_t *number)
{
    size_t limit = ((size_t)1 << bits) - 1;
    if (bytes->len == 0)
        return false;
    *number = bytes->data[0] & limit;
    *bytes = slice_skip(*bytes, 1);
    if (*number < limit)
        return true;
    for (unsigned shift = 0; bytes->len > 0 && shift < 28; shift += 7) {
        uint8_t byte = bytes->data[0];
        *number += (size_t)(byte & 0x7f) << shift;
        *bytes = slice_skip(*bytes, 1);
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

static bool decoder_skip_string(struct slice *bytes)
{
    size_t len;
    if (!decoder_skip_integer(bytes, 7, &len) || len > bytes->len)
        return false;
    *bytes = slice_skip(*bytes, len);
    return true;
}

/* A literal without indexing, or never indexed (RFC 7541, 6.2.2 and 6.2.3). */
static bool decoder_skip_literal(struct slice *bytes)
{
    size_t name;
    return decoder_skip_integer(bytes, 4, &name) && (name > 0 || decoder_skip_string(bytes)) &&
           decoder_skip_string(bytes);
}

/* True if the block leaves the dynamic table alone: it has only indexed fields and literals that
 * are not added. */
static bool decoder_is_stable(struct slice bytes)
{
    while (bytes.len > 0) {
        size_t index;
        uint8_t first = bytes.data[0];
        bool skipped = (first & 0x80) != 0   ? decoder_skip_integer(&bytes, 7, &index)
                       : (first & 0xe0) == 0 ? decoder_skip_literal(&bytes)
                                             : false;
        if (!skipped)
            return false;
    }
    return true;
}

/* True from a block's second occurrence on, unless too many others came in between. */
static bool decoder_is_repeated(struct decoder *decoder, struct slice bytes)
{
    uint32_t hash = 2166136261u; /* FNV-1a: it only has to distinguish a few blocks */
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.data[i]) * 16777619u;
    uint32_t *seen = &decoder->seen[hash % DECODER_SEEN];
    bool again = *seen == hash;
    *seen = hash;
    return again;
}

static const struct decoder_memo *decoder_find_memo(const struct decoder *decoder,
                                                    struct slice bytes)
{
    for (size_t i = 0; i < DECODER_MEMOS; i++) {
        const struct decoder_memo *memo = &decoder->memos[i];
        if (memo->len == bytes.len && memo->table_version == decoder->table_version &&
            memo->id != 0 && memcmp(memo->block, bytes.data, bytes.len) == 0)
            return memo;
    }
    return NULL;
}

static void decoder_remember(struct decoder *decoder, struct slice bytes, struct fields *scratch,
                             struct decoder_block *block)
{
    CHECK(bytes.len <= DECODER_MEMO_BYTES);
    decoder->last_id = decoder->last_id == UINT32_MAX ? 1 : decoder->last_id + 1;
    struct decoder_memo *memo = &decoder->memos[decoder->last_id % DECODER_MEMOS];
    fields_deinit(&memo->fields);
    memcpy(memo->block, bytes.data, bytes.len);
    memo->len = (uint8_t)bytes.len;
    memo->id = decoder->last_id;
    memo->table_version = decoder->table_version;
    memo->content_length = block->content_length;
    memo->fields = *scratch;
    *scratch = (struct fields){0};
    block->fields = memo->fields.items;
    block->id = memo->id;
}

/* The state of decoding one block. */
struct inflating {
    struct rules rules;
    size_t bytes_left; /* of fields still accepted, overhead included */
    size_t inflated;   /* bytes of fields decoded, overhead included */
    size_t text;       /* the same without overhead */
    enum decoder_verdict verdict;
    struct fields *fields;
};

/* Values of gRPC metadata may have leading and trailing whitespace, which is not part of them (RFC
 * 9110, 5.5). */
static struct slice decoder_strip_blanks(struct slice value)
{
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value = slice_skip(value, 1);
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    return value;
}

/* Checks and keeps one field; the first fault decides the verdict on the block. Fields of a
 * malformed block and fields that do not fit are decoded only to keep the table in step. */
static void decoder_take_field(struct inflating *inflating, const nghttp2_nv *nv)
{
    struct slice name = slice_make(nv->name, nv->namelen);
    struct slice value = slice_make(nv->value, nv->valuelen);
    size_t size = name.len + value.len + FIELD_OVERHEAD;
    inflating->inflated += size;
    inflating->text += name.len + value.len;
    DCHECK(inflating->text <= inflating->inflated);
    if (inflating->verdict == DECODER_MALFORMED)
        return;
    if (size > inflating->bytes_left) {
        inflating->verdict = DECODER_TOO_LARGE;
        return;
    }
    inflating->bytes_left -= size;
    if (name.len > 0 && name.data[0] != ':')
        value = decoder_strip_blanks(value);
    if (rules_check_field(&inflating->rules, name, value) == RULES_GOOD)
        fields_add(inflating->fields, name, value);
    else if (inflating->verdict == DECODER_GOOD)
        inflating->verdict = DECODER_MALFORMED;
}

/* Decodes the next part of a block, which ends at a field boundary; with `final`, the last part.
 * False if the dynamic table is lost. */
static bool decoder_inflate_part(struct decoder *decoder, struct slice bytes, bool final,
                                 struct inflating *inflating)
{
    if (decoder->inflater == NULL) {
        inflating->verdict = DECODER_NO_MEMORY;
        return false;
    }
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used =
            nghttp2_hd_inflate_hd2(decoder->inflater, &nv, &flags, bytes.data, bytes.len, final);
        if (used < 0) {
            inflating->verdict = used == NGHTTP2_ERR_NOMEM ? DECODER_NO_MEMORY : DECODER_BROKEN;
            return false;
        }
        CHECK((size_t)used <= bytes.len);
        bytes = slice_skip(bytes, (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            decoder_take_field(inflating, &nv);
        if (inflating->inflated > decoder->max_inflated) {
            inflating->verdict = DECODER_ENDLESS;
            return false;
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0 || (!final && bytes.len == 0))
            return true;
    }
}

/* Empties the dynamic table by a field that is larger than the table. */
static bool decoder_clear_table(struct decoder *decoder)
{
    static const uint8_t field[sizeof CLEARING_HEAD - 1 + TABLE_SIZE] = CLEARING_HEAD;
    struct inflating unseen = {.verdict = DECODER_MALFORMED};
    return decoder_inflate_part(decoder, slice_make(field, sizeof field), false, &unseen);
}

/* The length of the string literal that starts there, or 0 if it is malformed. */
static size_t decoder_string_length(struct slice bytes)
{
    size_t len;
    return decoder_skip_integer(&bytes, 7, &len) ? len : 0;
}

/*
 * Skips the field that starts there, of any representation. False if it is truncated. *is_long: it
 * has a string that is too long for nghttp2; *is_indexed: it is to be added to the dynamic table.
 */
static bool decoder_skip_field(struct slice *bytes, bool *is_long, bool *is_indexed)
{
    size_t number;
    uint8_t first = bytes->data[0];
    *is_long = false;
    *is_indexed = (first & 0xc0) == 0x40;
    if ((first & 0x80) != 0)
        return decoder_skip_integer(bytes, 7, &number);
    if ((first & 0xe0) == 0x20) /* a dynamic table size update */
        return decoder_skip_integer(bytes, 5, &number);
    if (!decoder_skip_integer(bytes, *is_indexed ? 6 : 4, &number))
        return false;
    if (number == 0) {
        *is_long = decoder_string_length(*bytes) > LONGEST_STRING;
        if (!decoder_skip_string(bytes))
            return false;
    }
    *is_long = *is_long || decoder_string_length(*bytes) > LONGEST_STRING;
    return decoder_skip_string(bytes);
}

/* As decoder_inflate_part(), for a whole block that may have strings too long for nghttp2: a field
 * with one is too large in any case, and its only effect on the table is to empty it. */
static bool decoder_inflate_long(struct decoder *decoder, struct slice bytes,
                                 struct inflating *inflating)
{
    struct slice part = bytes; /* what comes before the next long field */
    while (bytes.len > 0) {
        const uint8_t *start = bytes.data;
        bool is_long, is_indexed;
        if (!decoder_skip_field(&bytes, &is_long, &is_indexed))
            break; /* nghttp2 will report it */
        if (!is_long)
            continue;
        part.len = (size_t)(start - part.data);
        if (part.len > 0 && !decoder_inflate_part(decoder, part, false, inflating))
            return false;
        if (is_indexed && !decoder_clear_table(decoder))
            return false;
        inflating->verdict = DECODER_TOO_LARGE;
        part = bytes;
    }
    return decoder_inflate_part(decoder, part, true, inflating);
}

static void decoder_inflate(struct decoder *decoder, struct slice bytes,
                            struct inflating *inflating)
{
    bool whole = bytes.len > LONGEST_STRING ? decoder_inflate_long(decoder, bytes, inflating)
                                            : decoder_inflate_part(decoder, bytes, true, inflating);
    if (!whole)
        return;
    nghttp2_hd_inflate_end_headers(decoder->inflater);
    if (inflating->verdict == DECODER_GOOD && !rules_check_end(&inflating->rules))
        inflating->verdict = DECODER_MALFORMED;
}

enum decoder_verdict decoder_read(struct decoder *decoder, struct slice bytes, bool trailers,
                                  size_t max_bytes, struct fields *scratch,
                                  struct decoder_block *block)
{
    const struct decoder_memo *memo = trailers ? NULL : decoder_find_memo(decoder, bytes);
    if (memo != NULL) {
        *block = (struct decoder_block){.fields = memo->fields.items,
                                        .count = memo->fields.count,
                                        .id = memo->id,
                                        .content_length = memo->content_length};
        return DECODER_GOOD;
    }
    bool stable = decoder_is_stable(bytes);
    if (!stable)
        decoder->table_version++;
    struct inflating inflating = {.bytes_left = max_bytes, .fields = scratch};
    fields_clear(scratch);
    rules_init(&inflating.rules, trailers);
    decoder_inflate(decoder, bytes, &inflating);
    *block = (struct decoder_block){.fields = scratch->items,
                                    .count = scratch->count,
                                    .bomb = inflating.text > 2 * bytes.len + 2 * TABLE_SIZE,
                                    .content_length = inflating.rules.content_length};
    if (inflating.rules.connect)
        block->content_length = -1;
    if (inflating.verdict == DECODER_GOOD && stable && !trailers &&
        bytes.len <= DECODER_MEMO_BYTES && decoder_is_repeated(decoder, bytes))
        decoder_remember(decoder, bytes, scratch, block);
    return inflating.verdict;
}
