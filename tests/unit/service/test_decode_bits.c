/* Tests of service/decode_bits.c: the requests about bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/decoding.h"

static void test_offsets(void **state)
{
    (void)state;
    Keystore__V1__BitRequest message = KEYSTORE__V1__BIT_REQUEST__INIT;
    struct decoding decoding;
    message.key = message_text("key");
    message.offset = INT64_MAX;
    message.db = 6;
    decoding_of(&decoding, DECODER(bit_request), OP_GET_BIT, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "key");
    assert_true(decoding.op.start == INT64_MAX);
    assert_int_equal(decoding.op.db, 6);
    decoding_end(&decoding);
    message.bit = true;
    decoding_of(&decoding, DECODER(bit_request), OP_SET_BIT, &message);
    assert_decoded(&decoding);
    assert_true(decoding.op.bits.bit);
    decoding_end(&decoding);
    decoding_of(&decoding, DECODER(bit_request), OP_GET_BIT, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "bit: it means nothing for GetBit");
    message.offset++;
    decoding_of(&decoding, DECODER(bit_request), OP_SET_BIT, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "offset: it is 2^63 or more");
}

static void test_ranges(void **state)
{
    (void)state;
    Keystore__V1__BitRange message = KEYSTORE__V1__BIT_RANGE__INIT;
    struct decoding decoding;
    message.key = message_text("key");
    message.start = -9;
    message.db = 7;
    decoding_of(&decoding, DECODER(bit_range), OP_BIT_COUNT, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "key");
    assert_true(decoding.op.start == -9);
    assert_false(decoding.op.bits.has_stop);
    assert_false(decoding.op.bits.in_bits);
    assert_int_equal(decoding.op.db, 7);
    decoding_end(&decoding);
    message.last_case = KEYSTORE__V1__BIT_RANGE__LAST_STOP; /* a stop of 0 is one */
    message.in_bits = true;
    message.bit = true;
    decoding_of(&decoding, DECODER(bit_range), OP_BIT_POS, &message);
    assert_decoded(&decoding);
    assert_true(decoding.op.bits.has_stop);
    assert_int_equal(decoding.op.stop, 0);
    assert_true(decoding.op.bits.in_bits);
    assert_true(decoding.op.bits.bit);
    decoding_end(&decoding);
    decoding_of(&decoding, DECODER(bit_range), OP_BIT_COUNT, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "bit: it means nothing for BitCount");
}

static void test_combining(void **state)
{
    (void)state;
    Keystore__V1__BitOpRequest message = KEYSTORE__V1__BIT_OP_REQUEST__INIT;
    ProtobufCBinaryData keys[] = {message_text("a"), message_text("b")};
    struct decoding decoding;
    message.key = message_text("target");
    message.keys = keys;
    message.n_keys = 2;
    message.db = 8;
    decoding_of(&decoding, DECODER(bit_op_request), OP_BIT_OP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "operation: there is no such value");
    for (int i = 1; i <= 3; i++) {
        message.operation = (Keystore__V1__BitOpRequest__Operation)i;
        decoding_of(&decoding, DECODER(bit_op_request), OP_BIT_OP, &message);
        assert_decoded(&decoding);
        assert_int_equal(decoding.op.bits.bitwise, i - 1);
        assert_is(decoding.op.key, "target");
        assert_int_equal(decoding.op.key_count, 2);
        assert_is(decoding.op.keys[1].bytes, "b");
        assert_int_equal(decoding.op.db, 8);
        decoding_end(&decoding);
    }
    message.operation = KEYSTORE__V1__BIT_OP_REQUEST__OPERATION__OPERATION_NOT;
    decoding_of(&decoding, DECODER(bit_op_request), OP_BIT_OP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "NOT is of one string");
    message.n_keys = 1;
    decoding_of(&decoding, DECODER(bit_op_request), OP_BIT_OP, &message);
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.bits.bitwise, OP_BITS_NOT);
    decoding_end(&decoding);
    message.n_keys = 0;
    decoding_of(&decoding, DECODER(bit_op_request), OP_BIT_OP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "keys: it is empty");
    message.operation = (Keystore__V1__BitOpRequest__Operation)5;
    decoding_of(&decoding, DECODER(bit_op_request), OP_BIT_OP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "operation: there is no such value");
}

