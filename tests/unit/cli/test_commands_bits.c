/* What the commands for the bits of strings ask for. */
#include "parsed.h"

static void single_bits(void **state)
{
    (void)state;
    struct request request = parsed("SETBIT k 4294967295 1");
    assert_slice(request.op.request.bit_request.key, "k");
    assert_true(request.op.request.bit_request.offset == UINT32_MAX);
    assert_true(request.op.request.bit_request.bit);
    assert_int_equal(request.op.request.bit_request.db, PARSED_DB);
    assert_refused("SETBIT k 4294967296 1", "'4294967296' is not a valid offset in bits");
    assert_refused("SETBIT k 0 2", "'2' is not a valid bit");
    assert_false(parsed("BITCOUNT k").op.request.bit_range.has_stop);
    request = parsed("BITCOUNT k 1 -2 bit");
    assert_int_equal(request.op.request.bit_range.start, 1);
    assert_int_equal(request.op.request.bit_range.stop, -2);
    assert_true(request.op.request.bit_range.has_stop);
    assert_true(request.op.request.bit_range.in_bits);
    assert_false(parsed("BITCOUNT k 1 2 BYTE").op.request.bit_range.in_bits);
    assert_refused("BITCOUNT k 1", "BITCOUNT takes a start and a stop, or neither");
    assert_refused("BITCOUNT k 1 2 3", "'3'");
    request = parsed("BITPOS k 1 -3");
    assert_true(request.op.request.bit_range.bit);
    assert_int_equal(request.op.request.bit_range.start, -3);
    assert_false(request.op.request.bit_range.has_stop);
}

static void combining(void **state)
{
    (void)state;
    struct request request = parsed("BITOP xor t a b");
    const struct keystore_bit_op_request *op = &request.op.request.bit_op_request;
    assert_int_equal(request.op.kind, KEYSTORE_OP_BITOP);
    assert_int_equal(op->operation, KEYSTORE_BITS_XOR);
    assert_slice(op->key, "t");
    assert_int_equal(op->key_count, 2);
    assert_slice(op->keys[1], "b");
    assert_int_equal(op->db, PARSED_DB);
    assert_int_equal(parsed("BITOP NOT t a").op.request.bit_op_request.operation,
                     KEYSTORE_BITS_NOT);
    assert_refused("BITOP NOT t a b", "NOT takes one key, not 2");
    assert_refused("BITOP NAND t a", "BITOP has no option 'NAND'");
    assert_refused("BITOP AND t", "at least 3 arguments");
}

static void integers(void **state)
{
    (void)state;
    struct request request = parsed("BITFIELD k GET u8 #3 OVERFLOW sat SET i64 5 -1 OVERFLOW FAIL "
                                    "incrby u63 #1 7");
    const struct keystore_bit_field_request *fields = &request.op.request.bit_field_request;
    const struct keystore_bit_field *parts = fields->parts;
    assert_int_equal(request.op.kind, KEYSTORE_OP_BITFIELD);
    assert_slice(fields->key, "k");
    assert_int_equal(fields->db, PARSED_DB);
    assert_int_equal(fields->count, 3);
    assert_int_equal(parts[0].action, KEYSTORE_FIELD_GET);
    assert_false(parts[0].is_signed);
    assert_int_equal(parts[0].bits, 8);
    assert_int_equal(parts[0].offset, 24);
    assert_int_equal(parts[1].action, KEYSTORE_FIELD_SET);
    assert_true(parts[1].is_signed);
    assert_int_equal(parts[1].value, -1);
    assert_int_equal(parts[1].offset, 5);
    assert_int_equal(parts[1].overflow, KEYSTORE_OVERFLOW_SATURATE);
    assert_int_equal(parts[2].action, KEYSTORE_FIELD_INCREMENT);
    assert_int_equal(parts[2].offset, 63);
    assert_int_equal(parts[2].overflow, KEYSTORE_OVERFLOW_FAIL);
    assert_refused("BITFIELD k GET u64 0", "'u64' is not a valid type");
    assert_refused("BITFIELD k GET i0 0", "'i0' is not a valid type");
    assert_refused("BITFIELD k GET 8 0", "'8' is not a valid type");
    assert_refused("BITFIELD k GET u8 -1", "'-1' is not a valid offset");
    assert_refused("BITFIELD k GET u8 #4294967295", "'#4294967295' is not a valid offset");
    assert_refused("BITFIELD k SET u8 0", "is incomplete");
    assert_refused("BITFIELD k OVERFLOW NONE GET u8 0", "OVERFLOW takes WRAP, SAT or FAIL");
    assert_refused("BITFIELD k PUT u8 0 1", "BITFIELD has no option 'PUT'");
    assert_int_equal(parsed("BITFIELD_RO k GET u8 0").op.kind, KEYSTORE_OP_BITFIELD);
    assert_refused("BITFIELD_RO k SET u8 0 1", "BITFIELD_RO takes only GET");
}

#define TEST(name) cmocka_unit_test_teardown(name, parsed_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(single_bits),
        TEST(combining),
        TEST(integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
