/* Tests of store/memory/regions.c: regions are aligned, zero and disjoint, and few are ready
 * ahead. */
#include "store/memory/regions.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/seeded.h"

#define WORDS (REGIONS_SIZE / sizeof(uint64_t))
/* Words checked in a region: a few of each page. */
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

struct fixture {
    struct regions regions;
    atomic_size_t held;
};

static void init(struct fixture *fixture)
{
    *fixture = (struct fixture){.regions = REGIONS_INITIALIZER(&fixture->held)};
}

static void *take(struct fixture *fixture)
{
    void *region = regions_alloc(&fixture->regions);
    atomic_fetch_add(&fixture->held, REGIONS_SIZE);
    return region;
}

static void give(struct fixture *fixture, void *region)
{
    regions_free(region);
    atomic_fetch_sub(&fixture->held, REGIONS_SIZE);
    regions_trim(&fixture->regions);
}

static void take_many(struct fixture *fixture, void **held, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        held[i] = take(fixture);
        assert_int_equal((uintptr_t)held[i] % REGIONS_SIZE, 0);
    }
}

static void give_many(struct fixture *fixture, void **held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        give(fixture, held[i]);
}

static size_t most_ready(size_t held)
{
    size_t most = held / REGIONS_SHARE;
    return most < REGIONS_MAX_READY ? most : REGIONS_MAX_READY;
}

/* The test's time limit ends it if the thread prepares fewer or more regions. One more is possible
 * for a moment: a region that the thread was preparing when enough others were still in use. The
 * thread may have checked before or after the test counted the region that it allocated. */
static void wait_after_take(const struct fixture *fixture, size_t held_before)
{
    size_t ready;
    do {
        sched_yield();
        ready = regions_ready(&fixture->regions) / REGIONS_SIZE;
    } while (ready != most_ready(held_before) && ready != most_ready(held_before + 1));
}

static void test_few_regions_have_no_thread(void **state)
{
    (void)state;
    void *held[REGIONS_SHARE];
    struct fixture fixture;
    init(&fixture);
    take_many(&fixture, held, REGIONS_SHARE);
    assert_false(fixture.regions.started);
    give_many(&fixture, held, REGIONS_SHARE);
    regions_deinit(&fixture.regions);
}

static void test_without_huge_pages_there_is_no_thread(void **state)
{
    (void)state;
    enum { COUNT = 2 * REGIONS_SHARE };
    struct regions regions = REGIONS_INITIALIZER(NULL);
    void *held[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        held[i] = regions_alloc(&regions);
    assert_false(regions.started);
    for (size_t i = 0; i < COUNT; i++) {
        regions_free(held[i]);
        regions_trim(&regions);
    }
    regions_deinit(&regions);
}

/* Also that fewer are ready when less is held. */
static void test_some_are_ready_when_there_are_many(void **state)
{
    (void)state;
    enum { COUNT = (REGIONS_MAX_READY + 2) * REGIONS_SHARE };
    static void *held[COUNT];
    struct fixture fixture;
    init(&fixture);
    for (size_t i = 0; i < COUNT; i++) {
        take_many(&fixture, &held[i], 1);
        wait_after_take(&fixture, i);
        assert_zero(held[i]);
        fill(held[i], i + 1);
    }
    for (size_t i = COUNT; i-- > 0;) {
        assert_true(is_filled(held[i], i + 1));
        give(&fixture, held[i]);
        assert_true(regions_ready(&fixture.regions) <= most_ready(i) * REGIONS_SIZE);
    }
    regions_deinit(&fixture.regions);
}

/* The region that is being prepared then comes too late. */
static void test_a_pool_may_shrink_or_end_meanwhile(void **state)
{
    (void)state;
    enum { COUNT = REGIONS_SHARE + 1 };
    for (int round = 0; round < 50; round++) {
        void *held[COUNT];
        struct fixture fixture;
        init(&fixture);
        take_many(&fixture, held, COUNT);
        assert_true(fixture.regions.started);
        give_many(&fixture, held, COUNT);
        if (round % 2 == 0) {
            while (regions_ready(&fixture.regions) > 0)
                sched_yield();
        }
        regions_deinit(&fixture.regions);
    }
}

struct sharer {
    struct fixture *fixture;
    uint64_t number;
    bool damaged;
};

static void *take_and_give(void *context)
{
    enum { HELD = 3 * REGIONS_SHARE / 2, STEPS = 600 };
    struct sharer *sharer = context;
    uint64_t *held[HELD] = {NULL};
    uint64_t random = sharer->number;
    for (int step = 0; step < STEPS; step++) {
        unsigned i = seeded_below(&random, HELD);
        if (held[i] == NULL) {
            held[i] = take(sharer->fixture);
            sharer->damaged |= !is_filled(held[i], 0);
            fill(held[i], sharer->number);
            continue;
        }
        sharer->damaged |= !is_filled(held[i], sharer->number);
        give(sharer->fixture, held[i]);
        held[i] = NULL;
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i] != NULL)
            give(sharer->fixture, held[i]);
    return NULL;
}

static void test_threads_take_and_give(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    struct sharer sharers[THREADS];
    struct fixture fixture;
    init(&fixture);
    for (unsigned i = 0; i < THREADS; i++) {
        sharers[i] = (struct sharer){.fixture = &fixture, .number = i + 1};
        pthread_create(&threads[i], NULL, take_and_give, &sharers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(sharers[i].damaged);
    }
    assert_int_equal(fixture.held, 0);
    regions_deinit(&fixture.regions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_regions_have_no_thread),
        cmocka_unit_test(test_without_huge_pages_there_is_no_thread),
        cmocka_unit_test(test_some_are_ready_when_there_are_many),
        cmocka_unit_test(test_a_pool_may_shrink_or_end_meanwhile),
        cmocka_unit_test(test_threads_take_and_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
