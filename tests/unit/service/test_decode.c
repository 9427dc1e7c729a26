/* Tests of service/decode.c: what each field becomes, what is refused, and bytes by chance. */
#include "service/decode.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/decoding.h"
#include "store/seeded.h"

static void test_key(void **state)
{
    (void)state;
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    struct decoding decoding;
    message.key = message_bytes(SLICE_LITERAL("k\0y"));
    message.db = 7;
    decoding_of(&decoding, DECODER(key), OP_GET, &message);
    assert_decoded(&decoding);
    assert_true(slice_equal(decoding.op.key, SLICE_LITERAL("k\0y")));
    assert_int_equal(decoding.op.db, 7);
    assert_int_equal(decoding.op.kind, OP_GET);
    decoding_end(&decoding);
}

static void test_only_reads_of_a_key_want_to_know_since_when(void **state)
{
    (void)state;
    static const enum op_kind reads[] = {OP_GET, OP_DESCRIBE};
    static const enum op_kind others[] = {OP_GET_DEL, OP_DELETE, OP_L_POP, OP_R_POP};
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    struct decoding decoding;
    message.key = message_text("k");
    for (int wanted = 0; wanted < 2; wanted++) {
        message.want_as_of = wanted;
        for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
            decoding_of(&decoding, DECODER(key), reads[i], &message);
            assert_decoded(&decoding);
            assert_int_equal(decoding.op.read.want_as_of, wanted);
            decoding_end(&decoding);
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        decoding_of(&decoding, DECODER(key), others[i], &message);
        assert_refused(&decoding, ERR_BAD_ARGUMENT, "want_as_of");
    }
}

static void test_zero_bytes_are_a_message_of_defaults(void **state)
{
    (void)state;
    struct decoding decoding;
    decoding_begin(&decoding, DECODER(key), OP_GET, slice_make(NULL, 0));
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.key.len, 0);
    assert_int_equal(decoding.op.db, 0);
    decoding_end(&decoding);
    decoding_begin(&decoding, DECODER(list_range), OP_L_RANGE, slice_make(NULL, 0));
    assert_decoded(&decoding);
    assert_int_equal(decoding.op.start, 0);
    assert_int_equal(decoding.op.stop, 0);
    decoding_end(&decoding);
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
    decoding_of(&decoding, DECODER(key_value), OP_SET, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "key");
    assert_true(slice_equal(decoding.op.value, SLICE_LITERAL("\0\xff")));
    assert_true(decoding.op.set.return_previous);
    assert_int_equal(decoding.op.db, 3);
    assert_int_equal(decoding.op.condition.existence, EXISTENCE_ANY);
    assert_int_equal(decoding.op.condition.version, 0);
    assert_false(decoding.op.condition.match_value);
    decoding_end(&decoding);
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
    decoding_of(&decoding, DECODER(key_value), OP_SET, &message);
    assert_decoded(&decoding);
    assert_true(is_within(decoding.op.key, decoding.packed));
    assert_true(is_within(decoding.op.value, decoding.packed));
    assert_true(is_within(decoding.op.condition.value, decoding.packed));
    assert_is(decoding.op.condition.value, "old");
    decoding_end(&decoding);

    Keystore__V1__ListInsert insert = KEYSTORE__V1__LIST_INSERT__INIT;
    ProtobufCBinaryData values[] = {message_text("one"), message_text("two")};
    insert.key = message_text("list");
    insert.values = values;
    insert.n_values = 2;
    decoding_of(&decoding, DECODER(list_insert), OP_L_PUSH, &insert);
    assert_decoded(&decoding);
    for (size_t i = 0; i < 2; i++)
        assert_true(is_within(decoding.op.values[i], decoding.packed));
    decoding_end(&decoding);
}

static const struct decoder decoders[OP_COUNT] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    [OP_##kind] = {&keystore__v1__##request##__descriptor, decode_##request},
#include "store/operations.def"
#undef OPERATION
};

