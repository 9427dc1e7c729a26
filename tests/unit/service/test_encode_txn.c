/* Tests of service/encode_txn.c: replies within a reply, which protobuf-c reads back. */
#include "service/encode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/fake_call.h"
#include "store/seeded.h"

static Keystore__V1__TxnReply *reply_of(const struct op_result *result)
{
    return fake_call_encode(&encode_txn_reply, result, &keystore__v1__txn_reply__descriptor);
}

static void test_no_replies(void **state)
{
    (void)state;
    for (int ok = 0; ok < 2; ok++) {
        struct op_result result = {.ok = ok, .version = 1234};
        Keystore__V1__TxnReply *message = reply_of(&result);
        assert_int_equal(message->succeeded, ok);
        assert_int_equal(message->version, 1234);
        assert_int_equal(message->n_replies, 0);
        keystore__v1__txn_reply__free_unpacked(message, NULL);
    }
}

static void test_replies_in_order_with_their_ids(void **state)
{
    (void)state;
    struct blob *blob = fake_call_blob(30000);
    struct op ops[] = {{.kind = OP_SET, .id = 9}, {.kind = OP_GET}, {.kind = OP_GET, .id = 300}};
    struct op_result results[] = {
        {.ok = true, .count = 1, .version = 5},
        {.value = {.bytes = SLICE_LITERAL("v"), .found = true, .version = 6, .expire_at_ms = 7}},
        {.value = {.bytes = blob_slice(blob), .blob = blob, .found = true}},
    };
    struct op_result result = {.ok = true, .results = results, .done = ops, .result_count = 3};
    Keystore__V1__TxnReply *message = reply_of(&result);
    assert_int_equal(message->n_replies, 3);
    Keystore__V1__Reply *const *replies = message->replies;
    assert_int_equal(replies[0]->id, 9);
    assert_int_equal(replies[0]->result_case, KEYSTORE__V1__REPLY__RESULT_STATUS);
    assert_true(replies[0]->status->ok);
    assert_int_equal(replies[0]->status->version, 5);
    assert_int_equal(replies[1]->id, 0);
    assert_int_equal(replies[1]->result_case, KEYSTORE__V1__REPLY__RESULT_VALUE);
    assert_bytes_are(replies[1]->value->value, "v");
    assert_int_equal(replies[1]->value->expire_at_ms, 7);
    assert_int_equal(replies[2]->id, 300);
    assert_true(slice_equal(message_slice(replies[2]->value->value), blob_slice(blob)));
    assert_int_equal(blob_bytes, blob->len);
    assert_int_equal(atomic_load(&blob->holders), 1);
    keystore__v1__txn_reply__free_unpacked(message, NULL);
    blob_release(blob);
}

/* The field of Reply whose message the operation's reply is; empty replies are there, too. */
static void test_every_operation_has_the_field_of_its_reply(void **state)
{
    (void)state;
    static const ProtobufCMessageDescriptor *const types[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    [OP_##kind] = &keystore__v1__##reply##__descriptor,
#include "store/operations.def"
#undef OPERATION
    };
    for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
        if (kind == OP_TXN || types[kind] == &keystore__v1__key__descriptor)
            continue; /* Op does not have these */
        struct op op = {.kind = kind};
        struct op_result one = {0};
        struct op_result result = {.results = &one, .done = &op, .result_count = 1};
        Keystore__V1__TxnReply *message = reply_of(&result);
        assert_int_equal(message->n_replies, 1);
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
            &keystore__v1__reply__descriptor, message->replies[0]->result_case);
        assert_non_null(field);
        assert_ptr_equal(field->descriptor, types[kind]);
        keystore__v1__txn_reply__free_unpacked(message, NULL);
    }
}

/* Everything that has a length of its own, of random lengths. */
static void test_random_replies_come_back(void **state)
{
    (void)state;
    static uint8_t bytes[300];
    uint64_t random = seeded_start();
    for (int round = 0; round < 500; round++) {
        enum { COUNT = 20 };
        struct op ops[COUNT];
        struct op_result results[COUNT];
        struct slice values[4];
        for (size_t i = 0; i < 4; i++)
            values[i] = slice_make(bytes, seeded_below(&random, sizeof bytes));
        for (size_t i = 0; i < COUNT; i++) {
            static const enum op_kind kinds[] = {OP_GET, OP_DELETE, OP_L_RANGE, OP_LIST_POP};
            ops[i] = (struct op){.kind = kinds[seeded_below(&random, 4)],
                                 .id = seeded_below(&random, 3) * 1000};
            results[i] = (struct op_result){.value = {.bytes = values[seeded_below(&random, 4)]},
                                            .has_previous = seeded_below(&random, 2) == 0,
                                            .values = values,
                                            .value_count = seeded_below(&random, 5)};
        }
        struct op_result result = {.results = results, .done = ops, .result_count = COUNT};
        Keystore__V1__TxnReply *message = reply_of(&result);
        assert_int_equal(message->n_replies, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            const Keystore__V1__Reply *reply = message->replies[i];
            assert_int_equal(reply->id, ops[i].id);
            if (ops[i].kind == OP_GET)
                assert_int_equal(reply->value->value.len, results[i].value.bytes.len);
            else if (ops[i].kind == OP_DELETE)
                assert_int_equal(reply->status->previous != NULL, results[i].has_previous);
            else if (ops[i].kind == OP_L_RANGE)
                assert_int_equal(reply->list->n_values, results[i].value_count);
            else
                assert_int_equal(reply->popped->n_values, results[i].value_count);
        }
        keystore__v1__txn_reply__free_unpacked(message, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_replies),
        cmocka_unit_test(test_replies_in_order_with_their_ids),
        cmocka_unit_test(test_every_operation_has_the_field_of_its_reply),
        cmocka_unit_test(test_random_replies_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
