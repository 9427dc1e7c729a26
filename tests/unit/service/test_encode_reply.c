/* Tests of service/encode_reply.c: results and errors with the id of their operation, which
 * protobuf-c reads back. */
#include "service/encode_reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/fake_call.h"
#include "service/status.h"

/* As the one reply of a ReplyBatch, which tells its size as well. */
static Keystore__V1__ReplyBatch *write(const struct op *op, const struct op_result *result)
{
    struct chain chain = {0};
    encode_reply_write(1, op, result, &chain);
    size_t size = encode_reply_size(op, result);
    assert_true(chain.bytes.len > size && chain.bytes.len <= size + 6);
    Keystore__V1__ReplyBatch *batch =
        keystore__v1__reply_batch__unpack(NULL, chain.bytes.len, chain.bytes.data);
    assert_non_null(batch);
    assert_int_equal(batch->n_replies, 1);
    chain_deinit(&chain);
    return batch;
}

static void test_results_have_the_field_of_their_kind(void **state)
{
    (void)state;
    static const struct {
        enum op_kind kind;
        Keystore__V1__Reply__ResultCase field;
    } cases[] = {{OP_SET, KEYSTORE__V1__REPLY__RESULT_STATUS},
                 {OP_GET, KEYSTORE__V1__REPLY__RESULT_VALUE},
                 {OP_M_GET, KEYSTORE__V1__REPLY__RESULT_VALUES},
                 {OP_INCR, KEYSTORE__V1__REPLY__RESULT_NUMBER},
                 {OP_L_POS, KEYSTORE__V1__REPLY__RESULT_POSITIONS},
                 {OP_DESCRIBE, KEYSTORE__V1__REPLY__RESULT_INFO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct op op = {.kind = cases[i].kind, .id = i * 1000};
        struct op_result result = {.ok = true, .count = 3};
        Keystore__V1__ReplyBatch *batch = write(&op, &result);
        assert_int_equal(batch->replies[0]->id, i * 1000);
        assert_int_equal(batch->replies[0]->result_case, cases[i].field);
        keystore__v1__reply_batch__free_unpacked(batch, NULL);
    }
}

static void test_every_error_is_told(void **state)
{
    (void)state;
    for (enum err err = ERR_NONE + 1; err < ERR_COUNT; err++) {
        struct op op = {.kind = OP_L_RANGE, .id = 77};
        struct op_result result = {.err = err, .why = "this is why"};
        Keystore__V1__ReplyBatch *batch = write(&op, &result);
        const Keystore__V1__Reply *reply = batch->replies[0];
        assert_int_equal(reply->id, 77);
        assert_int_equal(reply->result_case, KEYSTORE__V1__REPLY__RESULT_ERROR);
        assert_int_equal(reply->error->code, status_code(err));
        assert_string_equal(protobuf_c_enum_descriptor_get_value(
                                &keystore__v1__error_reason__descriptor, (int)reply->error->reason)
                                ->name,
                            status_reason(err));
        assert_string_equal(reply->error->message, "this is why");
        keystore__v1__reply_batch__free_unpacked(batch, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_have_the_field_of_their_kind),
        cmocka_unit_test(test_every_error_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
