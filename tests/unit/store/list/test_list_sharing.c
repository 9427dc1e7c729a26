/*
 * Tests of store/list/list.c: lists that share chunks, each against an array of its own. Copies are
 * edited on both sides, read and freed on other threads, and moved by compaction; shared parts
 * count in full for each, and no memory is left at the end.
 */
#include "store/list/list.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/runs.h"
#include "store/data/entry.h"
#include "store/list/list_garbage.h"
#include "store/memory/heap.h"
#include "store/seeded.h"

#define LISTS 5
#define MOST  20000

/* Objects of this many sizes, and this many of each. */
#define HELD_SIZES   256
#define HELD         ((size_t)HELD_SIZES * 300)
#define HELD_SIZE(i) (24 + (i) % HELD_SIZES * 16)

/* Elements are numbers that determine their text. */
struct model {
    struct list *list;
    uint32_t *numbers;
    size_t length;
};

struct fixture {
    struct model models[LISTS];
    uint64_t random;
    uint32_t next;
    size_t moved;
};

static uint8_t blob_bytes[BLOB_LEAST + 8];

static uint32_t below(struct fixture *fixture, size_t bound)
{
    return seeded_below(&fixture->random, (uint32_t)bound);
}

/* Mostly short text, some numbers, some of 300 bytes, few blobs. */
static struct slice text_of(uint32_t number, uint8_t buffer[sizeof blob_bytes])
{
    char text[32];
    int len = snprintf(text, sizeof text, number % 3 == 0 ? "%u" : "element %u", number);
    memcpy(buffer, text, (size_t)len);
    size_t size = number % 1000 == 7 ? sizeof blob_bytes : number % 50 == 8 ? 300 : (size_t)len;
    memset(buffer + len, 'x', size - (size_t)len);
    return slice_make(buffer, size);
}

static struct slice text(uint32_t number)
{
    return text_of(number, blob_bytes);
}

static void model_init(struct model *model)
{
    model->list = list_new();
    model->numbers = calloc(MOST, sizeof *model->numbers);
    model->length = 0;
}

static void model_deinit(struct model *model)
{
    list_free(model->list);
    free(model->numbers);
}

static void model_insert(struct model *model, size_t index, uint32_t number)
{
    memmove(&model->numbers[index + 1], &model->numbers[index],
            (model->length - index) * sizeof number);
    model->numbers[index] = number;
    model->length++;
}

static void model_remove(struct model *model, size_t index, size_t count)
{
    model->length -= count;
    memmove(&model->numbers[index], &model->numbers[index + count],
            (model->length - index) * sizeof(uint32_t));
}

static void assert_equal(const struct model *model)
{
    static uint8_t buffer[sizeof blob_bytes];
    struct list_cursor cursor;
    size_t i = 0;
    assert_true(list_is_sound(model->list));
    assert_int_equal(list_length(model->list), model->length);
    for (bool on = list_seek(model->list, &cursor, 0); on; on = list_next(&cursor), i++)
        assert_true(slice_equal(list_cursor_value(&cursor), text_of(model->numbers[i], buffer)));
    assert_int_equal(i, model->length);
}

/* The target becomes a copy of the source. */
static void copy(struct model *target, const struct model *source)
{
    if (target == source)
        return;
    list_free(target->list);
    target->list = list_copy(source->list);
    target->length = source->length;
    memcpy(target->numbers, source->numbers, source->length * sizeof source->numbers[0]);
    assert_int_equal(list_length(target->list), source->length);
    assert_true(list_memory(target->list) <= list_memory(source->list));
}

/* ---- steps ---- */

static void push(struct fixture *fixture, struct model *model, size_t count)
{
    enum list_end end = below(fixture, 2) == 0 ? LIST_HEAD : LIST_TAIL;
    for (; count > 0 && model->length < MOST; count--) {
        list_push(model->list, end, text(fixture->next));
        model_insert(model, end == LIST_HEAD ? 0 : model->length, fixture->next++);
    }
}

static void drop(struct fixture *fixture, struct model *model, size_t count)
{
    bool at_head = below(fixture, 2) == 0;
    if (count > model->length)
        count = model->length;
    list_drop(model->list, at_head ? LIST_HEAD : LIST_TAIL, count);
    model_remove(model, at_head ? 0 : model->length - count, count);
}

