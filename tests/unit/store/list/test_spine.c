/* Tests of store/list/spine.c: random steps against arrays of chunks and weights, also on spines
 * that share nodes and chunks. The chunks are empty; the spine counts their holders and never reads
 * them. */
#include "store/list/spine.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/list/chunk.h"
#include "store/memory/heap.h"
#include "store/seeded.h"

#include <string.h>

#define MOST   6000
#define CHUNKS 1000000

struct model {
    struct spine spine;
    size_t ids[MOST + 1]; /* index into `chunks` */
    size_t weights[MOST + 1];
    size_t count;
    size_t next_id;
    uint64_t random;
};

/* Created when first requested. Besides the references of the spines, the test holds one to
 * each. */
static struct chunk *chunks[CHUNKS];

static struct chunk *chunk_of(size_t id)
{
    if (chunks[id] == NULL)
        chunks[id] = chunk_new(1, LIST_TAIL);
    return chunks[id];
}

/* The same with a reference for a spine. */
static struct chunk *share_of(size_t id)
{
    struct chunk *chunk = chunk_of(id);
    assert_ptr_equal(chunk_share(chunk), chunk);
    return chunk;
}

static size_t holders_of(size_t id)
{
    return atomic_load(&chunks[id]->holders);
}

/* No chunk has a holder besides the test. */
static int free_chunks(void **state)
{
    (void)state;
    for (size_t id = 0; id < CHUNKS; id++) {
        if (chunks[id] == NULL)
            continue;
        assert_int_equal(holders_of(id), 1);
        chunk_free(chunks[id]);
        chunks[id] = NULL;
    }
    assert_int_equal(heap_used(), 0);
    return 0;
}

static void clear(struct spine *spine)
{
    size_t bytes = 0;
    while (spine_clear(spine, 7, &bytes) == 7)
        ;
    assert_null(spine->root);
}

static uint32_t below(struct model *model, size_t bound)
{
    return seeded_below(&model->random, (uint32_t)bound);
}

static size_t random_weight(struct model *model)
{
    return below(model, 10) == 0 ? 0 : below(model, 400);
}

static struct model *model_new(uint64_t random)
{
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    *model = (struct model){.random = random, .count = 1, .next_id = 1, .weights = {7}};
    spine_init(&model->spine, share_of(0), 7);
    return model;
}

static void model_free(struct model *model)
{
    clear(&model->spine);
    free(model);
}

/* The path to chunk `at` by steps from the nearer end. */
static void walk_to(struct model *model, size_t at, struct spine_path *path)
{
    struct chunk *chunk;
    if (at < model->count / 2) {
        chunk = spine_first(&model->spine, path);
        for (size_t i = 0; i < at; i++)
            chunk = spine_next(&model->spine, path);
    } else {
        chunk = spine_last(&model->spine, path);
        for (size_t i = model->count - 1; i > at; i--)
            chunk = spine_previous(&model->spine, path);
    }
    assert_ptr_equal(chunk, chunk_of(model->ids[at]));
}

static void insert(struct model *model, size_t at)
{
    size_t weight = random_weight(model), behind = model->count - at;
    struct spine_path path;
    struct chunk *chunk = share_of(model->next_id);
    if (at == model->count || (at > 0 && below(model, 2) == 0)) {
        walk_to(model, at - 1, &path);
        spine_own(&model->spine, &path);
        spine_insert_after(&model->spine, &path, chunk, weight);
    } else {
        walk_to(model, at, &path);
        spine_own(&model->spine, &path);
        spine_insert_before(&model->spine, &path, chunk, weight);
    }
    memmove(&model->ids[at + 1], &model->ids[at], behind * sizeof at);
    memmove(&model->weights[at + 1], &model->weights[at], behind * sizeof at);
    model->ids[at] = model->next_id++;
    model->weights[at] = weight;
    model->count++;
}

/* Makes the edges own, as a list does after it removes its first or last chunk: when a root with
 * one slot is dropped, the new root may be shared. */
static void own_edges(struct model *model)
{
    struct spine_path path;
    spine_first(&model->spine, &path);
    spine_own(&model->spine, &path);
    spine_last(&model->spine, &path);
    spine_own(&model->spine, &path);
}

