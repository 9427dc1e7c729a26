/*
 * Tests of store/list/list.c: random operations against an array of copies that is moved by hand,
 * with the list's invariants checked on the way, and the edges of each function.
 */
#include "store/list/list.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/runs.h"
#include "store/data/entry.h"
#include "store/list/list_garbage.h"
#include "store/list_peek.h"
#include "store/memory/heap.h"
#include "store/seeded.h"

#define MODEL_SIZE 8192
#define LONG_BYTES (BLOB_LEAST + 100)
#define HUGE_BYTES ((size_t)33 * 4096) /* the heap gives it pages of its own */

/* Objects of this many sizes, and this many of each. */
#define SPARSE_SIZES   256
#define SPARSE         ((size_t)SPARSE_SIZES * 1000)
#define SPARSE_SIZE(i) (24 + (i) % SPARSE_SIZES * 16)

/* What the list must hold, in the plainest form, and how it is exercised. */
struct model {
    struct list *list;
    struct slice elements[MODEL_SIZE]; /* malloc'ed */
    size_t length;
    size_t most;        /* the most elements of the list */
    uint32_t mid_share; /* of 1000 elements, how many have up to 6000 bytes */
    uint64_t random;
    size_t moved; /* parts of the list, by list_move() */
};

static uint8_t long_bytes[LONG_BYTES];
static uint8_t huge_bytes[HUGE_BYTES];

static uint32_t below(struct model *model, size_t bound)
{
    return seeded_below(&model->random, (uint32_t)bound);
}

/* Mostly short, some of 300 bytes, some that fill a chunk or more, few blobs. */
static size_t random_size(struct model *model)
{
    uint32_t choice = below(model, 1000);
    if (choice < 2)
        return BLOB_LEAST - 1 + below(model, 100);
    if (choice < 2 + model->mid_share)
        return below(model, 6000);
    if (choice < 100)
        return 250 + below(model, 100);
    if (choice < 130)
        return 120 + below(model, 16);
    return below(model, 41);
}

/* A number of any size, or text that only looks like one. */
static struct slice random_number(struct model *model)
{
    uint64_t bits = (uint64_t)below(model, UINT32_MAX) << 32 | below(model, UINT32_MAX);
    int64_t number = (int64_t)bits >> below(model, 64);
    const char *format = below(model, 10) > 0 ? "%ld" : below(model, 2) == 0 ? "0%ld" : "%ld ";
    int len = snprintf((char *)long_bytes, LONG_BYTES, format, (long)number);
    return slice_make(long_bytes, (size_t)len);
}

/* Bytes for an element, valid until the next call. */
static struct slice random_value(struct model *model)
{
    if (below(model, 3) == 0)
        return random_number(model);
    size_t size = random_size(model);
    seeded_fill(&model->random, long_bytes, size < 40 ? size : 40);
    if (below(model, 4) == 0) /* some values come again */
        memset(long_bytes, 'a', size < 40 ? size : 40);
    return slice_make(long_bytes, size);
}

static void model_insert(struct model *model, size_t index, struct slice value)
{
    uint8_t *copy = malloc(value.len + 1);
    assert_non_null(copy);
    memcpy(copy, value.data, value.len);
    memmove(&model->elements[index + 1], &model->elements[index],
            (model->length - index) * sizeof value);
    model->elements[index] = slice_make(copy, value.len);
    model->length++;
}

static void model_remove(struct model *model, size_t index, size_t count)
{
    for (size_t i = index; i < index + count; i++)
        free((void *)model->elements[i].data);
    model->length -= count;
    memmove(&model->elements[index], &model->elements[index + count],
            (model->length - index) * sizeof(struct slice));
}

static struct model *model_new(uint64_t random, size_t most, uint32_t mid_share)
{
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->list = list_new();
    model->most = most;
    model->mid_share = mid_share;
    model->random = random;
    return model;
}

static void model_free(struct model *model)
{
    list_free(model->list);
    model_remove(model, 0, model->length);
    free(model);
}

