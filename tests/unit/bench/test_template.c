/* Tests of bench/template.c: messages as protobuf-c packs them, blocks as nghttp2 reads them. */
#include "bench/template.h"

#include "bench/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/inflate.h"
#include "store/seeded.h"

#include <mini_redis.pb-c.h>

#define AUTHORITY "127.0.0.1:50051"
#define MAX_BYTES 300000

static const enum op all_ops[] = {OP_GET,     OP_SET,    OP_L_PUSH, OP_L_POP,
                                  OP_L_RANGE, OP_R_PUSH, OP_R_POP,  OP_ETCD_PUT};

struct fixture {
    struct payload payload;
    struct templates templates;
    size_t push_values;
    int64_t expire_at_ms;
};

static void setup(struct fixture *fixture, size_t key_size, size_t value_size, int64_t start,
                  int64_t stop)
{
    payload_init(&fixture->payload, key_size, value_size, 1000000);
    const struct template_settings settings = {
        .authority = SLICE_LITERAL(AUTHORITY),
        .ops = all_ops,
        .count = OP_COUNT,
        .payload = &fixture->payload,
        .range_start = start,
        .range_stop = stop,
        .push_values = fixture->push_values,
        .expire_at_ms = fixture->expire_at_ms,
    };
    templates_init(&fixture->templates, &settings);
}

static void teardown(struct fixture *fixture)
{
    templates_deinit(&fixture->templates);
    payload_deinit(&fixture->payload);
}

/* Key and value of a number, made from the payload's rules and not from the template's. */
struct pair {
    uint8_t *key;
    uint8_t *value;
};

static struct pair make_pair(const struct payload *payload, enum op op, uint64_t number)
{
    struct pair pair = {malloc(payload->key_size + 1), malloc(payload->value_size + 1)};
    char digits[16];
    snprintf(digits, sizeof digits, "%06d", (int)number);
    payload_first_key(payload, op_row(op)->is_list, pair.key);
    memcpy(pair.key + payload->key_size - 6, digits, 6);
    memcpy(pair.value, payload->filler, payload->value_size);
    size_t count = payload->value_digits;
    memcpy(pair.value, digits + 6 - count, count);
    return pair;
}

/* What protobuf-c packs for the operation; the length of it. */
static size_t pack(const struct fixture *fixture, enum op op, struct pair pair, int64_t start,
                   int64_t stop, uint8_t *out)
{
    const struct payload *payload = &fixture->payload;
    ProtobufCBinaryData key = {payload->key_size, pair.key};
    ProtobufCBinaryData value = {payload->value_size, pair.value};
    ProtobufCBinaryData values[] = {value, value, value};
    Keystore__V1__Key only_key = KEYSTORE__V1__KEY__INIT;
    Keystore__V1__KeyValue key_value = KEYSTORE__V1__KEY_VALUE__INIT;
    Keystore__V1__ListInsert insert = KEYSTORE__V1__LIST_INSERT__INIT;
    Keystore__V1__ListRange range = KEYSTORE__V1__LIST_RANGE__INIT;
    switch (op) {
    case OP_ETCD_PUT:
        key_value.key = key;
        key_value.value = value;
        return keystore__v1__key_value__pack(&key_value, out);
    case OP_SET:
        key_value.key = key;
        key_value.value = value;
        key_value.expire_at_ms = fixture->expire_at_ms;
        return keystore__v1__key_value__pack(&key_value, out);
    case OP_L_PUSH:
    case OP_R_PUSH:
        insert.key = key;
        insert.values = values;
        insert.n_values = fixture->push_values;
        return keystore__v1__list_insert__pack(&insert, out);
    case OP_L_RANGE:
        range.key = key;
        range.start = start;
        range.stop = stop;
        return keystore__v1__list_range__pack(&range, out);
    default:
        only_key.key = key;
        return keystore__v1__key__pack(&only_key, out);
    }
}

static void check_message(const struct fixture *fixture, enum op op, uint64_t number, int64_t start,
                          int64_t stop)
{
    static uint8_t wanted[MAX_BYTES];
    static uint8_t told[MAX_BYTES];
    struct pair pair = make_pair(&fixture->payload, op, number);
    size_t len = pack(fixture, op, pair, start, stop, wanted + 5);
    wanted[0] = 0;
    wire_put_u32(wanted + 1, (uint32_t)len);
    assert_int_equal(fixture->templates.of[op].message.len, len + 5);
    template_put_part(&fixture->templates, op, number, 0, len + 5, told);
    assert_memory_equal(told, wanted, len + 5);
    free(pair.key);
    free(pair.value);
}

