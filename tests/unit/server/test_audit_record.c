/* Tests of server/audit_record.c: records as lines of JSON. */
#include "server/audit_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_line(const struct audit_record *record, const char *policy, uint64_t dropped,
                        const char *expected)
{
    char line[AUDIT_RECORD_MAX + 1];
    size_t len = audit_record_print(record, policy, dropped, line);
    line[len] = '\0';
    assert_string_equal(line, expected);
}

static void test_all_fields(void **state)
{
    (void)state;
    const struct audit_record record = {.event = {.event = "operation",
                                                  .rpc_method = "/keystore.v1.KeyStore/Pipeline",
                                                  .operation = "Get",
                                                  .principal = "app",
                                                  .credential = "token:laptop",
                                                  .peer = "[::1]:5",
                                                  .status = "PERMISSION_DENIED",
                                                  .reason = "Get needs `read`"},
                                        .unix_ms = 1649376211042,
                                        .count = 12};
    assert_line(&record, "/etc/users", 3,
                "{\"timestamp\":\"1649376211\",\"time\":\"2022-04-08T00:03:31.042Z\","
                "\"event\":\"operation\",\"rpc_method\":\"/keystore.v1.KeyStore/Pipeline\","
                "\"operation\":\"Get\",\"principal\":\"app\",\"policy_name\":\"/etc/users\","
                "\"matched_rule\":\"\",\"authorized\":false,\"credential\":\"token:laptop\","
                "\"peer\":\"[::1]:5\",\"status\":\"PERMISSION_DENIED\","
                "\"reason\":\"Get needs `read`\",\"count\":12,\"dropped\":3}\n");
}

/* Those of A59 are always there. */
static void test_what_is_left_out(void **state)
{
    (void)state;
    const struct audit_record record = {
        .event = {.event = "call", .authorized = true, .matched_line = 7}, .count = 1};
    assert_line(&record, "", 0,
                "{\"timestamp\":\"0\",\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"call\","
                "\"rpc_method\":\"\",\"principal\":\"\",\"policy_name\":\"\","
                "\"matched_rule\":\"line 7\",\"authorized\":true}\n");
}

/* Nothing in a text ends its string, or the line. */
static void test_escapes(void **state)
{
    (void)state;
    const struct audit_record record = {.event = {.event = "e", .reason = "a\"b\\\n\x7f\xff"},
                                        .count = 1};
    assert_line(&record, "p\"", 0,
                "{\"timestamp\":\"0\",\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"e\","
                "\"rpc_method\":\"\",\"principal\":\"\",\"policy_name\":\"p\\u0022\","
                "\"matched_rule\":\"\",\"authorized\":false,"
                "\"reason\":\"a\\u0022b\\u005c\\u000a\\u007f\\u00ff\"}\n");
}

/* Texts as long as they may be, all escaped, have room. */
static void test_the_longest(void **state)
{
    (void)state;
    static char policy[2000];
    char line[AUDIT_RECORD_MAX];
    struct audit_record record = {.event = {.event = "operation",
                                            .operation = "DeleteMany",
                                            .status = "PERMISSION_DENIED",
                                            .matched_line = INT32_MAX},
                                  .unix_ms = INT64_C(99999999999999),
                                  .count = UINT64_MAX};
    struct audit_event *event = &record.event;
    memset(policy, '"', sizeof policy - 1);
    memset(event->rpc_method, '"', sizeof event->rpc_method - 1);
    memset(event->principal, '"', sizeof event->principal - 1);
    memset(event->credential, '"', sizeof event->credential - 1);
    memset(event->peer, '"', sizeof event->peer - 1);
    memset(event->reason, '"', sizeof event->reason - 1);
    size_t len = audit_record_print(&record, policy, UINT64_MAX, line);
    assert_in_range(len, 5000, AUDIT_RECORD_MAX);
    assert_int_equal(line[len - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_fields),
        cmocka_unit_test(test_what_is_left_out),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
