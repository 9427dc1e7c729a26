/* What is queued, watched and sent; the client library is played here. */
#include "cli/transaction.h"

#include "fake_client.h"
#include "parsed.h"
#include "printed.h"

#include <stdlib.h>

static struct transaction transaction;
static uint32_t db;

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    transaction_init(&transaction);
    db = PARSED_DB;
    return 0;
}

static int tear_down(void **state)
{
    transaction_deinit(&transaction);
    return parsed_tear_down(state);
}

/* The words of the line are gone afterwards. */
static void add(const char *line)
{
    char *copy = strdup(line);
    transaction_add(&transaction, parsed_words(copy));
    memset(copy, '?', strlen(copy));
    free(copy);
    arena_reset(&parsed_arena);
}

static void watch(const char *line)
{
    struct request request = parsed(line);
    assert_int_equal(transaction_watch(&transaction, NULL, &request), fake_code);
    arena_reset(&parsed_arena);
}

/* What EXEC shows. */
static const char *exec(void)
{
    struct reply reply;
    assert_int_equal(transaction_send(&transaction, NULL, &parsed_arena, &reply, &db), KEYSTORE_OK);
    FILE *out = printed_open();
    format_reply(out, &reply);
    fclose(out);
    return printed_text;
}

static void operations_are_sent_in_their_order(void **state)
{
    (void)state;
    struct keystore_slice values[] = {keystore_text("1"), keystore_text("2")};
    struct keystore_reply replies[] = {
        {.kind = KEYSTORE_REPLY_STATUS, .answer.status = {.ok = true}},
        {.kind = KEYSTORE_REPLY_LIST, .answer.list = {.values = values, .count = 2}},
        {.kind = KEYSTORE_REPLY_INFO, .answer.info = {.found = true, .length = 3}},
    };
    fake_txn = (struct keystore_txn_reply){.succeeded = true, .replies = replies, .count = 3};
    transaction_begin(&transaction, PARSED_DB);
    add("SET key value NX");
    add("LRANGE list 0 -1");
    add("STRLEN list");
    assert_string_equal(exec(), "1) OK\n"
                                "2) 1) \"1\"\n"
                                "   2) \"2\"\n"
                                "3) (error) FAILED_PRECONDITION WRONG_TYPE: the key holds a list; "
                                "this command is for strings\n");
    assert_string_equal(fake_called, "txn");
    assert_int_equal(fake_sent_txn.success_count, 3);
    assert_int_equal(fake_sent_txn.compare_count, 0);
    assert_int_equal(fake_sent_txn.failure_count, 0);
    assert_int_equal(fake_sent_txn.success[0].kind, KEYSTORE_OP_SET);
    assert_slice(fake_sent_txn.success[0].request.key_value.key, "key");
    assert_slice(fake_sent_txn.success[0].request.key_value.value, "value");
    assert_int_equal(fake_sent_txn.success[0].request.key_value.condition->existence,
                     KEYSTORE_ABSENT);
    assert_int_equal(fake_sent_txn.success[1].kind, KEYSTORE_OP_LRANGE);
    assert_int_equal(fake_sent_txn.success[1].request.list_range.db, PARSED_DB);
}

static void many_operations(void **state)
{
    (void)state;
    fake_txn.succeeded = false;
    transaction_begin(&transaction, PARSED_DB);
    for (int i = 0; i < 1000; i++) {
        char line[40];
        snprintf(line, sizeof line, "SET key:%d %d", i, i);
        add(line);
    }
    assert_string_equal(exec(), "(nil)\n");
    assert_int_equal(fake_sent_txn.success_count, 1000);
    assert_slice(fake_sent_txn.success[0].request.key_value.key, "key:0");
    assert_slice(fake_sent_txn.success[999].request.key_value.key, "key:999");
}

static void nothing_is_a_transaction_too(void **state)
{
    (void)state;
    fake_txn.succeeded = true;
    transaction_begin(&transaction, PARSED_DB);
    assert_string_equal(exec(), "(empty array)\n");
}

