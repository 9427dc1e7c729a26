/*
 * Tests of http2/decoder.c: whatever a client's HPACK does, the fields are those that a plain
 * inflater finds, and a memoised block decodes to the same fields.
 */
#include "http2/decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/seeded.h"

#define MAX_BYTES    ((size_t)16384)
#define MAX_BLOCK    ((size_t)65536)
#define MAX_FIELDS   16
#define MAX_IDS      4096
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A decoder, and the plain inflater that it is compared with. */
struct reader {
    struct decoder decoder;
    struct fields scratch;
    struct decoder_block block;
    nghttp2_hd_inflater *plain;
    struct fields expected;
    bool plain_broken;
    struct fields *by_id; /* MAX_IDS of them: the first decoding of each memoised block */
    size_t hits;          /* blocks that were recalled */
};

static struct reader *new_reader(void)
{
    struct reader *reader = calloc(1, sizeof *reader);
    decoder_init(&reader->decoder);
    assert_int_equal(nghttp2_hd_inflate_new(&reader->plain), 0);
    reader->by_id = calloc(MAX_IDS, sizeof *reader->by_id);
    return reader;
}

static void free_reader(struct reader *reader)
{
    decoder_deinit(&reader->decoder);
    fields_deinit(&reader->scratch);
    fields_deinit(&reader->expected);
    nghttp2_hd_inflate_del(reader->plain);
    for (size_t i = 0; i < MAX_IDS; i++)
        fields_deinit(&reader->by_id[i]);
    free(reader->by_id);
    free(reader);
}

static void inflate_plainly(struct reader *reader, struct slice bytes)
{
    fields_clear(&reader->expected);
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used =
            nghttp2_hd_inflate_hd2(reader->plain, &field, &flags, bytes.data, bytes.len, 1);
        reader->plain_broken = used < 0;
        if (reader->plain_broken)
            return;
        bytes = slice_skip(bytes, (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            fields_add(&reader->expected, slice_make(field.name, field.namelen),
                       slice_make(field.value, field.valuelen));
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            break;
    }
    assert_int_equal(nghttp2_hd_inflate_end_headers(reader->plain), 0);
}

static void assert_same_fields(const struct http2_field *fields, size_t count,
                               const struct fields *expected)
{
    assert_int_equal(count, expected->count);
    for (size_t i = 0; i < count; i++) {
        assert_true(slice_equal(fields[i].name, expected->items[i].name));
        assert_true(slice_equal(fields[i].value, expected->items[i].value));
    }
}

/* An id always means the same fields. */
static void check_id(struct reader *reader)
{
    const struct decoder_block *block = &reader->block;
    if (block->id == 0)
        return;
    assert_true(block->id < MAX_IDS);
    struct fields *known = &reader->by_id[block->id];
    if (known->count > 0) {
        reader->hits++;
        assert_same_fields(block->fields, block->count, known);
        return;
    }
    for (size_t i = 0; i < block->count; i++)
        fields_add(known, block->fields[i].name, block->fields[i].value);
}

static enum decoder_verdict read_block(struct reader *reader, struct slice bytes, bool trailers)
{
    inflate_plainly(reader, bytes);
    enum decoder_verdict verdict = decoder_read(&reader->decoder, bytes, trailers, MAX_BYTES,
                                                &reader->scratch, &reader->block);
    assert_int_equal(verdict == DECODER_BROKEN, reader->plain_broken);
    if (verdict == DECODER_GOOD) {
        assert_same_fields(reader->block.fields, reader->block.count, &reader->expected);
        check_id(reader);
    }
    return verdict;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)value,
                        .valuelen = strlen(value)};
}

/* A client's side. */
struct writer {
    nghttp2_hd_deflater *deflater;
    uint8_t block[MAX_BLOCK];
};

static struct writer *new_writer(void)
{
    struct writer *writer = calloc(1, sizeof *writer);
    assert_int_equal(nghttp2_hd_deflate_new(&writer->deflater, 4096), 0);
    return writer;
}

static void free_writer(struct writer *writer)
{
    nghttp2_hd_deflate_del(writer->deflater);
    free(writer);
}

static struct slice deflate(struct writer *writer, const nghttp2_nv *fields, size_t count)
{
    ssize_t len = nghttp2_hd_deflate_hd(writer->deflater, writer->block, MAX_BLOCK, fields, count);
    assert_true(len >= 0);
    return slice_make(writer->block, (size_t)len);
}

