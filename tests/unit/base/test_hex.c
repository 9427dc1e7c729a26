/* Tests of base/hex.h: every byte, against the C library. */
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_every_byte(void **state)
{
    (void)state;
    int digits = 0;
    for (int byte = 0; byte < 256; byte++) {
        char text[] = {'1', (char)byte, '\0'}, *end;
        long number = strtol(text, &end, 16);
        int value = end == text + 2 ? (int)number - 16 : -1;
        assert_int_equal(hex_digit((uint8_t)byte), value);
        digits += value >= 0;
    }
    assert_int_equal(digits, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_byte)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
