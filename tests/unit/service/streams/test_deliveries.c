/* Tests of service/streams/deliveries.c: elements by number and in order, through all their states.
 */
#include "service/streams/deliveries.h"

#include "base/blob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void add(struct deliveries *deliveries, struct slice *values, size_t count)
{
    struct op_result result = {.values = values, .value_count = count};
    deliveries_add(deliveries, &result, 7);
}

static void test_from_taken_to_gone(void **state)
{
    (void)state;
    struct deliveries deliveries = {0};
    char text[] = "abc";
    struct slice values[] = {slice_make((uint8_t *)text, 1), slice_make((uint8_t *)text + 1, 2)};
    assert_null(deliveries_find(&deliveries, 1));
    add(&deliveries, values, 2);
    memset(text, 'x', 3);
    assert_int_equal(deliveries.bytes, 3);
    assert_int_equal(deliveries.unwritten_bytes, 3);
    struct delivery *one = deliveries_find(&deliveries, 1), *two = deliveries_find(&deliveries, 2);
    assert_true(slice_equal(one->value, SLICE_LITERAL("a")));
    assert_true(slice_equal(two->value, SLICE_LITERAL("bc")));
    assert_int_equal(two->key, 7);
    assert_ptr_equal(deliveries.unwritten, one);
    deliveries_written(&deliveries);
    assert_int_equal(deliveries.written_id, 1);
    assert_ptr_equal(deliveries.unwritten, two);
    deliveries_end(&deliveries, one, false);
    assert_null(deliveries_find(&deliveries, 1));
    assert_false(one->is_doubled);
    deliveries_end_all(&deliveries);
    assert_true(two->gives_back && !two->is_written);
    assert_null(deliveries.unwritten);
    assert_int_equal(deliveries.unwritten_bytes, 0);
    assert_int_equal(deliveries.ending.count, 2);
    assert_ptr_equal(deliveries.ending.first, one);
    deliveries_drop_first(&deliveries, &deliveries.ending);
    assert_int_equal(deliveries.bytes, 2);
    deliveries_deinit(&deliveries);
}

static void test_equal_elements_are_noticed(void **state)
{
    (void)state;
    struct deliveries deliveries = {0};
    struct slice values[] = {SLICE_LITERAL("x"), SLICE_LITERAL("y"), SLICE_LITERAL("x")};
    add(&deliveries, values, 3);
    for (int i = 0; i < 3; i++)
        deliveries_written(&deliveries);
    struct delivery *last = deliveries_find(&deliveries, 3);
    deliveries_end(&deliveries, last, false);
    assert_true(last->is_doubled);
    struct delivery *first = deliveries_find(&deliveries, 1);
    deliveries_end(&deliveries, first, false);
    assert_false(first->is_doubled);
    deliveries_deinit(&deliveries);
}

static void test_large_values_are_shared(void **state)
{
    (void)state;
    struct deliveries deliveries = {0};
    struct blob *blob = blob_new(5);
    struct slice value = slice_make(blob->data, 5);
    memcpy(blob->data, "large", 5);
    deliveries_add(&deliveries,
                   &(struct op_result){.values = &value, .blobs = &blob, .value_count = 1}, 0);
    const uint8_t *bytes = blob->data;
    blob_release(blob);
    assert_ptr_equal(deliveries_find(&deliveries, 1)->value.data, bytes);
    assert_memory_equal(deliveries_find(&deliveries, 1)->value.data, "large", 5);
    deliveries_deinit(&deliveries);
}

static void test_many_are_found(void **state)
{
    (void)state;
    struct deliveries deliveries = {0};
    struct slice value = SLICE_LITERAL("");
    for (uint64_t id = 1; id <= 5000; id++) {
        add(&deliveries, &value, 1);
        deliveries_written(&deliveries);
        if (id % 3 == 0)
            deliveries_end(&deliveries, deliveries_find(&deliveries, id / 3), true);
    }
    for (uint64_t id = 1; id <= 5000; id++) {
        const struct delivery *found = deliveries_find(&deliveries, id);
        assert_int_equal(found != NULL, id > 1666);
        assert_true(found == NULL || found->id == id);
    }
    deliveries_deinit(&deliveries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_taken_to_gone),
        cmocka_unit_test(test_equal_elements_are_noticed),
        cmocka_unit_test(test_large_values_are_shared),
        cmocka_unit_test(test_many_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