static void remove_one(struct model *model, size_t at)
{
    struct spine_path path;
    walk_to(model, at, &path);
    spine_own(&model->spine, &path);
    spine_remove(&model->spine, &path);
    own_edges(model);
    chunk_free(chunk_of(model->ids[at]));
    model->count--;
    memmove(&model->ids[at], &model->ids[at + 1], (model->count - at) * sizeof at);
    memmove(&model->weights[at], &model->weights[at + 1], (model->count - at) * sizeof at);
}

static void set(struct model *model, size_t at)
{
    struct spine_path path;
    walk_to(model, at, &path);
    spine_own(&model->spine, &path);
    assert_true(spine_is_own(&model->spine, &path));
    chunk_free(chunk_of(model->ids[at]));
    model->ids[at] = model->next_id++;
    model->weights[at] = random_weight(model);
    spine_set(&model->spine, &path, share_of(model->ids[at]), model->weights[at]);
    assert_int_equal(spine_weight(&path), model->weights[at]);
}

static void assert_equal(struct model *model)
{
    assert_true(spine_is_sound(&model->spine));
    assert_int_equal(model->spine.chunks, model->count);
    struct spine_path path, found;
    struct chunk *chunk = spine_first(&model->spine, &path);
    size_t before = 0;
    for (size_t i = 0; i < model->count; i++) {
        assert_ptr_equal(chunk, chunk_of(model->ids[i]));
        assert_int_equal(spine_weight(&path), model->weights[i]);
        for (size_t unit = 0; unit < model->weights[i]; unit += model->weights[i] / 2 + 1) {
            size_t index = before + unit;
            assert_ptr_equal(spine_find(&model->spine, &index, &found), chunk);
            assert_int_equal(index, unit);
        }
        before += model->weights[i];
        chunk = spine_next(&model->spine, &path);
    }
    assert_null(chunk);
    assert_ptr_equal(spine_previous(&model->spine, &path),
                     model->count > 1 ? chunk_of(model->ids[model->count - 2]) : NULL);
}

/* Where the next step takes place: all over, at an end, or around one spot. */
static size_t random_place(struct model *model, int way, size_t count)
{
    switch (way) {
    case 0:
        return below(model, count);
    case 1:
        return 0;
    case 2:
        return count - 1;
    default:
        return count / 3;
    }
}

static void random_step(struct model *model, int way, uint32_t growth)
{
    uint32_t choice = below(model, 100);
    if (choice < growth && model->count < MOST)
        insert(model, random_place(model, way, model->count + 1));
    else if (choice < 97 && model->count > 1)
        remove_one(model, random_place(model, way, model->count));
    else
        set(model, below(model, model->count));
}

static void test_random_steps_match_an_array(void **state)
{
    (void)state;
    struct model *model = model_new(seeded_start());
    for (int phase = 0; phase < 16; phase++) {
        int way = (int)below(model, 4);
        uint32_t growth = phase % 2 == 0 ? 90 : 15;
        for (int step = 0; step < 2500; step++) {
            random_step(model, way, growth);
            if (step % 125 == 0)
                assert_equal(model);
        }
        assert_equal(model);
    }
    while (model->count > 1) {
        remove_one(model, below(model, model->count));
        if (model->count % 50 == 0 || model->count < 50)
            assert_equal(model);
    }
    assert_int_equal(model->spine.height, 1);
    spine_dissolve(&model->spine);
    chunk_free(chunk_of(model->ids[0]));
    free(model);
}

/* Copies the spine; the copy takes its new ids from a range of its own. */
static struct model *copy_of(struct model *model, size_t next_id)
{
    struct model *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    *copy = *model;
    copy->random += next_id;
    copy->next_id = next_id;
    spine_copy(&copy->spine, &model->spine);
    own_edges(copy);
    return copy;
}

/* Spines that share nodes are edited in turn, and each stays as its own arrays say; now and then
 * one is dropped and another copied in its place. */
