/* Public request structs against the generated messages, field by field. */
#include "request_fixture.h"

/* Each kind of request, and the field of its message that has no place in a unary call. */
#define REQUESTS(REQUEST)                                                                          \
    REQUEST(key, NULL)                                                                             \
    REQUEST(key_value, NULL)                                                                       \
    REQUEST(list_insert, NULL)                                                                     \
    REQUEST(list_range, "page_bytes")                                                              \
    REQUEST(keys, NULL)                                                                            \
    REQUEST(key_values, NULL)                                                                      \
    REQUEST(increment, NULL)                                                                       \
    REQUEST(byte_range, NULL)                                                                      \
    REQUEST(bit_request, NULL)                                                                     \
    REQUEST(bit_range, NULL)                                                                       \
    REQUEST(bit_op_request, NULL)                                                                  \
    REQUEST(bit_field_request, NULL)                                                               \
    REQUEST(lcs_request, NULL)                                                                     \
    REQUEST(expire_request, NULL)                                                                  \
    REQUEST(copy_request, NULL)                                                                    \
    REQUEST(db_request, NULL)                                                                      \
    REQUEST(swap_request, NULL)                                                                    \
    REQUEST(pop_request, NULL)                                                                     \
    REQUEST(move_request, NULL)                                                                    \
    REQUEST(list_item, NULL)                                                                       \
    REQUEST(list_find, NULL)                                                                       \
    REQUEST(message, NULL)                                                                         \
    REQUEST(txn_request, NULL)

REQUESTS(PACKS)

static void parts_of_messages_are_whole_too(void **state)
{
    (void)state;
    Keystore__V1__TxnRequest *seen =
        sent(&requests_txn_request(&builder, &sample_txn_request)->base);
    assert_every_field(&seen->compares[0]->base, NULL);
    assert_every_field(&seen->compares[0]->condition->base, NULL);
    assert_every_field(&seen->success[0]->base, NULL);
    forget(seen);
}

static void zeroed_fields_take_no_bytes(void **state)
{
    (void)state;
    REQUESTS(TAKES_NO_BYTES)
    assert_int_equal(out.len, 0);
}

static void existences(void **state)
{
    (void)state;
    struct keystore_condition condition = {.existence = KEYSTORE_ABSENT};
    struct keystore_key key = {.condition = &condition};
    Keystore__V1__Key *seen = sent(&requests_key(&builder, &key)->base);
    assert_int_equal(seen->condition->existence, KEYSTORE__V1__EXISTENCE__EXISTENCE_ABSENT);
    forget(seen);
    condition.existence = KEYSTORE_ANY; /* the condition is sent, and asks for nothing */
    seen = sent(&requests_key(&builder, &key)->base);
    assert_non_null(seen->condition);
    assert_int_equal(seen->condition->existence, 0);
    forget(seen);
}

static void deltas(void **state)
{
    (void)state;
    struct keystore_increment increment = {.delta = KEYSTORE_BY_FLOAT, .by = 7, .by_float = -2.5};
    Keystore__V1__Increment *seen = sent(&requests_increment(&builder, &increment)->base);
    assert_int_equal(seen->delta_case, KEYSTORE__V1__INCREMENT__DELTA_BY_FLOAT);
    assert_true(seen->by_float == -2.5);
    forget(seen);
    increment.delta = KEYSTORE_BY_DECIMAL;
    increment.by_decimal = "0.1";
    seen = sent(&requests_increment(&builder, &increment)->base);
    assert_int_equal(seen->delta_case, KEYSTORE__V1__INCREMENT__DELTA_BY_DECIMAL);
    assert_string_equal(seen->by_decimal, "0.1");
    forget(seen);
    increment.by_decimal = NULL; /* is refused by the server; not taken as one */
    seen = sent(&requests_increment(&builder, &increment)->base);
    assert_int_equal(seen->delta_case, KEYSTORE__V1__INCREMENT__DELTA_BY_DECIMAL);
    forget(seen);
    increment.delta = KEYSTORE_BY_ONE;
    seen = sent(&requests_increment(&builder, &increment)->base);
    assert_int_equal(seen->delta_case, KEYSTORE__V1__INCREMENT__DELTA__NOT_SET);
    forget(seen);
    /* By nothing is not by one. */
    increment = (struct keystore_increment){.delta = KEYSTORE_BY};
    seen = sent(&requests_increment(&builder, &increment)->base);
    assert_int_equal(seen->delta_case, KEYSTORE__V1__INCREMENT__DELTA_BY);
    assert_int_equal(seen->by, 0);
    forget(seen);
}

/* Database 0 is not the source's database. */
static void target_databases(void **state)
{
    (void)state;
    struct keystore_copy_request copy = {.has_target_db = true, .db = 3};
    Keystore__V1__CopyRequest *seen = sent(&requests_copy_request(&builder, &copy)->base);
    assert_int_equal(seen->target_database_case,
                     KEYSTORE__V1__COPY_REQUEST__TARGET_DATABASE_TARGET_DB);
    assert_int_equal(seen->target_db, 0);
    forget(seen);
    copy = (struct keystore_copy_request){.target_db = 9};
    seen = sent(&requests_copy_request(&builder, &copy)->base);
    assert_int_equal(seen->target_database_case,
                     KEYSTORE__V1__COPY_REQUEST__TARGET_DATABASE__NOT_SET);
    forget(seen);
}

/* A stop of 0 is one. */
static void stops_of_bit_ranges(void **state)
{
    (void)state;
    struct keystore_bit_range range = {.has_stop = true};
    Keystore__V1__BitRange *seen = sent(&requests_bit_range(&builder, &range)->base);
    assert_int_equal(seen->last_case, KEYSTORE__V1__BIT_RANGE__LAST_STOP);
    forget(seen);
    range = (struct keystore_bit_range){.stop = 9};
    seen = sent(&requests_bit_range(&builder, &range)->base);
    assert_int_equal(seen->last_case, KEYSTORE__V1__BIT_RANGE__LAST__NOT_SET);
    forget(seen);
}