static void test_integers(void **state)
{
    (void)state;
    Keystore__V1__BitFieldRequest message = KEYSTORE__V1__BIT_FIELD_REQUEST__INIT;
    Keystore__V1__BitFieldRequest__Part get = KEYSTORE__V1__BIT_FIELD_REQUEST__PART__INIT;
    Keystore__V1__BitFieldRequest__Part set = KEYSTORE__V1__BIT_FIELD_REQUEST__PART__INIT;
    Keystore__V1__BitFieldRequest__Part *parts[] = {&get, &set};
    struct decoding decoding;
    message.key = message_text("key");
    message.parts = parts;
    message.n_parts = 2;
    message.db = 9;
    get.bits = 63;
    set.action = KEYSTORE__V1__BIT_FIELD_REQUEST__ACTION__ACTION_SET;
    set.is_signed = true;
    set.bits = 64;
    set.offset = INT64_MAX;
    set.value = -7;
    set.overflow = KEYSTORE__V1__BIT_FIELD_REQUEST__OVERFLOW__OVERFLOW_FAIL;
    decoding_of(&decoding, DECODER(bit_field_request), OP_BIT_FIELD, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "key");
    assert_int_equal(decoding.op.db, 9);
    assert_int_equal(decoding.op.parts.field_count, 2);
    const struct op_field *fields = decoding.op.parts.fields;
    assert_int_equal(fields[0].action, OP_FIELD_GET);
    assert_int_equal(fields[0].bits, 63);
    assert_int_equal(fields[1].action, OP_FIELD_SET);
    assert_int_equal(fields[1].overflow, OP_OVERFLOW_FAIL);
    assert_true(fields[1].is_signed && fields[1].bits == 64 && fields[1].value == -7);
    assert_true(fields[1].offset == INT64_MAX);
    decoding_end(&decoding);
}

#define PART(...)                                                                                  \
    {                                                                                              \
        .base = PROTOBUF_C_MESSAGE_INIT(&keystore__v1__bit_field_request__part__descriptor),       \
        __VA_ARGS__                                                                                \
    }

/* Each is good but for one field. */
static void test_bad_integers(void **state)
{
    (void)state;
    static const struct {
        Keystore__V1__BitFieldRequest__Part part;
        const char *words;
    } cases[] = {
        {PART(.bits = 0), "parts[0].bits: it is out of range"},
        {PART(.bits = 64), "parts[0].bits: it is out of range"},
        {PART(.bits = 65, .is_signed = true), "parts[0].bits: it is out of range"},
        {PART(.bits = 257), "parts[0].bits: it is out of range"},
        {PART(.bits = 8, .offset = (uint64_t)INT64_MAX + 1), "parts[0].offset: it is 2^63 or more"},
        {PART(.bits = 8, .action = 4), "parts[0].action: there is no such value"},
        {PART(.bits = 8, .action = 2, .overflow = 4), "parts[0].overflow: there is no such value"},
        {PART(.bits = 8, .overflow = 2), "parts[0].overflow: it is given"},
        {PART(.bits = 8, .value = 1), "parts[0].value: it is given"},
    };
    Keystore__V1__BitFieldRequest message = KEYSTORE__V1__BIT_FIELD_REQUEST__INIT;
    struct decoding decoding;
    message.key = message_text("key");
    decoding_of(&decoding, DECODER(bit_field_request), OP_BIT_FIELD, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "parts: it is empty");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Keystore__V1__BitFieldRequest__Part part = cases[i].part;
        Keystore__V1__BitFieldRequest__Part *parts[] = {&part};
        message.parts = parts;
        message.n_parts = 1;
        decoding_of(&decoding, DECODER(bit_field_request), OP_BIT_FIELD, &message);
        assert_refused(&decoding, ERR_BAD_ARGUMENT, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),      cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_combining),    cmocka_unit_test(test_integers),
        cmocka_unit_test(test_bad_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
