/* Tests of store/ops/apply.c: lookups, the mutators, every combination of a
 * condition's parts, and the shared answers. */
#include "store/ops/apply.h"

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

/* What an operation would work with. */
static struct op_context space_of(struct keyspace_fixture *fixture)
{
    return (struct op_context){.store = fixture->store,
                               .sink = fixture->store->sink,
                               .arena = &fixture->arena,
                               .now_ms = fixture->now_ms};
}

/* Stores a string that expires after some milliseconds; its version. */
static uint64_t put_expiring(struct keyspace_fixture *fixture, const char *key, int64_t ttl_ms)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_SET,
                                               .key = slice_from_string(key),
                                               .value = SLICE_LITERAL("value"),
                                               .expire_at_ms = fixture->now_ms + ttl_ms})
        ->version;
}

static void test_find_gives_the_entry_of_the_key(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_context ctx = space_of(fixture);
    uint64_t version = keyspace_put_string(fixture, "key", "value");
    struct op op = {.key = SLICE_LITERAL("key")};
    struct lookup at = apply_lookup_read_key(&ctx, &op);
    assert_ptr_equal(at.entry, keyspace_find(fixture, "key"));
    assert_int_equal(ctx.seen, version);
    struct lookup again = apply_lookup_read(&ctx, 0, op.key, at.hash);
    assert_ptr_equal(again.entry, at.entry);
    assert_ptr_equal(again.shard, at.shard);
    assert_ptr_equal(again.database, &at.shard->databases[0]);
    assert_null(apply_lookup_read(&ctx, 1, op.key, 0).entry);
    assert_null(apply_lookup_read(&ctx, 0, SLICE_LITERAL("yek"), 0).entry);
}

static void test_find_does_not_see_what_has_expired(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_expiring(fixture, "key", 1000);
    uint64_t revision = fixture->revision;
    struct op_context ctx = space_of(fixture);
    ctx.now_ms += 999;
    assert_non_null(apply_lookup_read(&ctx, 0, SLICE_LITERAL("key"), 0).entry);
    ctx.now_ms++;
    assert_null(apply_lookup_read(&ctx, 0, SLICE_LITERAL("key"), 0).entry);
    assert_int_equal(keyspace_count(fixture), 1); /* but it does not remove it */
    assert_int_equal(fixture->revision, revision);
}

static void end(struct keyspace_fixture *fixture, const struct op_context *ctx)
{
    assert_int_equal(ctx->revision, fixture->revision);
    fixture->sink.end(&fixture->sink);
}

static void test_lookup_to_write_removes_what_has_expired(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put_expiring(fixture, "key", 1000);
    struct op_context ctx = space_of(fixture);
    ctx.now_ms += 999;
    struct lookup at = apply_lookup_write(&ctx, 0, SLICE_LITERAL("key"), 0);
    assert_non_null(at.entry);
    assert_int_equal(at.database->expiring, 1);
    assert_int_equal(ctx.revision, 0);
    ctx.now_ms++;
    at = apply_lookup_write(&ctx, 0, SLICE_LITERAL("key"), 0);
    assert_null(at.entry);
    assert_int_equal(at.database->expiring, 0);
    assert_int_equal(keyspace_count(fixture), 0);
    assert_int_equal(at.shard->removed, ctx.revision);
    end(fixture, &ctx);
    const struct op *emitted = &fixture->changes[fixture->change_count - 1].op;
    assert_int_equal(emitted->kind, OP_DELETE);
    assert_slice_is(emitted->key, "key");
}

/* An answer that misses a key reflects its removal. */
static void test_a_miss_shows_the_removal(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op op = {.kind = OP_DELETE, .key = SLICE_LITERAL("key")};
    keyspace_put_string(fixture, "key", "value");
    keyspace_apply(fixture, op);
    uint64_t removed = fixture->revision;
    assert_int_equal(fixture->result.seen, removed);
    struct op_context ctx = space_of(fixture);
    assert_null(apply_lookup_read_key(&ctx, &op).entry);
    assert_int_equal(ctx.seen, removed);
    apply_observe_revision(&ctx, removed - 1);
    assert_int_equal(ctx.seen, removed);
    apply_observe_revision(&ctx, removed + 1);
    assert_int_equal(ctx.seen, removed + 1);
}

