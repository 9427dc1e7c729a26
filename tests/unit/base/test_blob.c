/* Tests of base/blob.c: contents, and that the last holder, on whatever thread, is the last. */
#include "base/blob.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  20000

static size_t holders(struct blob *blob)
{
    return atomic_load(&blob->holders);
}

static void test_a_new_blob_has_room_and_one_holder(void **state)
{
    (void)state;
    struct blob *blob = blob_new(1000);
    memset(blob->data, 'x', 1000);
    assert_int_equal(blob->len, 1000);
    assert_int_equal(holders(blob), 1);
    assert_ptr_equal(blob_slice(blob).data, blob->data);
    assert_int_equal(blob_slice(blob).len, 1000);
    blob_release(blob);
}

static void test_a_copy_stands_for_itself(void **state)
{
    (void)state;
    char bytes[] = "a\0b";
    struct blob *blob = blob_copy(slice_make(bytes, 3));
    memset(bytes, 'x', 3);
    assert_true(slice_equal(blob_slice(blob), SLICE_LITERAL("a\0b")));
    assert_int_equal(holders(blob), 1);
    blob_release(blob);
}

static void test_it_may_be_empty(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(slice_make(NULL, 0));
    assert_int_equal(blob->len, 0);
    blob_release(blob);
    blob_release(NULL);
}

static void test_retain_and_release_count_holders(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(SLICE_LITERAL("shared"));
    assert_ptr_equal(blob_retain(blob), blob);
    assert_int_equal(holders(blob), 2);
    blob_release(blob);
    assert_int_equal(holders(blob), 1);
    assert_true(slice_equal(blob_slice(blob), SLICE_LITERAL("shared")));
    blob_release(blob);
}

static void *hold_and_let_go(void *user)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct blob *blob = blob_retain(user);
        blob_retain(blob);
        blob_release(blob);
        blob_release(blob);
    }
    blob_release(user); /* the thread's own; the last of all frees it */
    return NULL;
}

static void test_holders_on_several_threads(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(SLICE_LITERAL("shared"));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_let_go, blob_retain(blob)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(holders(blob), 1);
    blob_release(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_blob_has_room_and_one_holder),
        cmocka_unit_test(test_a_copy_stands_for_itself),
        cmocka_unit_test(test_it_may_be_empty),
        cmocka_unit_test(test_retain_and_release_count_holders),
        cmocka_unit_test(test_holders_on_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
