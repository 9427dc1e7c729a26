/* Tests of service/decode_lists.c: what each field becomes, and what is refused. */
#include "service/decode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/decoding.h"

static void test_list_insert(void **state)
{
    (void)state;
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
    ProtobufCBinaryData values[] = {message_text("one"), message_text(""), message_text("three")};
    struct decoding decoding;
    condition.existence = KEYSTORE__V1__EXISTENCE__EXISTENCE_PRESENT;
    message.key = message_text("list");
    message.values = values;
    message.n_values = 3;
    message.condition = &condition;
    message.max_length = UINT64_MAX;
    message.db = 15;
    decoding_of(&decoding, DECODER(list_insert), OP_L_PUSH, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "list");
    assert_int_equal(decoding.op.value_count, 3);
    assert_is(decoding.op.values[0], "one");
    assert_is(decoding.op.values[1], "");
    assert_is(decoding.op.values[2], "three");
    assert_int_equal(decoding.op.push.max_length, UINT64_MAX);
    assert_int_equal(decoding.op.db, 15);
    assert_int_equal(decoding.op.condition.existence, EXISTENCE_PRESENT);
    decoding_end(&decoding);
}

static void test_list_insert_of_many_values(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static ProtobufCBinaryData values[COUNT];
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    struct decoding decoding;
    for (size_t i = 0; i < COUNT; i++)
        values[i] = message_text(i % 2 == 0 ? "even" : "odd");
    message.key = message_text("list");
    message.values = values;
    message.n_values = COUNT;
    decoding_of(&decoding, DECODER(list_insert), OP_L_PUSH, &message);
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.value_count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_is(decoding.op.values[i], i % 2 == 0 ? "even" : "odd");
    decoding_end(&decoding);
}

static void test_list_insert_refuses_what_it_cannot_mean(void **state)
{
    (void)state;
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
    ProtobufCBinaryData value = message_text("1");
    struct decoding decoding;
    message.key = message_text("list");
    decoding_of(&decoding, DECODER(list_insert), OP_L_PUSH, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "values: it is empty");
    message.values = &value;
    message.n_values = 1;
    message.condition = &condition;
    condition.match_value = true;
    decoding_of(&decoding, DECODER(list_insert), OP_L_PUSH, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "match_value");
    condition.match_value = false;
    condition.existence = KEYSTORE__V1__EXISTENCE__EXISTENCE_ABSENT;
    condition.version = 1;
    decoding_of(&decoding, DECODER(list_insert), OP_L_PUSH, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "ask for one");
}

static void test_list_range(void **state)
{
    (void)state;
    static const int64_t ends[] = {0, 1, -1, 100, -100, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        Keystore__V1__ListRange message = KEYSTORE__V1__LIST_RANGE__INIT;
        struct decoding decoding;
        message.key = message_text("list");
        message.start = ends[i];
        message.stop = ends[6 - i];
        message.db = 2;
        decoding_of(&decoding, DECODER(list_range), OP_L_RANGE, &message);
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "list");
        assert_true(decoding.op.start == ends[i]);
        assert_true(decoding.op.stop == ends[6 - i]);
        assert_int_equal(decoding.op.db, 2);
        decoding_end(&decoding);
    }
}

static void test_list_range_refuses_pages(void **state)
{
    (void)state;
    Keystore__V1__ListRange message = KEYSTORE__V1__LIST_RANGE__INIT;
    struct decoding decoding;
    message.key = message_text("list");
    message.page_bytes = 1000;
    decoding_of(&decoding, DECODER(list_range), OP_L_RANGE, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "page_bytes");
}

static void test_pushes_with_a_time_to_live(void **state)
{
    (void)state;
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    ProtobufCBinaryData value = message_text("1");
    struct decoding decoding;
    message.key = message_text("list");
    message.values = &value;
    message.n_values = 1;
    message.ttl_ms = 7;
    decoding_of(&decoding, DECODER(list_insert), OP_R_PUSH, &message);
    assert_decoded(&decoding);
    assert_true(decoding.op.expire_at_ms == DECODING_NOW_MS + 7);
    decoding_end(&decoding);
    message.ttl_ms = -7;
    decoding_of(&decoding, DECODER(list_insert), OP_R_PUSH, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "negative");
}