/*
 * A valid request, one of a few, so that blocks repeat; sometimes with a field that never does.
 * nghttp2 does not index paths, except those of the static table.
 */
static struct slice deflate_request(struct writer *writer, uint64_t *random, bool novel)
{
    static const char *const paths[] = {"/", "/index.html"};
    static const char *const routes[] = {"one", "two", "three", "four"};
    char text[32];
    size_t count = 0;
    nghttp2_nv fields[MAX_FIELDS];
    fields[count++] = field(":method", "POST");
    fields[count++] = field(":scheme", "http");
    fields[count++] = field(":path", paths[seeded_below(random, 8) == 0]);
    fields[count++] = field(":authority", seeded_below(random, 16) == 0 ? "other" : "host");
    fields[count++] = field("te", "trailers");
    fields[count++] = field("route", routes[seeded_below(random, COUNT(routes))]);
    if (seeded_below(random, 30) == 0)
        fields[count++] = field("content-length", "17");
    if (novel) {
        snprintf(text, sizeof text, "%u", seeded_below(random, INT32_MAX));
        fields[count] = field("novel", text);
        if (seeded_below(random, 2) == 0)
            fields[count].flags = NGHTTP2_NV_FLAG_NO_INDEX;
        count++;
    }
    return deflate(writer, fields, count);
}

static void test_random_requests_are_what_an_inflater_says(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    size_t hits = 0;
    for (int connection = 0; connection < 50; connection++) {
        struct reader *reader = new_reader();
        struct writer *writer = new_writer();
        for (int i = 0; i < 400; i++) {
            if (seeded_below(&random, 30) == 0) /* within the 4,096 that we allow */
                nghttp2_hd_deflate_change_table_size(
                    writer->deflater, seeded_below(&random, 2) * 150 + seeded_below(&random, 400));
            struct slice block = deflate_request(writer, &random, seeded_below(&random, 50) == 0);
            assert_int_equal(read_block(reader, block, false), DECODER_GOOD);
            assert_true(reader->block.content_length == -1 || reader->block.content_length == 17);
        }
        hits += reader->hits;
        free_reader(reader);
        free_writer(writer);
    }
    assert_true(hits > 1000);
}

/* Corrupted blocks of a client, and random bytes. */
static void test_random_bytes_are_broken_when_an_inflater_says_so(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    size_t broken = 0, whole = 0;
    for (int connection = 0; connection < 3000; connection++) {
        struct reader *reader = new_reader();
        struct writer *writer = new_writer();
        enum decoder_verdict verdict = DECODER_GOOD;
        for (int i = 0; i < 20 && verdict != DECODER_BROKEN; i++) {
            struct slice block = deflate_request(writer, &random, true);
            size_t len = 1 + seeded_below(&random, (uint32_t)block.len);
            if (seeded_below(&random, 2) == 0)
                writer->block[seeded_below(&random, (uint32_t)len)] =
                    (uint8_t)seeded_below(&random, 256);
            else
                seeded_fill(&random, writer->block, len = seeded_below(&random, 6));
            bool trailers = seeded_below(&random, 2) == 0;
            inflate_plainly(reader, slice_make(writer->block, len));
            verdict = decoder_read(&reader->decoder, slice_make(writer->block, len), trailers,
                                   MAX_BYTES, &reader->scratch, &reader->block);
            assert_int_equal(verdict == DECODER_BROKEN, reader->plain_broken);
        }
        *(verdict == DECODER_BROKEN ? &broken : &whole) += 1;
        free_reader(reader);
        free_writer(writer);
    }
    assert_true(broken > 100);
    assert_true(broken + whole == 3000);
}

static const nghttp2_nv *plain_request(void)
{
    static nghttp2_nv fields[4];
    fields[0] = field(":method", "POST");
    fields[1] = field(":scheme", "http");
    fields[2] = field(":path", "/");
    fields[3] = field(":authority", "host");
    return fields;
}

static void read_plain_request(struct reader *reader, struct writer *writer)
{
    assert_int_equal(read_block(reader, deflate(writer, plain_request(), 4), false), DECODER_GOOD);
}

