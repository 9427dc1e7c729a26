/* Tests of base/log_limit.c: when a line is due, how many events it reports, and that none is lost.
 */
#include "base/log_limit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/seeded.h"

#define BEGIN_MS 5000
#define MOST     5

static void test_lines_per_span(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint64_t reported = 99;
    for (int i = 0; i < MOST; i++) {
        assert_true(log_limit_note(&limit, MOST, BEGIN_MS + i, 1, &reported));
        assert_int_equal(reported, 1);
    }
    for (int i = 0; i < 7; i++)
        assert_false(log_limit_note(&limit, MOST, BEGIN_MS + LOG_LIMIT_SPAN_MS - 1, 1, &reported));
    assert_true(log_limit_note(&limit, MOST, BEGIN_MS + LOG_LIMIT_SPAN_MS, 1, &reported));
    assert_int_equal(reported, 8);
    assert_true(log_limit_note(&limit, MOST, BEGIN_MS + LOG_LIMIT_SPAN_MS, 1, &reported));
    assert_int_equal(reported, 1);
}

static void test_events_are_reported_together(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint64_t reported = 0;
    assert_true(log_limit_note(&limit, 1, 5, 3, &reported));
    assert_int_equal(reported, 3);
    for (int64_t ms = 5; ms < 5 + LOG_LIMIT_SPAN_MS; ms += LOG_LIMIT_SPAN_MS / 10)
        assert_false(log_limit_note(&limit, 1, ms, 2, &reported));
    assert_true(log_limit_note(&limit, 1, 5 + LOG_LIMIT_SPAN_MS, 1, &reported));
    assert_int_equal(reported, 21);
    assert_false(log_limit_note(&limit, 1, 6 + LOG_LIMIT_SPAN_MS, 1, &reported));
}

/* A periodic call with no events reports the last ones, too. */
static void test_suppressed_events_are_reported_later(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint64_t reported = 0;
    assert_false(log_limit_note(&limit, 1, 5, 0, &reported));
    assert_true(log_limit_note(&limit, 1, 5, 1, &reported));
    assert_false(log_limit_note(&limit, 1, 6, 4, &reported));
    assert_false(log_limit_note(&limit, 1, 7, 0, &reported));
    assert_true(log_limit_note(&limit, 1, 5 + LOG_LIMIT_SPAN_MS, 0, &reported));
    assert_int_equal(reported, 4);
    assert_false(log_limit_note(&limit, 1, 5 + 2 * LOG_LIMIT_SPAN_MS, 0, &reported));
}

static void test_every_event_is_reported(void **state)
{
    (void)state;
    uint64_t random = seeded_start(), events = 0, all = 0, reported;
    struct log_limit limit = {0};
    int64_t now_ms = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t more = seeded_below(&random, 3);
        now_ms += (int64_t)seeded_below(&random, i % 50 == 0 ? 20000 : 200);
        events += more;
        if (log_limit_note(&limit, MOST, now_ms, more, &reported))
            all += reported;
    }
    if (log_limit_note(&limit, MOST, now_ms + LOG_LIMIT_SPAN_MS, 0, &reported))
        all += reported;
    assert_int_equal(all, events);
}

struct shared {
    struct log_limit limit;
    atomic_uint_fast64_t lines, reported;
};

static void *note_many(void *user)
{
    struct shared *shared = user;
    for (int i = 0; i < 10000; i++) {
        uint64_t reported;
        if (!log_limit_note(&shared->limit, MOST, BEGIN_MS, 1, &reported))
            continue;
        atomic_fetch_add(&shared->lines, 1);
        atomic_fetch_add(&shared->reported, reported);
    }
    return NULL;
}

static void test_threads_share_it(void **state)
{
    (void)state;
    struct shared shared = {0};
    pthread_t threads[4];
    uint64_t reported;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_many, &shared), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&shared.lines), 1, 2 * MOST);
    assert_true(log_limit_note(&shared.limit, MOST, BEGIN_MS + LOG_LIMIT_SPAN_MS, 0, &reported));
    assert_int_equal(atomic_load(&shared.reported) + reported, 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_per_span),
        cmocka_unit_test(test_events_are_reported_together),
        cmocka_unit_test(test_suppressed_events_are_reported_later),
        cmocka_unit_test(test_every_event_is_reported),
        cmocka_unit_test(test_threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