static void test_messages_are_those_of_protobuf(void **state)
{
    (void)state;
    const size_t key_sizes[] = {6, 16, 127, 128, 20000};
    const size_t value_sizes[] = {0, 1, 5, 32, 120, 128, 60000};
    const int64_t ranges[][2] = {{0, 0}, {0, 9}, {-10, -1}, {64, 1000000}, {INT64_MIN, INT64_MAX}};
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 7; j++) {
            struct fixture fixture = {.push_values = 1 + j % 3,
                                      .expire_at_ms = i % 2 == 0 ? 0 : INT64_C(1700000000000)};
            int64_t start = ranges[i][0];
            int64_t stop = ranges[i][1];
            setup(&fixture, key_sizes[i], value_sizes[j], start, stop);
            for (int op = 0; op < OP_COUNT; op++) {
                check_message(&fixture, (enum op)op, 0, start, stop);
                check_message(&fixture, (enum op)op, 999999, start, stop);
                check_message(&fixture, (enum op)op, 70802, start, stop);
            }
            teardown(&fixture);
        }
    }
}

static void test_parts_add_up_to_the_message(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct fixture fixture = {.push_values = 2};
    setup(&fixture, 16, 50, 0, 0);
    size_t len = fixture.templates.of[OP_SET].message.len;
    uint8_t whole[200];
    uint8_t parts[200];
    template_put_part(&fixture.templates, OP_SET, 123456, 0, len, whole);
    for (int round = 0; round < 200; round++) {
        memset(parts, 0, sizeof parts);
        for (size_t at = 0; at < len;) {
            size_t part = 1 + seeded_below(&random, 12);
            part = part < len - at ? part : len - at;
            template_put_part(&fixture.templates, OP_SET, 123456, at, part, parts + at);
            at += part;
        }
        assert_memory_equal(parts, whole, len);
    }
    teardown(&fixture);
}

/* A frame's header is as wanted; returns what is behind the payload. */
static const uint8_t *check_frame(const uint8_t *at, unsigned type, unsigned flags, uint32_t stream,
                                  struct slice *payload)
{
    size_t len = wire_get_u32(at) >> 8;
    assert_int_equal(at[3], type);
    assert_int_equal(at[4], flags);
    assert_int_equal(wire_get_u32(at + 5), stream);
    *payload = slice_make(at + WIRE_FRAME_HEADER, len);
    return payload->data + len;
}

static void check_block(nghttp2_hd_inflater *inflater, enum op op, struct slice block)
{
    char told[INFLATE_TEXT];
    char wanted[INFLATE_TEXT];
    snprintf(wanted, sizeof wanted,
             ":method: POST\n:scheme: http\n:path: %s\n:authority: " AUTHORITY
             "\nte: trailers\ncontent-type: application/grpc\nuser-agent: keystore-bench/%s\n%s",
             op_row(op)->path, KEYSTORE_VERSION,
             op_row(op)->takes ? "keystore-max-reply-bytes: 2147483647\n" : "");
    inflate_block(inflater, block, told);
    assert_string_equal(told, wanted);
}

static void check_frames(const struct fixture *fixture, nghttp2_hd_inflater *inflater, enum op op)
{
    const struct template *template = &fixture->templates.of[op];
    uint8_t out[1000];
    uint8_t message[1000];
    struct slice payload;
    template_put(&fixture->templates, op, 4711, 12345677, out);
    const uint8_t *at = check_frame(out, WIRE_HEADERS, WIRE_FLAG_END_HEADERS, 12345677, &payload);
    assert_int_equal(payload.len, 7 + op_row(op)->takes); /* all indexed */
    assert_memory_equal(payload.data, template->frames.data + template->block_at, payload.len);
    check_block(inflater, op, payload);
    at = check_frame(at, WIRE_DATA, WIRE_FLAG_END_STREAM, 12345677, &payload);
    assert_int_equal(at - out, template->frames.len);
    template_put_part(&fixture->templates, op, 4711, 0, template->message.len, message);
    assert_int_equal(payload.len, template->message.len);
    assert_memory_equal(payload.data, message, payload.len);
}

