/* Which call a command becomes, and what is passed on; the client library is played here. */
#include "cli/send.h"

#include "fake_client.h"
#include "parsed.h"

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

static struct reply send(const char *line)
{
    struct request request = parsed(line);
    struct reply reply = {.type = REPLY_NIL};
    assert_int_equal(send_request(NULL, &request, &parsed_arena, &reply), fake_code);
    return reply;
}

static const struct {
    const char *line;
    const char *call;
    enum keystore_op_kind kind;
} calls[] = {
    {"SET k v", "call", KEYSTORE_OP_SET},
    {"GET k", "call", KEYSTORE_OP_GET},
    {"GETSET k v", "call", KEYSTORE_OP_SET},
    {"SETNX k v", "call", KEYSTORE_OP_SET},
    {"GETDEL k", "call", KEYSTORE_OP_GET_DEL},
    {"GETEX k", "call", KEYSTORE_OP_GET_EX},
    {"MGET a b", "call", KEYSTORE_OP_MGET},
    {"MSET a b", "call", KEYSTORE_OP_MSET},
    {"APPEND k v", "call", KEYSTORE_OP_APPEND},
    {"STRLEN k", "call", KEYSTORE_OP_DESCRIBE},
    {"GETRANGE k 0 1", "call", KEYSTORE_OP_GET_RANGE},
    {"SETRANGE k 0 v", "call", KEYSTORE_OP_SET_RANGE},
    {"SETBIT k 0 1", "call", KEYSTORE_OP_SETBIT},
    {"GETBIT k 0", "call", KEYSTORE_OP_GETBIT},
    {"BITCOUNT k", "call", KEYSTORE_OP_BITCOUNT},
    {"BITPOS k 1", "call", KEYSTORE_OP_BITPOS},
    {"BITOP AND t a", "call", KEYSTORE_OP_BITOP},
    {"BITFIELD k GET u8 0", "call", KEYSTORE_OP_BITFIELD},
    {"INCR k", "call", KEYSTORE_OP_INCR},
    {"INCRBYFLOAT k 1", "call", KEYSTORE_OP_INCR},
    {"DEL a", "call", KEYSTORE_OP_DELETE_MANY},
    {"DELETE k", "call", KEYSTORE_OP_DELETE},
    {"EXISTS a", "call", KEYSTORE_OP_EXISTS},
    {"TOUCH a", "call", KEYSTORE_OP_TOUCH},
    {"TTL k", "call", KEYSTORE_OP_DESCRIBE},
    {"EXPIRE k 1", "call", KEYSTORE_OP_EXPIRE},
    {"PERSIST k", "call", KEYSTORE_OP_EXPIRE},
    {"RENAME a b", "call", KEYSTORE_OP_RENAME},
    {"COPY a b", "call", KEYSTORE_OP_COPY},
    {"MOVE a 1", "call", KEYSTORE_OP_RENAME},
    {"RANDOMKEY", "random_key", KEYSTORE_OP_NONE},
    {"DBSIZE", "info", KEYSTORE_OP_NONE},
    {"FLUSHDB", "flush_db", KEYSTORE_OP_NONE},
    {"SWAPDB 0 1", "swap_db", KEYSTORE_OP_NONE},
    {"LCS a b", "call", KEYSTORE_OP_LCS},
    {"LPUSH l v", "call", KEYSTORE_OP_LPUSH},
    {"RPUSH l v", "call", KEYSTORE_OP_RPUSH},
    {"LPOP l", "call", KEYSTORE_OP_LPOP},
    {"RPOP l", "call", KEYSTORE_OP_RPOP},
    {"LPOP l 2", "call", KEYSTORE_OP_LIST_POP},
    {"LPOP l 0", "call", KEYSTORE_OP_DESCRIBE},
    {"LMPOP 1 l LEFT", "call", KEYSTORE_OP_LIST_POP},
    {"LMOVE a b LEFT LEFT", "call", KEYSTORE_OP_LMOVE},
    {"LRANGE l 0 1", "call", KEYSTORE_OP_LRANGE},
    {"LINDEX l 0", "call", KEYSTORE_OP_LINDEX},
    {"LSET l 0 v", "call", KEYSTORE_OP_LSET},
    {"LINSERT l AFTER p v", "call", KEYSTORE_OP_LINSERT},
    {"LREM l 0 v", "call", KEYSTORE_OP_LREM},
    {"LPOS l v", "call", KEYSTORE_OP_LPOS},
    {"LTRIM l 0 1", "call", KEYSTORE_OP_LTRIM},
    {"SELECT 1", "call", KEYSTORE_OP_EXISTS},
    {"PING", "call", KEYSTORE_OP_EXISTS},
    {"INFO", "info", KEYSTORE_OP_NONE},
    {"SAVE", "save", KEYSTORE_OP_NONE},
    {"CONFIG GET x", "config", KEYSTORE_OP_NONE},
    {"SLOWLOG LEN", "slow_log", KEYSTORE_OP_NONE},
    {"LATENCY", "latency", KEYSTORE_OP_NONE},
};
#define CALL_COUNT (sizeof calls / sizeof *calls)

