/* Tests of http2/bucket.c: exactly the burst and the rate. */
#include "http2/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BEGIN_MS 1000000

static uint32_t take_all(struct bucket *bucket, int64_t now_ms)
{
    uint32_t taken = 0;
    while (bucket_take(bucket, now_ms))
        taken++;
    return taken;
}

static void test_a_new_bucket_is_full(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 7, 10, BEGIN_MS);
    assert_int_equal(take_all(&bucket, BEGIN_MS), 7);
    assert_false(bucket_take(&bucket, BEGIN_MS));
}

/* Called every millisecond for ten seconds: yields the rate, whatever fractions it has. */
static void test_time_gives_exactly_the_rate(void **state)
{
    (void)state;
    for (uint32_t per_s = 1; per_s <= 2500; per_s += 13) {
        struct bucket bucket;
        uint32_t taken = 0;
        bucket_init(&bucket, 5, per_s, BEGIN_MS);
        assert_int_equal(take_all(&bucket, BEGIN_MS), 5);
        for (int64_t ms = 1; ms <= 10000; ms++)
            taken += take_all(&bucket, BEGIN_MS + ms);
        assert_int_equal(taken, 10 * per_s);
    }
}

static void test_an_idle_bucket_holds_no_more_than_its_size(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 5, 20, BEGIN_MS);
    assert_int_equal(take_all(&bucket, BEGIN_MS), 5);
    assert_int_equal(take_all(&bucket, BEGIN_MS + 3600 * 1000), 5);
    /* Time that passed while it was full earns nothing later. */
    assert_int_equal(take_all(&bucket, BEGIN_MS + 3600 * 1000 + 49), 0);
    assert_int_equal(take_all(&bucket, BEGIN_MS + 3600 * 1000 + 50), 1);
}

static void test_no_time_is_too_long(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, UINT32_MAX, 1000000000, 0);
    bucket.tokens = 3;
    assert_true(bucket_take(&bucket, INT64_MAX));
    assert_int_equal(bucket.tokens, UINT32_MAX - 1);
}

static void test_a_rate_of_none_gives_none(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 2, 0, BEGIN_MS);
    assert_int_equal(take_all(&bucket, BEGIN_MS), 2);
    assert_int_equal(take_all(&bucket, BEGIN_MS + 1000000), 0);
}

static void test_tokens_are_given_back_up_to_the_size(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 2, 0, BEGIN_MS);
    bucket_give(&bucket);
    assert_int_equal(take_all(&bucket, BEGIN_MS), 2);
    bucket_give(&bucket);
    assert_int_equal(take_all(&bucket, BEGIN_MS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_bucket_is_full),
        cmocka_unit_test(test_time_gives_exactly_the_rate),
        cmocka_unit_test(test_an_idle_bucket_holds_no_more_than_its_size),
        cmocka_unit_test(test_no_time_is_too_long),
        cmocka_unit_test(test_a_rate_of_none_gives_none),
        cmocka_unit_test(test_tokens_are_given_back_up_to_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
