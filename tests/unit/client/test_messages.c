/* Public structs against the generated messages, field by field. */
#include "client/messages.h"

#include "mini_redis.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct buf out;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    buf_init(&out, 1000);
    arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&out);
    arena_deinit(&arena);
    return 0;
}

static struct keystore_slice bytes(const char *text)
{
    return keystore_text(text);
}

static void assert_wire(ProtobufCBinaryData data, const char *text)
{
    assert_int_equal(data.len, strlen(text));
    assert_memory_equal(data.data, text, data.len);
}

static void assert_slice(struct keystore_slice slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
}

static void packs_key(void **state)
{
    (void)state;
    struct keystore_condition condition = {
        .existence = KEYSTORE_PRESENT,
        .version = 77,
        .match_value = true,
        .value = bytes("old"),
    };
    struct keystore_key key = {.key = bytes("foo"), .db = 5, .condition = &condition};
    assert_true(messages_pack_key(&out, &key));
    Keystore__V1__Key *wire = keystore__v1__key__unpack(NULL, out.len, out.data);
    assert_non_null(wire);
    assert_wire(wire->key, "foo");
    assert_int_equal(wire->db, 5);
    assert_non_null(wire->condition);
    assert_int_equal(wire->condition->existence, KEYSTORE__V1__EXISTENCE__EXISTENCE_PRESENT);
    assert_int_equal(wire->condition->version, 77);
    assert_true(wire->condition->match_value);
    assert_wire(wire->condition->value, "old");
    keystore__v1__key__free_unpacked(wire, NULL);
}

static void packs_key_value(void **state)
{
    (void)state;
    struct keystore_condition condition = {.existence = KEYSTORE_ABSENT};
    struct keystore_key_value set = {
        .key = bytes("k"),
        .value = {.data = "\0\xff", .len = 2},
        .db = 15,
        .return_previous = true,
        .condition = &condition,
    };
    assert_true(messages_pack_key_value(&out, &set));
    Keystore__V1__KeyValue *wire = keystore__v1__key_value__unpack(NULL, out.len, out.data);
    assert_non_null(wire);
    assert_wire(wire->key, "k");
    assert_int_equal(wire->value.len, 2);
    assert_memory_equal(wire->value.data, "\0\xff", 2);
    assert_int_equal(wire->db, 15);
    assert_true(wire->return_previous);
    assert_int_equal(wire->condition->existence, KEYSTORE__V1__EXISTENCE__EXISTENCE_ABSENT);
    keystore__v1__key_value__free_unpacked(wire, NULL);
}

static void zeroed_fields_take_no_bytes(void **state)
{
    (void)state;
    assert_true(messages_pack_key_value(&out, &(struct keystore_key_value){0}));
    assert_true(messages_pack_key(&out, &(struct keystore_key){0}));
    assert_true(messages_pack_list_range(&out, &(struct keystore_list_range){0}));
    assert_true(messages_pack_list_insert(&out, &arena, &(struct keystore_list_insert){0}));
    assert_int_equal(out.len, 0);
}

static void packs_list_insert(void **state)
{
    (void)state;
    struct keystore_slice values[] = {bytes("1"), {0}, bytes("three")};
    struct keystore_condition condition = {.existence = KEYSTORE_PRESENT};
    struct keystore_list_insert insert = {
        .key = bytes("l"),
        .values = values,
        .count = 3,
        .db = 1,
        .max_length = 9,
        .condition = &condition,
    };
    assert_true(messages_pack_list_insert(&out, &arena, &insert));
    Keystore__V1__ListInsert *wire = keystore__v1__list_insert__unpack(NULL, out.len, out.data);
    assert_non_null(wire);
    assert_int_equal(wire->n_values, 3);
    assert_wire(wire->values[0], "1");
    assert_int_equal(wire->values[1].len, 0);
    assert_wire(wire->values[2], "three");
    assert_int_equal(wire->max_length, 9);
    assert_int_equal(wire->db, 1);
    assert_int_equal(wire->condition->existence, KEYSTORE__V1__EXISTENCE__EXISTENCE_PRESENT);
    keystore__v1__list_insert__free_unpacked(wire, NULL);
}

static void packs_list_range(void **state)
{
    (void)state;
    struct keystore_list_range range = {.key = bytes("l"), .start = INT64_MIN, .stop = -1, .db = 2};
    assert_true(messages_pack_list_range(&out, &range));
    Keystore__V1__ListRange *wire = keystore__v1__list_range__unpack(NULL, out.len, out.data);
    assert_non_null(wire);
    assert_true(wire->start == INT64_MIN);
    assert_int_equal(wire->stop, -1);
    assert_int_equal(wire->db, 2);
    keystore__v1__list_range__free_unpacked(wire, NULL);
}

