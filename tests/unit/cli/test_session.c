/* What a session does by itself, and in which order it asks the server; the client library is
 * played here. Talking to a server: tests/e2e. */
#include "cli/session.h"

#include "fake_client.h"
#include "parsed.h"

static const struct options options = {.target = "nowhere", .db = 4};

static struct session session;

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    session_init(&session, &options);
    return 0;
}

static int tear_down(void **state)
{
    session_deinit(&session);
    assert_int_equal(fake_connections, 0);
    return parsed_tear_down(state);
}

static enum session_result run(const char *line)
{
    return session_run(&session, parsed_words(line), "");
}

static void starts_with_the_database_of_the_options(void **state)
{
    (void)state;
    assert_int_equal(session_db(&session), 4);
    assert_null(session.client);
}

static void select_changes_the_database_if_the_server_has_it(void **state)
{
    (void)state;
    assert_int_equal(run("SELECT 9"), SESSION_OK);
    assert_int_equal(fake_sent.kind, KEYSTORE_OP_EXISTS);
    assert_int_equal(fake_sent.request.keys.db, 9);
    assert_int_equal(session_db(&session), 9);
    fake_code = KEYSTORE_INVALID_ARGUMENT;
    assert_int_equal(run("SELECT 16"), SESSION_FAILED);
    assert_int_equal(session_db(&session), 9);
    assert_int_equal(run("GET k"), SESSION_FAILED);
    assert_int_equal(fake_sent.request.key.db, 9);
}

static void quit_is_remembered(void **state)
{
    (void)state;
    assert_int_equal(run("HELP"), SESSION_OK);
    assert_false(session.quit);
    assert_int_equal(run("exit"), SESSION_OK);
    assert_true(session.quit);
    assert_int_equal(fake_calls, 0);
}

static void wrong_commands_need_no_server(void **state)
{
    (void)state;
    fake_unreachable = true;
    assert_int_equal(run("NONSENSE"), SESSION_FAILED);
    assert_int_equal(run("GET"), SESSION_FAILED);
}

static void without_server(void **state)
{
    (void)state;
    fake_unreachable = true;
    assert_int_equal(session_connect(&session, ""), SESSION_UNREACHABLE);
    assert_int_equal(run("GET x"), SESSION_UNREACHABLE);
    assert_int_equal(run("SELECT 1"), SESSION_UNREACHABLE);
    assert_int_equal(run("WATCH x"), SESSION_UNREACHABLE);
    assert_null(session.client);
    assert_int_equal(session_db(&session), 4);
}

static void the_options_of_the_client(void **state)
{
    (void)state;
    static struct options other;
    other = options;
    other.max_retries = 7;
    other.timeout_ms = 1234;
    session.options = &other;
    assert_int_equal(run("GET x"), SESSION_OK);
    assert_int_equal(fake_options.max_retries, 7);
    assert_int_equal(fake_options.timeout_ms, 1234);
    assert_int_equal(fake_options.connect_timeout_ms, 1234);
}

/* Connecting has a shorter timeout by default, which a restart may exceed. */
static void with_retries_connecting_takes_as_long_as_a_call(void **state)
{
    (void)state;
    static struct options other;
    assert_int_equal(run("GET x"), SESSION_OK);
    assert_int_equal(fake_options.connect_timeout_ms, 0);
    session_deinit(&session);
    other = options;
    other.max_retries = 1;
    session_init(&session, &other);
    assert_int_equal(run("GET x"), SESSION_OK);
    assert_int_equal(fake_options.connect_timeout_ms, 30000);
    assert_int_equal(fake_options.timeout_ms, 0);
}

static void a_lost_connection_is_closed(void **state)
{
    (void)state;
    assert_int_equal(run("GET x"), SESSION_OK);
    assert_int_equal(fake_connections, 1);
    fake_code = KEYSTORE_UNAVAILABLE;
    fake_error.code = KEYSTORE_UNAVAILABLE;
    assert_int_equal(run("GET x"), SESSION_FAILED);
    assert_int_equal(fake_connections, 0);
    fake_code = KEYSTORE_OK;
    assert_int_equal(run("GET x"), SESSION_OK);
    assert_int_equal(fake_connections, 1);
}

static void answers_that_are_errors_fail(void **state)
{
    (void)state;
    assert_int_equal(run("RENAME a b"), SESSION_FAILED); /* no such key */
    fake_reply.answer.status.ok = true;
    assert_int_equal(run("RENAME a b"), SESSION_OK);
}

static void form_follows_the_options(void **state)
{
    (void)state;
    struct session other;
    struct options form = {.form = OPTIONS_FORM_RAW};
    session_init(&other, &form);
    assert_true(other.raw);
    session_deinit(&other);
    form.form = OPTIONS_FORM_QUOTED;
    session_init(&other, &form);
    assert_false(other.raw);
    session_deinit(&other);
}

/* ---- transactions ---- */

