/* Tests of store/data/waiters.c: who is first in line, and who is notified when. */
#include "store/data/waiters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

struct own_waiter {
    struct waiter waiter; /* first */
    unsigned notified;
};

static void notify(struct waiter *waiter)
{
    ((struct own_waiter *)waiter)->notified++;
}

#define WAITER                                                                                     \
    {                                                                                              \
        .waiter.notify = notify                                                                    \
    }

static const struct op_key key = {SLICE_LITERAL("key"), 77};
static const struct op_key other = {SLICE_LITERAL("other"), 77};

static void join(struct waiters *waiters, struct own_waiter *waiter, const struct op_key *at)
{
    waiters_prepare(&waiter->waiter, 1);
    waiters_join(waiters, 3, at, &waiter->waiter, 0);
}

static bool on_list(struct waiters *waiters, const struct op_key *at)
{
    return waiters_on_list(waiters, 3, at->bytes, at->hash);
}

static void test_the_first_in_line_is_notified(void **state)
{
    (void)state;
    struct waiters waiters = {0};
    struct own_waiter a = WAITER, b = WAITER, c = WAITER;
    assert_false(on_list(&waiters, &key));
    assert_true(waiters_may_take(&waiters, 3, &key, NULL));
    join(&waiters, &a, &key);
    join(&waiters, &b, &key);
    join(&waiters, &c, &other);
    assert_false(waiters_may_take(&waiters, 3, &key, NULL));
    assert_false(waiters_may_take(&waiters, 3, &key, &b.waiter));
    assert_true(waiters_may_take(&waiters, 3, &key, &a.waiter));
    assert_true(waiters_may_take(&waiters, 2, &key, NULL)); /* another database */
    assert_true(on_list(&waiters, &key));
    assert_int_equal(a.notified, 1);
    assert_int_equal(b.notified + c.notified, 0);
    assert_false(waiters_on_list(&waiters, 2, key.bytes, key.hash));
    assert_true(waiter_leave(&a.waiter)); /* there may be more */
    assert_int_equal(b.notified, 1);
    join(&waiters, &b, &key); /* found nothing, and stays in line */
    join(&waiters, &a, &key);
    assert_false(waiters_may_take(&waiters, 3, &key, &a.waiter));
    assert_false(waiter_leave(&b.waiter));
    assert_int_equal(a.notified, 1);
    assert_false(waiter_leave(&a.waiter));
    assert_false(waiter_leave(&a.waiter)); /* a no-op */
    assert_false(waiter_leave(&c.waiter));
    waiters_deinit(&waiters);
}

static void test_who_leaves_from_the_middle_notifies_nobody(void **state)
{
    (void)state;
    struct waiters waiters = {0};
    struct own_waiter a = WAITER, b = WAITER, c = WAITER;
    join(&waiters, &a, &key);
    join(&waiters, &b, &key);
    join(&waiters, &c, &key);
    on_list(&waiters, &key);
    assert_false(waiter_leave(&b.waiter));
    assert_true(waiter_leave(&a.waiter));
    assert_int_equal(c.notified, 1);
    assert_false(waiter_leave(&c.waiter));
    waiters_deinit(&waiters);
}

/* One waits in several queues, and twice in the same. */
static void test_one_waits_for_several_keys(void **state)
{
    (void)state;
    struct waiters waiters = {0};
    struct own_waiter a = WAITER, b = WAITER;
    waiters_prepare(&a.waiter, 3);
    waiters_join(&waiters, 3, &key, &a.waiter, 0);
    waiters_join(&waiters, 3, &other, &a.waiter, 1);
    waiters_join(&waiters, 3, &key, &a.waiter, 2);
    join(&waiters, &b, &key);
    assert_true(on_list(&waiters, &other));
    assert_true(on_list(&waiters, &key));
    assert_int_equal(a.notified, 2);
    assert_true(waiter_leave(&a.waiter));
    assert_int_equal(a.notified, 2);
    assert_int_equal(b.notified, 1);
    assert_false(waiter_leave(&b.waiter));
    waiters_deinit(&waiters);
}

static void test_a_swap_notifies_in_both_databases(void **state)
{
    (void)state;
    struct waiters waiters = {0};
    struct own_waiter a = WAITER;
    assert_false(waiters_on_swap(&waiters, 3, 4));
    join(&waiters, &a, &key);
    assert_false(waiters_on_swap(&waiters, 1, 2));
    assert_true(waiters_on_swap(&waiters, 1, 3));
    assert_true(waiters_on_swap(&waiters, 3, 1));
    assert_int_equal(a.notified, 2);
    waiter_leave(&a.waiter);
    waiters_deinit(&waiters);
}

#define COUNT 2000

/* Many at many keys: each key's list goes to the first of those who wait for it. */
static void test_many(void **state)
{
    (void)state;
    static struct own_waiter all[COUNT];
    static char names[COUNT][16];
    static struct op_key keys[COUNT];
    static unsigned place[COUNT]; /* when it came; 0 = it does not wait */
    uint64_t random = seeded_start();
    struct waiters waiters = {0};
    unsigned now = 0;
    for (size_t i = 0; i < COUNT; i++) {
        all[i] = (struct own_waiter)WAITER;
        snprintf(names[i], sizeof names[i], "%u", seeded_below(&random, COUNT / 4));
        uint64_t hash = strtoull(names[i], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        keys[i] = (struct op_key){slice_from_string(names[i]), hash};
    }
    for (int step = 0; step < 20000; step++) {
        size_t i = seeded_below(&random, COUNT);
        if (place[i] != 0) {
            waiter_leave(&all[i].waiter);
            place[i] = 0;
        } else {
            join(&waiters, &all[i], &keys[i]);
            place[i] = ++now;
        }
        size_t at = seeded_below(&random, COUNT), first = COUNT;
        for (size_t k = 0; k < COUNT; k++) {
            all[k].notified = 0;
            if (place[k] != 0 && slice_equal(keys[k].bytes, keys[at].bytes) &&
                (first == COUNT || place[k] < place[first]))
                first = k;
        }
        assert_int_equal(on_list(&waiters, &keys[at]), first != COUNT);
        if (first != COUNT)
            assert_int_equal(all[first].notified, 1);
    }
    for (size_t i = 0; i < COUNT; i++)
        waiter_leave(&all[i].waiter);
    waiters_deinit(&waiters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_in_line_is_notified),
        cmocka_unit_test(test_who_leaves_from_the_middle_notifies_nobody),
        cmocka_unit_test(test_one_waits_for_several_keys),
        cmocka_unit_test(test_a_swap_notifies_in_both_databases),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
