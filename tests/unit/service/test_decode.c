/* Tests of service/decode.c: what each field becomes, what is refused, and bytes by chance. */
#include "service/decode.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/messages.h"
#include "store/seeded.h"

/* One decoding; the message lasts as long as its operation. */
struct decoding {
    struct arena arena;
    struct slice packed; /* freed with it; may be empty */
    struct op op;
    enum err err;
    const char *why;
};

static void decode_packed(struct decoding *decoding, decode_function *decode, enum op_kind kind,
                          struct slice message)
{
    arena_init(&decoding->arena);
    decoding->packed = (struct slice){0};
    decoding->op = (struct op){.kind = kind};
    decoding->why = NULL;
    decoding->err = decode(message, &decoding->arena, &decoding->op, &decoding->why);
}

static void decode(struct decoding *decoding, decode_function *function, enum op_kind kind,
                   const void *message)
{
    struct slice packed = message_pack(message);
    decode_packed(decoding, function, kind, packed);
    decoding->packed = packed;
}

static void end(struct decoding *decoding)
{
    message_free_packed(decoding->packed);
    arena_deinit(&decoding->arena);
}

static void assert_refused(struct decoding *decoding, enum err err, const char *words)
{
    assert_int_equal(decoding->err, err);
    assert_non_null(decoding->why);
    if (strstr(decoding->why, words) == NULL)
        fail_msg("`%s` does not say `%s`", decoding->why, words);
    end(decoding);
}

static void assert_decoded(const struct decoding *decoding)
{
    if (decoding->err != ERR_NONE)
        fail_msg("refused: %s", decoding->why);
}

static void assert_is(struct slice bytes, const char *text)
{
    assert_true(slice_equal(bytes, slice_from_string(text)));
}

static void test_key(void **state)
{
    (void)state;
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    struct decoding decoding;
    message.key = message_bytes(SLICE_LITERAL("k\0y"));
    message.db = 7;
    decode(&decoding, decode_key, OP_GET, &message);
    assert_decoded(&decoding);
    assert_true(slice_equal(decoding.op.key, SLICE_LITERAL("k\0y")));
    assert_int_equal(decoding.op.db, 7);
    assert_int_equal(decoding.op.kind, OP_GET);
    end(&decoding);
}

static void test_zero_bytes_are_a_message_of_defaults(void **state)
{
    (void)state;
    struct decoding decoding;
    decode_packed(&decoding, decode_key, OP_GET, slice_make(NULL, 0));
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.key.len, 0);
    assert_int_equal(decoding.op.db, 0);
    end(&decoding);
    decode_packed(&decoding, decode_list_range, OP_LRANGE, slice_make(NULL, 0));
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.start, 0);
    assert_int_equal(decoding.op.stop, 0);
    end(&decoding);
}

static void test_a_condition_is_for_delete_only(void **state)
{
    (void)state;
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
    struct decoding decoding;
    condition.version = 99;
    message.key = message_text("key");
    message.condition = &condition;
    decode(&decoding, decode_key, OP_DELETE, &message);
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.condition.version, 99);
    end(&decoding);
    decode(&decoding, decode_key, OP_GET, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "condition is for Delete");
    decode(&decoding, decode_key, OP_LPOP, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "condition is for Delete");
}

static void test_key_value(void **state)
{
    (void)state;
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    struct decoding decoding;
    message.key = message_text("key");
    message.value = message_bytes(SLICE_LITERAL("\0\xff"));
    message.return_previous = true;
    message.db = 3;
    decode(&decoding, decode_key_value, OP_SET, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "key");
    assert_true(slice_equal(decoding.op.value, SLICE_LITERAL("\0\xff")));
    assert_true(decoding.op.return_previous);
    assert_int_equal(decoding.op.db, 3);
    assert_int_equal(decoding.op.condition.existence, EXISTENCE_ANY);
    assert_int_equal(decoding.op.condition.version, 0);
    assert_false(decoding.op.condition.match_value);
    end(&decoding);
}

/* Where the message lies, not copied. */
static bool is_within(struct slice part, struct slice whole)
{
    return part.data >= whole.data && part.data + part.len <= whole.data + whole.len;
}

static void test_bytes_stay_in_the_message(void **state)
{
    (void)state;
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
    struct decoding decoding;
    condition.match_value = true;
    condition.value = message_text("old");
    message.key = message_text("key");
    message.value = message_text("value");
    message.condition = &condition;
    decode(&decoding, decode_key_value, OP_SET, &message);
    assert_decoded(&decoding);
    assert_true(is_within(decoding.op.key, decoding.packed));
    assert_true(is_within(decoding.op.value, decoding.packed));
    assert_true(is_within(decoding.op.condition.value, decoding.packed));
    assert_is(decoding.op.condition.value, "old");
    end(&decoding);

    Keystore__V1__ListInsert insert = KEYSTORE__V1__LIST_INSERT__INIT;
    ProtobufCBinaryData values[] = {message_text("one"), message_text("two")};
    insert.key = message_text("list");
    insert.values = values;
    insert.n_values = 2;
    decode(&decoding, decode_list_insert, OP_LPUSH, &insert);
    assert_decoded(&decoding);
    for (size_t i = 0; i < 2; i++)
        assert_true(is_within(decoding.op.values[i], decoding.packed));
    end(&decoding);
}