static void commands_become_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALL_COUNT; i++) {
        fake_reset();
        fake_sent.kind = KEYSTORE_OP_NONE;
        (void)send(calls[i].line);
        assert_string_equal(fake_called, calls[i].call);
        assert_int_equal(fake_calls, 1);
        assert_int_equal(fake_sent.kind, calls[i].kind);
    }
}

static void failures_are_passed_on(void **state)
{
    (void)state;
    fake_code = KEYSTORE_FAILED_PRECONDITION;
    for (size_t i = 0; i < CALL_COUNT; i++)
        (void)send(calls[i].line);
}

static void requests_arrive_as_they_are(void **state)
{
    (void)state;
    (void)send("SET k v EX 5");
    assert_slice(fake_sent.request.key_value.value, "v");
    assert_int_equal(fake_sent.request.key_value.ttl_ms, 5000);
    assert_int_equal(fake_sent.request.key_value.db, PARSED_DB);
    (void)send("LMOVE a b LEFT RIGHT");
    assert_slice(fake_sent.request.move.target, "b");
    assert_int_equal(fake_sent.request.move.target_end, KEYSTORE_TAIL);
    (void)send("FLUSHDB");
    assert_int_equal(fake_sent_db, PARSED_DB);
    (void)send("BGSAVE");
    assert_false(fake_sent_wait);
    (void)send("SAVE");
    assert_true(fake_sent_wait);
}

static void answers_read_as_the_command_wants(void **state)
{
    (void)state;
    fake_reply.answer.value = (struct keystore_value){.found = true, .value = keystore_text("v")};
    assert_slice(send("GET k").bytes, "v");
    fake_reply.answer.status = (struct keystore_status){.ok = true, .count = 5};
    assert_int_equal(send("DEL k").integer, 5);
    assert_int_equal(send("SETNX k v").integer, 1);
    assert_int_equal(send("SET k v").type, REPLY_STATUS);
    assert_slice(send("BGSAVE").bytes, "Background saving started");
    assert_int_equal(send("RANDOMKEY").type, REPLY_NIL);
    fake_key.key = keystore_text("k");
    assert_slice(send("RANDOMKEY").bytes, "k");
}

static void sections_of_info(void **state)
{
    (void)state;
    struct keystore_info_field fields[] = {{"db3", "keys=12,expires=0"}};
    fake_info = (struct keystore_info_reply){.fields = fields, .count = 1};
    assert_slice(send("INFO keyspace Memory").bytes, "db3:keys=12,expires=0");
    assert_int_equal(fake_sent_info.count, 2);
    assert_string_equal(fake_sent_info.sections[1], "memory");
    assert_int_equal(send("DBSIZE").integer, 12);
    assert_string_equal(fake_sent_info.sections[0], "keyspace");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_become_calls),
        TEST(failures_are_passed_on),
        TEST(requests_arrive_as_they_are),
        TEST(answers_read_as_the_command_wants),
        TEST(sections_of_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
