/* Tests of journal/rdb/block.c: bytes of small blocks, and round trips through rdb_read(). */
#include "journal/rdb/block.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "journal/rdb_bytes.h"
#include "journal/rdb_sample.h"

static const struct rdb_key plain_key = {.name = {(const uint8_t *)"k", 1}, .version = 999999};

/* What the block passed to the sink after the header of the file. */
static void assert_written(struct sample *sample, size_t from, struct slice expected)
{
    assert_true(rdb_block_flush(&sample->block));
    struct slice written = slice_skip(buf_slice(&sample->bytes), from);
    assert_int_equal(written.len, expected.len);
    assert_memory_equal(written.data, expected.data, expected.len);
}

static void test_a_block_to_the_byte(void **state)
{
    (void)state;
    struct sample sample;
    sample_begin(&sample, false, 0);
    size_t from = sample.bytes.len;
    struct rdb_key second = {
        .name = SLICE_LITERAL("-5"), .expire_at_ms = 0x0102030405060708, .version = 1000000 - 300};
    assert_true(rdb_block_string(&sample.block, 2, &plain_key, SLICE_LITERAL("value")));
    assert_true(rdb_block_string(&sample.block, 2, &second, SLICE_LITERAL("1000")));
    struct slice elements[] = {SLICE_LITERAL("a"), SLICE_LITERAL("7")};
    assert_true(sample_list(&sample, 2, &plain_key, elements, 2));
    assert_written(&sample, from,
                   SLICE_LITERAL("\xfe\x02\xfa\x0bks-versions\x04\x01\xac\x02\x01"
                                 "\x00\x01k\x05value"
                                 "\xfc\x08\x07\x06\x05\x04\x03\x02\x01\x00\xc0\xfb\xc1\xe8\x03"
                                 "\x12\x01k\x01\x02\x0c\x0c\0\0\0\2\0\x81\x61\2\x07\1\xff"));
    /* Another database is another block, with versions of its own. */
    from = sample.bytes.len;
    assert_true(rdb_block_string(&sample.block, 3, &plain_key, SLICE_LITERAL("")));
    assert_written(&sample, from,
                   SLICE_LITERAL("\xfe\x03\xfa\x0bks-versions\x01\x01\x00\x01k\x00"));
    sample_free(&sample);
}

static void test_nothing_is_written_for_nothing(void **state)
{
    (void)state;
    struct sample sample;
    sample_begin(&sample, false, 0);
    size_t from = sample.bytes.len;
    assert_true(rdb_block_flush(&sample.block));
    assert_true(sample_list(&sample, 0, &plain_key, NULL, 0));
    assert_written(&sample, from, SLICE_LITERAL(""));
    assert_true(sample_string(&sample, 0, &plain_key, SLICE_LITERAL("v")));
    assert_written(&sample, from,
                   SLICE_LITERAL("\xfe\x00\xfa\x0bks-versions\x01\x01\x00\x01k\x01v"));
    sample_free(&sample);
}

static size_t count_of(struct slice bytes, const char *text)
{
    size_t count = 0, len = strlen(text);
    for (size_t i = 0; i + len <= bytes.len; i++)
        count += memcmp(bytes.data + i, text, len) == 0;
    return count;
}

static void assert_reads_back(struct sample *sample)
{
    struct recorder recorder;
    struct rdb_error error = {0};
    recorder_init(&recorder);
    recorder.keys_only = true;
    if (!recorder_read(&recorder, buf_slice(&sample->bytes), &error))
        fail_msg("offset %zu: %s", error.offset, error.reason);
    recorder_assert_same_keys(&recorder.text, &sample->expected);
    /* Their order is kept, too. */
    assert_string_equal(recorder_text(&recorder.text), recorder_text(&sample->expected));
    recorder_deinit(&recorder);
}

static void test_a_block_has_at_most_256_keys(void **state)
{
    (void)state;
    struct sample sample;
    uint8_t name[32];
    uint64_t random = 1;
    sample_begin(&sample, false, 0);
    for (size_t i = 0; i < 513; i++) {
        struct rdb_key key = sample_key(&random, i, name);
        assert_true(sample_string(&sample, 0, &key, SLICE_LITERAL("value")));
    }
    assert_true(sample_end(&sample));
    assert_int_equal(count_of(buf_slice(&sample.bytes), "ks-versions"), 3);
    assert_reads_back(&sample);
    sample_free(&sample);
}