static void assert_at(const struct model *model, struct list_cursor *cursor, size_t index)
{
    struct slice expected = model->elements[index];
    struct element same = element_of(expected), neighbour = element_of(model->elements[index / 2]);
    bool is_like_neighbour = slice_equal(expected, model->elements[index / 2]);
    assert_int_equal(cursor->index, index);
    assert_true(slice_equal(list_cursor_value(cursor), expected));
    assert_int_equal(list_cursor_length(cursor), expected.len);
    assert_true(list_cursor_equal(cursor, &same));
    assert_int_equal(list_cursor_equal(cursor, &neighbour), is_like_neighbour);
    assert_int_equal(cursor->blob != NULL, expected.len >= BLOB_LEAST);
    if (cursor->blob != NULL)
        assert_ptr_equal(cursor->blob->data, list_cursor_value(cursor).data);
}

static void assert_equal(const struct model *model, const struct list *list)
{
    struct list_cursor cursor;
    assert_true(list_is_sound(list));
    assert_int_equal(list_length(list), model->length);
    assert_false(list_seek(list, &cursor, model->length));
    size_t i = 0;
    for (bool on = list_seek(list, &cursor, 0); on; on = list_next(&cursor))
        assert_at(model, &cursor, i++);
    assert_int_equal(i, model->length);
    bool on = i > 0 && list_seek(list, &cursor, i - 1);
    for (; on; on = list_previous(&cursor))
        assert_at(model, &cursor, --i);
    assert_int_equal(i, 0);
}

static void step_push(struct model *model)
{
    enum list_end end = below(model, 2) == 0 ? LIST_HEAD : LIST_TAIL;
    struct slice value = random_value(model);
    size_t index = end == LIST_HEAD ? 0 : model->length;
    if (value.len >= BLOB_LEAST && below(model, 2) == 0) {
        struct blob *blob = blob_copy(value);
        list_push_blob(model->list, end, blob);
        blob_release(blob);
    } else {
        list_push(model->list, end, value);
    }
    model_insert(model, index, value);
}

static void step_insert(struct model *model)
{
    size_t index = below(model, model->length + 1);
    struct slice value = random_value(model);
    if (value.len >= BLOB_LEAST && below(model, 2) == 0) {
        struct blob *blob = blob_copy(value);
        list_insert_blob(model->list, index, blob);
        blob_release(blob);
    } else {
        list_insert(model->list, index, value);
    }
    model_insert(model, index, value);
}

static void step_drop(struct model *model)
{
    enum list_end end = below(model, 2) == 0 ? LIST_HEAD : LIST_TAIL;
    size_t count = below(model, 50) == 0 ? below(model, 400) : 1;
    if (count > model->length)
        count = model->length;
    list_drop(model->list, end, count);
    model_remove(model, end == LIST_HEAD ? 0 : model->length - count, count);
}

static void step_remove(struct model *model)
{
    size_t index = below(model, model->length);
    list_remove(model->list, index);
    model_remove(model, index, 1);
}

static void step_replace(struct model *model)
{
    size_t index = below(model, model->length);
    struct slice value = random_value(model);
    if (value.len >= BLOB_LEAST && below(model, 2) == 0) {
        struct blob *blob = blob_copy(value);
        list_replace_blob(model->list, index, blob);
        blob_release(blob);
    } else {
        list_replace(model->list, index, value);
    }
    model_remove(model, index, 1);
    model_insert(model, index, value);
}

static void step_trim(struct model *model)
{
    size_t first = below(model, model->length / 8 + 1);
    size_t count = model->length - first - below(model, (model->length - first) / 8 + 1);
    if (below(model, 20) == 0)
        count = below(model, count + 1);
    list_peek_only(model->list, first, count);
    model_remove(model, first + count, model->length - first - count);
    model_remove(model, 0, first);
}

/* Removes some of a stretch of elements while walking in a random direction. */
static void step_walk_and_remove(struct model *model)
{
    enum list_end towards = below(model, 2) == 0 ? LIST_HEAD : LIST_TAIL;
    size_t index = below(model, model->length), steps = below(model, 300);
    uint32_t share = below(model, 101);
    struct list_cursor cursor;
    bool on = list_seek(model->list, &cursor, index);
    for (; on && steps > 0; steps--) {
        assert_at(model, &cursor, cursor.index);
        if (below(model, 100) < share) {
            model_remove(model, cursor.index, 1);
            on = list_remove_here(model->list, &cursor, towards);
        } else {
            on = towards == LIST_HEAD ? list_previous(&cursor) : list_next(&cursor);
        }
    }
    if (on)
        assert_at(model, &cursor, cursor.index);
}

