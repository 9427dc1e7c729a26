/* Tests of store/reserve.c: reserves of strings are reclaimed, and nothing else changes. */
#include "store/reserve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

#define LENGTH ((size_t)100 * 1024)
#define KEYS   20

static struct op op_of(char key[2], enum op_kind kind, struct slice value)
{
    return (struct op){.kind = kind, .key = slice_make(key, 2), .value = value};
}

static void apply(struct keyspace_fixture *fixture, struct op op)
{
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    op.now_ms = fixture->now_ms;
    store_apply(fixture->store, &op, &fixture->arena, &fixture->result);
    assert_int_equal(fixture->result.err, ERR_NONE);
}

/* Every second key has a deadline. */
static void append_to_all(struct keyspace_fixture *fixture, struct slice bytes)
{
    for (int i = 0; i < KEYS; i++) {
        char key[2] = {'k', (char)i};
        struct op set = op_of(key, OP_SET, bytes);
        set.expire_at_ms = i % 2 == 0 ? 0 : fixture->now_ms + 1000;
        apply(fixture, set);
        apply(fixture, op_of(key, OP_APPEND, SLICE_LITERAL("end")));
    }
}

static size_t used(struct keyspace_fixture *fixture)
{
    return store_stats(fixture->store).used_memory;
}

static void test_reserves_are_reclaimed_until_it_is_enough(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint8_t *bytes = calloc(1, LENGTH);
    append_to_all(fixture, slice_make(bytes, LENGTH));
    size_t before = used(fixture);
    assert_true(before > KEYS * (LENGTH + LENGTH / 5));
    assert_true(reserve_reclaim(fixture->store, before - LENGTH / 5, false, NULL));
    assert_true(used(fixture) < before);
    assert_true(used(fixture) > KEYS * (LENGTH + LENGTH / 10)); /* not of all */
    assert_false(reserve_reclaim(fixture->store, KEYS * LENGTH, false, NULL));
    assert_true(used(fixture) < KEYS * (LENGTH + LENGTH / 10));
    for (int i = 0; i < KEYS; i++) {
        char key[2] = {'k', (char)i};
        apply(fixture, op_of(key, OP_GET, SLICE_LITERAL("")));
        assert_int_equal(fixture->result.value.bytes.len, LENGTH + 3);
        assert_memory_equal(fixture->result.value.bytes.data + LENGTH, "end", 3);
        apply(fixture, op_of(key, OP_APPEND, SLICE_LITERAL("more")));
        assert_int_equal(fixture->result.count, LENGTH + 7);
    }
    free(bytes);
}

static void test_a_string_that_is_shared_keeps_its_reserve(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint8_t *bytes = calloc(1, LENGTH);
    char key[2] = "k";
    apply(fixture, op_of(key, OP_SET, slice_make(bytes, LENGTH)));
    apply(fixture, op_of(key, OP_APPEND, SLICE_LITERAL("end")));
    apply(fixture, op_of(key, OP_GET, SLICE_LITERAL(""))); /* its answer holds the blob */
    size_t before = used(fixture);
    assert_false(reserve_reclaim(fixture->store, 0, false, NULL));
    assert_int_equal(used(fixture), before);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reserves_are_reclaimed_until_it_is_enough,
                                        keyspace_setup, keyspace_teardown),
        cmocka_unit_test_setup_teardown(test_a_string_that_is_shared_keeps_its_reserve,
                                        keyspace_setup, keyspace_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
