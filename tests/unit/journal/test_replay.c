/* Tests of journal/replay.c. */
#include "journal/replay.h"

#include "journal/log/batch.h"
#include "journal/log/note.h"
#include "store/op.h"
#include "store/receipts.h"
#include "store/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/replay_fixture.h"

/* A batch whose commands are separated by ';'. */
static void add_batch(struct replay_fixture *fixture, uint64_t seq, uint64_t ops, uint64_t synced,
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

static void test_batches_bring_their_revisions(void **state)
{
    struct replay_fixture *fixture = *state;
    add_batch(fixture, 1, 2, 0, "SELECT 1;SET a 1;SET b 2");
    add_batch(fixture, 3, 2, 2, "MULTI;SET a 3;RPUSH l x y;EXEC;LPOP l 1");
    struct batch last = {.seq = 5, .synced = 4};
    uint8_t line[BATCH_MOST_LINE];
    size_t size = batch_format(&last, fixture->log.len, NULL, 0, line);
    assert_true(buf_append(&fixture->log, slice_make(line, size)));
    assert_true(replay_run(fixture));
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
    struct replay_fixture *fixture = *state;
    restore_revision(fixture->store, 41);
    add_batch(fixture, 42, 1, 41, "SET a 1");
    add_batch(fixture, 50, 1, 42, "SET b 1");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"a\" @0 v42 = \"1\"\n0 \"b\" @0 v50 = \"1\"\n");
    assert_int_equal(restore_newest(fixture->store), 50);
}

static void test_foreign_commands_count_on(void **state)
{
    struct replay_fixture *fixture = *state;
    restore_revision(fixture->store, 1);
    replay_add(fixture, "SELECT 0");
    replay_add(fixture, "SET a 1 PXAT 5");
    replay_add(fixture, "PING");
    replay_add(fixture, "MULTI");
    replay_add(fixture, "MSET b 1 c 2");
    replay_add(fixture, "RPUSH l 1 2 3");
    replay_add(fixture, "EXEC");
    replay_add(fixture, "DEL b none");
    assert_true(replay_run(fixture));
    /* Nothing expires, however long ago. */
    store_text_expect(fixture->store, "0 \"a\" @5 v2 = \"1\"\n"
                                      "0 \"c\" @0 v4 = \"2\"\n"
                                      "0 \"l\" @0 v4 = [ \"1\" \"2\" \"3\" ]\n");
    assert_int_equal(restore_newest(fixture->store), 5);
}

static void test_a_log_behind_something_else(void **state)
{
    struct replay_fixture *fixture = *state;
    assert_true(buf_append(&fixture->log, SLICE_LITERAL("0123456789")));
    replay_add(fixture, "SET a 1");
    size_t good = fixture->log.len;
    assert_true(buf_append(&fixture->log, SLICE_LITERAL("*3\r\n$3\r\nSET\r\n$1\r\n")));
    assert_true(replay_log(&fixture->loading, buf_slice(&fixture->log), 10, &fixture->end));
    assert_int_equal(fixture->end.good, good);
    assert_non_null(fixture->end.why);
    store_text_expect(fixture->store, "0 \"a\" @0 v1 = \"1\"\n");
}

/* Notes that are receipts are restored with the revision of their record; others are skipped. */
static void test_receipts_are_restored(void **state)
{
    struct replay_fixture *fixture = *state;
    struct receipts_options options = {
        .most_count = 100, .most_bytes = 1 << 20, .age_ms = RECEIPTS_DEFAULT_AGE_MS};
    struct receipts *former = receipts_new(&options), *receipts = receipts_new(&options);
    struct receipts_claim claim = {.id = SLICE_LITERAL("the id"), .now_ms = 5};
    struct slice reply = SLICE_LITERAL("reply");
    struct buf record;
    buf_init(&record, SIZE_MAX);
    buf_init(&claim.reply, RECEIPTS_MOST_REPLY);
    assert_int_equal(receipts_claim(former, &claim), RECEIPTS_NEW);
    receipts_keep(former, claim.receipt, 5, 77, &reply, &record);
    replay_add(fixture, "SELECT 0");
    replay_add(fixture, "SET a 1");
    note_append(&fixture->log, SLICE_LITERAL("\2of a later version"));
    replay_add(fixture, "SET b 2");
    note_append(&fixture->log, buf_slice(&record));
    assert_true(buf_append(&fixture->log, SLICE_LITERAL("#KSN 0 malformed!\n")));
    replay_add(fixture, "SET c 3");
    fixture->loading.receipts = receipts;
    assert_true(replay_run(fixture));
    assert_null(fixture->end.why);
    assert_int_equal(fixture->end.good, fixture->log.len);
    assert_int_equal(receipts_stats(receipts).kept, 1);
    assert_int_equal(receipts_claim(receipts, &claim), RECEIPTS_REPEATED);
    assert_int_equal(claim.revision, 2);
    assert_true(slice_equal(buf_slice(&claim.reply), reply));
    buf_deinit(&claim.reply);
    buf_deinit(&record);
    receipts_free(former);
    receipts_free(receipts);
}