static void packing_stops_at_the_limit(void **state)
{
    (void)state;
    struct keystore_slice value = {.data = memset(arena_alloc(&arena, 1000), 'v', 1000),
                                   .len = 1000};
    assert_false(messages_pack_key_value(&out, &(struct keystore_key_value){.value = value}));
    assert_int_equal(out.len, 0);
}

static struct slice wire_of(const ProtobufCMessage *message)
{
    uint8_t *end = buf_reserve(&out, protobuf_c_message_get_packed_size(message));
    assert_non_null(end);
    return slice_make(end, protobuf_c_message_pack(message, end));
}

static void unpacks_value(void **state)
{
    (void)state;
    Keystore__V1__Value wire = KEYSTORE__V1__VALUE__INIT;
    wire.value = (ProtobufCBinaryData){.len = 3, .data = (uint8_t *)"abc"};
    wire.found = true;
    wire.version = UINT64_MAX;
    wire.expire_at_ms = 12345;
    struct keystore_value value;
    assert_true(messages_unpack_value(wire_of(&wire.base), &arena, &value));
    assert_slice(value.value, "abc");
    assert_true(value.found);
    assert_true(value.version == UINT64_MAX);
    assert_int_equal(value.expire_at_ms, 12345);
}

static void unpacks_status(void **state)
{
    (void)state;
    Keystore__V1__Value previous = KEYSTORE__V1__VALUE__INIT;
    previous.value = (ProtobufCBinaryData){.len = 1, .data = (uint8_t *)"p"};
    previous.found = true;
    Keystore__V1__Status wire = KEYSTORE__V1__STATUS__INIT;
    wire.ok = true;
    wire.count = -3;
    wire.version = 8;
    wire.previous = &previous;
    struct keystore_status status;
    assert_true(messages_unpack_status(wire_of(&wire.base), &arena, &status));
    assert_true(status.ok);
    assert_int_equal(status.count, -3);
    assert_int_equal(status.version, 8);
    assert_true(status.has_previous);
    assert_true(status.previous.found);
    assert_slice(status.previous.value, "p");
}

static void unpacks_empty_messages(void **state)
{
    (void)state;
    struct keystore_status status = {.has_previous = true};
    struct keystore_value value = {.found = true};
    struct keystore_list list = {.count = 1};
    assert_true(messages_unpack_status(slice_make("", 0), &arena, &status));
    assert_true(messages_unpack_value(slice_make("", 0), &arena, &value));
    assert_true(messages_unpack_list(slice_make("", 0), &arena, &list));
    assert_false(status.has_previous);
    assert_false(value.found);
    assert_int_equal(list.count, 0);
}

static void unpacks_list(void **state)
{
    (void)state;
    ProtobufCBinaryData values[] = {{1, (uint8_t *)"a"}, {0, NULL}, {2, (uint8_t *)"cc"}};
    Keystore__V1__ListValues wire = KEYSTORE__V1__LIST_VALUES__INIT;
    wire.n_values = 3;
    wire.values = values;
    wire.found = true;
    wire.length = 10;
    wire.offset = 4;
    wire.version = 6;
    struct keystore_list list;
    assert_true(messages_unpack_list(wire_of(&wire.base), &arena, &list));
    assert_int_equal(list.count, 3);
    assert_slice(list.values[0], "a");
    assert_int_equal(list.values[1].len, 0);
    assert_slice(list.values[2], "cc");
    assert_true(list.found);
    assert_int_equal(list.length, 10);
    assert_int_equal(list.offset, 4);
    assert_int_equal(list.version, 6);
}

static void garbage_is_no_message(void **state)
{
    (void)state;
    struct slice garbage = SLICE_LITERAL("\x0a\xff\xff");
    struct keystore_status status;
    struct keystore_value value;
    struct keystore_list list;
    assert_false(messages_unpack_status(SLICE_LITERAL("\x22\x05z"), &arena, &status));
    assert_false(messages_unpack_value(garbage, &arena, &value));
    assert_false(messages_unpack_list(garbage, &arena, &list));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packs_key),         TEST(packs_key_value),       TEST(zeroed_fields_take_no_bytes),
        TEST(packs_list_insert), TEST(packs_list_range),      TEST(packing_stops_at_the_limit),
        TEST(unpacks_value),     TEST(unpacks_status),        TEST(unpacks_empty_messages),
        TEST(unpacks_list),      TEST(garbage_is_no_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
