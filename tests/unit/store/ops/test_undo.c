/* Tests of store/ops/undo.c: each kind of record, and several on one key, rolled back and final. */
#include "store/ops/undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

#define SOON  (KEYSPACE_NOW_MS + 1000)
#define LATER (KEYSPACE_NOW_MS + 2000)

/* A commit with an undo log. */
struct commit {
    struct op_context ctx;
    struct undo undo;
    struct lookup at;
};

static void begin(struct commit *commit, struct keyspace_fixture *fixture, const char *key)
{
    undo_init(&commit->undo, &fixture->arena, SIZE_MAX);
    commit->ctx = (struct op_context){.store = fixture->store,
                                      .sink = fixture->store->sink,
                                      .arena = &fixture->arena,
                                      .undo = &commit->undo,
                                      .now_ms = fixture->now_ms};
    commit->at = apply_lookup_write(&commit->ctx, 0, slice_from_string(key), 0);
}

static void roll_back(struct commit *commit, struct keyspace_fixture *fixture)
{
    undo_roll_back(&commit->undo);
    assert_null(commit->undo.newest);
    fixture->sink.abort(&fixture->sink);
}

/* A shard's counts, without the dictionary's table, which may stay larger. */
struct state {
    size_t used;
    size_t count;
    size_t expiring;
    size_t expiring_memory;
    uint64_t removed;
};

static struct state state_of(const struct lookup *at)
{
    return (struct state){.used = slab_used(&at->shard->slab) - dict_memory(&at->database->dict),
                          .count = at->database->dict.count,
                          .expiring = at->database->expiring,
                          .expiring_memory = at->database->expiring_memory,
                          .removed = at->shard->removed};
}

static void assert_state(const struct lookup *at, struct state expected)
{
    struct state state = state_of(at);
    assert_int_equal(state.used, expected.used);
    assert_int_equal(state.count, expected.count);
    assert_int_equal(state.expiring, expected.expiring);
    assert_int_equal(state.expiring_memory, expected.expiring_memory);
    assert_int_equal(state.removed, expected.removed);
}

static uint64_t put(struct keyspace_fixture *fixture, struct slice value, int64_t expire_at_ms)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_SET,
                                               .key = SLICE_LITERAL("key"),
                                               .value = value,
                                               .expire_at_ms = expire_at_ms})
        ->version;
}

static void assert_key_is(struct keyspace_fixture *fixture, struct slice value, uint64_t version,
                          int64_t expire_at_ms)
{
    const struct entry *entry = keyspace_find(fixture, "key");
    assert_non_null(entry);
    assert_true(slice_equal(entry_string(entry), value));
    assert_int_equal(entry_version(entry), version);
    assert_int_equal(entry_expire_at_ms(entry), expire_at_ms);
}

static void test_a_created_key_goes(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct commit commit;
    begin(&commit, fixture, "key");
    struct state before = state_of(&commit.at);
    apply_put_string(&commit.ctx, &commit.at, SLICE_LITERAL("new"), SOON);
    assert_non_null(keyspace_find(fixture, "key"));
    roll_back(&commit, fixture);
    assert_null(keyspace_find(fixture, "key"));
    assert_state(&commit.at, before);
}

static void test_a_replaced_value_comes_back(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct slice values[] = {SLICE_LITERAL("old"), keyspace_long_bytes(0)};
    for (size_t i = 0; i < 2; i++) {
        uint64_t version = put(fixture, values[i], SOON);
        struct commit commit;
        begin(&commit, fixture, "key");
        struct state before = state_of(&commit.at);
        const struct entry *entry = commit.at.entry;
        apply_put_string(&commit.ctx, &commit.at, SLICE_LITERAL("new"), 0);
        apply_put_string(&commit.ctx, &commit.at, keyspace_long_bytes(1), LATER);
        roll_back(&commit, fixture);
        assert_key_is(fixture, values[i], version, SOON);
        assert_ptr_equal(keyspace_find(fixture, "key"), entry);
        assert_state(&commit.at, before);
    }
}

static void test_a_removed_key_comes_back(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = put(fixture, SLICE_LITERAL("old"), SOON);
    struct commit commit;
    begin(&commit, fixture, "key");
    struct state before = state_of(&commit.at);
    apply_remove(&commit.ctx, &commit.at);
    assert_int_not_equal(commit.at.shard->removed, before.removed);
    roll_back(&commit, fixture);
    assert_key_is(fixture, SLICE_LITERAL("old"), version, SOON);
    assert_state(&commit.at, before);
}

/* The newest removal is the former one again, however many removals were rolled back. */
static void test_the_newest_removal_is_that_of_before(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put(fixture, SLICE_LITERAL("old"), 0);
    keyspace_apply(fixture, (struct op){.kind = OP_DELETE, .key = SLICE_LITERAL("key")});
    uint64_t removed = fixture->revision;
    put(fixture, SLICE_LITERAL("new"), 0);
    put(fixture, SLICE_LITERAL("newer"), 0);
    struct commit commit;
    begin(&commit, fixture, "key");
    for (int i = 0; i < 3; i++) {
        apply_remove(&commit.ctx, &commit.at);
        apply_put_string(&commit.ctx, &commit.at, SLICE_LITERAL("newest"), 0);
    }
    roll_back(&commit, fixture);
    assert_int_equal(commit.at.shard->removed, removed);
}

