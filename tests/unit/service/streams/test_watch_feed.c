/* Tests of service/streams/watch_feed.c: members of groups, those that fall behind, and those that
 * hear nothing for long. */
#include "service/streams/watch_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "engine/embedded.h"
#include "service/streams/host.h"
#include "store/store.h"

#define NOW_MS 1700000000000

struct fixture;

struct member {
    struct watch_member member; /* first: it is found by it */
    size_t news, behind;
    uint64_t after;
    bool leaves; /* when it hears of something */
};

struct fixture {
    struct engine *engine;
    struct stream_host host;
    struct arena arena;
    size_t wakes;
};

static void wake(void *user)
{
    ((struct fixture *)user)->wakes++;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct waker waker = {.wake = wake, .user = fixture};
    fixture->engine = embedded_new(&(struct store_options){.databases = 2}, 1);
    engine_set_waker(fixture->engine, 0, waker);
    stream_host_init(&fixture->host);
    fixture->host.engine = fixture->engine;
    fixture->host.waker = waker;
    arena_init(&fixture->arena);
    *state = fixture;
    return 0;
}

/* Everything is gone with the last member. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;
    assert_null(fixture->host.watch_feed);
    assert_int_equal(fixture->host.count, 0);
    stream_host_deinit(&fixture->host);
    embedded_free(fixture->engine);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static void on_news(struct watch_member *member)
{
    struct member *own = (struct member *)member;
    own->news++;
    if (own->leaves)
        watch_feed_leave(member);
}

static void on_behind(struct watch_member *member, uint64_t after, bool is_within)
{
    struct member *own = (struct member *)member;
    assert_false(is_within);
    own->behind++;
    own->after = after;
}

static void join(struct fixture *fixture, const char *prefix, struct member *member)
{
    struct watch_selector selector = {.kind = WATCH_PREFIX, .text = slice_from_string(prefix)};
    struct watch_select select = {
        .selectors = &selector, .count = 1, .types = WATCH_ALL_TYPES, .databases = 1};
    enum err err;
    const char *why;
    *member = (struct member){.member = {.on_news = on_news, .on_behind = on_behind}};
    assert_true(watch_feed_join(&fixture->host, &select, &member->member, &err, &why));
    watch_feed_go_live(&member->member);
}

static uint64_t set(struct fixture *fixture, const char *key)
{
    struct op op = {.kind = OP_SET,
                    .key = slice_from_string(key),
                    .value = SLICE_LITERAL("value"),
                    .now_ms = NOW_MS};
    struct op_result result;
    store_apply(embedded_store(fixture->engine), &op, &fixture->arena, &result);
    op_result_release(&result);
    arena_reset(&fixture->arena);
    return result.version;
}

static void run(struct fixture *fixture)
{
    do {
        fixture->wakes = 0;
        stream_resume_all(&fixture->host);
    } while (fixture->wakes > 0);
}

static size_t take_all(struct member *member)
{
    size_t bytes = 0;
    while (member->member.page != NULL) {
        bytes += member->member.page->size;
        watch_feed_advance(&member->member);
    }
    return bytes;
}

static void test_members_with_the_same_selection_share_pages(void **state)
{
    struct fixture *fixture = *state;
    struct member one, same, other;
    join(fixture, "a", &one);
    join(fixture, "a", &same);
    join(fixture, "b", &other);
    assert_ptr_equal(one.member.group, same.member.group);
    set(fixture, "a1");
    run(fixture);
    assert_non_null(one.member.page);
    assert_ptr_equal(one.member.page, same.member.page);
    assert_null(other.member.page);
    assert_int_equal(one.news + same.news + other.news, 2);
    assert_true(take_all(&one) > 0);
    set(fixture, "a2");
    run(fixture);
    assert_ptr_equal(same.member.page->next, one.member.page);
    watch_feed_leave(&one.member);
    watch_feed_leave(&same.member);
    watch_feed_leave(&other.member);
}

/* Pages are kept up to a limit; then those who have not taken them have to read for themselves. */
static void test_a_member_that_takes_nothing_falls_behind(void **state)
{
    struct fixture *fixture = *state;
    struct member slow, quick;
    char key[5000] = "a";
    memset(key + 1, 'x', sizeof key - 2);
    join(fixture, "a", &slow);
    join(fixture, "a", &quick);
    uint64_t start = watch_feed_position(&slow.member);
    for (int i = 0; i < 400; i++) {
        set(fixture, key);
        run(fixture);
        assert_true(take_all(&quick) > 4000);
    }
    assert_int_equal(slow.behind, 1);
    assert_int_equal(slow.after, start);
    assert_false(slow.member.is_live);
    assert_int_equal(quick.behind, 0);
    watch_feed_leave(&slow.member);
    watch_feed_leave(&quick.member);
}

static void test_members_leave_when_they_hear_of_something(void **state)
{
    struct fixture *fixture = *state;
    struct member members[10];
    for (int i = 0; i < 10; i++) {
        join(fixture, i % 2 == 0 ? "a" : "ab", &members[i]);
        members[i].leaves = i != 7;
    }
    set(fixture, "abc");
    run(fixture);
    for (int i = 0; i < 10; i++)
        assert_int_equal(members[i].news, 1);
    watch_feed_leave(&members[7].member);
}

