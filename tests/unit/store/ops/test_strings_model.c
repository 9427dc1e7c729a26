/*
 * Random sequences of all operations on strings against the simplest possible model: an
 * array of cells. After each step the store must hold what the model holds, with versions and
 * deadlines; some steps are rolled back like a failed transaction; and answers that
 * are kept for a while must stay as they were.
 */
#include "store/ops/apply.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/ops/undo.h"
#include "store/seeded.h"

#define ROUNDS    12
#define STEPS     1500
#define CELLS     6
#define HELD      4
#define MAX_VALUE ((size_t)60000)
#define POOL      ((size_t)40000)

enum held_kind { NOTHING, STRING, LIST };

struct cell {
    enum held_kind kind;
    size_t len;
    int64_t expire_at_ms;
    uint64_t version;
    uint8_t bytes[MAX_VALUE];
};

/* An answer that is kept, and what it contained. */
struct answer {
    struct op_result result;
    size_t len;
    uint8_t bytes[MAX_VALUE];
};

/* How a step ends. */
enum ending { PLAIN, KEPT, ROLLED_BACK };

struct world {
    struct keyspace_fixture *fixture;
    uint64_t random;
    uint64_t revision; /* the revision of the step, if it writes */
    bool wrote;
    bool wrote_itself; /* beyond removing expired keys */
    enum ending ending;
    struct cell cells[CELLS], saved[CELLS];
    struct answer answers[HELD];
    uint8_t pool[POOL];
};

static const struct cell nothing;

static uint32_t below(struct world *world, uint32_t bound)
{
    return seeded_below(&world->random, bound);
}

static bool one_in(struct world *world, uint32_t chances)
{
    return below(world, chances) == 0;
}

/* ---- the model ---- */

static bool is_due(const struct world *world, int64_t expire_at_ms)
{
    return expire_at_ms != 0 && expire_at_ms <= world->fixture->now_ms;
}

static const struct cell *look(const struct world *world, size_t i)
{
    return is_due(world, world->cells[i].expire_at_ms) ? &nothing : &world->cells[i];
}

static void empty(struct world *world, struct cell *cell)
{
    if (cell->kind != NOTHING)
        world->wrote = world->wrote_itself = true;
    cell->kind = NOTHING;
    cell->expire_at_ms = 0;
    cell->version = 0;
    cell->len = 0;
}

/* For a write: removes an expired cell. */
static struct cell *open(struct world *world, size_t i)
{
    bool wrote_itself = world->wrote_itself;
    if (is_due(world, world->cells[i].expire_at_ms))
        empty(world, &world->cells[i]);
    world->wrote_itself = wrote_itself;
    return &world->cells[i];
}

static void stamp(struct world *world, struct cell *cell, int64_t expire_at_ms)
{
    if (is_due(world, expire_at_ms)) {
        empty(world, cell);
        return;
    }
    cell->expire_at_ms = expire_at_ms;
    cell->version = world->revision;
    world->wrote = world->wrote_itself = true;
}

static void put(struct world *world, struct cell *cell, struct slice value, int64_t expire_at_ms)
{
    if (is_due(world, expire_at_ms)) {
        empty(world, cell);
        return;
    }
    cell->kind = STRING;
    cell->len = value.len;
    memcpy(cell->bytes, value.data, value.len);
    stamp(world, cell, expire_at_ms);
}

static struct slice string_of(const struct cell *cell)
{
    return slice_make(cell->bytes, cell->len);
}

static bool holds(const struct condition *condition, const struct cell *cell)
{
    bool there = cell->kind != NOTHING;
    if ((condition->existence == EXISTENCE_ABSENT && there) ||
        (condition->existence == EXISTENCE_PRESENT && !there))
        return false;
    if (condition->version != 0 && (!there || cell->version != condition->version))
        return false;
    return !condition->match_value ||
           (cell->kind == STRING && slice_equal(string_of(cell), condition->value));
}

/* ---- what steps are made of ---- */

