/* Tests of store/ops/undo_list.c: a rollback restores lists. */
#include "store/ops/undo_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"
#include "store/seeded.h"

#include "store/edit_fixture.h"
#include "store/lists_pool.h"

/* ---- step by step ---- */

/* An edit of the list "a b c d e" with an undo log. */
static struct edit start_undoable(struct edit_fixture *fixture)
{
    edit_make(fixture, "a b c d e");
    undo_init(&fixture->undo, &fixture->arena, SIZE_MAX);
    fixture->ctx.undo = &fixture->undo;
    fixture->ctx.revision = 0;
    return edit_start(fixture);
}

/* The edit resulted in `words`; rolls it back. */
static void assert_rolled_back(struct edit_fixture *fixture, struct edit *edit, const char *words)
{
    uint64_t version = entry_version(edit_entry(fixture));
    int64_t expire_at_ms = entry_expire_at_ms(edit_entry(fixture));
    edit_end(edit, 0);
    assert_true(entry_version(edit_entry(fixture)) > version);
    assert_edited(fixture, words);
    undo_roll_back(&fixture->undo);
    fixture->ctx.undo = NULL;
    assert_edited(fixture, "a b c d e");
    assert_int_equal(entry_version(edit_entry(fixture)), version);
    assert_int_equal(entry_expire_at_ms(edit_entry(fixture)), expire_at_ms);
}

static void test_pushes_are_dropped(void **state)
{
    struct edit_fixture *fixture = *state;
    struct edit edit = start_undoable(fixture);
    edit_push_words(&edit, LIST_HEAD, "x y");
    edit_push_words(&edit, LIST_TAIL, "z");
    assert_rolled_back(fixture, &edit, "y x a b c d e z");
    edit = start_undoable(fixture);
    edit_push_value(&edit, LIST_TAIL, &(struct op_value){.bytes = SLICE_LITERAL("x")});
    assert_rolled_back(fixture, &edit, "a b c d e x");
}

static void test_what_was_dropped_comes_back_in_its_order(void **state)
{
    struct edit_fixture *fixture = *state;
    struct edit edit = start_undoable(fixture);
    edit_drop(&edit, LIST_HEAD, 3);
    assert_rolled_back(fixture, &edit, "d e");
    edit = start_undoable(fixture);
    edit_drop(&edit, LIST_TAIL, 4);
    assert_rolled_back(fixture, &edit, "a");
    edit = start_undoable(fixture);
    edit_trim(&edit, 1, 2);
    assert_rolled_back(fixture, &edit, "b c");
}

static void test_single_elements_come_back(void **state)
{
    struct edit_fixture *fixture = *state;
    struct list_cursor cursor;
    struct edit edit = start_undoable(fixture);
    edit_insert(&edit, 2, SLICE_LITERAL("x"));
    edit_insert(&edit, 0, SLICE_LITERAL("y"));
    assert_rolled_back(fixture, &edit, "y a b x c d e");
    edit = start_undoable(fixture);
    edit_replace(&edit, 4, SLICE_LITERAL("a longer one"));
    edit_replace(&edit, 4, SLICE_LITERAL("x"));
    assert_rolled_back(fixture, &edit, "a b c d x");
    edit = start_undoable(fixture);
    assert_true(list_seek(edit.list, &cursor, 3));
    edit_remove_here(&edit, &cursor, LIST_HEAD);
    edit_remove_here(&edit, &cursor, LIST_HEAD);
    edit_remove_here(&edit, &cursor, LIST_HEAD);
    assert_rolled_back(fixture, &edit, "a e");
}

static void test_a_created_list_is_gone_again(void **state)
{
    struct edit_fixture *fixture = *state;
    edit_remove_key(fixture);
    undo_init(&fixture->undo, &fixture->arena, SIZE_MAX);
    fixture->ctx.undo = &fixture->undo;
    fixture->ctx.revision = 0;
    struct edit edit = edit_start(fixture);
    edit_push_words(&edit, LIST_HEAD, "x y");
    edit_end(&edit, 7000);
    edit = edit_start(fixture);
    edit_drop(&edit, LIST_HEAD, 1);
    edit_end(&edit, 0);
    undo_roll_back(&fixture->undo);
    fixture->ctx.undo = NULL;
    assert_null(edit_entry(fixture));
    assert_int_equal(fixture->at.database->expiring, 0);
    assert_int_equal(lists_memory(fixture->store), fixture->memory);
}