static void insert(struct fixture *fixture, struct model *model, size_t index)
{
    if (model->length == MOST)
        return;
    list_insert(model->list, index, text(fixture->next));
    model_insert(model, index, fixture->next++);
}

static void replace(struct fixture *fixture, struct model *model, size_t index)
{
    list_replace(model->list, index, text(fixture->next));
    model->numbers[index] = fixture->next++;
}

static void remove_one(struct model *model, size_t index)
{
    list_remove(model->list, index);
    model_remove(model, index, 1);
}

/* Removes some of a stretch of elements while walking. */
static void walk(struct fixture *fixture, struct model *model, size_t index)
{
    enum list_end towards = below(fixture, 2) == 0 ? LIST_HEAD : LIST_TAIL;
    size_t steps = below(fixture, 600);
    uint32_t share = below(fixture, 101);
    struct list_cursor cursor;
    bool on = list_seek(model->list, &cursor, index);
    for (; on && steps > 0; steps--) {
        assert_true(slice_equal(list_cursor_value(&cursor), text(model->numbers[cursor.index])));
        if (below(fixture, 100) < share) {
            model_remove(model, cursor.index, 1);
            on = list_remove_here(model->list, &cursor, towards);
        } else {
            on = list_step(&cursor, towards);
        }
    }
}

static void move(struct fixture *fixture, struct model *model)
{
    size_t memory = list_memory(model->list);
    model->list = list_move(model->list, &fixture->moved);
    assert_int_equal(list_memory(model->list), memory);
}

static void random_step(struct fixture *fixture, struct model *model)
{
    uint32_t choice = below(fixture, 100);
    size_t bulk = below(fixture, 10) == 0 ? below(fixture, 3000) : below(fixture, 20);
    if (choice < 25) {
        push(fixture, model, bulk);
    } else if (choice < 45 || model->length == 0) {
        drop(fixture, model, bulk);
    } else {
        size_t index = below(fixture, model->length);
        if (choice < 60)
            insert(fixture, model, index);
        else if (choice < 75)
            replace(fixture, model, index);
        else if (choice < 90)
            remove_one(model, index);
        else if (choice < 93)
            walk(fixture, model, index);
        else
            move(fixture, model);
    }
}

/* ---- tests ---- */

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->random = seeded_start();
    for (size_t i = 0; i < LISTS; i++)
        model_init(&fixture->models[i]);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < LISTS; i++)
        model_deinit(&fixture->models[i]);
    free(fixture);
    list_garbage_collect(SIZE_MAX);
    assert_int_equal(list_garbage_bytes(), 0);
    assert_int_equal(heap_used(), 0);
    assert_int_equal(runs_used(), 0);
    return 0;
}

static void run_random_steps(struct fixture *fixture, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        struct model *model = &fixture->models[below(fixture, LISTS)];
        if (below(fixture, 3) == 0)
            copy(&fixture->models[below(fixture, LISTS)], model);
        if (model->length < 500)
            push(fixture, model, 8000);
        model = &fixture->models[below(fixture, LISTS)];
        for (size_t i = below(fixture, 60); i > 0; i--)
            random_step(fixture, model);
        for (size_t i = 0; i < LISTS; i++)
            assert_equal(&fixture->models[i]);
        list_garbage_collect(below(fixture, 100));
    }
}

static void test_random_steps_on_lists_that_share(void **state)
{
    run_random_steps(*state, 100);
}

/* The lists take the space between what others hold, so that their parts are moved; but no shared
 * part may be. */
static void test_random_steps_on_lists_that_share_and_move(void **state)
{
    struct fixture *fixture = *state;
    static void *held[HELD];
    for (size_t i = 0; i < HELD; i++)
        held[i] = heap_alloc(HELD_SIZE(i));
    for (size_t i = 0; i < HELD; i++) {
        if (i / HELD_SIZES % 10 > 0)
            heap_free(held[i], HELD_SIZE(i));
    }
    assert_true(heap_is_fragmented());
    run_random_steps(fixture, 100);
    print_message("%zu parts were moved\n", fixture->moved);
    assert_true(fixture->moved > 0);
    for (size_t i = 0; i < HELD; i += i % HELD_SIZES == HELD_SIZES - 1 ? HELD_SIZES * 9 + 1 : 1)
        heap_free(held[i], HELD_SIZE(i));
}

