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
    for (enum err err = ERR_NONE + 1; err < ERR_COUNT; err++) {
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
        cmocka_unit_test(test_each_refusal_is_counted),
        cmocka_unit_test(test_every_reason_is_in_the_proto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