/* A message of each kind that the kind takes; what others take is refused. */
static void test_items(void **state)
{
    (void)state;
    static const struct {
        enum op_kind kind;
        int64_t index;
        const char *value, *pivot;
        bool after;
        const char *refused;
    } cases[] = {
        {OP_L_INDEX, INT64_MIN, "", "", false, NULL},
        {OP_L_INDEX, 1, "v", "", false, "value: it means nothing for LIndex"},
        {OP_L_INDEX, 1, "", "p", false, "pivot: it means nothing for LIndex"},
        {OP_L_INDEX, 1, "", "", true, "after: it means nothing for LIndex"},
        {OP_L_SET, -1, "v", "", false, NULL},
        {OP_L_SET, 0, "", "", false, NULL},
        {OP_L_SET, 0, "v", "p", false, "pivot: it means nothing for LSet"},
        {OP_L_SET, 0, "v", "", true, "after: it means nothing for LSet"},
        {OP_L_INSERT, 0, "v", "p", true, NULL},
        {OP_L_INSERT, 0, "", "", false, NULL}, /* empty elements are elements */
        {OP_L_INSERT, 1, "v", "p", false, "index: it means nothing for LInsert"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Keystore__V1__ListItem message = KEYSTORE__V1__LIST_ITEM__INIT;
        struct decoding decoding;
        message.key = message_text("list");
        message.index = cases[i].index;
        message.value = message_text(cases[i].value);
        message.pivot = message_text(cases[i].pivot);
        message.after = cases[i].after;
        message.db = 8;
        decoding_of(&decoding, DECODER(list_item), cases[i].kind, &message);
        if (cases[i].refused != NULL) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, cases[i].refused);
            continue;
        }
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "list");
        assert_int_equal(decoding.op.db, 8);
        assert_true(decoding.op.index == cases[i].index);
        assert_is(decoding.op.value, cases[i].value);
        assert_is(decoding.op.insert.pivot, cases[i].pivot);
        assert_int_equal(decoding.op.insert.after, cases[i].after);
        decoding_end(&decoding);
    }
}

static void test_finds(void **state)
{
    (void)state;
    static const struct {
        enum op_kind kind;
        int64_t count, rank;
        uint64_t max_scan;
        const char *refused;
    } cases[] = {
        {OP_L_REM, 0, 0, 0, NULL},
        {OP_L_REM, -INT64_MAX, 0, 0, NULL},
        {OP_L_REM, INT64_MIN, 0, 0, "count: it is out of range"},
        {OP_L_REM, 1, 1, 0, "rank: it means nothing for LRem"},
        {OP_L_REM, 1, 0, 1, "max_scan: it means nothing for LRem"},
        {OP_L_POS, 0, 0, 0, NULL},
        {OP_L_POS, INT64_MAX, -INT64_MAX, UINT64_MAX, NULL},
        {OP_L_POS, -1, 0, 0, "count: it is negative"},
        {OP_L_POS, 0, INT64_MIN, 0, "rank: it is out of range"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Keystore__V1__ListFind message = KEYSTORE__V1__LIST_FIND__INIT;
        struct decoding decoding;
        message.key = message_text("list");
        message.value = message_text("wanted");
        message.count = cases[i].count;
        message.rank = cases[i].rank;
        message.max_scan = cases[i].max_scan;
        message.db = 1;
        decoding_of(&decoding, DECODER(list_find), cases[i].kind, &message);
        if (cases[i].refused != NULL) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, cases[i].refused);
            continue;
        }
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "list");
        assert_is(decoding.op.value, "wanted");
        assert_int_equal(decoding.op.db, 1);
        assert_true(decoding.op.count == cases[i].count);
        assert_true(decoding.op.pos.rank == cases[i].rank);
        assert_true(decoding.op.pos.max_scan == cases[i].max_scan);
        decoding_end(&decoding);
    }
}

