/* Tests of grpc/fields.c: the fields of an error hold what the status says. */
#include "grpc/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_an_error_says_all(void **state)
{
    (void)state;
    const struct grpc_status status = {.code = GRPC_UNAUTHENTICATED,
                                       .reason = "NO_TOKEN",
                                       .message = SLICE_LITERAL("100 % wrong"),
                                       .trailer_name = SLICE_LITERAL("more"),
                                       .trailer_value = SLICE_LITERAL("42")};
    static const char *const expected[GRPC_ERROR_FIELDS][2] = {
        {":status", "200"},
        {"content-type", "application/grpc"},
        {"grpc-accept-encoding", "identity,gzip"},
        {"grpc-status", "16"},
        {"grpc-message", "100 %25 wrong"},
        {"keystore-reason", "NO_TOKEN"},
        {"grpc-status-details-bin", NULL},
        {"more", "42"}};
    struct grpc_fields fields;
    grpc_fields_init(&fields, &status);
    assert_int_equal(fields.count, GRPC_ERROR_FIELDS);
    for (size_t i = 0; i < GRPC_ERROR_FIELDS; i++) {
        assert_true(slice_equal(fields.fields[i].name, slice_from_string(expected[i][0])));
        if (expected[i][1] != NULL)
            assert_true(slice_equal(fields.fields[i].value, slice_from_string(expected[i][1])));
        else
            assert_true(fields.fields[i].value.len > 0);
    }
    grpc_fields_deinit(&fields);
}

static void test_without_a_trailer_of_the_method(void **state)
{
    (void)state;
    struct grpc_fields fields;
    grpc_fields_init(&fields, &(struct grpc_status){.code = GRPC_UNKNOWN, .reason = "A"});
    assert_int_equal(fields.count, GRPC_ERROR_FIELDS - 1);
    grpc_fields_deinit(&fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_error_says_all),
        cmocka_unit_test(test_without_a_trailer_of_the_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