/* The worker was held up, and the history has gone on: nobody may believe to have had
 * everything. */
static void test_all_fall_behind_with_the_feed(void **state)
{
    struct fixture *fixture = *state;
    struct member with_page, without;
    embedded_set_history(fixture->engine, 64 << 10);
    join(fixture, "a", &with_page);
    join(fixture, "b", &without);
    uint64_t start = watch_feed_position(&without.member);
    uint64_t last = set(fixture, "a");
    run(fixture);
    assert_non_null(with_page.member.page);
    for (int i = 0; i < 5000; i++)
        set(fixture, i % 2 == 0 ? "a" : "b");
    run(fixture);
    assert_int_equal(with_page.behind, 1);
    assert_int_equal(with_page.after, start);
    assert_null(with_page.member.page);
    assert_int_equal(without.behind, 1);
    assert_int_equal(without.after, last);
    assert_int_equal(watch_feed_position(&without.member), last + 5000);
    watch_feed_leave(&with_page.member);
    watch_feed_leave(&without.member);
}

/* A member that is not live is called when the feed has read more. */
static void test_a_member_awaits_news(void **state)
{
    struct fixture *fixture = *state;
    struct member live, waiting;
    join(fixture, "a", &live);
    join(fixture, "a", &waiting);
    watch_feed_leave(&waiting.member);
    struct watch_select select = *watch_feed_selection(&live.member);
    enum err err;
    const char *why;
    assert_true(watch_feed_join(&fixture->host, &select, &waiting.member, &err, &why));
    waiting.member.page = NULL;
    waiting.member.is_live = false;
    watch_feed_await(&waiting.member);
    run(fixture);
    assert_int_equal(waiting.news, 0);
    uint64_t version = set(fixture, "other");
    run(fixture);
    assert_int_equal(waiting.news, 1);
    assert_int_equal(watch_feed_position(&waiting.member), version);
    watch_feed_leave(&waiting.member);
    watch_feed_leave(&live.member);
}

static uint64_t measure(struct fixture *fixture, int64_t *now_ms)
{
    struct stream_counts counts = {0};
    watch_feed_measure(&fixture->host, *now_ms);
    *now_ms += 100;
    stream_counts_add(&counts, &fixture->host.counters);
    return counts.watch_lag;
}

/* It is that of the slowest: of those that are live, and of those that read for themselves. */
static void test_the_lag(void **state)
{
    struct fixture *fixture = *state;
    struct member slow, quick, apart;
    int64_t now_ms = 1000;
    assert_int_equal(measure(fixture, &now_ms), 0);
    join(fixture, "a", &slow);
    join(fixture, "a", &quick);
    assert_int_equal(measure(fixture, &now_ms), 0);
    for (int i = 0; i < 7; i++)
        set(fixture, "a");
    assert_int_equal(measure(fixture, &now_ms), 7); /* the feed has not read them */
    run(fixture);
    take_all(&quick);
    assert_int_equal(measure(fixture, &now_ms), 7);
    for (int i = 0; i < 5; i++)
        set(fixture, "b"); /* which nobody wants */
    run(fixture);
    assert_int_equal(measure(fixture, &now_ms), 12);
    take_all(&slow);
    assert_int_equal(measure(fixture, &now_ms), 0);
    join(fixture, "c", &apart);
    apart.member.is_live = false;
    apart.member.reached = watch_feed_position(&slow.member) - 3;
    assert_int_equal(measure(fixture, &now_ms), 3);
    watch_feed_note_sent(&apart.member);
    watch_feed_note_sent(&slow.member);
    now_ms -= 50;
    apart.member.reached++;
    assert_int_equal(measure(fixture, &now_ms), 3); /* it is not looked at all the time */
    assert_int_equal(measure(fixture, &now_ms), 2);
    watch_feed_leave(&apart.member);
    watch_feed_leave(&slow.member);
    set(fixture, "a");
    assert_int_equal(measure(fixture, &now_ms), 1);
    watch_feed_leave(&quick.member);
    assert_int_equal(measure(fixture, &now_ms), 0);
}

/* A few at a time, and members may leave or send something in between. */
static void test_the_lag_of_many(void **state)
{
    struct fixture *fixture = *state;
    static struct member members[2500];
    int64_t now_ms = 1000;
    for (size_t i = 0; i < 2500; i++)
        join(fixture, "a", &members[i]);
    set(fixture, "a");
    run(fixture);
    for (size_t i = 0; i < 2499; i++)
        take_all(&members[i]);
    assert_int_equal(measure(fixture, &now_ms), 0);
    watch_feed_leave(&members[1000].member);     /* the next one, */
    watch_feed_note_sent(&members[1001].member); /* and then that */
    assert_int_equal(measure(fixture, &now_ms), 0);
    assert_int_equal(measure(fixture, &now_ms), 1);
    for (size_t i = 0; i < 2500; i++)
        watch_feed_leave(&members[i].member);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_members_with_the_same_selection_share_pages),
        TEST(test_a_member_that_takes_nothing_falls_behind),
        TEST(test_members_leave_when_they_hear_of_something),
        TEST(test_all_fall_behind_with_the_feed),
        TEST(test_a_member_awaits_news),
        TEST(test_the_lag),
        TEST(test_the_lag_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