static void test_a_condition_is_for_deletes_only(void **state)
{
    (void)state;
    static const enum op_kind others[] = {OP_GET, OP_L_POP, OP_R_POP, OP_DESCRIBE};
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
    struct decoding decoding;
    condition.version = 99;
    message.key = message_text("key");
    message.condition = &condition;
    for (int i = 0; i < 2; i++) {
        decoding_of(&decoding, DECODER(key), i == 0 ? OP_DELETE : OP_GET_DEL, &message);
        assert_decoded(&decoding);
        assert_int_equal(decoding.op.condition.version, 99);
        decoding_end(&decoding);
    }
    for (size_t i = 0; i < 4; i++) {
        char words[64];
        snprintf(words, sizeof words, "condition: it means nothing for %s",
                 op_info(others[i])->name);
        decoding_of(&decoding, DECODER(key), others[i], &message);
        assert_refused(&decoding, ERR_BAD_ARGUMENT, words);
    }
}

static void test_deadlines_of_set(void **state)
{
    (void)state;
    static const struct {
        int64_t ttl_ms, expire_at_ms;
        bool keep_ttl;
        const char *refused; /* NULL: it is not */
        int64_t deadline;
    } cases[] = {
        {0, 0, false, NULL, 0},
        {1, 0, false, NULL, DECODING_NOW_MS + 1},
        {0, 1, false, NULL, 1},
        {0, INT64_MAX, false, NULL, INT64_MAX},
        {INT64_MAX - DECODING_NOW_MS, 0, false, NULL, INT64_MAX},
        {0, 0, true, NULL, 0},
        {INT64_MAX - DECODING_NOW_MS + 1, 0, false, "too large", 0},
        {INT64_MAX, 0, false, "too large", 0},
        {-1, 0, false, "negative", 0},
        {0, -1, false, "negative", 0},
        {INT64_MIN, 0, false, "negative", 0},
        {1, 1, false, "expire_at_ms: it is given with ttl_ms", 0},
        {1, 0, true, "keep_ttl", 0},
        {0, 1, true, "keep_ttl", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
        struct decoding decoding;
        message.key = message_text("key");
        message.ttl_ms = cases[i].ttl_ms;
        message.expire_at_ms = cases[i].expire_at_ms;
        message.keep_ttl = cases[i].keep_ttl;
        decoding_of(&decoding, DECODER(key_value), OP_SET, &message);
        if (cases[i].refused != NULL) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, cases[i].refused);
            continue;
        }
        assert_decoded(&decoding);
        assert_true(decoding.op.expire_at_ms == cases[i].deadline);
        assert_int_equal(decoding.op.set.keep_ttl, cases[i].keep_ttl);
        decoding_end(&decoding);
    }
}

static void test_append_takes_a_key_and_a_value_only(void **state)
{
    (void)state;
    static const char *const fields[] = {"",
                                         "ttl_ms: it means nothing for Append",
                                         "expire_at_ms: it means",
                                         "keep_ttl: it means",
                                         "return_previous: it means",
                                         "condition: it means"};
    for (int i = 0; i < 6; i++) {
        Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
        Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
        struct decoding decoding;
        message.key = message_text("key");
        message.value = message_text("more");
        message.ttl_ms = i == 1;
        message.expire_at_ms = i == 2;
        message.keep_ttl = i == 3;
        message.return_previous = i == 4;
        message.condition = i == 5 ? &condition : NULL;
        decoding_of(&decoding, DECODER(key_value), OP_APPEND, &message);
        if (i > 0) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, fields[i]);
            continue;
        }
        assert_decoded(&decoding);
        assert_is(decoding.op.key, "key");
        assert_is(decoding.op.value, "more");
        decoding_end(&decoding);
    }
}

/* Entries of an MSet: the second of two is the one in question. */
static void decode_entries(struct decoding *decoding, Keystore__V1__KeyValue *second, uint32_t db)
{
    Keystore__V1__KeyValue first = KEYSTORE__V1__KEY_VALUE__INIT;
    Keystore__V1__KeyValue *entries[] = {&first, second};
    Keystore__V1__KeyValues message = KEYSTORE__V1__KEY_VALUES__INIT;
    first.key = message_text("a");
    first.value = message_text("1");
    second->key = message_text("b");
    second->value = message_text("2");
    message.entries = entries;
    message.n_entries = 2;
    message.db = db;
    decoding_of(decoding, DECODER(key_values), OP_M_SET, &message);
}

