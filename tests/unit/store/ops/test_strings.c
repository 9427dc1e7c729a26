/* Tests of store/ops/strings.c: Set, Get, GetDel, GetEx, MGet and MSet. */
#include "store/ops/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/account.h"
#include "store/keyspace_fixture.h"

#define LATER_MS (KEYSPACE_NOW_MS + 1000)

static struct op set_op(const char *key, const char *value)
{
    return (struct op){
        .kind = OP_SET, .key = slice_from_string(key), .value = slice_from_string(value)};
}

static const struct op_result *get(struct keyspace_fixture *fixture, const char *key)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_GET, .key = slice_from_string(key)});
}

static void assert_stored(struct keyspace_fixture *fixture)
{
    assert_int_equal(fixture->result.err, ERR_NONE);
    assert_true(fixture->result.ok);
    assert_int_equal(fixture->result.count, 1);
    assert_int_equal(fixture->result.version, fixture->revision);
}

static void assert_get(struct keyspace_fixture *fixture, const char *key, const char *value)
{
    const struct op_result *result = get(fixture, key);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->value.found);
    assert_slice_is(result->value.bytes, value);
    assert_int_equal(result->value.version, entry_version(keyspace_find(fixture, key)));
}

static void test_get_returns_what_set_stored(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t revision = fixture->revision;
    keyspace_apply(fixture, set_op("key", "value"));
    assert_stored(fixture);
    assert_int_equal(fixture->revision, revision + 1);
    assert_false(fixture->result.has_previous);
    assert_get(fixture, "key", "value");
    assert_int_equal(fixture->revision, revision + 1);
}

static void test_get_of_no_key_is_an_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    const struct op_result *result = get(fixture, "key");
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->value.found);
    assert_int_equal(result->value.version, 0);
    assert_int_equal(result->value.bytes.len, 0);
}

static void test_the_empty_string_is_found(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_op("key", ""));
    assert_get(fixture, "key", "");
}

static void test_bytes_are_kept_as_they_are(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice key = SLICE_LITERAL("\0k\xff"), value = SLICE_LITERAL("\xff\0\r\n");
    keyspace_apply(fixture, (struct op){.kind = OP_SET, .key = key, .value = value});
    const struct op_result *result =
        keyspace_apply(fixture, (struct op){.kind = OP_GET, .key = key});
    assert_true(slice_equal(result->value.bytes, value));
}

static void test_set_replaces_a_string_and_a_list(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "old");
    uint64_t version = keyspace_put_list(fixture, "list", 3);
    keyspace_apply(fixture, set_op("key", "new"));
    assert_stored(fixture);
    assert_true(fixture->result.version > version);
    keyspace_apply(fixture, set_op("list", "new"));
    assert_stored(fixture);
    assert_get(fixture, "key", "new");
    assert_get(fixture, "list", "new");
    assert_int_equal(keyspace_count(fixture), 2);
}

static void test_get_of_a_list_is_the_wrong_type(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 3);
    get(fixture, "list");
    assert_wrong_type(fixture, fixture->revision, "holds a list");
    assert_false(fixture->result.value.found);
}

static void test_set_returns_the_previous_string(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "old");
    struct op op = set_op("key", "new");
    op.set.return_previous = true;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_stored(fixture);
    assert_true(result->has_previous);
    assert_true(result->value.found);
    assert_int_equal(result->value.version, version);
    assert_slice_is(result->value.bytes, "old");
    assert_get(fixture, "key", "new");
}

static void test_set_says_that_there_was_no_previous_string(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = set_op("key", "new");
    op.set.return_previous = true;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_stored(fixture);
    assert_true(result->has_previous);
    assert_false(result->value.found);
    assert_get(fixture, "key", "new");
}

static void test_set_does_not_return_a_list_as_previous(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    struct op op = set_op("list", "new");
    op.set.return_previous = true;
    keyspace_apply(fixture, op);
    assert_wrong_type(fixture, revision, "holds a list");
    assert_list_is(fixture, "list", "0 1");
}

