/* Tests of store/ops/lcs.c: against the table that Redis fills and traces back. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/account.h"
#include "store/key_ops.h"
#include "store/keyspace_fixture.h"
#include "store/seeded.h"

#define ROUNDS  400
#define MAX_LEN 400
/* Longer than a tile (lcs.c). */
#define LONG 9000

/* ---- as Redis does it ---- */

struct answer {
    size_t length;
    uint8_t *string;
    struct op_match *matches;
    size_t match_count;
};

static uint32_t *fill_table(struct slice one, struct slice other)
{
    size_t width = other.len + 1;
    uint32_t *table = calloc((one.len + 1) * width, sizeof *table);
    for (size_t i = 1; i <= one.len; i++) {
        for (size_t j = 1; j <= other.len; j++) {
            uint32_t up = table[(i - 1) * width + j], left = table[i * width + j - 1];
            table[i * width + j] = one.data[i - 1] == other.data[j - 1]
                                       ? table[(i - 1) * width + j - 1] + 1
                                   : up > left ? up
                                               : left;
        }
    }
    return table;
}

static void answer_as_redis(struct slice one, struct slice other, size_t min_match,
                            struct answer *answer)
{
    uint32_t *table = fill_table(one, other);
    size_t width = other.len + 1, i = one.len, j = other.len, length = table[i * width + j];
    struct op_match match = {0};
    *answer = (struct answer){.length = length};
    answer->string = malloc(length + 1);
    answer->matches = malloc((length + 1) * sizeof *answer->matches);
    while (i > 0 && j > 0) {
        bool equal = one.data[i - 1] == other.data[j - 1];
        if (equal) {
            answer->string[--length] = one.data[i - 1];
            match = (struct op_match){--i, --j, match.length + 1};
        } else if (table[(i - 1) * width + j] > table[i * width + j - 1]) {
            i--;
        } else {
            j--;
        }
        bool ends = !equal || i == 0 || j == 0;
        if (ends && match.length > 0 && match.length >= min_match)
            answer->matches[answer->match_count++] = match;
        if (ends)
            match.length = 0;
    }
    free(table);
}

static void answer_free(struct answer *answer)
{
    free(answer->string);
    free(answer->matches);
}

/* ---- ours ---- */

static void put(struct keyspace_fixture *fixture, const char *key, struct slice value)
{
    struct op op = key_op(OP_SET, key);
    op.value = value;
    keyspace_apply(fixture, op);
}

static struct op lcs_op(bool want_string, bool want_matches, size_t min_match)
{
    struct op op = pair_op(OP_LCS, "one", "other");
    op.lcs.want_string = want_string;
    op.lcs.want_matches = want_matches;
    op.lcs.min_match = min_match;
    return op;
}

static void assert_answer(const struct op_result *result, const struct op *op,
                          const struct answer *expected)
{
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->length, expected->length);
    assert_int_equal(result->ok, expected->length > 0);
    assert_int_equal(result->value.bytes.len, op->lcs.want_string ? expected->length : 0);
    if (result->value.bytes.len > 0)
        assert_memory_equal(result->value.bytes.data, expected->string, expected->length);
    assert_int_equal(result->match_count, op->lcs.want_matches ? expected->match_count : 0);
    for (size_t i = 0; i < result->match_count; i++) {
        assert_int_equal(result->matches[i].one, expected->matches[i].one);
        assert_int_equal(result->matches[i].other, expected->matches[i].other);
        assert_int_equal(result->matches[i].length, expected->matches[i].length);
    }
}

static void check(struct keyspace_fixture *fixture, struct slice one, struct slice other,
                  size_t min_match)
{
    struct answer expected;
    put(fixture, "one", one);
    put(fixture, "other", other);
    answer_as_redis(one, other, min_match, &expected);
    for (int way = 0; way < 4; way++) {
        struct op op = lcs_op(way % 2 == 1, way >= 2, way >= 2 ? min_match : 0);
        assert_answer(keyspace_apply(fixture, op), &op, &expected);
    }
    answer_free(&expected);
}

/* Of few letters, so that much is equal; at times the end of another text. */
static struct slice draw_text(uint64_t *random, uint8_t *out, size_t most, struct slice other)
{
    static const unsigned letters[] = {1, 2, 3, 5, 26, 256};
    unsigned count = letters[seeded_below(random, 6)];
    size_t len = seeded_below(random, (uint32_t)most + 1);
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)seeded_below(random, count);
    if (other.len > 0 && seeded_below(random, 3) == 0) { /* much in common, and some changes */
        len = other.len;
        memcpy(out, other.data, len);
        for (unsigned i = seeded_below(random, 20); i > 0; i--)
            out[seeded_below(random, (uint32_t)len)] = (uint8_t)seeded_below(random, count);
    }
    return slice_make(out, len);
}

/* The fixture does not keep changes of so many writes, so they are not emitted, and are flushed at
 * the end, since it compares with what was emitted. */
static void stop_emitting(struct keyspace_fixture *fixture)
{
    store_set_sink(fixture->store, NULL);
}

static void flush_unemitted(struct keyspace_fixture *fixture)
{
    keyspace_apply(fixture, (struct op){.kind = OP_FLUSH_DB});
}

static void test_random_strings(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t random = seeded_start();
    uint8_t one_bytes[MAX_LEN], other_bytes[MAX_LEN];
    stop_emitting(fixture);
    for (int i = 0; i < ROUNDS; i++) {
        size_t most = seeded_below(&random, 2) == 0 ? 70 : MAX_LEN;
        struct slice one = draw_text(&random, one_bytes, most, slice_make(NULL, 0));
        struct slice other = draw_text(&random, other_bytes, most, one);
        check(fixture, one, other, seeded_below(&random, 5));
    }
    flush_unemitted(fixture);
}

