/* Tests of journal/replay.c. */
#include "journal/replay.h"

#include "journal/batch.h"
#include "store/op.h"
#include "store/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "journal/store_text.h"
#include "journal/words.h"

struct fixture {
    struct store *store;
    struct loading loading;
    struct buf log;
    struct replay_end end;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->store = store_new(&(struct store_options){.databases = 4});
    fixture->loading.store = fixture->store;
    buf_init(&fixture->log, SIZE_MAX);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    buf_deinit(&fixture->log);
    loading_deinit(&fixture->loading);
    store_free(fixture->store);
    free(fixture);
    return 0;
}

static void add(struct fixture *fixture, const char *command)
{
    words_append(&fixture->log, command);
}

/* A batch whose commands are separated by ';'. */
static void add_batch(struct fixture *fixture, uint64_t seq, uint64_t ops, uint64_t synced,
                      const char *commands)
{
    struct batch batch = {.seq = seq, .ops = ops, .synced = synced};
    struct buf payload;
    uint8_t line[BATCH_MOST_LINE];
    char copy[500], *rest = copy, *command;
    snprintf(copy, sizeof copy, "%s", commands);
    buf_init(&payload, SIZE_MAX);
    while ((command = strsep(&rest, ";")) != NULL)
        words_append(&payload, command);
    struct iovec piece = {.iov_base = payload.data, .iov_len = payload.len};
    size_t size = batch_format(&batch, fixture->log.len, &piece, 1, line);
    assert_true(buf_append(&fixture->log, slice_make(line, size)));
    assert_true(buf_append(&fixture->log, buf_slice(&payload)));
    buf_deinit(&payload);
}

static bool replay(struct fixture *fixture)
{
    bool good = replay_log(&fixture->loading, buf_slice(&fixture->log), 0, &fixture->end);
    assert_true(good == (fixture->loading.verdict == LOADING_DONE));
    return good;
}

static void expect_end(struct fixture *fixture, enum loading_verdict verdict, size_t offset,
                       const char *words)
{
    assert_false(replay(fixture));
    assert_int_equal(fixture->loading.verdict, verdict);
    assert_int_equal(fixture->loading.offset, offset);
    if (strstr(fixture->loading.why, words) == NULL)
        fail_msg("%s", fixture->loading.why);
}

static void test_batches_bring_their_revisions(void **state)
{
    struct fixture *fixture = *state;
    add_batch(fixture, 1, 2, 0, "SELECT 1;SET a 1;SET b 2");
    add_batch(fixture, 3, 2, 2, "MULTI;SET a 3;RPUSH l x y;EXEC;LPOP l 1");
    struct batch last = {.seq = 5, .synced = 4};
    uint8_t line[BATCH_MOST_LINE];
    size_t size = batch_format(&last, fixture->log.len, NULL, 0, line);
    assert_true(buf_append(&fixture->log, slice_make(line, size)));
    assert_true(replay(fixture));
    store_text_expect(fixture->store, "1 \"a\" @0 v3 = \"3\"\n"
                                      "1 \"b\" @0 v2 = \"2\"\n"
                                      "1 \"l\" @0 v4 = [ \"y\" ]\n");
    assert_int_equal(restore_newest(fixture->store), 4);
    assert_int_equal(fixture->end.good, fixture->log.len);
    assert_null(fixture->end.why);
}

/* Revisions that a crash took back are missing, and are given again to others. */
static void test_it_goes_on_behind_what_is_there(void **state)
{
    struct fixture *fixture = *state;
    restore_revision(fixture->store, 41);
    add_batch(fixture, 42, 1, 41, "SET a 1");
    add_batch(fixture, 50, 1, 42, "SET b 1");
    assert_true(replay(fixture));
    store_text_expect(fixture->store, "0 \"a\" @0 v42 = \"1\"\n0 \"b\" @0 v50 = \"1\"\n");
    assert_int_equal(restore_newest(fixture->store), 50);
}

static void test_foreign_commands_count_on(void **state)
{
    struct fixture *fixture = *state;
    restore_revision(fixture->store, 1);
    add(fixture, "SELECT 0");
    add(fixture, "SET a 1 PXAT 5");
    add(fixture, "PING");
    add(fixture, "MULTI");
    add(fixture, "MSET b 1 c 2");
    add(fixture, "RPUSH l 1 2 3");
    add(fixture, "EXEC");
    add(fixture, "DEL b none");
    assert_true(replay(fixture));
    /* Nothing expires, however long ago. */
    store_text_expect(fixture->store, "0 \"a\" @5 v2 = \"1\"\n"
                                      "0 \"c\" @0 v4 = \"2\"\n"
                                      "0 \"l\" @0 v4 = [ \"1\" \"2\" \"3\" ]\n");
    assert_int_equal(restore_newest(fixture->store), 5);
}

