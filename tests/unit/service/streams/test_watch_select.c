/* Tests of service/streams/watch_select.c: what selectors select. */
#include "service/streams/watch_select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "service/check.h"

static const struct check_limits limits = {.databases = 16};

static struct watch_selector selector(enum watch_kind kind, uint32_t db, const char *text)
{
    return (struct watch_selector){.kind = kind, .db = db, .text = slice_from_string(text)};
}

static void test_what_is_selected(void **state)
{
    (void)state;
    struct watch_selector key = selector(WATCH_KEY, 1, "ab"), all = selector(WATCH_PREFIX, 1, ""),
                          prefix = selector(WATCH_PREFIX, 1, "ab"),
                          glob = selector(WATCH_PATTERN, 1, "a[bc]?");
    struct slice ab = SLICE_LITERAL("ab"), abc = SLICE_LITERAL("abc"), a = SLICE_LITERAL("a");
    assert_true(watch_select_matches(&key, 1, ab));
    assert_false(watch_select_matches(&key, 1, abc));
    assert_false(watch_select_matches(&key, 0, ab));
    assert_true(watch_select_matches(&prefix, 1, abc) && watch_select_matches(&prefix, 1, ab));
    assert_false(watch_select_matches(&prefix, 1, a));
    assert_true(watch_select_matches(&all, 1, a));
    assert_true(watch_select_matches(&glob, 1, abc));
    assert_false(watch_select_matches(&glob, 1, ab));
}

static void test_the_literal_text(void **state)
{
    (void)state;
    struct watch_selector glob = selector(WATCH_PATTERN, 0, "user:?[x]"),
                          prefix = selector(WATCH_PREFIX, 0, "a*"),
                          any = selector(WATCH_PATTERN, 0, "*");
    assert_true(slice_equal(watch_select_literal(&glob), SLICE_LITERAL("user:")));
    assert_true(slice_equal(watch_select_literal(&prefix), SLICE_LITERAL("a*")));
    assert_int_equal(watch_select_literal(&any).len, 0);
}

static void test_which_events_are_wanted(void **state)
{
    (void)state;
    struct watch_selector selectors[] = {selector(WATCH_KEY, 1, "a"), selector(WATCH_KEY, 1, "b")};
    struct watch_select select = {.selectors = selectors,
                                  .count = 2,
                                  .databases = 1u << 1,
                                  .types = 1u << WATCH_WRITE | 1u << WATCH_FLUSH};
    struct watch_event event = {.type = WATCH_WRITE, .db = 1, .key = SLICE_LITERAL("b")};
    assert_true(watch_select_wants(&select, &event));
    event.type = WATCH_DELETE;
    assert_false(watch_select_wants(&select, &event));
    event = (struct watch_event){.type = WATCH_FLUSH, .db = 1};
    assert_true(watch_select_wants(&select, &event));
    event.db = 2;
    assert_false(watch_select_wants(&select, &event));
    event.db = 1000; /* a log of another server may have it */
    assert_false(watch_select_wants(&select, &event));
}

static void test_copies(void **state)
{
    (void)state;
    struct watch_selector selectors[] = {selector(WATCH_KEY, 1, "a"),
                                         selector(WATCH_PREFIX, 2, "bcd")};
    struct watch_select select = {.selectors = selectors, .count = 2, .types = WATCH_ALL_TYPES};
    struct watch_select *copy = watch_select_copy(&select), *changed = watch_select_copy(&select);
    assert_true(watch_select_equal(copy, &select));
    assert_ptr_not_equal(copy->selectors[1].text.data, selectors[1].text.data);
    changed->selectors[1].kind = WATCH_PATTERN;
    assert_false(watch_select_equal(changed, &select));
    changed->selectors[1].kind = WATCH_PREFIX;
    changed->with_changes = true;
    assert_false(watch_select_equal(changed, &select));
    free(copy);
    free(changed);
}

static void test_requests(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct watch_select select;
    const char *why = NULL;
    Keystore__V1__WatchRequest__Selector one = KEYSTORE__V1__WATCH_REQUEST__SELECTOR__INIT,
                                         *list[] = {&one};
    Keystore__V1__WatchRequest request = KEYSTORE__V1__WATCH_REQUEST__INIT;
    Keystore__V1__EventType types[] = {KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_DELETE};
    request.selectors = list;
    assert_int_equal(watch_select_decode(&request, &limits, &arena, &select, &why),
                     ERR_BAD_ARGUMENT);
    assert_non_null(why);
    request.n_selectors = 1;
    assert_int_equal(watch_select_decode(&request, &limits, &arena, &select, &why),
                     ERR_BAD_ARGUMENT);
    one.selector_case = KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PREFIX;
    one.db = 5;
    assert_int_equal(watch_select_decode(&request, &limits, &arena, &select, &why), ERR_NONE);
    assert_int_equal(select.types, WATCH_ALL_TYPES);
    assert_int_equal(select.databases, 1u << 5);
    request.types = types;
    request.n_types = 1;
    assert_int_equal(watch_select_decode(&request, &limits, &arena, &select, &why), ERR_NONE);
    assert_int_equal(select.types, 1u << WATCH_DELETE);
    one.db = 16;
    assert_int_equal(watch_select_decode(&request, &limits, &arena, &select, &why),
                     ERR_BAD_ARGUMENT);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_selected),
        cmocka_unit_test(test_the_literal_text),
        cmocka_unit_test(test_which_events_are_wanted),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