static size_t random_length(struct world *world)
{
    static const size_t edges[] = {0, 8, 24, 32, 256, 1000, BLOB_LEAST, 20480};
    switch (below(world, 3)) {
    case 0:
        return below(world, 64);
    case 1:
        return edges[below(world, 8)] + below(world, 5) * (one_in(world, 2) ? 1 : 0);
    default: {
        size_t edge = edges[4 + below(world, 4)];
        return edge - below(world, 4);
    }
    }
}

static struct slice random_value(struct world *world)
{
    static const char *const texts[] = {
        "0",      "10",  "-5", "0.5", "3.0e3", "-0", "9223372036854775807", "9223372036854775800",
        "1e4000", "inf", "1 ", ""};
    if (one_in(world, 3))
        return slice_from_string(texts[below(world, sizeof texts / sizeof *texts)]);
    size_t len = random_length(world);
    return slice_make(world->pool + below(world, (uint32_t)(POOL - len)), len);
}

/* Mostly none; some have passed. */
static int64_t random_deadline(struct world *world)
{
    int64_t soon = world->fixture->now_ms - 10 + (int64_t)below(world, 200);
    return one_in(world, 3) ? soon : 0;
}

static struct condition random_condition(struct world *world, size_t i)
{
    struct condition condition = {0};
    const struct cell *cell = &world->cells[i];
    if (one_in(world, 6))
        condition.existence = 1 + below(world, 2);
    if (one_in(world, 6))
        condition.version = one_in(world, 4) ? 7 : cell->version;
    if (one_in(world, 6)) {
        condition.match_value = true;
        condition.value = one_in(world, 4) ? SLICE_LITERAL("x") : string_of(&world->saved[i]);
    }
    return condition;
}

static struct slice key_of(size_t i)
{
    static const char keys[CELLS][24] = {"a", "b", "c", "four", "a key of 23 bytes, this", "f"};
    return slice_from_string(keys[i]);
}

static uint64_t hash_of(struct world *world, struct slice key)
{
    return store_hash(world->fixture->store, key);
}

static struct op op_on(struct world *world, enum op_kind kind, size_t i)
{
    return (struct op){.kind = kind,
                       .key = key_of(i),
                       .hash = hash_of(world, key_of(i)),
                       .now_ms = world->fixture->now_ms,
                       .max_value = MAX_VALUE};
}

/* Like a transaction: with an undo log. */
static void apply_undoably(struct world *world, const struct op *op)
{
    struct keyspace_fixture *fixture = world->fixture;
    struct undo undo;
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    fixture->result = (struct op_result){0};
    undo_init(&undo, &fixture->arena, SIZE_MAX);
    struct op_context ctx = {.store = fixture->store,
                             .sink = fixture->store->sink,
                             .arena = &fixture->arena,
                             .undo = &undo,
                             .now_ms = fixture->now_ms};
    apply_op(&ctx, op, &fixture->result);
    if (world->ending == ROLLED_BACK)
        undo_roll_back(&undo);
    else
        undo_discard(&undo, ctx.revision);
    if (ctx.revision == 0)
        return;
    if (world->ending == ROLLED_BACK)
        fixture->sink.abort(&fixture->sink);
    else
        fixture->sink.end(&fixture->sink);
}

static const struct op_result *apply(struct world *world, const struct op *op)
{
    if (world->ending == PLAIN)
        keyspace_apply(world->fixture, *op);
    else
        apply_undoably(world, op);
    return &world->fixture->result;
}

/* ---- what answers must be ---- */

static void assert_value(const struct op_value *value, const struct cell *cell, uint64_t version)
{
    assert_int_equal(value->found, cell->kind == STRING);
    if (cell->kind != STRING)
        return;
    assert_true(slice_equal(value->bytes, string_of(cell)));
    assert_int_equal(value->version, version);
}

static void assert_failed(const struct op_result *result, enum err err)
{
    assert_int_equal(result->err, err);
    assert_non_null(result->why);
    assert_false(result->ok);
}