/* The condition must not hold. */
static void assert_set_refused(struct keyspace_fixture *fixture, const char *key,
                               struct condition condition, uint64_t version)
{
    struct op op = set_op(key, "new");
    op.condition = condition;
    keyspace_assert_declined(fixture, op, version);
}

static void assert_set_done(struct keyspace_fixture *fixture, const char *key,
                            struct condition condition)
{
    struct op op = set_op(key, "new");
    op.condition = condition;
    keyspace_apply(fixture, op);
    assert_stored(fixture);
    assert_get(fixture, key, "new");
}

static void test_set_if_absent(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition absent = {.existence = EXISTENCE_ABSENT};
    uint64_t string = keyspace_put_string(fixture, "string", "old");
    uint64_t list = keyspace_put_list(fixture, "list", 2);
    assert_set_refused(fixture, "string", absent, string);
    assert_true(fixture->result.has_previous);
    assert_slice_is(fixture->result.value.bytes, "old");
    assert_get(fixture, "string", "old");
    assert_set_refused(fixture, "list", absent, list);
    assert_false(fixture->result.has_previous);
    assert_list_is(fixture, "list", "0 1");
    assert_set_done(fixture, "none", absent);
}

static void test_set_if_present(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition present = {.existence = EXISTENCE_PRESENT};
    keyspace_put_string(fixture, "string", "old");
    keyspace_put_list(fixture, "list", 2);
    assert_set_refused(fixture, "none", present, 0);
    assert_null(keyspace_find(fixture, "none"));
    assert_set_done(fixture, "string", present);
    assert_set_done(fixture, "list", present);
}

static void test_compare_and_set_by_version(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "old");
    assert_set_refused(fixture, "key", (struct condition){.version = version + 1}, version);
    assert_set_refused(fixture, "key", (struct condition){.version = version - 1}, version);
    assert_set_refused(fixture, "none", (struct condition){.version = version}, 0);
    assert_get(fixture, "key", "old");
    assert_set_done(fixture, "key", (struct condition){.version = version});
    uint64_t newer = fixture->revision;
    assert_set_refused(fixture, "key", (struct condition){.version = version}, newer);
}

static void test_compare_and_set_by_value(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition old = {.match_value = true, .value = SLICE_LITERAL("old")};
    struct condition other = {.match_value = true, .value = SLICE_LITERAL("other")};
    uint64_t version = keyspace_put_string(fixture, "key", "old");
    assert_set_refused(fixture, "key", other, version);
    assert_slice_is(fixture->result.value.bytes, "old");
    assert_set_refused(fixture, "none", other, 0);
    assert_set_done(fixture, "key", old);
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    struct op op = set_op("list", "new");
    op.condition = old;
    keyspace_apply(fixture, op);
    assert_wrong_type(fixture, revision, "holds a list");
    assert_list_is(fixture, "list", "0 1");
}

static void test_a_refused_set_returns_the_current_string_once(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "old");
    struct op op = set_op("key", "new");
    op.set.return_previous = true;
    op.condition.existence = EXISTENCE_ABSENT;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_false(result->ok);
    assert_true(result->has_previous);
    assert_int_equal(result->value.version, version);
    assert_get(fixture, "key", "old");
}

static struct op set_long_op(unsigned which)
{
    return (struct op){
        .kind = OP_SET, .key = SLICE_LITERAL("key"), .value = keyspace_long_bytes(which)};
}

/* A reader keeps a long value as it was, whatever happens to the key. */
static void test_a_long_value_outlives_its_replacement(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_long_op(0));
    struct op_result before = *get(fixture, "key");
    fixture->result = (struct op_result){0}; /* ours now */
    assert_non_null(before.value.blob);
    keyspace_apply(fixture, set_long_op(1));
    const struct op_result *after = get(fixture, "key");
    assert_true(slice_equal(before.value.bytes, keyspace_long_bytes(0)));
    assert_true(slice_equal(after->value.bytes, keyspace_long_bytes(1)));
    op_result_release(&before);
}

