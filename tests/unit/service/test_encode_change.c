/* Tests of service/encode_change.c: what a change becomes, decoded again, is the change. */
#include "service/encode_change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "service/decode_op.h"

static const struct slice values[] = {SLICE_LITERAL("1"), SLICE_LITERAL("")};

#define KEY .key = SLICE_LITERAL("key"), .db = 3

/* They are decoded to operations of their kind, but for pops, which are ListPops. */
static const struct op changes[] = {
    {.kind = OP_SET, KEY, .value = SLICE_LITERAL("value"), .expire_at_ms = 77},
    {.kind = OP_SET, KEY, .value = SLICE_LITERAL("value"), .set.keep_ttl = true},
    {.kind = OP_APPEND, KEY, .value = SLICE_LITERAL("value")},
    {.kind = OP_SET_RANGE, KEY, .value = SLICE_LITERAL("value"), .start = 5},
    {.kind = OP_INCR, KEY, .incr.by = INT64_MIN},
    {.kind = OP_EXPIRE, KEY, .expire_at_ms = 77},
    {.kind = OP_EXPIRE, KEY, .expire.persist = true},
    {.kind = OP_L_PUSH, KEY, .values = values, .value_count = 2},
    {.kind = OP_R_PUSH, KEY, .values = values, .value_count = 1},
    {.kind = OP_L_MOVE, KEY, .target.bytes = SLICE_LITERAL("key"), .move.end = OP_TAIL},
    {.kind = OP_L_SET, KEY, .index = -1, .value = SLICE_LITERAL("value")},
    {.kind = OP_L_INSERT, KEY, .value = SLICE_LITERAL("v"), .insert = {SLICE_LITERAL("p"), true}},
    {.kind = OP_L_REM, KEY, .value = SLICE_LITERAL("value"), .count = -3},
    {.kind = OP_L_TRIM, KEY, .start = 1, .stop = -1},
};

static struct op there_and_back(const struct op *change, struct arena *arena)
{
    const char *why;
    struct op op = {.now_ms = 1};
    const Keystore__V1__Op *message = encode_change(change, arena);
    assert_non_null(message);
    assert_int_equal(decode_op(message, arena, &op, &why), ERR_NONE);
    assert_int_equal(op.db, 3);
    return op;
}

static void test_changes_are_operations(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct op *change = &changes[i];
        struct op op = there_and_back(change, &arena);
        assert_int_equal(op.kind, change->kind);
        assert_true(slice_equal(op.key, change->key));
        assert_true(slice_equal(op.value, change->value));
        assert_true(slice_equal(op.target.bytes, change->target.bytes));
        assert_int_equal(op.expire_at_ms, change->expire_at_ms);
        assert_int_equal(op.start, change->start);
        assert_int_equal(op.stop, change->stop);
        assert_int_equal(op.count, change->count);
        assert_int_equal(op.value_count, change->value_count);
        for (size_t k = 0; k < op.value_count; k++)
            assert_true(slice_equal(op.values[k], change->values[k]));
        if (change->kind == OP_INCR)
            assert_int_equal(op.incr.by, change->incr.by);
        if (change->kind == OP_SET)
            assert_int_equal(op.set.keep_ttl, change->set.keep_ttl);
        if (change->kind == OP_EXPIRE)
            assert_int_equal(op.expire.persist, change->expire.persist);
        if (change->kind == OP_L_MOVE)
            assert_int_equal(op.move.end, change->move.end);
        if (change->kind == OP_L_INSERT)
            assert_true(op.insert.after && slice_equal(op.insert.pivot, SLICE_LITERAL("p")));
    }
    arena_deinit(&arena);
}

static void test_pops(void **state)
{
    (void)state;
    struct op_key key = {.bytes = SLICE_LITERAL("key")};
    const struct op pops[] = {
        {.kind = OP_L_POP, KEY},
        {.kind = OP_R_POP, KEY},
        {.kind = OP_LIST_POP,
         .db = 3,
         .keys = &key,
         .key_count = 1,
         .move.end = OP_TAIL,
         .count = 9},
    };
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < 3; i++) {
        struct op op = there_and_back(&pops[i], &arena);
        assert_int_equal(op.kind, OP_LIST_POP);
        assert_true(slice_equal(op.keys[0].bytes, key.bytes));
        assert_int_equal(op.move.end, i == 0 ? OP_HEAD : OP_TAIL);
        assert_int_equal(op.count, i == 2 ? 9 : 1);
    }
    arena_deinit(&arena);
}

static void test_what_depends_on_another_key_is_none(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct op_key other = {.bytes = SLICE_LITERAL("other")};
    const struct op none[] = {{.kind = OP_DELETE, KEY},
                              {.kind = OP_COPY, KEY, .target = other},
                              {.kind = OP_RENAME, KEY, .target = other},
                              {.kind = OP_L_MOVE, KEY, .target = other},
                              {.kind = OP_FLUSH_DB}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(encode_change(&none[i], &arena));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_are_operations),
        cmocka_unit_test(test_pops),
        cmocka_unit_test(test_what_depends_on_another_key_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