/* A copy takes a few chunks of memory, and an edit of it one or two more. */
static void test_a_copy_takes_little(void **state)
{
    struct fixture *fixture = *state;
    struct model *model = &fixture->models[0], *other = &fixture->models[1];
    push(fixture, model, MOST - 10);
    size_t memory = list_memory(model->list), used = heap_used();
    assert_true(memory > 100 * CHUNK_MAX);
    copy(other, model);
    assert_int_equal(list_memory(other->list), memory);
    assert_true(heap_used() - used < 5 * CHUNK_MAX);
    used = heap_used();
    insert(fixture, other, MOST / 2);
    assert_true(heap_used() - used < 4 * CHUNK_MAX);
    drop(fixture, other, MOST - 100);
    assert_true(list_memory(other->list) < memory / 10);
    assert_equal(model);
    assert_equal(other);
}

/* More copies than a chunk can count. */
static void test_any_number_of_copies(void **state)
{
    struct fixture *fixture = *state;
    struct model *model = &fixture->models[0];
    static struct list *copies[600];
    push(fixture, model, MOST / 4);
    for (size_t i = 0; i < 600; i++) {
        copies[i] = list_copy(i % 2 == 0 ? model->list : copies[i - 1]);
        if (i % 3 == 0)
            list_replace(copies[i], i, SLICE_LITERAL("another"));
    }
    for (size_t i = 0; i < 600; i++) {
        assert_true(list_is_sound(copies[i]));
        assert_int_equal(list_length(copies[i]), model->length);
        list_free(copies[i]);
    }
    assert_equal(model);
}

/* ---- another thread reads and frees copies while the original is edited ---- */

struct reader {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct model given; /* list NULL = nothing is waiting */
    bool is_over;
    size_t read;
};

static void *read_copies(void *context)
{
    struct reader *reader = context;
    pthread_mutex_lock(&reader->lock);
    for (;;) {
        while (reader->given.list == NULL && !reader->is_over)
            pthread_cond_wait(&reader->changed, &reader->lock);
        struct model model = reader->given;
        reader->given.list = NULL;
        if (model.list == NULL)
            break;
        pthread_mutex_unlock(&reader->lock);
        assert_equal(&model);
        model_deinit(&model);
        list_garbage_collect(50);
        pthread_mutex_lock(&reader->lock);
        reader->read++;
    }
    pthread_mutex_unlock(&reader->lock);
    return NULL;
}

/* A copy for the reader, if it is idle. */
static void give_copy(struct reader *reader, const struct model *source)
{
    pthread_mutex_lock(&reader->lock);
    if (reader->given.list == NULL) {
        model_init(&reader->given);
        copy(&reader->given, source);
        pthread_cond_signal(&reader->changed);
    }
    pthread_mutex_unlock(&reader->lock);
}

static void test_a_copy_is_read_while_the_original_is_edited(void **state)
{
    struct fixture *fixture = *state;
    struct model *model = &fixture->models[0];
    struct reader reader = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_copies, &reader), 0);
    size_t read = 0;
    for (int round = 0; round < 300 || read < 20; round++) {
        if (model->length < 1000)
            push(fixture, model, 6000);
        give_copy(&reader, model);
        for (size_t i = 0; i < 20; i++)
            random_step(fixture, model);
        pthread_mutex_lock(&reader.lock);
        read = reader.read;
        pthread_mutex_unlock(&reader.lock);
    }
    pthread_mutex_lock(&reader.lock);
    reader.is_over = true;
    pthread_cond_signal(&reader.changed);
    pthread_mutex_unlock(&reader.lock);
    pthread_join(thread, NULL);
    assert_equal(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_steps_on_lists_that_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_steps_on_lists_that_share_and_move, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_copy_takes_little, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_number_of_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_copy_is_read_while_the_original_is_edited, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
