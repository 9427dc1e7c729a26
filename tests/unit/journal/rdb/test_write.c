/* Tests of journal/rdb/write.c: the frame to the byte, its checksum, and a sink that fails. */
#include "journal/rdb/write.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "journal/rdb_bytes.h"
#include "journal/rdb_sample.h"

static void test_an_empty_file_to_the_byte(void **state)
{
    (void)state;
    struct buf bytes, expected;
    buf_init(&bytes, SIZE_MAX);
    buf_init(&expected, SIZE_MAX);
    struct sample sample;
    sample_begin(&sample, false, 0);
    assert_true(rdb_write_aux(&sample.file, SLICE_LITERAL("ctime"), SLICE_LITERAL("x1")));
    assert_true(rdb_write_sizes(&sample.file, 3, 100, 7));
    assert_true(rdb_write_end(&sample.file));
    RDB_BYTES(&expected, "REDIS0010"
                         "\xfa\x0bks-revision\xc2\x40\x42\x0f\x00"
                         "\xfa\x05"
                         "ctime\x02x1"
                         "\xfe\x03\xfb\x40\x64\x07"
                         "\xff");
    rdb_bytes_crc(&expected);
    assert_int_equal(sample.file.size, expected.len);
    assert_true(slice_equal(buf_slice(&sample.bytes), buf_slice(&expected)));
    buf_deinit(&expected);
    sample_free(&sample);
}

static void test_long_fields(void **state)
{
    (void)state;
    static uint8_t letters[100000];
    struct sample sample;
    struct recorder recorder;
    struct rdb_error error;
    memset(letters, 'a', sizeof letters);
    sample_begin(&sample, false, 0);
    recorder_init(&recorder);
    for (size_t len = 60; len < sizeof letters; len = len * 5 / 4) {
        struct slice value = slice_make(letters, len);
        assert_true(rdb_write_aux(&sample.file, SLICE_LITERAL("name"), value));
    }
    assert_true(rdb_write_end(&sample.file));
    assert_true(recorder_read(&recorder, buf_slice(&sample.bytes), &error));
    const char *text = recorder_text(&recorder.text);
    assert_non_null(strstr(text, "aux \"ks-revision\" \"1000000\"\n"));
    size_t at = strlen("aux \"ks-revision\" \"1000000\"\n");
    for (size_t len = 60; len < sizeof letters; len = len * 5 / 4) {
        assert_memory_equal(text + at, "aux \"name\" \"a", 13);
        at += 12 + len;
        assert_memory_equal(text + at, "\"\n", 2);
        at += 2;
    }
    recorder_deinit(&recorder);
    sample_free(&sample);
}

static void test_a_failing_sink_ends_it(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at < 7; fail_at++) {
        struct sample sample;
        sample_begin(&sample, false, fail_at);
        rdb_write_sizes(&sample.file, 0, 1, 1);
        assert_false(rdb_write_end(&sample.file));
        assert_int_equal(sample.pieces, fail_at);
        assert_false(rdb_write_header(&sample.file, 1));
        assert_int_equal(sample.pieces, fail_at);
        sample_free(&sample);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_file_to_the_byte),
        cmocka_unit_test(test_long_fields),
        cmocka_unit_test(test_a_failing_sink_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
