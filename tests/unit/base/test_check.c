/* Tests of base/check.h: how failed assertions end the process, and which walks are skipped. */
#include "base/check.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"

static int answer = 42; /* not a constant, for the compiler */

static void assert_aborts_saying(void (*act)(void), const char *text)
{
    char said[2048];
    int status = status_of_child(act, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(said, text);
}

static void assert_ends_silently(void (*act)(void))
{
    char said[2048];
    assert_int_equal(status_of_child(act, said, sizeof said), 0);
    assert_string_equal(said, "");
}

static void hold(void)
{
    CHECK(answer == 42);
    DCHECK(answer == 42);
    DCHECK_SOUND(answer == 42, 1);
}

static void test_what_holds_goes_on(void **state)
{
    (void)state;
    assert_ends_silently(hold);
}

static const int line_of_check = __LINE__ + 4;

static void fail_check(void)
{
    CHECK(answer < 42);
}

static void reach_what_is_out_of_reach(void)
{
    CHECK_NEVER("all kinds have been seen");
}

static void test_what_does_not_hold_is_named_with_its_place(void **state)
{
    (void)state;
    char said[2048], wanted[100];
    int status = status_of_child(fail_check, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    snprintf(wanted, sizeof wanted, "test_check.c:%d: check failed: answer < 42\n", line_of_check);
    assert_non_null(strstr(said, wanted));
    status = status_of_child(reach_what_is_out_of_reach, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(said, ": check failed: all kinds have been seen\n"));
}

static void fail_elsewhere(void)
{
    check_failed("/home/src/keystore/src/store/data/dict.c", 7, "0 < answer");
}

static void test_paths_are_relative_to_the_source_tree(void **state)
{
    (void)state;
    assert_aborts_saying(fail_elsewhere,
                         "keystore: src/store/data/dict.c:7: check failed: 0 < answer\n");
}

static void fail_at_length(void)
{
    static char expression[1000];
    memset(expression, 'x', sizeof expression - 1);
    check_failed("src/a.c", 1, expression);
}

static void test_a_message_that_is_too_long_is_cut(void **state)
{
    (void)state;
    char said[2048];
    int status = status_of_child(fail_at_length, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(strlen(said), 511);
}

static void lack_memory(void)
{
    check_out_of_memory(123);
}

static void lack_some_memory(void)
{
    check_out_of_memory(0);
}

static void lack_entropy(void)
{
    check_system_failed("getrandom", ENOSYS);
}

static void test_what_the_system_refuses_is_named(void **state)
{
    (void)state;
    assert_aborts_saying(lack_memory, "keystore: out of memory while allocating 123 bytes\n");
    assert_aborts_saying(lack_some_memory, "keystore: out of memory\n");
    assert_aborts_saying(lack_entropy, "keystore: getrandom failed: Function not implemented\n");
}

static bool count_evaluation(void)
{
    answer++;
    return false;
}

static void evaluate(void)
{
    DCHECK(count_evaluation());
    _exit(answer == 42 ? 0 : 1);
}

static void evaluate_sound(void)
{
    DCHECK_SOUND(count_evaluation(), 1);
    _exit(answer == 42 ? 0 : 1);
}

/* They abort where KEYSTORE_DEBUG is defined; elsewhere they are not even evaluated. */
static void test_checks_of_debug_builds_cost_nothing_in_a_release(void **state)
{
    (void)state;
    void (*const acts[])(void) = {evaluate, evaluate_sound};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
#ifdef KEYSTORE_DEBUG
        char said[2048];
        int status = status_of_child(acts[i], said, sizeof said);
        assert_true(WIFSIGNALED(status));
        assert_non_null(strstr(said, "check failed: count_evaluation()"));
#else
        assert_ends_silently(acts[i]);
#endif
    }
}

struct calls {
    size_t count;
    size_t size; /* of the structure */
    size_t walks;
};

/* On a new thread, which has no credit yet. */
static void *ask(void *user)
{
    struct calls *calls = user;
    for (size_t i = 0; i < calls->count; i++)
        calls->walks += !check_is_spared(calls->size);
    return NULL;
}

static size_t count_walks(size_t count, size_t size)
{
    struct calls calls = {.count = count, .size = size};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, &calls), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return calls.walks;
}

static void test_walks_are_made_when_they_have_been_earned(void **state)
{
    (void)state;
    assert_int_equal(count_walks(1000, 1), 1000);
    assert_int_equal(count_walks(1000, CHECK_STEPS), 1000);
    assert_int_equal(count_walks(1000, 10 * CHECK_STEPS), 100);
    assert_int_equal(count_walks(1000, 1000 * CHECK_STEPS), 1);
    assert_int_equal(count_walks(1000, 1001 * CHECK_STEPS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_holds_goes_on),
        cmocka_unit_test(test_what_does_not_hold_is_named_with_its_place),
        cmocka_unit_test(test_paths_are_relative_to_the_source_tree),
        cmocka_unit_test(test_a_message_that_is_too_long_is_cut),
        cmocka_unit_test(test_what_the_system_refuses_is_named),
        cmocka_unit_test(test_checks_of_debug_builds_cost_nothing_in_a_release),
        cmocka_unit_test(test_walks_are_made_when_they_have_been_earned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