static void test_a_long_previous_value(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_long_op(0));
    struct op op = set_long_op(1);
    op.set.return_previous = true;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_true(result->has_previous);
    assert_true(slice_equal(result->value.bytes, keyspace_long_bytes(0)));
    op.condition.existence = EXISTENCE_ABSENT;
    result = keyspace_apply(fixture, op);
    assert_false(result->ok); /* with the current one */
    assert_true(slice_equal(result->value.bytes, keyspace_long_bytes(1)));
    op.condition = (struct condition){.match_value = true, .value = keyspace_long_bytes(1)};
    assert_true(keyspace_apply(fixture, op)->ok);
}

static void test_the_type_is_looked_at_before_the_condition(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    struct op op = set_op("list", "new");
    op.set.return_previous = true;
    op.condition.existence = EXISTENCE_ABSENT;
    keyspace_apply(fixture, op);
    assert_wrong_type(fixture, revision, "holds a list");
}

/* ---- deadlines ---- */

static struct op set_until_op(const char *key, const char *value, int64_t expire_at_ms)
{
    struct op op = set_op(key, value);
    op.expire_at_ms = expire_at_ms;
    return op;
}

static int64_t deadline_of(struct keyspace_fixture *fixture, const char *key)
{
    const struct entry *entry = keyspace_find(fixture, key);
    assert_non_null(entry);
    return entry_expire_at_ms(entry);
}

static const struct op *newest_change(struct keyspace_fixture *fixture)
{
    return &fixture->changes[fixture->change_count - 1].op;
}

static void test_set_gives_and_takes_the_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_until_op("key", "one", LATER_MS));
    assert_stored(fixture);
    assert_int_equal(get(fixture, "key")->value.expire_at_ms, LATER_MS);
    keyspace_apply(fixture, set_op("key", "two"));
    assert_int_equal(get(fixture, "key")->value.expire_at_ms, 0);
}

static void test_set_keeps_the_deadline_if_asked(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = set_op("key", "two");
    op.set.keep_ttl = true;
    keyspace_apply(fixture, op);
    assert_int_equal(deadline_of(fixture, "key"), 0);
    keyspace_apply(fixture, set_until_op("key", "one", LATER_MS));
    keyspace_apply(fixture, op);
    assert_get(fixture, "key", "two");
    assert_int_equal(deadline_of(fixture, "key"), LATER_MS);
    assert_true(newest_change(fixture)->set.keep_ttl);
    fixture->now_ms = LATER_MS;
    keyspace_apply(fixture, op);
    assert_int_equal(deadline_of(fixture, "key"), 0);
}

static void test_the_deadline_is_the_first_moment_without_the_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_until_op("key", "one", LATER_MS));
    fixture->now_ms = LATER_MS - 1;
    assert_get(fixture, "key", "one");
    fixture->now_ms = LATER_MS;
    assert_false(get(fixture, "key")->value.found);
    struct op op = set_op("key", "two");
    op.condition.existence = EXISTENCE_ABSENT;
    op.set.return_previous = true;
    assert_true(keyspace_apply(fixture, op)->ok);
    assert_false(fixture->result.value.found);
    assert_get(fixture, "key", "two");
}

/* Redis answers OK and removes the key. */
static void test_a_deadline_in_the_past_removes_the_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const int64_t past[] = {1, KEYSPACE_NOW_MS - 1, KEYSPACE_NOW_MS};
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        keyspace_put_string(fixture, "key", "old");
        uint64_t revision = fixture->revision;
        struct op op = set_until_op("key", "new", past[i]);
        op.set.return_previous = true;
        const struct op_result *result = keyspace_apply(fixture, op);
        assert_int_equal(result->err, ERR_NONE);
        assert_true(result->ok);
        assert_int_equal(result->version, 0);
        assert_slice_is(result->value.bytes, "old");
        assert_null(keyspace_find(fixture, "key"));
        assert_int_equal(fixture->revision, revision + 1);
        assert_int_equal(newest_change(fixture)->kind, OP_DELETE);
    }
    uint64_t revision = fixture->revision;
    keyspace_apply(fixture, set_until_op("none", "new", 1));
    assert_true(fixture->result.ok);
    assert_int_equal(fixture->revision, revision);
    assert_int_equal(keyspace_count(fixture), 0);
    keyspace_put_list(fixture, "list", 2);
    keyspace_apply(fixture, set_until_op("list", "new", 1));
    assert_null(keyspace_find(fixture, "list"));
}