static void step_read(struct model *model)
{
    size_t index = below(model, model->length);
    struct slice expected = model->elements[index];
    assert_true(slice_equal(list_peek(model->list, index), expected));
    assert_int_equal(list_peek_blob(model->list, index) != NULL, expected.len >= BLOB_LEAST);
}

/* The copy replaces the list from then on; the former list is freed first. */
static void step_copy(struct model *model)
{
    struct list *copy = list_copy(model->list);
    list_free(model->list);
    model->list = copy;
}

static void step_move(struct model *model)
{
    size_t moved = 0, memory = list_memory(model->list);
    model->list = list_move(model->list, &moved);
    assert_int_equal(list_memory(model->list), memory);
    model->moved += moved;
}

/* `growth` of 100 steps add an element. */
static void random_step(struct model *model, uint32_t growth)
{
    uint32_t choice = below(model, 100);
    if (choice < growth || model->length == 0) {
        if (model->length == model->most)
            return;
        if (choice % 2 == 0)
            step_push(model);
        else
            step_insert(model);
        return;
    }
    void (*const steps[])(struct model *) = {step_drop,    step_remove, step_drop, step_remove,
                                             step_replace, step_read,   step_read};
    uint32_t rare = below(model, 1000);
    if (rare < 4)
        step_trim(model);
    else if (rare < 8)
        step_walk_and_remove(model);
    else if (rare == 8)
        step_copy(model);
    else if (rare < 40)
        step_move(model);
    else
        steps[below(model, sizeof steps / sizeof *steps)](model);
}

static void run_random_steps(struct model *model, int count, int between_checks)
{
    for (int step = 0; step < count; step++) {
        bool grows = step / (int)model->most / 2 % 2 == 0;
        random_step(model, grows ? 75 : 35);
        if (step % between_checks == 0)
            assert_equal(model, model->list);
    }
    assert_equal(model, model->list);
    model_free(model);
}

/* Allocates memory of all sizes that lists need and frees most of it, so that its pages are
 * sparse. */
static void hold_sparse_memory(void *held[SPARSE])
{
    for (size_t i = 0; i < SPARSE; i++)
        held[i] = heap_alloc(SPARSE_SIZE(i));
    for (size_t i = 0; i < SPARSE; i++) {
        if (i / SPARSE_SIZES % 10 == 0)
            continue;
        heap_free(held[i], SPARSE_SIZE(i));
        held[i] = NULL;
    }
}

static void free_sparse_memory(void *held[SPARSE])
{
    for (size_t i = 0; i < SPARSE; i++)
        if (held[i] != NULL)
            heap_free(held[i], SPARSE_SIZE(i));
}

/* Others allocate and free some memory. */
static void stir(struct model *model, void *held[SPARSE])
{
    for (int n = 0; n < 20; n++) {
        size_t i = below(model, SPARSE);
        if (held[i] == NULL && below(model, 9) > 0)
            continue;
        if (held[i] != NULL)
            heap_free(held[i], SPARSE_SIZE(i));
        held[i] = held[i] == NULL ? heap_alloc(SPARSE_SIZE(i)) : NULL;
    }
}

/* The list takes the space between what others hold. */
static void test_random_steps_on_a_list_that_moves(void **state)
{
    (void)state;
    static void *held[SPARSE];
    hold_sparse_memory(held);
    assert_true(heap_is_fragmented());
    for (size_t most = 4; most < MODEL_SIZE; most *= 8) {
        struct model *model = model_new(seeded_start(), most, 100);
        for (int step = 0; step < 20000; step++) {
            random_step(model, step / (int)most / 2 % 2 == 0 ? 75 : 35);
            stir(model, held);
            if (step % 3 == 0)
                step_move(model);
            if (step % 97 == 0)
                assert_equal(model, model->list);
        }
        assert_equal(model, model->list);
        print_message("%zu parts have moved\n", model->moved);
        assert_true(model->moved > 0);
        model_free(model);
    }
    free_sparse_memory(held);
}

static void test_random_steps_on_short_lists(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (uint32_t most = 1; most <= 40; most++)
        run_random_steps(model_new(random + most, most, most % 3 * 20), 1000, 1);
}