static void test_a_stamp_comes_back(void **state)
{
    struct keyspace_fixture *fixture = *state;
    static const int64_t deadlines[][2] = {{0, SOON}, {SOON, 0}, {SOON, LATER}, {0, 0}};
    for (size_t i = 0; i < 4; i++) {
        uint64_t version = put(fixture, SLICE_LITERAL("old"), deadlines[i][0]);
        struct commit commit;
        begin(&commit, fixture, "key");
        struct state before = state_of(&commit.at);
        apply_set_stamp(&commit.ctx, &commit.at, deadlines[i][1]);
        assert_key_is(fixture, SLICE_LITERAL("old"), fixture->revision, deadlines[i][1]);
        roll_back(&commit, fixture);
        assert_key_is(fixture, SLICE_LITERAL("old"), version, deadlines[i][0]);
        assert_state(&commit.at, before);
    }
}

static void test_records_are_reversed_newest_first(void **state)
{
    struct keyspace_fixture *fixture = *state;
    uint64_t version = put(fixture, SLICE_LITERAL("old"), 0);
    struct commit commit;
    begin(&commit, fixture, "key");
    struct state before = state_of(&commit.at);
    apply_set_stamp(&commit.ctx, &commit.at, SOON);
    apply_put_string(&commit.ctx, &commit.at, SLICE_LITERAL("between"), 0);
    apply_set_stamp(&commit.ctx, &commit.at, LATER);
    apply_remove(&commit.ctx, &commit.at);
    apply_put_string(&commit.ctx, &commit.at, SLICE_LITERAL("new"), SOON);
    roll_back(&commit, fixture);
    assert_key_is(fixture, SLICE_LITERAL("old"), version, 0);
    assert_state(&commit.at, before);
}

/* The commit is final: what it replaced takes no memory any more. */
static void test_discarding_frees_what_was_replaced(void **state)
{
    struct keyspace_fixture *fixture = *state;
    char name[16] = "list"; /* in another shard */
    struct store *store = fixture->store;
    for (unsigned i = 0; shard_of(store, store_hash(store, slice_from_string(name))) ==
                         shard_of(store, store_hash(store, SLICE_LITERAL("key")));
         i++)
        snprintf(name, sizeof name, "list%u", i);
    put(fixture, keyspace_long_bytes(0), 0);
    keyspace_put_list(fixture, name, 3);
    struct commit commit;
    begin(&commit, fixture, "key");
    struct state before = state_of(&commit.at);
    apply_put_string(&commit.ctx, &commit.at, SLICE_LITERAL("a"), 0);
    apply_remove(&commit.ctx, &commit.at);
    apply_put_string(&commit.ctx, &commit.at, keyspace_long_bytes(0), 0);
    apply_set_stamp(&commit.ctx, &commit.at, 0);
    struct lookup list = apply_lookup_write(&commit.ctx, 0, slice_from_string(name), 0);
    apply_remove(&commit.ctx, &list);
    undo_discard(&commit.undo, commit.ctx.revision);
    assert_null(commit.undo.newest);
    before.removed = fixture->revision;
    assert_state(&commit.at, before);
    assert_null(keyspace_find(fixture, name));
    apply_change_delete(&commit.ctx, &list);
    fixture->sink.end(&fixture->sink);
}

/* An edit that notes when it is reversed. */
struct noted {
    struct undo_edit edit;
    int *calls;
    int reversed, discarded; /* which call it was; 0 = none */
    const struct entry *entry;
};

static void note_reverse(struct undo_edit *edit, const struct lookup *at)
{
    struct noted *noted = (struct noted *)edit;
    noted->reversed = ++*noted->calls;
    noted->entry = at->entry;
    assert_slice_is(at->key, "key");
}

static void note_discard(struct undo_edit *edit, const struct lookup *at)
{
    struct noted *noted = (struct noted *)edit;
    noted->discarded = ++*noted->calls;
    assert_slice_is(at->key, "key");
}

static void init_noted(struct noted *noted, int *calls)
{
    *noted =
        (struct noted){.edit = {.reverse = note_reverse, .discard = note_discard}, .calls = calls};
}

/* Each edit is reversed in its turn, on the entry in which it was made. */
static void test_edits_are_reversed_newest_first(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put(fixture, SLICE_LITERAL("old"), 0);
    int calls = 0;
    struct noted edits[3];
    struct commit commit;
    begin(&commit, fixture, "key");
    const struct entry *entries[3];
    for (size_t i = 0; i < 3; i++) {
        init_noted(&edits[i], &calls);
        undo_edit(&commit.undo, &commit.at, &edits[i].edit);
        entries[i] = commit.at.entry;
        apply_put_string(&commit.ctx, &commit.at, SLICE_LITERAL("new"), 0);
    }
    roll_back(&commit, fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(edits[i].reversed, 3 - i);
        assert_ptr_equal(edits[i].entry, entries[i]);
        assert_int_equal(edits[i].discarded, 0);
    }
}

static void test_edits_are_discarded_once(void **state)
{
    struct keyspace_fixture *fixture = *state;
    put(fixture, SLICE_LITERAL("old"), 0);
    int calls = 0;
    struct noted edits[2];
    struct commit commit;
    begin(&commit, fixture, "key");
    for (size_t i = 0; i < 2; i++) {
        init_noted(&edits[i], &calls);
        undo_edit(&commit.undo, &commit.at, &edits[i].edit);
    }
    edits[1].edit.discard = NULL; /* has nothing to free */
    undo_discard(&commit.undo, commit.ctx.revision);
    assert_int_equal(calls, 1);
    assert_int_equal(edits[0].discarded, 1);
    assert_int_equal(commit.ctx.revision, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keyspace_setup, keyspace_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_created_key_goes),
        TEST(test_a_replaced_value_comes_back),
        TEST(test_a_removed_key_comes_back),
        TEST(test_the_newest_removal_is_that_of_before),
        TEST(test_a_stamp_comes_back),
        TEST(test_records_are_reversed_newest_first),
        TEST(test_discarding_frees_what_was_replaced),
        TEST(test_edits_are_reversed_newest_first),
        TEST(test_edits_are_discarded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
