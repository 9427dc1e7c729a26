/* Tests of service/protoset.c: which file declares a symbol, and bytes declared as text. */
#include "service/protoset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = protoset_new(false);
    return 0;
}

static int teardown(void **state)
{
    protoset_free(*state);
    return 0;
}

static struct slice file_named(void **state, const char *name)
{
    return protoset_file_named(*state, slice_from_string(name));
}

static struct slice file_with(void **state, const char *symbol)
{
    return protoset_file_with(*state, slice_from_string(symbol));
}

static void test_files_have_names(void **state)
{
    static const char *const names[] = {"mini_redis.proto",
                                        "grpc/health/v1/health.proto",
                                        "grpc/reflection/v1/reflection.proto",
                                        "grpc/reflection/v1alpha/reflection.proto",
                                        "google/rpc/error_details.proto",
                                        "google/protobuf/duration.proto"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice file = file_named(state, names[i]);
        assert_true(file.len > 50);
        /* The name is the first field, and its length is less than 128. */
        assert_int_equal(file.data[0], 0x0a);
        assert_true(
            slice_equal(slice_make(file.data + 2, file.data[1]), slice_from_string(names[i])));
    }
    assert_null(file_named(state, "").data);
    assert_null(file_named(state, "redis.proto").data);
    assert_null(file_named(state, "grpc/health/v1/health.prot").data);
}

static void test_symbols_are_found(void **state)
{
    static const char *const symbols[] = {
        "KeyStore",
        "KeyStoreAdmin",
        "KeyStore.Set",
        "KeyStoreAdmin.Info",
        "KeyStoreAuth.WhoAmI",
        "KeyValue",
        "KeyValue.key",
        "Op",
        "Op.op", /* a oneof */
        "Op.set",
        "TxnRequest.Compare",
        "TxnRequest.Compare.unchanged_since",
        "BitOpRequest.Operation",
        "BitOpRequest.OPERATION_AND", /* declared beside its enum */
        "ErrorReason",
        "ERROR_REASON_STOPPING",
    };
    struct slice expected = file_named(state, "mini_redis.proto");
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        char name[100];
        snprintf(name, sizeof name, "keystore.v1.%s", symbols[i]);
        assert_ptr_equal(file_with(state, name).data, expected.data);
    }
    assert_ptr_equal(file_with(state, "grpc.health.v1.Health.Check").data,
                     file_named(state, "grpc/health/v1/health.proto").data);
    assert_ptr_equal(file_with(state, "grpc.reflection.v1alpha.ServerReflection").data,
                     file_named(state, "grpc/reflection/v1alpha/reflection.proto").data);
    assert_ptr_equal(file_with(state, "google.rpc.BadRequest.FieldViolation.field").data,
                     file_named(state, "google/rpc/error_details.proto").data);
    assert_ptr_equal(file_with(state, "google.protobuf.Duration").data,
                     file_named(state, "google/protobuf/duration.proto").data);
}

static void test_other_symbols_are_not_found(void **state)
{
    static const char *const symbols[] = {"",
                                          ".",
                                          "keystore",
                                          "keystore.v1",
                                          "keystore.v1.",
                                          "keystore.v1.Key.",
                                          "KeyStore",
                                          ".keystore.v1.KeyStore",
                                          "keystore.v1.KeyStore.",
                                          "keystore.v1.KeyStore.Sets",
                                          "keystore.v1.KeyStore.Set.key",
                                          "keystore.v1.KeyV",
                                          "keystore.v1.KeyValue.key.x",
                                          "keystore.v1.Operation",
                                          "keystore.v1.OPERATION_AND",
                                          "keystore.v1.ErrorReason.ERROR_REASON_STOPPING",
                                          "grpc.health.v1.KeyStore"};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        assert_null(file_with(state, symbols[i]).data);
}

static void note_service(void *user, struct slice package, struct slice name)
{
    char *text = user;
    size_t len = strlen(text);
    snprintf(text + len, 500 - len, "%.*s.%.*s ", (int)package.len, (const char *)package.data,
             (int)name.len, (const char *)name.data);
}

static void test_services_are_listed(void **state)
{
    char text[500] = "";
    protoset_each_service(*state, note_service, text);
    assert_string_equal(text, "keystore.v1.KeyStore keystore.v1.KeyStoreAdmin "
                              "keystore.v1.KeyStoreAuth "
                              "grpc.reflection.v1.ServerReflection "
                              "grpc.reflection.v1alpha.ServerReflection grpc.health.v1.Health ");
}

/* Fields of type bytes become strings, nothing else changes. */
static void test_bytes_as_text(void **state)
{
    struct protoset *text = protoset_new(true);
    struct slice plain = file_named(state, "mini_redis.proto");
    struct slice converted = protoset_file_named(text, SLICE_LITERAL("mini_redis.proto"));
    assert_int_equal(converted.len, plain.len);
    size_t changes = 0;
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.data[i] == converted.data[i])
            continue;
        assert_int_equal(plain.data[i], 12);
        assert_int_equal(converted.data[i], 9);
        assert_int_equal(plain.data[i - 1], 0x28); /* field 5, a varint */
        changes++;
    }
    assert_true(changes > 50);
    protoset_free(text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files_have_names),
        TEST(test_symbols_are_found),
        TEST(test_other_symbols_are_not_found),
        TEST(test_services_are_listed),
        TEST(test_bytes_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