static void test_pops(void **state)
{
    (void)state;
    ProtobufCBinaryData keys[] = {message_text("one"), message_text("two")};
    Keystore__V1__PopRequest message = KEYSTORE__V1__POP_REQUEST__INIT;
    struct decoding decoding;
    message.keys = keys;
    message.n_keys = 2;
    message.count = UINT32_MAX;
    message.db = 4;
    for (int end = 0; end <= 2; end++) {
        message.end = (Keystore__V1__ListEnd)end;
        decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
        assert_decoded(&decoding);
        assert_int_equal(decoding.op.key_count, 2);
        assert_is(decoding.op.keys[0].bytes, "one");
        assert_is(decoding.op.keys[1].bytes, "two");
        assert_true(decoding.op.keys[1].hash == 0);
        assert_int_equal(decoding.op.move.end, end == 2 ? OP_TAIL : OP_HEAD);
        assert_true(decoding.op.count == UINT32_MAX);
        assert_int_equal(decoding.op.db, 4);
        decoding_end(&decoding);
    }
    message.end = (Keystore__V1__ListEnd)3;
    decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "end: there is no such value");
    message.end = (Keystore__V1__ListEnd)-1;
    decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "end: there is no such value");
    message.end = KEYSTORE__V1__LIST_END__LIST_END_HEAD;
    message.n_keys = 0;
    decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "keys: it is empty");
}

static void test_pops_that_wait(void **state)
{
    (void)state;
    static char text[40000];
    struct decoding decoding;
    ProtobufCBinaryData *keys = calloc(1001, sizeof *keys);
    for (size_t i = 0; i < 1001; i++)
        keys[i] = message_text("k");
    Keystore__V1__PopRequest message = KEYSTORE__V1__POP_REQUEST__INIT;
    message.keys = keys;
    message.n_keys = 1000;
    message.wait_ms = -1;
    decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
    assert_decoded(&decoding);
    assert_true(op_waits(&decoding.op));
    assert_int_equal(decoding.op.move.take->wait_ms, -1);
    decoding_end(&decoding);
    message.n_keys = 1001;
    decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "keys: there are too many");
    keys[0] = keys[1] = (ProtobufCBinaryData){.data = (uint8_t *)text, .len = sizeof text};
    message.n_keys = 2;
    decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "keys: there are too many");
    message.wait_ms = -2;
    decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "wait_ms: it is negative");
    message.wait_ms = 0;
    decoding_of(&decoding, DECODER(pop_request), OP_LIST_POP, &message);
    assert_decoded(&decoding);
    assert_false(op_waits(&decoding.op));
    decoding_end(&decoding);
    free(keys);
}

static void test_moves(void **state)
{
    (void)state;
    Keystore__V1__MoveRequest message = KEYSTORE__V1__MOVE_REQUEST__INIT;
    struct decoding decoding;
    message.source = message_text("from");
    message.target = message_text("to");
    message.db = 5;
    for (int ends = 0; ends < 9; ends++) {
        message.source_end = (Keystore__V1__ListEnd)(ends % 3);
        message.target_end = (Keystore__V1__ListEnd)(ends / 3);
        decoding_of(&decoding, DECODER(move_request), OP_L_MOVE, &message);
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "from");
        assert_is(decoding.op.target.bytes, "to");
        assert_int_equal(decoding.op.db, 5);
        assert_int_equal(decoding.op.target_db, 5);
        assert_int_equal(decoding.op.move.end, ends % 3 == 2 ? OP_TAIL : OP_HEAD);
        assert_int_equal(decoding.op.move.target_end, ends / 3 == 2 ? OP_TAIL : OP_HEAD);
        decoding_end(&decoding);
    }
    message.source_end = (Keystore__V1__ListEnd)3;
    decoding_of(&decoding, DECODER(move_request), OP_L_MOVE, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "source_end: there is no such value");
    message.source_end = KEYSTORE__V1__LIST_END__LIST_END_TAIL;
    message.target_end = (Keystore__V1__ListEnd)INT32_MAX;
    decoding_of(&decoding, DECODER(move_request), OP_L_MOVE, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "target_end: there is no such value");
    message.target_end = KEYSTORE__V1__LIST_END__LIST_END_TAIL;
    message.wait_ms = 1;
    decoding_of(&decoding, DECODER(move_request), OP_L_MOVE, &message);
    assert_decoded(&decoding);
    assert_true(op_waits(&decoding.op));
    decoding_end(&decoding);
    message.wait_ms = INT64_MIN;
    decoding_of(&decoding, DECODER(move_request), OP_L_MOVE, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "wait_ms: it is negative");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_insert),
        cmocka_unit_test(test_list_insert_of_many_values),
        cmocka_unit_test(test_list_insert_refuses_what_it_cannot_mean),
        cmocka_unit_test(test_list_range),
        cmocka_unit_test(test_list_range_refuses_pages),
        cmocka_unit_test(test_pushes_with_a_time_to_live),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_pops),
        cmocka_unit_test(test_pops_that_wait),
        cmocka_unit_test(test_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
