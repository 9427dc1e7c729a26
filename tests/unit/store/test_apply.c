/* Tests of store/apply.c: every combination of a condition's parts, and the shared answers. */
#include "store/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

enum held { NOTHING, STRING, LIST };
enum part { NOT_ASKED, RIGHT, WRONG, OLDER };

/* One combination. */
struct combination {
    enum held held;
    enum existence existence;
    enum part version;
    enum part value;
};

static void test_find_gives_the_entry_of_the_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "value");
    struct op op = {.key = SLICE_LITERAL("key"), .hash = keyspace_hash(SLICE_LITERAL("key"))};
    assert_ptr_equal(apply_find(&fixture->space, &op), keyspace_find(fixture, "key"));
    op = (struct op){.key = SLICE_LITERAL("yek"), .hash = keyspace_hash(SLICE_LITERAL("yek"))};
    assert_null(apply_find(&fixture->space, &op));
}

static void test_a_returned_string_is_a_copy(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "value");
    struct op_result result = {0};
    apply_return_string(&fixture->space, keyspace_find(fixture, "key"), &result);
    dict_remove(&fixture->dict, keyspace_hash(SLICE_LITERAL("key")), SLICE_LITERAL("key"));
    assert_true(result.value.found);
    assert_int_equal(result.value.version, version);
    assert_slice_is(result.value.bytes, "value");
}

static void test_wrong_type_names_what_the_key_holds(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "string", "value");
    keyspace_put_list(fixture, "list", 1);
    apply_wrong_type(keyspace_find(fixture, "string"), &fixture->result);
    assert_wrong_type(fixture, fixture->revision, "holds a string");
    apply_wrong_type(keyspace_find(fixture, "list"), &fixture->result);
    assert_wrong_type(fixture, fixture->revision, "holds a list");
}

static void test_revisions_grow_by_one(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t before = fixture->revision;
    assert_int_equal(apply_next_revision(&fixture->space), before + 1);
    assert_int_equal(apply_next_revision(&fixture->space), before + 2);
    assert_int_equal(fixture->revision, before + 2);
}

/* What the proto says: all parts must hold, and a version or value to match needs the key. */
static bool should_hold(const struct combination *c)
{
    bool there = c->held != NOTHING;
    bool existence_holds = c->existence == EXISTENCE_ANY ||
                           (c->existence == EXISTENCE_PRESENT && there) ||
                           (c->existence == EXISTENCE_ABSENT && !there);
    bool version_holds = c->version == NOT_ASKED || (there && c->version == RIGHT);
    bool value_holds = c->value == NOT_ASKED || (there && c->value == RIGHT);
    return existence_holds && version_holds && value_holds;
}

static struct entry *put_held(struct keyspace_fixture *fixture, enum held held)
{
    struct slice key = SLICE_LITERAL("key");
    dict_remove(&fixture->dict, keyspace_hash(key), key);
    if (held == STRING)
        keyspace_put_string(fixture, "key", "value");
    else if (held == LIST)
        keyspace_put_list(fixture, "key", 2);
    return keyspace_find(fixture, "key");
}

static struct condition make_condition(const struct combination *c, const struct entry *entry)
{
    uint64_t version = entry != NULL ? entry_version(entry) : 77;
    return (struct condition){
        .existence = c->existence,
        .version =
            c->version == NOT_ASKED ? 0 : version + (c->version == WRONG) - (c->version == OLDER),
        .match_value = c->value != NOT_ASKED,
        .value = c->value == RIGHT ? SLICE_LITERAL("value") : SLICE_LITERAL("valuE"),
    };
}

static void assert_says_current(const struct op_result *result, const struct entry *entry)
{
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->count, 0);
    assert_int_equal(result->version, entry != NULL ? entry_version(entry) : 0);
    bool string = entry != NULL && entry_type(entry) == ENTRY_STRING;
    assert_int_equal(result->has_previous, string);
    assert_int_equal(result->value.found, string);
    if (!string)
        return;
    assert_slice_is(result->value.bytes, "value");
    assert_int_equal(result->value.version, entry_version(entry));
}

static void check(struct keyspace_fixture *fixture, const struct combination *c)
{
    const struct entry *entry = put_held(fixture, c->held);
    struct op op = {.key = SLICE_LITERAL("key"), .condition = make_condition(c, entry)};
    struct op_result result = {0};
    uint64_t revision = fixture->revision;
    bool holds = apply_condition(&fixture->space, &op, entry, &result);
    assert_int_equal(fixture->revision, revision);
    if (c->held == LIST && c->value != NOT_ASKED) {
        assert_false(holds);
        assert_int_equal(result.err, ERR_WRONG_TYPE);
        assert_non_null(result.why);
        return;
    }
    assert_int_equal(holds, should_hold(c));
    if (!holds)
        assert_says_current(&result, entry);
    else
        assert_int_equal(result.has_previous, false);
}

static void test_every_combination_of_a_condition(void **state)
{
    for (unsigned i = 0; i < 3 * 3 * 4 * 3; i++) {
        struct combination c = {.held = (enum held)(i % 3),
                                .existence = (enum existence)(i / 3 % 3),
                                .version = (enum part)(i / 9 % 4),
                                .value = (enum part)(i / 36)};
        check(*state, &c);
    }
}

static void test_a_value_is_matched_in_full(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "value");
    keyspace_put_string(fixture, "empty", "");
    static const struct {
        const char *key;
        struct slice value;
        bool holds;
    } cases[] = {
        {"key", SLICE_LITERAL("value"), true},    {"key", SLICE_LITERAL("valu"), false},
        {"key", SLICE_LITERAL("value\0"), false}, {"key", SLICE_LITERAL(""), false},
        {"empty", SLICE_LITERAL(""), true},       {"empty", SLICE_LITERAL("\0"), false},
        {"none", SLICE_LITERAL(""), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct op op = {.condition = {.match_value = true, .value = cases[i].value}};
        struct op_result result = {0};
        const struct entry *entry = keyspace_find(fixture, cases[i].key);
        assert_int_equal(apply_condition(&fixture->space, &op, entry, &result), cases[i].holds);
    }
}

/* A long one is shared, and lasts as long as the result. */
static void test_a_returned_long_string_is_shared(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice key = SLICE_LITERAL("key"), value = keyspace_long_bytes(0);
    struct entry *entry = entry_new_string(&fixture->slab, key, value, (struct entry_stamp){0});
    struct op_result result = {0};
    dict_put(&fixture->dict, keyspace_hash(key), entry);
    apply_return_string(&fixture->space, entry, &result);
    assert_ptr_equal(result.value.bytes.data, entry_string(entry).data);
    assert_int_equal(atomic_load(&entry_blob(entry)->holders), 2);
    dict_remove(&fixture->dict, keyspace_hash(key), key);
    assert_true(slice_equal(result.value.bytes, value));
    assert_int_equal(atomic_load(&result.value.blob->holders), 1);
    op_result_release(&result); /* the last one: the sanitizer sees whether it goes */
    assert_null(result.value.blob);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_find_gives_the_entry_of_the_key),     TEST(test_a_returned_string_is_a_copy),
        TEST(test_wrong_type_names_what_the_key_holds), TEST(test_revisions_grow_by_one),
        TEST(test_every_combination_of_a_condition),    TEST(test_a_value_is_matched_in_full),
        TEST(test_a_returned_long_string_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
