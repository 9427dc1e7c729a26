/* Tests of bench/message.c: what protobuf-c packs is read, and what is written it unpacks. */
#include "bench/message.h"

#include "bench/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mini_redis.pb-c.h>

static void test_fields_are_taken_in_order(void **state)
{
    (void)state;
    /* A varint of two bytes, bytes, eight and four fixed bytes. */
    static const char text[] = "\x08\xac\x02\x12\x03"
                               "abc"
                               "\x19"
                               "12345678"
                               "\x25"
                               "1234";
    struct slice in = slice_make(text, sizeof text - 1);
    struct message_field field;
    assert_true(message_take_field(&in, &field));
    assert_int_equal(field.id, 1);
    assert_int_equal(field.number, 300);
    assert_null(field.bytes.data);
    assert_true(message_take_field(&in, &field));
    assert_int_equal(field.id, 2);
    assert_true(slice_equal(field.bytes, SLICE_LITERAL("abc")));
    assert_true(message_take_field(&in, &field));
    assert_int_equal(field.bytes.len, 8);
    assert_true(message_take_field(&in, &field));
    assert_int_equal(field.id, 4);
    assert_int_equal(field.bytes.len, 4);
    assert_int_equal(in.len, 0);
}

static void test_what_is_cut_off_is_refused(void **state)
{
    (void)state;
    const struct slice bad[] = {
        SLICE_LITERAL(""),         SLICE_LITERAL("\x08"),         SLICE_LITERAL("\x08\x80"),
        SLICE_LITERAL("\x12"),     SLICE_LITERAL("\x12\x02\x61"), SLICE_LITERAL("\x19\x31\x32"),
        SLICE_LITERAL("\x0b\x31"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct slice in = bad[i];
        struct message_field field;
        assert_false(message_take_field(&in, &field));
    }
}

static void test_messages_that_are_put_unpack(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    assert_true(buf_append(&out, SLICE_LITERAL("before")));
    size_t begin = message_begin(&out);
    memcpy(message_put_bytes(&out, 1, 3), "key", 3);
    message_put_varint(&out, 4 << 3 | MESSAGE_VARINT);
    message_put_varint(&out, UINT64_C(1) << 62);
    message_end(&out, begin);
    assert_int_equal(begin, 6);
    size_t len = out.len - begin - MESSAGE_PREFIX;
    assert_int_equal(out.data[begin], 0);
    assert_int_equal(wire_get_u32(out.data + begin + 1), len);
    Keystore__V1__KeyValue *unpacked =
        keystore__v1__key_value__unpack(NULL, len, out.data + begin + MESSAGE_PREFIX);
    assert_non_null(unpacked);
    assert_int_equal(unpacked->key.len, 3);
    assert_int_equal(unpacked->expire_at_ms, INT64_C(1) << 62);
    keystore__v1__key_value__free_unpacked(unpacked, NULL);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_taken_in_order),
        cmocka_unit_test(test_what_is_cut_off_is_refused),
        cmocka_unit_test(test_messages_that_are_put_unpack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
