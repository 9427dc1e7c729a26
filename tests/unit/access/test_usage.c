/* Tests of access/usage.c: the token bucket against a slow model of it, and counts of many threads.
 */
#include "access/usage.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/seeded.h"

#define SECOND INT64_C(1000000000)

static void test_calls_in_flight(void **state)
{
    struct access_usage *usage = access_usage_new();
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(access_count_call(&usage->calls, 3));
    assert_false(access_count_call(&usage->calls, 3));
    assert_true(access_count_call(&usage->calls, 4));  /* the limit was raised */
    assert_false(access_count_call(&usage->calls, 2)); /* and lowered */
    atomic_fetch_sub(&usage->calls, 3);
    assert_true(access_count_call(&usage->calls, 2));
    atomic_store(&usage->calls, 0);
    access_usage_release(usage);
}

static void test_the_wait_is_the_true_one(void **state)
{
    struct access_usage *usage = access_usage_new();
    int64_t now = 5 * SECOND;
    (void)state;
    for (int i = 0; i < 10; i++) /* those of a second at once */
        assert_int_equal(access_take_calls(usage, 10, 0, 1, now), 0);
    for (int i = 0; i < 30; i++) {
        int64_t wait = access_take_calls(usage, 10, 0, 1, now);
        assert_int_equal(wait, SECOND / 10);
        assert_int_equal(access_take_calls(usage, 10, 0, 1, now + wait - 1), 1);
        now += wait;
        assert_int_equal(access_take_calls(usage, 10, 0, 1, now), 0);
    }
    access_usage_release(usage);
}

static void test_a_batch_is_not_divided(void **state)
{
    struct access_usage *usage = access_usage_new();
    (void)state;
    assert_int_equal(access_take_calls(usage, 10, 2, 1000, SECOND), 0);
    /* 100 s of calls are owed, and one of two may come before all of them are paid. */
    assert_int_equal(access_take_calls(usage, 10, 2, 1, SECOND), 100 * SECOND - SECOND / 10);
    assert_int_equal(access_take_calls(usage, 10, 2, 1, 101 * SECOND - SECOND / 10), 0);
    access_usage_release(usage);
}

static void test_no_number_overflows(void **state)
{
    static const uint32_t rates[] = {1, 3, ACCESS_MOST_RATE};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct access_usage *usage = access_usage_new();
        int64_t now = INT64_MAX / 2;
        assert_int_equal(access_take_calls(usage, rates[i], ACCESS_MOST_RATE, UINT64_MAX, now), 0);
        assert_true(access_take_calls(usage, rates[i], 1, 1, now) > 0);
        access_usage_release(usage);
    }
}

/* Tokens come one by one, and the bucket has room for `burst`. */
struct model {
    int64_t tokens; /* below 0: owed */
    int64_t next_ns;
};

static void model_fill(struct model *model, int64_t each_ns, uint32_t burst, int64_t now_ns)
{
    while (model->next_ns <= now_ns && model->tokens < burst) {
        model->tokens++;
        model->next_ns += each_ns;
    }
    if (model->tokens == burst) /* full: the next one starts to come when one is taken */
        model->next_ns = now_ns + each_ns;
}

static void test_against_a_model(void **state)
{
    uint64_t random = seeded_start();
    (void)state;
    for (int round = 0; round < 200; round++) {
        uint32_t rate = 1 + seeded_below(&random, 50);
        uint32_t burst = 1 + seeded_below(&random, 20);
        int64_t each_ns = SECOND / rate, now_ns = SECOND;
        struct access_usage *usage = access_usage_new();
        struct model model = {.tokens = burst, .next_ns = now_ns + each_ns};
        for (int step = 0; step < 300; step++) {
            uint64_t count = seeded_below(&random, 8) == 0 ? 1 + seeded_below(&random, 10) : 1;
            now_ns += seeded_below(&random, (uint32_t)(2 * each_ns));
            model_fill(&model, each_ns, burst, now_ns);
            int64_t wait_ns = access_take_calls(usage, rate, burst, count, now_ns);
            if (wait_ns == 0) {
                assert_true(model.tokens > 0);
                model.tokens -= (int64_t)count;
            } else {
                assert_true(model.tokens <= 0);
                assert_int_equal(now_ns + wait_ns, model.next_ns - model.tokens * each_ns);
            }
        }
        access_usage_release(usage);
    }
}

#define THREADS 4
#define TRIES   20000
#define MOST    3

struct contest {
    struct access_usage *usage;
    atomic_uint taken;
    atomic_bool exceeded;
};

static void *contend(void *user)
{
    struct contest *contest = user;
    for (int i = 0; i < TRIES; i++) {
        if (access_take_calls(contest->usage, 1000, 500, 1, SECOND) == 0)
            atomic_fetch_add(&contest->taken, 1);
        if (!access_count_call(&contest->usage->calls, MOST))
            continue;
        if (atomic_load(&contest->usage->calls) > MOST)
            atomic_store(&contest->exceeded, true);
        atomic_fetch_sub(&contest->usage->calls, 1);
    }
    return NULL;
}

static void test_threads_share_a_limit(void **state)
{
    struct contest contest = {.usage = access_usage_new()};
    pthread_t threads[THREADS];
    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contend, &contest), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_false(contest.exceeded);
    assert_int_equal(contest.taken, 500); /* the time stands still */
    access_usage_release(contest.usage);  /* nothing is in flight */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_in_flight),
        cmocka_unit_test(test_the_wait_is_the_true_one),
        cmocka_unit_test(test_a_batch_is_not_divided),
        cmocka_unit_test(test_no_number_overflows),
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_threads_share_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