static void test_a_block_of_indexes_is_remembered(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    struct writer *writer = new_writer();
    read_plain_request(reader, writer); /* fills the table */
    assert_int_equal(reader->block.id, 0);
    read_plain_request(reader, writer); /* indexed fields only, but may never repeat */
    assert_int_equal(reader->block.id, 0);
    read_plain_request(reader, writer);
    uint32_t id = reader->block.id;
    assert_true(id != 0);
    for (int i = 0; i < 5; i++) {
        read_plain_request(reader, writer);
        assert_int_equal(reader->block.id, id);
    }
    assert_int_equal(reader->hits, 5);
    free_reader(reader);
    free_writer(writer);
}

/* As h2load and other clients on nghttp2 do with :path. */
static void test_literals_that_stay_out_of_the_table_are_remembered_too(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    struct writer *writer = new_writer();
    read_plain_request(reader, writer); /* fills the table */
    uint8_t bytes[64];
    struct slice block = deflate(writer, plain_request(), 4);
    memcpy(bytes, block.data, block.len);
    static const uint8_t literals[][7] = {
        {0x00, 1, 'x', 1, 'a'},         /* without indexing, new name */
        {0x10, 1, 'x', 1, 'a'},         /* never indexed, new name */
        {0x0f, 0x10, 3, 'g', 'z', 'i'}, /* without indexing, the name of entry 31 */
    };
    for (size_t i = 0; i < 3; i++) {
        size_t len = i == 2 ? 6 : 5;
        memcpy(bytes + block.len, literals[i], len);
        struct slice whole = slice_make(bytes, block.len + len);
        for (int times = 1; times <= 4; times++) {
            assert_int_equal(read_block(reader, whole, false), DECODER_GOOD);
            assert_int_equal(reader->block.count, 5);
            assert_true((reader->block.id != 0) == (times > 1));
        }
    }
    /* A block with a literal that is added to the table is not memoised, and earlier memos become
     * invalid. */
    memcpy(bytes + block.len, (const uint8_t[]){0x40, 1, 'x', 1, 'a'}, 5);
    assert_int_equal(read_block(reader, slice_make(bytes, block.len + 5), false), DECODER_GOOD);
    assert_int_equal(reader->block.id, 0);
    free_reader(reader);
    free_writer(writer);
}

/* The same bytes mean something else once the table has changed. */
static void test_a_change_of_the_table_forgets(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    struct writer *writer = new_writer();
    read_plain_request(reader, writer);
    read_plain_request(reader, writer);
    uint8_t bytes[64];
    struct slice block = deflate(writer, plain_request(), 4);
    assert_true(block.len <= sizeof bytes);
    memcpy(bytes, block.data, block.len);
    assert_int_equal(read_block(reader, slice_make(bytes, block.len), false), DECODER_GOOD);
    assert_int_equal(read_block(reader, slice_make(bytes, block.len), false), DECODER_GOOD);
    assert_true(reader->block.id != 0);
    const nghttp2_nv other[] = {plain_request()[0], plain_request()[1], plain_request()[2],
                                field(":authority", "newer")};
    assert_int_equal(read_block(reader, deflate(writer, other, 4), false), DECODER_GOOD);
    /* The same index now refers to the newer authority. */
    assert_int_equal(read_block(reader, slice_make(bytes, block.len), false), DECODER_GOOD);
    assert_true(slice_equal(reader->block.fields[3].value, SLICE_LITERAL("newer")));
    free_reader(reader);
    free_writer(writer);
}

static void test_trailers_are_not_remembered_as_a_request(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    struct writer *writer = new_writer();
    const nghttp2_nv trailers[] = {field("checksum", "1")};
    for (int i = 0; i < 4; i++) {
        struct slice block = deflate(writer, trailers, 1);
        assert_int_equal(read_block(reader, block, true), DECODER_GOOD);
        assert_int_equal(reader->block.id, 0);
        block = deflate(writer, trailers, 1);
        assert_int_equal(read_block(reader, block, false), DECODER_MALFORMED);
    }
    read_plain_request(reader, writer);
    read_plain_request(reader, writer);
    read_plain_request(reader, writer);
    assert_int_equal(read_block(reader, deflate(writer, plain_request(), 4), true),
                     DECODER_MALFORMED);
    free_reader(reader);
    free_writer(writer);
}