static void test_time_to_live_is_refused(void **state)
{
    (void)state;
    struct decoding decoding;
    for (int i = 0; i < 4; i++) {
        Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
        message.key = message_text("key");
        message.ttl_ms = i == 0 ? 1 : i == 1 ? -1 : 0;
        message.expire_at_ms = i == 2 ? 1700000000000 : 0;
        message.keep_ttl = i == 3;
        decode(&decoding, decode_key_value, OP_SET, &message);
        assert_refused(&decoding, ERR_NOT_SERVED, "time to live");
    }
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    ProtobufCBinaryData value = message_text("1");
    message.key = message_text("key");
    message.values = &value;
    message.n_values = 1;
    message.ttl_ms = 1;
    decode(&decoding, decode_list_insert, OP_LPUSH, &message);
    assert_refused(&decoding, ERR_NOT_SERVED, "time to live");
}

static void decode_condition(struct decoding *decoding, const Keystore__V1__Condition *condition)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    Keystore__V1__Condition copy = *condition;
    message.key = message_text("key");
    message.condition = &copy;
    decode(decoding, decode_key_value, OP_SET, &message);
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
            end(&decoding);
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
    decode(&decoding, decode_list_insert, OP_LPUSH, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "list");
    assert_int_equal(decoding.op.value_count, 3);
    assert_is(decoding.op.values[0], "one");
    assert_is(decoding.op.values[1], "");
    assert_is(decoding.op.values[2], "three");
    assert_int_equal(decoding.op.max_length, UINT64_MAX);
    assert_int_equal(decoding.op.db, 15);
    assert_int_equal(decoding.op.condition.existence, EXISTENCE_PRESENT);
    end(&decoding);
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
    decode(&decoding, decode_list_insert, OP_LPUSH, &message);
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.value_count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_is(decoding.op.values[i], i % 2 == 0 ? "even" : "odd");
    end(&decoding);
}

static void test_list_insert_refuses_what_it_cannot_mean(void **state)
{
    (void)state;
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
    ProtobufCBinaryData value = message_text("1");
    struct decoding decoding;
    message.key = message_text("list");
    decode(&decoding, decode_list_insert, OP_LPUSH, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "values is empty");
    message.values = &value;
    message.n_values = 1;
    message.condition = &condition;
    condition.match_value = true;
    decode(&decoding, decode_list_insert, OP_LPUSH, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "match_value");
    condition.match_value = false;
    condition.existence = KEYSTORE__V1__EXISTENCE__EXISTENCE_ABSENT;
    condition.version = 1;
    decode(&decoding, decode_list_insert, OP_LPUSH, &message);
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
        decode(&decoding, decode_list_range, OP_LRANGE, &message);
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "list");
        assert_true(decoding.op.start == ends[i]);
        assert_true(decoding.op.stop == ends[6 - i]);
        assert_int_equal(decoding.op.db, 2);
        end(&decoding);
    }
}

static void test_list_range_refuses_pages(void **state)
{
    (void)state;
    Keystore__V1__ListRange message = KEYSTORE__V1__LIST_RANGE__INIT;
    struct decoding decoding;
    message.key = message_text("list");
    message.page_bytes = 1000;
    decode(&decoding, decode_list_range, OP_LRANGE, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "page_bytes");
}

static const struct {
    decode_function *decode;
    enum op_kind kind;
} decoders[] = {{decode_key, OP_GET},
                {decode_key, OP_DELETE},
                {decode_key_value, OP_SET},
                {decode_list_insert, OP_LPUSH},
                {decode_list_range, OP_LRANGE}};

#define DECODERS (sizeof decoders / sizeof decoders[0])

static void test_garbage_does_not_decode(void **state)
{
    (void)state;
    static const struct slice garbage[] = {
        SLICE_LITERAL("\xff"),                        /* a tag cut off */
        SLICE_LITERAL("\xff\xff\xff\xff"),            /* the same, longer */
        SLICE_LITERAL("\x0a"),                        /* a key without length */
        SLICE_LITERAL("\x0a\x05key"),                 /* a key cut off */
        SLICE_LITERAL("\x0a\xff\xff\xff\xff\x0fkey"), /* a key of 4 GiB */
        SLICE_LITERAL("\x08\x01"),                    /* a key that is a number */
        SLICE_LITERAL("\x0b\x0c"),                    /* a group */
        SLICE_LITERAL("\x7a\x01x"),                   /* a database that is bytes */
        SLICE_LITERAL("\x00\x00"),                    /* field 0 */
        SLICE_LITERAL("hello world"),
    };
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        for (size_t d = 0; d < DECODERS; d++) {
            struct decoding decoding;
            decode_packed(&decoding, decoders[d].decode, decoders[d].kind, garbage[i]);
            assert_refused(&decoding, ERR_BAD_MESSAGE, "does not decode");
        }
    }
}