static void test_random_steps_on_lists_of_some_chunks(void **state)
{
    (void)state;
    run_random_steps(model_new(seeded_start(), 2000, 5), 30000, 61);
}

static void test_random_steps_on_lists_of_many_chunks(void **state)
{
    (void)state;
    run_random_steps(model_new(seeded_start(), MODEL_SIZE - 1, 500), 60000, 997);
}

/* Every element is inserted at one index and removed at another, so that one chunk is split and
 * merged all the time while its neighbours stay. */
static void test_inserts_and_removes_in_one_place(void **state)
{
    (void)state;
    struct model *model = model_new(seeded_start(), MODEL_SIZE - 1, 300);
    for (int i = 0; i < 1000; i++)
        step_push(model);
    for (size_t i = 0; i < 4000; i++) {
        struct slice value = random_value(model);
        list_insert(model->list, 500, value);
        model_insert(model, 500, value);
        if (i % 97 == 0)
            assert_equal(model, model->list);
    }
    while (model->length > 500) {
        list_remove(model->list, 400 + model->length % 2);
        model_remove(model, 400 + model->length % 2, 1);
        if (model->length % 97 == 0)
            assert_equal(model, model->list);
    }
    model_free(model);
}

/* A queue of any length, in either direction, can run for ever and stays small. */
static void test_queues_do_not_grow(void **state)
{
    (void)state;
    const uint32_t lengths[] = {1, 2, 10, 300, 390, 400, 5000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        enum list_end in = i % 2 == 0 ? LIST_TAIL : LIST_HEAD;
        enum list_end out = in == LIST_HEAD ? LIST_TAIL : LIST_HEAD;
        struct list *list = list_new();
        for (uint64_t n = 0; n < lengths[i]; n++)
            list_push(list, in, slice_make(&n, sizeof n));
        size_t bytes = list_memory(list);
        for (uint64_t n = 0; n < 20000; n++) {
            uint64_t next = n + lengths[i];
            size_t last = out == LIST_HEAD ? 0 : list_length(list) - 1;
            assert_true(slice_equal(list_peek(list, last), slice_make(&n, sizeof n)));
            list_drop(list, out, 1);
            list_push(list, in, slice_make(&next, sizeof next));
        }
        assert_true(list_is_sound(list));
        assert_int_equal(list_length(list), lengths[i]);
        assert_in_range(list_memory(list), 1, bytes + 2 * 4096 + 256);
        list_free(list);
    }
}

/* As an adversary would: long elements everywhere, then short ones between, then none of the
 * long. */
static void test_a_thinned_out_list_gives_its_memory_back(void **state)
{
    (void)state;
    struct list *list = list_new();
    const uint32_t count = 4000;
    for (uint32_t i = 0; i < count; i++) {
        list_push(list, LIST_TAIL, slice_make(long_bytes, 3000));
        list_push(list, LIST_TAIL, slice_make(&i, sizeof i));
    }
    assert_true(list_is_sound(list));
    struct list_cursor cursor;
    bool on = list_seek(list, &cursor, 0);
    while (on)
        on = list_cursor_length(&cursor) == 3000 ? list_remove_here(list, &cursor, LIST_TAIL)
                                                 : list_next(&cursor);
    assert_true(list_is_sound(list));
    assert_int_equal(list_length(list), count);
    for (uint32_t i = 0; i < count; i++)
        assert_true(slice_equal(list_peek(list, i), slice_make(&i, sizeof i)));
    assert_in_range(list_memory(list), count * 6, count * 6 * 5 / 4);
    list_free(list);
}

static void test_small_lists_are_small(void **state)
{
    (void)state;
    struct list *list = list_new();
    assert_in_range(list_memory(list), sizeof(void *), 32 + 16);
    for (uint64_t i = 0; i < 10; i++)
        list_push(list, LIST_TAIL, slice_make(&i, sizeof i));
    assert_in_range(list_memory(list), 10 * 10, 32 + 128 + 2 * 16);
    for (uint64_t i = 10; i < 1000; i++)
        list_push(list, LIST_TAIL, slice_make(&i, sizeof i));
    assert_in_range(list_memory(list), 1000 * 10, 1000 * 10 + 512);
    list_drop(list, LIST_TAIL, 990);
    assert_in_range(list_memory(list), 10 * 10, 32 + 160);
    list_free(list);
}

