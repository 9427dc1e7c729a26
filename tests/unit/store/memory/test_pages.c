/* Tests of store/memory/pages.c: pages do not overlap, memory is returned, threads share a pool. */
#include "store/memory/pages.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/seeded.h"

#define REGION_PAGES 512 /* of which the first is not allocated */
#define REGION_BYTES (REGION_PAGES * PAGES_PAGE_SIZE)

static void fill(void *page, unsigned number)
{
    memset(page, (int)(number % 251), PAGES_PAGE_SIZE);
}

static void assert_filled(const void *page, unsigned number)
{
    const uint8_t *bytes = page;
    assert_int_equal(bytes[0], number % 251);
    assert_memory_equal(bytes, bytes + 1, PAGES_PAGE_SIZE - 1);
}

static void test_begins_without_memory(void **state)
{
    (void)state;
    struct pages pages;
    pages_init(&pages, false);
    assert_int_equal(pages_memory(&pages), 0);
    pages_deinit(&pages);
}

/* Also that pages freed and allocated again do not overlap those in use. Large and small numbers of
 * pages are held alternately, so that regions lose their memory and get it again. */
static void test_pages_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { HELD = 6000, STEPS = 80000 };
    static void *held[HELD];
    uint64_t random = seeded_start();
    struct pages pages;
    pages_init(&pages, false);
    for (int step = 0; step < STEPS; step++) {
        unsigned i = seeded_below(&random, HELD);
        bool few = step / 10000 % 2 == 1;
        if (held[i] == NULL && few && i % 16 > 0)
            continue;
        if (held[i] == NULL) {
            held[i] = pages_alloc(&pages);
            assert_int_equal((uintptr_t)held[i] % PAGES_PAGE_SIZE, 0);
            fill(held[i], i);
        } else {
            assert_filled(held[i], i);
            pages_free(&pages, held[i]);
            held[i] = NULL;
        }
    }
    for (unsigned i = 0; i < HELD; i++) {
        if (held[i] == NULL)
            continue;
        assert_filled(held[i], i);
        pages_free(&pages, held[i]);
        held[i] = NULL;
    }
    pages_deinit(&pages);
}

static void **take_many(struct pages *pages, unsigned count)
{
    void **held = malloc(count * sizeof *held);
    for (unsigned i = 0; i < count; i++) {
        held[i] = pages_alloc(pages);
        fill(held[i], i);
    }
    return held;
}

static void test_empty_regions_go_back(void **state)
{
    (void)state;
    unsigned count = 10 * (REGION_PAGES - 1);
    struct pages pages;
    pages_init(&pages, false);
    void **held = take_many(&pages, count);
    assert_int_equal(pages.regions, 10);
    assert_int_equal(pages_memory(&pages), 10 * REGION_BYTES);
    for (unsigned i = 0; i < count; i++)
        pages_free(&pages, held[i]);
    assert_true(pages.regions <= 2);
    assert_true(pages_memory(&pages) <= REGION_BYTES + 2 * PAGES_PAGE_SIZE);
    free(held);
    pages_deinit(&pages);
}

/* One page of sixteen stays in use, in every region: none becomes empty. */
static void test_free_pages_of_used_regions_go_back(void **state)
{
    (void)state;
    unsigned count = 10 * (REGION_PAGES - 1), kept = 0;
    struct pages pages;
    pages_init(&pages, false);
    void **held = take_many(&pages, count);
    for (unsigned i = 0; i < count; i++) {
        if (i % 16 > 0)
            pages_free(&pages, held[i]);
        else
            kept++;
    }
    assert_int_equal(pages.regions, 10);
    size_t idle = REGION_BYTES + kept / 8 * PAGES_PAGE_SIZE;
    assert_true(pages_memory(&pages) <= (kept + 10) * PAGES_PAGE_SIZE + idle);
    for (unsigned i = 0; i < count; i++) {
        if (i % 16 == 0)
            assert_filled(held[i], i);
        else
            held[i] = pages_alloc(&pages);
    }
    assert_int_equal(pages.regions, 10);
    assert_int_equal(pages_memory(&pages), 10 * REGION_BYTES);
    for (unsigned i = 0; i < count; i++)
        pages_free(&pages, held[i]);
    free(held);
    pages_deinit(&pages);
}

struct sharer {
    struct pages *pages;
    unsigned number;
    bool damaged;
};

static void *take_and_give(void *context)
{
    enum { HELD = 700, STEPS = 20000 };
    struct sharer *sharer = context;
    void *held[HELD] = {NULL};
    uint64_t random = sharer->number;
    for (int step = 0; step < STEPS; step++) {
        unsigned i = seeded_below(&random, HELD);
        if (held[i] == NULL) {
            held[i] = pages_alloc(sharer->pages);
            *(unsigned *)held[i] = sharer->number;
            continue;
        }
        sharer->damaged |= *(unsigned *)held[i] != sharer->number;
        pages_free(sharer->pages, held[i]);
        held[i] = NULL;
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i] != NULL)
            pages_free(sharer->pages, held[i]);
    return NULL;
}

static void test_threads_share_a_pool(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    struct sharer sharers[THREADS];
    struct pages pages;
    pages_init(&pages, false);
    for (unsigned i = 0; i < THREADS; i++) {
        sharers[i] = (struct sharer){.pages = &pages, .number = i + 1};
        pthread_create(&threads[i], NULL, take_and_give, &sharers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(sharers[i].damaged);
    }
    assert_int_equal(pages.used_count, 0);
    pages_deinit(&pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_without_memory),
        cmocka_unit_test(test_pages_are_aligned_and_apart),
        cmocka_unit_test(test_empty_regions_go_back),
        cmocka_unit_test(test_free_pages_of_used_regions_go_back),
        cmocka_unit_test(test_threads_share_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
