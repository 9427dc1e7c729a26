/* Tests of journal/log/commit_delay.c: for whom and how long it waits, and when it gives up. */
#include "journal/log/commit_delay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SYNC_US 1000

static void test_at_first_it_waits_for_nobody(void **state)
{
    (void)state;
    struct commit_delay delay = {0};
    assert_false(commit_delay_waits(&delay, 0, 0));
    assert_false(commit_delay_waits(&delay, 0, 10));
}

static void test_it_waits_for_all_who_waited_before(void **state)
{
    (void)state;
    struct commit_delay delay = {0};
    commit_delay_start(&delay, 5000, SYNC_US, 6, 2);
    assert_int_equal(delay.wanted, 8);
    assert_true(commit_delay_waits(&delay, 5001, 2));
    assert_true(commit_delay_waits(&delay, 5499, 7));
    assert_false(commit_delay_waits(&delay, 5499, 8));
    assert_false(commit_delay_waits(&delay, 5499, 0)); /* that was it */
}

static void test_it_waits_no_longer_than_half_a_sync(void **state)
{
    (void)state;
    struct commit_delay delay = {0};
    commit_delay_start(&delay, 5000, SYNC_US, 6, 2);
    assert_int_equal(delay.until_us, 5500);
    assert_false(commit_delay_waits(&delay, 5500, 2));

    delay = (struct commit_delay){0};
    commit_delay_start(&delay, 5000, 1000000, 6, 2);
    assert_int_equal(delay.until_us, 5000 + COMMIT_DELAY_MOST_US);
}

/* A sync after which all but `missing` of 80 return; true if it waited for them. */
static bool try_80(struct commit_delay *delay, uint64_t missing)
{
    commit_delay_start(delay, 0, SYNC_US, 80, 0);
    bool waited = commit_delay_waits(delay, 0, 0);
    assert_false(commit_delay_waits(delay, SYNC_US, 80 - missing));
    return waited;
}

static unsigned count_until_it_tries(struct commit_delay *delay, uint64_t missing)
{
    unsigned skipped = 0;
    while (!try_80(delay, missing))
        assert_true(++skipped < 1000);
    return skipped;
}

static void test_it_tries_ever_less_often_what_does_not_help(void **state)
{
    (void)state;
    struct commit_delay delay = {0};
    const unsigned skipped[] = {0, 1, 2, 4, 8, 16, 32, 64, 64, 64};
    for (size_t i = 0; i < sizeof skipped / sizeof skipped[0]; i++)
        assert_int_equal(count_until_it_tries(&delay, 11), skipped[i]);
    /* It helps again. */
    assert_int_equal(count_until_it_tries(&delay, 0), 64);
    assert_int_equal(count_until_it_tries(&delay, 10), 0);
    assert_int_equal(count_until_it_tries(&delay, 11), 0);
    assert_int_equal(count_until_it_tries(&delay, 11), 1);
}

/* Neither no returning clients at all, nor a few of many, count for or against. */
static void test_it_learns_only_from_what_tells(void **state)
{
    (void)state;
    struct commit_delay delay = {0};
    assert_true(try_80(&delay, 80));
    assert_true(try_80(&delay, 80));
    commit_delay_start(&delay, 0, SYNC_US, 10, 70);
    assert_false(commit_delay_waits(&delay, SYNC_US, 70));
    assert_true(try_80(&delay, 40));
    assert_false(try_80(&delay, 40)); /* that is skipped */
    commit_delay_start(&delay, 0, SYNC_US, 10, 70);
    assert_false(commit_delay_waits(&delay, SYNC_US, 80));
    assert_true(try_80(&delay, 40));
    assert_false(try_80(&delay, 40));
    assert_false(try_80(&delay, 40)); /* so the success of a few has not been one */
}

/* Closed loop: a client whose record is durable writes another, `turn_us` later for each of those
 * that return at once. Returns records made durable in a sync's time, at most all. */
static double run_closed_loop(uint64_t clients, int64_t turn_us)
{
    struct commit_delay delay = {0};
    int64_t now_us = 0;
    uint64_t durable = 0, syncing = 1, gathered = clients - 1;
    for (int i = 0; i < 20000; i++) {
        int64_t synced_us = now_us + SYNC_US;
        uint64_t back = 0;
        durable += syncing;
        commit_delay_start(&delay, synced_us, SYNC_US, syncing, gathered);
        now_us = synced_us;
        while (commit_delay_waits(&delay, now_us, gathered + back) ||
               (gathered + back == 0 && back < syncing)) {
            now_us += turn_us;
            back++;
        }
        /* Clients on their way arrive while the next one is synced. */
        uint64_t late = syncing - back;
        syncing = gathered + back;
        gathered = late;
    }
    return (double)durable * SYNC_US / (double)now_us;
}

static void test_a_closed_loop_uses_what_the_disk_allows(void **state)
{
    (void)state;
    assert_true(run_closed_loop(8, 5) > 8 * 0.9);
    assert_true(run_closed_loop(1000, 0) > 1000 * 0.99);
    assert_true(run_closed_loop(1, 100) > 0.9);
    /* Where coming back takes longer than a sync, two groups in turn are better, and are left
     * alone. */
    assert_true(run_closed_loop(100, 40) > 50 * 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_first_it_waits_for_nobody),
        cmocka_unit_test(test_it_waits_for_all_who_waited_before),
        cmocka_unit_test(test_it_waits_no_longer_than_half_a_sync),
        cmocka_unit_test(test_it_tries_ever_less_often_what_does_not_help),
        cmocka_unit_test(test_it_learns_only_from_what_tells),
        cmocka_unit_test(test_a_closed_loop_uses_what_the_disk_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
