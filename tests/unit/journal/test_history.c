/* Tests of journal/history.c: commits in order, whichever ends first, within a bounded window. */
#include "journal/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "store/store.h"

#include <stdlib.h>

#define NOW_MS 1700000000000
#define LIMIT  ((size_t)64 * 1024)

/* A sink that gives the revisions, as the log does, and counts what it gets. */
struct log {
    struct change_sink sink; /* must be first: cast from it */
    uint64_t revision;
    size_t changes, ends, aborts;
};

static uint64_t log_begin(struct change_sink *sink)
{
    return ++((struct log *)sink)->revision;
}

static void log_change(struct change_sink *sink, const struct op *op)
{
    (void)op;
    ((struct log *)sink)->changes++;
}

static void log_end(struct change_sink *sink)
{
    ((struct log *)sink)->ends++;
}

static void log_abort(struct change_sink *sink)
{
    ((struct log *)sink)->aborts++;
    ((struct log *)sink)->revision--;
}

struct fixture {
    struct log log;
    struct store *store;
    struct history *history;
    struct change_sink *sink;
    struct arena arena;
    size_t news;
};

static void on_commit(void *user)
{
    ((struct fixture *)user)->news++;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->log.sink = (struct change_sink){
        .begin = log_begin, .change = log_change, .end = log_end, .abort = log_abort};
    fixture->store = store_new(&(struct store_options){.databases = 3});
    fixture->history = history_new(LIMIT, on_commit, fixture);
    arena_init(&fixture->arena);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    history_free(fixture->history);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture, uint64_t revision, bool has_log)
{
    fixture->log.revision = revision;
    fixture->sink = history_start(fixture->history, revision, has_log ? &fixture->log.sink : NULL);
    store_set_sink(fixture->store, fixture->sink);
}

static void apply(struct fixture *fixture, struct op op)
{
    struct op_result result;
    op.now_ms = NOW_MS;
    store_apply(fixture->store, &op, &fixture->arena, &result);
    op_result_release(&result);
}

static void set(struct fixture *fixture, const char *key, size_t size)
{
    static const uint8_t zeros[40000];
    apply(fixture, (struct op){.kind = OP_SET,
                               .key = slice_from_string(key),
                               .value = slice_make(zeros, size)});
}

/* What a reader sees: "revision kind key;" of each change. */
static void print_change(void *user, const struct op *change)
{
    char *text = user;
    size_t len = strlen(text);
    struct slice key = change->key_count > 0 ? change->keys[0].bytes : change->key;
    snprintf(text + len, 500 - len, " %s:%.*s%s%s", op_info(change->kind)->name, (int)key.len,
             key.len > 0 ? (const char *)key.data : "",
             change->kind == OP_DELETE && change->removal.cause == OP_CAUSE_EXPIRY ? "!" : "",
             change->kind == OP_L_MOVE && change->move.empties ? "-" : "");
}

static void assert_reads(struct fixture *fixture, uint64_t after, const char *expected)
{
    struct history_commit *commits[100];
    size_t count;
    char text[500] = "";
    assert_true(history_take(fixture->history, after, UINT64_MAX, commits, 100, &count));
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%d", i > 0 ? ", " : "",
                 (int)history_revision(commits[i]));
        struct history_reader reader = {.on_change = print_change, .user = text};
        history_each_change(commits[i], &fixture->arena, &reader);
        history_release(commits[i]);
    }
    assert_string_equal(text, expected);
}

static void test_commits_are_read_in_order(void **state)
{
    struct fixture *fixture = *state;
    for (int has_log = 0; has_log < 2; has_log++) {
        start(fixture, has_log ? 200 : 100, has_log);
        set(fixture, "a", 1);
        set(fixture, "b", 20000);
        apply(fixture, (struct op){.kind = OP_DELETE, .key = SLICE_LITERAL("a")});
        assert_reads(fixture, has_log ? 200 : 100,
                     has_log ? "201 Set:a, 202 Set:b, 203 Delete:a"
                             : "101 Set:a, 102 Set:b, 103 Delete:a");
        assert_reads(fixture, has_log ? 202 : 102, has_log ? "203 Delete:a" : "103 Delete:a");
        assert_int_equal(history_newest(fixture->history), has_log ? 203 : 103);
        assert_int_equal(history_oldest(fixture->history), has_log ? 200 : 100);
    }
    assert_int_equal(fixture->log.changes, 3);
    assert_int_equal(fixture->log.ends, 3);
    assert_int_equal(fixture->news, 6);
}

static void test_changes_keep_what_a_command_does_not_say(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0, true);
    struct slice value = SLICE_LITERAL("1");
    apply(fixture, (struct op){.kind = OP_SET,
                               .db = 2,
                               .key = SLICE_LITERAL("a"),
                               .value = value,
                               .expire_at_ms = NOW_MS + 1});
    struct op late = {.kind = OP_SET, .db = 2, .key = SLICE_LITERAL("a"), .value = value};
    late.now_ms = NOW_MS + 1;
    struct op_result result;
    store_apply(fixture->store, &late, &fixture->arena, &result);
    op_result_release(&result);
    apply(fixture,
          (struct op){
              .kind = OP_L_PUSH, .key = SLICE_LITERAL("list"), .values = &value, .value_count = 1});
    apply(fixture, (struct op){.kind = OP_L_MOVE,
                               .key = SLICE_LITERAL("list"),
                               .target.bytes = SLICE_LITERAL("to")});
    assert_reads(fixture, 0, "1 Set:a, 2 Delete:a! Set:a, 3 LPush:list, 4 LMove:list-");
}

