/* Tests of service/encode.c: what is encoded, protobuf-c reads back. */
#include "service/encode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/fake_call.h"
#include "store/seeded.h"

static void test_value(void **state)
{
    (void)state;
    struct op_result result = {
        .value = {.bytes = SLICE_LITERAL("v\0\xff"), .found = true, .version = UINT64_MAX}};
    Keystore__V1__Value *message =
        fake_call_encode(&encode_value, &result, &keystore__v1__value__descriptor);
    assert_true(slice_equal(message_slice(message->value), SLICE_LITERAL("v\0\xff")));
    assert_true(message->found);
    assert_int_equal(message->version, UINT64_MAX);
    assert_true(message->expire_at_ms == 0);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_a_miss_and_an_empty_value_differ(void **state)
{
    (void)state;
    struct op_result result = {0};
    for (int found = 0; found < 2; found++) {
        result.value.found = found;
        Keystore__V1__Value *message =
            fake_call_encode(&encode_value, &result, &keystore__v1__value__descriptor);
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
    Keystore__V1__Value *message =
        fake_call_encode(&encode_value, &result, &keystore__v1__value__descriptor);
    assert_true(slice_equal(message_slice(message->value), slice_make(bytes, size)));
    protobuf_c_message_free_unpacked(&message->base, NULL);
    free(bytes);
}

static void test_status(void **state)
{
    (void)state;
    struct op_result result = {.ok = true, .count = INT64_MAX, .version = 77};
    Keystore__V1__Status *message =
        fake_call_encode(&encode_status, &result, &keystore__v1__status__descriptor);
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
        fake_call_encode(&encode_status, &result, &keystore__v1__status__descriptor);
    assert_null(message->previous);
    protobuf_c_message_free_unpacked(&message->base, NULL);

    result.has_previous = true;
    message = fake_call_encode(&encode_status, &result, &keystore__v1__status__descriptor);
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
        fake_call_encode(&encode_status, &result, &keystore__v1__status__descriptor);
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
        fake_call_encode(&encode_list_values, &result, &keystore__v1__list_values__descriptor);
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
        fake_call_encode(&encode_list_values, &result, &keystore__v1__list_values__descriptor);
    assert_int_equal(message->n_values, 0);
    assert_false(message->found);
    assert_int_equal(message->length, 0);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

/* Bytes that a blob holds are passed on, and the result keeps its reference. */
static void test_blobs_are_not_copied(void **state)
{
    (void)state;
    struct blob *blob = fake_call_blob(100000);
    struct op_result result = {
        .ok = true,
        .has_previous = true,
        .value = {.bytes = blob_slice(blob), .blob = blob, .found = true, .version = 3}};
    Keystore__V1__Value *value =
        fake_call_encode(&encode_value, &result, &keystore__v1__value__descriptor);
    assert_int_equal(blob_bytes, blob->len);
    assert_true(slice_equal(message_slice(value->value), blob_slice(blob)));
    assert_true(value->found);
    assert_int_equal(value->version, 3);
    assert_int_equal(atomic_load(&blob->holders), 1);
    protobuf_c_message_free_unpacked(&value->base, NULL);

    Keystore__V1__Status *status =
        fake_call_encode(&encode_status, &result, &keystore__v1__status__descriptor);
    assert_int_equal(blob_bytes, blob->len);
    assert_true(slice_equal(message_slice(status->previous->value), blob_slice(blob)));
    assert_int_equal(atomic_load(&blob->holders), 1);
    protobuf_c_message_free_unpacked(&status->base, NULL);
    blob_release(blob);
}

static void test_a_list_of_blobs_and_others(void **state)
{
    (void)state;
    struct blob *blob = fake_call_blob(20000);
    struct slice values[] = {SLICE_LITERAL("one"), blob_slice(blob), SLICE_LITERAL(""),
                             blob_slice(blob)};
    struct blob *blobs[] = {NULL, blob, NULL, blob};
    struct op_result result = {
        .ok = true, .values = values, .blobs = blobs, .value_count = 4, .length = 4};
    Keystore__V1__ListValues *message =
        fake_call_encode(&encode_list_values, &result, &keystore__v1__list_values__descriptor);
    assert_int_equal(blob_bytes, 2 * blob->len);
    assert_int_equal(message->n_values, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(slice_equal(message_slice(message->values[i]), values[i]));
    assert_int_equal(atomic_load(&blob->holders), 1);
    protobuf_c_message_free_unpacked(&message->base, NULL);
    blob_release(blob);
}

static void test_a_value_with_a_deadline(void **state)
{
    (void)state;
    struct op_result result = {.value = {.found = true, .expire_at_ms = INT64_MAX}};
    Keystore__V1__Value *message =
        fake_call_encode(&encode_value, &result, &keystore__v1__value__descriptor);
    assert_true(message->expire_at_ms == INT64_MAX);
    assert_true(message->found);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_values(void **state)
{
    (void)state;
    struct blob *blob = fake_call_blob(20000);
    struct op_value items[] = {
        {.bytes = SLICE_LITERAL("one"), .found = true, .version = 1, .expire_at_ms = 99},
        {.found = false}, /* a miss takes its place, too */
        {.bytes = blob_slice(blob), .blob = blob, .found = true, .version = 300},
        {.found = true, .version = 4},
    };
    struct op_result result = {.items = items, .item_count = 4};
    Keystore__V1__Values *message =
        fake_call_encode(&encode_values, &result, &keystore__v1__values__descriptor);
    assert_int_equal(blob_bytes, blob->len);
    assert_int_equal(atomic_load(&blob->holders), 1);
    assert_int_equal(message->n_values, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(slice_equal(message_slice(message->values[i]->value), items[i].bytes));
        assert_int_equal(message->values[i]->found, items[i].found);
        assert_int_equal(message->values[i]->version, items[i].version);
        assert_true(message->values[i]->expire_at_ms == items[i].expire_at_ms);
    }
    protobuf_c_message_free_unpacked(&message->base, NULL);
    blob_release(blob);
}

static void test_numbers(void **state)
{
    (void)state;
    static const int64_t integers[] = {0, 1, -1, INT64_MAX, INT64_MIN};
    static const double reals[] = {0, -0.0, 1.5, -1e300, 5e-324};
    static const char *const texts[] = {"0", "-1", "0.10000000000000001", "x", ""};
    for (size_t i = 0; i < 5; i++) {
        struct op_result result = {.version = i * 1000};
        result.integer = integers[i];
        result.real = reals[i];
        result.value.bytes = slice_from_string(texts[i]);
        Keystore__V1__Number *message =
            fake_call_encode(&encode_number, &result, &keystore__v1__number__descriptor);
        assert_true(message->integer == integers[i]);
        assert_memory_equal(&message->real, &reals[i], sizeof reals[i]);
        assert_int_equal(message->version, i * 1000);
        assert_string_equal(message->decimal, texts[i]);
        protobuf_c_message_free_unpacked(&message->base, NULL);
    }
}

static void test_popped(void **state)
{
    (void)state;
    struct blob *blob = fake_call_blob(20000);
    struct slice values[] = {SLICE_LITERAL("one"), blob_slice(blob), SLICE_LITERAL("")};
    struct blob *blobs[] = {NULL, blob, NULL};
    struct op_result result = {.ok = true,
                               .key = SLICE_LITERAL("list"),
                               .values = values,
                               .blobs = blobs,
                               .value_count = 3};
    Keystore__V1__Popped *message =
        fake_call_encode(&encode_popped, &result, &keystore__v1__popped__descriptor);
    assert_true(message->found);
    assert_bytes_are(message->key, "list");
    assert_int_equal(message->n_values, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(slice_equal(message_slice(message->values[i]), values[i]));
    assert_int_equal(blob_bytes, blob->len);
    protobuf_c_message_free_unpacked(&message->base, NULL);
    blob_release(blob);

    result = (struct op_result){0};
    message = fake_call_encode(&encode_popped, &result, &keystore__v1__popped__descriptor);
    assert_false(message->found);
    assert_int_equal(message->key.len, 0);
    assert_int_equal(message->n_values, 0);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_positions(void **state)
{
    (void)state;
    int64_t indexes[] = {0, 1, 127, 128, INT64_MAX};
    for (size_t count = 0; count <= 5; count++) {
        struct op_result result = {0};
        result.indexes = indexes;
        result.index_count = count;
        Keystore__V1__Positions *message =
            fake_call_encode(&encode_positions, &result, &keystore__v1__positions__descriptor);
        assert_int_equal(message->n_indexes, count);
        for (size_t i = 0; i < count; i++)
            assert_true(message->indexes[i] == indexes[i]);
        protobuf_c_message_free_unpacked(&message->base, NULL);
    }
}

static void test_bit_fields(void **state)
{
    (void)state;
    struct op_field_value fields[] = {
        {true, 0}, {true, -1}, {false, 0}, {true, INT64_MIN}, {true, INT64_MAX}};
    for (size_t count = 0; count <= 5; count++) {
        struct op_result result = {.version = count * 1000};
        result.fields = fields;
        result.field_count = count;
        Keystore__V1__BitFields *message =
            fake_call_encode(&encode_bit_fields, &result, &keystore__v1__bit_fields__descriptor);
        assert_int_equal(message->version, count * 1000);
        assert_int_equal(message->n_items, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(message->items[i]->done, fields[i].done);
            assert_true(message->items[i]->value == fields[i].value);
        }
        protobuf_c_message_free_unpacked(&message->base, NULL);
    }
}

static void test_common_subsequences(void **state)
{
    (void)state;
    struct op_match matches[] = {{SIZE_MAX / 2, 0, 1}, {0, 1, 300}};
    for (size_t count = 0; count <= 2; count++) {
        struct op_result result = {.length = (int64_t)count * 1000};
        result.matches = matches;
        result.match_count = count;
        if (count == 1)
            result.value = (struct op_value){.found = true, .bytes = SLICE_LITERAL("a\0b")};
        Keystore__V1__LcsReply *message =
            fake_call_encode(&encode_lcs_reply, &result, &keystore__v1__lcs_reply__descriptor);
        assert_int_equal(message->length, count * 1000);
        assert_true(slice_equal(message_slice(message->value), result.value.bytes));
        assert_int_equal(message->n_matches, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(message->matches[i]->start, matches[i].one);
            assert_int_equal(message->matches[i]->other_start, matches[i].other);
            assert_int_equal(message->matches[i]->length, matches[i].length);
        }
        protobuf_c_message_free_unpacked(&message->base, NULL);
    }
}

static void test_keys(void **state)
{
    (void)state;
    struct op_result result = {.ok = true, .key = SLICE_LITERAL("k\0y")};
    Keystore__V1__Key *message =
        fake_call_encode(&encode_key, &result, &keystore__v1__key__descriptor);
    assert_true(slice_equal(message_slice(message->key), result.key));
    protobuf_c_message_free_unpacked(&message->base, NULL);
    result = (struct op_result){0};
    message = fake_call_encode(&encode_key, &result, &keystore__v1__key__descriptor);
    assert_int_equal(message->key.len, 0);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void test_descriptions_of_keys(void **state)
{
    (void)state;
    assert_int_equal(OP_TYPE_STRING, KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_STRING);
    assert_int_equal(OP_TYPE_LIST, KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_LIST);
    struct op_result result = {
        .ok = true, .length = 1000, .version = 77, .value = {.expire_at_ms = 1700000000000}};
    result.memory_bytes = 123456;
    result.type = OP_TYPE_LIST;
    Keystore__V1__KeyInfo *message =
        fake_call_encode(&encode_key_info, &result, &keystore__v1__key_info__descriptor);
    assert_true(message->found);
    assert_int_equal(message->type, KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_LIST);
    assert_int_equal(message->length, 1000);
    assert_true(message->expire_at_ms == 1700000000000);
    assert_int_equal(message->version, 77);
    assert_int_equal(message->memory_bytes, 123456);
    protobuf_c_message_free_unpacked(&message->base, NULL);
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
            fake_call_encode(&encode_list_values, &result, &keystore__v1__list_values__descriptor);
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
        cmocka_unit_test(test_a_value_with_a_deadline),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_popped),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_bit_fields),
        cmocka_unit_test(test_common_subsequences),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_descriptions_of_keys),
        cmocka_unit_test(test_random_lists_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
