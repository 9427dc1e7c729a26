/* What the commands for administrators ask for. */
#include "parsed.h"

static void connections(void **state)
{
    (void)state;
    struct request request = parsed("CLIENT LIST");
    assert_int_equal(request.type, REQUEST_CLIENTS);
    assert_false(request.clients.own || request.only_id);
    assert_int_equal(request.clients.id, 0);
    assert_int_equal(parsed("client list id 7").clients.id, 7);
    assert_int_equal(parsed("CLIENT LIST TYPE normal").type, REQUEST_CLIENTS);
    request = parsed("CLIENT ID");
    assert_true(request.clients.own && request.only_id);
    request = parsed("CLIENT INFO");
    assert_true(request.clients.own && !request.only_id);
    assert_refused("CLIENT", "at least 1 argument");
    assert_refused("CLIENT GETNAME", "CLIENT has no 'GETNAME'; usage: CLIENT ID|INFO|LIST");
    assert_refused("CLIENT LIST TYPE replica", "all connections are of type normal");
    assert_refused("CLIENT LIST ID", "ID of CLIENT needs a value");
    assert_refused("CLIENT ID 3", "CLIENT has no option '3' there");
}

static void kills(void **state)
{
    (void)state;
    struct request request = parsed("CLIENT KILL 127.0.0.1:99");
    assert_int_equal(request.type, REQUEST_KILL_CLIENTS);
    assert_true(request.by_address && request.kill.include_own);
    assert_string_equal(request.kill.address, "127.0.0.1:99");
    request = parsed("CLIENT KILL ID 5 ADDR a LADDR b SKIPME no");
    assert_false(request.by_address);
    assert_int_equal(request.kill.id, 5);
    assert_string_equal(request.kill.address, "a");
    assert_string_equal(request.kill.listener, "b");
    assert_true(request.kill.include_own);
    assert_false(parsed("CLIENT KILL ID 5").kill.include_own);
    assert_false(parsed("CLIENT KILL ID 5 SKIPME yes").kill.include_own);
    assert_refused("CLIENT KILL", "say which connections CLIENT KILL ends");
    assert_refused("CLIENT KILL SKIPME no", "say which connections CLIENT KILL ends");
    assert_refused("CLIENT KILL ID 0", "'0' is not a valid id");
    assert_refused("CLIENT KILL ID 1 SKIPME maybe", "SKIPME of CLIENT KILL is YES or NO");
    assert_refused("CLIENT KILL ID 1 ADDR", "ADDR of CLIENT needs a value");
    assert_refused("CLIENT KILL ADDR \"a\\x00\"", "needs a text");
}

static void settings(void **state)
{
    (void)state;
    struct request request = parsed("CONFIG GET max-*");
    assert_int_equal(request.type, REQUEST_CONFIG);
    assert_string_equal(request.config.pattern, "max-*");
    request = parsed("config set save '60 5'");
    assert_int_equal(request.type, REQUEST_SET_CONFIG);
    assert_string_equal(request.set_config.name, "save");
    assert_string_equal(request.set_config.value, "60 5");
    assert_string_equal(parsed("CONFIG SET save ''").set_config.value, "");
    assert_refused("CONFIG", "CONFIG takes 1 to 3 arguments");
    assert_refused("CONFIG GET", "GET of CONFIG needs a value");
    assert_refused("CONFIG GET a b", "CONFIG has no option 'b' there");
    assert_refused("CONFIG SET save", "SET of CONFIG needs a value");
    assert_refused("CONFIG REWRITE", "is not written to a file");
    assert_refused("CONFIG RESETSTAT", "CONFIG has no 'RESETSTAT'; usage: CONFIG GET");
}

static void slow_calls(void **state)
{
    (void)state;
    struct request request = parsed("SLOWLOG GET");
    assert_int_equal(request.type, REQUEST_SLOW_LOG);
    assert_int_equal(request.slow_log.limit, 10);
    assert_false(request.slow_log.reset || request.only_count);
    assert_int_equal(parsed("slowlog get 3").slow_log.limit, 3);
    assert_int_equal(parsed("SLOWLOG GET -1").slow_log.limit, 0);
    assert_true(parsed("SLOWLOG LEN").only_count);
    request = parsed("SLOWLOG RESET");
    assert_true(request.slow_log.reset && !request.only_count);
    assert_refused("SLOWLOG", "SLOWLOG takes 1 to 2 arguments");
    assert_refused("SLOWLOG GET 0", "1 or more, or -1 for all");
    assert_refused("SLOWLOG GET -2", "'-2' is not a valid count");
    assert_refused("SLOWLOG GET x", "'x' is not a valid count");
    assert_refused("SLOWLOG LEN 3", "SLOWLOG has no option '3' there");
    assert_refused("SLOWLOG HELP", "SLOWLOG has no 'HELP'; usage: SLOWLOG GET|LEN|RESET [count]");
}

static void durations(void **state)
{
    (void)state;
    struct request request = parsed("LATENCY");
    assert_int_equal(request.type, REQUEST_LATENCY);
    assert_int_equal(request.count, 0);
    assert_false(request.histogram);
    request = parsed("LATENCY g* Set");
    assert_int_equal(request.count, 2);
    assert_slice(request.words[1], "Set");
    request = parsed("latency histogram get");
    assert_true(request.histogram);
    assert_int_equal(request.count, 1);
    assert_slice(request.words[0], "get");
    assert_refused("LATENCY RESET", "the server's counts only rise");
    assert_refused("LATENCY doctor", "LATENCY has no 'DOCTOR'");
    assert_refused("LATENCY HISTORY event", "SLOWLOG GET single slow ones");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections), cmocka_unit_test(kills),     cmocka_unit_test(settings),
        cmocka_unit_test(slow_calls),  cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, parsed_tear_down);
}
