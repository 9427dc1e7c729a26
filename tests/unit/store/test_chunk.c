/* Tests of store/chunk.c: the layout to the byte, and random steps against an array of lengths. */
#include "store/chunk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/blob.h"
#include "store/entry.h"
#include "store/seeded.h"

static uint8_t long_bytes[ENTRY_MIN_BLOB];

static struct chunk *insert(struct chunk *chunk, size_t index, struct slice value)
{
    struct element element = element_make(value);
    return chunk_insert(chunk, chunk_position(chunk, index), &element);
}

static struct slice value_at(const struct chunk *chunk, size_t index)
{
    struct element element;
    chunk_read(chunk, chunk_position(chunk, index), &element);
    return element.value;
}

static void assert_bytes(const struct chunk *chunk, const char *bytes, size_t size)
{
    assert_int_equal(chunk_used(chunk), size);
    assert_memory_equal(chunk->bytes + chunk->begin, bytes, size);
    assert_true(chunk_is_sound(chunk));
}

static void test_the_layout_is_the_documented_one(void **state)
{
    (void)state;
    struct chunk *chunk = chunk_new(0, LIST_TAIL);
    assert_int_equal(offsetof(struct chunk, bytes), 9);
    chunk = insert(chunk, 0, SLICE_LITERAL("ab"));
    chunk = insert(chunk, 1, SLICE_LITERAL(""));
    chunk = insert(chunk, 0, SLICE_LITERAL("\x80"));
    assert_bytes(chunk, "\1\x80\1\2ab\2\0\0", 9);
    assert_int_equal(chunk_free(chunk), 0);

    chunk = insert(chunk_new(0, LIST_HEAD), 0, slice_make(long_bytes, 0x1234));
    assert_int_equal(chunk_used(chunk), 0x1234 + 4);
    assert_memory_equal(chunk->bytes + chunk->begin, "\x92\x34", 2);
    assert_memory_equal(chunk->bytes + chunk->end - 2, "\x34\x92", 2);
    assert_true(chunk_is_sound(chunk));
    chunk_free(chunk);
}

static void test_a_blob_is_a_pointer_and_a_reference(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(slice_make(long_bytes, sizeof long_bytes));
    struct element element = {.value = blob_slice(blob), .blob = blob_retain(blob)};
    struct chunk *chunk = chunk_insert(chunk_new(0, LIST_TAIL), 0, &element);
    assert_int_equal(element_size(&element), 10);
    assert_int_equal(chunk_used(chunk), 10);
    assert_true(chunk_is_sound(chunk));
    struct chunk *copy = chunk_copy(chunk);
    assert_int_equal(atomic_load(&blob->holders), 3);
    assert_int_equal(chunk_drop(copy, LIST_TAIL, 1), element_blob_bytes(&element));
    assert_int_equal(atomic_load(&blob->holders), 2);
    assert_int_equal(chunk_free(copy), 0);
    assert_int_equal(chunk_free(chunk), element_blob_bytes(&element));
    assert_int_equal(atomic_load(&blob->holders), 1);
    blob_release(blob);
}

static void test_marks_of_every_size(void **state)
{
    (void)state;
    for (size_t len = 0; len < ENTRY_MIN_BLOB; len += len < 300 ? 1 : 997) {
        struct chunk *chunk = insert(chunk_new(0, LIST_TAIL), 0, slice_make(long_bytes, len));
        assert_int_equal(value_at(chunk, 0).len, len);
        assert_int_equal(chunk_before(chunk, chunk->end), chunk->begin);
        assert_true(chunk_is_sound(chunk));
        chunk_free(chunk);
    }
}

/* Fills a chunk by pushes at one end until it takes no more. */
static struct chunk *fill(enum list_end end, size_t len)
{
    struct element element = element_make(slice_make(long_bytes, len));
    struct chunk *chunk = chunk_new(element_size(&element), end);
    while (chunk_takes(chunk, end, element_size(&element)))
        chunk = chunk_insert(chunk, end == LIST_HEAD ? chunk->begin : chunk->end, &element);
    return chunk;
}

static void test_pushes_fill_a_chunk(void **state)
{
    (void)state;
    for (size_t len = 0; len < 200; len += 11) {
        for (int end = LIST_HEAD; end <= LIST_TAIL; end++) {
            struct chunk *chunk = fill((enum list_end)end, len);
            assert_in_range(chunk_used(chunk), CHUNK_MAX * 7 / 8 - 210, CHUNK_MAX);
            assert_in_range(chunk_used(chunk), chunk->capacity - 210u, chunk->capacity);
            assert_true(chunk_is_sound(chunk));
            chunk_free(chunk);
        }
    }
}