/* ---- GetDel and GetEx ---- */

static const struct op_result *get_del(struct keyspace_fixture *fixture, const char *key,
                                       struct condition condition)
{
    return keyspace_apply(
        fixture,
        (struct op){.kind = OP_GET_DEL, .key = slice_from_string(key), .condition = condition});
}

static void test_get_del_takes_the_string_out(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct condition none = {0};
    keyspace_apply(fixture, set_until_op("key", "value", LATER_MS));
    uint64_t revision = fixture->revision;
    const struct op_result *result = get_del(fixture, "key", none);
    assert_true(result->ok);
    assert_true(result->value.found);
    assert_slice_is(result->value.bytes, "value");
    assert_int_equal(result->value.version, 0);
    assert_int_equal(fixture->revision, revision + 1);
    assert_int_equal(result->value.expire_at_ms, 0);
    assert_null(keyspace_find(fixture, "key"));
    assert_int_equal(newest_change(fixture)->kind, OP_DELETE);
    assert_false(get_del(fixture, "key", none)->value.found);
    assert_int_equal(fixture->revision, revision + 1);
    keyspace_put_list(fixture, "list", 2);
    revision = fixture->revision;
    get_del(fixture, "list", none);
    assert_wrong_type(fixture, revision, "holds a list");
}

static void test_get_del_of_a_long_string(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(
        fixture,
        (struct op){.kind = OP_SET, .key = SLICE_LITERAL("key"), .value = keyspace_long_bytes(1)});
    const struct op_result *result = get_del(fixture, "key", (struct condition){0});
    assert_non_null(result->value.blob);
    assert_true(slice_equal(result->value.bytes, keyspace_long_bytes(1)));
}

static void test_get_del_on_a_condition(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "key", "value");
    const struct condition unmet[] = {{.version = version - 1},
                                      {.match_value = true, .value = SLICE_LITERAL("other")},
                                      {.existence = EXISTENCE_ABSENT}};
    for (size_t i = 0; i < sizeof unmet / sizeof *unmet; i++) {
        const struct op_result *result = get_del(fixture, "key", unmet[i]);
        assert_int_equal(result->err, ERR_NONE);
        assert_false(result->ok);
        assert_false(result->value.found);
        assert_int_equal(result->value.version, version);
        assert_int_equal(result->version, version);
        assert_int_equal(fixture->revision, version);
        assert_get(fixture, "key", "value");
    }
    struct condition met = {
        .version = version, .match_value = true, .value = SLICE_LITERAL("value")};
    assert_true(get_del(fixture, "key", met)->value.found);
    assert_false(get_del(fixture, "key", met)->value.found);
    assert_int_equal(fixture->result.value.version, 0);
}

static struct op get_ex_op(const char *key, int64_t expire_at_ms, bool persist)
{
    return (struct op){.kind = OP_GET_EX,
                       .key = slice_from_string(key),
                       .expire_at_ms = expire_at_ms,
                       .expire.persist = persist};
}

/* The answer has the present value with this new deadline, and the call made `commits` commits. */
static void assert_got_ex(struct keyspace_fixture *fixture, struct op op, int64_t expire_at_ms,
                          uint64_t commits)
{
    uint64_t revision = fixture->revision;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_true(result->value.found);
    assert_slice_is(result->value.bytes, "value");
    assert_int_equal(result->value.expire_at_ms, expire_at_ms);
    assert_int_equal(fixture->revision, revision + commits);
    assert_int_equal(result->value.version, fixture->revision);
    assert_int_equal(result->version, fixture->revision);
    assert_int_equal(deadline_of(fixture, "key"), expire_at_ms);
}

