/* Tests of journal/rdb/skip.c: values of every other type by hand, whole, cut, and wrong. */
#include "journal/rdb/skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "journal/rdb/format.h"
#include "store/seeded.h"

enum what { VALUE, MODULE_DATA, OLD_FUNCTION };

static bool skip_it(enum what what, uint8_t type, struct rdb_input *input, char *name)
{
    strcpy(name, "none");
    if (what == VALUE)
        return rdb_skip_value(input, type, name);
    return what == MODULE_DATA ? rdb_skip_module_aux(input, name) : rdb_skip_old_function(input);
}

/* Skips bytes that are followed by memory that must not be read; returns how many, or SIZE_MAX
 * after an error. */
static size_t pass(enum what what, uint8_t type, struct slice bytes, char *name,
                   struct rdb_error *error)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    memcpy(copy, bytes.data, bytes.len);
    struct rdb_input input = {.begin = copy, .at = copy, .end = copy + bytes.len, .error = error};
    bool sound = skip_it(what, type, &input, name);
    size_t passed = rdb_input_offset(&input);
    assert_in_range(passed, 0, bytes.len);
    free(copy);
    return sound ? passed : SIZE_MAX;
}

/* All of it is passed, not a byte of what follows, and no part of it is enough. */
static void assert_passed(enum what what, uint8_t type, struct slice bytes, const char *expected)
{
    struct rdb_error error = {0};
    char name[RDB_SKIP_NAME];
    uint8_t longer[300];
    memcpy(longer, bytes.data, bytes.len);
    memcpy(longer + bytes.len, "\x05more", 5);
    if (pass(what, type, slice_make(longer, bytes.len + 5), name, &error) != bytes.len)
        fail_msg("type %d, offset %zu: %s", type, error.offset, error.reason);
    assert_string_equal(name, expected);
    for (size_t cut = 0; cut < bytes.len; cut++)
        assert_int_equal(pass(what, type, slice_make(bytes.data, cut), name, &error), SIZE_MAX);
}

static void test_sets_sorted_sets_and_hashes(void **state)
{
    (void)state;
    assert_passed(VALUE, RDB_SET, SLICE_LITERAL("\x03\x01\x61\xc0\x05\x00"), "set");
    assert_passed(VALUE, RDB_SET, SLICE_LITERAL("\x00"), "set");
    assert_passed(VALUE, RDB_HASH, SLICE_LITERAL("\x02\x01\x61\xc0\x05\x00\x02vw"), "hash");
    assert_passed(VALUE, RDB_ZSET, SLICE_LITERAL("\x04\x01m\x03\x31.5\x01n\xfd\x01o\xfe\x01p\xff"),
                  "zset");
    assert_passed(VALUE, RDB_ZSET_2, SLICE_LITERAL("\x01\x01m\1\2\3\4\5\6\7\x08"), "zset");
}

static void test_packed_into_one_string(void **state)
{
    (void)state;
    static const struct {
        enum rdb_type type;
        const char *name;
    } types[] = {{RDB_SET_INTSET, "set"},     {RDB_ZSET_ZIPLIST, "zset"},
                 {RDB_ZSET_LISTPACK, "zset"}, {RDB_HASH_ZIPMAP, "hash"},
                 {RDB_HASH_ZIPLIST, "hash"},  {RDB_HASH_LISTPACK, "hash"}};
    for (size_t i = 0; i < 6; i++) {
        uint8_t type = (uint8_t)types[i].type;
        assert_passed(VALUE, type, SLICE_LITERAL("\x06packed"), types[i].name);
        assert_passed(VALUE, type, SLICE_LITERAL("\xc3\x05\x21\x00z\xe0\x17\x00"), types[i].name);
    }
}

#define ID    "0123456789abcdef"
#define MS    "\1\2\3\4\5\6\7\x08"
#define NODES "\x02\x10" ID "\x04pack\x10" ID "\x04PACK"
/* A group with two pending entries and two consumers. */
#define PENDING   "\x02" ID MS "\x01" ID MS "\x40\x40"
#define CONSUMERS "\x02\x03one" MS "\x02" ID ID "\x03two" MS "\x00"