static void test_m_set_is_sets(void **state)
{
    (void)state;
    Keystore__V1__KeyValue second = KEYSTORE__V1__KEY_VALUE__INIT;
    Keystore__V1__Condition condition = KEYSTORE__V1__CONDITION__INIT;
    struct decoding decoding;
    condition.existence = KEYSTORE__V1__EXISTENCE__EXISTENCE_ABSENT;
    second.ttl_ms = 5;
    second.condition = &condition;
    for (second.db = 0; second.db <= 3; second.db += 3) { /* that of the message may be repeated */
        decode_entries(&decoding, &second, 3);
        assert_decoded(&decoding);
        assert_int_equal(decoding.op.kind, OP_M_SET);
        assert_int_equal(decoding.op.db, 3);
        assert_int_equal(decoding.op.op_count, 2);
        const struct op *sets = decoding.op.ops;
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(sets[i].kind, OP_SET);
            assert_int_equal(sets[i].db, 3);
            assert_true(sets[i].now_ms == DECODING_NOW_MS);
            assert_int_equal(sets[i].max_value, 22);
        }
        assert_is(sets[0].key, "a");
        assert_is(sets[0].value, "1");
        assert_true(sets[0].expire_at_ms == 0);
        assert_is(sets[1].key, "b");
        assert_is(sets[1].value, "2");
        assert_true(sets[1].expire_at_ms == DECODING_NOW_MS + 5);
        assert_int_equal(sets[1].condition.existence, EXISTENCE_ABSENT);
        decoding_end(&decoding);
    }
}

static void test_m_set_refuses_what_it_cannot_mean(void **state)
{
    (void)state;
    Keystore__V1__KeyValue second = KEYSTORE__V1__KEY_VALUE__INIT;
    struct decoding decoding;
    decoding_begin(&decoding, DECODER(key_values), OP_M_SET, slice_make(NULL, 0));
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "entries: it is empty");
    second.db = 4;
    decode_entries(&decoding, &second, 3);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "entries[1].db: it differs");
    decode_entries(&decoding, &second, 0);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "entries[1].db: it differs");
    second.db = 0;
    second.return_previous = true;
    decode_entries(&decoding, &second, 3);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "entries[1].return_previous");
    second.return_previous = false;
    second.ttl_ms = -5;
    decode_entries(&decoding, &second, 3);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "entries[1].ttl_ms");
}

static void test_more_entries_than_a_request_may_have(void **state)
{
    (void)state;
    size_t len = ((size_t)256 * 1024 + 1) * 2;
    char *bytes = malloc(len);
    struct decoding decoding;
    for (size_t i = 0; i < len; i += 2)
        memcpy(bytes + i, "\x0a", 2);
    decoding_begin(&decoding, DECODER(key_values), OP_M_SET, slice_make(bytes, len));
    assert_refused(&decoding, ERR_TOO_LARGE, "more than 262144 messages");
    free(bytes);
}

static void test_increments(void **state)
{
    (void)state;
    Keystore__V1__Increment message = KEYSTORE__V1__INCREMENT__INIT;
    struct decoding decoding;
    message.key = message_text("key");
    message.db = 6;
    message.ttl_ms = 10;
    decoding_of(&decoding, DECODER(increment), OP_INCR, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "key");
    assert_int_equal(decoding.op.db, 6);
    assert_false(decoding.op.incr.is_real);
    assert_true(decoding.op.incr.by == 1);
    assert_true(decoding.op.expire_at_ms == DECODING_NOW_MS + 10);
    decoding_end(&decoding);

    static const int64_t numbers[] = {0, -1, INT64_MAX, INT64_MIN};
    message.delta_case = KEYSTORE__V1__INCREMENT__DELTA_BY;
    for (size_t i = 0; i < 4; i++) {
        message.by = numbers[i];
        decoding_of(&decoding, DECODER(increment), OP_INCR, &message);
        assert_decoded(&decoding);
        assert_false(decoding.op.incr.is_real);
        assert_true(decoding.op.incr.by == numbers[i]);
        decoding_end(&decoding);
    }
}

static void test_increments_by_reals(void **state)
{
    (void)state;
    static const double numbers[] = {0.0, -1.5, 1e308, INFINITY, -INFINITY, NAN};
    Keystore__V1__Increment message = KEYSTORE__V1__INCREMENT__INIT;
    message.key = message_text("key");
    message.delta_case = KEYSTORE__V1__INCREMENT__DELTA_BY_FLOAT;
    for (size_t i = 0; i < 6; i++) {
        struct decoding decoding;
        message.by_float = numbers[i];
        decoding_of(&decoding, DECODER(increment), OP_INCR, &message);
        if (!isfinite(numbers[i])) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, "finite");
            continue;
        }
        assert_decoded(&decoding);
        assert_true(decoding.op.incr.is_real);
        assert_true(*decoding.op.incr.by_real == numbers[i]);
        decoding_end(&decoding);
    }
}