static void test_a_returned_string_is_a_copy(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_context ctx = space_of(fixture);
    uint64_t version = put_expiring(fixture, "key", 1000);
    struct op_value value = {0};
    struct lookup at = apply_lookup_write(&ctx, 0, SLICE_LITERAL("key"), 0);
    apply_return_string(&ctx, &at, &value);
    apply_remove(&ctx, &at);
    apply_change_delete(&ctx, &at);
    end(fixture, &ctx);
    assert_true(value.found);
    assert_int_equal(value.version, version);
    assert_int_equal(value.expire_at_ms, fixture->now_ms + 1000);
    assert_slice_is(value.bytes, "value");
}

static void test_wrong_type_names_what_the_key_holds(void **state)
{
    struct keyspace_fixture *fixture = *state;
    keyspace_put_string(fixture, "string", "value");
    keyspace_put_list(fixture, "list", 1);
    struct entry *string = keyspace_find(fixture, "string"), *list = keyspace_find(fixture, "list");
    struct op_context ctx = space_of(fixture);
    fixture->result = (struct op_result){0};
    assert_true(apply_require_string(&ctx, NULL, &fixture->result));
    assert_true(apply_require_list(&ctx, NULL, &fixture->result));
    assert_true(apply_require_string(&ctx, string, &fixture->result));
    assert_true(apply_require_list(&ctx, list, &fixture->result));
    assert_int_equal(fixture->result.err, ERR_NONE);
    assert_false(apply_require_list(&ctx, string, &fixture->result));
    assert_wrong_type(fixture, fixture->revision, "holds a string");
    assert_slice_is(fixture->result.key, "string");
    assert_int_equal(fixture->result.type, OP_TYPE_STRING);
    fixture->result = (struct op_result){0};
    assert_false(apply_require_string(&ctx, list, &fixture->result));
    assert_wrong_type(fixture, fixture->revision, "holds a list");
    assert_slice_is(fixture->result.key, "list");
    assert_int_equal(fixture->result.type, OP_TYPE_LIST);
}

/* The key is in the arena, for the entry may be gone when the error is sent. A key that is too long
 * is not named; cut, it would be another. */
static void test_wrong_type_names_keys_up_to_a_length(void **state)
{
    struct keyspace_fixture *fixture = *state;
    char name[OP_MAX_KEY_IN_ERROR + 2];
    memset(name, 'k', sizeof name);
    struct op_context ctx = space_of(fixture);
    for (size_t length = OP_MAX_KEY_IN_ERROR; length <= OP_MAX_KEY_IN_ERROR + 1; length++) {
        memset(name, 'k', length);
        name[length] = 0;
        keyspace_put_string(fixture, name, "value");
        struct entry *string = keyspace_find(fixture, name);
        fixture->result = (struct op_result){0};
        assert_false(apply_require_list(&ctx, string, &fixture->result));
        assert_int_equal(fixture->result.key.len, length <= OP_MAX_KEY_IN_ERROR ? length : 0);
        assert_ptr_not_equal(fixture->result.key.data, entry_key(string).data);
        assert_int_equal(fixture->result.type, OP_TYPE_STRING);
    }
}

static void test_a_commit_has_one_revision(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t before = fixture->revision;
    struct op_context ctx = space_of(fixture);
    assert_int_equal(apply_revision(&ctx), before + 1);
    assert_int_equal(apply_revision(&ctx), before + 1);
    fixture->sink.abort(&fixture->sink);
    assert_int_equal(fixture->revision, before);
    store_set_sink(fixture->store, NULL); /* then the store counts */
    struct op_context first = space_of(fixture), second = space_of(fixture);
    assert_int_equal(apply_revision(&first), 1);
    assert_int_equal(apply_revision(&second), 2);
    assert_int_equal(apply_revision(&first), 1);
}