static void test_a_long_list_shrinks_from_any_side(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct list *list = list_new();
        for (uint32_t i = 0; i < 300000; i++)
            list_push(list, LIST_HEAD, slice_make(&i, sizeof i));
        assert_true(list_is_sound(list));
        for (size_t length = list_length(list); length > 3; length = list_length(list)) {
            size_t count = length / 3;
            if (way == 2)
                list_peek_only(list, count, length - 2 * count);
            else
                list_drop(list, way == 0 ? LIST_HEAD : LIST_TAIL, count);
            assert_true(list_is_sound(list));
        }
        assert_in_range(list_memory(list), 1, 128);
        list_free(list);
    }
}

static void test_blobs_are_shared_and_counted(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(slice_make(long_bytes, LONG_BYTES));
    struct list *list = list_new();
    list_push_blob(list, LIST_TAIL, blob);
    assert_ptr_equal(list_peek_blob(list, 0), blob);
    assert_in_range(list_memory(list), blob_memory(blob), blob_memory(blob) + 256);
    struct list *copy = list_copy(list);
    assert_ptr_equal(list_peek_blob(copy, 0), blob);
    assert_in_range(list_memory(copy), list_memory(list) - 100, list_memory(list) + 100);
    assert_int_equal(atomic_load(&blob->holders), 3);
    list_replace(list, 0, SLICE_LITERAL("short"));
    assert_int_equal(atomic_load(&blob->holders), 2);
    assert_in_range(list_memory(list), 1, 128);
    list_drop(copy, LIST_HEAD, 1);
    assert_int_equal(atomic_load(&blob->holders), 1);
    list_free(copy);
    list_free(list);
    blob_release(blob);
}

/* Like LRem and LPos: by value, in both directions, whatever form the element has. */
static void test_elements_are_found_by_value(void **state)
{
    (void)state;
    const char *values[] = {"7", "07", "text", "-1000000", "7", "", "9223372036854775808", "7 "};
    const size_t count = sizeof values / sizeof *values;
    struct list *list = list_new();
    for (size_t i = 0; i < 1000 * count; i++)
        list_push(list, LIST_TAIL, slice_from_string(values[i % count]));
    for (size_t wanted = 0; wanted < count; wanted++) {
        struct element needle = element_of(slice_from_string(values[wanted]));
        struct list_cursor cursor;
        size_t found = 0, found_backwards = 0;
        for (bool on = list_seek(list, &cursor, 0); on; on = list_next(&cursor))
            found += list_cursor_equal(&cursor, &needle);
        for (bool on = list_seek(list, &cursor, 1000 * count - 1); on; on = list_previous(&cursor))
            found_backwards += list_cursor_equal(&cursor, &needle);
        assert_int_equal(found, strcmp(values[wanted], "7") == 0 ? 2000 : 1000);
        assert_int_equal(found_backwards, found);
    }
    list_free(list);
}

static void test_a_blob_is_equal_to_its_bytes(void **state)
{
    (void)state;
    struct list *list = list_new();
    struct list_cursor cursor;
    struct element needle = element_of(slice_make(long_bytes, LONG_BYTES));
    list_push(list, LIST_HEAD, needle.value);
    assert_true(list_seek(list, &cursor, 0));
    assert_true(list_cursor_equal(&cursor, &needle));
    needle.value.len--;
    assert_false(list_cursor_equal(&cursor, &needle));
    list_free(list);
}

static struct slice number_text(uint64_t number, char text[32])
{
    return slice_make(text, (size_t)snprintf(text, 32, "%lu", (unsigned long)number));
}

static struct slice short_text(uint64_t number, char text[32])
{
    return slice_make(text, (size_t)snprintf(text, 32, "e%07lu", (unsigned long)number));
}

/* Bytes in use, those of blobs with what the allocator needs for itself. */
static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd + heap_used() + runs_used();
}

/* How the lists are built whose memory is measured. */
struct plan {
    size_t lists;
    size_t length;
    struct slice (*text_of)(uint64_t number, char text[32]);
    size_t blob_size; /* of one more element; 0 = none */
    size_t first;     /* if `kept` is not 0, all but this many are removed at the end */
    size_t kept;
    bool thinned; /* some are removed within */
};