static void test_get_ex_sets_and_takes_the_deadline(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "value");
    assert_got_ex(fixture, get_ex_op("key", 0, false), 0, 0);
    assert_got_ex(fixture, get_ex_op("key", 0, true), 0, 0);
    assert_got_ex(fixture, get_ex_op("key", LATER_MS, false), LATER_MS, 1);
    assert_int_equal(newest_change(fixture)->kind, OP_EXPIRE);
    assert_int_equal(newest_change(fixture)->expire_at_ms, LATER_MS);
    assert_got_ex(fixture, get_ex_op("key", 0, false), LATER_MS, 0);
    assert_got_ex(fixture, get_ex_op("key", LATER_MS + 1, false), LATER_MS + 1, 1);
    assert_got_ex(fixture, get_ex_op("key", 0, true), 0, 1);
    assert_true(newest_change(fixture)->expire.persist);
    assert_got_ex(fixture, get_ex_op("key", INT64_MAX, false), INT64_MAX, 1);
}

static void test_get_ex_with_a_past_deadline_removes_the_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "key", "value");
    const struct op_result *result =
        keyspace_apply(fixture, get_ex_op("key", KEYSPACE_NOW_MS, false));
    assert_true(result->value.found);
    assert_slice_is(result->value.bytes, "value");
    assert_int_equal(result->value.expire_at_ms, 0);
    assert_int_equal(result->version, 0);
    assert_null(keyspace_find(fixture, "key"));
    assert_int_equal(newest_change(fixture)->kind, OP_DELETE);
    uint64_t revision = fixture->revision;
    assert_false(keyspace_apply(fixture, get_ex_op("key", LATER_MS, false))->value.found);
    keyspace_put_list(fixture, "list", 2);
    keyspace_apply(fixture, get_ex_op("list", LATER_MS, false));
    assert_wrong_type(fixture, revision + 2, "holds a list");
}

/* ---- MGet ---- */

static const struct op_result *m_get(struct keyspace_fixture *fixture, struct op_key *keys,
                                     size_t count, size_t max_answer)
{
    return keyspace_apply(
        fixture,
        (struct op){.kind = OP_M_GET, .keys = keys, .key_count = count, .max_answer = max_answer});
}

static void test_m_get_answers_in_the_order_asked(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key keys[] = {{.bytes = SLICE_LITERAL("b")},    {.bytes = SLICE_LITERAL("none")},
                            {.bytes = SLICE_LITERAL("list")}, {.bytes = SLICE_LITERAL("a")},
                            {.bytes = SLICE_LITERAL("b")},    {.bytes = SLICE_LITERAL("long")}};
    static const char *const expected[] = {"2", NULL, NULL, "", "2"};
    keyspace_put_string(fixture, "a", "");
    uint64_t version = keyspace_apply(fixture, set_until_op("b", "2", LATER_MS))->version;
    keyspace_put_list(fixture, "list", 2);
    keyspace_apply(
        fixture,
        (struct op){.kind = OP_SET, .key = SLICE_LITERAL("long"), .value = keyspace_long_bytes(0)});
    const struct op_result *result = m_get(fixture, keys, 6, 0);
    assert_int_equal(result->err, ERR_NONE);
    assert_int_equal(result->item_count, 6);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(result->items[i].found, expected[i] != NULL);
        if (expected[i] != NULL)
            assert_slice_is(result->items[i].bytes, expected[i]);
        else
            assert_int_equal(result->items[i].version, 0);
    }
    assert_int_equal(result->items[0].version, version);
    assert_int_equal(result->items[0].expire_at_ms, LATER_MS);
    assert_true(slice_equal(result->items[5].bytes, keyspace_long_bytes(0)));
    assert_ptr_equal(result->items[5].blob, entry_blob(keyspace_find(fixture, "long")));
    fixture->now_ms = LATER_MS;
    assert_false(m_get(fixture, keys, 1, 0)->items[0].found);
}

static void test_m_get_obeys_the_limit(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key keys[] = {{.bytes = SLICE_LITERAL("long")},
                            {.bytes = SLICE_LITERAL("none")},
                            {.bytes = SLICE_LITERAL("short")}};
    struct slice value = keyspace_long_bytes(0);
    keyspace_apply(fixture,
                   (struct op){.kind = OP_SET, .key = SLICE_LITERAL("long"), .value = value});
    keyspace_put_string(fixture, "short", "12345");
    size_t size = op_answer_size(value.len) + op_answer_size(0) + op_answer_size(5);
    assert_int_equal(m_get(fixture, keys, 3, size)->err, ERR_NONE);
    const struct op_result *result = m_get(fixture, keys, 3, size - 1);
    assert_int_equal(result->err, ERR_TOO_LARGE);
    assert_non_null(result->why);
    assert_int_equal(result->item_count, 0);
    assert_true(blob_is_sole(entry_blob(keyspace_find(fixture, "long"))));
}