static void test_a_log_behind_something_else(void **state)
{
    struct fixture *fixture = *state;
    assert_true(buf_append(&fixture->log, SLICE_LITERAL("0123456789")));
    add(fixture, "SET a 1");
    size_t good = fixture->log.len;
    assert_true(buf_append(&fixture->log, SLICE_LITERAL("*3\r\n$3\r\nSET\r\n$1\r\n")));
    assert_true(replay_log(&fixture->loading, buf_slice(&fixture->log), 10, &fixture->end));
    assert_int_equal(fixture->end.good, good);
    assert_non_null(fixture->end.why);
    store_text_expect(fixture->store, "0 \"a\" @0 v1 = \"1\"\n");
}

static void test_flush_all(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned db = 0; db < 4; db++) {
        char select[20];
        snprintf(select, sizeof select, "SELECT %u", db);
        add(fixture, select);
        add(fixture, "SET a 1");
    }
    add(fixture, "FLUSHALL");
    add(fixture, "SET b 1");
    add(fixture, "SELECT 1");
    add(fixture, "FLUSHDB");
    assert_true(replay(fixture));
    store_text_expect(fixture->store, "3 \"b\" @0 v6 = \"1\"\n");
}

static void test_late_deadlines(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, "SET a 1 PXAT 9223372036854775807");
    assert_true(replay(fixture));
    store_text_expect(fixture->store, "0 \"a\" @9223372036854775807 v1 = \"1\"\n");
}

static void test_what_cannot_be_done_is_damage(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, "SET a 1");
    size_t offset = fixture->log.len;
    add(fixture, "RPUSH a 1");
    expect_end(fixture, LOADING_DAMAGED, offset, "the command RPUSH cannot be done here: ");
}

static void test_a_bad_command_is_damage(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, "SET a");
    expect_end(fixture, LOADING_DAMAGED, 0, "the command SET cannot be done here: ");
}

static void test_damage_is_told_with_its_proof(void **state)
{
    struct fixture *fixture = *state;
    add_batch(fixture, 1, 1, 0, "SET a 1");
    size_t offset = fixture->log.len;
    add_batch(fixture, 2, 1, 1, "SET b 1");
    size_t proof = fixture->log.len;
    add_batch(fixture, 3, 1, 2, "SET c 1");
    fixture->log.data[proof - 3] ^= 1;
    char words[100];
    snprintf(words, sizeof words, "the batch at offset %zu shows", proof);
    expect_end(fixture, LOADING_DAMAGED, offset, words);
}

static void test_a_database_too_many(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, "SELECT 3");
    add(fixture, "SET a 1");
    size_t offset = fixture->log.len;
    add(fixture, "COPY a b DB 4");
    expect_end(fixture, LOADING_REFUSED, offset, "start with --databases 5 or more");
}

static void test_other_types_are_noted_and_leave_nothing(void **state)
{
    struct fixture *fixture = *state;
    char text[700];
    add(fixture, "SET a 1");
    add(fixture, "SET b 1");
    add(fixture, "SET c 1");
    add(fixture, "SET d 1");
    add(fixture, "SET e 1");
    add(fixture, "SADD s 1 2");
    add(fixture, "SINTERSTORE a s s2");  /* a is a set now */
    add(fixture, "PFADD b c");           /* a string, but it is not known which */
    add(fixture, "RENAME s d");          /* so is d */
    add(fixture, "SORT d BY x STORE e"); /* a list, the same */
    add(fixture, "SET f 1");
    assert_true(replay(fixture));
    store_text_expect(fixture->store, "0 \"c\" @0 v3 = \"1\"\n0 \"f\" @0 v11 = \"1\"\n");
    unsupported_print(&fixture->loading.unsupported, text, sizeof text);
    assert_string_equal(text,
                        "SADD (1: \"s\"), SINTERSTORE (1: \"a\"), PFADD (1: \"b\"), RENAME (1: "
                        "\"d\"), SORT (1: \"e\")");
    assert_non_null(fixture->loading.unsupported.why);
}

static bool stop_it(void *user, const struct loading_progress *progress)
{
    (void)user;
    return progress->done == 0;
}

static void test_it_can_be_stopped(void **state)
{
    struct fixture *fixture = *state;
    static char large[1024 * 1024 + 10] = "SET a ";
    memset(large + 6, 'x', sizeof large - 7);
    add(fixture, large);
    add(fixture, "SET b 1");
    fixture->loading.on_progress = stop_it;
    assert_false(replay(fixture));
    assert_int_equal(fixture->loading.verdict, LOADING_STOPPED);
    assert_int_equal(store_count(fixture->store, 0), 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_batches_bring_their_revisions),
        TEST(test_it_goes_on_behind_what_is_there),
        TEST(test_foreign_commands_count_on),
        TEST(test_a_log_behind_something_else),
        TEST(test_flush_all),
        TEST(test_late_deadlines),
        TEST(test_what_cannot_be_done_is_damage),
        TEST(test_a_bad_command_is_damage),
        TEST(test_damage_is_told_with_its_proof),
        TEST(test_a_database_too_many),
        TEST(test_other_types_are_noted_and_leave_nothing),
        TEST(test_it_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
