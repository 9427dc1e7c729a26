/* Tests of journal/log/batch.c: lines can be read back, and any change of line, payload or place is
 * detected. */
#include "journal/log/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <xxhash.h>

#include <cmocka.h>

#include "base/buf.h"
#include "store/seeded.h"

#define LIMIT ((size_t)1024 * 1024)

static struct slice pieces_of(struct buf *log, struct batch *batch, struct slice payload,
                              size_t first)
{
    struct iovec pieces[2] = {
        {.iov_base = (void *)payload.data, .iov_len = first},
        {.iov_base = (uint8_t *)payload.data + first, .iov_len = payload.len - first}};
    uint8_t line[BATCH_MOST_LINE];
    size_t size = batch_format(batch, log->len, pieces, 2, line);
    assert_true(size <= sizeof line);
    assert_true(buf_append(log, slice_make(line, size)));
    assert_true(buf_append(log, payload));
    return buf_slice(log);
}

static void has_the_form_that_is_documented(void **state)
{
    (void)state;
    struct batch batch = {.seq = 42, .ops = 1, .synced = 40};
    struct slice payload = SLICE_LITERAL("*1\r\n$1\r\na\r\n");
    struct iovec piece = {.iov_base = (void *)payload.data, .iov_len = payload.len};
    uint8_t line[BATCH_MOST_LINE + 1] = {0};
    size_t size = batch_format(&batch, 0, &piece, 1, line);
    assert_int_equal(strlen((char *)line), size);
    char expected[64];
    snprintf(expected, sizeof expected, "#KS1 seq=42 ops=1 len=11 xxh3=%016llx",
             (unsigned long long)XXH3_64bits(payload.data, payload.len));
    assert_memory_equal(line, expected, strlen(expected));
    assert_memory_equal(line + size - 11, " synced=40\n", 11);
    assert_int_equal(size, 30 + 32 + 11);
}

static void comes_back(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 500; round++) {
        uint8_t payload[600];
        size_t len = 1 + seeded_below(&random, sizeof payload);
        struct buf log;
        buf_init(&log, LIMIT);
        seeded_fill(&random, payload, len);
        size_t offset = seeded_below(&random, 200);
        assert_non_null(buf_reserve(&log, offset));
        memset(log.data, 'x', offset);
        log.len = offset;
        struct batch written = {.seq = 1 + ((uint64_t)seeded_below(&random, UINT32_MAX) << 31),
                                .ops = 1 + seeded_below(&random, 1000)};
        written.synced = written.seq - 1;
        struct slice text = pieces_of(&log, &written, slice_make(payload, len),
                                      seeded_below(&random, (uint32_t)len));
        struct batch read;
        assert_true(batch_parse(text, offset, &read));
        assert_int_equal(read.seq, written.seq);
        assert_int_equal(read.ops, written.ops);
        assert_int_equal(read.len, len);
        assert_int_equal(read.synced, written.synced);
        assert_int_equal(read.line_size, written.line_size);
        assert_true(batch_check(text, offset, &read));
        assert_false(batch_check(slice_make(text.data, text.len - 1), offset, &read));
        buf_deinit(&log);
    }
}

static void the_longest_line_fits(void **state)
{
    (void)state;
    struct batch batch = {.seq = UINT64_MAX - 1, .ops = 1, .synced = UINT64_MAX - 2};
    struct batch read;
    struct buf log;
    buf_init(&log, LIMIT);
    struct slice text = pieces_of(&log, &batch, SLICE_LITERAL("abc"), 3);
    assert_true(batch_parse(text, 0, &read));
    assert_int_equal(read.seq, UINT64_MAX - 1);
    buf_deinit(&log);
}

static void every_flipped_bit_is_seen(void **state)
{
    (void)state;
    struct batch batch = {.seq = 1099511627776, .ops = 3, .synced = 99511627776};
    struct buf log;
    buf_init(&log, LIMIT);
    struct slice text = pieces_of(&log, &batch, SLICE_LITERAL("some bytes\r\nof a payload\r\n"), 7);
    for (size_t bit = 0; bit < text.len * 8; bit++) {
        struct batch read;
        log.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        bool intact = batch_parse(text, 0, &read);
        assert_true(intact == (bit / 8 >= batch.line_size));
        if (intact)
            assert_false(batch_check(text, 0, &read));
        log.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_deinit(&log);
}

static void every_cut_is_seen(void **state)
{
    (void)state;
    struct batch batch = {.seq = 7, .ops = 1};
    struct batch read;
    struct buf log;
    buf_init(&log, LIMIT);
    struct slice text = pieces_of(&log, &batch, SLICE_LITERAL("payload"), 0);
    for (size_t len = 0; len < text.len; len++) {
        struct slice cut = slice_make(text.data, len);
        assert_true(batch_parse(cut, 0, &read) == (len >= batch.line_size));
        if (len >= batch.line_size)
            assert_false(batch_check(cut, 0, &read));
    }
    buf_deinit(&log);
}

static void a_line_is_only_good_at_its_place(void **state)
{
    (void)state;
    struct batch batch = {.seq = 7, .ops = 1};
    struct batch read;
    struct buf log;
    struct buf moved;
    buf_init(&log, LIMIT);
    buf_init(&moved, LIMIT);
    struct slice text = pieces_of(&log, &batch, SLICE_LITERAL("payload"), 0);
    assert_true(buf_append(&moved, SLICE_LITERAL("\n")));
    assert_true(buf_append(&moved, text));
    assert_true(batch_parse(text, 0, &read));
    assert_false(batch_parse(buf_slice(&moved), 1, &read));
    buf_deinit(&log);
    buf_deinit(&moved);
}

/* What the checks cover but no writer means. */
static void lines_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const struct batch cases[] = {
        {.seq = 5, .ops = 1, .synced = 5},
        {.seq = 0, .ops = 1, .synced = 0},
        {.seq = UINT64_MAX, .ops = 2, .synced = 0},
        {.seq = 5, .ops = 0, .synced = 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct batch batch = cases[i];
        struct batch read;
        struct buf log;
        buf_init(&log, LIMIT);
        assert_false(batch_parse(pieces_of(&log, &batch, SLICE_LITERAL("payload"), 0), 0, &read));
        buf_deinit(&log);
    }
}

static void lines_are_found(void **state)
{
    (void)state;
    struct buf log;
    struct batch read;
    size_t places[3];
    buf_init(&log, LIMIT);
    for (size_t i = 0; i < 3; i++) {
        struct batch batch = {.seq = i + 1, .ops = 1};
        places[i] = log.len;
        /* A mark without a line, and a whole line at a wrong place, are in each payload. */
        struct slice text = pieces_of(&log, &batch, SLICE_LITERAL("#KS1 seq=1 #KS1 \n"), 3);
        if (i == 0)
            assert_true(buf_append(&log, slice_make(text.data, batch.line_size)));
    }
    struct slice text = buf_slice(&log);
    size_t at = 0;
    for (size_t i = 0; i < 3; i++, at++) {
        assert_true(batch_find(text, &at, &read));
        assert_int_equal(at, places[i]);
        assert_int_equal(read.seq, i + 1);
    }
    assert_false(batch_find(text, &at, &read));
    buf_deinit(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_form_that_is_documented),
        cmocka_unit_test(comes_back),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(every_cut_is_seen),
        cmocka_unit_test(a_line_is_only_good_at_its_place),
        cmocka_unit_test(lines_that_make_no_sense_are_refused),
        cmocka_unit_test(lines_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
