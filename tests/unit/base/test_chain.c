/* Tests of base/chain.c: random changes against flat arrays, and that blobs are never copied. */
#include "base/chain.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/seeded.h"

#define STEPS      20000
#define BLOBS      8
#define MAX_PIECES 512

/* A chain, the bytes that it must hold, and a cursor into both. */
struct modelled {
    struct chain chain;
    struct buf model;
    struct chain_cursor cursor;
    size_t passed; /* by the cursor */
};

static void model_append(struct modelled *modelled, struct slice bytes)
{
    assert_true(buf_append(&modelled->model, bytes));
}

/* The pieces are all that follows the cursor, and no piece is empty. */
static void assert_pieces(const struct chain *chain, struct chain_cursor cursor,
                          struct slice expected, size_t max)
{
    struct iovec pieces[MAX_PIECES];
    size_t count = chain_pieces(chain, cursor, pieces, max);
    assert_true(count <= max);
    for (size_t i = 0; i < count; i++) {
        struct slice piece = slice_make(pieces[i].iov_base, pieces[i].iov_len);
        assert_true(piece.len > 0);
        assert_true(slice_starts_with(expected, piece));
        expected = slice_skip(expected, piece.len);
    }
    if (count < max)
        assert_int_equal(expected.len, 0);
}

static void assert_modelled(const struct modelled *modelled, size_t max)
{
    struct slice behind = slice_skip(buf_slice(&modelled->model), modelled->passed);
    assert_int_equal(chain_length(&modelled->chain), modelled->model.len);
    assert_pieces(&modelled->chain, (struct chain_cursor){0}, buf_slice(&modelled->model), max);
    assert_pieces(&modelled->chain, modelled->cursor, behind, max);
}

static void append_bytes(struct modelled *modelled, uint64_t *random)
{
    uint8_t bytes[64];
    size_t len = seeded_below(random, sizeof bytes);
    seeded_fill(random, bytes, len);
    uint8_t *out = chain_append(&modelled->chain, len);
    memcpy(out, bytes, len);
    model_append(modelled, slice_make(bytes, len));
}

static void append_blob(struct modelled *modelled, struct blob *blob, uint64_t *random)
{
    size_t from = seeded_below(random, (uint32_t)blob->len + 1);
    size_t len = seeded_below(random, (uint32_t)(blob->len - from) + 1);
    struct slice part = slice_make(blob->data + from, len);
    chain_append_blob(&modelled->chain, blob_retain(blob), part);
    model_append(modelled, part);
}

static size_t some_of_rest(const struct modelled *modelled, uint64_t *random)
{
    return seeded_below(random, (uint32_t)(modelled->model.len - modelled->passed) + 1);
}

static void append_range(struct modelled *to, struct modelled *from, uint64_t *random)
{
    size_t size = some_of_rest(from, random);
    chain_append_range(&to->chain, &from->chain, &from->cursor, size);
    model_append(to, slice_make(from->model.data + from->passed, size));
    from->passed += size;
}

static void forget(struct modelled *modelled)
{
    modelled->model.len = 0;
    modelled->cursor = (struct chain_cursor){0};
    modelled->passed = 0;
}

static void append_chain(struct modelled *to, struct modelled *from)
{
    if (to->model.len == 0) /* it may be moved as a whole; no cursor points into it */
        forget(to);
    chain_append_chain(&to->chain, &from->chain);
    model_append(to, buf_slice(&from->model));
    forget(from);
    assert_int_equal(chain_length(&from->chain), 0);
}

static void move_on(struct modelled *modelled, uint64_t *random)
{
    size_t size = some_of_rest(modelled, random);
    chain_skip(&modelled->chain, &modelled->cursor, size);
    modelled->passed += size;
}

static void clear(struct modelled *modelled, uint64_t *random)
{
    chain_clear(&modelled->chain, seeded_below(random, 2) * 1000);
    forget(modelled);
}

static void change(struct modelled *one, struct modelled *other, struct blob **blobs,
                   uint64_t *random)
{
    switch (seeded_below(random, 16)) {
    case 0:
        clear(one, random);
        break;
    case 1:
        append_chain(one, other);
        break;
    case 2:
    case 3:
        append_range(one, other, random);
        break;
    case 4:
    case 5:
        move_on(one, random);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        append_blob(one, blobs[seeded_below(random, BLOBS)], random);
        break;
    default:
        append_bytes(one, random);
    }
}

static void test_random_changes_match_flat_bytes(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct modelled modelled[2] = {0};
    struct blob *blobs[BLOBS];
    for (size_t i = 0; i < 2; i++)
        buf_init(&modelled[i].model, SIZE_MAX);
    for (size_t i = 0; i < BLOBS; i++) {
        blobs[i] = blob_new(1 + seeded_below(&random, 1000));
        seeded_fill(&random, blobs[i]->data, blobs[i]->len);
    }
    for (int step = 0; step < STEPS; step++) {
        size_t which = seeded_below(&random, 2);
        change(&modelled[which], &modelled[1 - which], blobs, &random);
        for (size_t i = 0; i < 2; i++)
            assert_modelled(&modelled[i], 1 + seeded_below(&random, MAX_PIECES));
    }
    for (size_t i = 0; i < 2; i++) {
        chain_deinit(&modelled[i].chain);
        buf_deinit(&modelled[i].model);
    }
    for (size_t i = 0; i < BLOBS; i++) {
        assert_int_equal(atomic_load(&blobs[i]->holders), 1);
        blob_release(blobs[i]);
    }
}

