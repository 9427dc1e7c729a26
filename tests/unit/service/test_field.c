/* Tests of service/field.c: conditions, deadlines and keys, whatever message they come in. */
#include "service/field.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/decoding.h"

static void decode_condition(struct decoding *decoding, const Keystore__V1__Condition *condition)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    Keystore__V1__Condition copy = *condition;
    message.key = message_text("key");
    message.condition = &copy;
    decoding_of(decoding, DECODER(key_value), OP_SET, &message);
}

/* Every combination: absent contradicts a version and a value, a value needs match_value. */
static void test_conditions(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * 2 * 2 * 2; i++) {
        Keystore__V1__Condition message = KEYSTORE__V1__CONDITION__INIT;
        bool version = i / 3 % 2, match = i / 6 % 2, value = i / 12;
        struct decoding decoding;
        message.existence = (Keystore__V1__Existence)(i % 3);
        message.version = version ? UINT64_MAX : 0;
        message.match_value = match;
        message.value = message_text(value ? "value" : "");
        decode_condition(&decoding, &message);
        if (i % 3 == EXISTENCE_ABSENT && (version || match)) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, "ask for one");
        } else if (value && !match) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, "set match_value");
        } else {
            assert_decoded(&decoding);
            assert_int_equal(decoding.op.condition.existence, i % 3);
            assert_int_equal(decoding.op.condition.version, version ? UINT64_MAX : 0);
            assert_int_equal(decoding.op.condition.match_value, match);
            assert_is(decoding.op.condition.value, value ? "value" : "");
            decoding_end(&decoding);
        }
    }
}

static void test_an_unknown_existence_is_refused(void **state)
{
    (void)state;
    static const int numbers[] = {3, 4, 100, -1, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        Keystore__V1__Condition message = KEYSTORE__V1__CONDITION__INIT;
        struct decoding decoding;
        message.existence = (Keystore__V1__Existence)numbers[i];
        decode_condition(&decoding, &message);
        assert_refused(&decoding, ERR_BAD_ARGUMENT, "condition.existence");
    }
}

static void test_deadlines(void **state)
{
    (void)state;
    static const struct {
        int64_t ttl_ms, expire_at_ms, deadline; /* -1: refused */
    } cases[] = {{0, 0, 0},  {100, 0, 1100}, {0, 7, 7},   {INT64_MAX - 1000, 0, INT64_MAX},
                 {1, 1, -1}, {-1, 0, -1},    {0, -1, -1}, {INT64_MAX - 999, 0, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct op op = {.now_ms = 1000};
        const char *why = NULL;
        enum err err = field_deadline(cases[i].ttl_ms, cases[i].expire_at_ms, &op, &why);
        assert_int_equal(err, cases[i].deadline < 0 ? ERR_BAD_ARGUMENT : ERR_NONE);
        assert_int_equal(why != NULL, cases[i].deadline < 0);
        if (err == ERR_NONE)
            assert_true(op.expire_at_ms == cases[i].deadline);
    }
}

static void test_keys_and_slices_are_where_the_message_is(void **state)
{
    (void)state;
    ProtobufCBinaryData texts[] = {message_text("a"), message_text(""), message_text("bc")};
    struct op op = {0};
    struct arena arena;
    const char *why;
    arena_init(&arena);
    assert_int_equal(field_keys(texts, 3, &arena, &op, &why), ERR_NONE);
    struct slice *slices = field_slices(texts, 3, &arena);
    assert_int_equal(op.key_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(op.keys[i].bytes.data, texts[i].data);
        assert_int_equal(op.keys[i].bytes.len, texts[i].len);
        assert_true(op.keys[i].hash == 0);
        assert_ptr_equal(slices[i].data, texts[i].data);
        assert_int_equal(slices[i].len, texts[i].len);
    }
    assert_int_equal(field_keys(NULL, 0, &arena, &op, &why), ERR_BAD_ARGUMENT);
    assert_non_null(strstr(why, "keys: it is empty"));
    arena_deinit(&arena);
}

static void test_refusals_name_the_field_and_the_operation(void **state)
{
    (void)state;
    struct op op = {.kind = OP_L_INDEX};
    struct arena arena;
    const char *why;
    arena_init(&arena);
    assert_int_equal(field_refuse_for(&op, "pivot", &arena, &why), ERR_BAD_ARGUMENT);
    assert_string_equal(why, "pivot: it means nothing for LIndex; leave it unset");
    assert_int_equal(field_refuse("key: an error message", &why), ERR_BAD_ARGUMENT);
    assert_string_equal(why, "key: an error message");
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_an_unknown_existence_is_refused),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_keys_and_slices_are_where_the_message_is),
        cmocka_unit_test(test_refusals_name_the_field_and_the_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