/* As protobuf demands, so that a newer client can talk to an older server. */
static void test_unknown_fields_are_passed_over(void **state)
{
    (void)state;
    for (size_t d = 0; d < DECODERS; d++) {
        struct decoding decoding;
        /* Field 1000 as number and as bytes; the key; the value that LPush needs. */
        decode_packed(&decoding, decoders[d].decode, decoders[d].kind,
                      decoders[d].kind == OP_LPUSH
                          ? SLICE_LITERAL("\xc0\x3e\x01\x0a\x03key\xc2\x3e\x01x\x12\x01v")
                          : SLICE_LITERAL("\xc0\x3e\x01\x0a\x03key\xc2\x3e\x01x"));
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "key");
        end(&decoding);
    }
}

static void test_of_a_repeated_field_the_last_one_counts(void **state)
{
    (void)state;
    struct decoding decoding;
    decode_packed(&decoding, decode_key, OP_DELETE,
                  SLICE_LITERAL("\x0a\x03old\x12\x02\x10\x08\x0a\x03new\x12\x02\x10\x09"));
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "new");
    assert_int_equal(decoding.op.condition.version, 9);
    end(&decoding);
}

static size_t sum(struct slice bytes)
{
    size_t total = 0;
    for (size_t i = 0; i < bytes.len; i++)
        total += bytes.data[i];
    return total;
}

/* Reads all that the operation points to, so that a sanitizer sees what is not there. */
static size_t touch(const struct op *op)
{
    size_t total = sum(op->key) + sum(op->value) + sum(op->condition.value);
    for (size_t i = 0; i < op->value_count; i++)
        total += sum(op->values[i]);
    return total;
}

static void decode_by_chance(uint64_t *random, const uint8_t *bytes, size_t len)
{
    size_t d = seeded_below(random, DECODERS);
    uint8_t *exact = malloc(len > 0 ? len : 1);
    struct decoding decoding;
    memcpy(exact, bytes, len);
    decode_packed(&decoding, decoders[d].decode, decoders[d].kind, slice_make(exact, len));
    decoding.packed = slice_make(exact, len);
    if (decoding.err == ERR_NONE) {
        assert_true(touch(&decoding.op) <= len * 255);
        assert_true(decoding.op.condition.existence <= EXISTENCE_PRESENT);
    } else {
        assert_non_null(decoding.why);
    }
    end(&decoding);
}

static void test_random_bytes(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 30000; round++) {
        uint8_t bytes[64];
        size_t len = seeded_below(&random, sizeof bytes);
        seeded_fill(&random, bytes, len);
        decode_by_chance(&random, bytes, len);
    }
}

/* Tags that exist, with lengths that nearly fit: deeper than chance alone gets. */
static void test_random_fields(void **state)
{
    (void)state;
    static const uint8_t tags[] = {0x0a, 0x12, 0x18, 0x1a, 0x20, 0x28,
                                   0x30, 0x3a, 0x78, 0x08, 0x10};
    uint64_t random = seeded_start();
    for (int round = 0; round < 30000; round++) {
        uint8_t bytes[128];
        size_t len = 0;
        while (len < 100 && seeded_below(&random, 12) > 0) {
            uint8_t tag = tags[seeded_below(&random, sizeof tags)];
            bytes[len++] = tag;
            bytes[len++] = (uint8_t)seeded_below(&random, 12);
            size_t content = (tag & 7) == 2 ? bytes[len - 1] : 0;
            for (size_t i = 0; i < content; i++)
                bytes[len++] = seeded_below(&random, 2) == 0
                                   ? tags[seeded_below(&random, sizeof tags)]
                                   : (uint8_t)seeded_below(&random, 12);
        }
        if (len > 0 && seeded_below(&random, 3) == 0)
            bytes[seeded_below(&random, (uint32_t)len)] ^= (uint8_t)(1 << seeded_below(&random, 8));
        decode_by_chance(&random, bytes, len - (len > 0 && seeded_below(&random, 10) == 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_zero_bytes_are_a_message_of_defaults),
        cmocka_unit_test(test_a_condition_is_for_delete_only),
        cmocka_unit_test(test_key_value),
        cmocka_unit_test(test_bytes_stay_in_the_message),
        cmocka_unit_test(test_time_to_live_is_refused),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_an_unknown_existence_is_refused),
        cmocka_unit_test(test_list_insert),
        cmocka_unit_test(test_list_insert_of_many_values),
        cmocka_unit_test(test_list_insert_refuses_what_it_cannot_mean),
        cmocka_unit_test(test_list_range),
        cmocka_unit_test(test_list_range_refuses_pages),
        cmocka_unit_test(test_garbage_does_not_decode),
        cmocka_unit_test(test_unknown_fields_are_passed_over),
        cmocka_unit_test(test_of_a_repeated_field_the_last_one_counts),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_random_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
