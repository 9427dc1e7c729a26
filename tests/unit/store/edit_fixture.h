/*
 * A store of one key whose list a test edits step by step, with or without an undo log. A test uses
 * edit_setup and edit_teardown, which keep a struct edit_fixture in *state; the teardown checks
 * that nothing stays charged. Included after "store/keyspace_fixture.h" and
 * "store/lists_fixture.h".
 */
#ifndef KEYSTORE_TESTS_EDIT_FIXTURE_H
#define KEYSTORE_TESTS_EDIT_FIXTURE_H

#include "store/ops/edit.h"
#include "store/ops/undo.h"

struct edit_fixture {
    struct store *store;
    struct arena arena;
    struct op_context ctx;
    struct undo undo;
    struct lookup at;
    size_t memory; /* of the store when it was empty */
    size_t rest;   /* of the store with a list that has no deadline, but for the list */
};

static inline void edit_remove_key(struct edit_fixture *fixture)
{
    fixture->at = apply_lookup_write(&fixture->ctx, 0, SLICE_LITERAL("key"), 0);
    if (fixture->at.entry != NULL)
        apply_remove(&fixture->ctx, &fixture->at);
}

/* Starts the next commit. */
static inline struct edit edit_start(struct edit_fixture *fixture)
{
    if (fixture->ctx.undo == NULL)
        fixture->ctx.revision = 0;
    fixture->at = apply_lookup_write(&fixture->ctx, 0, SLICE_LITERAL("key"), 0);
    return edit_begin(&fixture->ctx, &fixture->at);
}

static inline void edit_push_words(struct edit *edit, enum list_end end, const char *text)
{
    struct slice words[MAX_WORDS];
    edit_push(edit, end, words, lists_split(text, words));
}

/* The key's list is now these words. */
static inline void edit_make(struct edit_fixture *fixture, const char *text)
{
    edit_remove_key(fixture);
    struct edit edit = edit_start(fixture);
    edit_push_words(&edit, LIST_TAIL, text);
    edit_end(&edit, 0);
}

static inline int edit_setup(void **state)
{
    struct edit_fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_new(&(struct store_options){.databases = 1});
    arena_init(&fixture->arena);
    fixture->ctx = (struct op_context){.store = fixture->store, .arena = &fixture->arena};
    fixture->at = apply_lookup_write(&fixture->ctx, 0, SLICE_LITERAL("key"), 0);
    apply_put_string(&fixture->ctx, &fixture->at, SLICE_LITERAL(""), 0);
    apply_remove(&fixture->ctx, &fixture->at);
    fixture->memory = lists_memory(fixture->store);
    edit_make(fixture, "word");
    fixture->rest = lists_memory(fixture->store) - list_memory(entry_list(fixture->at.entry));
    *state = fixture;
    return 0;
}

static inline int edit_teardown(void **state)
{
    struct edit_fixture *fixture = *state;
    assert_null(fixture->ctx.undo);
    edit_remove_key(fixture);
    assert_int_equal(lists_memory(fixture->store), fixture->memory);
    store_free(fixture->store);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static inline const struct entry *edit_entry(struct edit_fixture *fixture)
{
    return apply_lookup_read(&fixture->ctx, 0, SLICE_LITERAL("key"), 0).entry;
}

/* The slab counts the list as it is. */
static inline void assert_charged(struct edit_fixture *fixture)
{
    const struct list *list = entry_list(edit_entry(fixture));
    assert_true(list_is_sound(list));
    assert_int_equal(lists_memory(fixture->store), fixture->rest + list_memory(list));
}

/* The list is these words. */
static inline void assert_edited(struct edit_fixture *fixture, const char *words)
{
    struct op_result result = {0};
    struct op op = {.kind = OP_L_RANGE, .key = SLICE_LITERAL("key"), .stop = -1};
    assert_charged(fixture);
    apply_op(&fixture->ctx, &op, &result);
    assert_values_are(&result, words);
    op_result_release(&result);
}

#endif
