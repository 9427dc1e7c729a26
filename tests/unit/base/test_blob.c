/* Tests of base/blob.c: contents, and that the last holder, on any thread, frees the blob. */
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

static void test_it_grows_after_what_a_holder_knows(void **state)
{
    (void)state;
    struct blob *blob = blob_new_with_capacity(3, 10);
    memcpy(blob->data, "abc", 3);
    assert_int_equal(blob_slice(blob).len, 3);
    assert_true(blob_extend(blob, 3, 4));
    memcpy(blob->data + 3, "defg", 4);
    assert_true(slice_equal(blob_slice(blob), SLICE_LITERAL("abcdefg")));
    assert_false(blob_extend(blob, 3, 1)); /* already in use */
    assert_true(blob_extend(blob, 3, 0));
    assert_false(blob_extend(blob, 7, 4)); /* beyond the capacity */
    assert_true(blob_extend(blob, 7, 3));
    assert_false(blob_extend(blob, 10, 1));
    assert_int_equal(blob->capacity, 10);
    blob_release(blob);
    blob = blob_copy(SLICE_LITERAL("abc"));
    assert_false(blob_extend(blob, 3, 1));
    blob_release(blob);
}

static void test_the_only_holder_is_recognised(void **state)
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

/* Each thread writes its letter to the bytes that it gets. */
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
    struct blob *blob = blob_new_with_capacity(0, ROUNDS);
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
    blob_release(user); /* the thread's own reference; the last holder frees it */
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
    struct blob *blob = blob_new_with_capacity(10, 1000);
    assert_int_equal(blob_memory(blob), 4096);
    size_t before = blob_memory(blob);
    assert_true(blob_extend(blob, 10, 990));
    assert_int_equal(blob_memory(blob), before);
    blob_release(blob);
}

/* A blob of `size` bytes whose letters identify their positions. */
static struct blob *lettered_blob(size_t size)
{
    struct blob *blob = blob_new(size);
    for (size_t i = 0; i < size; i++)
        blob->data[i] = (uint8_t)('a' + i % 26);
    return blob;
}

static void test_it_is_cut_to_nearly_all_of_it(void **state)
{
    (void)state;
    size_t used = runs_used();
    struct blob *blob = lettered_blob(20040);
    size_t memory = blob_memory(blob);
    struct slice whole = blob_slice(blob), part = slice_make(blob->data + 26, 20000);
    assert_ptr_equal(blob_cut(blob, part), blob);
    assert_int_equal(holders(blob), 2);
    assert_ptr_equal(blob_slice(blob).data, part.data);
    assert_int_equal(blob_slice(blob).len, 20000);
    assert_int_equal(blob->capacity, 20000);
    assert_int_equal(blob->data[0], 'a');
    assert_int_equal(blob_memory(blob), memory);
    assert_false(blob_extend(blob, 20000, 1)); /* what is cut off is not part of the capacity */
    blob_release(blob);
    assert_int_equal(whole.data[25], 'z'); /* still readable */
    blob_release(blob);
    assert_int_equal(runs_used(), used);
}

static void test_it_is_cut_again_to_the_same_only(void **state)
{
    (void)state;
    struct blob *blob = lettered_blob(20040);
    struct slice part = slice_make(blob->data + 40, 20000);
    assert_non_null(blob_cut(blob, part));
    assert_non_null(blob_cut(blob, part));
    assert_int_equal(holders(blob), 3);
    assert_null(blob_cut(blob, slice_make(part.data, 19999)));
    assert_null(blob_cut(blob, slice_make(part.data + 1, 19999)));
    assert_int_equal(blob_slice(blob).len, 20000);
    for (int i = 0; i < 3; i++)
        blob_release(blob);
}

/* A part that would fit a blob with fewer pages must not pin this one. */
static void test_it_is_not_cut_where_that_costs_memory(void **state)
{
    (void)state;
    const size_t size = 5 * RUNS_PAGE - sizeof(struct blob); /* five pages, full */
    const size_t least = 4 * RUNS_PAGE - sizeof(struct blob) + 1;
    struct blob *blob = lettered_blob(size);
    assert_null(blob_cut(blob, slice_make(blob->data, least - 1)));
    assert_null(blob_cut(blob, slice_make(blob->data + 100, least - 1)));
    assert_int_equal(holders(blob), 1);
    assert_int_equal(blob_slice(blob).len, size);
    assert_non_null(blob_cut(blob, slice_make(blob->data + 100, least)));
    assert_int_equal(blob_memory(blob), 5 * RUNS_PAGE);
    blob_release(blob);
    blob_release(blob);
}

static void test_only_its_own_bytes_are_cut(void **state)
{
    (void)state;
    static uint8_t elsewhere[20000];
    struct blob *blob = lettered_blob(20000);
    assert_null(blob_cut(blob, slice_make(elsewhere, sizeof elsewhere)));
    assert_null(blob_cut(blob, slice_make(blob->data + 1, 20000)));
    assert_null(blob_cut(blob, slice_make(blob->data - 1, 20000)));
    struct blob *other = blob_retain(blob); /* who can read all of it */
    assert_null(blob_cut(blob, slice_make(blob->data + 1, 19999)));
    blob_release(other);
    assert_int_equal(blob_slice(blob).len, 20000);
    blob_release(blob);
}

/* A blob released by the store and not yet read by a client is counted, once, until it is read. */
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
    /* part of a chain is moved to another one */
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

static void test_what_is_discarded_is_the_sole_holders(void **state)
{
    (void)state;
    enum { SIZE = 20 * 1024 * 1024, PART = 4 * 1024 * 1024 };
    struct blob *blob = blob_new(SIZE);
    memset(blob->data, 7, SIZE);
    blob_retain(blob);
    blob_discard(blob, slice_make(blob->data, SIZE));
    assert_int_equal(blob->data[PART], 7);
    blob_release(blob);
    blob_discard(blob, SLICE_LITERAL("not in it"));
    blob_discard(blob, slice_make(blob->data + PART, PART));
    assert_int_equal(blob->data[PART - 1] + blob->data[2 * PART], 14);
    assert_int_equal(blob->data[PART + PART / 2], 0);
    blob_release(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_blob_has_room_and_one_holder),
        cmocka_unit_test(test_a_copy_stands_for_itself),
        cmocka_unit_test(test_it_may_be_empty),
        cmocka_unit_test(test_retain_and_release_count_holders),
        cmocka_unit_test(test_it_grows_after_what_a_holder_knows),
        cmocka_unit_test(test_the_only_holder_is_recognised),
        cmocka_unit_test(test_only_one_gets_the_room),
        cmocka_unit_test(test_its_memory_is_whole_pages),
        cmocka_unit_test(test_what_is_discarded_is_the_sole_holders),
        cmocka_unit_test(test_holders_on_several_threads),
        cmocka_unit_test(test_it_is_cut_to_nearly_all_of_it),
        cmocka_unit_test(test_it_is_cut_again_to_the_same_only),
        cmocka_unit_test(test_it_is_not_cut_where_that_costs_memory),
        cmocka_unit_test(test_only_its_own_bytes_are_cut),
        cmocka_unit_test(test_what_only_chains_hold_is_counted_once),
        cmocka_unit_test(test_a_blob_made_for_a_chain_is_counted),
        cmocka_unit_test(test_the_count_is_right_on_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