static void test_increments_by_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long double number; /* NAN: refused */
    } rows[] = {{"0.1", 0.1L},       {"9007199254740993", 9007199254740993.0L},
                {"1e4932", 1e4932L}, {"0x1p3", 8},
                {"-.5", -0.5L},      {"+1", 1},
                {"", NAN},           {" 1", NAN},
                {"1 ", NAN},         {"1,5", NAN},
                {"inf", NAN},        {"-Infinity", NAN},
                {"nan", NAN},        {"1e5000", NAN},
                {"1e-5000", NAN},    {"one", NAN}};
    Keystore__V1__Increment message = KEYSTORE__V1__INCREMENT__INIT;
    message.key = message_text("key");
    message.delta_case = KEYSTORE__V1__INCREMENT__DELTA_BY_DECIMAL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct decoding decoding;
        message.by_decimal = (char *)rows[i].text;
        decoding_of(&decoding, DECODER(increment), OP_INCR, &message);
        if (isnan(rows[i].number)) {
            assert_refused(&decoding, ERR_BAD_ARGUMENT, "by_decimal");
            continue;
        }
        assert_decoded(&decoding);
        assert_true(decoding.op.incr.is_real);
        assert_true(*decoding.op.incr.by_real == rows[i].number);
        decoding_end(&decoding);
    }
}

static void test_byte_ranges(void **state)
{
    (void)state;
    Keystore__V1__ByteRange message = KEYSTORE__V1__BYTE_RANGE__INIT;
    struct decoding decoding;
    message.key = message_text("key");
    message.db = 2;
    message.start = -5;
    message.stop = INT64_MIN;
    decoding_of(&decoding, DECODER(byte_range), OP_GET_RANGE, &message);
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "key");
    assert_int_equal(decoding.op.db, 2);
    assert_true(decoding.op.start == -5);
    assert_true(decoding.op.stop == INT64_MIN);
    decoding_end(&decoding);
    message.value = message_text("v");
    decoding_of(&decoding, DECODER(byte_range), OP_GET_RANGE, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "value: it means nothing for GetRange");

    decoding_of(&decoding, DECODER(byte_range), OP_SET_RANGE, &message);
    assert_refused(&decoding, ERR_BAD_ARGUMENT, "stop: it means nothing for SetRange");
    message.stop = 0;
    message.start = INT64_MAX;
    decoding_of(&decoding, DECODER(byte_range), OP_SET_RANGE, &message);
    assert_decoded(&decoding);
    assert_true(decoding.op.start == INT64_MAX);
    assert_is(decoding.op.value, "v");
    decoding_end(&decoding);
}

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
        for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
            struct decoding decoding;
            if (kind == OP_TXN || decoders[kind].fill == decode_db_request ||
                decoders[kind].fill == decode_swap_request)
                continue; /* no field 15, or no other, or field 1 is a number */
            decoding_begin(&decoding, &decoders[kind], kind, garbage[i]);
            assert_refused(&decoding, ERR_BAD_MESSAGE, "does not decode");
        }
    }
}

/* As protobuf demands, so that a newer client can talk to an older server. */
static void test_unknown_fields_are_passed_over(void **state)
{
    (void)state;
    for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
        struct decoding decoding;
        if (op_info(kind)->keys != OP_KEYS_KEY || kind == OP_L_PUSH || kind == OP_R_PUSH ||
            kind == OP_BIT_FIELD)
            continue; /* they need more */
        /* Field 1000 as number and as bytes around the key. */
        decoding_begin(&decoding, &decoders[kind], kind,
                       SLICE_LITERAL("\xc0\x3e\x01\x0a\x03key\xc2\x3e\x01x"));
        if (kind != OP_EXPIRE)
            assert_decoded(&decoding);
        assert_is(decoding.op.key, "key");
        decoding_end(&decoding);
    }
}

