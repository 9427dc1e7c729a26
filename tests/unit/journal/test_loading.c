/* Tests of journal/loading.c. */
#include "journal/loading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((size_t)1024 * 1024)

struct told {
    size_t calls;
    uint64_t done; /* of the newest call */
    size_t stop_at;
};

static bool on_progress(void *user, const struct loading_progress *progress)
{
    struct told *told = user;
    told->done = progress->done;
    return ++told->calls != told->stop_at;
}

static void test_progress_is_told_now_and_then(void **state)
{
    (void)state;
    struct told told = {0};
    struct loading loading = {.on_progress = on_progress, .user = &told};
    for (size_t offset = 0; offset <= 10 * MIB; offset += 1000)
        assert_true(loading_reach(&loading, offset));
    assert_in_range(told.calls, 10, 11);
    size_t calls = told.calls;
    /* The next file starts with a call. */
    loading_start_file(&loading, 10 * MIB);
    assert_true(loading_reach(&loading, 5));
    assert_int_equal(told.calls, calls + 1);
    assert_int_equal(told.done, 10 * MIB + 5);
}

static void test_nobody_has_to_listen(void **state)
{
    (void)state;
    struct loading loading = {0};
    assert_true(loading_reach(&loading, 100 * MIB));
    assert_int_equal(loading.progress.done, 100 * MIB);
}

static void test_it_can_be_stopped(void **state)
{
    (void)state;
    struct told told = {.stop_at = 3};
    struct loading loading = {.on_progress = on_progress, .user = &told};
    loading_start_file(&loading, 7);
    assert_true(loading_reach(&loading, 0));
    assert_true(loading_reach(&loading, MIB));
    assert_false(loading_reach(&loading, 2 * MIB));
    assert_int_equal(loading.verdict, LOADING_STOPPED);
    assert_int_equal(loading.offset, 2 * MIB);
}

static void test_reasons_are_printable(void **state)
{
    (void)state;
    struct loading loading = {0};
    loading_fail(&loading, LOADING_REFUSED, 0, "the command %s: no", "a\x1b[2J\xc5\n\x7f~");
    assert_string_equal(loading.why, "the command a?[2J???~: no");
}

static void test_the_first_failure_counts(void **state)
{
    (void)state;
    struct loading loading = {0};
    char longest[1000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_false(loading_fail(&loading, LOADING_DAMAGED, 17, "%d of %s", 3, longest));
    assert_false(loading_fail(&loading, LOADING_REFUSED, 18, "another"));
    assert_int_equal(loading.verdict, LOADING_DAMAGED);
    assert_int_equal(loading.offset, 17);
    assert_int_equal(strlen(loading.why), sizeof loading.why - 1);
    assert_int_equal(strncmp(loading.why, "3 of xxx", 8), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress_is_told_now_and_then),
        cmocka_unit_test(test_nobody_has_to_listen),
        cmocka_unit_test(test_it_can_be_stopped),
        cmocka_unit_test(test_reasons_are_printable),
        cmocka_unit_test(test_the_first_failure_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
