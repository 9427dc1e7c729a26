/* Tests of bench/verify.c with messages that protobuf-c packed. */
#include "bench/verify.h"

#include "bench/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mini_redis.pb-c.h>

#define VALUE_SIZE 40

struct fixture {
    struct payload payload;
    uint8_t value[VALUE_SIZE]; /* of key 7 */
    uint8_t body[1000];
};

static void setup(struct fixture *fixture)
{
    payload_init(&fixture->payload, 16, VALUE_SIZE, 1000);
    memcpy(fixture->value, fixture->payload.filler, VALUE_SIZE);
    memcpy(fixture->value, "007", 3);
}

static struct slice frame(struct fixture *fixture, size_t len)
{
    fixture->body[0] = 0;
    wire_put_u32(fixture->body + 1, (uint32_t)len);
    return slice_make(fixture->body, len + 5);
}

static struct slice pack_value(struct fixture *fixture, bool found, size_t len)
{
    Keystore__V1__Value value = KEYSTORE__V1__VALUE__INIT;
    value.found = found;
    value.value = (ProtobufCBinaryData){len, fixture->value};
    value.version = found ? 1000000 : 0;
    value.expire_at_ms = 1;
    return frame(fixture, keystore__v1__value__pack(&value, fixture->body + 5));
}

static void test_gets_are_compared_with_the_key(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    const struct payload *payload = &fixture.payload;
    assert_true(verify_body(payload, OP_GET, 7, pack_value(&fixture, true, VALUE_SIZE)));
    assert_true(verify_body(payload, OP_L_POP, 7, pack_value(&fixture, true, VALUE_SIZE)));
    assert_false(verify_body(payload, OP_GET, 8, pack_value(&fixture, true, VALUE_SIZE)));
    assert_false(verify_body(payload, OP_GET, 7, pack_value(&fixture, true, VALUE_SIZE - 1)));
    assert_false(verify_body(payload, OP_GET, 7, pack_value(&fixture, true, 0)));
    fixture.value[VALUE_SIZE - 1] ^= 1;
    assert_false(verify_body(payload, OP_GET, 7, pack_value(&fixture, true, VALUE_SIZE)));
    payload_deinit(&fixture.payload);
}

static void test_a_miss_has_no_value(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    assert_true(verify_body(&fixture.payload, OP_GET, 7, SLICE_LITERAL("\0\0\0\0\0")));
    assert_true(verify_body(&fixture.payload, OP_GET, 7, pack_value(&fixture, false, 0)));
    assert_false(verify_body(&fixture.payload, OP_GET, 7, pack_value(&fixture, false, VALUE_SIZE)));
    payload_deinit(&fixture.payload);
}

static struct slice pack_list(struct fixture *fixture, ProtobufCBinaryData *values, size_t count)
{
    Keystore__V1__ListValues list = KEYSTORE__V1__LIST_VALUES__INIT;
    list.values = values;
    list.n_values = count;
    list.found = true;
    list.length = 10;
    list.version = 5;
    return frame(fixture, keystore__v1__list_values__pack(&list, fixture->body + 5));
}

static void test_all_elements_of_a_range_are_compared(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    uint8_t other[VALUE_SIZE];
    memcpy(other, fixture.value, VALUE_SIZE);
    other[20] ^= 1;
    ProtobufCBinaryData values[3] = {
        {VALUE_SIZE, fixture.value}, {VALUE_SIZE, fixture.value}, {VALUE_SIZE, fixture.value}};
    assert_true(verify_body(&fixture.payload, OP_L_RANGE, 7, pack_list(&fixture, values, 3)));
    assert_true(verify_body(&fixture.payload, OP_L_RANGE, 7, pack_list(&fixture, values, 0)));
    values[2].data = other;
    assert_false(verify_body(&fixture.payload, OP_L_RANGE, 7, pack_list(&fixture, values, 3)));
    payload_deinit(&fixture.payload);
}

static void test_framing_must_be_whole(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    struct slice body = pack_value(&fixture, true, VALUE_SIZE);
    for (size_t len = 0; len < body.len; len++) {
        assert_false(verify_body(&fixture.payload, OP_GET, 7, slice_make(body.data, len)));
        assert_false(verify_body(&fixture.payload, OP_SET, 7, slice_make(body.data, len)));
    }
    assert_true(verify_body(&fixture.payload, OP_SET, 7, body));
    fixture.body[0] = 1; /* compressed, which was not offered */
    assert_false(verify_body(&fixture.payload, OP_GET, 7, body));
    payload_deinit(&fixture.payload);
}

/* Cut off messages whose frame says that they are whole. */
static void test_messages_that_do_not_decode_are_wrong(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    assert_false(verify_body(&fixture.payload, OP_GET, 7, SLICE_LITERAL("\0\0\0\0\1\x0a")));
    assert_false(verify_body(&fixture.payload, OP_GET, 7, SLICE_LITERAL("\0\0\0\0\2\x0a\x05")));
    assert_false(verify_body(&fixture.payload, OP_GET, 7, SLICE_LITERAL("\0\0\0\0\2\x18\xff")));
    assert_false(verify_body(&fixture.payload, OP_GET, 7, SLICE_LITERAL("\0\0\0\0\1\x0c")));
    payload_deinit(&fixture.payload);
}

/* Replies to a batch: each is there, none is an error, and misses are counted. */
static void test_batches(void **state)
{
    (void)state;
    uint64_t misses = 0;
    /* A status, a value that was found, one that was not; then another message with a list. */
    struct slice whole = SLICE_LITERAL("\0\0\0\0\x0e"
                                       "\x0a\x04\x12\x02\x08\x01"
                                       "\x0a\x02\x12\x00"
                                       "\x0a\x02\x1a\x00"
                                       "\0\0\0\0\x06\x0a\x04\x22\x02\x10\x01");
    assert_true(verify_batch(4, whole, &misses));
    assert_int_equal(misses, 1);
    assert_false(verify_batch(5, whole, &misses));
    assert_false(verify_batch(4, slice_make(whole.data, whole.len - 1), &misses));
    assert_false(verify_batch(1, SLICE_LITERAL("\0\0\0\0\x06\x0a\x04\x32\x02\x08\x09"), &misses));
    assert_false(verify_batch(1, SLICE_LITERAL("\1\0\0\0\x04\x0a\x02\x1a\x00"), &misses));
    assert_true(verify_batch(0, SLICE_LITERAL("\0\0\0\0\0"), &misses));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_gets_are_compared_with_the_key),
        cmocka_unit_test(test_a_miss_has_no_value),
        cmocka_unit_test(test_all_elements_of_a_range_are_compared),
        cmocka_unit_test(test_framing_must_be_whole),
        cmocka_unit_test(test_messages_that_do_not_decode_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