static void test_malformed_and_too_large_blocks_leave_the_table_right(void **state)
{
    (void)state;
    static char huge[9000];
    struct reader *reader = new_reader();
    struct writer *writer = new_writer();
    memset(huge, 'h', sizeof huge - 1);
    const nghttp2_nv malformed[] = {field("Upper", "case"), field("kept", "in the table")};
    const nghttp2_nv large[] = {plain_request()[0], plain_request()[1], plain_request()[2],
                                plain_request()[3], field("a", huge),   field("b", huge)};
    const nghttp2_nv both[] = {malformed[0], field("a", huge), field("b", huge)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_block(reader, deflate(writer, malformed, 2), false),
                         DECODER_MALFORMED);
        /* The first fault decides the verdict. */
        assert_int_equal(read_block(reader, deflate(writer, both, 3), false), DECODER_MALFORMED);
        assert_int_equal(reader->block.id, 0);
        assert_int_equal(read_block(reader, deflate(writer, large, 6), false), DECODER_TOO_LARGE);
        assert_int_equal(reader->block.id, 0);
        read_plain_request(reader, writer);
    }
    free_reader(reader);
    free_writer(writer);
}

/* A field counts its name, its value and 32 (RFC 9113, 6.5.2). */
static void test_the_limit_of_size_is_exact(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    struct writer *writer = new_writer();
    size_t size = 0;
    for (int i = 0; i < 4; i++)
        size += plain_request()[i].namelen + plain_request()[i].valuelen + 32;
    struct slice block = deflate(writer, plain_request(), 4);
    assert_int_equal(
        decoder_read(&reader->decoder, block, false, size, &reader->scratch, &reader->block),
        DECODER_GOOD);
    assert_int_equal(reader->block.count, 4);
    block = deflate(writer, plain_request(), 4);
    assert_int_equal(
        decoder_read(&reader->decoder, block, false, size - 1, &reader->scratch, &reader->block),
        DECODER_TOO_LARGE);
    free_reader(reader);
    free_writer(writer);
}

static enum decoder_verdict read_as_it_is(struct reader *reader, struct slice bytes)
{
    return decoder_read(&reader->decoder, bytes, false, MAX_BYTES, &reader->scratch,
                        &reader->block);
}

#define PLAIN_REQUEST "\x83\x86\x84\x01\x01h"

/* A string of more than 64 KiB, which nghttp2 refuses: added to the table, it empties the table. */
static void test_strings_without_end_are_passed_over(void **state)
{
    (void)state;
    static const char *const heads[] = {"\x40\x01x", "\x00\x01x", "\x10\x01x", "\x0f\x10"};
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct reader *reader = new_reader();
        struct buf block;
        buf_init(&block, SIZE_MAX);
        assert_int_equal(read_as_it_is(reader, SLICE_LITERAL(PLAIN_REQUEST "\x40\x01n\x01v")),
                         DECODER_GOOD);
        assert_true(buf_append(&block, SLICE_LITERAL(PLAIN_REQUEST "\xbe")));
        size_t head = i == 1 ? 3 : strlen(heads[i]);
        assert_true(buf_append(&block, slice_make(heads[i], head)));
        assert_true(buf_append(&block, SLICE_LITERAL("\x7f\x81\xff\x06"))); /* 114,688 */
        static const uint8_t value[114688];
        assert_true(buf_append(&block, slice_make(value, sizeof value)));
        assert_true(buf_append(&block, SLICE_LITERAL("\x40\x01m\x01w")));
        assert_int_equal(read_as_it_is(reader, buf_slice(&block)), DECODER_TOO_LARGE);
        assert_int_equal(reader->block.count, 6); /* those that fit, before and after it */
        assert_true(slice_equal(reader->block.fields[4].name, SLICE_LITERAL("n")));
        assert_true(slice_equal(reader->block.fields[5].value, SLICE_LITERAL("w")));
        assert_int_equal(read_as_it_is(reader, SLICE_LITERAL(PLAIN_REQUEST "\xbe")), DECODER_GOOD);
        assert_true(slice_equal(reader->block.fields[4].name, SLICE_LITERAL("m")));
        bool was_emptied = i == 0;
        assert_int_equal(read_as_it_is(reader, SLICE_LITERAL(PLAIN_REQUEST "\xbf")),
                         was_emptied ? DECODER_BROKEN : DECODER_GOOD);
        buf_deinit(&block);
        free_reader(reader);
    }
}

/* Truncated anywhere within its long string. */
static void test_a_long_string_that_is_cut_off_is_broken(void **state)
{
    (void)state;
    static uint8_t block[70000] = "\x40\x01x\x7f\x81\xff\x06";
    struct reader *reader = new_reader();
    assert_int_equal(read_as_it_is(reader, slice_make(block, sizeof block)), DECODER_BROKEN);
    free_reader(reader);
}

