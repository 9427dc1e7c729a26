/* Tests of store/list/chunk.c: the layout to the byte, and random steps against an array of
 * lengths. */
#include "store/list/chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/blob.h"
#include "store/data/entry.h"
#include "store/seeded.h"

static uint8_t long_bytes[BLOB_LEAST];

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
    assert_int_equal(offsetof(struct chunk, bytes), 10);
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

static struct slice text_of(int64_t number)
{
    static char text[32];
    return slice_make(text, (size_t)snprintf(text, sizeof text, "%ld", (long)number));
}

static void assert_packed_as(int64_t number, const char *bytes, size_t size)
{
    struct chunk *chunk = insert(chunk_new(0, LIST_TAIL), 0, text_of(number));
    assert_bytes(chunk, bytes, size);
    chunk_free(chunk);
}

static void test_the_layout_of_numbers(void **state)
{
    (void)state;
    assert_packed_as(0, "\xE0\xE0", 2);
    assert_packed_as(-1, "\xE0\xE1", 2);
    assert_packed_as(511, "\xFF\xFE", 2);
    assert_packed_as(-512, "\xFF\xFF", 2);
    assert_packed_as(512, "\xD0\x40\xD0", 3);
    assert_packed_as(32767, "\xDF\xFF\xDE", 3);
    assert_packed_as(32768, "\xC8\x00\x20\xC8", 4);
    assert_packed_as((1 << 21) - 1, "\xCF\xFF\xFF\xCE", 4);
    assert_packed_as(1 << 21, "\xC4\x00\x00\x10\xC4", 5);
    assert_packed_as(-(1 << 27), "\xC7\xFF\xFF\xFF\xC7", 5);
    assert_packed_as(1 << 27, "\xC2\x00\x00\x00\x08\xC2", 6);
    assert_packed_as((1l << 33) - 1, "\xC3\xFF\xFF\xFF\xFF\xC2", 6);
    assert_packed_as(1l << 33, "\xC1\x00\x00\x00\x00\x04\x00\x00\x00\xC1", 10);
    assert_packed_as(INT64_MAX, "\xC1\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xC1", 10);
    assert_packed_as(INT64_MIN, "\xC1\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xC1", 10);
}

/* What an integer takes in a listpack of Redis 7.0, whose src/listpack.c gives the encodings: one
 * byte after it lets one walk backwards. */
static size_t size_in_listpack(int64_t number)
{
    if (number >= 0 && number <= 127)
        return 2;
    if (number >= -4096 && number <= 4095)
        return 3;
    if (number >= INT16_MIN && number <= INT16_MAX)
        return 4;
    if (number >= -(1 << 23) && number < 1 << 23)
        return 5;
    return number >= INT32_MIN && number <= INT32_MAX ? 6 : 10;
}

static void assert_is_read_again(int64_t number)
{
    struct chunk *chunk = insert(chunk_new(0, LIST_TAIL), 0, SLICE_LITERAL("before"));
    struct slice text = text_of(number);
    chunk = insert(chunk, 1, text);
    chunk = insert(chunk, 2, SLICE_LITERAL("behind"));
    assert_true(chunk_is_sound(chunk));
    struct element element, same = element_of(text);
    uint8_t digits[DECIMAL_MAX];
    size_t end = chunk_read(chunk, chunk->begin + 8u, &element);
    assert_int_equal(chunk_before(chunk, end), chunk->begin + 8);
    assert_true(slice_equal(element_value(&element, digits), text));
    assert_int_equal(element_length(&element), text.len);
    assert_true(element_equal(&element, &same));
    assert_in_range(element_size(&element), 2, size_in_listpack(number));
    chunk_free(chunk);
}

static void test_numbers_of_every_size(void **state)
{
    (void)state;
    for (int64_t number = -5000; number < 5000; number++)
        assert_is_read_again(number);
    for (unsigned bits = 10; bits < 64; bits++) {
        for (int64_t off = -2; off <= 2; off++) {
            assert_is_read_again((int64_t)((1ull << bits) + (uint64_t)off));
            assert_is_read_again((int64_t)(-(1ull << bits) + (uint64_t)off));
        }
    }
}