static void test_m_get_needs_memory_for_its_answer(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static struct op_key keys[10000];
    for (size_t i = 0; i < 10000; i++)
        keys[i] = (struct op_key){.bytes = SLICE_LITERAL("none")};
    account_set_limit((size_t)512 * 1024);
    const struct op_result *result = m_get(fixture, keys, 10000, 0);
    assert_int_equal(result->err, ERR_TOO_LARGE);
    assert_non_null(strstr(result->why, "--max-client-memory"));
    account_set_limit((size_t)2 * 1024 * 1024);
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)2 * 1024 * 1024);
    assert_int_equal(m_get(fixture, keys, 10000, 0)->err, ERR_NO_CLIENT_MEMORY);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)2 * 1024 * 1024);
    assert_int_equal(m_get(fixture, keys, 10000, 0)->item_count, 10000);
    account_set_limit(SIZE_MAX);
}

/* More keys than are prefetched at a time. */
static void test_m_get_of_many_keys(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static char names[200][8];
    static struct op_key keys[200];
    for (size_t i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "k%zu", i);
        if (i % 3 != 0)
            keyspace_put_string(fixture, names[i], names[i]);
        keys[i] = (struct op_key){.bytes = slice_from_string(names[i])};
    }
    for (size_t count = 1; count <= 200; count += 33) {
        const struct op_result *result = m_get(fixture, keys, count, 0);
        assert_int_equal(result->item_count, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(result->items[i].found, i % 3 != 0);
            if (i % 3 != 0)
                assert_slice_is(result->items[i].bytes, names[i]);
        }
    }
}

/* ---- MSet ---- */

static const struct op_result *m_set(struct keyspace_fixture *fixture, struct op *ops, size_t count)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_M_SET, .ops = ops, .op_count = count});
}

static void test_m_set_sets_each_key_in_one_commit(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_apply(fixture, set_until_op("kept", "old", LATER_MS));
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    size_t changes = fixture->change_count;
    struct op ops[] = {set_op("a", "1"), set_until_op("b", "2", LATER_MS + 1), set_op("kept", "3"),
                       set_op("list", "4")};
    ops[2].set.keep_ttl = true;
    ops[2].set.return_previous = true; /* has no meaning here */
    const struct op_result *result = m_set(fixture, ops, 4);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(result->ok);
    assert_false(result->has_previous);
    assert_int_equal(result->count, 4);
    assert_int_equal(result->version, revision + 1);
    assert_int_equal(fixture->revision, revision + 1);
    assert_int_equal(fixture->change_count, changes + 4);
    assert_get(fixture, "a", "1");
    assert_get(fixture, "b", "2");
    assert_get(fixture, "kept", "3");
    assert_get(fixture, "list", "4");
    assert_int_equal(deadline_of(fixture, "a"), 0);
    assert_int_equal(deadline_of(fixture, "b"), LATER_MS + 1);
    assert_int_equal(deadline_of(fixture, "kept"), LATER_MS);
    assert_int_equal(entry_version(keyspace_find(fixture, "a")), revision + 1);
}

static void test_of_the_same_key_the_last_wins(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op ops[] = {set_op("a", "1"), set_op("b", "2"), set_op("a", "3")};
    ops[0].condition.existence = EXISTENCE_ABSENT;
    ops[2].condition.existence = EXISTENCE_ABSENT; /* of the state before: as MSETNX a 1 a 3 */
    assert_true(m_set(fixture, ops, 3)->ok);
    assert_get(fixture, "a", "3");
    assert_get(fixture, "b", "2");
}