/* Decoding stops; nothing can be decoded after that. */
static void test_what_is_inflated_has_a_bound(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    reader->decoder.max_inflated = 43 + 43 + 38 + 43;
    assert_int_equal(read_as_it_is(reader, SLICE_LITERAL(PLAIN_REQUEST)), DECODER_GOOD);
    assert_int_equal(read_as_it_is(reader, SLICE_LITERAL(PLAIN_REQUEST "\x84")), DECODER_ENDLESS);
    free_reader(reader);
}

static void test_blanks_around_values_are_stripped(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    assert_int_equal(read_as_it_is(reader, SLICE_LITERAL(PLAIN_REQUEST "\x00\x01x\x06 \ta b\t"
                                                                       "\x00\x01y\x02 \t")),
                     DECODER_GOOD);
    assert_true(slice_equal(reader->block.fields[4].value, SLICE_LITERAL("a b")));
    assert_true(slice_equal(reader->block.fields[5].value, SLICE_LITERAL("")));
    assert_int_equal(read_as_it_is(reader, SLICE_LITERAL("\x83\x86\x04\x02/ ")),
                     DECODER_MALFORMED); /* a path is no metadata */
    free_reader(reader);
}

static void test_what_no_inflater_takes_is_broken(void **state)
{
    (void)state;
    static const struct slice blocks[] = {
        SLICE_LITERAL("\x80"), /* index 0 */
        SLICE_LITERAL("\xc0"), /* an index that the table does not have */
        SLICE_LITERAL("\xff"), /* an index that ends in the middle */
        SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff"),
        SLICE_LITERAL("\x3f\xe2\x1f"),      /* a table of 4,097 bytes */
        SLICE_LITERAL("\x82\x20"),          /* a size update after a field */
        SLICE_LITERAL("\x40\x01"),          /* a missing name */
        SLICE_LITERAL("\x40\x81\xff\x01x"), /* Huffman padding of eight bits */
    };
    for (size_t i = 0; i < COUNT(blocks); i++) {
        struct reader *reader = new_reader();
        if (read_block(reader, blocks[i], false) != DECODER_BROKEN)
            fail_msg("block %zu is not broken", i);
        free_reader(reader);
    }
}

static void test_an_empty_block_is_no_request_but_good_trailers(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    assert_int_equal(read_block(reader, slice_make(NULL, 0), false), DECODER_MALFORMED);
    assert_int_equal(read_block(reader, slice_make(NULL, 0), true), DECODER_GOOD);
    assert_int_equal(read_block(reader, slice_make(NULL, 0), false), DECODER_MALFORMED);
    free_reader(reader);
}

/* RFC 9110, 9.3.6: a CONNECT request has no content, whatever content-length says. */
static void test_connect_has_no_content_length(void **state)
{
    (void)state;
    struct reader *reader = new_reader();
    struct writer *writer = new_writer();
    const nghttp2_nv fields[] = {field(":method", "CONNECT"), field(":authority", "host:1"),
                                 field("content-length", "5")};
    assert_int_equal(read_block(reader, deflate(writer, fields, 3), false), DECODER_GOOD);
    assert_int_equal(reader->block.content_length, -1);
    free_reader(reader);
    free_writer(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_requests_are_what_an_inflater_says),
        cmocka_unit_test(test_random_bytes_are_broken_when_an_inflater_says_so),
        cmocka_unit_test(test_a_block_of_indexes_is_remembered),
        cmocka_unit_test(test_literals_that_stay_out_of_the_table_are_remembered_too),
        cmocka_unit_test(test_a_change_of_the_table_forgets),
        cmocka_unit_test(test_trailers_are_not_remembered_as_a_request),
        cmocka_unit_test(test_malformed_and_too_large_blocks_leave_the_table_right),
        cmocka_unit_test(test_the_limit_of_size_is_exact),
        cmocka_unit_test(test_strings_without_end_are_passed_over),
        cmocka_unit_test(test_a_long_string_that_is_cut_off_is_broken),
        cmocka_unit_test(test_what_is_inflated_has_a_bound),
        cmocka_unit_test(test_blanks_around_values_are_stripped),
        cmocka_unit_test(test_what_no_inflater_takes_is_broken),
        cmocka_unit_test(test_an_empty_block_is_no_request_but_good_trailers),
        cmocka_unit_test(test_connect_has_no_content_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