static void append_text(struct chain *chain, const char *text)
{
    memcpy(chain_append(chain, strlen(text)), text, strlen(text));
}

static void test_pieces_of_blobs_are_the_blobs_own_bytes(void **state)
{
    (void)state;
    struct chain first = {0}, second = {0};
    struct chain_cursor cursor = {0};
    struct iovec pieces[4];
    struct blob *blob = blob_copy(SLICE_LITERAL("0123456789"));
    append_text(&first, "head");
    chain_append_blob(&first, blob_retain(blob), slice_make(blob->data + 2, 6));
    append_text(&first, "tail");
    assert_int_equal(chain_pieces(&first, cursor, pieces, 4), 3);
    assert_ptr_equal(pieces[1].iov_base, blob->data + 2);
    chain_append_range(&second, &first, &cursor, 4 + 3);
    assert_int_equal(chain_pieces(&second, (struct chain_cursor){0}, pieces, 4), 2);
    assert_ptr_equal(pieces[1].iov_base, blob->data + 2);
    assert_int_equal(pieces[1].iov_len, 3);
    assert_int_equal(atomic_load(&blob->holders), 3 + 2 * BLOB_QUEUED);
    chain_deinit(&first);
    chain_deinit(&second);
    assert_int_equal(atomic_load(&blob->holders), 1);
    blob_release(blob);
}

static void test_an_empty_part_gives_its_reference_back_at_once(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct blob *blob = blob_copy(SLICE_LITERAL("bytes"));
    chain_append_blob(&chain, blob_retain(blob), slice_make(blob->data, 0));
    assert_int_equal(atomic_load(&blob->holders), 1);
    assert_int_equal(chain_length(&chain), 0);
    chain_deinit(&chain);
    blob_release(blob);
}

static void test_a_large_chain_is_taken_over_without_copying(void **state)
{
    (void)state;
    struct chain chain = {0}, from = {0};
    struct iovec piece;
    uint8_t *bytes = chain_append(&from, 20000);
    memset(bytes, 'x', 20000);
    chain_append_chain(&chain, &from);
    assert_int_equal(chain_pieces(&chain, (struct chain_cursor){0}, &piece, 1), 1);
    assert_ptr_equal(piece.iov_base, bytes);
    assert_int_equal(piece.iov_len, 20000);
    assert_int_equal(chain_length(&from), 0);
    append_text(&from, "usable again");
    assert_int_equal(chain_length(&from), 12);
    chain_deinit(&chain);
    chain_deinit(&from);
}

static void test_clear_keeps_little_memory_and_gives_much_back(void **state)
{
    (void)state;
    struct chain chain = {0};
    chain_append(&chain, 100);
    const uint8_t *kept = chain.bytes.data;
    chain_clear(&chain, 4096);
    assert_ptr_equal(chain_append(&chain, 100), kept);
    chain_append(&chain, 10000);
    chain_clear(&chain, 4096);
    assert_int_equal(chain.bytes.cap, 0);
    assert_null(chain.bytes.data);
    chain_deinit(&chain);
}

/* The list of references counts as memory, too. */
static void test_clear_gives_many_references_back(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct blob *blob = blob_copy(SLICE_LITERAL("bytes"));
    for (int i = 0; i < 10; i++)
        chain_append_blob(&chain, blob_retain(blob), blob_slice(blob));
    chain_clear(&chain, 4096);
    assert_true(chain.capacity >= 10);
    for (int i = 0; i < 10000; i++)
        chain_append_blob(&chain, blob_retain(blob), blob_slice(blob));
    chain_clear(&chain, 4096);
    assert_true(chain.capacity * sizeof *chain.references <= 4096);
    assert_int_equal(atomic_load(&blob->holders), 1);
    chain_deinit(&chain);
    blob_release(blob);
}

/* What the log or a snapshot holds is not counted as unread answers. */
static void test_a_chain_of_the_journal_counts_for_the_journal(void **state)
{
    (void)state;
    struct chain chain;
    size_t clients = account_used();
    chain_init_for(&chain, ACCOUNT_JOURNAL);
    struct blob *blob = blob_new(100000);
    memset(blob->data, 1, 100000);
    for (int round = 0; round < 2; round++) {
        chain_append_blob(&chain, blob_retain(blob), blob_slice(blob));
        memset(chain_append(&chain, 100000), 2, 100000);
        assert_true(account_journal() >= 100000);
        assert_int_equal(account_used(), clients);
        chain_deinit(&chain);
        assert_int_equal(account_journal(), 0);
    }
    chain_append_blob(&chain, blob, blob_slice(blob));
    assert_int_equal(account_queued(), 0); /* although there is no other holder any more */
    chain_deinit(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes_match_flat_bytes),
        cmocka_unit_test(test_pieces_of_blobs_are_the_blobs_own_bytes),
        cmocka_unit_test(test_an_empty_part_gives_its_reference_back_at_once),
        cmocka_unit_test(test_a_large_chain_is_taken_over_without_copying),
        cmocka_unit_test(test_clear_keeps_little_memory_and_gives_much_back),
        cmocka_unit_test(test_clear_gives_many_references_back),
        cmocka_unit_test(test_a_chain_of_the_journal_counts_for_the_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