/* The mutators update the dictionary, the count of deadlines, and the caller's lookup. */
static void test_mutators_update_everything(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_context ctx = space_of(fixture);
    struct slice key = SLICE_LITERAL("key"), value = SLICE_LITERAL("value");
    struct lookup at = apply_lookup_write(&ctx, 3, key, 0);
    apply_put_string(&ctx, &at, value, 77);
    assert_int_equal(at.database->expiring, 1);
    apply_put_string(&ctx, &at, keyspace_long_bytes(0), 0);
    assert_int_equal(at.database->expiring, 0);
    apply_set_stamp(&ctx, &at, 78);
    assert_int_equal(at.database->expiring, 1);
    assert_int_equal(entry_expire_at_ms(at.entry), 78);
    assert_ptr_equal(keyspace_look(fixture->store, 3, key).entry, at.entry);
    assert_true(slice_equal(entry_string(at.entry), keyspace_long_bytes(0)));
    struct entry_stamp stamp = {.version = ctx.revision, .expire_at_ms = 79};
    apply_put(&ctx, &at, entry_new_string(&at.shard->slab, key, value, stamp));
    assert_int_equal(at.database->expiring, 1);
    assert_slice_is(entry_string(keyspace_look(fixture->store, 3, key).entry), "value");
    assert_int_equal(at.shard->removed, 0);
    apply_remove(&ctx, &at);
    assert_null(at.entry);
    assert_int_equal(at.database->expiring, 0);
    assert_int_equal(at.shard->removed, ctx.revision);
    assert_int_equal(store_count(fixture->store, 3), 0);
    apply_change_delete(&ctx, &at);
    end(fixture, &ctx);
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
    keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = SLICE_LITERAL("key")});
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
    struct op_context ctx = space_of(fixture);
    struct lookup at = apply_peek(&ctx, 0, op.key, 0);
    assert_ptr_equal(at.entry, entry);
    bool holds = apply_condition(&ctx, &op, &at, &result);
    assert_int_equal(ctx.revision, 0);
    assert_int_equal(apply_condition_holds(&op.condition, &at), holds);
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
        struct op_context ctx = space_of(fixture);
        struct lookup at = apply_peek(&ctx, 0, slice_from_string(cases[i].key), 0);
        assert_int_equal(apply_condition(&ctx, &op, &at, &result), cases[i].holds);
    }
}

/* A long one is shared, and lasts as long as the result. */
static void test_a_returned_long_string_is_shared(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_context ctx = space_of(fixture);
    struct op op = {.kind = OP_SET, .key = SLICE_LITERAL("key"), .value = keyspace_long_bytes(0)};
    keyspace_apply(fixture, op);
    const struct entry *entry = keyspace_find(fixture, "key");
    struct op_result result = {0};
    struct lookup at = apply_peek(&ctx, 0, op.key, 0);
    apply_return_string(&ctx, &at, &result.value);
    assert_ptr_equal(result.value.bytes.data, entry_string(entry).data);
    assert_int_equal(atomic_load(&entry_blob(entry)->holders), 2);
    op.kind = OP_DELETE;
    keyspace_apply(fixture, op);
    assert_true(slice_equal(result.value.bytes, keyspace_long_bytes(0)));
    assert_int_equal(atomic_load(&result.value.blob->holders), 1);
    op_result_release(&result); /* the last reference: the sanitizer sees a leak */
    assert_null(result.value.blob);
}

/* ---- a reply that is too large is not lost ---- */

static void fill(struct keyspace_fixture *fixture, bool is_list, struct slice value)
{
    keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = SLICE_LITERAL("target")});
    keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = SLICE_LITERAL("key")});
    struct slice values[] = {value, SLICE_LITERAL("second"), value};
    struct op op = {.kind = OP_SET, .key = SLICE_LITERAL("key"), .value = value};
    if (is_list)
        op = (struct op){.kind = OP_R_PUSH, .key = op.key, .values = values, .value_count = 3};
    assert_true(keyspace_apply(fixture, op)->ok);
}

