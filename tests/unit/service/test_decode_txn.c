/* Tests of service/decode_txn.c: operations within an operation, and compares. */
#include "service/decode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/decoding.h"

/* A transaction with operations as `success`, or as `failure`. */
static void decode_ops(struct decoding *decoding, Keystore__V1__Op **ops, size_t count,
                       bool failure)
{
    Keystore__V1__TxnRequest message = KEYSTORE__V1__TXN_REQUEST__INIT;
    if (failure) {
        message.failure = ops;
        message.n_failure = count;
    } else {
        message.success = ops;
        message.n_success = count;
    }
    decoding_of(decoding, DECODER(txn_request), OP_TXN, &message);
}

static void test_an_empty_transaction(void **state)
{
    (void)state;
    struct decoding decoding;
    decoding_begin(&decoding, DECODER(txn_request), OP_TXN, slice_make(NULL, 0));
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.op_count, 0);
    assert_non_null(decoding.op.txn);
    assert_int_equal(decoding.op.txn->else_count, 0);
    assert_int_equal(decoding.op.txn->compare_count, 0);
    decoding_end(&decoding);
}

static void test_operations_of_both_branches(void **state)
{
    (void)state;
    Keystore__V1__KeyValue set = KEYSTORE__V1__KEY_VALUE__INIT;
    Keystore__V1__Key get = KEYSTORE__V1__KEY__INIT;
    Keystore__V1__Op one = KEYSTORE__V1__OP__INIT, two = KEYSTORE__V1__OP__INIT;
    Keystore__V1__Op *ops[] = {&one, &two};
    set.key = message_text("s");
    set.value = message_text("v");
    set.ttl_ms = 3;
    set.db = 2;
    get.key = message_text("g");
    one.op_case = KEYSTORE__V1__OP__OP_SET;
    one.set = &set;
    one.id = 77;
    two.op_case = KEYSTORE__V1__OP__OP_GET;
    two.get = &get;
    for (int failure = 0; failure < 2; failure++) {
        struct decoding decoding;
        decode_ops(&decoding, ops, 2, failure);
        assert_decoded(&decoding);
        const struct op *txn = &decoding.op;
        assert_int_equal(txn->op_count, failure ? 0 : 2);
        assert_int_equal(txn->txn->else_count, failure ? 2 : 0);
        const struct op *inner = failure ? txn->txn->else_ops : txn->ops;
        assert_int_equal(inner[0].kind, OP_SET);
        assert_int_equal(inner[0].id, 77);
        assert_is(inner[0].key, "s");
        assert_is(inner[0].value, "v");
        assert_int_equal(inner[0].db, 2);
        assert_true(inner[0].expire_at_ms == DECODING_NOW_MS + 3);
        assert_int_equal(inner[1].kind, OP_GET);
        assert_int_equal(inner[1].id, 0);
        assert_is(inner[1].key, "g");
        for (size_t i = 0; i < 2; i++) {
            assert_true(inner[i].now_ms == DECODING_NOW_MS);
            assert_int_equal(inner[i].max_answer, 11);
            assert_int_equal(inner[i].max_value, 22);
            assert_null(inner[i].txn);
        }
        decoding_end(&decoding);
    }
}

/* Every field of Op is an operation of the table: the one with its name in upper case. */
static void test_every_field_of_op_is_an_operation(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *type = &keystore__v1__op__descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
            continue;
        /* An Op with that field, an empty message, and an unset Txn around it. */
        uint8_t bytes[8] = {0x12, 0, 0, 0, 0};
        size_t len = 2;
        uint32_t tag = field->id << 3 | 2;
        if (tag > 0x7f)
            bytes[len++] = (uint8_t)(tag | 0x80), tag >>= 7;
        bytes[len++] = (uint8_t)tag;
        bytes[len++] = 0;
        bytes[1] = (uint8_t)(len - 2);
        struct decoding decoding;
        decoding_begin(&decoding, DECODER(txn_request), OP_TXN, slice_make(bytes, len));
        if (decoding.err != ERR_NONE) /* it lacks something, which the operation's decoder saw */
            assert_null(strstr(decoding.why, "no operation that this server knows"));
        char name[OP_FIELD_SIZE];
        assert_string_equal(field->name, op_field(decoding.op.ops[0].kind, name));
        decoding_end(&decoding);
    }
}

static void test_operations_that_are_none(void **state)
{
    (void)state;
    struct decoding decoding;
    /* Op without a field, and with fields 1 (id) and 1000 only */
    static const struct slice messages[] = {SLICE_LITERAL("\x12\0"), SLICE_LITERAL("\x12\2\x08\1"),
                                            SLICE_LITERAL("\x12\3\xc2\x3e\0")};
    for (size_t i = 0; i < 3; i++) {
        decoding_begin(&decoding, DECODER(txn_request), OP_TXN, messages[i]);
        assert_refused(&decoding, ERR_BAD_ARGUMENT, "success[0]: it has no operation");
    }
}

