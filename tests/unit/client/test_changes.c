/* Operations from messages, against what requests.c makes of them again. */
#include "client/changes.h"

#include "client/requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sample_requests.h"

/* The operation survives the way to the wire and back, but for conditions, which no change has. */
static void round_trip(enum keystore_op_kind kind, const void *request, size_t size)
{
    struct keystore_op op = {.kind = kind, .id = 3};
    uint8_t bytes[2][4096];
    struct pool pool;
    pool_init(&pool);
    struct request_builder builder = {.pool = &pool};
    memcpy(&op.request, request, size);
    Keystore__V1__Op *wire = requests_op(&builder, &op);
    struct keystore_op *back = changes_from_wire(&pool, wire);
    if (back == NULL)
        fail_msg("kind %d is not known", (int)kind);
    Keystore__V1__Op *again = requests_op(&builder, back);
    assert_false(builder.missing || pool.failed);
    size_t len = protobuf_c_message_get_packed_size(&wire->base);
    assert_true(len <= sizeof bytes[0]);
    assert_int_equal(protobuf_c_message_get_packed_size(&again->base), len);
    protobuf_c_message_pack(&wire->base, bytes[0]);
    protobuf_c_message_pack(&again->base, bytes[1]);
    assert_memory_equal(bytes[0], bytes[1], len);
    pool_deinit(&pool);
}

#define ROUND_TRIP(kind, sample) round_trip(kind, &(sample), sizeof(sample))

static void changes_of_all_kinds(void **state)
{
    (void)state;
    struct keystore_key key = {.key = {"k", 1}, .db = 2};
    struct keystore_key_value set = {.key = {"k", 1},
                                     .value = {"v", 1},
                                     .db = 2,
                                     .ttl_ms = 3,
                                     .expire_at_ms = 4,
                                     .keep_ttl = true};
    struct keystore_list_insert insert = sample_list_insert;
    insert.condition = NULL;
    struct keystore_pop_request pop = sample_pop_request;
    pop.wait_ms = 0;
    ROUND_TRIP(KEYSTORE_OP_SET, set);
    ROUND_TRIP(KEYSTORE_OP_APPEND, set);
    ROUND_TRIP(KEYSTORE_OP_SET_RANGE, sample_byte_range);
    ROUND_TRIP(KEYSTORE_OP_EXPIRE, sample_expire_request);
    ROUND_TRIP(KEYSTORE_OP_LPUSH, insert);
    ROUND_TRIP(KEYSTORE_OP_RPUSH, insert);
    ROUND_TRIP(KEYSTORE_OP_LPOP, key);
    ROUND_TRIP(KEYSTORE_OP_RPOP, key);
    ROUND_TRIP(KEYSTORE_OP_DELETE, key);
    ROUND_TRIP(KEYSTORE_OP_LIST_POP, pop);
    ROUND_TRIP(KEYSTORE_OP_LTRIM, sample_list_range);
    ROUND_TRIP(KEYSTORE_OP_LSET, sample_list_item);
    ROUND_TRIP(KEYSTORE_OP_LINSERT, sample_list_item);
    ROUND_TRIP(KEYSTORE_OP_LREM, sample_list_find);
}

static void increments(void **state)
{
    (void)state;
    struct keystore_increment increment = {.key = {"k", 1}, .ttl_ms = 5, .db = 6};
    ROUND_TRIP(KEYSTORE_OP_INCR, increment);
    increment.delta = KEYSTORE_BY;
    increment.by = -7;
    ROUND_TRIP(KEYSTORE_OP_INCR, increment);
    increment.delta = KEYSTORE_BY_FLOAT;
    increment.by_float = 0.5;
    ROUND_TRIP(KEYSTORE_OP_INCR, increment);
    increment.delta = KEYSTORE_BY_DECIMAL;
    increment.by_decimal = "0.1";
    ROUND_TRIP(KEYSTORE_OP_INCR, increment);
}

static void other_kinds_are_no_changes(void **state)
{
    (void)state;
    Keystore__V1__Op empty = KEYSTORE__V1__OP__INIT;
    Keystore__V1__Op get = KEYSTORE__V1__OP__INIT;
    struct pool pool;
    get.op_case = KEYSTORE__V1__OP__OP_GET;
    pool_init(&pool);
    assert_null(changes_from_wire(&pool, &empty));
    assert_null(changes_from_wire(&pool, &get));
    assert_false(pool.failed);
    pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_of_all_kinds),
        cmocka_unit_test(increments),
        cmocka_unit_test(other_kinds_are_no_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
