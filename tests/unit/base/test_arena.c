/* Tests of base/arena.c: allocations of every size do not overlap, and what a reset keeps. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/addresses.h"

#include "base/runs.h"

#define MIB ((size_t)1024 * 1024)

static void test_starts_without_memory(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_null(arena.first);
    arena_reset(&arena);
    arena_deinit(&arena);
}

/* Fills each piece with its number; a piece that overlaps another loses its bytes. */
static void test_pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { PIECES = 3000 };
    static uint8_t *pieces[PIECES];
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = arena_alloc(&arena, i * 7 % 9001);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), i * 7 % 9001);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t at = 0; at < i * 7 % 9001; at++)
            assert_int_equal(pieces[i][at], i % 251);
    }
    arena_deinit(&arena);
}

static void test_an_empty_piece_is_a_place_of_its_own(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_non_null(arena_alloc(&arena, 0));
    uint8_t *one = arena_alloc(&arena, 1);
    uint8_t *other = arena_alloc(&arena, 1);
    assert_ptr_not_equal(one, other);
    arena_deinit(&arena);
}

static void test_a_piece_of_several_megabytes(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    uint8_t *before = arena_alloc(&arena, 10);
    memset(before, 'b', 10);
    size_t size = 5000001;
    uint8_t *big = arena_alloc(&arena, size);
    memset(big, 'B', size);
    uint8_t *after = arena_alloc(&arena, 10);
    memset(after, 'a', 10);
    assert_memory_equal(before, "bbbbbbbbbb", 10);
    assert_int_equal(big[0], 'B');
    assert_int_equal(big[size - 1], 'B');
    arena_deinit(&arena);
}

static void test_reset_hands_out_the_same_block_again(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    void *first = arena_alloc(&arena, 100);
    for (int round = 0; round < 100; round++) {
        arena_alloc(&arena, 20000);
        arena_alloc(&arena, 3000);
        arena_reset(&arena);
        assert_ptr_equal(arena_alloc(&arena, 100), first);
        assert_ptr_equal(arena.current, arena.first);
    }
    arena_deinit(&arena);
}

static void test_is_usable_after_deinit(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    arena_alloc(&arena, 10);
    arena_deinit(&arena);
    assert_null(arena.first);
    memset(arena_alloc(&arena, 10), 0, 10);
    arena_deinit(&arena);
}

static void test_copy_does_not_follow_the_original(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char text[] = "a\0b";
    struct slice copy = arena_copy(&arena, slice_make(text, 3));
    text[0] = 'z';
    assert_true(slice_equal(copy, SLICE_LITERAL("a\0b")));
    assert_int_equal(arena_copy(&arena, slice_make(NULL, 0)).len, 0);
    arena_deinit(&arena);
}

/* All but the first blocks, however small the pieces are. */
static void test_what_it_takes_is_counted(void **state)
{
    (void)state;
    enum { PIECES = 5000 };
    struct arena arena;
    size_t before = account_used(), runs = runs_used();
    arena_init(&arena);
    for (size_t i = 0; i < PIECES; i++)
        arena_alloc(&arena, 1000);
    size_t counted = account_used() - before;
    assert_in_range(counted, PIECES * 1000 - 4 * ACCOUNT_LEAST, PIECES * 1100 + MIB);
    assert_int_equal(runs_used() - runs, counted);
    arena_reset(&arena);
    assert_int_equal(account_used(), before);
    assert_int_equal(runs_used(), runs);
    arena_alloc(&arena, MIB);
    assert_true(account_used() - before >= MIB);
    arena_deinit(&arena);
    assert_int_equal(account_used(), before);
}

static void test_what_is_reserved_is_counted_until_the_reset(void **state)
{
    (void)state;
    struct arena arena;
    size_t before = account_used();
    arena_init(&arena);
    assert_true(arena_reserve(&arena, 100)); /* too little to be counted */
    assert_int_equal(account_used(), before);
    assert_true(arena_reserve(&arena, 10 * MIB));
    assert_int_equal(account_used() - before, 10 * MIB + 100);
    arena_alloc(&arena, 3 * MIB); /* besides */
    assert_true(account_used() - before >= 13 * MIB);
    arena_reset(&arena);
    assert_int_equal(account_used(), before);
    arena_deinit(&arena);
}

static void test_little_is_reserved_in_the_end(void **state)
{
    (void)state;
    struct arena arena;
    size_t before = account_used();
    arena_init(&arena);
    for (size_t i = 0; i < 1000; i++)
        assert_true(arena_reserve(&arena, 1000));
    assert_in_range(account_used() - before, 1000 * 1000 - ACCOUNT_LEAST, 1000 * 1000);
    arena_reset(&arena);
    assert_int_equal(arena.uncounted, 0);
    assert_int_equal(account_used(), before);
    arena_deinit(&arena);
}

static void test_what_the_account_has_not_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    size_t before = account_used(), runs = runs_used();
    arena_init(&arena);
    account_set_limit(16 * MIB);
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)(10 * MIB));
    assert_false(arena_reserve(&arena, 9 * MIB));
    assert_int_equal(arena.refusal, ERR_NO_CLIENT_MEMORY);
    assert_ptr_equal(arena.why, account_full);
    assert_null(arena_try(&arena, 9 * MIB));
    assert_null(arena_unfold(&arena, 7 * MIB));
    assert_int_equal(arena.refusal, ERR_NO_CLIENT_MEMORY);
    assert_non_null(arena_try(&arena, 5000)); /* a small block is always allowed */
    assert_int_equal(account_used() - before, 10 * MIB);
    assert_int_equal(runs_used(), runs);
    arena.beside = 7 * MIB; /* of the 10, these belong to the same request */
    assert_true(arena_reserve(&arena, 9 * MIB));
    assert_int_equal(account_used() - before, 19 * MIB);
    assert_non_null(arena_try(&arena, 9 * MIB));
    assert_true(account_used() - before >= 28 * MIB);
    arena_reset(&arena);
    assert_int_equal(arena.refusal, ERR_NONE);
    assert_int_equal(account_used() - before, 10 * MIB);
    arena_deinit(&arena);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)(10 * MIB));
    account_set_limit(SIZE_MAX);
}

