/* Tests of access/tokens.c. */
#include "access/tokens.h"

#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_tokens_differ(void **state)
{
    (void)state;
    char one[TOKEN_CHARS + 1], other[TOKEN_CHARS + 1];
    token_new(one);
    token_new(other);
    assert_string_not_equal(one, other);
    assert_int_equal(strlen(one), TOKEN_CHARS);
    assert_int_equal(TOKEN_CHARS, 4 + 43);
    assert_memory_equal(one, "kst_", 4);
    for (const char *at = one; *at != '\0'; at++)
        assert_non_null(
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", *at));
}

/* The examples of FIPS 180-2. */
static void test_hash(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hash;
    } rows[] = {
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    };
    for (size_t i = 0; i < 2; i++) {
        uint8_t hash[TOKEN_HASH_BYTES], read[TOKEN_HASH_BYTES];
        char digits[2 * TOKEN_HASH_BYTES + 1];
        token_hash(slice_from_string(rows[i].text), hash);
        assert_string_equal(hex_print(digits, hash, sizeof hash), rows[i].hash);
        assert_true(token_read_hash(slice_from_string(rows[i].hash), read));
        assert_true(token_hash_equal(hash, read));
        read[31] ^= 1;
        assert_false(token_hash_equal(hash, read));
    }
}

static void test_malformed_hashes(void **state)
{
    (void)state;
    uint8_t hash[TOKEN_HASH_BYTES];
    char digits[66];
    memset(digits, 'a', 65);
    assert_false(token_read_hash(slice_make(digits, 63), hash));
    assert_false(token_read_hash(slice_make(digits, 65), hash));
    assert_true(token_read_hash(slice_make(digits, 64), hash));
    digits[63] = 'g';
    assert_false(token_read_hash(slice_make(digits, 64), hash));
}

static void test_times(void **state)
{
    (void)state;
    int64_t ms;
    char text[TOKEN_TIME_CHARS + 1];
    assert_true(token_read_time(SLICE_LITERAL("2026-11-30T04:05:06Z"), &ms));
    assert_int_equal(ms, INT64_C(1796011506000));
    assert_string_equal(token_print_time(ms + 999, text), "2026-11-30T04:05:06Z");
    static const char *const bad[] = {"",
                                      "2026-11-30",
                                      "2026-11-30T04:05:06",
                                      "2026-11-30T04:05:06+",
                                      "2026-11-31T04:05:06Z",
                                      "2026-13-30T04:05:06Z",
                                      " 2026-1-30T04:05:06Z",
                                      "2026-11-30t04:05:06Z",
                                      "2026-11-30T04:05:06Zx"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(token_read_time(slice_from_string(bad[i]), &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_differ),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_malformed_hashes),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