static bool assert_string_wanted(const struct op_result *result, const struct cell *cell)
{
    if (cell->kind == LIST)
        assert_failed(result, ERR_WRONG_TYPE);
    return cell->kind != LIST;
}

/* True if the condition holds for the cell; else checks that the answer says so. */
static bool assert_condition(const struct op_result *result, const struct condition *condition,
                             const struct cell *cell)
{
    if (condition->match_value && !assert_string_wanted(result, cell))
        return false;
    if (holds(condition, cell))
        return true;
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->version, cell->version);
    assert_int_equal(result->has_previous, cell->kind == STRING);
    assert_value(&result->value, cell, cell->version);
    return false;
}

static void assert_written(const struct op_result *result, const struct cell *cell)
{
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_int_equal(result->version, cell->version);
}

/* ---- steps: each applies an operation to the store and its effect to the model ---- */

static struct op random_set(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_SET, i);
    op.value = random_value(world);
    op.set.keep_ttl = one_in(world, 4);
    op.expire_at_ms = op.set.keep_ttl ? 0 : random_deadline(world);
    op.condition = random_condition(world, i);
    op.set.return_previous = one_in(world, 4);
    return op;
}

static void do_set(struct world *world, struct cell *cell, const struct op *op)
{
    put(world, cell, op->value, op->set.keep_ttl ? cell->expire_at_ms : op->expire_at_ms);
}

static void step_set(struct world *world, size_t i)
{
    struct op op = random_set(world, i);
    const struct op_result *result = apply(world, &op);
    struct cell *cell = open(world, i);
    if (op.set.return_previous && !assert_string_wanted(result, cell))
        return;
    if (!assert_condition(result, &op.condition, cell))
        return;
    assert_int_equal(result->has_previous, op.set.return_previous);
    if (op.set.return_previous)
        assert_value(&result->value, cell, cell->version);
    do_set(world, cell, &op);
    assert_written(result, cell);
    assert_int_equal(result->count, 1);
}

static void step_m_set(struct world *world, size_t first)
{
    struct op ops[4], op = {.kind = OP_M_SET, .ops = ops, .op_count = 1 + below(world, 4)};
    size_t cells[4];
    for (size_t i = 0; i < op.op_count; i++) {
        cells[i] = i == 0 ? first : below(world, CELLS);
        ops[i] = random_set(world, cells[i]);
    }
    const struct op_result *result = apply(world, &op);
    for (size_t i = 0; i < op.op_count; i++)
        if (!assert_condition(result, &ops[i].condition, look(world, cells[i])))
            return;
    for (size_t i = 0; i < op.op_count; i++)
        do_set(world, open(world, cells[i]), &ops[i]);
    assert_true(result->ok);
    assert_int_equal(result->count, op.op_count);
    assert_int_equal(result->version, world->wrote_itself ? world->revision : 0);
}

static void step_get(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_GET, i);
    const struct op_result *result = apply(world, &op);
    const struct cell *cell = look(world, i);
    if (assert_string_wanted(result, cell)) {
        assert_value(&result->value, cell, cell->version);
        assert_int_equal(result->value.expire_at_ms, cell->expire_at_ms);
    }
}

static void step_m_get(struct world *world, size_t first)
{
    struct op_key keys[CELLS];
    size_t size = 0, count = 1 + below(world, CELLS), cells[CELLS];
    for (size_t i = 0; i < count; i++) {
        cells[i] = i == 0 ? first : below(world, CELLS);
        keys[i].bytes = key_of(cells[i]);
        keys[i].hash = hash_of(world, keys[i].bytes);
        const struct cell *cell = look(world, cells[i]);
        size += op_answer_size(cell->kind == STRING ? cell->len : 0);
    }
    struct op op = {.kind = OP_M_GET, .keys = keys, .key_count = count, .max_answer = 50000};
    const struct op_result *result = apply(world, &op);
    if (size > op.max_answer) {
        assert_failed(result, ERR_TOO_LARGE);
        return;
    }
    assert_int_equal(result->item_count, count);
    for (size_t i = 0; i < count; i++)
        assert_value(&result->items[i], look(world, cells[i]), look(world, cells[i])->version);
}

