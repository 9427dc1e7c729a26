/*
 * Tests of journal/rdb/read.c: records to the byte, versions, and that no damage of a small file
 * passes as other data.
 */
#include "journal/rdb/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal/rdb_bytes.h"
#include "journal/rdb_sample.h"

/* The records between a header and an end without a checksum. */
static struct slice file_of(struct buf *file, struct slice records)
{
    buf_init(file, SIZE_MAX);
    RDB_BYTES(file, "REDIS0010");
    rdb_bytes_add(file, records);
    RDB_BYTES(file, "\xff\0\0\0\0\0\0\0\0");
    return buf_slice(file);
}

static void assert_file(struct slice bytes, const char *expected)
{
    struct recorder recorder;
    struct rdb_error error = {0};
    recorder_init(&recorder);
    if (!recorder_read(&recorder, bytes, &error))
        fail_msg("offset %zu: %s", error.offset, error.reason);
    assert_string_equal(recorder_text(&recorder.text), expected);
    recorder_deinit(&recorder);
}

static void assert_records(struct slice records, const char *expected)
{
    struct buf file;
    assert_file(file_of(&file, records), expected);
    buf_deinit(&file);
}

static void assert_bad_file(struct slice bytes, size_t offset, const char *reason)
{
    struct recorder recorder;
    struct rdb_error error = {0};
    recorder_init(&recorder);
    assert_false(recorder_read(&recorder, bytes, &error));
    assert_string_equal(error.reason, reason);
    assert_int_equal(error.offset, offset);
    recorder_deinit(&recorder);
}

/* A kind of file or record that is not read, which is no damage. */
static void assert_unknown_file(struct slice bytes, size_t offset, const char *reason)
{
    struct rdb_receiver nobody = {0};
    struct rdb_error error;
    size_t size;
    assert_false(rdb_read(bytes, &nobody, &size, &error));
    assert_true(error.unknown);
    assert_int_equal(error.offset, offset);
    if (strstr(error.reason, reason) == NULL)
        fail_msg("%s", error.reason);
}

/* The offset counts from the first record. */
static void assert_bad_records(struct slice records, size_t offset, const char *reason)
{
    struct buf file;
    assert_bad_file(file_of(&file, records), RDB_MAGIC_SIZE + offset, reason);
    buf_deinit(&file);
}

static void test_versions_of_the_format(void **state)
{
    (void)state;
    assert_file(SLICE_LITERAL("REDIS0001\xfe\x02\x00\x01k\x01v\xff"), "2 \"k\" @0 v0 = \"v\"\n");
    assert_file(SLICE_LITERAL("REDIS0004\xff"), "");
    assert_file(SLICE_LITERAL("REDIS0005\xff\0\0\0\0\0\0\0\0"), "");
    assert_bad_file(SLICE_LITERAL("REDIS0005\xff"), 10,
                    "the file ends within its checksum: it needs 8 bytes, 0 are left");
    assert_file(SLICE_LITERAL("REDIS0011\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0"),
                "0 \"k\" @0 v0 = \"v\"\n");
    assert_file(SLICE_LITERAL("REDIS0012\xff\0\0\0\0\0\0\0\0"), "");
    assert_file(SLICE_LITERAL("VALKEY080\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0"),
                "0 \"k\" @0 v0 = \"v\"\n");
    assert_unknown_file(SLICE_LITERAL("REDIS0013\xff"), 5, "RDB version REDIS0013;");
    assert_unknown_file(SLICE_LITERAL("VALKEY081\xff"), 6, "RDB version VALKEY081;");
    assert_unknown_file(SLICE_LITERAL("REDIS0000\xff"), 5, "RDB version REDIS0000;");
    assert_bad_file(SLICE_LITERAL("REDIS00x0\xff"), 7, "no digits of a version after REDIS");
    assert_bad_file(SLICE_LITERAL("REDIX0010\xff"), 0,
                    "no RDB file: it starts with neither REDIS nor VALKEY");
    assert_bad_file(SLICE_LITERAL("REDIS001"), 0,
                    "the file ends within its first line: it needs 9 bytes, 8 are left");
}

static void test_beginnings(void **state)
{
    (void)state;
    assert_true(rdb_read_has_magic(SLICE_LITERAL("REDIS0010")));
    assert_true(rdb_read_has_magic(SLICE_LITERAL("VALKEY080")));
    assert_false(rdb_read_has_magic(SLICE_LITERAL("*2\r\n")));
    assert_false(rdb_read_has_magic(SLICE_LITERAL("REDI")));
    assert_false(rdb_read_has_magic(SLICE_LITERAL("")));
}

