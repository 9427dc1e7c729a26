/* What the commands for transactions, the server and the program ask for. */
#include "cli/answers.h"
#include "parsed.h"

static void transactions(void **state)
{
    (void)state;
    assert_int_equal(parsed("multi").type, REQUEST_MULTI);
    assert_int_equal(parsed("EXEC").type, REQUEST_EXEC);
    assert_int_equal(parsed("DISCARD").type, REQUEST_DISCARD);
    assert_int_equal(parsed("UNWATCH").type, REQUEST_UNWATCH);
    struct request request = parsed("WATCH a b");
    assert_int_equal(request.type, REQUEST_WATCH);
    assert_int_equal(request.count, 2);
    assert_slice(request.words[1], "b");
}

/* How many databases there are is the server's to say. */
static void selecting(void **state)
{
    (void)state;
    struct request request = parsed("SELECT 4294967295");
    assert_int_equal(request.type, REQUEST_SELECT);
    assert_true(request.db == UINT32_MAX);
    assert_int_equal(request.op.kind, KEYSTORE_OP_EXISTS);
    assert_true(request.op.request.keys.db == UINT32_MAX);
    assert_int_equal(request.op.request.keys.count, 1);
    assert_true(request.op.request.keys.keys[0].len > 0);
    assert_refused("SELECT -1", "'-1' is not a valid database");
    assert_refused("SELECT x", "'x' is not a valid database");
    assert_refused("SELECT 4294967296", "is not a valid database");
}

static void questions(void **state)
{
    (void)state;
    struct request request = parsed("PING");
    assert_int_equal(request.op.kind, KEYSTORE_OP_EXISTS);
    assert_int_equal(request.op.request.keys.db, PARSED_DB);
    assert_ptr_equal(request.answer, answers_pong);
    request = parsed("PING hello");
    assert_slice(request.text, "hello");
    assert_ptr_equal(request.answer, answers_text);
    assert_slice(parsed("ECHO hello").text, "hello");
    request = parsed("INFO keyspace memory");
    assert_int_equal(request.type, REQUEST_INFO);
    assert_int_equal(request.count, 2);
    assert_slice(request.words[0], "keyspace");
    assert_int_equal(parsed("INFO").count, 0);
    assert_int_equal(parsed("SAVE").type, REQUEST_SAVE);
    assert_int_equal(parsed("BGSAVE").type, REQUEST_BGSAVE);
}

static void local_commands(void **state)
{
    (void)state;
    assert_int_equal(parsed("quit").type, REQUEST_QUIT);
    assert_int_equal(parsed("EXIT").type, REQUEST_QUIT);
    assert_int_equal(parsed("clear").type, REQUEST_CLEAR);
    assert_int_equal(parsed("help").type, REQUEST_HELP);
    assert_null(parsed("help").topic);
    assert_string_equal(parsed("help lpush").topic->name, "LPUSH");
    assert_refused("help gett", "did you mean GET?");
}

#define TEST(name) cmocka_unit_test_teardown(name, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(transactions),
        TEST(selecting),
        TEST(questions),
        TEST(local_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
