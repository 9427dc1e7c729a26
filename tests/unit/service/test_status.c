/* Tests of service/status.c: every error has the status and reason that the API promises. */
#include "service/status.h"

#include <mini_redis.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_every_error_has_its_status(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        enum grpc_code code;
        const char *reason;
    } expected[] = {
        {ERR_WRONG_TYPE, GRPC_FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE"},
        {ERR_BAD_ARGUMENT, GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT"},
        {ERR_NOT_A_NUMBER, GRPC_FAILED_PRECONDITION, "ERROR_REASON_NOT_A_NUMBER"},
        {ERR_OUT_OF_RANGE, GRPC_OUT_OF_RANGE, "ERROR_REASON_OUT_OF_RANGE"},
        {ERR_OUT_OF_MEMORY, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_OUT_OF_MEMORY"},
        {ERR_TOO_LARGE, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE"},
        {ERR_BAD_MESSAGE, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE"},
        {ERR_NOT_SERVED, GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED"},
        {ERR_DEADLINE, GRPC_DEADLINE_EXCEEDED, "ERROR_REASON_DEADLINE"},
        {ERR_LOADING, GRPC_UNAVAILABLE, "ERROR_REASON_LOADING"},
        {ERR_READ_ONLY, GRPC_FAILED_PRECONDITION, "ERROR_REASON_READ_ONLY"},
        {ERR_NOT_DURABLE, GRPC_UNAVAILABLE, "ERROR_REASON_NOT_DURABLE"},
        {ERR_HISTORY_LOST, GRPC_OUT_OF_RANGE, "ERROR_REASON_HISTORY_LOST"},
        {ERR_STOPPING, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING"},
        {ERR_NOT_READ, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_NOT_READ"},
        {ERR_UNAUTHENTICATED, GRPC_UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED"},
        {ERR_FORBIDDEN, GRPC_PERMISSION_DENIED, "ERROR_REASON_FORBIDDEN"},
        {ERR_NOT_FOUND, GRPC_NOT_FOUND, "ERROR_REASON_NOT_FOUND"},
        {ERR_THROTTLED, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_THROTTLED"},
        {ERR_NO_USERS, GRPC_FAILED_PRECONDITION, "ERROR_REASON_NO_USERS"},
        {ERR_TOO_MANY_CALLS, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_MANY_CALLS"},
        {ERR_ID_REUSED, GRPC_ALREADY_EXISTS, "ERROR_REASON_REQUEST_ID_REUSED"},
        {ERR_ALREADY_DONE, GRPC_ALREADY_EXISTS, "ERROR_REASON_ALREADY_DONE"},
    };
    assert_int_equal(ERR_COUNT - 1, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct grpc_status status = status_of(expected[i].err, "an error message");
        assert_int_equal(status.code, expected[i].code);
        assert_string_equal(status.reason, expected[i].reason);
        assert_true(slice_equal(status.message, SLICE_LITERAL("an error message")));
    }
}

/*
 * The decision for every error: how long to wait, and whether it says of which limit. A new error
 * needs a row.
 */
static void test_every_error_has_its_details(void **state)
{
    (void)state;
    static const struct {
        bool is_decided;
        int64_t retry_ms; /* at least; below 0: never */
        const char *subject;
    } expected[ERR_ALL] = {
        [ERR_WRONG_TYPE] = {true, 0, NULL},
        [ERR_BAD_ARGUMENT] = {true, 0, NULL},
        [ERR_NOT_A_NUMBER] = {true, 0, NULL},
        [ERR_OUT_OF_RANGE] = {true, 0, NULL},
        [ERR_OUT_OF_MEMORY] = {true, 0, "memory"},
        [ERR_TOO_LARGE] = {true, 0, "message"},
        [ERR_BAD_MESSAGE] = {true, 0, NULL},
        [ERR_NOT_SERVED] = {true, 0, NULL},
        [ERR_DEADLINE] = {true, 0, NULL},
        [ERR_LOADING] = {true, 1000, NULL},
        [ERR_READ_ONLY] = {true, 0, NULL},
        [ERR_NOT_DURABLE] = {true, -1, NULL},
        [ERR_STOPPING] = {true, 200, NULL},
        [ERR_HISTORY_LOST] = {true, 0, NULL},
        [ERR_NOT_READ] = {true, 0, "stream"},
        [ERR_ID_REUSED] = {true, 0, NULL},
        [ERR_ALREADY_DONE] = {true, 0, NULL},
        [ERR_UNAUTHENTICATED] = {true, 0, NULL},
        [ERR_FORBIDDEN] = {true, 0, NULL},
        [ERR_NOT_FOUND] = {true, 0, NULL},
        [ERR_THROTTLED] = {true, 200, "attempts"},
        [ERR_NO_USERS] = {true, 0, NULL},
        [ERR_TOO_MANY_CALLS] = {true, 200, "calls"},
        [ERR_NO_CLIENT_MEMORY] = {true, 200, "memory"},
        [ERR_TOO_MANY_AT_ONCE] = {true, 200, "connection"},
    };
    for (enum err err = ERR_NONE + 1; err < ERR_ALL; err++) {
        int64_t least = expected[err].retry_ms;
        if (!expected[err].is_decided)
            fail_msg("no details are decided for %s", status_reason(err));
        for (int i = 0; i < 100; i++) {
            struct grpc_status status = status_of(err, "an error message");
            assert_in_range(status.retry_ms - least, 0, least > 0 ? least / 2 : 0);
            assert_true(
                slice_equal(status.subject, expected[err].subject == NULL
                                                ? slice_make(NULL, 0)
                                                : slice_from_string(expected[err].subject)));
            assert_null(status.resource_type);
        }
    }
}

/* Clients that were refused together come back one after the other. */
static void test_waits_are_spread(void **state)
{
    (void)state;
    unsigned tenths[10] = {0};
    for (int i = 0; i < 1000; i++) {
        int64_t wait_ms = status_of(ERR_LOADING, "an error message").retry_ms;
        assert_in_range(wait_ms, 1000, 1499);
        tenths[(wait_ms - 1000) / 50]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(tenths[i], 90, 110);
}

static void test_the_limit_is_the_one_that_the_message_names(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        const char *why, *subject;
    } cases[] = {
        {ERR_OUT_OF_MEMORY, "the memory limit (--max-memory) is reached", "max-memory"},
        {ERR_OUT_OF_MEMORY, "raise --max-memory or --other", "max-memory"},
        {ERR_NO_CLIENT_MEMORY, "all of --max-client-memory; try again", "max-client-memory"},
        {ERR_TOO_LARGE, "value: longer than --max-value", "max-value"},
        {ERR_TOO_LARGE, "in the metadata keystore-max-reply-bytes", "keystore-max-reply-bytes"},
        {ERR_TOO_LARGE, "keys[1]: the key has 70000 bytes", "keys[1]"},
        {ERR_TOO_LARGE, "the answer does not fit", "message"},
        {ERR_BAD_ARGUMENT, "see --help", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice subject = status_of(cases[i].err, cases[i].why).subject;
        if (!slice_equal(subject, slice_from_string(cases[i].subject)))
            fail_msg("`%s`: %.*s", cases[i].why, (int)subject.len, (const char *)subject.data);
    }
}

static void test_a_wrong_type_names_its_key(void **state)
{
    (void)state;
    struct op_result result = {.err = ERR_WRONG_TYPE,
                               .why = "the key holds a list",
                               .key = SLICE_LITERAL("key"),
                               .type = OP_TYPE_LIST};
    struct grpc_status status = status_of_result(&result);
    assert_string_equal(status.resource_type, "list");
    assert_true(slice_equal(status.resource_name, result.key));
    result.type = OP_TYPE_STRING;
    assert_string_equal(status_of_result(&result).resource_type, "string");
    result.type = OP_TYPE_NONE;
    assert_null(status_of_result(&result).resource_type);
    result = (struct op_result){.err = ERR_LOADING, .why = "wait"};
    assert_null(status_of_result(&result).resource_type);
}

static void test_what_may_be_executed_twice_may_be_tried_again(void **state)
{
    (void)state;
    struct grpc_status lost = status_of(ERR_NOT_DURABLE, ""), loading = status_of(ERR_LOADING, "");
    int64_t wait_ms = loading.retry_ms;
    status_allow_retry(&lost);
    status_allow_retry(&loading);
    assert_int_equal(lost.retry_ms, 0);
    assert_int_equal(loading.retry_ms, wait_ms);
}

/* Clients see the same reason. */
static void test_what_passes_counts_as_its_reason(void **state)
{
    (void)state;
    uint64_t memory = status_count(ERR_OUT_OF_MEMORY), large = status_count(ERR_TOO_LARGE);
    struct grpc_status status = status_of(ERR_NO_CLIENT_MEMORY, "");
    assert_string_equal(status.reason, status_reason(ERR_OUT_OF_MEMORY));
    assert_int_equal(status.code, status_code(ERR_OUT_OF_MEMORY));
    status = status_of(ERR_TOO_MANY_AT_ONCE, "");
    assert_string_equal(status.reason, status_reason(ERR_TOO_LARGE));
    assert_int_equal(status.code, status_code(ERR_TOO_LARGE));
    assert_int_equal(status_count(ERR_OUT_OF_MEMORY), memory + 1);
    assert_int_equal(status_count(ERR_TOO_LARGE), large + 1);
}

static void test_each_refusal_is_counted(void **state)
{
    (void)state;
    uint64_t before = status_count(ERR_OUT_OF_RANGE), other = status_count(ERR_DEADLINE);
    for (int i = 0; i < 3; i++)
        assert_string_equal(status_of(ERR_OUT_OF_RANGE, "").reason,
                            status_reason(ERR_OUT_OF_RANGE));
    assert_int_equal(status_count(ERR_OUT_OF_RANGE), before + 3);
    assert_int_equal(status_count(ERR_DEADLINE), other);
}

static void test_every_reason_is_in_the_proto(void **state)
{
    (void)state;
    for (enum err err = ERR_NONE + 1; err < ERR_ALL; err++) {
        struct grpc_status status = status_of(err, "");
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(
            &keystore__v1__error_reason__descriptor, status.reason);
        assert_non_null(value);
        assert_int_not_equal(value->value, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_has_its_status),
        cmocka_unit_test(test_every_error_has_its_details),
        cmocka_unit_test(test_waits_are_spread),
        cmocka_unit_test(test_the_limit_is_the_one_that_the_message_names),
        cmocka_unit_test(test_a_wrong_type_names_its_key),
        cmocka_unit_test(test_what_may_be_executed_twice_may_be_tried_again),
        cmocka_unit_test(test_what_passes_counts_as_its_reason),
        cmocka_unit_test(test_each_refusal_is_counted),
        cmocka_unit_test(test_every_reason_is_in_the_proto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
