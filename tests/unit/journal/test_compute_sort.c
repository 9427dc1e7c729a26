/* Tests of journal/compute_sort.c through the replay of a log; against Redis: test_compute.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/replay_fixture.h"

static void test_what_it_writes(void **state)
{
    struct replay_fixture *fixture = *state;
    replay_add(fixture, "RPUSH l 3 1 2");
    replay_add(fixture, "SORT l DESC LIMIT 0 2 STORE r");
    replay_add(fixture, "SADD s 1");
    replay_add(fixture, "SET over 1");
    replay_add(fixture, "SORT s STORE over");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store,
                      "0 \"l\" @0 v1 = [ \"3\" \"1\" \"2\" ]\n0 \"r\" @0 v2 = [ \"3\" \"2\" ]\n");
    replay_expect_left_out(fixture, "SADD (1: \"s\"), SORT (1: \"over\")");
}

int main(void)
{
    const struct CMUnitTest tests[] = {REPLAY_TEST(test_what_it_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
