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
                                       .trailer_value = SLICE_LITERAL("42"),
                                       .retry_ms = 1500};
    static const char *const expected[GRPC_ERROR_FIELDS][2] = {
        {":status", "200"},
        {"content-type", "application/grpc"},
        {"grpc-accept-encoding", "identity,gzip"},
        {"grpc-status", "16"},
        {"grpc-message", "100 %25 wrong"},
        {"keystore-reason", "NO_TOKEN"},
        {"grpc-status-details-bin", NULL},
        {"more", "42"},
        {"grpc-retry-pushback-ms", "1500"}};
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

static void test_without_what_few_errors_have(void **state)
{
    (void)state;
    struct grpc_fields fields;
    grpc_fields_init(&fields, &(struct grpc_status){.code = GRPC_UNKNOWN, .reason = "A"});
    assert_int_equal(fields.count, GRPC_ERROR_FIELDS - 2);
    grpc_fields_deinit(&fields);
}

static void test_what_must_not_be_tried_again(void **state)
{
    (void)state;
    struct grpc_fields fields;
    grpc_fields_init(&fields,
                     &(struct grpc_status){.code = GRPC_UNKNOWN, .reason = "A", .retry_ms = -1});
    assert_int_equal(fields.count, GRPC_ERROR_FIELDS - 1);
    struct http2_field last = fields.fields[fields.count - 1];
    assert_true(slice_equal(last.name, SLICE_LITERAL("grpc-retry-pushback-ms")));
    assert_true(slice_equal(last.value, SLICE_LITERAL("-1")));
    grpc_fields_deinit(&fields);
}

/* Clients accept 8 KiB of metadata, counting 32 bytes for each field. */
static void test_the_largest_error_fits(void **state)
{
    (void)state;
    static uint8_t control[4000];
    memset(control, 1, sizeof control);
    struct grpc_status status = {.code = GRPC_RESOURCE_EXHAUSTED,
                                 .reason = "ERROR_REASON_WITH_A_LONG_NAME",
                                 .message = slice_make(control, sizeof control),
                                 .trailer_name = SLICE_LITERAL("keystore-oldest-version"),
                                 .trailer_value = SLICE_LITERAL("18446744073709551615"),
                                 .retry_ms = INT64_MAX,
                                 .subject = SLICE_LITERAL("keystore-max-reply-bytes"),
                                 .resource_type = "string",
                                 .resource_name = slice_make(control, GRPC_STATUS_NAME / 3)};
    memcpy(control, "success[1000].bit_field.parts[1000].overflow: ", 46);
    struct grpc_fields fields;
    size_t size = 0;
    grpc_fields_init(&fields, &status);
    for (size_t i = 0; i < fields.count; i++)
        size += 32 + fields.fields[i].name.len + fields.fields[i].value.len;
    assert_in_range(size, 4096, 8192);
    grpc_fields_deinit(&fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_error_says_all),
        cmocka_unit_test(test_without_what_few_errors_have),
        cmocka_unit_test(test_what_must_not_be_tried_again),
        cmocka_unit_test(test_the_largest_error_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