/* Parses an integer in its canonical form; false if the text is none. */
static bool read_integer(struct slice text, long long *number)
{
    char copy[32], again[32];
    if (text.len > 20)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *number = strtoll(copy, NULL, 10);
    snprintf(again, sizeof again, "%lld", *number);
    return strlen(copy) == text.len && strcmp(copy, again) == 0;
}

static void step_incr(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_INCR, i);
    op.incr.by = one_in(world, 8) ? INT64_MAX : (int64_t)below(world, 100) - 50;
    op.expire_at_ms = random_deadline(world);
    const struct op_result *result = apply(world, &op);
    struct cell *cell = open(world, i);
    long long number = 0, sum;
    if (!assert_string_wanted(result, cell))
        return;
    if (cell->kind == STRING && !read_integer(string_of(cell), &number)) {
        assert_failed(result, ERR_NOT_A_NUMBER);
        return;
    }
    if (__builtin_add_overflow(number, (long long)op.incr.by, &sum)) {
        assert_failed(result, ERR_OUT_OF_RANGE);
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%lld", sum);
    put(world, cell, slice_from_string(text),
        cell->kind == STRING ? cell->expire_at_ms : op.expire_at_ms);
    assert_written(result, cell);
    assert_true(result->integer == sum);
}

static bool read_real(struct slice text, long double *number)
{
    static char copy[MAX_VALUE + 1];
    char *end;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (text.len == 0 || text.len >= 5120 || strchr("\t\n\v\f\r ", copy[0]) != NULL)
        return false;
    errno = 0;
    *number = strtold(copy, &end);
    bool lost = errno == ERANGE && (*number == 0 || *number - *number != 0);
    return end == copy + text.len && *number == *number && !lost;
}

static void step_incr_real(struct world *world, size_t i)
{
    static const char *const steps[] = {"0.1",   "-0.25",      "3",      "1e20",
                                        "-1e-7", "123456.789", "1e4932", "9007199254740993"};
    const char *by = steps[below(world, 8)];
    const long double number_by = strtold(by, NULL);
    struct op op = op_on(world, OP_INCR, i);
    op.incr.is_real = true;
    op.incr.by_real = &number_by;
    op.expire_at_ms = random_deadline(world);
    const struct op_result *result = apply(world, &op);
    struct cell *cell = open(world, i);
    long double number = 0;
    if (!assert_string_wanted(result, cell))
        return;
    if (cell->kind == STRING && !read_real(string_of(cell), &number)) {
        assert_failed(result, ERR_NOT_A_NUMBER);
        return;
    }
    number += number_by;
    if (number - number != 0) {
        assert_failed(result, ERR_OUT_OF_RANGE);
        return;
    }
    static char text[6000];
    size_t len = (size_t)snprintf(text, sizeof text, "%.17Lf", number);
    for (; text[len - 1] == '0'; len--)
        text[len - 1] = '\0';
    if (text[len - 1] == '.')
        text[len - 1] = '\0';
    struct slice sum = slice_from_string(strcmp(text, "-0") == 0 ? "0" : text);
    put(world, cell, sum, cell->kind == STRING ? cell->expire_at_ms : op.expire_at_ms);
    assert_written(result, cell);
    assert_true(result->real == strtod(text, NULL));
    assert_true(slice_equal(result->value.bytes, sum));
}

/* The common part of Append and SetRange. */
static void do_write_at(struct world *world, const struct op *op, struct cell *cell, size_t offset,
                        const struct op_result *result)
{
    size_t end = offset + op->value.len;
    if (end > MAX_VALUE) {
        assert_failed(result, ERR_TOO_LARGE);
        return;
    }
    if (offset > cell->len)
        memset(cell->bytes + cell->len, 0, offset - cell->len);
    memcpy(cell->bytes + offset, op->value.data, op->value.len);
    cell->kind = STRING;
    cell->len = end > cell->len ? end : cell->len;
    stamp(world, cell, cell->expire_at_ms);
    assert_written(result, cell);
    assert_int_equal(result->count, cell->len);
}

