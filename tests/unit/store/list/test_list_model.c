/* Random sequences of all operations on lists against arrays, with deadlines and a moving clock. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"
#include "store/seeded.h"

#include "store/lists_pool.h"

#define KEYS    3
#define LONGEST 6000
#define ROUNDS  6
#define STEPS   1200
#define AT_ONCE 200

struct model_list {
    uint8_t items[LONGEST + 2 * AT_ONCE]; /* indexes into the pool */
    size_t length;                        /* 0 = no such key */
    int64_t expire_at_ms;
};

struct model {
    struct keyspace_fixture *fixture;
    uint64_t random;
    struct model_list lists[KEYS];
};

static struct slice key_of(size_t key)
{
    static const char names[] = "abc";
    return slice_make(&names[key], 1);
}

static bool chance(struct model *model, uint32_t percent)
{
    return seeded_below(&model->random, 100) < percent;
}

static size_t draw_key(struct model *model)
{
    return seeded_below(&model->random, KEYS);
}

/* Mostly of some element, sometimes of none. */
static int64_t draw_index(struct model *model, const struct model_list *list)
{
    int64_t around = (int64_t)list->length + 2;
    return (int64_t)seeded_below(&model->random, (uint32_t)(2 * around)) - around;
}

static void put(struct model_list *list, size_t index, uint8_t item)
{
    memmove(&list->items[index + 1], &list->items[index], list->length - index);
    list->items[index] = item;
    list->length++;
}

static uint8_t take(struct model_list *list, size_t index)
{
    uint8_t item = list->items[index];
    list->length--;
    memmove(&list->items[index], &list->items[index + 1], list->length - index);
    if (list->length == 0)
        list->expire_at_ms = 0;
    return item;
}

static size_t index_of_end(const struct model_list *list, enum op_end end)
{
    return end == OP_HEAD ? 0 : list->length - 1;
}

/* ---- what must hold ---- */