static struct list *make_planned(const struct plan *plan)
{
    struct list *list = list_new();
    char text[32];
    for (size_t n = 0; n < plan->length; n++)
        list_push(list, LIST_TAIL, plan->text_of(n * 12345, text));
    if (plan->blob_size > 0)
        list_push(list, LIST_HEAD, slice_make(huge_bytes, plan->blob_size));
    for (size_t n = 1; plan->thinned && n < list_length(list); n += 3)
        list_remove(list, n);
    if (plan->kept > 0)
        list_peek_only(list, plan->first, plan->kept);
    assert_true(list_is_sound(list));
    return list;
}

/* The lists account for exactly what the heap has allocated for them. */
static void assert_memory_is_accounted(const struct plan *plan)
{
    struct list **lists = calloc(plan->lists, sizeof *lists);
    size_t before = heap_bytes(), accounted = 0;
    for (size_t i = 0; i < plan->lists; i++)
        lists[i] = make_planned(plan);
    for (size_t i = 0; i < plan->lists; i++)
        accounted += list_memory(lists[i]);
    size_t taken = heap_bytes() - before;
    print_message("%zu lists of %zu: %zu bytes taken, %zu accounted\n", plan->lists, plan->length,
                  taken, accounted);
    assert_in_range(accounted, taken - taken / 50, taken + taken / 50);
    for (size_t i = 0; i < plan->lists; i++)
        list_free(lists[i]);
    list_garbage_collect(SIZE_MAX);
    free(lists);
}

