/*
 * Tests of service/encode.c: what is encoded, protobuf-c reads back. The call is one of our own:
 * this file takes the place of grpc/server.c.
 */
#include "service/encode.h"

#include "base/blob.h"
#include "grpc/server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/messages.h"
#include "store/seeded.h"

struct grpc_call {
    uint8_t *reply; /* of exactly the announced size, so that a sanitizer sees what passes it */
    size_t size;
    size_t written;
    size_t blob_bytes; /* of them, not copied */
    bool ended;
};

void grpc_call_reply_begin(struct grpc_call *call, size_t size)
{
    assert_null(call->reply);
    call->reply = malloc(size > 0 ? size : 1);
    call->size = size;
}

uint8_t *grpc_call_reply_bytes(struct grpc_call *call, size_t size)
{
    assert_non_null(call->reply);
    assert_true(size <= call->size - call->written);
    call->written += size;
    return call->reply + call->written - size;
}

void grpc_call_reply_blob(struct grpc_call *call, struct blob *blob, struct slice part)
{
    assert_true(part.data >= blob->data && part.len <= blob->len);
    memcpy(grpc_call_reply_bytes(call, part.len), part.data, part.len);
    call->blob_bytes += part.len;
    blob_release(blob);
}

void grpc_call_reply_end(struct grpc_call *call)
{
    assert_int_equal(call->written, call->size);
    assert_false(call->ended);
    call->ended = true;
}

static size_t blob_bytes; /* of the newest encoding */

/* Encodes the result and reads it back as such a message, to be freed by the caller. */
static void *encode(encode_function *function, const struct op_result *result,
                    const ProtobufCMessageDescriptor *descriptor)
{
    struct grpc_call call = {0};
    function(result, &call);
    assert_true(call.ended);
    blob_bytes = call.blob_bytes;
    void *message = protobuf_c_message_unpack(descriptor, NULL, call.size, call.reply);
    assert_non_null(message);
    free(call.reply);
    return message;
}