static const struct op_result *apply(struct model *model, size_t key, struct op op)
{
    op.key = key_of(key);
    const struct op_result *result = keyspace_apply(model->fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    return result;
}

static void assert_item(struct slice bytes, uint8_t item)
{
    assert_true(slice_equal(bytes, pool_at(item)));
}

static void assert_version(const struct model *model, const struct model_list *list, bool changed)
{
    const struct op_result *result = &model->fixture->result;
    if (changed)
        assert_int_equal(result->version, list->length > 0 ? model->fixture->revision : 0);
}

/* The store's list is the model's. */
static void check(struct model *model, size_t key)
{
    const struct model_list *list = &model->lists[key];
    const struct entry *entry = keyspace_look(model->fixture->store, 0, key_of(key)).entry;
    if (list->length == 0) {
        if (entry != NULL) /* expired, and not accessed since */
            assert_in_range(entry_expire_at_ms(entry), 1, model->fixture->now_ms);
        return;
    }
    assert_non_null(entry);
    assert_int_equal(entry_expire_at_ms(entry), list->expire_at_ms);
    assert_true(list_is_sound(entry_list(entry)));
    assert_int_equal(list_length(entry_list(entry)), list->length);
    struct list_cursor cursor;
    bool on = list_seek(entry_list(entry), &cursor, 0);
    for (size_t i = 0; on; on = list_next(&cursor))
        assert_item(list_cursor_value(&cursor), list->items[i++]);
}

/* ---- the operations ---- */

static void cut(struct model_list *list, enum op_end end, uint64_t max_length)
{
    while (max_length > 0 && list->length > max_length)
        take(list, index_of_end(list, end));
}

static void push(struct model *model, size_t key, enum op_end end)
{
    struct model_list *list = &model->lists[key];
    struct slice values[AT_ONCE];
    struct op op = {.kind = end == OP_HEAD ? OP_L_PUSH : OP_R_PUSH, .values = values};
    op.value_count = chance(model, 50) ? 1 : 1 + seeded_below(&model->random, AT_ONCE);
    if (chance(model, 10))
        op.condition.existence =
            list->length > 0 || chance(model, 50) ? EXISTENCE_PRESENT : EXISTENCE_ABSENT;
    if (chance(model, 10) || list->length > LONGEST)
        op.push.max_length = LONGEST / 2 + seeded_below(&model->random, LONGEST / 2);
    if (chance(model, 1))
        op.push.max_length = 1 + seeded_below(&model->random, 10);
    if (chance(model, 3))
        op.expire_at_ms = model->fixture->now_ms + 1 + seeded_below(&model->random, 2000);
    bool pushes = list->length > 0 || op.condition.existence != EXISTENCE_PRESENT;
    for (size_t i = 0; i < op.value_count; i++) {
        uint8_t item = pool_draw(&model->random);
        values[i] = pool_at(item);
        if (pushes)
            put(list, end == OP_HEAD ? 0 : list->length, item);
    }
    if (pushes)
        cut(list, end == OP_HEAD ? OP_TAIL : OP_HEAD, op.push.max_length);
    if (pushes && op.expire_at_ms != 0)
        list->expire_at_ms = op.expire_at_ms;
    const struct op_result *result = apply(model, key, op);
    assert_int_equal(result->ok, pushes);
    assert_int_equal(result->count, pushes ? list->length : 0);
    assert_version(model, list, pushes);
}

static void pop(struct model *model, size_t key, enum op_end end)
{
    struct model_list *list = &model->lists[key];
    bool pops = list->length > 0;
    const struct op_result *result =
        apply(model, key, (struct op){.kind = end == OP_HEAD ? OP_L_POP : OP_R_POP});
    assert_int_equal(result->value.found, pops);
    if (pops)
        assert_item(result->value.bytes, take(list, index_of_end(list, end)));
    assert_version(model, list, pops);
}

static void list_pop(struct model *model, size_t key, enum op_end end)
{
    size_t second = draw_key(model);
    struct op_key keys[] = {{.bytes = key_of(key)}, {.bytes = key_of(second)}};
    struct op op = {.kind = OP_LIST_POP, .keys = keys, .key_count = 2, .move.end = end};
    op.count = seeded_below(&model->random, chance(model, 1) ? LONGEST : 50);
    struct model_list *list = &model->lists[model->lists[key].length > 0 ? key : second];
    const struct op_result *result = apply(model, key, op);
    size_t count = op.count == 0 ? 1 : (size_t)op.count;
    if (count > list->length)
        count = list->length;
    assert_int_equal(result->ok, count > 0);
    assert_int_equal(result->value_count, count);
    for (size_t i = 0; i < count; i++)
        assert_item(result->values[i], take(list, index_of_end(list, end)));
    assert_version(model, list, count > 0);
}

static void move(struct model *model, size_t key, enum op_end end)
{
    size_t target = draw_key(model);
    enum op_end target_end = chance(model, 50) ? OP_HEAD : OP_TAIL;
    struct model_list *from = &model->lists[key], *to = &model->lists[target];
    bool moves = from->length > 0;
    const struct op_result *result = apply(model, key,
                                           (struct op){.kind = OP_L_MOVE,
                                                       .target = {.bytes = key_of(target)},
                                                       .move.end = end,
                                                       .move.target_end = target_end});
    assert_int_equal(result->value.found, moves);
    if (!moves)
        return;
    int64_t expire_at_ms = to->expire_at_ms;
    uint8_t item = take(from, index_of_end(from, end));
    put(to, target_end == OP_HEAD ? 0 : to->length, item);
    to->expire_at_ms = expire_at_ms;
    assert_item(result->value.bytes, item);
    assert_int_equal(result->value.expire_at_ms, expire_at_ms);
    assert_version(model, to, true);
    check(model, target);
}

/* The indexes start to stop that exist in the list: the first one and the one after the last. */
static void find_range(const struct model_list *list, const struct op *op, size_t *first,
                       size_t *behind)
{
    int64_t length = (int64_t)list->length;
    int64_t start = op->start < 0 ? length + op->start : op->start;
    int64_t stop = op->stop < 0 ? length + op->stop : op->stop;
    *first = *behind = 0;
    for (int64_t i = 0; i < length; i++) {
        if (i < start || i > stop)
            continue;
        if (*behind == 0)
            *first = (size_t)i;
        *behind = (size_t)i + 1;
    }
}

static struct op draw_range(struct model *model, enum op_kind kind, const struct model_list *list)
{
    return (struct op){
        .kind = kind, .start = draw_index(model, list), .stop = draw_index(model, list)};
}

static void range(struct model *model, size_t key)
{
    const struct model_list *list = &model->lists[key];
    struct op op = draw_range(model, OP_L_RANGE, list);
    size_t first, behind;
    find_range(list, &op, &first, &behind);
    const struct op_result *result = apply(model, key, op);
    assert_int_equal(result->ok, list->length > 0);
    assert_int_equal(result->length, list->length);
    assert_int_equal(result->offset, first);
    assert_int_equal(result->value_count, behind - first);
    for (size_t i = first; i < behind; i++)
        assert_item(result->values[i - first], list->items[i]);
}

static void trim(struct model *model, size_t key)
{
    struct model_list *list = &model->lists[key];
    struct op op = draw_range(model, OP_L_TRIM, list);
    if (!chance(model, 10)) { /* else hardly anything would stay */
        op.start = seeded_below(&model->random, 20);
        op.stop = -1 - (int64_t)seeded_below(&model->random, 20);
    }
    size_t first, behind, length = list->length;
    find_range(list, &op, &first, &behind);
    for (size_t i = length; i > behind; i--)
        take(list, i - 1);
    for (size_t i = 0; i < first; i++)
        take(list, 0);
    const struct op_result *result = apply(model, key, op);
    assert_int_equal(result->ok, length > 0);
    assert_int_equal(result->count, list->length);
    assert_version(model, list, list->length < length);
}

static bool has(const struct model_list *list, int64_t index)
{
    int64_t length = (int64_t)list->length;
    return index >= -length && index < length;
}

static size_t from_head(const struct model_list *list, int64_t index)
{
    return index < 0 ? list->length - (size_t)-index : (size_t)index;
}

static void index_or_set(struct model *model, size_t key)
{
    struct model_list *list = &model->lists[key];
    int64_t index = draw_index(model, list);
    uint8_t item = pool_draw(&model->random);
    const struct op_result *result =
        apply(model, key, (struct op){.kind = OP_L_INDEX, .index = index});
    assert_int_equal(result->value.found, has(list, index));
    if (!has(list, index))
        return;
    assert_item(result->value.bytes, list->items[from_head(list, index)]);
    apply(model, key, (struct op){.kind = OP_L_SET, .index = index, .value = pool_at(item)});
    list->items[from_head(list, index)] = item;
    assert_version(model, list, true);
}

static void insert(struct model *model, size_t key)
{
    struct model_list *list = &model->lists[key];
    uint8_t pivot = pool_draw(&model->random), item = pool_draw(&model->random);
    bool after = chance(model, 50);
    const uint8_t *found = memchr(list->items, pivot, list->length);
    const struct op_result *result = apply(model, key,
                                           (struct op){.kind = OP_L_INSERT,
                                                       .insert.pivot = pool_at(pivot),
                                                       .value = pool_at(item),
                                                       .insert.after = after});
    if (found != NULL)
        put(list, (size_t)(found - list->items) + after, item);
    assert_int_equal(result->ok, found != NULL);
    assert_int_equal(result->count, found != NULL      ? (int64_t)list->length
                                    : list->length > 0 ? -1
                                                       : 0);
    assert_version(model, list, found != NULL);
}

static void rem(struct model *model, size_t key)
{
    struct model_list *list = &model->lists[key];
    uint8_t item = pool_draw(&model->random);
    int64_t count = (int64_t)seeded_below(&model->random, 9) - 4, removed = 0;
    struct op op = {.kind = OP_L_REM, .value = pool_at(item), .count = count};
    size_t length = list->length;
    for (size_t i = 0; i < length; i++) {
        /* The i-th from that end: what has been removed before does not count from the head. */
        size_t at = count < 0 ? length - 1 - i : i - (size_t)removed;
        if (list->items[at] != item || (count != 0 && removed == llabs(count)))
            continue;
        take(list, at);
        removed++;
    }
    const struct op_result *result = apply(model, key, op);
    assert_int_equal(result->count, removed);
    assert_int_equal(result->ok, removed > 0);
    assert_version(model, list, removed > 0);
}

static void pos(struct model *model, size_t key)
{
    const struct model_list *list = &model->lists[key];
    uint8_t item = pool_draw(&model->random);
    int64_t rank = (int64_t)seeded_below(&model->random, 7) - 3;
    size_t count = seeded_below(&model->random, 5), found = 0, matches = 0;
    size_t scan = chance(model, 50) ? 0 : seeded_below(&model->random, LONGEST);
    const struct op_result *result = apply(model, key,
                                           (struct op){.kind = OP_L_POS,
                                                       .value = pool_at(item),
                                                       .pos.rank = rank,
                                                       .count = (int64_t)count,
                                                       .pos.max_scan = scan});
    size_t skipped = rank == 0 ? 0 : (size_t)llabs(rank) - 1;
    for (size_t i = 0; i < list->length && (scan == 0 || i < scan); i++) {
        size_t at = rank < 0 ? list->length - 1 - i : i;
        if (list->items[at] != item || matches++ < skipped || (count > 0 && found == count))
            continue;
        assert_true(found < result->index_count);
        assert_int_equal(result->indexes[found++], at);
    }
    assert_int_equal(result->index_count, found);
}

/* ---- walking at random ---- */

static void expire(struct model *model)
{
    model->fixture->now_ms += seeded_below(&model->random, 5);
    for (size_t key = 0; key < KEYS; key++) {
        struct model_list *list = &model->lists[key];
        if (list->expire_at_ms != 0 && list->expire_at_ms <= model->fixture->now_ms)
            list->length = 0;
        if (list->length == 0)
            list->expire_at_ms = 0;
    }
}

static void step(struct model *model, size_t key)
{
    enum op_end end = chance(model, 50) ? OP_HEAD : OP_TAIL;
    uint32_t which = seeded_below(&model->random, 100);
    if (which < 30)
        push(model, key, end);
    else if (which < 40)
        pop(model, key, end);
    else if (which < 45)
        list_pop(model, key, end);
    else if (which < 55)
        move(model, key, end);
    else if (which < 60)
        range(model, key);
    else if (which < 64)
        trim(model, key);
    else if (which < 75)
        index_or_set(model, key);
    else if (which < 85)
        insert(model, key);
    else if (which < 93)
        rem(model, key);
    else
        pos(model, key);
}

/* Each key has been there once, and is gone. */
static void clear(struct keyspace_fixture *fixture)
{
    for (size_t key = 0; key < KEYS; key++) {
        keyspace_apply(fixture, (struct op){.kind = OP_SET, .key = key_of(key)});
        keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = key_of(key)});
    }
}

static void run_round(uint64_t *random)
{
    void *state;
    keyspace_setup(&state);
    struct model *model = calloc(1, sizeof *model);
    model->fixture = state;
    model->random = *random;
    clear(model->fixture);
    size_t memory = lists_memory(model->fixture->store);
    for (size_t i = 0; i < STEPS; i++) {
        size_t key = draw_key(model);
        expire(model);
        step(model, key);
        check(model, key);
    }
    for (size_t key = 0; key < KEYS; key++)
        check(model, key);
    keyspace_replay(model->fixture);
    model->fixture->change_count = 0; /* what follows must leave nothing, whatever was before */
    clear(model->fixture);
    assert_int_equal(lists_memory(model->fixture->store), memory);
    *random = model->random;
    keyspace_teardown(&state);
    free(model);
}

static void test_random_steps_match_arrays(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (unsigned i = 0; i < ROUNDS; i++)
        run_round(&random);
}

/* Otherwise the model would confuse elements. */
static void test_no_two_elements_are_equal(void **state)
{
    (void)state;
    for (size_t i = 0; i < POOL_SIZE; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(slice_equal(pool_at(i), pool_at(j)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_two_elements_are_equal),
        cmocka_unit_test(test_random_steps_match_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
