/* Tests of base/log_limit.c: how many lines pass, and that none is left out untold. */
#include "base/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/seeded.h"

#define BEGIN_MS 5000

static void test_a_span_takes_so_many_lines(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint64_t left_out = 99;
    for (int i = 0; i < LOG_LIMIT_LINES; i++) {
        assert_true(log_limit_pass(&limit, BEGIN_MS + i, &left_out));
        assert_int_equal(left_out, 0);
    }
    for (int i = 0; i < 7; i++)
        assert_false(log_limit_pass(&limit, BEGIN_MS + LOG_LIMIT_SPAN_MS - 1, &left_out));
    assert_true(log_limit_pass(&limit, BEGIN_MS + LOG_LIMIT_SPAN_MS, &left_out));
    assert_int_equal(left_out, 7);
    assert_true(log_limit_pass(&limit, BEGIN_MS + LOG_LIMIT_SPAN_MS, &left_out));
    assert_int_equal(left_out, 0); /* it was told */
}

static void test_what_no_line_tells_is_taken(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint64_t left_out;
    assert_int_equal(log_limit_take(&limit, BEGIN_MS), 0);
    for (int i = 0; i < LOG_LIMIT_LINES; i++)
        assert_true(log_limit_pass(&limit, BEGIN_MS, &left_out));
    assert_int_equal(log_limit_take(&limit, BEGIN_MS + LOG_LIMIT_SPAN_MS), 0);
    for (int i = 0; i < 3; i++)
        assert_false(log_limit_pass(&limit, BEGIN_MS + 1, &left_out));
    assert_int_equal(log_limit_take(&limit, BEGIN_MS + LOG_LIMIT_SPAN_MS - 1), 0);
    assert_int_equal(log_limit_take(&limit, BEGIN_MS + LOG_LIMIT_SPAN_MS), 3);
    assert_int_equal(log_limit_take(&limit, BEGIN_MS + LOG_LIMIT_SPAN_MS), 0);
}

static void test_every_line_passes_or_is_told(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct log_limit limit = {0};
    uint64_t events = 0, told = 0;
    int64_t now_ms = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t left_out;
        now_ms += (int64_t)seeded_below(&random, i % 50 == 0 ? 20000 : 200);
        events++;
        if (log_limit_pass(&limit, now_ms, &left_out))
            told += 1 + left_out;
        told += log_limit_take(&limit, now_ms);
    }
    told += log_limit_take(&limit, now_ms + LOG_LIMIT_SPAN_MS);
    assert_int_equal(told, events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_span_takes_so_many_lines),
        cmocka_unit_test(test_what_no_line_tells_is_taken),
        cmocka_unit_test(test_every_line_passes_or_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