/* All large blocks since the reset count, except those not from arena_unfold(). */
static void test_what_unfolds_too_far_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    account_set_limit(16 * MIB);
    for (int round = 0; round < 2; round++) {
        assert_non_null(arena_unfold(&arena, 4 * MIB));
        assert_non_null(arena_try(&arena, 6 * MIB));
        assert_null(arena_unfold(&arena, 4 * MIB));
        assert_int_equal(arena.refusal, ERR_TOO_LARGE);
        assert_true(account_used() < 11 * MIB);
        arena_reset(&arena);
    }
    assert_null(arena_unfold(&arena, 9 * MIB));
    arena_deinit(&arena);
    account_set_limit(SIZE_MAX);
}

static void test_pieces_that_are_asked_for_are_apart(void **state)
{
    (void)state;
    enum { PIECES = 300 };
    uint8_t *pieces[PIECES];
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < PIECES; i++) {
        size_t size = i * 97 % 9001;
        pieces[i] = i % 2 == 0 ? arena_try(&arena, size) : arena_unfold(&arena, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), size);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t at = 0; at < i * 97 % 9001; at++)
            assert_int_equal(pieces[i][at], i % 251);
    }
    arena_deinit(&arena);
}

static void test_the_journals_arena_is_refused_nothing(void **state)
{
    (void)state;
    struct arena arena;
    arena_init_for(&arena, ACCOUNT_JOURNAL);
    account_set_limit(MIB);
    assert_non_null(arena_try(&arena, 2 * MIB));
    assert_non_null(arena_unfold(&arena, 2 * MIB));
    assert_true(arena_reserve(&arena, 2 * MIB));
    assert_true(account_journal() >= 6 * MIB);
    arena_deinit(&arena);
    assert_int_equal(account_journal(), 0);
    account_set_limit(SIZE_MAX);
}

static void test_what_the_system_has_not_is_refused(void **state)
{
    (void)state;
    struct arena arena, other;
    size_t before = account_used();
    if (!ADDRESSES_ARE_LIMITABLE)
        skip();
    arena_init(&arena);
    arena_init(&other);
    leave_addresses(40 * MIB);
    assert_true(arena_reserve(&arena, 30 * MIB));
    assert_false(arena_reserve(&other, 30 * MIB)); /* the first one has them */
    assert_int_equal(other.refusal, ERR_NO_CLIENT_MEMORY);
    assert_ptr_equal(other.why, account_starved);
    assert_int_equal(account_used() - before, 30 * MIB);
    assert_null(arena_try(&other, 30 * MIB));
    assert_null(arena_unfold(&other, 30 * MIB));
    assert_int_equal(account_used() - before, 30 * MIB);
    arena_reset(&arena);
    assert_true(arena_lease(&other, 30 * MIB));
    assert_false(arena_lease(&arena, 30 * MIB));
    arena_reset(&other);
    assert_true(arena_lease(&arena, 30 * MIB));
    arena_deinit(&arena);
    arena_deinit(&other);
    leave_addresses(SIZE_MAX);
}

static void test_little_is_leased_in_the_end(void **state)
{
    (void)state;
    struct arena arena;
    size_t granted = 0;
    if (!ADDRESSES_ARE_LIMITABLE)
        skip();
    arena_init(&arena);
    leave_addresses(40 * MIB);
    while (arena_reserve(&arena, 100000))
        granted += 100000;
    assert_in_range(granted, 30 * MIB, 40 * MIB + RESERVE_LEASED);
    assert_ptr_equal(arena.why, account_starved);
    arena_deinit(&arena);
    leave_addresses(SIZE_MAX);
}

static void test_the_journals_counts_for_the_journal(void **state)
{
    (void)state;
    struct arena arena;
    size_t before = account_used();
    arena_init_for(&arena, ACCOUNT_JOURNAL);
    for (int round = 0; round < 2; round++) {
        arena_alloc(&arena, MIB);
        assert_true(account_journal() >= MIB);
        assert_int_equal(account_used(), before);
        arena_deinit(&arena);
        assert_int_equal(account_journal(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_without_memory),
        cmocka_unit_test(test_pieces_are_aligned_and_apart),
        cmocka_unit_test(test_an_empty_piece_is_a_place_of_its_own),
        cmocka_unit_test(test_a_piece_of_several_megabytes),
        cmocka_unit_test(test_reset_hands_out_the_same_block_again),
        cmocka_unit_test(test_is_usable_after_deinit),
        cmocka_unit_test(test_copy_does_not_follow_the_original),
        cmocka_unit_test(test_what_it_takes_is_counted),
        cmocka_unit_test(test_what_is_reserved_is_counted_until_the_reset),
        cmocka_unit_test(test_little_is_reserved_in_the_end),
        cmocka_unit_test(test_what_the_account_has_not_is_refused),
        cmocka_unit_test(test_what_unfolds_too_far_is_refused),
        cmocka_unit_test(test_pieces_that_are_asked_for_are_apart),
        cmocka_unit_test(test_the_journals_arena_is_refused_nothing),
        cmocka_unit_test(test_what_the_system_has_not_is_refused),
        cmocka_unit_test(test_little_is_leased_in_the_end),
        cmocka_unit_test(test_the_journals_counts_for_the_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