/* A long element that is removed stays one blob: it is restored itself, or freed. */
static void take_long_away(struct edit_fixture *fixture, enum op_kind kind, bool forget)
{
    struct slice value = keyspace_long_bytes(0);
    struct list_cursor cursor;
    struct edit edit = edit_start(fixture);
    edit_push(&edit, LIST_HEAD, &value, 1);
    edit_end(&edit, 0);
    struct blob *blob = blob_retain(list_peek_blob(edit.list, 0));
    undo_init(&fixture->undo, &fixture->arena, SIZE_MAX);
    fixture->ctx.undo = &fixture->undo;
    edit = edit_start(fixture);
    if (kind == OP_L_SET)
        edit_replace(&edit, 0, SLICE_LITERAL("x"));
    else if (kind == OP_L_POP)
        edit_drop(&edit, LIST_HEAD, 1);
    else if (list_seek(edit.list, &cursor, 0))
        edit_remove_here(&edit, &cursor, LIST_TAIL);
    edit_end(&edit, 0);
    assert_int_equal(atomic_load(&blob->holders), 2);
    if (forget)
        undo_discard(&fixture->undo, fixture->ctx.revision);
    else
        undo_roll_back(&fixture->undo);
    fixture->ctx.undo = NULL;
    assert_int_equal(atomic_load(&blob->holders), forget ? 1 : 2);
    if (!forget)
        assert_ptr_equal(list_peek_blob(edit.list, 0), blob);
    assert_charged(fixture);
    blob_release(blob);
}

static void test_long_elements_are_shared_with_the_undo_log(void **state)
{
    static const enum op_kind kinds[] = {OP_L_SET, OP_L_POP, OP_L_REM};
    for (size_t i = 0; i < 3; i++) {
        take_long_away(*state, kinds[i], false);
        take_long_away(*state, kinds[i], true);
    }
}

/* ---- random transactions of whole operations ---- */

#define KEYS    3
#define ROUNDS  300
#define MOST    12 /* operations in a transaction */
#define AT_ONCE 60

struct snapshot {
    struct list *list; /* NULL = no such key */
    struct entry_stamp stamp;
};

struct transactions {
    struct keyspace_fixture *fixture;
    uint64_t random;
    struct undo undo;
    struct op_context ctx;
    struct snapshot before[KEYS];
    size_t memory; /* of the store, initially and without the lists */
};

static struct slice key_of(size_t key)
{
    static const char names[] = "abc";
    return slice_make(&names[key], 1);
}

static struct entry *entry_of(struct transactions *t, size_t key)
{
    return keyspace_look(t->fixture->store, 0, key_of(key)).entry;
}

static size_t memory_of_lists(struct transactions *t)
{
    size_t memory = 0;
    for (size_t key = 0; key < KEYS; key++)
        if (entry_of(t, key) != NULL)
            memory += list_memory(entry_list(entry_of(t, key)));
    return memory;
}

static void remember(struct transactions *t)
{
    for (size_t key = 0; key < KEYS; key++) {
        const struct entry *entry = entry_of(t, key);
        t->before[key] = (struct snapshot){.list = NULL};
        if (entry != NULL)
            t->before[key] = (struct snapshot){
                .list = list_copy(entry_list(entry)),
                .stamp = {.version = entry_version(entry),
                          .expire_at_ms = entry_expire_at_ms(entry)},
            };
    }
    t->memory = lists_memory(t->fixture->store) - memory_of_lists(t);
}

static void assert_same_elements(const struct list *a, const struct list *b)
{
    struct list_cursor x, y;
    assert_int_equal(list_length(a), list_length(b));
    bool on = list_seek(a, &x, 0) && list_seek(b, &y, 0);
    for (; on; on = list_next(&x) && list_next(&y))
        assert_true(slice_equal(list_cursor_value(&x), list_cursor_value(&y)));
}

static void assert_as_before(struct transactions *t)
{
    for (size_t key = 0; key < KEYS; key++) {
        const struct entry *entry = entry_of(t, key);
        const struct snapshot *before = &t->before[key];
        assert_int_equal(entry != NULL, before->list != NULL);
        if (entry == NULL)
            continue;
        assert_true(list_is_sound(entry_list(entry)));
        assert_same_elements(entry_list(entry), before->list);
        assert_int_equal(entry_version(entry), before->stamp.version);
        assert_int_equal(entry_expire_at_ms(entry), before->stamp.expire_at_ms);
    }
    assert_int_equal(lists_memory(t->fixture->store) - memory_of_lists(t), t->memory);
}

static void forget_snapshots(struct transactions *t)
{
    for (size_t key = 0; key < KEYS; key++)
        list_free(t->before[key].list);
}

static uint32_t draw(struct transactions *t, uint32_t bound)
{
    return seeded_below(&t->random, bound);
}

static struct slice draw_element(struct transactions *t)
{
    return pool_at(pool_draw(&t->random));
}