static void test_value(void **state)
{
    (void)state;
    struct op_result result = {
        .value = {.bytes = SLICE_LITERAL("v\0\xff"), .found = true, .version = UINT64_MAX}};
    Keystore__V1__Value *message = encode(encode_value, &result, &keystore__v1__value__descriptor);
    assert_true(slice_equal(message_slice(message->value), SLICE_LITERAL("v\0\xff")));
    assert_true(message->found);
    assert_int_equal(message->version, UINT64_MAX);
    assert_int_equal(message->expire_at_ms, 0);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_a_miss_and_an_empty_value_differ(void **state)
{
    (void)state;
    struct op_result result = {0};
    for (int found = 0; found < 2; found++) {
        result.value.found = found;
        Keystore__V1__Value *message =
            encode(encode_value, &result, &keystore__v1__value__descriptor);
        assert_int_equal(message->found, found);
        assert_int_equal(message->value.len, 0);
        protobuf_c_message_free_unpacked(&message->base, NULL);
    }
}

static void test_a_value_of_some_megabytes(void **state)
{
    (void)state;
    size_t size = 5000001;
    uint8_t *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    struct op_result result = {.value = {.bytes = slice_make(bytes, size), .found = true}};
    Keystore__V1__Value *message = encode(encode_value, &result, &keystore__v1__value__descriptor);
    assert_true(slice_equal(message_slice(message->value), slice_make(bytes, size)));
    protobuf_c_message_free_unpacked(&message->base, NULL);
    free(bytes);
}

static void test_status(void **state)
{
    (void)state;
    struct op_result result = {.ok = true, .count = INT64_MAX, .version = 77};
    Keystore__V1__Status *message =
        encode(encode_status, &result, &keystore__v1__status__descriptor);
    assert_true(message->ok);
    assert_true(message->count == INT64_MAX);
    assert_int_equal(message->version, 77);
    assert_null(message->previous);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

/* The value is the former one only if the result says so. */
static void test_status_with_the_previous_value(void **state)
{
    (void)state;
    struct op_result result = {
        .version = 78, .value = {.bytes = SLICE_LITERAL("old"), .found = true, .version = 78}};
    Keystore__V1__Status *message =
        encode(encode_status, &result, &keystore__v1__status__descriptor);
    assert_null(message->previous);
    protobuf_c_message_free_unpacked(&message->base, NULL);

    result.has_previous = true;
    message = encode(encode_status, &result, &keystore__v1__status__descriptor);
    assert_false(message->ok);
    assert_int_equal(message->count, 0);
    assert_int_equal(message->version, 78);
    assert_non_null(message->previous);
    assert_bytes_are(message->previous->value, "old");
    assert_true(message->previous->found);
    assert_int_equal(message->previous->version, 78);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_status_with_no_previous_value_though_asked_for(void **state)
{
    (void)state;
    struct op_result result = {.ok = true, .has_previous = true};
    Keystore__V1__Status *message =
        encode(encode_status, &result, &keystore__v1__status__descriptor);
    assert_non_null(message->previous);
    assert_false(message->previous->found);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_list_values(void **state)
{
    (void)state;
    struct slice values[] = {SLICE_LITERAL("one"), SLICE_LITERAL(""), SLICE_LITERAL("\0")};
    struct op_result result = {.ok = true,
                               .version = 5,
                               .values = values,
                               .value_count = 3,
                               .length = 1000,
                               .offset = 997};
    Keystore__V1__ListValues *message =
        encode(encode_list_values, &result, &keystore__v1__list_values__descriptor);
    assert_int_equal(message->n_values, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(slice_equal(message_slice(message->values[i]), values[i]));
    assert_true(message->found);
    assert_int_equal(message->version, 5);
    assert_int_equal(message->length, 1000);
    assert_int_equal(message->offset, 997);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_no_list(void **state)
{
    (void)state;
    struct op_result result = {0};
    Keystore__V1__ListValues *message =
        encode(encode_list_values, &result, &keystore__v1__list_values__descriptor);
    assert_int_equal(message->n_values, 0);
    assert_false(message->found);
    assert_int_equal(message->length, 0);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static struct blob *patterned_blob(size_t len)
{
    struct blob *blob = blob_new(len);
    for (size_t i = 0; i < len; i++)
        blob->data[i] = (uint8_t)(i * 31 >> 3);
    return blob;
}

/* Bytes that a blob holds are passed on, and the result keeps its reference. */
static void test_blobs_are_not_copied(void **state)
{
    (void)state;
    struct blob *blob = patterned_blob(100000);
    struct op_result result = {
        .ok = true,
        .has_previous = true,
        .value = {.bytes = blob_slice(blob), .blob = blob, .found = true, .version = 3}};
    Keystore__V1__Value *value = encode(encode_value, &result, &keystore__v1__value__descriptor);
    assert_int_equal(blob_bytes, blob->len);
    assert_true(slice_equal(message_slice(value->value), blob_slice(blob)));
    assert_true(value->found);
    assert_int_equal(value->version, 3);
    assert_int_equal(atomic_load(&blob->holders), 1);
    protobuf_c_message_free_unpacked(&value->base, NULL);

    Keystore__V1__Status *status =
        encode(encode_status, &result, &keystore__v1__status__descriptor);
    assert_int_equal(blob_bytes, blob->len);
    assert_true(slice_equal(message_slice(status->previous->value), blob_slice(blob)));
    assert_int_equal(atomic_load(&blob->holders), 1);
    protobuf_c_message_free_unpacked(&status->base, NULL);
    blob_release(blob);
}

static void test_a_list_of_blobs_and_others(void **state)
{
    (void)state;
    struct blob *blob = patterned_blob(20000);
    struct slice values[] = {SLICE_LITERAL("one"), blob_slice(blob), SLICE_LITERAL(""),
                             blob_slice(blob)};
    struct blob *blobs[] = {NULL, blob, NULL, blob};
    struct op_result result = {
        .ok = true, .values = values, .blobs = blobs, .value_count = 4, .length = 4};
    Keystore__V1__ListValues *message =
        encode(encode_list_values, &result, &keystore__v1__list_values__descriptor);
    assert_int_equal(blob_bytes, 2 * blob->len);
    assert_int_equal(message->n_values, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(slice_equal(message_slice(message->values[i]), values[i]));
    assert_int_equal(atomic_load(&blob->holders), 1);
    protobuf_c_message_free_unpacked(&message->base, NULL);
    blob_release(blob);
}

#define MAX_VALUES 300

static void test_random_lists_come_back(void **state)
{
    (void)state;
    static uint8_t bytes[MAX_VALUES];
    uint64_t random = seeded_start();
    seeded_fill(&random, bytes, sizeof bytes);
    for (int round = 0; round < 300; round++) {
        struct slice values[MAX_VALUES];
        struct op_result result = {.ok = true, .values = values};
        result.value_count = seeded_below(&random, MAX_VALUES);
        for (size_t i = 0; i < result.value_count; i++)
            values[i] = slice_make(bytes, seeded_below(&random, sizeof bytes));
        Keystore__V1__ListValues *message =
            encode(encode_list_values, &result, &keystore__v1__list_values__descriptor);
        assert_int_equal(message->n_values, result.value_count);
        for (size_t i = 0; i < result.value_count; i++)
            assert_true(slice_equal(message_slice(message->values[i]), values[i]));
        protobuf_c_message_free_unpacked(&message->base, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_a_miss_and_an_empty_value_differ),
        cmocka_unit_test(test_a_value_of_some_megabytes),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_with_the_previous_value),
        cmocka_unit_test(test_status_with_no_previous_value_though_asked_for),
        cmocka_unit_test(test_list_values),
        cmocka_unit_test(test_no_list),
        cmocka_unit_test(test_blobs_are_not_copied),
        cmocka_unit_test(test_a_list_of_blobs_and_others),
        cmocka_unit_test(test_random_lists_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