static void assert_unchanged(const struct op_result *result, const struct cell *cell)
{
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->ok, cell->kind != NOTHING);
    assert_int_equal(result->count, cell->len);
    assert_int_equal(result->version, cell->version);
}

static void step_append(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_APPEND, i);
    op.value = random_value(world);
    const struct op_result *result = apply(world, &op);
    struct cell *cell = open(world, i);
    if (!assert_string_wanted(result, cell))
        return;
    if (op.value.len == 0 && cell->kind == STRING)
        assert_unchanged(result, cell);
    else
        do_write_at(world, &op, cell, cell->len, result);
}

static void step_set_range(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_SET_RANGE, i);
    op.value = random_value(world);
    op.start = one_in(world, 2) ? (int64_t)random_length(world)
                                : (int64_t)below(world, (uint32_t)world->cells[i].len + 2);
    if (one_in(world, 30))
        op.start = -1;
    const struct op_result *result = apply(world, &op);
    if (op.start < 0) {
        assert_failed(result, ERR_OUT_OF_RANGE);
        return;
    }
    struct cell *cell = open(world, i);
    if (!assert_string_wanted(result, cell))
        return;
    if (op.value.len == 0)
        assert_unchanged(result, cell);
    else
        do_write_at(world, &op, cell, (size_t)op.start, result);
}

static void step_get_range(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_GET_RANGE, i);
    const struct cell *cell = look(world, i);
    int64_t length = (int64_t)cell->len;
    int64_t start = (int64_t)below(world, (uint32_t)cell->len + 3);
    int64_t stop = (int64_t)below(world, (uint32_t)cell->len + 3);
    op.start = one_in(world, 2) && length > 0 ? start - length - 1 : start;
    op.stop = one_in(world, 2) && length > 0 ? stop - length - 1 : stop;
    const struct op_result *result = apply(world, &op);
    if (!assert_string_wanted(result, cell))
        return;
    assert_int_equal(result->value.found, cell->kind == STRING);
    int64_t first = op.start < 0 ? op.start + length : op.start;
    int64_t last = op.stop < 0 ? op.stop + length : op.stop;
    first = first < 0 ? 0 : first;
    last = last < 0 ? 0 : last;
    last = last >= length ? length - 1 : last;
    bool is_empty = first > last || (op.start < 0 && op.stop < 0 && op.start > op.stop);
    assert_int_equal(result->value.bytes.len, is_empty ? 0 : last - first + 1);
    if (!is_empty)
        assert_memory_equal(result->value.bytes.data, cell->bytes + first, result->value.bytes.len);
}

static void step_get_del(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_GET_DEL, i);
    op.condition = random_condition(world, i);
    const struct op_result *result = apply(world, &op);
    struct cell *cell = open(world, i);
    if (!assert_string_wanted(result, cell))
        return;
    if (cell->kind == NOTHING || !holds(&op.condition, cell)) {
        assert_false(result->value.found);
        assert_int_equal(result->value.version, cell->version);
        return;
    }
    assert_value(&result->value, cell, 0);
    empty(world, cell);
}

static void step_get_ex(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_GET_EX, i);
    op.expire.persist = one_in(world, 3);
    op.expire_at_ms = op.expire.persist ? 0 : random_deadline(world);
    const struct op_result *result = apply(world, &op);
    struct cell *cell = open(world, i);
    if (!assert_string_wanted(result, cell))
        return;
    bool writes = cell->kind == STRING &&
                  (op.expire_at_ms != 0 || (op.expire.persist && cell->expire_at_ms != 0));
    bool removes = op.expire_at_ms != 0 && op.expire_at_ms <= world->fixture->now_ms;
    assert_value(&result->value, cell, !writes ? cell->version : removes ? 0 : world->revision);
    if (writes)
        stamp(world, cell, op.expire_at_ms);
    assert_int_equal(result->version, cell->version);
    assert_int_equal(result->value.expire_at_ms, cell->expire_at_ms);
}