/* Only text that is printed identically from the number is stored as one. */
static void test_other_text_is_kept_as_text(void **state)
{
    (void)state;
    const char *texts[] = {"",
                           "-",
                           "+1",
                           "01",
                           "-0",
                           "-01",
                           " 1",
                           "1 ",
                           "1.0",
                           "1e3",
                           "0x1",
                           "1-",
                           "--1",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "18446744073709551616",
                           "100000000000000000000",
                           "abc"};
    struct element number = element_of(SLICE_LITERAL("1"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct slice text = slice_from_string(texts[i]);
        struct chunk *chunk = insert(chunk_new(0, LIST_TAIL), 0, text);
        struct element element, same = element_of(text);
        chunk_read(chunk, chunk->begin, &element);
        assert_false(element.is_number);
        assert_true(slice_equal(element.value, text));
        assert_true(element_equal(&element, &same));
        assert_false(element_equal(&element, &number) || element_equal(&number, &element));
        assert_int_equal(chunk_used(chunk), text.len + 2);
        assert_true(chunk_is_sound(chunk));
        chunk_free(chunk);
    }
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

/* Beyond 255 holders a chunk is copied; a shared chunk does not change when a holder makes it its
 * own. */
static void test_holders_are_counted(void **state)
{
    (void)state;
    static struct chunk *shares[300];
    struct blob *blob = blob_copy(slice_make(long_bytes, sizeof long_bytes));
    struct element element = {.value = blob_slice(blob), .blob = blob_retain(blob)};
    size_t blob_size = element_blob_bytes(&element), copies = 0;
    struct chunk *chunk = chunk_insert(chunk_new(0, LIST_TAIL), 0, &element);
    chunk = insert(chunk, 0, SLICE_LITERAL("first"));
    assert_false(chunk_is_shared(chunk));
    assert_ptr_equal(chunk_own(chunk), chunk);
    for (size_t i = 0; i < 300; i++) {
        shares[i] = chunk_share(chunk);
        copies += shares[i] != chunk;
    }
    assert_int_equal(copies, 300 - 254);
    assert_int_equal(atomic_load(&blob->holders), 2 + copies);
    struct chunk *own = chunk_own(shares[0]);
    assert_ptr_not_equal(own, chunk);
    assert_int_equal(chunk_footprint(own), chunk_footprint(chunk));
    assert_int_equal(own->begin, chunk->begin);
    own = insert(own, 1, SLICE_LITERAL("second"));
    assert_int_equal(own->count, 3);
    assert_int_equal(chunk->count, 2);
    assert_true(chunk_is_sound(own) && chunk_is_sound(chunk));
    assert_int_equal(chunk_free(own), blob_size);
    for (size_t i = 1; i < 300; i++)
        assert_int_equal(chunk_free(shares[i]), blob_size);
    assert_false(chunk_is_shared(chunk));
    assert_int_equal(atomic_load(&blob->holders), 2);
    assert_int_equal(chunk_free(chunk), blob_size);
    assert_int_equal(atomic_load(&blob->holders), 1);
    blob_release(blob);
}

static void test_marks_of_every_size(void **state)
{
    (void)state;
    for (size_t len = 0; len < BLOB_LEAST; len += len < 300 ? 1 : 997) {
        struct chunk *chunk = insert(chunk_new(0, LIST_TAIL), 0, slice_make(long_bytes, len));
        assert_int_equal(value_at(chunk, 0).len, len);
        assert_int_equal(chunk_before(chunk, chunk->end), chunk->begin);
        assert_true(chunk_is_sound(chunk));
        chunk_free(chunk);
    }
}

/* Fills a chunk by pushes at one end until it accepts no more. */
static struct chunk *fill(enum list_end end, size_t len)
{
    struct element element = element_make(slice_make(long_bytes, len));
    struct chunk *chunk = chunk_new(element_size(&element), end);
    while (chunk_accepts(chunk, end, element_size(&element)))
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
            assert_in_range(chunk_used(chunk), chunk->capacity - 230u, chunk->capacity);
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
    assert_in_range(chunk_footprint(chunk), chunk_used(chunk), chunk_used(chunk) + 32 + 16);
    assert_int_equal(chunk->begin, 0);
    chunk_drop(chunk, LIST_HEAD, chunk->count - 1u);
    chunk = chunk_fit(chunk, LIST_HEAD);
    assert_in_range(chunk_footprint(chunk), 16, 32 + 16);
    assert_int_equal(chunk->end, chunk->capacity);
    assert_true(chunk_is_sound(chunk));
    chunk_free(chunk);
}

/* Only the length of an element is noted; its bytes repeat the length. */
struct model {
    size_t lengths[1000];
    size_t count;
    size_t only_length; /* of the elements inserted; 0 = any */
};

static void assert_equal(const struct chunk *chunk, const struct model *model)
{
    assert_true(chunk_is_sound(chunk));
    assert_int_equal(chunk->count, model->count);
    size_t position = chunk->begin;
    for (size_t i = 0; i < model->count; i++) {
        struct element element;
        assert_int_equal(chunk_position(chunk, i), position);
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
    if (model->only_length != 0)
        len = model->only_length;
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

static struct chunk *step(struct chunk *chunk, struct model *model, uint32_t inserts,
                          uint64_t *random)
{
    uint32_t choice = seeded_below(random, 100);
    if (choice < inserts || model->count == 0)
        return insert_random(chunk, model, random);
    if (choice < 98) {
        remove_random(chunk, model, random);
        return chunk;
    }
    if (choice == 98) {
        uintptr_t former = (uintptr_t)chunk;
        size_t capacity = chunk->capacity;
        chunk = chunk_fit(chunk, LIST_HEAD);
        assert_true((uintptr_t)chunk == former || chunk->capacity < capacity);
        return chunk;
    }
    size_t at = seeded_below(random, (uint32_t)model->count + 1);
    struct chunk *right = chunk_split(chunk, chunk_position(chunk, at), at);
    assert_true(chunk_is_sound(chunk) && chunk_is_sound(right));
    assert_int_equal(chunk->count, at);
    return chunk_merge(chunk, right);
}

/* Each round starts with elements of one size, so that there are chunks of all sizes that are not
 * mixed, and that become so at any place. */
static void test_random_steps_match_an_array(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (size_t round = 0; round < 40; round++) {
        struct model model = {.only_length = round};
        struct chunk *chunk = chunk_new(0, LIST_TAIL);
        for (uint32_t steps = 0; steps < 1000; steps++) {
            if (steps == 800)
                model.only_length = 0;
            chunk = step(chunk, &model, steps / 250 % 2 == 0 ? 70 : 30, &random);
            if (steps % 7 == 0)
                assert_equal(chunk, &model);
        }
        chunk_free(chunk);
    }
}

static void test_elements_of_one_size_are_not_mixed(void **state)
{
    (void)state;
    struct chunk *chunk = chunk_new(0, LIST_TAIL);
    for (size_t i = 0; i < 9; i++)
        chunk = insert(chunk, i / 2, SLICE_LITERAL("same"));
    struct chunk *right = chunk_split(chunk, chunk_position(chunk, 4), 4);
    assert_false(chunk->is_mixed || right->is_mixed);
    chunk = chunk_merge(chunk, right);
    assert_false(chunk->is_mixed);
    right = insert(chunk_new(0, LIST_TAIL), 0, SLICE_LITERAL("other"));
    assert_false(right->is_mixed);
    chunk = chunk_merge(chunk, right);
    assert_true(chunk->is_mixed);
    chunk_drop(chunk, LIST_HEAD, chunk->count);
    chunk = insert(chunk, 0, SLICE_LITERAL("alone"));
    assert_false(chunk->is_mixed);
    chunk_free(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_layout_is_the_documented_one),
        cmocka_unit_test(test_the_layout_of_numbers),
        cmocka_unit_test(test_numbers_of_every_size),
        cmocka_unit_test(test_other_text_is_kept_as_text),
        cmocka_unit_test(test_a_blob_is_a_pointer_and_a_reference),
        cmocka_unit_test(test_holders_are_counted),
        cmocka_unit_test(test_marks_of_every_size),
        cmocka_unit_test(test_pushes_fill_a_chunk),
        cmocka_unit_test(test_fit_frees_what_is_not_used),
        cmocka_unit_test(test_random_steps_match_an_array),
        cmocka_unit_test(test_elements_of_one_size_are_not_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
