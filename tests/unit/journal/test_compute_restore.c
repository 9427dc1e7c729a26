/* Tests of journal/compute_restore.c through the replay of a log; against Redis: test_compute.c. */
#include "support/resp_append.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/replay_fixture.h"

static void test_what_it_writes(void **state)
{
    struct replay_fixture *fixture = *state;
    struct slice hash[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("h"), SLICE_LITERAL("0"),
                           SLICE_LITERAL("\x04\x01\x01\x66\x01v\x0c\x00\0\0\0\0\0\0\0\0"),
                           SLICE_LITERAL("REPLACE")};
    struct slice text[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("t"), SLICE_LITERAL("5"),
                           SLICE_LITERAL("\x00\x01v\x0c\x00\0\0\0\0\0\0\0\0"),
                           SLICE_LITERAL("ABSTTL")};
    replay_add(fixture, "SET h 1");
    assert_true(resp_append(&fixture->log, hash, 5));
    assert_true(resp_append(&fixture->log, text, 5));
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"t\" @5 v3 = \"v\"\n");
    replay_expect_left_out(fixture, "hash (1: \"h\")");
}

int main(void)
{
    const struct CMUnitTest tests[] = {REPLAY_TEST(test_what_it_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
