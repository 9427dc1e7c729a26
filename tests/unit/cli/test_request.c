/* Which call a command becomes, and what is passed on; the client library is played here. */
#include "cli/request.h"

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
    assert_int_equal(request_send(NULL, &request, &parsed_arena, &reply), fake_code);
    return reply;
}

static const struct {
    const char *line;
    const char *call;
} calls[] = {
    {"SET k v", "set"},
    {"GET k", "get"},
    {"GETSET k v", "set"},
    {"SETNX k v", "set"},
    {"GETDEL k", "get_del"},
    {"GETEX k", "get_ex"},
    {"MGET a b", "mget"},
    {"MSET a b", "mset"},
    {"APPEND k v", "append"},
    {"STRLEN k", "describe"},
    {"GETRANGE k 0 1", "get_range"},
    {"SETRANGE k 0 v", "set_range"},
    {"INCR k", "incr"},
    {"INCRBYFLOAT k 1", "incr"},
    {"DEL a", "delete_many"},
    {"DELETE k", "delete"},
    {"EXISTS a", "exists"},
    {"TOUCH a", "touch"},
    {"TTL k", "describe"},
    {"EXPIRE k 1", "expire"},
    {"PERSIST k", "expire"},
    {"RENAME a b", "rename"},
    {"COPY a b", "copy"},
    {"MOVE a 1", "rename"},
    {"RANDOMKEY", "random_key"},
    {"DBSIZE", "info"},
    {"FLUSHDB", "flush_db"},
    {"LPUSH l v", "lpush"},
    {"RPUSH l v", "rpush"},
    {"LPOP l", "lpop"},
    {"RPOP l", "rpop"},
    {"LPOP l 2", "list_pop"},
    {"LPOP l 0", "describe"},
    {"LMPOP 1 l LEFT", "list_pop"},
    {"LMOVE a b LEFT LEFT", "lmove"},
    {"LRANGE l 0 1", "lrange"},
    {"LINDEX l 0", "lindex"},
    {"LSET l 0 v", "lset"},
    {"LINSERT l AFTER p v", "linsert"},
    {"LREM l 0 v", "lrem"},
    {"LPOS l v", "lpos"},
    {"LTRIM l 0 1", "ltrim"},
    {"SELECT 1", "exists"},
    {"PING", "exists"},
    {"INFO", "info"},
    {"SAVE", "save"},
};
#define CALL_COUNT (sizeof calls / sizeof *calls)

static void commands_become_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALL_COUNT; i++) {
        fake_reset();
        (void)send(calls[i].line);
        assert_string_equal(fake_called, calls[i].call);
        assert_int_equal(fake_calls, 1);
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