static void test_fields(void **state)
{
    (void)state;
    assert_records(SLICE_LITERAL("\xfa\x09redis-ver\x05"
                                 "7.0.1\xfa\x05"
                                 "ctime\xc0\x07\xfe\x40\x80\xfb\x05\x40\x41"),
                   "aux \"redis-ver\" \"7.0.1\"\naux \"ctime\" \"7\"\nsizes 5 65\n");
}

static void test_expiry(void **state)
{
    (void)state;
    assert_records(SLICE_LITERAL("\xfc\x15\xcd\x5b\x07\x00\x00\x00\x00\x00\x01\x61\x00"
                                 "\xfd\xff\xff\xff\x7f\x00\x01\x62\x00"
                                 "\x00\x01\x63\x00"
                                 "\xfd\xff\xff\xff\xff\x00\x01\x64\x00"
                                 "\xfc\0\0\0\0\0\0\0\0\x00\x01\x65\x00"
                                 "\xf9\x08\xf8\x40\x41\xfc\x05\0\0\0\0\0\0\0\x01\x01\x66\x01\x01x"),
                   "0 \"a\" @123456789 v0 = \"\"\n"
                   "0 \"b\" @2147483647000 v0 = \"\"\n"
                   "0 \"c\" @0 v0 = \"\"\n"
                   "0 \"d\" @1 v0 = \"\"\n"
                   "0 \"e\" @1 v0 = \"\"\n"
                   "0 \"f\" @5 v0 = [ \"x\" ]\n");
}

static void test_what_is_passed_over(void **state)
{
    (void)state;
    assert_records(SLICE_LITERAL("\xf5\x04"
                                 "code"
                                 "\xf6\x01n\x03lua\x00\x01x"
                                 "\xf7\x00\x02\x01\x00"
                                 "\xfd\x01\0\0\0\x02\x03set\x01\x01m"
                                 "\x00\x01k\x01v"),
                   "! function library\n! function library\n! data of module AAAAAAAAA\n"
                   "0 \"set\" @1000 v0 ! set\n0 \"k\" @0 v0 = \"v\"\n");
}

/* Slots, and the types that Redis 7.2 to 8 and Valkey 9 added. */
static void test_newer_records(void **state)
{
    (void)state;
    assert_file(SLICE_LITERAL("REDIS0012\xf4\x40\x80\x01\x00"
                              "\x14\x01s\x01-"
                              "\x16\x01p\x01\x00\x01\x66\x01v"
                              "\x17\x01q\x01-"
                              "\x18\x01h\1\2\3\4\5\6\7\x08\x01\x05\x01\x66\x01v"
                              "\x19\x01i\1\2\3\4\5\6\7\x08\x01-"
                              "\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0"),
                "0 \"s\" @0 v0 ! set\n0 \"p\" @0 v0 ! hash\n0 \"q\" @0 v0 ! hash\n"
                "0 \"h\" @0 v0 ! hash\n0 \"i\" @0 v0 ! hash\n0 \"k\" @0 v0 = \"v\"\n");
    assert_file(SLICE_LITERAL("VALKEY080\x16\x01h\x01\x01\x66\x01v\1\2\3\4\5\6\7\x08"
                              "\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0"),
                "0 \"h\" @0 v0 ! hash\n0 \"k\" @0 v0 = \"v\"\n");
}

/* What is not known is damage only if the checksum says so. */
static void test_unknown_records(void **state)
{
    (void)state;
    struct buf file;
    struct rdb_error error;
    struct rdb_receiver nobody = {0};
    size_t size;
    assert_unknown_file(SLICE_LITERAL("REDIS0012\x1e\x01k\x01v\xff\0\0\0\0\0\0\0\0"), 9,
                        "record 30 is none of those of Redis up to 8");
    assert_unknown_file(SLICE_LITERAL("VALKEY080\xf3\x01n\xff\0\0\0\0\0\0\0\0"), 9,
                        "a slot migration was in progress");
    buf_init(&file, SIZE_MAX);
    RDB_BYTES(&file, "REDIS0012\x00\x01k\x01v\x1e\x01k\x01v\xff");
    rdb_bytes_crc(&file);
    assert_false(rdb_read(buf_slice(&file), &nobody, &size, &error));
    assert_true(error.unknown);
    file.data[12] ^= 1;
    assert_false(rdb_read(buf_slice(&file), &nobody, &size, &error));
    assert_false(error.unknown);
    buf_deinit(&file);
    assert_bad_records(SLICE_LITERAL("\x08\x01k\x01v"), 3,
                       "type 8 of a value is none of those of Redis up to 8 and Valkey up to 9");
}