static void test_flush_all(void **state)
{
    struct replay_fixture *fixture = *state;
    for (unsigned db = 0; db < 4; db++) {
        char select[20];
        snprintf(select, sizeof select, "SELECT %u", db);
        replay_add(fixture, select);
        replay_add(fixture, "SET a 1");
    }
    replay_add(fixture, "FLUSHALL");
    replay_add(fixture, "SET b 1");
    replay_add(fixture, "SELECT 1");
    replay_add(fixture, "FLUSHDB");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "3 \"b\" @0 v6 = \"1\"\n");
}

static void test_late_deadlines(void **state)
{
    struct replay_fixture *fixture = *state;
    replay_add(fixture, "SET a 1 PXAT 9223372036854775807");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"a\" @9223372036854775807 v1 = \"1\"\n");
}

static void test_what_cannot_be_done_is_damage(void **state)
{
    struct replay_fixture *fixture = *state;
    replay_add(fixture, "SET a 1");
    size_t offset = fixture->log.len;
    replay_add(fixture, "RPUSH a 1");
    replay_expect_end(fixture, LOADING_DAMAGED, offset,
                      "the command RPUSH cannot be applied here: ");
}

static void test_a_bad_command_is_damage(void **state)
{
    struct replay_fixture *fixture = *state;
    replay_add(fixture, "SET a");
    replay_expect_end(fixture, LOADING_DAMAGED, 0, "the command SET cannot be applied here: ");
}

static void test_damage_is_told_with_its_proof(void **state)
{
    struct replay_fixture *fixture = *state;
    add_batch(fixture, 1, 1, 0, "SET a 1");
    size_t offset = fixture->log.len;
    add_batch(fixture, 2, 1, 1, "SET b 1");
    size_t proof = fixture->log.len;
    add_batch(fixture, 3, 1, 2, "SET c 1");
    fixture->log.data[proof - 3] ^= 1;
    char words[100];
    snprintf(words, sizeof words, "the batch at offset %zu shows", proof);
    replay_expect_end(fixture, LOADING_DAMAGED, offset, words);
}

static void test_a_database_too_many(void **state)
{
    struct replay_fixture *fixture = *state;
    replay_add(fixture, "SELECT 3");
    replay_add(fixture, "SET a 1");
    size_t offset = fixture->log.len;
    replay_add(fixture, "COPY a b DB 4");
    replay_expect_end(fixture, LOADING_REFUSED, offset, "start with --databases 5 or more");
}

static void test_other_types_are_noted_and_leave_nothing(void **state)
{
    struct replay_fixture *fixture = *state;
    replay_add(fixture, "SET a 1");
    replay_add(fixture, "SET b 1");
    replay_add(fixture, "SET c 1");
    replay_add(fixture, "SET d 1");
    replay_add(fixture, "SET e 1");
    replay_add(fixture, "SADD s 1 2");
    replay_add(fixture, "SINTERSTORE a s s2");  /* a is a set now */
    replay_add(fixture, "PFADD b c");           /* a string, but it is not known which */
    replay_add(fixture, "RENAME s d");          /* so is d */
    replay_add(fixture, "SORT d BY x STORE e"); /* a list, the same */
    replay_add(fixture, "SET f 1");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"c\" @0 v3 = \"1\"\n0 \"f\" @0 v11 = \"1\"\n");
    replay_expect_left_out(fixture,
                           "SADD (1: \"s\"), SINTERSTORE (1: \"a\"), PFADD (1: \"b\"), RENAME (1: "
                           "\"d\"), SORT (1: \"e\")");
    assert_non_null(fixture->loading.unsupported.why);
}