static void select_counts_for_what_follows(void **state)
{
    (void)state;
    struct keystore_reply replies[3] = {{.kind = KEYSTORE_REPLY_VALUE},
                                        {.kind = KEYSTORE_REPLY_STATUS},
                                        {.kind = KEYSTORE_REPLY_VALUE}};
    fake_txn = (struct keystore_txn_reply){.succeeded = false, .replies = replies, .count = 3};
    transaction_begin(&transaction, PARSED_DB);
    add("GET k");
    add("SELECT 9");
    add("GET k");
    (void)exec();
    assert_int_equal(db, PARSED_DB); /* nothing was done */
    fake_txn.succeeded = true;
    assert_string_equal(exec(), "1) (nil)\n2) OK\n3) (nil)\n");
    assert_int_equal(db, 9);
    assert_int_equal(fake_sent_txn.success[0].request.key.db, PARSED_DB);
    assert_int_equal(fake_sent_txn.success[1].request.keys.db, 9);
    assert_int_equal(fake_sent_txn.success[2].request.key.db, 9);
}

static void watched_keys_become_compares(void **state)
{
    (void)state;
    fake_reply.answer.info = (struct keystore_key_info){.found = true, .version = 77, .as_of = 77};
    watch("WATCH a b");
    fake_reply.answer.info = (struct keystore_key_info){.found = false, .as_of = 5};
    watch("WATCH c");
    assert_int_equal(fake_calls, 3);
    transaction_begin(&transaction, PARSED_DB);
    add("GET a");
    assert_string_equal(exec(), "(nil)\n");
    assert_int_equal(fake_sent_txn.compare_count, 3);
    assert_slice(fake_sent_txn.compares[1].key, "b");
    assert_int_equal(fake_sent_txn.compares[1].db, PARSED_DB);
    assert_null(fake_sent_txn.compares[1].condition);
    assert_true(fake_sent_txn.compares[1].has_unchanged_since);
    assert_int_equal(fake_sent_txn.compares[1].unchanged_since, 77);
    assert_slice(fake_sent_txn.compares[2].key, "c");
    assert_true(fake_sent_txn.compares[2].has_unchanged_since);
    assert_int_equal(fake_sent_txn.compares[2].unchanged_since, 5);
}

static void forgotten_keys(void **state)
{
    (void)state;
    watch("WATCH a");
    transaction_unwatch(&transaction);
    assert_int_equal(transaction.watched_count, 0);
    watch("WATCH a");
    fake_code = KEYSTORE_UNAVAILABLE;
    watch("WATCH b c");
    assert_int_equal(transaction.watched_count, 1);
}

static void discarding(void **state)
{
    (void)state;
    watch("WATCH a");
    transaction_begin(&transaction, PARSED_DB);
    add("GET a");
    transaction.refused = true;
    transaction_discard(&transaction);
    assert_false(transaction.open || transaction.refused);
    assert_int_equal(transaction.count, 0);
    assert_int_equal(transaction.watched_count, 0);
}

/* A server that answers something else must not make the program read what is not there. */
static void answers_of_another_kind(void **state)
{
    (void)state;
    struct keystore_reply replies[] = {
        {.kind = KEYSTORE_REPLY_NUMBER, .answer.number = {.integer = -1, .real = 1}},
        {.kind = KEYSTORE_REPLY_ERROR,
         .answer.error = {.code = KEYSTORE_UNAVAILABLE, .reason = "", .message = "sorry"}},
    };
    fake_txn = (struct keystore_txn_reply){.succeeded = true, .replies = replies, .count = 2};
    transaction_begin(&transaction, PARSED_DB);
    add("GET a");
    add("GET b");
    add("GET c");
    assert_string_equal(exec(), "1) (error) the server's answer does not match the operation\n"
                                "2) (error) UNAVAILABLE: sorry\n"
                                "3) (error) the server's answer does not match the operation\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(operations_are_sent_in_their_order),
        TEST(many_operations),
        TEST(nothing_is_a_transaction_too),
        TEST(select_counts_for_what_follows),
        TEST(watched_keys_become_compares),
        TEST(forgotten_keys),
        TEST(discarding),
        TEST(answers_of_another_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
