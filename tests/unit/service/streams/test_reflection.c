/* Tests of service/streams/reflection.c: what is asked for, known and unknown, and the ends. */
#include "service/streams/reflection.h"

#include "service/protoset.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <grpc/reflection/v1/reflection.pb-c.h>

#include "service/link.h"

#define PATH "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

typedef Grpc__Reflection__V1__ServerReflectionRequest request_type;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_type;

#define ASKS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define HAS(what)  GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

static int setup(void **state)
{
    link_protoset = protoset_new(false);
    return embedded_setup(state);
}

static int teardown(void **state)
{
    embedded_teardown(state);
    protoset_free(link_protoset);
    link_protoset = NULL;
    return 0;
}

static request_type make_request(void)
{
    request_type request;
    grpc__reflection__v1__server_reflection_request__init(&request);
    request.host = (char *)"here";
    return request;
}

/* Makes a call with that request alone. */
static response_type *ask(struct link *link, const char *path, const request_type *request)
{
    struct ng_stream *call = link_call(link, path, request);
    assert_true(call->closed);
    assert_int_equal(ng_call_status(call), GRPC_OK);
    struct slice reply = ng_call_reply(call);
    response_type *response =
        grpc__reflection__v1__server_reflection_response__unpack(NULL, reply.len, reply.data);
    assert_non_null(response);
    assert_string_equal(response->valid_host, "here");
    assert_int_equal(response->original_request->message_request_case,
                     request->message_request_case);
    return response;
}

static void free_response(response_type *response)
{
    grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
}

static void test_files(void **state)
{
    struct link *link = *state;
    static const char *const paths[] = {
        PATH, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};
    request_type by_name = make_request(), by_symbol = make_request();
    by_name.message_request_case = ASKS(FILE_BY_FILENAME);
    by_name.file_by_filename = (char *)"mini_redis.proto";
    by_symbol.message_request_case = ASKS(FILE_CONTAINING_SYMBOL);
    by_symbol.file_containing_symbol = (char *)"keystore.v1.KeyStore";
    const request_type *requests[] = {&by_name, &by_symbol};
    struct slice file = protoset_file_named(link_protoset, SLICE_LITERAL("mini_redis.proto"));
    for (size_t i = 0; i < 4; i++) {
        response_type *response = ask(link, paths[i / 2], requests[i % 2]);
        assert_int_equal(response->message_response_case, HAS(FILE_DESCRIPTOR_RESPONSE));
        assert_int_equal(response->file_descriptor_response->n_file_descriptor_proto, 1);
        ProtobufCBinaryData got = response->file_descriptor_response->file_descriptor_proto[0];
        assert_true(slice_equal(slice_make(got.data, got.len), file));
        free_response(response);
    }
}

static void test_services(void **state)
{
    request_type request = make_request();
    request.message_request_case = ASKS(LIST_SERVICES);
    request.list_services = (char *)"";
    response_type *response = ask(*state, PATH, &request);
    assert_int_equal(response->message_response_case, HAS(LIST_SERVICES_RESPONSE));
    const Grpc__Reflection__V1__ListServiceResponse *list = response->list_services_response;
    assert_int_equal(list->n_service, 6);
    assert_string_equal(list->service[0]->name, "keystore.v1.KeyStore");
    assert_string_equal(list->service[5]->name, "grpc.health.v1.Health");
    free_response(response);
}

/* proto3 has no extensions. */
static void test_extensions(void **state)
{
    request_type request = make_request();
    request.message_request_case = ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE);
    request.all_extension_numbers_of_type = (char *)"keystore.v1.Key";
    response_type *response = ask(*state, PATH, &request);
    assert_int_equal(response->message_response_case, HAS(ALL_EXTENSION_NUMBERS_RESPONSE));
    assert_string_equal(response->all_extension_numbers_response->base_type_name,
                        "keystore.v1.Key");
    assert_int_equal(response->all_extension_numbers_response->n_extension_number, 0);
    free_response(response);
}

static void assert_error(struct link *link, const request_type *request, enum grpc_code code,
                         const char *words)
{
    response_type *response = ask(link, PATH, request);
    assert_int_equal(response->message_response_case, HAS(ERROR_RESPONSE));
    assert_int_equal(response->error_response->error_code, code);
    assert_non_null(strstr(response->error_response->error_message, words));
    free_response(response);
}

static void test_what_is_not_there(void **state)
{
    request_type request = make_request();
    Grpc__Reflection__V1__ExtensionRequest extension =
        GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
    assert_error(*state, &request, GRPC_INVALID_ARGUMENT, "asks for nothing");
    request.message_request_case = ASKS(FILE_BY_FILENAME);
    request.file_by_filename = (char *)"none.proto";
    assert_error(*state, &request, GRPC_NOT_FOUND, "no file \"none.proto\"");
    request.message_request_case = ASKS(FILE_CONTAINING_SYMBOL);
    request.file_containing_symbol = (char *)"keystore.v1.None";
    assert_error(*state, &request, GRPC_NOT_FOUND, "no symbol \"keystore.v1.None\"");
    request.message_request_case = ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE);
    request.all_extension_numbers_of_type = (char *)"None";
    assert_error(*state, &request, GRPC_NOT_FOUND, "no message \"None\"");
    request.message_request_case = ASKS(FILE_CONTAINING_EXTENSION);
    request.file_containing_extension = &extension;
    assert_error(*state, &request, GRPC_NOT_FOUND, "no extensions");
}

static void test_it_can_be_off(void **state)
{
    struct link *link;
    struct protoset *protoset = link_protoset;
    request_type request = make_request();
    (void)state;
    link_protoset = NULL;
    embedded_setup((void **)&link);
    const struct ng_stream *call = link_call(link, PATH, &request);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
    embedded_teardown((void **)&link);
    link_protoset = protoset;
}

/* Starts a call without ending its side. */
static struct ng_stream *open_call(struct link *link, size_t requests)
{
    struct ng_stream *call = ng_call_begin(link->client, PATH);
    request_type request = make_request();
    request.message_request_case = ASKS(FILE_BY_FILENAME);
    request.file_by_filename = (char *)"mini_redis.proto";
    struct slice packed = message_pack(&request);
    for (size_t i = 0; i < requests; i++)
        ng_call_send(link->client, call, packed, false);
    message_free_packed(packed);
    return call;
}

static void test_a_cancelled_call(void **state)
{
    struct link *link = *state;
    for (size_t requests = 0; requests < 10; requests++) {
        struct ng_stream *call = open_call(link, requests);
        link_to_server(link);
        ng_client_reset(link->client, call);
        link_exchange(link);
        assert_true(call->closed);
    }
}

static void test_a_shutdown_ends_it(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = open_call(link, 3);
    link_exchange(link);
    assert_false(call->closed);
    grpc_connection_drain(link->server);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNAVAILABLE);
}

static void test_what_does_not_decode_ends_it(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = ng_call(link->client, PATH, SLICE_LITERAL("\x0a\x05"));
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_INTERNAL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_services),
        TEST(test_extensions),
        TEST(test_what_is_not_there),
        TEST(test_it_can_be_off),
        TEST(test_a_cancelled_call),
        TEST(test_a_shutdown_ends_it),
        TEST(test_what_does_not_decode_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
