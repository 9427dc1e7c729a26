/* What the commands for strings ask for. */
#include "parsed.h"

#include "cli/answers.h"

static struct keystore_key_value set(const char *line)
{
    struct request request = parsed(line);
    assert_int_equal(request.type, REQUEST_OP);
    assert_int_equal(request.op.kind, KEYSTORE_OP_SET);
    assert_int_equal(request.op.request.key_value.db, PARSED_DB);
    assert_slice(request.op.request.key_value.key, "foo");
    return request.op.request.key_value;
}

static void plain_set(void **state)
{
    (void)state;
    struct keystore_key_value plain = set("SET foo 123");
    assert_slice(plain.value, "123");
    assert_null(plain.condition);
    assert_false(plain.return_previous || plain.keep_ttl);
    assert_true(plain.ttl_ms == 0 && plain.expire_at_ms == 0);
    assert_slice(set("set foo ''").value, "");
}

static void options_of_set(void **state)
{
    (void)state;
    struct keystore_key_value all = set("SET foo v xx GET px 5 IFEQ old IFVERSION 7");
    assert_true(all.return_previous);
    assert_int_equal(all.ttl_ms, 5);
    assert_int_equal(all.condition->existence, KEYSTORE_PRESENT);
    assert_true(all.condition->match_value);
    assert_slice(all.condition->value, "old");
    assert_int_equal(all.condition->version, 7);
    assert_int_equal(set("SET foo v NX").condition->existence, KEYSTORE_ABSENT);
    assert_int_equal(set("SET foo v EX 5").ttl_ms, 5000);
    assert_int_equal(set("SET foo v EXAT 5").expire_at_ms, 5000);
    assert_true(set("SET foo v KEEPTTL").keep_ttl);
    assert_refused("SET foo v NX XX", "exclude each other");
    assert_refused("SET foo v KEEPTTL EX 1", "KEEPTTL and a new time to live exclude each other");
    assert_refused("SET foo v EX 1 PX 1", "PX is a second point in time: SET takes only one of EX");
    assert_refused("SET foo v EX", "EX of SET needs a value; usage: SET key value [NX");
    assert_refused("SET foo v EX 0", "'0' is not a valid number of seconds: SET takes an integer");
    assert_refused("SET foo two words", "SET has no option 'words' there (a value with spaces");
    assert_refused("SET foo", "SET takes at least 2 arguments, not 1");
}

static void kin_of_set(void **state)
{
    (void)state;
    assert_true(set("GETSET foo v").return_previous);
    assert_int_equal(set("SETNX foo v").condition->existence, KEYSTORE_ABSENT);
    struct keystore_key_value seconds = set("SETEX foo 10 v");
    assert_int_equal(seconds.ttl_ms, 10000);
    assert_slice(seconds.value, "v");
    assert_int_equal(set("PSETEX foo 10 v").ttl_ms, 10);
    assert_refused("SETEX foo v 10", "'v' is not a valid number of seconds");
    assert_refused("PSETEX foo -1 v", "'-1' is not a valid number of milliseconds");
}

static void several_keys(void **state)
{
    (void)state;
    struct request request = parsed("MGET a b");
    assert_int_equal(request.op.kind, KEYSTORE_OP_MGET);
    assert_int_equal(request.op.request.keys.count, 2);
    request = parsed("MSET a 1 b 2");
    assert_int_equal(request.op.kind, KEYSTORE_OP_MSET);
    assert_int_equal(request.op.request.key_values.db, PARSED_DB);
    assert_int_equal(request.op.request.key_values.count, 2);
    assert_slice(request.op.request.key_values.entries[1].key, "b");
    assert_slice(request.op.request.key_values.entries[1].value, "2");
    assert_null(request.op.request.key_values.entries[1].condition);
    request = parsed("MSETNX a 1 b 2");
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(request.op.request.key_values.entries[i].condition->existence,
                         KEYSTORE_ABSENT);
    assert_refused("MSET a 1 b", "MSET takes a value for each key");
}

static struct keystore_expire_request getex(const char *line)
{
    struct request request = parsed(line);
    assert_int_equal(request.op.kind, KEYSTORE_OP_GET_EX);
    assert_slice(request.op.request.expire.key, "k");
    assert_int_equal(request.op.request.expire.db, PARSED_DB);
    return request.op.request.expire;
}

static void getting_with_another_time_to_live(void **state)
{
    (void)state;
    assert_true(getex("GETEX k PERSIST").persist);
    assert_int_equal(getex("GETEX k PXAT 12").expire_at_ms, 12);
    assert_int_equal(getex("GETEX k EX 12").ttl_ms, 12000);
    struct keystore_expire_request none = getex("GETEX k");
    assert_true(none.ttl_ms == 0 && none.expire_at_ms == 0 && !none.persist);
    assert_refused("GETEX k PERSIST EX 1", "PERSIST and a new time to live exclude each other");
    assert_refused("GETEX k KEEPTTL", "GETEX has no option 'KEEPTTL'");
}

