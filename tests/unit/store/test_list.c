/* Tests of store/list.c: against an array that is moved by hand, through growing and shrinking. */
#include "store/list.h"

#include "base/blob.h"
#include "store/entry.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/seeded.h"

#define MODEL_SIZE   600
#define ELEMENT_SIZE 20

struct element {
    uint8_t bytes[ELEMENT_SIZE];
    size_t len;
};

/* What the list must hold, in the plainest form. */
struct model {
    struct element elements[MODEL_SIZE];
    size_t length;
};

static void push(struct list *list, struct model *model, uint64_t *random)
{
    struct element element = {.len = seeded_below(random, ELEMENT_SIZE + 1)};
    seeded_fill(random, element.bytes, element.len);
    list_push_head(list, slice_make(element.bytes, element.len));
    memmove(model->elements + 1, model->elements, model->length * sizeof element);
    model->elements[0] = element;
    model->length++;
}

static void drop_head(struct list *list, struct model *model)
{
    list_drop_head(list);
    model->length--;
    memmove(model->elements, model->elements + 1, model->length * sizeof(struct element));
}

static void drop_tail(struct list *list, struct model *model)
{
    list_drop_tail(list);
    model->length--;
}

static void assert_equal(const struct list *list, const struct model *model)
{
    assert_int_equal(list_length(list), model->length);
    for (size_t i = 0; i < model->length; i++) {
        const struct element *element = &model->elements[i];
        assert_true(slice_equal(list_at(list, i), slice_make(element->bytes, element->len)));
    }
}

/* Phases in which pushes and drops prevail by turns, so that the ring grows, wraps and shrinks. */
static void test_random_steps_match_an_array(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct model model = {.length = 0};
    struct list *list = list_new();
    for (int step = 0; step < 20000; step++) {
        uint32_t pushes = step / 1000 % 2 == 0 ? 70 : 30;
        uint32_t choice = seeded_below(&random, 100);
        if (choice < pushes && model.length < MODEL_SIZE)
            push(list, &model, &random);
        else if (model.length > 0 && choice % 2 == 0)
            drop_head(list, &model);
        else if (model.length > 0)
            drop_tail(list, &model);
        if (step % 7 == 0 || model.length < 10)
            assert_equal(list, &model);
    }
    list_free(list);
}

static void test_every_length_keeps_its_order_up_and_down(void **state)
{
    (void)state;
    struct list *list = list_new();
    for (uint32_t i = 0; i < 300; i++) {
        list_push_head(list, slice_make(&i, sizeof i));
        for (uint32_t at = 0; at <= i; at++) {
            uint32_t expected = i - at;
            assert_true(slice_equal(list_at(list, at), slice_make(&expected, sizeof expected)));
        }
    }
    for (uint32_t left = 300; left > 0; left--) {
        uint32_t first = left - 1, last = 0;
        assert_int_equal(list_length(list), left);
        assert_true(slice_equal(list_at(list, 0), slice_make(&first, sizeof first)));
        assert_true(slice_equal(list_at(list, left - 1), slice_make(&last, sizeof last)));
        list_drop_head(list);
    }
    assert_int_equal(list_length(list), 0);
    list_free(list);
}

static void test_elements_are_copies_and_may_be_empty(void **state)
{
    (void)state;
    char bytes[] = "a\0b";
    struct list *list = list_new();
    list_push_head(list, slice_make(NULL, 0));
    list_push_head(list, slice_make(bytes, 3));
    memset(bytes, 'x', 3);
    assert_true(slice_equal(list_at(list, 0), SLICE_LITERAL("a\0b")));
    assert_int_equal(list_at(list, 1).len, 0);
    list_free(list);
}

/* A list used as a queue turns round its ring for ever. */
static void test_an_empty_list_is_usable_again(void **state)
{
    (void)state;
    struct list *list = list_new();
    for (int round = 0; round < 100; round++) {
        list_push_head(list, SLICE_LITERAL("one"));
        list_push_head(list, SLICE_LITERAL("two"));
        list_drop_tail(list);
        assert_true(slice_equal(list_at(list, 0), SLICE_LITERAL("two")));
        list_drop_tail(list);
        assert_int_equal(list_length(list), 0);
    }
    list_free(list);
}

static void test_free_takes_null(void **state)
{
    (void)state;
    list_free(NULL);
}

/* Short elements and long ones, which are blobs, turn round the ring together. */
static void test_long_elements_are_blobs(void **state)
{
    (void)state;
    static uint8_t bytes[ENTRY_MIN_BLOB + 20];
    struct list *list = list_new();
    memset(bytes, 'e', sizeof bytes);
    for (size_t i = 0; i < 40; i++) /* the element at the head is the longest */
        list_push_head(list, slice_make(bytes, ENTRY_MIN_BLOB - 20 + i));
    for (size_t i = 0; i < 40; i++) {
        size_t len = ENTRY_MIN_BLOB + 19 - i;
        struct blob *blob = list_blob_at(list, i);
        assert_true(slice_equal(list_at(list, i), slice_make(bytes, len)));
        assert_int_equal(blob != NULL, len >= ENTRY_MIN_BLOB);
        if (blob != NULL)
            assert_ptr_equal(blob->data, list_at(list, i).data);
    }
    struct blob *first = blob_retain(list_blob_at(list, 0));
    struct blob *second = blob_retain(list_blob_at(list, 1));
    list_drop_head(list);
    assert_int_equal(atomic_load(&first->holders), 1);
    while (list_length(list) > 5)
        list_drop_tail(list);
    assert_int_equal(atomic_load(&second->holders), 2);
    list_free(list);
    assert_int_equal(atomic_load(&second->holders), 1);
    assert_int_equal(second->len, ENTRY_MIN_BLOB + 18);
    blob_release(first);
    blob_release(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_steps_match_an_array),
        cmocka_unit_test(test_every_length_keeps_its_order_up_and_down),
        cmocka_unit_test(test_elements_are_copies_and_may_be_empty),
        cmocka_unit_test(test_an_empty_list_is_usable_again),
        cmocka_unit_test(test_free_takes_null),
        cmocka_unit_test(test_long_elements_are_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