static void test_random_steps_on_spines_that_share(void **state)
{
    (void)state;
    struct model *models[4] = {model_new(seeded_start())};
    size_t next_id = CHUNKS / 4;
    for (int step = 0; step < 1500; step++)
        random_step(models[0], 0, 90);
    for (size_t i = 1; i < 4; i++, next_id += 10000)
        models[i] = copy_of(models[0], next_id);
    for (int round = 0; round < 60; round++) {
        struct model *model = models[below(models[0], 4)];
        int way = (int)below(model, 4);
        for (int step = 0; step < 100; step++)
            random_step(model, way, round % 8 < 4 ? 70 : 30);
        for (size_t i = 0; i < 4; i++)
            assert_equal(models[i]);
        size_t from = below(model, 4), to = (from + 1 + below(model, 3)) % 4;
        model_free(models[to]);
        models[to] = copy_of(models[from], next_id);
        next_id += 10000;
    }
    for (size_t i = 0; i < 4; i++)
        model_free(models[i]);
}

/* A spine of that many chunks, ids from 0 on. */
static void fill(struct spine *spine, size_t count)
{
    struct spine_path path;
    spine_init(spine, share_of(0), 1);
    for (size_t i = 1; i < count; i++) {
        spine_last(spine, &path);
        spine_insert_after(spine, &path, share_of(i), 1);
    }
}

/* A copy of 30,000 chunks takes a node, and an edit of it one for each level. */
static void test_a_copy_shares_what_is_not_edited(void **state)
{
    (void)state;
    const size_t count = 30000;
    struct spine spine, copy;
    struct spine_path path;
    fill(&spine, count);
    size_t used = heap_used(), index = count / 2, bytes = 0;
    spine_copy(&copy, &spine);
    assert_true(heap_used() - used <= 1024);
    spine_find(&copy, &index, &path);
    assert_false(spine_is_own(&copy, &path));
    assert_int_equal(holders_of(count / 2), 2);
    spine_own(&copy, &path);
    assert_true(spine_is_own(&copy, &path));
    assert_true(heap_used() - used <= copy.height * (size_t)1024);
    assert_int_equal(holders_of(count / 2), 3);
    assert_int_equal(holders_of(0), 2);
    assert_true(spine_is_sound(&copy) && copy.bytes == spine.bytes);
    /* What only the original held is much more than what only the copy held. */
    assert_true(spine_clear(&copy, SIZE_MAX, &bytes) < 200);
    assert_int_equal(heap_used(), used);
    assert_int_equal(spine_clear(&spine, 100, &bytes), 100);
    bytes = 0;
    assert_true(spine_clear(&spine, SIZE_MAX, &bytes) >= count - 100);
    assert_true(bytes > (count - 100) * 16);
    assert_int_equal(spine_clear(&spine, SIZE_MAX, &bytes), 0);
}

/* A spine filled from an end has full nodes and stays low. */
static void test_filling_from_an_end_is_dense(void **state)
{
    (void)state;
    const size_t count = 40000;
    for (int at_tail = 0; at_tail < 2; at_tail++) {
        struct spine spine;
        struct spine_path path;
        spine_init(&spine, share_of(0), 1);
        for (size_t i = 1; i < count; i++) {
            if (at_tail) {
                spine_last(&spine, &path);
                spine_insert_after(&spine, &path, share_of(i), 1);
            } else {
                spine_first(&spine, &path);
                spine_insert_before(&spine, &path, share_of(i), 1);
            }
        }
        assert_true(spine_is_sound(&spine));
        assert_int_equal(spine.height, 4);
        assert_in_range(spine.bytes, count * 16, count * 18);
        for (size_t i = 0; i < count; i++) {
            size_t index = i;
            size_t id = at_tail ? i : count - 1 - i;
            assert_ptr_equal(spine_find(&spine, &index, &path), chunk_of(id));
            assert_int_equal(index, 0);
        }
        clear(&spine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_random_steps_match_an_array, free_chunks),
        cmocka_unit_test_teardown(test_random_steps_on_spines_that_share, free_chunks),
        cmocka_unit_test_teardown(test_a_copy_shares_what_is_not_edited, free_chunks),
        cmocka_unit_test_teardown(test_filling_from_an_end_is_dense, free_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