static void test_of_a_repeated_field_the_last_one_counts(void **state)
{
    (void)state;
    struct decoding decoding;
    decoding_begin(&decoding, DECODER(key), OP_DELETE,
                   SLICE_LITERAL("\x0a\x03old\x12\x02\x10\x08\x0a\x03new\x12\x02\x10\x09"));
    assert_decoded(&decoding);
    assert_is(decoding.op.key, "new");
    assert_int_equal(decoding.op.condition.version, 9);
    decoding_end(&decoding);
}

static size_t sum(struct slice bytes)
{
    size_t total = 0;
    for (size_t i = 0; i < bytes.len; i++)
        total += bytes.data[i];
    return total;
}

static size_t touch(const struct op *op);

static size_t touch_all(const struct op *ops, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += touch(&ops[i]);
    return total;
}

/* Reads all that the operation points to, so that a sanitizer sees what is not there. */
static size_t touch(const struct op *op)
{
    size_t total = sum(op->key) + sum(op->value) + sum(op->condition.value) + sum(op->target.bytes);
    if (op->kind == OP_L_INSERT)
        total += sum(op->insert.pivot);
    for (size_t i = 0; i < op->value_count; i++)
        total += sum(op->values[i]);
    for (size_t i = 0; i < op->key_count; i++)
        total += sum(op->keys[i].bytes);
    for (size_t i = 0; op->kind == OP_BIT_FIELD && i < op->parts.field_count; i++)
        total += op->parts.fields[i].bits;
    total += touch_all(op->ops, op->op_count);
    if (op->txn != NULL)
        total += touch_all(op->txn->else_ops, op->txn->else_count) +
                 touch_all(op->txn->compares, op->txn->compare_count);
    return total;
}

static void assert_op_in_range(const struct op *op)
{
    assert_true(op->kind < OP_COUNT);
    assert_true(op->condition.existence <= EXISTENCE_PRESENT);
    assert_true(op->expire_at_ms >= 0);
    assert_true(op->kind != OP_EXPIRE || op->expire.when <= OP_SOONER);
    if (op->kind == OP_L_MOVE || op->kind == OP_LIST_POP)
        assert_true(op->move.end <= OP_TAIL && op->move.target_end <= OP_TAIL);
    for (size_t i = 0; i < op->op_count; i++)
        assert_op_in_range(&op->ops[i]);
}

static void decode_by_chance(uint64_t *random, const uint8_t *bytes, size_t len)
{
    enum op_kind kind = (enum op_kind)seeded_below(random, OP_COUNT);
    uint8_t *exact = malloc(len > 0 ? len : 1);
    struct decoding decoding;
    memcpy(exact, bytes, len);
    decoding_begin(&decoding, &decoders[kind], kind, slice_make(exact, len));
    decoding.packed = slice_make(exact, len);
    if (decoding.err == ERR_NONE) {
        assert_true(touch(&decoding.op) <= len * 255);
        assert_op_in_range(&decoding.op);
    } else {
        assert_non_null(decoding.why);
    }
    decoding_end(&decoding);
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
    static const uint8_t tags[] = {0x0a, 0x12, 0x18, 0x1a, 0x20, 0x28, 0x30,
                                   0x3a, 0x78, 0x08, 0x10, 0x22, 0x2a, 0x42};
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
        cmocka_unit_test(test_only_reads_of_a_key_want_to_know_since_when),
        cmocka_unit_test(test_zero_bytes_are_a_message_of_defaults),
        cmocka_unit_test(test_key_value),
        cmocka_unit_test(test_bytes_stay_in_the_message),
        cmocka_unit_test(test_a_condition_is_for_deletes_only),
        cmocka_unit_test(test_deadlines_of_set),
        cmocka_unit_test(test_append_takes_a_key_and_a_value_only),
        cmocka_unit_test(test_m_set_is_sets),
        cmocka_unit_test(test_m_set_refuses_what_it_cannot_mean),
        cmocka_unit_test(test_more_entries_than_a_request_may_have),
        cmocka_unit_test(test_increments),
        cmocka_unit_test(test_increments_by_reals),
        cmocka_unit_test(test_increments_by_decimals),
        cmocka_unit_test(test_byte_ranges),
        cmocka_unit_test(test_garbage_does_not_decode),
        cmocka_unit_test(test_unknown_fields_are_passed_over),
        cmocka_unit_test(test_of_a_repeated_field_the_last_one_counts),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_random_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