/* Some operation that writes; `values` holds AT_ONCE, `key` one. */
static struct op draw_op(struct transactions *t, struct slice *values, struct op_key *key)
{
    static const enum op_kind kinds[] = {OP_L_PUSH,   OP_R_PUSH,   OP_L_PUSH, OP_R_PUSH, OP_L_POP,
                                         OP_R_POP,    OP_LIST_POP, OP_L_MOVE, OP_L_MOVE, OP_L_SET,
                                         OP_L_INSERT, OP_L_REM,    OP_L_TRIM, OP_L_TRIM, OP_DELETE};
    struct op op = {.kind = kinds[draw(t, (uint32_t)POOL_COUNT(kinds))],
                    .key = key_of(draw(t, KEYS)),
                    .value = draw_element(t),
                    .target = {.bytes = key_of(draw(t, KEYS))},
                    .values = values,
                    .value_count = 1 + draw(t, AT_ONCE),
                    .keys = key,
                    .key_count = 1};
    *key = (struct op_key){.bytes = op.key};
    if (op.kind == OP_L_INSERT) {
        op.insert.pivot = draw_element(t);
        op.insert.after = draw(t, 2) == 0;
    }
    if (op.kind == OP_L_MOVE || op.kind == OP_LIST_POP)
        op.move.end = draw(t, 2) == 0 ? OP_HEAD : OP_TAIL;
    if (op.kind == OP_L_MOVE)
        op.move.target_end = draw(t, 2) == 0 ? OP_HEAD : OP_TAIL;
    for (size_t i = 0; i < op.value_count; i++)
        values[i] = draw_element(t);
    op.count = (int64_t)draw(t, 9) - 4;
    if (op.kind == OP_LIST_POP)
        op.count = draw(t, 2 * AT_ONCE);
    if (op.kind != OP_L_REM && op.kind != OP_LIST_POP)
        op.start = draw(t, AT_ONCE);
    op.stop = -1 - (int64_t)draw(t, AT_ONCE);
    if ((op.kind == OP_L_PUSH || op.kind == OP_R_PUSH) && draw(t, 10) == 0)
        op.push.max_length = 1 + draw(t, 1000);
    if (draw(t, 10) == 0)
        op.expire_at_ms = KEYSPACE_NOW_MS + 1 + draw(t, 1000);
    return op;
}

static void apply_some(struct transactions *t)
{
    for (size_t count = 1 + draw(t, MOST); count > 0; count--) {
        struct slice values[AT_ONCE];
        struct op_key key;
        struct op op = draw_op(t, values, &key);
        struct op_result result = {0};
        apply_op(&t->ctx, &op, &result);
        if (result.err != ERR_OUT_OF_RANGE) /* of LSet */
            assert_int_equal(result.err, ERR_NONE);
        op_result_release(&result);
    }
}

static void transact(struct transactions *t, bool succeed)
{
    struct change_sink *sink = &t->fixture->sink;
    arena_reset(&t->fixture->arena);
    undo_init(&t->undo, &t->fixture->arena, SIZE_MAX);
    t->ctx = (struct op_context){.store = t->fixture->store,
                                 .sink = t->fixture->store->sink,
                                 .arena = &t->fixture->arena,
                                 .undo = &t->undo,
                                 .now_ms = KEYSPACE_NOW_MS};
    remember(t);
    apply_some(t);
    if (succeed)
        undo_discard(&t->undo, t->ctx.revision);
    else
        undo_roll_back(&t->undo);
    if (!succeed)
        assert_as_before(t);
    if (t->ctx.revision != 0)
        (succeed ? sink->end : sink->abort)(sink);
    forget_snapshots(t);
}

/* The fixture's replay checks the changes of those that succeed. */
static void test_random_transactions_are_rolled_back(void **state)
{
    struct transactions t = {.fixture = *state, .random = seeded_start()};
    for (size_t key = 0; key < KEYS; key++) { /* allocates what a table keeps after its first key */
        keyspace_apply(t.fixture, (struct op){.kind = OP_SET, .key = key_of(key)});
        keyspace_apply(t.fixture, (struct op){.kind = OP_DELETE, .key = key_of(key)});
    }
    for (size_t i = 0; i < ROUNDS; i++)
        transact(&t, draw(&t, 3) == 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, edit_setup, edit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pushes_are_dropped),
        TEST(test_what_was_dropped_comes_back_in_its_order),
        TEST(test_single_elements_come_back),
        TEST(test_a_created_list_is_gone_again),
        TEST(test_long_elements_are_shared_with_the_undo_log),
        cmocka_unit_test_setup_teardown(test_random_transactions_are_rolled_back, keyspace_setup,
                                        keyspace_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