/* Commands whose first word after the name is no key. */
static void test_a_key_is_not_taken_for_what_is_none(void **state)
{
    struct replay_fixture *fixture = *state;
    replay_add(fixture, "SET LOAD 1");
    replay_add(fixture, "SET FLUSH 1");
    replay_add(fixture, "FUNCTION LOAD #!lua_name=x");
    replay_add(fixture, "FUNCTION FLUSH");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"FLUSH\" @0 v2 = \"1\"\n0 \"LOAD\" @0 v1 = \"1\"\n");
    replay_expect_left_out(fixture, "FUNCTION (2)");
}

/* Keys that the store does not have are none here, but the others of the command are. */
static void test_keys_without_a_name_are_left_out(void **state)
{
    struct replay_fixture *fixture = *state;
    const struct slice none = SLICE_LITERAL(""), k = SLICE_LITERAL("k"), one = SLICE_LITERAL("1");
    const struct slice set[] = {SLICE_LITERAL("SET"), none, one};
    const struct slice del[] = {SLICE_LITERAL("DEL"), none, k};
    const struct slice mset[] = {SLICE_LITERAL("MSET"), k, one, none, one};
    replay_add(fixture, "SET k old");
    replay_add(fixture, "SET other 1");
    assert_true(resp_append(&fixture->log, set, 3));
    assert_true(resp_append(&fixture->log, del, 3));
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"other\" @0 v2 = \"1\"\n");
    buf_clear(&fixture->log, SIZE_MAX);
    assert_true(resp_append(&fixture->log, mset, 5));
    replay_add(fixture, "APPEND k x");
    replay_add(fixture, "SET other 2");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"other\" @0 v7 = \"2\"\n");
}

static void test_a_command_that_nobody_knows_ends_the_loading(void **state)
{
    struct replay_fixture *fixture = *state;
    replay_add(fixture, "SET a 1");
    size_t offset = fixture->log.len;
    replay_add(fixture, "MODULE.WRITE a 2");
    replay_expect_end(fixture, LOADING_REFUSED, offset, "the command MODULE.WRITE: ");
}

static bool stop_it(void *user, const struct loading_progress *progress)
{
    (void)user;
    return progress->done == 0;
}

static void test_it_can_be_stopped(void **state)
{
    struct replay_fixture *fixture = *state;
    static char large[1024 * 1024 + 10] = "SET a ";
    memset(large + 6, 'x', sizeof large - 7);
    replay_add(fixture, large);
    replay_add(fixture, "SET b 1");
    fixture->loading.on_progress = stop_it;
    assert_false(replay_run(fixture));
    assert_int_equal(fixture->loading.verdict, LOADING_STOPPED);
    assert_int_equal(store_count(fixture->store, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPLAY_TEST(test_batches_bring_their_revisions),
        REPLAY_TEST(test_it_goes_on_behind_what_is_there),
        REPLAY_TEST(test_foreign_commands_count_on),
        REPLAY_TEST(test_a_log_behind_something_else),
        REPLAY_TEST(test_receipts_are_restored),
        REPLAY_TEST(test_flush_all),
        REPLAY_TEST(test_late_deadlines),
        REPLAY_TEST(test_what_cannot_be_done_is_damage),
        REPLAY_TEST(test_a_bad_command_is_damage),
        REPLAY_TEST(test_damage_is_told_with_its_proof),
        REPLAY_TEST(test_a_database_too_many),
        REPLAY_TEST(test_other_types_are_noted_and_leave_nothing),
        REPLAY_TEST(test_a_key_is_not_taken_for_what_is_none),
        REPLAY_TEST(test_keys_without_a_name_are_left_out),
        REPLAY_TEST(test_a_command_that_nobody_knows_ends_the_loading),
        REPLAY_TEST(test_it_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
