/* Tests of store/ops/edit.c: changes of a list with its entry and its shard's accounting. */
#include "store/ops/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/lists_fixture.h"

#include "store/edit_fixture.h"

static void test_an_edit_creates_the_list(void **state)
{
    struct edit_fixture *fixture = *state;
    edit_remove_key(fixture);
    struct edit edit = edit_start(fixture);
    assert_int_equal(list_length(edit.list), 0);
    edit_push_words(&edit, LIST_HEAD, "a b");
    edit_push_words(&edit, LIST_TAIL, "c d");
    uint64_t version = edit_end(&edit, 0);
    assert_int_equal(version, fixture->ctx.revision);
    assert_int_equal(entry_version(fixture->at.entry), version);
    assert_int_equal(entry_expire_at_ms(fixture->at.entry), 0);
    assert_edited(fixture, "b a c d");
}

static void test_each_edit_gives_a_version(void **state)
{
    struct edit_fixture *fixture = *state;
    uint64_t before = entry_version(fixture->at.entry);
    struct edit edit = edit_start(fixture);
    edit_push_words(&edit, LIST_HEAD, "a");
    assert_int_equal(edit_end(&edit, 0), before + 1);
    assert_int_equal(entry_version(fixture->at.entry), before + 1);
    assert_edited(fixture, "a word");
}