static void test_m_set_with_a_deadline_in_the_past(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "a", "old");
    struct op ops[] = {set_op("b", "1"), set_until_op("a", "2", 1), set_until_op("b", "3", 1),
                       set_until_op("c", "4", 1)};
    assert_true(m_set(fixture, ops, 4)->ok);
    assert_int_equal(keyspace_count(fixture), 0);
    uint64_t revision = fixture->revision;
    assert_true(m_set(fixture, &ops[3], 1)->ok);
    assert_int_equal(fixture->revision, revision);
}

static void test_m_set_does_nothing_if_one_condition_is_unmet(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = keyspace_put_string(fixture, "there", "old");
    keyspace_apply(fixture, set_until_op("gone", "old", LATER_MS));
    fixture->now_ms = LATER_MS;
    uint64_t revision = fixture->revision;
    struct op ops[] = {set_op("gone", "1"), set_op("a", "2"), set_op("there", "3"),
                       set_op("b", "4")};
    ops[2].condition.existence = EXISTENCE_ABSENT;
    const struct op_result *result = m_set(fixture, ops, 4);
    assert_int_equal(result->err, ERR_NONE);
    assert_false(result->ok);
    assert_int_equal(result->count, 0);
    assert_int_equal(result->version, version);
    assert_slice_is(result->value.bytes, "old");
    assert_int_equal(fixture->revision, revision);
    assert_null(keyspace_find(fixture, "a"));
    assert_null(keyspace_find(fixture, "b"));
    assert_get(fixture, "there", "old");
    ops[2].condition.existence = EXISTENCE_PRESENT;
    ops[0].condition.existence = EXISTENCE_ABSENT; /* it has expired */
    assert_true(m_set(fixture, ops, 4)->ok);
    assert_get(fixture, "gone", "1");
}

static void test_m_set_fails_as_a_whole(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_list(fixture, "list", 2);
    uint64_t revision = fixture->revision;
    struct op ops[] = {set_op("a", "1"), set_op("list", "2")};
    ops[1].condition = (struct condition){.match_value = true, .value = SLICE_LITERAL("x")};
    m_set(fixture, ops, 2);
    assert_wrong_type(fixture, revision, "holds a list");
    assert_null(keyspace_find(fixture, "a"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get_returns_what_set_stored),
        TEST(test_get_of_no_key_is_an_answer),
        TEST(test_the_empty_string_is_found),
        TEST(test_bytes_are_kept_as_they_are),
        TEST(test_set_replaces_a_string_and_a_list),
        TEST(test_get_of_a_list_is_the_wrong_type),
        TEST(test_set_returns_the_previous_string),
        TEST(test_set_says_that_there_was_no_previous_string),
        TEST(test_set_does_not_return_a_list_as_previous),
        TEST(test_set_if_absent),
        TEST(test_set_if_present),
        TEST(test_compare_and_set_by_version),
        TEST(test_compare_and_set_by_value),
        TEST(test_a_refused_set_returns_the_current_string_once),
        TEST(test_a_long_value_outlives_its_replacement),
        TEST(test_a_long_previous_value),
        TEST(test_the_type_is_looked_at_before_the_condition),
        TEST(test_set_gives_and_takes_the_deadline),
        TEST(test_set_keeps_the_deadline_if_asked),
        TEST(test_the_deadline_is_the_first_moment_without_the_key),
        TEST(test_a_deadline_in_the_past_removes_the_key),
        TEST(test_get_del_takes_the_string_out),
        TEST(test_get_del_of_a_long_string),
        TEST(test_get_del_on_a_condition),
        TEST(test_get_ex_sets_and_takes_the_deadline),
        TEST(test_get_ex_with_a_past_deadline_removes_the_key),
        TEST(test_m_get_answers_in_the_order_asked),
        TEST(test_m_get_obeys_the_limit),
        TEST(test_m_get_needs_memory_for_its_answer),
        TEST(test_m_get_of_many_keys),
        TEST(test_m_set_sets_each_key_in_one_commit),
        TEST(test_of_the_same_key_the_last_wins),
        TEST(test_m_set_with_a_deadline_in_the_past),
        TEST(test_m_set_does_nothing_if_one_condition_is_unmet),
        TEST(test_m_set_fails_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
