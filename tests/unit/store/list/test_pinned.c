/* Tests of store/list/pinned.c: a pinned list stays as it was, and all of them have a limit. */
#include "store/list/pinned.h"

#include "base/account.h"
#include "store/list/list.h"
#include "store/list/list_garbage.h"
#include "store/memory/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct list *make_list(size_t length)
{
    struct list *list = list_new();
    for (size_t i = 0; i < length; i++) {
        uint8_t text[DECIMAL_MAX];
        list_push(list, LIST_TAIL, decimal_write((int64_t)i, text));
    }
    return list;
}

static void assert_numbers(const struct list *list, size_t length)
{
    struct list_cursor cursor;
    size_t count = 0;
    for (bool on = list_seek(list, &cursor, 0); on; on = list_next(&cursor)) {
        int64_t number;
        assert_true(decimal_parse(list_cursor_value(&cursor), &number));
        assert_int_equal(number, count++);
    }
    assert_int_equal(count, length);
}

static void test_it_stays_as_it_was(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 3, 3000, 100000};
    size_t before = heap_used();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct list *list = make_list(lengths[i]);
        struct pinned pinned = {0};
        assert_true(pinned_take(&pinned, list, (struct pinned_id){.version = 1}));
        size_t bytes = list_memory(list);
        assert_int_equal(pinned_bytes(), bytes >= PINNED_LEAST ? bytes : 0);
        assert_int_equal(pinned_count(), 1);
        list_push(list, LIST_HEAD, SLICE_LITERAL("new"));
        list_replace(list, lengths[i] / 2, SLICE_LITERAL("other"));
        list_drop(list, LIST_TAIL, lengths[i] / 2);
        assert_numbers(pinned.list, lengths[i]);
        list_free(list);
        list_garbage_collect(SIZE_MAX);
        assert_numbers(pinned.list, lengths[i]);
        pinned_release(&pinned);
        assert_null(pinned.list);
        assert_int_equal(pinned_bytes(), 0);
        assert_int_equal(pinned_count(), 0);
        pinned_release(&pinned);
        list_garbage_collect(SIZE_MAX);
        assert_int_equal(heap_used(), before);
    }
}

static void test_long_lists_take_little_to_pin(void **state)
{
    (void)state;
    struct list *list = make_list(300000);
    size_t before = heap_used();
    struct pinned pinned = {0};
    assert_true(pinned_take(&pinned, list, (struct pinned_id){.version = 1}));
    assert_true(heap_used() - before < 64 * 1024);
    pinned_release(&pinned);
    list_free(list);
    list_garbage_collect(SIZE_MAX);
}

static bool take(struct pinned *pinned, const struct list *list, uint64_t version)
{
    return pinned_take(pinned, list, (struct pinned_id){.hash = 5, .db = 1, .version = version});
}

/* One alone may take any amount, and short ones always. */
static void test_the_limit(void **state)
{
    (void)state;
    struct list *list = make_list(100000), *small = make_list(1);
    struct pinned pins[3] = {0};
    account_set_limit(list_memory(list) - 1);
    assert_true(take(&pins[0], list, 1));
    assert_false(take(&pins[1], list, 2));
    assert_null(pins[1].list);
    assert_true(take(&pins[1], small, 3));
    pinned_release(&pins[1]);
    pinned_release(&pins[0]);
    account_set_limit(2 * list_memory(list));
    assert_true(take(&pins[0], list, 1) && take(&pins[1], list, 2));
    assert_false(take(&pins[2], list, 3));
    pinned_release(&pins[1]);
    assert_true(take(&pins[2], list, 3));
    pinned_release(&pins[0]);
    pinned_release(&pins[2]);
    assert_int_equal(pinned_bytes(), 0);
    account_set_limit(SIZE_MAX);
    list_free(list);
    list_free(small);
}

/* Readers of one version share a copy, which counts once, until the last has gone. */
static void test_readers_share_a_copy(void **state)
{
    (void)state;
    enum { READERS = 5 };
    struct list *list = make_list(100000);
    struct pinned pins[READERS] = {0}, other[3] = {0};
    for (size_t i = 0; i < READERS; i++) {
        assert_true(take(&pins[i], list, 1));
        assert_ptr_equal(pins[i].list, pins[0].list);
        assert_int_equal(pinned_bytes(), list_memory(list));
    }
    struct pinned_id others[] = {{.hash = 5, .db = 1, .version = 2},
                                 {.hash = 5, .db = 2, .version = 1},
                                 {.hash = 6, .db = 1, .version = 1}};
    for (size_t i = 0; i < 3; i++) {
        assert_true(pinned_take(&other[i], list, others[i]));
        assert_ptr_not_equal(other[i].list, pins[0].list);
    }
    assert_int_equal(pinned_count(), READERS + 3);
    pinned_release(&other[1]);
    list_free(list);
    for (size_t i = 0; i < READERS; i++) {
        assert_numbers(pins[i].list, 100000);
        pinned_release(&pins[i]);
    }
    pinned_release(&other[2]);
    assert_numbers(other[0].list, 100000);
    pinned_release(&other[0]);
    assert_int_equal(pinned_bytes(), 0);
    assert_int_equal(pinned_count(), 0);
    list_garbage_collect(SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_stays_as_it_was),
        cmocka_unit_test(test_long_lists_take_little_to_pin),
        cmocka_unit_test(test_the_limit),
        cmocka_unit_test(test_readers_share_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