static void test_an_integer_key_with_an_integer_value(void **state)
{
    (void)state;
    assert_records(SLICE_LITERAL("\x00\xc0\x05\xc0\x06\x01\xc0\x07\x02\xc0\x08\xc0\x09"),
                   "0 \"5\" @0 v0 = \"6\"\n0 \"7\" @0 v0 = [ \"8\" \"9\" ]\n");
}

#define REVISION "\xfa\x0bks-revision\x03\x31\x30\x30"

static void test_key_versions(void **state)
{
    (void)state;
    assert_records(SLICE_LITERAL(REVISION "\xfa\x0bks-versions\x03\x00\x02\x64"
                                          "\x00\x01\x61\x00\x01\x01\x62\x00\x00\x01\x63\x00"
                                          "\x00\x01\x64\x00"
                                          "\xfa\x0bks-versions\x01\x08\xfe\x01\x00\x01\x65\x00"),
                   "aux \"ks-revision\" \"100\"\n"
                   "0 \"a\" @0 v100 = \"\"\n"
                   "0 \"c\" @0 v0 = \"\"\n"
                   "0 \"d\" @0 v0 = \"\"\n"
                   "1 \"e\" @0 v92 = \"\"\n");
}

static void test_wrong_key_versions(void **state)
{
    (void)state;
#define VERSIONS "\xfa\x0bks-versions"
    assert_bad_records(SLICE_LITERAL(VERSIONS "\x01\x00"), 15,
                       "ks-versions without ks-revision before it");
    assert_bad_records(SLICE_LITERAL("\xfa\x0bks-revision\x01x"), 15,
                       "ks-revision is not a number");
    assert_bad_records(SLICE_LITERAL("\xfa\x0bks-revision\xc0\xff"), 15,
                       "ks-revision is not a number");
    assert_bad_records(SLICE_LITERAL(REVISION VERSIONS "\x01\x00" VERSIONS "\x01\x00"), 47,
                       "ks-versions while the one before is for more keys");
    assert_bad_records(SLICE_LITERAL(REVISION VERSIONS "\x02\x00\x00\x00\x01k\x00"), 38,
                       "the end, while ks-versions is for more keys");
    assert_bad_records(SLICE_LITERAL(REVISION VERSIONS "\x01\x65"), 32,
                       "ks-versions with a wrong number");
    assert_bad_records(SLICE_LITERAL(REVISION VERSIONS "\x01\x80"), 32,
                       "ks-versions with a wrong number");
    assert_bad_records(
        SLICE_LITERAL(REVISION VERSIONS "\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"), 41,
        "ks-versions with a wrong number");
    struct buf records;
    buf_init(&records, SIZE_MAX);
    RDB_BYTES(&records, REVISION VERSIONS "\x41\x01");
    for (unsigned i = 0; i < RDB_BLOCK_KEYS + 1; i++)
        RDB_BYTES(&records, "\x00");
    assert_bad_records(buf_slice(&records), 33 + RDB_BLOCK_KEYS,
                       "ks-versions with too many numbers");
    buf_deinit(&records);
}

static void test_the_checksum(void **state)
{
    (void)state;
    struct buf file;
    buf_init(&file, SIZE_MAX);
    RDB_BYTES(&file, "REDIS0009\x00\x01k\x01v\xff");
    rdb_bytes_crc(&file);
    assert_file(buf_slice(&file), "0 \"k\" @0 v0 = \"v\"\n");
    file.data[13] = 'w';
    struct recorder recorder;
    struct rdb_error error;
    recorder_init(&recorder);
    assert_false(recorder_read(&recorder, buf_slice(&file), &error));
    assert_int_equal(error.offset, 15);
    assert_memory_equal(error.reason, "checksum ", 9);
    recorder_deinit(&recorder);
    buf_deinit(&file);
}

static void test_what_follows_is_not_looked_at(void **state)
{
    (void)state;
    struct rdb_receiver nobody = {0};
    struct rdb_error error;
    size_t size;
    struct slice bytes = SLICE_LITERAL("REDIS0010\x00\x01k\x01v\x01\x01l\x01\x01x\x02\x01s\x00"
                                       "\xff\0\0\0\0\0\0\0\0*1\r\n");
    assert_true(rdb_read(bytes, &nobody, &size, &error));
    assert_int_equal(size, bytes.len - 4);
}

