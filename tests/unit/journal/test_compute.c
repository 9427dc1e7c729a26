/* Tests of journal/compute.c with commands that redis-server 7.0 does not have. What 7.0 logs is
 * computed in tests/redis/test_compute.c. */
#include "journal/compute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

#include "journal/replay_fixture.h"

/* All words of SET and of deletions on a value; what the condition is not true of stays. */
static void conditions_on_values_are_checked(void **state)
{
    struct replay_fixture *fixture = *state;
    static const char *const commands[] = {"SET a 1",
                                           "SET a 2 IFEQ 1",
                                           "SET a 3 IFEQ 1",
                                           "SET none 1 IFEQ 1",
                                           "SET b 1",
                                           "SET b 2 IFNE 2",
                                           "SET b 3 IFNE 2",
                                           "SET c 1 IFNE 1",
                                           "SET d 1 PXAT 9000",
                                           "SET d 2 IFEQ 1 KEEPTTL",
                                           "SET d 3 IFEQ 1 GET",
                                           "SET e 1",
                                           "DELIFEQ e 2",
                                           "SET f 1",
                                           "DELIFEQ f 1",
                                           "SET g 1",
                                           "DELEX g IFEQ 1",
                                           "SET h 1",
                                           "DELEX h IFEQ 2",
                                           "SET i 1",
                                           "DELEX i IFNE 2",
                                           "SET j 1",
                                           "DELEX j",
                                           "SET k 1",
                                           "DELEX k IFNE 1"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        replay_add(fixture, commands[i]);
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"a\" @0 v2 = \"2\"\n"
                                      "0 \"b\" @0 v6 = \"2\"\n"
                                      "0 \"c\" @0 v8 = \"1\"\n"
                                      "0 \"d\" @9000 v10 = \"2\"\n"
                                      "0 \"e\" @0 v12 = \"1\"\n"
                                      "0 \"h\" @0 v18 = \"1\"\n"
                                      "0 \"k\" @0 v24 = \"1\"\n");
}

/* Whatever is read or kept of a key that was left out is not known. */
static void what_was_left_out_decides_nothing(void **state)
{
    struct replay_fixture *fixture = *state;
    static const char *const commands[] = {
        "SADD a 1",       "SET a x IFEQ 1", "SADD b 1",
        "DELEX b IFNE x", "SADD c 1",       "MSETEX 2 d 1 c 2 KEEPTTL",
        "SADD e 1",       "MSETEX 1 e 2",   "SADD s 1",
        "SET t 1",        "BITOP ONE t t s"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        replay_add(fixture, commands[i]);
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"e\" @0 v8 = \"2\"\n");
}

static void several_keys_are_set_with_one_deadline(void **state)
{
    struct replay_fixture *fixture = *state;
    static const char *const bad[] = {"MSETEX 2 a 1",       "MSETEX 0 a 1",
                                      "MSETEX -1 a 1",      "MSETEX x a 1",
                                      "MSETEX 1 a 1 LATER", "MSETEX 4611686018427387905 a 1",
                                      "MSETEX 1 a 1 PXAT"};
    replay_add(fixture, "SET kept 0 PXAT 7000");
    replay_add(fixture, "SET lost 0 PXAT 7000");
    replay_add(fixture, "MSETEX 2 a 1 b 2 PXAT 9000");
    replay_add(fixture, "MSETEX 2 c 1 c 2 NX EXAT 8");
    replay_add(fixture, "MSETEX 1 kept 1 XX KEEPTTL");
    replay_add(fixture, "MSETEX 1 lost 1");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"a\" @9000 v3 = \"1\"\n"
                                      "0 \"b\" @9000 v3 = \"2\"\n"
                                      "0 \"c\" @8000 v4 = \"2\"\n"
                                      "0 \"kept\" @7000 v5 = \"1\"\n"
                                      "0 \"lost\" @0 v6 = \"1\"\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&fixture->log, SIZE_MAX);
        fixture->loading.verdict = LOADING_DONE;
        replay_add(fixture, bad[i]);
        replay_expect_end(fixture, LOADING_DAMAGED, 0, "MSETEX");
    }
}

/* a = 0110 0001, b = 0110 0010, c = 0110 0011, in the second byte only a and b. */
static void bits_are_combined_as_in_redis_8(void **state)
{
    struct replay_fixture *fixture = *state;
    static const struct {
        const char *command;
        const char *result; /* of two bytes; NULL: no key */
    } cases[] = {
        {"BITOP DIFF r a b", "\x01\x01"},    {"BITOP DIFF1 r a b", "\x02\x02"},
        {"BITOP ANDOR r a b", "\x60\x60"},   {"BITOP ONE r a b", "\x03\x03"},
        {"BITOP DIFF r a b c", "\x00\x01"},  {"BITOP DIFF1 r c a b", "\x00\x63"},
        {"BITOP ANDOR r c a b", "\x63\x00"}, {"BITOP ONE r a b c", "\x00\x03"},
        {"BITOP diff r c b", "\x01\x00"},    {"BITOP ONE r none none", NULL},
    };
    replay_add(fixture, "SET a aa");
    replay_add(fixture, "SET b bb");
    replay_add(fixture, "SET c c");
    replay_add(fixture, "SET r old PXAT 5");
    assert_true(replay_run(fixture));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&fixture->log, SIZE_MAX);
        replay_add(fixture, cases[i].command);
        assert_true(replay_run(fixture));
        const struct entry *entry = keyspace_look(fixture->store, 0, SLICE_LITERAL("r")).entry;
        assert_int_equal(entry != NULL, cases[i].result != NULL);
        if (entry == NULL)
            continue;
        if (!slice_equal(entry_string(entry), slice_make(cases[i].result, 2)))
            fail_msg("%s", cases[i].command);
        assert_int_equal(entry_expire_at_ms(entry), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPLAY_TEST(conditions_on_values_are_checked),
        REPLAY_TEST(what_was_left_out_decides_nothing),
        REPLAY_TEST(several_keys_are_set_with_one_deadline),
        REPLAY_TEST(bits_are_combined_as_in_redis_8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