/* Its reply would be larger than the client accepts, so it changes nothing. */
static void assert_takes_nothing(struct keyspace_fixture *fixture, struct op op, size_t max_reply)
{
    struct entry *entry = keyspace_find(fixture, "key");
    uint64_t revision = fixture->revision, version = entry_version(entry);
    size_t emitted = fixture->change_count;
    op.max_reply = max_reply;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_TOO_LARGE);
    assert_non_null(strstr(result->why, "keystore-max-reply-bytes"));
    assert_false(result->ok);
    assert_int_equal(result->value.bytes.len + result->value_count, 0);
    assert_int_equal(fixture->revision, revision);
    assert_int_equal(fixture->change_count, emitted);
    assert_ptr_equal(keyspace_find(fixture, "key"), entry);
    assert_int_equal(entry_version(entry), version);
    assert_int_equal(entry_expire_at_ms(entry), 0);
    assert_null(keyspace_find(fixture, "target"));
    if (entry_type(entry) == ENTRY_LIST)
        assert_int_equal(list_length(entry_list(entry)), 3);
}

static void try_to_take(struct keyspace_fixture *fixture, struct op op, bool is_list,
                        struct slice value)
{
    fill(fixture, is_list, value);
    size_t size = op_reply_size(op.kind, keyspace_apply(fixture, op));
    assert_true(size > value.len);
    fill(fixture, is_list, value);
    assert_takes_nothing(fixture, op, 1);
    assert_takes_nothing(fixture, op, size - 1);
    op.max_reply = size;
    const struct op_result *result = keyspace_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    assert_true(
        slice_equal(result->value_count > 0 ? result->values[0] : result->value.bytes, value));
}

static void test_nothing_is_removed_that_the_client_does_not_accept(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op_key keys[] = {{.bytes = SLICE_LITERAL("none")}, {.bytes = SLICE_LITERAL("key")}};
    const struct op strings[] = {
        {.kind = OP_GET_DEL},
        {.kind = OP_GET_EX, .expire_at_ms = fixture->now_ms + 5},
        {.kind = OP_SET, .value = SLICE_LITERAL("new"), .set.return_previous = true},
    };
    const struct op lists[] = {
        {.kind = OP_L_POP},
        {.kind = OP_R_POP},
        {.kind = OP_LIST_POP, .keys = keys, .key_count = 2},
        {.kind = OP_LIST_POP, .keys = keys, .key_count = 2, .count = 2},
        {.kind = OP_L_MOVE, .target = {.bytes = SLICE_LITERAL("target")}},
    };
    const struct slice values[] = {SLICE_LITERAL("value"), keyspace_long_bytes(0)};
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < sizeof strings / sizeof *strings; k++) {
            struct op op = strings[k];
            op.key = SLICE_LITERAL("key");
            try_to_take(fixture, op, false, values[i]);
        }
        for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
            struct op op = lists[k];
            op.key = SLICE_LITERAL("key");
            try_to_take(fixture, op, true, values[i]);
        }
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

static void test_an_expired_key_that_is_written_is_reported_as_expired(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct op set = {.kind = OP_SET,
                     .key = SLICE_LITERAL("key"),
                     .value = SLICE_LITERAL("1"),
                     .expire_at_ms = KEYSPACE_NOW_MS + 1};
    keyspace_apply(fixture, set);
    fixture->now_ms = KEYSPACE_NOW_MS + 1;
    set.expire_at_ms = 0;
    keyspace_apply(fixture, set);
    assert_int_equal(fixture->change_count, 3);
    assert_int_equal(fixture->changes[1].op.kind, OP_DELETE);
    assert_int_equal(fixture->changes[1].op.removal.cause, OP_CAUSE_EXPIRY);
    assert_int_equal(fixture->changes[2].op.kind, OP_SET);
    keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = set.key});
    assert_int_equal(fixture->changes[3].op.removal.cause, OP_CAUSE_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_find_gives_the_entry_of_the_key),
        TEST(test_find_does_not_see_what_has_expired),
        TEST(test_lookup_to_write_removes_what_has_expired),
        TEST(test_a_miss_shows_the_removal),
        TEST(test_a_returned_string_is_a_copy),
        TEST(test_wrong_type_names_what_the_key_holds),
        TEST(test_wrong_type_names_keys_up_to_a_length),
        TEST(test_a_commit_has_one_revision),
        TEST(test_mutators_update_everything),
        TEST(test_every_combination_of_a_condition),
        TEST(test_a_value_is_matched_in_full),
        TEST(test_an_expired_key_that_is_written_is_reported_as_expired),
        TEST(test_a_returned_long_string_is_shared),
        TEST(test_nothing_is_removed_that_the_client_does_not_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