static void a_transaction_asks_once(void **state)
{
    (void)state;
    fake_txn.succeeded = true;
    assert_int_equal(run("MULTI"), SESSION_OK);
    assert_int_equal(run("SET a 1"), SESSION_OK);
    assert_int_equal(run("INCR a"), SESSION_OK);
    assert_int_equal(fake_calls, 0);
    assert_null(session.client);
    assert_int_equal(run("EXEC"), SESSION_OK);
    assert_int_equal(fake_calls, 1);
    assert_int_equal(fake_sent_txn.success_count, 2);
    assert_int_equal(fake_sent_txn.success[0].request.key_value.db, 4);
    assert_false(session.transaction.open);
    assert_int_equal(run("GET a"), SESSION_OK);
    assert_int_equal(fake_sent.kind, KEYSTORE_OP_GET);
}

static void select_in_a_transaction(void **state)
{
    (void)state;
    fake_txn.succeeded = true;
    run("MULTI");
    assert_int_equal(run("SELECT 7"), SESSION_OK);
    assert_int_equal(session_db(&session), 7);
    run("DISCARD");
    assert_int_equal(session_db(&session), 4);
    run("MULTI");
    run("SELECT 7");
    run("EXEC");
    assert_int_equal(session_db(&session), 7);
}

static void a_refused_command_spoils_the_transaction(void **state)
{
    (void)state;
    static const char *const spoilers[] = {"NONSENSE", "GET", "RANDOMKEY", "INFO", "FLUSHDB"};
    for (size_t i = 0; i < sizeof spoilers / sizeof *spoilers; i++) {
        run("MULTI");
        assert_int_equal(run(spoilers[i]), SESSION_FAILED);
        assert_int_equal(run("SET a 1"), SESSION_OK);
        assert_int_equal(run("EXEC"), SESSION_FAILED);
        assert_false(session.transaction.open || session.transaction.refused);
    }
    assert_int_equal(fake_calls, 0);
    assert_int_equal(run("NONSENSE"), SESSION_FAILED);
    run("MULTI");
    fake_txn.succeeded = true;
    assert_int_equal(run("EXEC"), SESSION_OK);
}

/* A line of which nobody knows which command it was meant to be. */
static void a_refused_line_spoils_the_transaction(void **state)
{
    (void)state;
    assert_int_equal(session_refuse(&session, "what?", ""), SESSION_FAILED);
    run("MULTI");
    assert_int_equal(session_refuse(&session, "what?", ""), SESSION_FAILED);
    run("SET a 1");
    assert_int_equal(run("EXEC"), SESSION_FAILED);
    assert_int_equal(fake_calls, 0);
}

static void an_open_transaction_at_the_end_is_an_error(void **state)
{
    (void)state;
    assert_true(session_finish(&session));
    run("MULTI");
    assert_false(session_finish(&session));
    run("DISCARD");
    assert_true(session_finish(&session));
}

static void commands_in_the_wrong_place(void **state)
{
    (void)state;
    assert_int_equal(run("EXEC"), SESSION_FAILED);
    assert_int_equal(run("DISCARD"), SESSION_FAILED);
    run("MULTI");
    assert_int_equal(run("MULTI"), SESSION_FAILED);
    assert_int_equal(run("WATCH a"), SESSION_FAILED);
    assert_int_equal(run("HELP GET"), SESSION_OK);
    fake_txn.succeeded = true;
    assert_int_equal(run("EXEC"), SESSION_OK); /* none of them spoils it */
}

static void exec_and_discard_forget_what_is_watched(void **state)
{
    (void)state;
    assert_int_equal(run("WATCH a"), SESSION_OK);
    run("MULTI");
    assert_int_equal(run("UNWATCH"), SESSION_OK); /* too late */
    assert_int_equal(run("EXEC"), SESSION_OK);
    assert_int_equal(fake_sent_txn.compare_count, 1);
    run("MULTI");
    run("EXEC");
    assert_int_equal(fake_sent_txn.compare_count, 0);
    run("WATCH a");
    assert_int_equal(run("UNWATCH"), SESSION_OK);
    run("MULTI");
    run("EXEC");
    assert_int_equal(fake_sent_txn.compare_count, 0);
}

static void a_failed_exec_ends_the_transaction(void **state)
{
    (void)state;
    run("MULTI");
    run("SET a 1");
    fake_unreachable = true;
    assert_int_equal(run("EXEC"), SESSION_UNREACHABLE);
    assert_true(session.transaction.open); /* nobody was asked: it can be tried again */
    fake_unreachable = false;
    fake_code = KEYSTORE_FAILED_PRECONDITION;
    assert_int_equal(run("EXEC"), SESSION_FAILED);
    assert_false(session.transaction.open);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starts_with_the_database_of_the_options),
        TEST(select_changes_the_database_if_the_server_has_it),
        TEST(quit_is_remembered),
        TEST(wrong_commands_need_no_server),
        TEST(without_server),
        TEST(the_options_of_the_client),
        TEST(with_retries_connecting_takes_as_long_as_a_call),
        TEST(a_lost_connection_is_closed),
        TEST(answers_that_are_errors_fail),
        TEST(form_follows_the_options),
        TEST(a_transaction_asks_once),
        TEST(select_in_a_transaction),
        TEST(a_refused_command_spoils_the_transaction),
        TEST(a_refused_line_spoils_the_transaction),
        TEST(an_open_transaction_at_the_end_is_an_error),
        TEST(commands_in_the_wrong_place),
        TEST(exec_and_discard_forget_what_is_watched),
        TEST(a_failed_exec_ends_the_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