static void test_requests_in_order_decode_on_one_connection(void **state)
{
    (void)state;
    struct fixture fixture = {.push_values = 2};
    nghttp2_hd_inflater *inflater;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    setup(&fixture, 16, 32, 0, 9);
    const struct templates *templates = &fixture.templates;
    for (size_t i = 0; i < templates->count; i++)
        check_block(inflater, templates->ops[i],
                    buf_slice(&templates->of[templates->ops[i]].first));
    assert_int_equal(templates->table_size, nghttp2_hd_inflate_get_dynamic_table_size(inflater));
    for (int round = 0; round < 3; round++)
        for (int op = 0; op < OP_COUNT; op++)
            check_frames(&fixture, inflater, (enum op)op);
    teardown(&fixture);
    nghttp2_hd_inflate_del(inflater);
}

static void test_stateless_blocks_need_no_table(void **state)
{
    (void)state;
    struct fixture fixture = {.push_values = 2};
    setup(&fixture, 16, 32, 0, 9);
    for (int op = 0; op < OP_COUNT; op++) {
        nghttp2_hd_inflater *inflater;
        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        check_block(inflater, (enum op)op, buf_slice(&fixture.templates.of[op].stateless));
        assert_int_equal(nghttp2_hd_inflate_get_dynamic_table_size(inflater), 0);
        nghttp2_hd_inflate_del(inflater);
    }
    teardown(&fixture);
}

static void test_a_token_is_in_every_block(void **state)
{
    (void)state;
    struct payload payload;
    struct templates templates;
    nghttp2_hd_inflater *inflater;
    char told[4096];
    payload_init(&payload, 16, 32, 1000);
    const struct template_settings settings = {
        .authority = SLICE_LITERAL(AUTHORITY),
        .authorization = SLICE_LITERAL("Bearer kst_token"),
        .ops = all_ops,
        .count = OP_COUNT,
        .payload = &payload,
        .push_values = 1,
    };
    templates_init(&templates, &settings);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    for (int op = 0; op < OP_COUNT; op++) {
        const struct template *template = &templates.of[op];
        inflate_block(inflater, buf_slice(&template->stateless), told);
        assert_non_null(strstr(told, "\nauthorization: Bearer kst_token\n"));
        inflate_block(inflater, buf_slice(&template->first), told);
        assert_non_null(strstr(told, "\nauthorization: Bearer kst_token\n"));
    }
    nghttp2_hd_inflate_del(inflater);
    templates_deinit(&templates);
    payload_deinit(&payload);
}

/* Elements of one list: their number is in each value, and not in the key. */
static void test_what_is_consumed_is_numbered_in_its_values(void **state)
{
    (void)state;
    struct payload payload;
    struct templates templates;
    const enum op op = OP_R_PUSH;
    payload_init(&payload, 8, 10, 1000);
    const struct template_settings settings = {
        .authority = SLICE_LITERAL("here"),
        .ops = &op,
        .count = 1,
        .payload = &payload,
        .push_values = 2,
        .feed = FEED_CONSUME,
        .in_flight = 1,
    };
    templates_init(&templates, &settings);
    const struct template *template = &templates.of[op];
    uint8_t *whole = malloc(template->frames.len);
    template_put(&templates, op, 527, 3, whole);
    const uint8_t *message = whole + template->frames.len - template->message.len + 5;
    Keystore__V1__ListInsert *insert =
        keystore__v1__list_insert__unpack(NULL, template->message.len - 5, message);
    assert_non_null(insert);
    assert_memory_equal(insert->key.data, "lst:0000", 8);
    assert_int_equal(insert->n_values, 2);
    for (size_t i = 0; i < 2; i++)
        assert_memory_equal(insert->values[i].data, "527", 3);
    uint8_t *parts = malloc(template->message.len);
    for (size_t at = 0; at < template->message.len; at++)
        template_put_part(&templates, op, 527, at, 1, parts + at);
    assert_memory_equal(parts + 5, message, template->message.len - 5);
    assert_true(templates.feed_block.len > 0);
    keystore__v1__list_insert__free_unpacked(insert, NULL);
    free(whole);
    free(parts);
    templates_deinit(&templates);
    payload_deinit(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_those_of_protobuf),
        cmocka_unit_test(test_parts_add_up_to_the_message),
        cmocka_unit_test(test_requests_in_order_decode_on_one_connection),
        cmocka_unit_test(test_stateless_blocks_need_no_table),
        cmocka_unit_test(test_a_token_is_in_every_block),
        cmocka_unit_test(test_what_is_consumed_is_numbered_in_its_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