static void test_lengths_at_the_edges_of_words_and_tiles(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const size_t lengths[] = {0, 1, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 8192};
    static uint8_t one[LONG], other[LONG];
    uint64_t random = seeded_start();
    stop_emitting(fixture);
    for (size_t i = 0; i < LONG; i++) {
        one[i] = (uint8_t)seeded_below(&random, 4);
        other[i] = (uint8_t)seeded_below(&random, 4);
    }
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++)
            if (lengths[i] <= 129 || lengths[j] <= 129)
                check(fixture, slice_make(one, lengths[i]), slice_make(other, lengths[j]), 0);
    check(fixture, slice_make(one, LONG), slice_make(other, 700), 2);
    check(fixture, slice_make(one, 700), slice_make(other, LONG), 2);
    flush_unemitted(fixture);
}

/* The answer is a blob, which the result alone holds. */
static void test_a_long_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice bytes = keyspace_long_bytes(0);
    put(fixture, "one", bytes);
    put(fixture, "other", bytes);
    const struct op_result *result = keyspace_apply(fixture, lcs_op(true, true, 0));
    assert_int_equal(result->length, bytes.len);
    assert_true(slice_equal(result->value.bytes, bytes));
    assert_int_equal(atomic_load(&result->value.blob->holders), 1);
    assert_int_equal(result->match_count, 1);
    assert_int_equal(result->matches[0].length, bytes.len);
}

static void test_keys_that_are_absent_or_lists(void **state)
{
    struct keyspace_fixture *fixture = *state;
    const struct op_result *result = keyspace_apply(fixture, lcs_op(true, true, 0));
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->length, 0);
    assert_int_equal(result->value.bytes.len, 0);
    assert_int_equal(result->match_count, 0);
    uint64_t version = keyspace_put_string(fixture, "one", "a");
    result = keyspace_apply(fixture, lcs_op(true, false, 0));
    assert_int_equal(result->length, 0);
    assert_int_equal(result->seen, version);
    keyspace_put_list(fixture, "other", 1);
    assert_int_equal(keyspace_apply(fixture, lcs_op(true, false, 0))->err, ERR_WRONG_TYPE);
    struct op op = pair_op(OP_LCS, "other", "one");
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_WRONG_TYPE);
    op = pair_op(OP_LCS, "one", "one");
    assert_int_equal(keyspace_apply(fixture, op)->length, 1);
}

static void test_what_is_refused(void **state)
{
    struct keyspace_fixture *fixture = *state;
    size_t len = (size_t)1024 * 1024;
    uint8_t *bytes = calloc(1, len);
    put(fixture, "one", slice_make(bytes, len));
    put(fixture, "other", slice_make(bytes, 16 * 1024 + 1));
    const struct op_result *result = keyspace_apply(fixture, lcs_op(false, false, 0));
    assert_int_equal(result->err, ERR_TOO_LARGE);
    assert_non_null(strstr(result->why, "too long to be compared"));
    free(bytes);
    keyspace_put_string(fixture, "one", "a-b-c-d");
    keyspace_put_string(fixture, "other", "abcd");
    struct op op = lcs_op(true, false, 0);
    op.max_answer = 5;
    assert_int_equal(keyspace_apply(fixture, op)->err, ERR_TOO_LARGE);
    op = lcs_op(true, true, 0);
    op.max_answer = 100;
    result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_TOO_LARGE);
    assert_int_equal(result->match_count, 0);
    assert_int_equal(result->value.bytes.len, 0);
    op.lcs.min_match = 2; /* none is so long */
    assert_int_equal(keyspace_apply(fixture, op)->length, 4);
}

/* What takes long is not done where others wait. */
static void test_long_strings_go_elsewhere(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const uint8_t bytes[64 * 1024];
    struct op_result result;
    put(fixture, "one", slice_make(bytes, sizeof bytes));
    put(fixture, "other", slice_make(bytes, 100));
    struct op op = lcs_op(false, false, 0);
    assert_int_equal(store_try_apply(fixture->store, &op, &fixture->arena, &result), STORE_DONE);
    assert_int_equal(result.length, 100);
    put(fixture, "other", slice_make(bytes, sizeof bytes));
    op = lcs_op(true, true, 0);
    assert_int_equal(store_try_apply(fixture->store, &op, &fixture->arena, &result), STORE_COSTLY);
    assert_int_equal(keyspace_apply(fixture, op)->length, sizeof bytes);
}

/* The memory for the table is asked for. */
static void test_memory_is_accounted_for(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const uint8_t bytes[64 * 1024];
    put(fixture, "one", slice_make(bytes, sizeof bytes));
    put(fixture, "other", slice_make(bytes, sizeof bytes));
    account_set_limit((size_t)4 * 1024 * 1024);
    const struct op_result *result = keyspace_apply(fixture, lcs_op(true, false, 0));
    account_set_limit(SIZE_MAX);
    assert_int_equal(result->err, ERR_TOO_LARGE);
    assert_non_null(strstr(result->why, "--max-client-memory"));
    assert_int_equal(keyspace_apply(fixture, lcs_op(false, false, 0))->length, sizeof bytes);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_strings),          TEST(test_lengths_at_the_edges_of_words_and_tiles),
        TEST(test_a_long_answer),           TEST(test_keys_that_are_absent_or_lists),
        TEST(test_what_is_refused),         TEST(test_long_strings_go_elsewhere),
        TEST(test_memory_is_accounted_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