static void test_an_edit_keeps_the_deadline_or_sets_it(void **state)
{
    struct edit_fixture *fixture = *state;
    static const struct {
        int64_t given, expected;
        size_t expiring;
    } cases[] = {{0, 0, 0}, {7000, 7000, 1}, {0, 7000, 1}, {8000, 8000, 1}, {8000, 8000, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edit edit = edit_start(fixture);
        edit_push_words(&edit, LIST_HEAD, "a");
        edit_end(&edit, cases[i].given);
        assert_ptr_equal(fixture->at.entry, edit_entry(fixture));
        assert_int_equal(entry_expire_at_ms(fixture->at.entry), cases[i].expected);
        assert_int_equal(fixture->at.database->expiring, cases[i].expiring);
    }
}

static void test_a_created_list_can_have_a_deadline(void **state)
{
    struct edit_fixture *fixture = *state;
    edit_remove_key(fixture);
    struct edit edit = edit_start(fixture);
    edit_push_words(&edit, LIST_HEAD, "a");
    edit_end(&edit, 7000);
    assert_int_equal(entry_expire_at_ms(edit_entry(fixture)), 7000);
    assert_int_equal(fixture->at.database->expiring, 1);
    edit_remove_key(fixture);
    assert_int_equal(fixture->at.database->expiring, 0);
}

static void assert_gone(struct edit_fixture *fixture, struct edit *edit)
{
    assert_int_equal(edit_end(edit, 0), 0);
    assert_null(fixture->at.entry);
    assert_null(edit_entry(fixture));
    assert_int_equal(fixture->at.shard->removed, fixture->ctx.revision);
    assert_int_equal(lists_memory(fixture->store), fixture->memory);
}

static void test_an_empty_list_is_removed(void **state)
{
    struct edit_fixture *fixture = *state;
    struct edit edit = edit_start(fixture);
    edit_drop(&edit, LIST_HEAD, 1);
    assert_gone(fixture, &edit);

    edit_make(fixture, "a b c d");
    edit = edit_start(fixture);
    edit_drop(&edit, LIST_TAIL, 1);
    edit_drop(&edit, LIST_TAIL, 3);
    assert_gone(fixture, &edit);

    edit_make(fixture, "a b");
    edit = edit_start(fixture);
    edit_trim(&edit, 1, 0);
    assert_gone(fixture, &edit);

    edit_make(fixture, "a b");
    edit = edit_start(fixture);
    struct list_cursor cursor;
    for (bool on = list_seek(edit.list, &cursor, 1); on;)
        on = edit_remove_here(&edit, &cursor, LIST_HEAD);
    assert_gone(fixture, &edit);
}

static void test_each_step_does_what_it_says(void **state)
{
    struct edit_fixture *fixture = *state;
    edit_make(fixture, "a b c d e f");
    struct edit edit = edit_start(fixture);
    edit_drop(&edit, LIST_HEAD, 1);
    edit_drop(&edit, LIST_TAIL, 0);
    edit_end(&edit, 0);
    assert_edited(fixture, "b c d e f");
    edit = edit_start(fixture);
    edit_trim(&edit, 1, 3);
    edit_end(&edit, 0);
    assert_edited(fixture, "c d e");
    edit = edit_start(fixture);
    edit_insert(&edit, 1, SLICE_LITERAL("x"));
    edit_insert(&edit, 4, SLICE_LITERAL("y"));
    edit_end(&edit, 0);
    assert_edited(fixture, "c x d e y");
    edit = edit_start(fixture);
    edit_replace(&edit, 2, SLICE_LITERAL("a longer one"));
    edit_end(&edit, 0);
    assert_edited(fixture, "c x a longer one e y");
    edit = edit_start(fixture);
    struct list_cursor cursor;
    assert_true(list_seek(edit.list, &cursor, 2));
    assert_true(edit_remove_here(&edit, &cursor, LIST_TAIL));
    assert_slice_is(list_cursor_value(&cursor), "e");
    edit_end(&edit, 0);
    assert_edited(fixture, "c x e y");
}

static void test_an_answer_is_pushed_as_it_lies(void **state)
{
    struct edit_fixture *fixture = *state;
    struct blob *blob = blob_copy(keyspace_long_bytes(0));
    struct op_value values[] = {{.bytes = blob_slice(blob), .blob = blob},
                                {.bytes = SLICE_LITERAL("short")}};
    struct edit edit = edit_start(fixture);
    edit_push_value(&edit, LIST_HEAD, &values[0]);
    edit_push_value(&edit, LIST_TAIL, &values[1]);
    edit_end(&edit, 0);
    assert_charged(fixture);
    const struct list *list = entry_list(edit_entry(fixture));
    assert_ptr_equal(list_peek_blob(list, 0), blob);
    assert_int_equal(atomic_load(&blob->holders), 2);
    assert_null(list_peek_blob(list, 2));
    edit = edit_start(fixture);
    edit_drop(&edit, LIST_HEAD, 1);
    edit_end(&edit, 0);
    assert_edited(fixture, "word short");
    blob_release(blob);
}

/* Many chunks and blobs are added and removed; the fixture checks that none stays charged. */
static void test_the_charge_follows_the_list(void **state)
{
    struct edit_fixture *fixture = *state;
    struct slice values[] = {SLICE_LITERAL("short"), keyspace_long_bytes(0), SLICE_LITERAL("123"),
                             SLICE_LITERAL("what takes more bytes than most of them")};
    for (size_t i = 0; i < 1000; i++) {
        struct edit edit = edit_start(fixture);
        edit_push(&edit, i % 3 == 0 ? LIST_HEAD : LIST_TAIL, values, i % 100 == 0 ? 4 : 1);
        edit_insert(&edit, list_length(edit.list) / 2, values[i % 50 == 0 ? 1 : 2]);
        edit_replace(&edit, i / 2, values[3 - (i % 3)]);
        edit_end(&edit, 0);
        assert_charged(fixture);
    }
    while (fixture->at.entry != NULL) {
        struct edit edit = edit_start(fixture);
        size_t length = list_length(edit.list);
        edit_drop(&edit, LIST_HEAD, length > 90 ? 90 : length);
        edit_end(&edit, 0);
        if (fixture->at.entry != NULL)
            assert_charged(fixture);
    }
}

/* A list that is dropped as a whole is kept for the undo log as it is. */
static void test_dropping_all_costs_the_undo_log_nothing(void **state)
{
    struct edit_fixture *fixture = *state;
    edit_make(fixture, "a b c");
    struct list *list = entry_list(fixture->at.entry);
    undo_init(&fixture->undo, &fixture->arena, SIZE_MAX);
    fixture->ctx.undo = &fixture->undo;
    fixture->ctx.revision = 0;
    struct edit edit = edit_start(fixture);
    edit_drop(&edit, LIST_HEAD, 3);
    edit_end(&edit, 0);
    assert_null(edit_entry(fixture));
    assert_int_equal(list_length(list), 3);
    undo_roll_back(&fixture->undo);
    fixture->ctx.undo = NULL;
    assert_ptr_equal(entry_list(edit_entry(fixture)), list);
    assert_edited(fixture, "a b c");
}

/* The undo log's cost does not grow with the number of dropped elements. */
static void test_dropping_many_costs_the_undo_log_little(void **state)
{
    struct edit_fixture *fixture = *state;
    static char texts[10000][8];
    static struct slice values[10000];
    for (size_t i = 0; i < 10000; i++)
        values[i] = slice_make(texts[i], (size_t)snprintf(texts[i], 8, "e%zu", i));
    edit_remove_key(fixture);
    struct edit edit = edit_start(fixture);
    edit_push(&edit, LIST_TAIL, values, 10000);
    edit_end(&edit, 0);
    size_t memory = list_memory(entry_list(edit_entry(fixture)));
    undo_init(&fixture->undo, &fixture->arena, 1000);
    fixture->ctx.undo = &fixture->undo;
    fixture->ctx.revision = 0;
    edit = edit_start(fixture);
    edit_drop(&edit, LIST_HEAD, 4000);
    edit_replace(&edit, 2000, SLICE_LITERAL("other"));
    edit_drop(&edit, LIST_TAIL, 5990);
    edit_push(&edit, LIST_HEAD, values, 1);
    edit_end(&edit, 0);
    assert_false(fixture->undo.is_full);
    assert_int_equal(list_length(edit.list), 11);
    assert_charged(fixture);
    undo_roll_back(&fixture->undo);
    fixture->ctx.undo = NULL;
    struct list *list = entry_list(edit_entry(fixture));
    struct list_cursor cursor;
    assert_true(list_is_sound(list));
    assert_int_equal(list_length(list), 10000);
    assert_true(list_memory(list) <= memory + 2 * CHUNK_MAX);
    for (bool on = list_seek(list, &cursor, 0); on; on = list_next(&cursor))
        assert_true(slice_equal(list_cursor_value(&cursor), values[cursor.index]));
    assert_charged(fixture);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, edit_setup, edit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_edit_creates_the_list),
        TEST(test_each_edit_gives_a_version),
        TEST(test_an_edit_keeps_the_deadline_or_sets_it),
        TEST(test_a_created_list_can_have_a_deadline),
        TEST(test_an_empty_list_is_removed),
        TEST(test_each_step_does_what_it_says),
        TEST(test_an_answer_is_pushed_as_it_lies),
        TEST(test_the_charge_follows_the_list),
        TEST(test_dropping_all_costs_the_undo_log_nothing),
        TEST(test_dropping_many_costs_the_undo_log_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