static void test_fit_frees_what_is_not_used(void **state)
{
    (void)state;
    struct chunk *chunk = fill(LIST_TAIL, 8);
    size_t count = chunk->count;
    chunk_drop(chunk, LIST_TAIL, count / 8);
    assert_ptr_equal(chunk_fit(chunk, LIST_TAIL), chunk);
    chunk_drop(chunk, LIST_HEAD, count / 2);
    chunk = chunk_fit(chunk, LIST_TAIL);
    assert_in_range(chunk_footprint(chunk), chunk_used(chunk), chunk_used(chunk) + 32);
    assert_int_equal(chunk->begin, 0);
    chunk_drop(chunk, LIST_HEAD, chunk->count - 1u);
    chunk = chunk_fit(chunk, LIST_HEAD);
    assert_int_equal(chunk_footprint(chunk), 32);
    assert_int_equal(chunk->end, chunk->capacity);
    assert_true(chunk_is_sound(chunk));
    chunk_free(chunk);
}

/* Of an element only its length is noted; its bytes repeat the length. */
struct model {
    size_t lengths[1000];
    size_t count;
};

static void assert_equal(const struct chunk *chunk, const struct model *model)
{
    assert_true(chunk_is_sound(chunk));
    assert_int_equal(chunk->count, model->count);
    size_t position = chunk->begin;
    for (size_t i = 0; i < model->count; i++) {
        struct element element;
        position = chunk_read(chunk, position, &element);
        assert_int_equal(element.value.len, model->lengths[i]);
        for (size_t at = 0; at < element.value.len; at++)
            assert_int_equal(element.value.data[at], (uint8_t)element.value.len);
    }
}

static struct chunk *insert_random(struct chunk *chunk, struct model *model, uint64_t *random)
{
    size_t at = seeded_below(random, (uint32_t)model->count + 1);
    size_t len = seeded_below(random, seeded_below(random, 10) == 0 ? 300 : 20);
    memset(long_bytes, (int)len, len);
    struct slice value = slice_make(long_bytes, len);
    struct element element = {.value = value};
    if (chunk_used(chunk) + element_size(&element) > CHUNK_MAX)
        return chunk;
    memmove(model->lengths + at + 1, model->lengths + at, (model->count - at) * sizeof len);
    model->lengths[at] = len;
    model->count++;
    return insert(chunk, at, value);
}

static void remove_random(struct chunk *chunk, struct model *model, uint64_t *random)
{
    size_t at = seeded_below(random, (uint32_t)model->count);
    size_t follower = chunk_remove(chunk, chunk_position(chunk, at));
    assert_int_equal(follower, chunk_position(chunk, at));
    model->count--;
    memmove(model->lengths + at, model->lengths + at + 1, (model->count - at) * sizeof at);
}

static void test_random_steps_match_an_array(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct model model = {.count = 0};
    struct chunk *chunk = chunk_new(0, LIST_TAIL);
    for (int step = 0; step < 20000; step++) {
        uint32_t choice = seeded_below(&random, 100);
        if (choice < (step / 1000 % 2 == 0 ? 70u : 30u) || model.count == 0) {
            chunk = insert_random(chunk, &model, &random);
        } else if (choice < 98) {
            remove_random(chunk, &model, &random);
        } else if (choice == 98) {
            chunk = chunk_fit(chunk, LIST_HEAD);
        } else {
            size_t at = seeded_below(&random, (uint32_t)model.count + 1);
            struct chunk *right = chunk_split(chunk, chunk_position(chunk, at), at);
            assert_true(chunk_is_sound(chunk) && chunk_is_sound(right));
            assert_int_equal(chunk->count, at);
            chunk = chunk_merge(chunk, right);
        }
        if (step % 7 == 0)
            assert_equal(chunk, &model);
    }
    chunk_free(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_layout_is_the_documented_one),
        cmocka_unit_test(test_a_blob_is_a_pointer_and_a_reference),
        cmocka_unit_test(test_marks_of_every_size),
        cmocka_unit_test(test_pushes_fill_a_chunk),
        cmocka_unit_test(test_fit_frees_what_is_not_used),
        cmocka_unit_test(test_random_steps_match_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