/* One of everything that this reads and our writer does not write. */
static void build_small_file(struct buf *file)
{
    struct rdb_key key = {.name = SLICE_LITERAL("key"), .version = 999990};
    struct slice elements[] = {SLICE_LITERAL("one"), SLICE_LITERAL("2"), SLICE_LITERAL("-300")};
    struct sample sample;
    sample_begin(&sample, false, 0);
    assert_true(sample_string(&sample, 0, &key, SLICE_LITERAL("a value")));
    key.expire_at_ms = 1700000000000;
    assert_true(sample_list(&sample, 1, &key, elements, 3));
    assert_true(rdb_block_flush(&sample.block));
    buf_init(file, SIZE_MAX);
    rdb_bytes_add(file, buf_slice(&sample.bytes));
    RDB_BYTES(file, "\xfe\x02\xfb\x09\x01\xf8\x05\x0a\x07ziplist\x11\x11\0\0\0\x0e\0\0\0\2\0"
                    "\0\2\x61\x62\4\xf6\xff"
                    "\x00\x03lzf\xc3\x05\x21\x00z\xe0\x17\x00"
                    "\x04\x04hash\x01\x01\x66\x01v\xff");
    rdb_bytes_crc(file);
    sample_free(&sample);
}

/* True if it was read and gave this text. */
static bool reads_as(struct slice bytes, const char *expected)
{
    struct recorder recorder;
    struct rdb_error error;
    recorder_init(&recorder);
    bool sound = recorder_read(&recorder, bytes, &error);
    if (sound)
        assert_string_equal(recorder_text(&recorder.text), expected);
    recorder_deinit(&recorder);
    return sound;
}

static void test_every_cut_and_every_flipped_bit(void **state)
{
    (void)state;
    struct buf file;
    struct recorder whole;
    struct rdb_error error;
    build_small_file(&file);
    recorder_init(&whole);
    assert_true(recorder_read(&whole, buf_slice(&file), &error));
    const char *expected = recorder_text(&whole.text);
    for (size_t cut = 0; cut < file.len; cut++)
        assert_false(reads_as(slice_make(file.data, cut), expected));
    for (size_t bit = 0; bit < file.len * 8; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(reads_as(buf_slice(&file), expected));
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(reads_as(buf_slice(&file), expected));
    recorder_deinit(&whole);
    buf_deinit(&file);
}

/* Without a checksum damage may pass, but is never worse than other data. */
static void test_damage_without_a_checksum_is_safe(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct buf file, damaged;
    build_small_file(&file);
    memset(file.data + file.len - 8, 0, 8);
    for (int round = 0; round < 20000; round++) {
        buf_init(&damaged, SIZE_MAX);
        rdb_bytes_add(&damaged, buf_slice(&file));
        for (uint32_t i = 0; i <= seeded_below(&random, 4); i++) {
            size_t at = RDB_MAGIC_SIZE + seeded_below(&random, (uint32_t)file.len - 17);
            damaged.data[at] = (uint8_t)seeded_below(&random, 256);
        }
        struct recorder recorder;
        struct rdb_error error;
        recorder_init(&recorder);
        recorder_read(&recorder, buf_slice(&damaged), &error);
        recorder_deinit(&recorder);
        buf_deinit(&damaged);
    }
    buf_deinit(&file);
}

static void test_the_receiver_may_stop_at_any_call(void **state)
{
    (void)state;
    struct buf file;
    struct recorder recorder;
    struct rdb_error error;
    build_small_file(&file);
    recorder_init(&recorder);
    assert_true(recorder_read(&recorder, buf_slice(&file), &error));
    size_t calls = recorder.calls;
    recorder_deinit(&recorder);
    for (size_t stop_at = 1; stop_at <= calls; stop_at++) {
        recorder_init(&recorder);
        recorder.stop_at = stop_at;
        assert_false(recorder_read(&recorder, buf_slice(&file), &error));
        assert_string_equal(error.reason, "the receiver ended the reading");
        assert_int_equal(recorder.calls, stop_at);
        recorder_deinit(&recorder);
    }
    buf_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_of_the_format),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_what_is_passed_over),
        cmocka_unit_test(test_newer_records),
        cmocka_unit_test(test_unknown_records),
        cmocka_unit_test(test_an_integer_key_with_an_integer_value),
        cmocka_unit_test(test_key_versions),
        cmocka_unit_test(test_wrong_key_versions),
        cmocka_unit_test(test_the_checksum),
        cmocka_unit_test(test_what_follows_is_not_looked_at),
        cmocka_unit_test(test_every_cut_and_every_flipped_bit),
        cmocka_unit_test(test_damage_without_a_checksum_is_safe),
        cmocka_unit_test(test_the_receiver_may_stop_at_any_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