static void test_memory_is_what_the_heap_gave(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* they have a heap of their own */
#endif
    const struct plan plans[] = {
        {.lists = 30, .length = 10, .text_of = number_text, .blob_size = HUGE_BYTES},
        {.lists = 5000, .length = 0, .text_of = number_text},
        {.lists = 4000, .length = 10, .text_of = number_text},
        {.lists = 4000, .length = 10, .text_of = short_text},
        {.lists = 4000, .length = 1000, .text_of = number_text},
        {.lists = 4000, .length = 1000, .text_of = short_text},
        {.lists = 4000, .length = 1000, .text_of = short_text, .thinned = true},
        {.lists = 4000, .length = 20, .text_of = number_text, .thinned = true},
        {.lists = 2, .length = 300000, .text_of = short_text},
        {.lists = 2, .length = 300000, .text_of = number_text, .thinned = true},
        /* two chunks with little in them, whose border is between 340 and 408 */
        {.lists = 4000, .length = 420, .text_of = short_text, .first = 330, .kept = 80},
        {.lists = 100, .length = 100, .text_of = number_text, .blob_size = BLOB_LEAST},
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        assert_memory_is_accounted(&plans[i]);
}

static void test_a_copy_is_independent(void **state)
{
    (void)state;
    struct model *model = model_new(seeded_start(), MODEL_SIZE, 50);
    struct list *empty = list_copy(model->list);
    assert_int_equal(list_length(empty), 0);
    list_free(empty);
    for (int i = 0; i < 2000; i++)
        step_push(model);
    struct list *copy = list_copy(model->list);
    list_peek_only(copy, 700, 10);
    list_replace(copy, 5, SLICE_LITERAL("other"));
    assert_true(list_is_sound(copy));
    list_free(copy);
    assert_equal(model, model->list);
    model_free(model);
}

static void test_every_length_of_an_element(void **state)
{
    (void)state;
    struct list *list = list_new();
    const size_t sizes[] = {0,    1,    126,  127,   128,   129,   255,   256,
                            4074, 4075, 4076, 16382, 16383, 16384, 16385, LONG_BYTES};
    const size_t count = sizeof sizes / sizeof *sizes;
    for (size_t i = 0; i < LONG_BYTES; i++)
        long_bytes[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < count; i++)
        list_insert(list, i / 2, slice_make(long_bytes, sizes[i]));
    assert_true(list_is_sound(list));
    size_t seen = 0;
    struct list_cursor cursor;
    for (bool on = list_seek(list, &cursor, 0); on; on = list_next(&cursor)) {
        size_t len = list_cursor_length(&cursor);
        assert_true(slice_equal(list_cursor_value(&cursor), slice_make(long_bytes, len)));
        seen += len;
    }
    for (size_t i = 0; i < count; i++)
        seen -= sizes[i];
    assert_int_equal(seen, 0);
    list_free(list);
}

static void test_elements_are_copies_and_may_be_empty(void **state)
{
    (void)state;
    char bytes[] = "a\0b";
    struct list *list = list_new();
    list_push(list, LIST_HEAD, slice_make(NULL, 0));
    list_push(list, LIST_HEAD, slice_make(bytes, 3));
    memset(bytes, 'x', 3);
    assert_true(slice_equal(list_peek(list, 0), SLICE_LITERAL("a\0b")));
    assert_int_equal(list_peek(list, 1).len, 0);
    list_free(list);
}

static void test_an_empty_list_is_usable_again(void **state)
{
    (void)state;
    struct list_cursor cursor;
    struct list *list = list_new();
    for (int round = 0; round < 100; round++) {
        assert_false(list_seek(list, &cursor, 0));
        list_insert(list, 0, SLICE_LITERAL("one"));
        list_push(list, LIST_HEAD, SLICE_LITERAL("two"));
        list_drop(list, LIST_TAIL, 1);
        assert_true(slice_equal(list_peek(list, 0), SLICE_LITERAL("two")));
        assert_true(list_seek(list, &cursor, 0));
        assert_false(list_next(&cursor));
        assert_false(list_previous(&cursor));
        assert_false(list_remove_here(list, &cursor, round % 2 == 0 ? LIST_HEAD : LIST_TAIL));
        assert_int_equal(list_length(list), 0);
        list_drop(list, LIST_HEAD, 0);
        list_peek_only(list, 0, 0);
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
    static uint8_t bytes[BLOB_LEAST + 20];
    struct list *list = list_new();
    memset(bytes, 'e', sizeof bytes);
    for (size_t i = 0; i < 40; i++) /* the element at the head is the longest */
        list_push(list, LIST_HEAD, slice_make(bytes, BLOB_LEAST - 20 + i));
    for (size_t i = 0; i < 40; i++) {
        size_t len = BLOB_LEAST + 19 - i;
        struct blob *blob = list_peek_blob(list, i);
        assert_true(slice_equal(list_peek(list, i), slice_make(bytes, len)));
        assert_int_equal(blob != NULL, len >= BLOB_LEAST);
        if (blob != NULL)
            assert_ptr_equal(blob->data, list_peek(list, i).data);
    }
    struct blob *first = blob_retain(list_peek_blob(list, 0));
    struct blob *second = blob_retain(list_peek_blob(list, 1));
    list_drop(list, LIST_HEAD, 1);
    assert_int_equal(atomic_load(&first->holders), 1);
    while (list_length(list) > 5)
        list_drop(list, LIST_TAIL, 1);
    assert_int_equal(atomic_load(&second->holders), 2);
    list_free(list);
    assert_int_equal(atomic_load(&second->holders), 1);
    assert_int_equal(second->len, BLOB_LEAST + 18);
    blob_release(first);
    blob_release(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_what_the_heap_gave),
        cmocka_unit_test(test_random_steps_on_short_lists),
        cmocka_unit_test(test_random_steps_on_lists_of_some_chunks),
        cmocka_unit_test(test_random_steps_on_lists_of_many_chunks),
        cmocka_unit_test(test_random_steps_on_a_list_that_moves),
        cmocka_unit_test(test_inserts_and_removes_in_one_place),
        cmocka_unit_test(test_queues_do_not_grow),
        cmocka_unit_test(test_a_thinned_out_list_gives_its_memory_back),
        cmocka_unit_test(test_small_lists_are_small),
        cmocka_unit_test(test_a_long_list_shrinks_from_any_side),
        cmocka_unit_test(test_blobs_are_shared_and_counted),
        cmocka_unit_test(test_elements_are_found_by_value),
        cmocka_unit_test(test_a_blob_is_equal_to_its_bytes),
        cmocka_unit_test(test_a_copy_is_independent),
        cmocka_unit_test(test_every_length_of_an_element),
        cmocka_unit_test(test_elements_are_copies_and_may_be_empty),
        cmocka_unit_test(test_an_empty_list_is_usable_again),
        cmocka_unit_test(test_free_takes_null),
        cmocka_unit_test(test_long_elements_are_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