static void test_streams(void **state)
{
    (void)state;
    assert_passed(VALUE, RDB_STREAM,
                  SLICE_LITERAL(NODES "\x02\x81" MS "\x00"
                                      "\x01\x05group\x01\x02" PENDING CONSUMERS),
                  "stream");
    assert_passed(VALUE, RDB_STREAM_2,
                  SLICE_LITERAL(NODES "\x02\x81" MS "\x00\x01\x02\x03\x04\x05"
                                      "\x01\x05group\x01\x02\x03" PENDING CONSUMERS),
                  "stream");
    assert_passed(VALUE, RDB_STREAM_2, SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0"), "stream");
}

static void test_modules(void **state)
{
    (void)state;
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t id = 0;
    for (const char *letter = "ReJSON-RL"; *letter != '\0'; letter++)
        id = id << 6 | (uint64_t)(strchr(letters, *letter) - letters);
    id = __builtin_bswap64(id << 10 | 3);
    uint8_t bytes[] = "\x81--------\x01\x05\x02\x40\x40\x03-4--\x04--8-----\x05\x03xyz\x00";
    memcpy(bytes + 1, &id, 8);
    assert_passed(VALUE, RDB_MODULE_2, slice_make(bytes, sizeof bytes - 1), "module ReJSON-RL");
    uint8_t data[] = "\x81--------\x02\x01\x05\x01z\x00";
    memcpy(data + 1, &id, 8);
    assert_passed(MODULE_DATA, 0, slice_make(data, sizeof data - 1), "data of module ReJSON-RL");
}

static void test_old_functions(void **state)
{
    (void)state;
    assert_passed(OLD_FUNCTION, 0,
                  SLICE_LITERAL("\x01n\x03lua\x00\x04"
                                "code"),
                  "none");
    assert_passed(OLD_FUNCTION, 0,
                  SLICE_LITERAL("\x01n\x03lua\x01\x04"
                                "text\x04"
                                "code"),
                  "none");
}

static void assert_refused(enum what what, uint8_t type, struct slice bytes, const char *reason)
{
    struct rdb_error error = {0};
    char name[RDB_SKIP_NAME];
    assert_int_equal(pass(what, type, bytes, name, &error), SIZE_MAX);
    if (strstr(error.reason, reason) == NULL)
        fail_msg("\"%s\" says nothing of \"%s\"", error.reason, reason);
}

static void test_what_cannot_be_passed(void **state)
{
    (void)state;
    assert_refused(VALUE, RDB_MODULE_PRE_GA, SLICE_LITERAL("\0\0\0"), "no end mark");
    assert_refused(VALUE, 8, SLICE_LITERAL("\0\0\0"), "type 8 of a value");
    assert_refused(VALUE, 26, SLICE_LITERAL("\0\0\0"), "type 26 of a value");
    assert_refused(VALUE, RDB_MODULE_2, SLICE_LITERAL("\x00\x06\x00"), "unknown part 6");
    assert_refused(MODULE_DATA, 0, SLICE_LITERAL("\x00\x01\x00\x00"), "without its time");
    assert_refused(VALUE, RDB_SET, SLICE_LITERAL("\x81\xff\xff\xff\xff\xff\xff\xff\xff\0\0"),
                   "18446744073709551615 items");
    assert_refused(VALUE, RDB_HASH, SLICE_LITERAL("\x02\0\0\0"), "2 items of at least 2 bytes");
}

static void test_random_bytes_are_passed_safely(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 50000; round++) {
        struct rdb_error error;
        char name[RDB_SKIP_NAME];
        uint8_t bytes[200];
        size_t len = seeded_below(&random, sizeof bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)seeded_below(&random, seeded_below(&random, 4) == 0 ? 256 : 6);
        pass((enum what)seeded_below(&random, 3), (uint8_t)seeded_below(&random, 27),
             slice_make(bytes, len), name, &error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_sorted_sets_and_hashes),
        cmocka_unit_test(test_packed_into_one_string),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_old_functions),
        cmocka_unit_test(test_what_cannot_be_passed),
        cmocka_unit_test(test_random_bytes_are_passed_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