static void parts(void **state)
{
    (void)state;
    struct request request = parsed("GETRANGE k -5 -1");
    assert_int_equal(request.op.kind, KEYSTORE_OP_GET_RANGE);
    assert_int_equal(request.op.request.byte_range.start, -5);
    assert_int_equal(request.op.request.byte_range.stop, -1);
    assert_int_equal(request.op.request.byte_range.db, PARSED_DB);
    assert_int_equal(parsed("SUBSTR k 0 1").op.kind, KEYSTORE_OP_GET_RANGE);
    request = parsed("SETRANGE k 5 xyz");
    assert_int_equal(request.op.kind, KEYSTORE_OP_SET_RANGE);
    assert_int_equal(request.op.request.byte_range.start, 5);
    assert_slice(request.op.request.byte_range.value, "xyz");
    assert_refused("SETRANGE k -1 x", "'-1' is not a valid offset");
    assert_refused("GETRANGE k 0 x", "'x' is not a valid stop index");
    request = parsed("APPEND k v");
    assert_int_equal(request.op.kind, KEYSTORE_OP_APPEND);
    assert_slice(request.op.request.key_value.value, "v");
    assert_int_equal(parsed("STRLEN k").op.kind, KEYSTORE_OP_DESCRIBE);
}

static struct keystore_increment increment(const char *line)
{
    struct request request = parsed(line);
    assert_int_equal(request.op.kind, KEYSTORE_OP_INCR);
    assert_slice(request.op.request.increment.key, "k");
    assert_int_equal(request.op.request.increment.db, PARSED_DB);
    return request.op.request.increment;
}

static void numbers(void **state)
{
    (void)state;
    assert_int_equal(increment("INCR k").delta, KEYSTORE_BY);
    assert_int_equal(increment("INCR k").by, 1);
    assert_int_equal(increment("DECR k").by, -1);
    assert_int_equal(increment("INCRBY k -7").by, -7);
    assert_int_equal(increment("DECRBY k -7").by, 7);
    assert_true(increment("INCRBY k -9223372036854775808").by == INT64_MIN);
    assert_int_equal(increment("INCRBYFLOAT k 0.5").delta, KEYSTORE_BY_DECIMAL);
    assert_string_equal(increment("INCRBYFLOAT k 9007199254740993.10").by_decimal,
                        "9007199254740993.10");
    assert_refused("DECRBY k -9223372036854775808", "is not a valid decrement");
    assert_refused("INCRBY k 1.5", "'1.5' is not a valid increment");
    assert_refused("INCRBY k +1", "'+1' is not a valid increment");
    assert_refused("INCRBY k 01", "'01' is not a valid increment");
    assert_refused("INCRBY k -0", "'-0' is not a valid increment");
    assert_refused("DECRBY k ' 1'", "' 1' is not a valid decrement");
}

static void values_of_one_key(void **state)
{
    (void)state;
    assert_int_equal(parsed("GET k").op.kind, KEYSTORE_OP_GET);
    assert_int_equal(parsed("GETDEL k").op.kind, KEYSTORE_OP_GET_DEL);
    assert_slice(parsed("GETDEL k").op.request.key.key, "k");
}

static struct request lcs(const char *line)
{
    struct request request = parsed(line);
    assert_int_equal(request.type, REQUEST_OP);
    assert_int_equal(request.op.kind, KEYSTORE_OP_LCS);
    assert_slice(request.op.request.lcs_request.key, "a");
    assert_slice(request.op.request.lcs_request.other_key, "b");
    assert_int_equal(request.op.request.lcs_request.db, PARSED_DB);
    return request;
}

static void common_subsequences(void **state)
{
    (void)state;
    struct keystore_lcs_request plain = lcs("LCS a b").op.request.lcs_request;
    assert_true(plain.want_string && !plain.want_matches && plain.min_match_length == 0);
    assert_ptr_equal(lcs("LCS a b").answer, answers_lcs);
    struct request length = lcs("LCS a b len MINMATCHLEN 3 WITHMATCHLEN");
    assert_false(length.op.request.lcs_request.want_string);
    assert_int_equal(length.op.request.lcs_request.min_match_length, 0);
    assert_ptr_equal(length.answer, answers_lcs_length);
    struct request matches = lcs("LCS a b IDX minmatchlen 3");
    assert_true(matches.op.request.lcs_request.want_matches);
    assert_false(matches.op.request.lcs_request.want_string);
    assert_int_equal(matches.op.request.lcs_request.min_match_length, 3);
    assert_ptr_equal(matches.answer, answers_lcs_matches);
    matches = lcs("LCS a b WITHMATCHLEN IDX MINMATCHLEN -3");
    assert_int_equal(matches.op.request.lcs_request.min_match_length, 0);
    assert_ptr_equal(matches.answer, answers_lcs_matches_with_lengths);
    assert_refused("LCS a b LEN IDX", "LEN and IDX exclude each other");
    assert_refused("LCS a b LENGTH", "LCS has no option 'LENGTH'");
    assert_refused("LCS a b IDX MINMATCHLEN", "MINMATCHLEN");
    assert_refused("LCS a b IDX MINMATCHLEN x", "'x' is not a valid length");
}

#define TEST(name) cmocka_unit_test_teardown(name, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(common_subsequences),
        TEST(plain_set),
        TEST(options_of_set),
        TEST(kin_of_set),
        TEST(several_keys),
        TEST(getting_with_another_time_to_live),
        TEST(parts),
        TEST(numbers),
        TEST(values_of_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
