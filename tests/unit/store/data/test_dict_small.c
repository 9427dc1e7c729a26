/* Tests of store/data/dict.c: the memory of tables with few entries. */
#include "store/data/dict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/dict_fixture.h"

static void fill_small(struct fixture *fixture, struct dict *dict, uint32_t first, uint32_t keys)
{
    dict_init(dict, &fixture->slab, &fixture->hasher);
    for (uint32_t key = first; key < first + keys; key++) {
        struct text name = text_of(key);
        dict_add(dict, hash_well(key),
                 new_string(fixture, slice_from_string(name.bytes), SLICE_LITERAL("1")));
    }
}

static void assert_small(const struct dict *dict, uint32_t first, uint32_t keys)
{
    assert_int_equal(dict->count, keys);
    for (uint32_t key = first; key < first + keys; key++) {
        struct text name = text_of(key);
        assert_non_null(dict_find(dict, hash_well(key), slice_from_string(name.bytes)));
    }
}

/* The memory of a small table is proportional to what it holds, growing and shrinking. */
static void test_small_tables_take_little(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t key = 0; key < 300; key++) {
        put(fixture, key, 1);
        assert_true(dict_memory(&fixture->dict) <= 160 + fixture->count * 40);
        assert_equal(fixture, key + 1);
    }
    for (uint32_t key = 0; key < 300; key++) {
        take(fixture, key);
        assert_true(dict_memory(&fixture->dict) <= 160 + fixture->count * 40);
    }
    assert_true(dict_memory(&fixture->dict) <= 160);
}

/* First pages in sparse memory move, and nothing is lost. */
static void test_small_tables_move(void **state)
{
    struct fixture *fixture = *state;
    enum { TABLES = 3000, KEPT = 10, KEYS_EACH = 24 }; /* four buckets */
    static struct dict tables[TABLES];
    for (uint32_t i = 0; i < TABLES; i++)
        fill_small(fixture, &tables[i], i * KEYS_EACH, KEYS_EACH);
    for (uint32_t i = 0; i < TABLES; i++)
        if (i % KEPT != 0)
            dict_deinit(&tables[i]);
    size_t held = slab_memory(&fixture->slab), moved = 0;
    assert_true(slab_is_fragmented(&fixture->slab));
    for (uint32_t i = 0; i < TABLES; i += KEPT)
        moved += dict_move_links(&tables[i], 0);
    assert_in_range(moved, TABLES / KEPT / 2, TABLES / KEPT);
    assert_true(slab_memory(&fixture->slab) < held);
    for (uint32_t i = 0; i < TABLES; i += KEPT) {
        assert_small(&tables[i], i * KEYS_EACH, KEYS_EACH);
        dict_deinit(&tables[i]);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, dict_setup, dict_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_small_tables_take_little),
        TEST(test_small_tables_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
