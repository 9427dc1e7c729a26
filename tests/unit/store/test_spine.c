/* Tests of store/spine.c: random steps against an array of chunks and weights. The chunks are
 * addresses in an array; the spine never looks behind them. */
#include "store/spine.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/seeded.h"

#include <string.h>

#define MOST 6000

struct model {
    struct spine spine;
    size_t ids[MOST + 1]; /* index into `places` */
    size_t weights[MOST + 1];
    size_t count;
    size_t next_id;
    uint64_t random;
};

static char places[1000000];

static struct chunk *chunk_of(size_t id)
{
    return (struct chunk *)&places[id];
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
    spine_init(&model->spine, chunk_of(0), 7);
    return model;
}

/* The way to chunk `at` by steps from the nearer end. */
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
    struct chunk *chunk = chunk_of(model->next_id);
    if (at == model->count || (at > 0 && below(model, 2) == 0)) {
        walk_to(model, at - 1, &path);
        spine_insert_after(&model->spine, &path, chunk, weight);
    } else {
        walk_to(model, at, &path);
        spine_insert_before(&model->spine, &path, chunk, weight);
    }
    memmove(&model->ids[at + 1], &model->ids[at], behind * sizeof at);
    memmove(&model->weights[at + 1], &model->weights[at], behind * sizeof at);
    model->ids[at] = model->next_id++;
    model->weights[at] = weight;
    model->count++;
}

static void remove_one(struct model *model, size_t at)
{
    struct spine_path path;
    walk_to(model, at, &path);
    spine_remove(&model->spine, &path);
    model->count--;
    memmove(&model->ids[at], &model->ids[at + 1], (model->count - at) * sizeof at);
    memmove(&model->weights[at], &model->weights[at + 1], (model->count - at) * sizeof at);
}

static void set(struct model *model, size_t at)
{
    struct spine_path path;
    walk_to(model, at, &path);
    model->ids[at] = model->next_id++;
    model->weights[at] = random_weight(model);
    spine_set(&model->spine, &path, chunk_of(model->ids[at]), model->weights[at]);
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

static void test_random_steps_match_an_array(void **state)
{
    (void)state;
    struct model *model = model_new(seeded_start());
    for (int phase = 0; phase < 16; phase++) {
        int way = (int)below(model, 4);
        uint32_t growth = phase % 2 == 0 ? 90 : 15;
        for (int step = 0; step < 2500; step++) {
            uint32_t choice = below(model, 100);
            if (choice < growth && model->count < MOST)
                insert(model, random_place(model, way, model->count + 1));
            else if (choice < 97 && model->count > 1)
                remove_one(model, random_place(model, way, model->count));
            else
                set(model, below(model, model->count));
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
    spine_deinit(&model->spine);
    free(model);
}

/* What is filled from an end has full nodes, and stays low. */
static void test_filling_from_an_end_is_dense(void **state)
{
    (void)state;
    const size_t count = 40000;
    for (int at_tail = 0; at_tail < 2; at_tail++) {
        struct spine spine;
        struct spine_path path;
        spine_init(&spine, chunk_of(0), 1);
        for (size_t i = 1; i < count; i++) {
            if (at_tail) {
                spine_last(&spine, &path);
                spine_insert_after(&spine, &path, chunk_of(i), 1);
            } else {
                spine_first(&spine, &path);
                spine_insert_before(&spine, &path, chunk_of(i), 1);
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
        spine_deinit(&spine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_steps_match_an_array),
        cmocka_unit_test(test_filling_from_an_end_is_dense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