/* Puts a value of another type in place. */
static void step_list(struct world *world, size_t i)
{
    struct op op = op_on(world, OP_L_PUSH, i);
    struct slice value = SLICE_LITERAL("element");
    op.values = &value;
    op.value_count = 1;
    if (world->cells[i].kind != NOTHING || one_in(world, 2))
        return;
    apply(world, &op);
    struct cell *cell = open(world, i);
    cell->kind = LIST;
    stamp(world, cell, 0);
}

typedef void step_function(struct world *world, size_t i);

static step_function *const steps[] = {
    step_set,       step_set,     step_get,       step_m_get,     step_m_set,
    step_incr,      step_incr,    step_incr_real, step_incr_real, step_append,
    step_append,    step_append,  step_get_range, step_get_range, step_set_range,
    step_set_range, step_get_del, step_get_ex,    step_list};

/* ---- the run ---- */

static void assert_same(const struct world *world)
{
    for (size_t i = 0; i < CELLS; i++) {
        const struct cell *cell = &world->cells[i];
        const struct entry *entry = keyspace_look(world->fixture->store, 0, key_of(i)).entry;
        assert_int_equal(entry != NULL, cell->kind != NOTHING);
        if (entry == NULL)
            continue;
        assert_int_equal(entry_version(entry), cell->version);
        assert_int_equal(entry_expire_at_ms(entry), cell->expire_at_ms);
        assert_int_equal(entry_type(entry), cell->kind == LIST ? ENTRY_LIST : ENTRY_STRING);
        if (cell->kind == STRING)
            assert_true(slice_equal(entry_string(entry), string_of(cell)));
    }
}

static void let_go(struct answer *answer)
{
    if (answer->result.value.blob != NULL) {
        assert_int_equal(answer->result.value.bytes.len, answer->len);
        assert_memory_equal(answer->result.value.bytes.data, answer->bytes, answer->len);
    }
    op_result_release(&answer->result);
    answer->result = (struct op_result){0};
}

/* Now and then an answer is kept for a while. */
static void keep_answer(struct world *world)
{
    struct op_result *result = &world->fixture->result;
    if (result->value.blob == NULL || !one_in(world, 4))
        return;
    struct answer *answer = &world->answers[below(world, HELD)];
    let_go(answer);
    answer->result.value = result->value;
    result->value.blob = NULL;
    answer->len = answer->result.value.bytes.len;
    memcpy(answer->bytes, answer->result.value.bytes.data, answer->len);
}

static void step(struct world *world)
{
    uint64_t before = world->fixture->revision;
    size_t i = below(world, CELLS);
    world->fixture->now_ms += below(world, 10);
    world->revision = before + 1;
    world->wrote = world->wrote_itself = false;
    world->ending = below(world, 3);
    memcpy(world->saved, world->cells, sizeof world->cells);
    steps[below(world, sizeof steps / sizeof *steps)](world, i);
    if (world->ending == ROLLED_BACK) {
        memcpy(world->cells, world->saved, sizeof world->cells);
        world->wrote = false;
    }
    assert_int_equal(world->fixture->revision, before + world->wrote);
    keep_answer(world);
    assert_same(world);
}

static void test_random_steps(void **state)
{
    (void)state;
    static struct world world;
    uint64_t random = seeded_start();
    for (int round = 0; round < ROUNDS; round++) {
        void *fixture;
        world = (struct world){.random = random};
        keyspace_setup(&fixture);
        world.fixture = fixture;
        seeded_fill(&world.random, world.pool, POOL);
        for (int i = 0; i < STEPS; i++)
            step(&world);
        for (size_t i = 0; i < HELD; i++)
            let_go(&world.answers[i]);
        random = world.random;
        keyspace_teardown(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