static bool wants_b(void *user, uint32_t db, struct slice key)
{
    (void)user;
    (void)db;
    return slice_equal(key, SLICE_LITERAL("b"));
}

/* Without being decoded, changes of other keys are left out; those of several keys are not. */
static void test_a_reader_says_which_keys_it_wants(void **state)
{
    struct fixture *fixture = *state;
    struct history_commit *commits[10];
    struct slice value = SLICE_LITERAL("1");
    size_t count;
    char text[500] = "";
    start(fixture, 0, false);
    set(fixture, "a", 1);
    set(fixture, "b", 30000);
    apply(fixture,
          (struct op){
              .kind = OP_R_PUSH, .key = SLICE_LITERAL("list"), .values = &value, .value_count = 1});
    apply(fixture, (struct op){.kind = OP_RENAME,
                               .key = SLICE_LITERAL("list"),
                               .target.bytes = SLICE_LITERAL("b")});
    assert_true(history_take(fixture->history, 0, UINT64_MAX, commits, 10, &count));
    for (size_t i = 0; i < count; i++) {
        struct history_reader reader = {.wants = wants_b, .on_change = print_change, .user = text};
        history_each_change(commits[i], &fixture->arena, &reader);
        history_release(commits[i]);
    }
    assert_string_equal(text, " Set:b Rename:list");
}

static void test_an_aborted_commit_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    for (int has_log = 0; has_log < 2; has_log++) {
        start(fixture, 10, has_log);
        struct op set = {.kind = OP_SET, .key = SLICE_LITERAL("a"), .value = SLICE_LITERAL("1")};
        assert_int_equal(fixture->sink->begin(fixture->sink), 11);
        fixture->sink->change(fixture->sink, &set);
        fixture->sink->abort(fixture->sink);
        assert_int_equal(fixture->sink->begin(fixture->sink), 11);
        fixture->sink->end(fixture->sink);
        assert_reads(fixture, 10, "11");
    }
    assert_int_equal(fixture->log.aborts, 1);
}

/* A long commit does not exclude others, which readers get only after it. */
static void test_a_long_commit_keeps_its_place(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0, false);
    struct op change = {.kind = OP_DELETE, .key = SLICE_LITERAL("long")};
    struct change_sink *one = fixture->sink->open(fixture->sink);
    struct change_sink *other = fixture->sink->open(fixture->sink);
    assert_int_equal(one->begin(one), 1);
    assert_int_equal(other->begin(other), 2);
    set(fixture, "a", 1);
    other->change(other, &change);
    other->end(other);
    assert_reads(fixture, 0, "");
    assert_int_equal(history_newest(fixture->history), 0);
    assert_int_equal(fixture->news, 0);
    one->change(one, &change);
    one->abort(one);
    assert_reads(fixture, 0, "1, 2 Delete:long, 3 Set:a");
    assert_int_equal(fixture->news, 1);
}

static void test_the_window_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct history_commit *commits[10];
    size_t count;
    start(fixture, 0, false);
    for (unsigned i = 0; i < 5000; i++)
        set(fixture, "a", i % 100);
    assert_in_range(history_bytes(fixture->history), LIMIT / 2, LIMIT);
    uint64_t oldest = history_oldest(fixture->history);
    assert_false(history_take(fixture->history, oldest - 1, UINT64_MAX, commits, 10, &count));
    assert_true(history_take(fixture->history, oldest, UINT64_MAX, commits, 1, &count));
    set(fixture, "b", 40000); /* the commit that is being read remains */
    set(fixture, "b", 40000);
    assert_int_equal(history_revision(commits[0]), oldest + 1);
    history_release(commits[0]);
    assert_reads(fixture, 5001, "5002 Set:b"); /* the newest is kept */
}

/* Neither does a commit that takes long let it grow. */
static void test_the_window_is_bounded_while_a_commit_is_open(void **state)
{
    struct fixture *fixture = *state;
    struct history_commit *commits[10];
    size_t count;
    start(fixture, 0, false);
    struct change_sink *open = fixture->sink->open(fixture->sink);
    assert_int_equal(open->begin(open), 1);
    for (unsigned i = 0; i < 2000; i++)
        set(fixture, "a", 100);
    assert_true(history_bytes(fixture->history) <= LIMIT);
    open->end(open);
    assert_false(history_take(fixture->history, 0, UINT64_MAX, commits, 10, &count));
    uint64_t newest = history_newest(fixture->history);
    set(fixture, "b", 1);
    assert_int_equal(history_newest(fixture->history), 2002);
    assert_true(newest == 2001);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_commits_are_read_in_order),
        TEST(test_changes_keep_what_a_command_does_not_say),
        TEST(test_a_reader_says_which_keys_it_wants),
        TEST(test_an_aborted_commit_leaves_nothing),
        TEST(test_a_long_commit_keeps_its_place),
        TEST(test_the_window_is_bounded),
        TEST(test_the_window_is_bounded_while_a_commit_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