static void round_trip(bool compress)
{
    uint64_t random = seeded_start();
    for (int round = 0; round < 20; round++) {
        struct sample sample;
        sample_begin(&sample, compress, 0);
        assert_true(sample_fill(&sample, &random, 1 + seeded_below(&random, 1000)));
        assert_true(sample_end(&sample));
        assert_reads_back(&sample);
        sample_free(&sample);
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    round_trip(false);
}

static void test_compressed_round_trips(void **state)
{
    (void)state;
    round_trip(true);
}

/* Values around the sizes where another way is taken, each followed by a key in the same block. */
static void test_long_values(void **state)
{
    (void)state;
    static uint8_t bytes[3 * RDB_BLOCK_BYTES];
    uint64_t random = seeded_start();
    seeded_fill(&random, bytes, sizeof bytes);
    static const size_t lens[] = {RDB_BLOCK_BYTES - 1, RDB_BLOCK_BYTES, RDB_BLOCK_BYTES + 1,
                                  sizeof bytes};
    struct sample sample;
    uint8_t name[32];
    sample_begin(&sample, false, 0);
    for (size_t i = 0; i < 12; i++) {
        struct rdb_key key = sample_key(&random, i, name);
        struct slice value = i % 3 == 0 ? slice_make(bytes, lens[i / 3]) : SLICE_LITERAL("short");
        assert_true(sample_string(&sample, 0, &key, value));
    }
    assert_true(sample_end(&sample));
    assert_reads_back(&sample);
    assert_in_range(sample.block.bytes.cap, 1, 4 * RDB_BLOCK_BYTES);
    sample_free(&sample);
}

/* Writes a list of `count` times the element between two strings. */
static void list_between_strings(size_t count, struct slice element, bool compress)
{
    struct slice *elements = malloc(count * sizeof *elements);
    struct sample sample;
    struct rdb_key key = plain_key;
    for (size_t i = 0; i < count; i++)
        elements[i] = i % 7 == 3 ? SLICE_LITERAL("1234567") : element;
    sample_begin(&sample, compress, 0);
    assert_true(sample_string(&sample, 5, &key, SLICE_LITERAL("before")));
    key.version -= 1000;
    assert_true(sample_list(&sample, 5, &key, elements, count));
    key.version -= 1000;
    assert_true(sample_string(&sample, 5, &key, SLICE_LITERAL("behind")));
    assert_true(sample_end(&sample));
    assert_reads_back(&sample);
    assert_in_range(sample.block.bytes.cap, 1, 1024 * 1024);
    sample_free(&sample);
    free(elements);
}

static void test_lists_of_many_sizes(void **state)
{
    (void)state;
    static uint8_t bytes[300000];
    uint64_t random = seeded_start();
    seeded_fill(&random, bytes, sizeof bytes);
    static const size_t lens[] = {0, 1, 100, 8177, 8178, 8179, 16384, 65535, 65536, 300000};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        size_t most = lens[i] < 100 ? 200000 : 20000000 / lens[i] > 500 ? 500 : 60;
        for (size_t count = 1; count < most; count = count * 3 + 1)
            list_between_strings(count, slice_make(bytes, lens[i]), count % 2 == 0);
    }
}

/* Compressed nodes are so short that their number, not their bytes, makes a list a long one: from
 * 64 on, which takes a second byte, the elements are gone through twice. */
static void test_lists_around_the_nodes_of_a_short_one(void **state)
{
    (void)state;
    static uint8_t zeros[4000];
    for (size_t count = 100; count < 180; count++)
        list_between_strings(count, slice_make(zeros, sizeof zeros), true);
}

static void test_a_failing_sink_ends_it(void **state)
{
    (void)state;
    uint64_t random = seeded_start(), again = random;
    struct sample sample;
    sample_begin(&sample, false, 0);
    assert_true(sample_fill(&sample, &again, 300));
    assert_true(sample_end(&sample));
    size_t pieces = sample.pieces;
    sample_free(&sample);
    for (size_t fail_at = 1; fail_at <= pieces; fail_at++) {
        again = random;
        sample_begin(&sample, false, fail_at);
        bool filled = sample_fill(&sample, &again, 300);
        assert_false(filled && sample_end(&sample));
        assert_int_equal(sample.pieces, fail_at);
        assert_false(rdb_block_flush(&sample.block) && rdb_write_end(&sample.file));
        assert_int_equal(sample.pieces, fail_at);
        sample_free(&sample);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_block_to_the_byte),
        cmocka_unit_test(test_nothing_is_written_for_nothing),
        cmocka_unit_test(test_a_block_has_at_most_256_keys),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_compressed_round_trips),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_lists_of_many_sizes),
        cmocka_unit_test(test_lists_around_the_nodes_of_a_short_one),
        cmocka_unit_test(test_a_failing_sink_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
