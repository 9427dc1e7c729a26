/* What the commands for keys and databases ask for. */
#include "parsed.h"

static void removing(void **state)
{
    (void)state;
    struct request request = parsed("DEL a b");
    assert_int_equal(request.op.kind, KEYSTORE_OP_DELETE_MANY);
    assert_int_equal(request.op.request.keys.count, 2);
    assert_int_equal(parsed("UNLINK a").op.kind, KEYSTORE_OP_DELETE_MANY);
    request = parsed("DELETE k");
    assert_int_equal(request.op.kind, KEYSTORE_OP_DELETE);
    assert_null(request.op.request.key.condition);
    request = parsed("DELETE k ifversion 5");
    assert_int_equal(request.op.request.key.condition->version, 5);
    request = parsed("DELETE k IFEQ v");
    assert_slice(request.op.request.key.condition->value, "v");
    assert_refused("DELETE a b", "DELETE has no option 'b'");
}

static void looking(void **state)
{
    (void)state;
    assert_int_equal(parsed("EXISTS a b").op.kind, KEYSTORE_OP_EXISTS);
    assert_int_equal(parsed("TOUCH a b").op.kind, KEYSTORE_OP_TOUCH);
    static const char *const lines[] = {"TYPE k",       "DESCRIBE k",    "TTL k",         "PTTL k",
                                        "EXPIRETIME k", "PEXPIRETIME k", "memory usage k"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct request request = parsed(lines[i]);
        assert_int_equal(request.op.kind, KEYSTORE_OP_DESCRIBE);
        assert_slice(request.op.request.key.key, "k");
    }
    assert_refused("MEMORY DOCTOR k", "MEMORY has no 'DOCTOR', only USAGE");
}

static struct keystore_expire_request expire(const char *line)
{
    struct request request = parsed(line);
    assert_int_equal(request.op.kind, KEYSTORE_OP_EXPIRE);
    assert_slice(request.op.request.expire.key, "k");
    assert_int_equal(request.op.request.expire.db, PARSED_DB);
    return request.op.request.expire;
}

static void deadlines(void **state)
{
    (void)state;
    assert_int_equal(expire("EXPIRE k 5").ttl_ms, 5000);
    assert_int_equal(expire("PEXPIRE k 5").ttl_ms, 5);
    assert_int_equal(expire("EXPIREAT k 5").expire_at_ms, 5000);
    assert_int_equal(expire("PEXPIREAT k 5").expire_at_ms, 5);
    assert_true(expire("PERSIST k").persist);
    assert_int_equal(expire("EXPIRE k 5").when, KEYSTORE_WHEN_ANY);
    assert_int_equal(expire("EXPIRE k 5 nx").when, KEYSTORE_WHEN_NO_EXPIRY);
    assert_int_equal(expire("EXPIRE k 5 XX").when, KEYSTORE_WHEN_HAS_EXPIRY);
    assert_int_equal(expire("PEXPIREAT k 5 GT").when, KEYSTORE_WHEN_LATER);
    assert_int_equal(expire("EXPIREAT k 5 LT").when, KEYSTORE_WHEN_SOONER);
    assert_refused("EXPIRE k 5 NX GT", "GT is a second condition: EXPIRE takes only one of NX");
    assert_refused("EXPIRE k 5 YY", "EXPIRE has no option 'YY'");
    assert_refused("EXPIRE k soon", "'soon' is not a valid number of seconds");
    assert_refused("EXPIRE k 9223372036854776", "is not a valid number of seconds");
    assert_refused("EXPIREAT k x", "'x' is not a valid Unix time in seconds");
}

/* They remove the key at once, as in Redis; to the API a negative time is an error. */
static void deadlines_in_the_past(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "EXPIRE k 0",   "EXPIRE k -1",   "PEXPIRE k -9223372036854775808",
        "EXPIREAT k 0", "EXPIREAT k -5", "PEXPIREAT k 1",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(expire(lines[i]).expire_at_ms, 1);
        assert_int_equal(expire(lines[i]).ttl_ms, 0);
    }
}

static struct keystore_copy_request copy(const char *line, enum keystore_op_kind kind)
{
    struct request request = parsed(line);
    assert_int_equal(request.op.kind, kind);
    assert_slice(request.op.request.copy.source, "a");
    assert_int_equal(request.op.request.copy.db, PARSED_DB);
    return request.op.request.copy;
}

static void copying(void **state)
{
    (void)state;
    struct keystore_copy_request plain = copy("COPY a b", KEYSTORE_OP_COPY);
    assert_slice(plain.target, "b");
    assert_false(plain.replace || plain.has_target_db);
    struct keystore_copy_request all = copy("COPY a b replace DB 4294967295", KEYSTORE_OP_COPY);
    assert_true(all.replace && all.has_target_db);
    assert_true(all.target_db == UINT32_MAX);
    assert_refused("COPY a b DB", "DB of COPY needs a value");
    assert_refused("COPY a b DB -1", "'-1' is not a valid database");
    assert_refused("COPY a b INTO 1", "COPY has no option 'INTO'");
}

static void renaming_and_moving(void **state)
{
    (void)state;
    assert_false(copy("RENAME a b", KEYSTORE_OP_RENAME).absent_only);
    assert_true(copy("RENAMENX a b", KEYSTORE_OP_RENAME).absent_only);
    struct keystore_copy_request moved = copy("MOVE a 5", KEYSTORE_OP_RENAME);
    assert_slice(moved.target, "a");
    assert_true(moved.absent_only && moved.has_target_db);
    assert_int_equal(moved.target_db, 5);
    assert_refused("MOVE a 3", "the key is in database 3 already");
    assert_refused("MOVE a b", "'b' is not a valid database");
}

static void databases(void **state)
{
    (void)state;
    assert_int_equal(parsed("RANDOMKEY").type, REQUEST_RANDOM_KEY);
    assert_int_equal(parsed("DBSIZE").type, REQUEST_DB_SIZE);
    assert_int_equal(parsed("FLUSHDB").type, REQUEST_FLUSH_DB);
    assert_int_equal(parsed("FLUSHDB").db, PARSED_DB);
    struct request swap = parsed("SWAPDB 5 0");
    assert_int_equal(swap.type, REQUEST_SWAP_DB);
    assert_int_equal(swap.db, 5);
    assert_int_equal(swap.other_db, 0);
    assert_refused("SWAPDB 5 a", "'a' is not a valid database");
    assert_refused("SWAPDB -1 0", "'-1' is not a valid database");
}

#define TEST(name) cmocka_unit_test_teardown(name, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(removing),  TEST(looking),
        TEST(deadlines), TEST(deadlines_in_the_past),
        TEST(copying),   TEST(renaming_and_moving),
        TEST(databases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