/* The public numbers are those of the API. */
static void enumerations(void **state)
{
    (void)state;
    assert_int_equal(KEYSTORE_WHEN_NO_EXPIRY, KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_NO_EXPIRY);
    assert_int_equal(KEYSTORE_WHEN_HAS_EXPIRY, KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_HAS_EXPIRY);
    assert_int_equal(KEYSTORE_WHEN_LATER, KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_LATER);
    assert_int_equal(KEYSTORE_WHEN_SOONER, KEYSTORE__V1__EXPIRE_REQUEST__WHEN__WHEN_SOONER);
    assert_int_equal(KEYSTORE_BITS_AND, KEYSTORE__V1__BIT_OP_REQUEST__OPERATION__OPERATION_AND);
    assert_int_equal(KEYSTORE_BITS_OR, KEYSTORE__V1__BIT_OP_REQUEST__OPERATION__OPERATION_OR);
    assert_int_equal(KEYSTORE_BITS_XOR, KEYSTORE__V1__BIT_OP_REQUEST__OPERATION__OPERATION_XOR);
    assert_int_equal(KEYSTORE_FIELD_SET, KEYSTORE__V1__BIT_FIELD_REQUEST__ACTION__ACTION_SET);
    assert_int_equal(KEYSTORE_OVERFLOW_SATURATE,
                     KEYSTORE__V1__BIT_FIELD_REQUEST__OVERFLOW__OVERFLOW_SATURATE);
    assert_int_equal(KEYSTORE_HEAD, KEYSTORE__V1__LIST_END__LIST_END_HEAD);
    assert_int_equal(KEYSTORE_TAIL, KEYSTORE__V1__LIST_END__LIST_END_TAIL);
    assert_int_equal(KEYSTORE_BY, KEYSTORE__V1__INCREMENT__DELTA_BY);
    assert_int_equal(KEYSTORE_BY_FLOAT, KEYSTORE__V1__INCREMENT__DELTA_BY_FLOAT);
}

/* The message that an Op holds. */
static const ProtobufCMessage *part_of(const Keystore__V1__Op *op)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&keystore__v1__op__descriptor, op->op_case);
    assert_non_null(field);
    const ProtobufCMessage *message;
    memcpy(&message, (const uint8_t *)op + field->offset, sizeof message);
    return message;
}

/* Puts the sample of a request into the operation, whose union it is a member of. */
#define CHECK_OP(op_case_, sample)                                                                 \
    {                                                                                              \
        struct keystore_op op = {.kind = (enum keystore_op_kind)op_case_, .id = 100 + checked++};  \
        memcpy(&op.request, &sample_##sample, sizeof sample_##sample);                             \
        struct keystore_txn_request txn = {.success = &op, .success_count = 1};                    \
        Keystore__V1__TxnRequest *seen = sent(&requests_txn_request(&builder, &txn)->base);        \
        assert_int_equal(seen->success[0]->op_case, op_case_);                                     \
        assert_true(seen->success[0]->id == op.id);                                                \
        seen_##sample((const void *)part_of(seen->success[0]));                                    \
        forget(seen);                                                                              \
    }

static void packs_every_operation(void **state)
{
    (void)state;
    unsigned checked = 0;
#define OPERATION(kind, method, request, ...) CHECK_OP(KEYSTORE__V1__OP__OP_##kind, request)
#define OPERATION_ALONE(...)
#include "store/operations.def"
#undef OPERATION
    /* All that message Op has, besides its id. */
    assert_int_equal(checked, keystore__v1__op__descriptor.n_fields - 1);
}

static void an_unknown_operation_asks_for_nothing(void **state)
{
    (void)state;
    struct keystore_op ops[] = {{.kind = KEYSTORE_OP_NONE, .id = 1},
                                {.kind = (enum keystore_op_kind)77, .id = 2}};
    struct keystore_txn_request txn = {.failure = ops, .failure_count = 2};
    Keystore__V1__TxnRequest *seen = sent(&requests_txn_request(&builder, &txn)->base);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(seen->failure[i]->op_case, KEYSTORE__V1__OP__OP__NOT_SET);
        assert_int_equal(seen->failure[i]->id, i + 1);
    }
    forget(seen);
}

static void packing_appends(void **state)
{
    (void)state;
    assert_true(buffer_append(&out, SLICE_LITERAL("12345")));
    struct keystore_db_request request = {.db = 3};
    assert_true(
        requests_pack(&out, &builder, &requests_db_request(&builder, &request)->base, &error));
    assert_int_equal(out.len, 7);
    assert_memory_equal(out.data, "12345\x78\x03", 7);
}

static void packing_stops_at_the_limit(void **state)
{
    (void)state;
    struct keystore_slice value = {.data = memset(pool_alloc(&pool, 2000), 'v', 2000), .len = 2000};
    struct keystore_key_value set = {.value = value};
    assert_false(requests_pack(&out, &builder, &requests_key_value(&builder, &set)->base, &error));
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REQUESTS(LISTED) /* one each */
        TEST(parts_of_messages_are_whole_too),
        TEST(zeroed_fields_take_no_bytes),
        TEST(existences),
        TEST(deltas),
        TEST(target_databases),
        TEST(stops_of_bit_ranges),
        TEST(enumerations),
        TEST(packs_every_operation),
        TEST(an_unknown_operation_asks_for_nothing),
        TEST(packing_appends),
        TEST(packing_stops_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
