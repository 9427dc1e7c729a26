/* Tests of base/blob.c: contents, and that the last holder, on whatever thread, is the last. */
#include "base/blob.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/account.h"
#include "base/runs.h"

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

static void test_it_grows_behind_what_a_holder_knows(void **state)
{
    (void)state;
    struct blob *blob = blob_new_roomy(3, 10);
    memcpy(blob->data, "abc", 3);
    assert_int_equal(blob_slice(blob).len, 3);
    assert_true(blob_extend(blob, 3, 4));
    memcpy(blob->data + 3, "defg", 4);
    assert_true(slice_equal(blob_slice(blob), SLICE_LITERAL("abcdefg")));
    assert_false(blob_extend(blob, 3, 1)); /* is taken */
    assert_true(blob_extend(blob, 3, 0));
    assert_false(blob_extend(blob, 7, 4)); /* no room */
    assert_true(blob_extend(blob, 7, 3));
    assert_false(blob_extend(blob, 10, 1));
    assert_int_equal(blob->capacity, 10);
    blob_release(blob);
    blob = blob_copy(SLICE_LITERAL("abc"));
    assert_false(blob_extend(blob, 3, 1));
    blob_release(blob);
}

static void test_who_is_the_only_holder_knows_it(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(SLICE_LITERAL("abc"));
    assert_true(blob_is_sole(blob));
    blob_retain(blob);
    assert_false(blob_is_sole(blob));
    blob_release(blob);
    assert_true(blob_is_sole(blob));
    blob_release(blob);
}

/* Each thread writes its letter into whatever bytes it gets. */
struct racer {
    struct blob *blob;
    uint8_t letter;
    size_t won;
};

static void *race_for_room(void *user)
{
    struct racer *racer = user;
    struct blob *blob = racer->blob;
    for (size_t len = 0; len < blob->capacity; len = blob_slice(blob).len)
        if (blob_extend(blob, len, 1)) {
            blob->data[len] = racer->letter;
            racer->won++;
        }
    return NULL;
}

static void test_only_one_gets_the_room(void **state)
{
    (void)state;
    struct blob *blob = blob_new_roomy(0, ROUNDS);
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.blob = blob, .letter = (uint8_t)('a' + i)};
        assert_int_equal(pthread_create(&threads[i], NULL, race_for_room, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t counts[256] = {0};
    for (size_t i = 0; i < ROUNDS; i++)
        counts[blob->data[i]]++;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(counts[racers[i].letter], racers[i].won);
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

static void test_its_memory_is_whole_pages(void **state)
{
    (void)state;
    struct blob *blob = blob_new_roomy(10, 1000);
    assert_int_equal(blob_memory(blob), 4096);
    size_t before = blob_memory(blob);
    assert_true(blob_extend(blob, 10, 990));
    assert_int_equal(blob_memory(blob), before);
    blob_release(blob);
}

/* What the store has let go and a client has not read counts, once, until it is read. */
static void test_what_only_chains_hold_is_counted_once(void **state)
{
    (void)state;
    struct blob *blob = blob_new(100000);
    size_t before = account_queued(), memory = blob_memory(blob);
    blob_join_chain(blob_retain(blob));
    blob_join_chain(blob_retain(blob));
    assert_int_equal(account_queued(), before);
    blob_release(blob);
    assert_int_equal(account_queued(), before + memory);
    /* a part of a chain goes to another one */
    blob_join_chain(blob_retain(blob));
    blob_leave_chain(blob);
    assert_int_equal(account_queued(), before + memory);
    blob_leave_chain(blob);
    assert_int_equal(account_queued(), before + memory);
    blob_leave_chain(blob);
    assert_int_equal(account_queued(), before);
}

static void test_a_blob_made_for_a_chain_is_counted(void **state)
{
    (void)state;
    struct blob *blob = blob_new(100000);
    size_t before = account_queued(), memory = blob_memory(blob);
    blob_join_chain(blob);
    assert_int_equal(account_queued(), before + memory);
    blob_leave_chain(blob);
    assert_int_equal(account_queued(), before);
}

struct queueing {
    struct blob *blob;
};

static void *queue_and_release(void *user)
{
    const struct queueing *queueing = user;
    for (int i = 0; i < ROUNDS; i++) {
        blob_join_chain(blob_retain(queueing->blob));
        blob_leave_chain(queueing->blob);
    }
    blob_join_chain(queueing->blob);
    for (int i = 0; i < 10; i++)
        blob_join_chain(blob_retain(queueing->blob));
    for (int i = 0; i < 11; i++)
        blob_leave_chain(queueing->blob);
    return NULL;
}

static void test_the_count_is_right_on_several_threads(void **state)
{
    (void)state;
    size_t before = account_queued(), used = runs_used();
    for (int round = 0; round < 20; round++) {
        pthread_t threads[THREADS];
        struct queueing queueing = {.blob = blob_new(20000)};
        for (int i = 0; i < THREADS; i++) {
            blob_retain(queueing.blob);
            assert_int_equal(pthread_create(&threads[i], NULL, queue_and_release, &queueing), 0);
        }
        blob_release(queueing.blob);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(account_queued(), before);
        assert_int_equal(runs_used(), used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_blob_has_room_and_one_holder),
        cmocka_unit_test(test_a_copy_stands_for_itself),
        cmocka_unit_test(test_it_may_be_empty),
        cmocka_unit_test(test_retain_and_release_count_holders),
        cmocka_unit_test(test_it_grows_behind_what_a_holder_knows),
        cmocka_unit_test(test_who_is_the_only_holder_knows_it),
        cmocka_unit_test(test_only_one_gets_the_room),
        cmocka_unit_test(test_its_memory_is_whole_pages),
        cmocka_unit_test(test_holders_on_several_threads),
        cmocka_unit_test(test_what_only_chains_hold_is_counted_once),
        cmocka_unit_test(test_a_blob_made_for_a_chain_is_counted),
        cmocka_unit_test(test_the_count_is_right_on_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