static void test_what_is_wrong_within_is_found(void **state)
{
    (void)state;
    Keystore__V1__Key get = KEYSTORE__V1__KEY__INIT;
    Keystore__V1__Keys keys = KEYSTORE__V1__KEYS__INIT;
    Keystore__V1__Op one = KEYSTORE__V1__OP__INIT, two = KEYSTORE__V1__OP__INIT;
    Keystore__V1__Op *ops[] = {&one, &two};
    struct decoding decoding;
    one.op_case = KEYSTORE__V1__OP__OP_GET;
    one.get = &get;
    two.op_case = KEYSTORE__V1__OP__OP_M_GET;
    two.m_get = &keys;
    decode_ops(&decoding, ops, 2, false);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "success[1].m_get.keys: it is empty");
    decode_ops(&decoding, ops, 2, true);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "failure[1].m_get.keys: it is empty");
}

static void decode_compare(struct decoding *decoding, Keystore__V1__Condition *condition)
{
    Keystore__V1__TxnRequest message = KEYSTORE__V1__TXN_REQUEST__INIT;
    Keystore__V1__TxnRequest__Compare compare = KEYSTORE__V1__TXN_REQUEST__COMPARE__INIT;
    Keystore__V1__TxnRequest__Compare *compares[] = {&compare};
    compare.key = message_text("key");
    compare.db = 5;
    compare.condition = condition;
    message.compares = compares;
    message.n_compares = 1;
    decoding_of(decoding, DECODER(txn_request), OP_TXN, &message);
}

static void test_compares(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
        struct decoding decoding;
        condition.existence = i == 0 ? KEYSTORE__V1__EXISTENCE__EXISTENCE_ABSENT
                                     : KEYSTORE__V1__EXISTENCE__EXISTENCE_UNSPECIFIED;
        condition.version = i == 1 ? 9 : 0;
        condition.match_value = i == 2;
        decode_compare(&decoding, &condition);
        assert_decoded(&decoding);
        assert_int_equal(decoding.op.txn->compare_count, 1);
        const struct op *compare = decoding.op.txn->compares;
        assert_is(compare->key, "key");
        assert_int_equal(compare->db, 5);
        assert_int_equal(compare->condition.existence, i == 0 ? EXISTENCE_ABSENT : EXISTENCE_ANY);
        assert_int_equal(compare->condition.version, i == 1 ? 9 : 0);
        assert_int_equal(compare->condition.match_value, i == 2);
        assert_false(compare->compare.has_since);
        decoding_end(&decoding);
    }
}

/* Also 0, which is a revision: nothing was written since the beginning. */
static void test_compares_with_a_revision(void **state)
{
    (void)state;
    static const uint64_t revisions[] = {0, 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof revisions / sizeof *revisions; i++) {
        Keystore__V1__TxnRequest message = KEYSTORE__V1__TXN_REQUEST__INIT;
        Keystore__V1__TxnRequest__Compare compare = KEYSTORE__V1__TXN_REQUEST__COMPARE__INIT;
        Keystore__V1__TxnRequest__Compare *compares[] = {&compare};
        struct decoding decoding;
        compare.key = message_text("key");
        compare.db = 5;
        compare.since_case = KEYSTORE__V1__TXN_REQUEST__COMPARE__SINCE_UNCHANGED_SINCE;
        compare.unchanged_since = revisions[i];
        message.compares = compares;
        message.n_compares = 1;
        decoding_of(&decoding, DECODER(txn_request), OP_TXN, &message);
        assert_decoded(&decoding);
        const struct op *op = decoding.op.txn->compares;
        assert_is(op->key, "key");
        assert_int_equal(op->db, 5);
        assert_true(op->compare.has_since);
        assert_true(op->compare.since == revisions[i]);
        assert_int_equal(op->condition.existence, EXISTENCE_ANY);
        assert_int_equal(op->condition.version, 0);
        decoding_end(&decoding);
    }
}

static void test_compares_that_ask_for_nothing(void **state)
{
    (void)state;
    Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
    struct decoding decoding;
    decode_compare(&decoding, NULL);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "compares[0].condition: it compares nothing");
    decode_compare(&decoding, &condition);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "compares[0].condition: it compares nothing");
    condition.value = message_text("v");
    decode_compare(&decoding, &condition);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "compares[0].condition.value: it is given without");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_transaction),
        cmocka_unit_test(test_operations_of_both_branches),
        cmocka_unit_test(test_every_field_of_op_is_an_operation),
        cmocka_unit_test(test_operations_that_are_none),
        cmocka_unit_test(test_what_is_wrong_within_is_found),
        cmocka_unit_test(test_compares),
        cmocka_unit_test(test_compares_with_a_revision),
        cmocka_unit_test(test_compares_that_ask_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
