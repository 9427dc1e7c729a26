/* Tests of base/base64.c: the vectors of RFC 4648, 10, without their padding, and all bytes. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_the_vectors(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct slice plain = slice_from_string(vectors[i][0]);
        struct slice text = slice_from_string(vectors[i][1]);
        uint8_t out[16];
        assert_int_equal(BASE64_CHARS(plain.len), text.len);
        assert_int_equal(base64_encode(plain, out) - out, text.len);
        assert_memory_equal(out, text.data, text.len);
        assert_int_equal(BASE64_BYTES(text.len), plain.len);
        assert_true(base64_decode(text, out));
        assert_memory_equal(out, plain.data, plain.len);
    }
}

static void test_all_bytes_come_back(void **state)
{
    (void)state;
    uint8_t bytes[256], text[BASE64_CHARS(sizeof bytes)], back[256];
    for (size_t len = 0; len <= sizeof bytes; len++) {
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(255 - i);
        size_t chars = (size_t)(base64_encode(slice_make(bytes, len), text) - text);
        assert_true(base64_decode(slice_make(text, chars), back));
        assert_memory_equal(back, bytes, len);
    }
}

static void test_what_is_malformed(void **state)
{
    (void)state;
    static const char not_ascii[] = {'\xff', 'A', '\0'};
    const char *const texts[] = {"A", "AAAAA", "A=", "AA==", "A-", "A_", "A A", not_ascii};
    uint8_t out[8];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(base64_decode(slice_from_string(texts[i]), out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vectors),
        cmocka_unit_test(test_all_bytes_come_back),
        cmocka_unit_test(test_what_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
