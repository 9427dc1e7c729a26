/* Tests of store/regions.c: regions are aligned, zero and apart, and few are ready ahead. */
#include "store/regions.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/seeded.h"

#define WORDS (REGIONS_SIZE / sizeof(uint64_t))
/* Words that are looked at in a region: a few of each page. */
#define STRIDE 100

static void assert_zero(const uint64_t *region)
{
    for (size_t i = 0; i < WORDS; i += STRIDE)
        assert_int_equal(region[i], 0);
}

static void fill(uint64_t *region, uint64_t number)
{
    for (size_t i = 0; i < WORDS; i += STRIDE)
        region[i] = number;
}

static bool is_filled(const uint64_t *region, uint64_t number)
{
    for (size_t i = 0; i < WORDS; i += STRIDE) {
        if (region[i] != number)
            return false;
    }
    return true;
}

static void *take(struct regions *regions)
{
    void *region = regions_take(regions);
    assert_int_equal((uintptr_t)region % REGIONS_SIZE, 0);
    return region;
}

static void take_many(struct regions *regions, void **held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        held[i] = take(regions);
}

static void give_many(struct regions *regions, void **held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        regions_give(regions, held[i]);
}

/* The test's own time limit ends it if the thread makes none ready. */
static void wait_for_ready(const struct regions *regions, size_t count)
{
    while (regions_ready(regions) < count * REGIONS_SIZE)
        sched_yield();
    assert_int_equal(regions_ready(regions), count * REGIONS_SIZE);
}

static void test_few_regions_have_no_thread(void **state)
{
    (void)state;
    void *held[REGIONS_PER_READY - 1];
    struct regions regions = REGIONS_INITIALIZER(true);
    take_many(&regions, held, REGIONS_PER_READY - 1);
    assert_false(regions.started);
    give_many(&regions, held, REGIONS_PER_READY - 1);
    regions_deinit(&regions);
}

static void test_without_huge_pages_there_is_no_thread(void **state)
{
    (void)state;
    enum { COUNT = 2 * REGIONS_PER_READY };
    void *held[COUNT];
    struct regions regions = REGIONS_INITIALIZER(false);
    take_many(&regions, held, COUNT);
    assert_false(regions.started);
    give_many(&regions, held, COUNT);
    regions_deinit(&regions);
}

static void test_some_are_ready_when_there_are_many(void **state)
{
    (void)state;
    enum { COUNT = (REGIONS_MOST_READY + 2) * REGIONS_PER_READY };
    static void *held[COUNT];
    struct regions regions = REGIONS_INITIALIZER(true);
    for (size_t i = 0; i < COUNT; i++) {
        held[i] = take(&regions);
        size_t most = (i + 1) / REGIONS_PER_READY;
        wait_for_ready(&regions, most < REGIONS_MOST_READY ? most : REGIONS_MOST_READY);
        assert_zero(held[i]);
        fill(held[i], i + 1);
    }
    for (size_t i = 0; i < COUNT; i++)
        assert_true(is_filled(held[i], i + 1));
    give_many(&regions, held, COUNT);
    assert_int_equal(regions_ready(&regions), 0);
    regions_deinit(&regions);
}

static void test_it_may_end_while_some_are_made_ready(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        void *held[REGIONS_PER_READY];
        struct regions regions = REGIONS_INITIALIZER(true);
        take_many(&regions, held, REGIONS_PER_READY);
        assert_true(regions.started);
        give_many(&regions, held, REGIONS_PER_READY);
        regions_deinit(&regions);
    }
}

struct sharer {
    struct regions *regions;
    uint64_t number;
    bool damaged;
};

static void *take_and_give(void *context)
{
    enum { HELD = 3 * REGIONS_PER_READY / 2, STEPS = 600 };
    struct sharer *sharer = context;
    uint64_t *held[HELD] = {NULL};
    uint64_t random = sharer->number;
    for (int step = 0; step < STEPS; step++) {
        unsigned i = seeded_below(&random, HELD);
        if (held[i] == NULL) {
            held[i] = regions_take(sharer->regions);
            sharer->damaged |= !is_filled(held[i], 0);
            fill(held[i], sharer->number);
            continue;
        }
        sharer->damaged |= !is_filled(held[i], sharer->number);
        regions_give(sharer->regions, held[i]);
        held[i] = NULL;
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i] != NULL)
            regions_give(sharer->regions, held[i]);
    return NULL;
}

static void test_threads_take_and_give(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    struct sharer sharers[THREADS];
    struct regions regions = REGIONS_INITIALIZER(true);
    for (unsigned i = 0; i < THREADS; i++) {
        sharers[i] = (struct sharer){.regions = &regions, .number = i + 1};
        pthread_create(&threads[i], NULL, take_and_give, &sharers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(sharers[i].damaged);
    }
    assert_int_equal(regions.in_use, 0);
    regions_deinit(&regions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_regions_have_no_thread),
        cmocka_unit_test(test_without_huge_pages_there_is_no_thread),
        cmocka_unit_test(test_some_are_ready_when_there_are_many),
        cmocka_unit_test(test_it_may_end_while_some_are_made_ready),
        cmocka_unit_test(test_threads_take_and_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
