/* The public calls, against scripted answers. */
#include "keystore/client.h"

#include "client/call.h"

#include "fake_server.h"
#include "mini_redis.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct fake_server server;
static struct fake_script script; /* of every request; a test sets it before it connects */
static struct keystore_client *client;
static struct buf body;

static int set_up(void **state)
{
    (void)state;
    server = (struct fake_server){.scripts = &script, .script_count = 1};
    script = (struct fake_script){.grpc_status = "0"};
    buf_init(&body, 4096);
    client = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&body);
    return 0;
}

/* Starts the server with `message` as its answer to everything, and connects. */
static void start(const ProtobufCMessage *message, const struct keystore_options *options)
{
    struct keystore_error error;
    if (message != NULL) {
        size_t len = protobuf_c_message_get_packed_size(message);
        uint8_t *end = buf_reserve(&body, CALL_PREFIX_SIZE + len);
        assert_non_null(end);
        call_write_prefix(end, (uint32_t)len);
        protobuf_c_message_pack(message, end + CALL_PREFIX_SIZE);
        body.len = CALL_PREFIX_SIZE + len;
        script.body = buf_slice(&body);
    }
    fake_start(&server);
    client = keystore_connect(server.address, options, &error);
    assert_non_null(client);
}

/* What the server saw may be read afterwards. */
static void finish(void)
{
    keystore_close(client);
    fake_stop(&server);
}

/* The last request as a message of this type. */
static void *request_seen(const ProtobufCMessageDescriptor *type)
{
    void *message = protobuf_c_message_unpack(type, NULL, server.body.len - CALL_PREFIX_SIZE,
                                              server.body.data + CALL_PREFIX_SIZE);
    assert_non_null(message);
    return message;
}

static void forget(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
    buf_deinit(&server.body);
}

static void assert_seen(ProtobufCBinaryData data, const char *text)
{
    assert_int_equal(data.len, strlen(text));
    assert_memory_equal(data.data, text, data.len);
}

static void set(void **state)
{
    (void)state;
    Keystore__V1__Status wire = KEYSTORE__V1__STATUS__INIT;
    wire.ok = true;
    wire.count = 1;
    wire.version = 9;
    start(&wire.base, NULL);
    struct keystore_key_value request = {.key = keystore_text("k"), .value = keystore_text("v")};
    struct keystore_status status;
    assert_int_equal(keystore_set(client, &request, &status), KEYSTORE_OK);
    assert_true(status.ok);
    assert_int_equal(status.version, 9);
    assert_false(status.has_previous);
    finish();
    assert_string_equal(server.path, "/keystore.v1.KeyStore/Set");
    Keystore__V1__KeyValue *seen = request_seen(&keystore__v1__key_value__descriptor);
    assert_seen(seen->key, "k");
    assert_seen(seen->value, "v");
    forget(seen);
}

static void get_and_lpop(void **state)
{
    (void)state;
    Keystore__V1__Value wire = KEYSTORE__V1__VALUE__INIT;
    wire.found = true;
    wire.value = (ProtobufCBinaryData){.len = 3, .data = (uint8_t *)"123"};
    start(&wire.base, NULL);
    struct keystore_key request = {.key = keystore_text("k"), .db = 3};
    struct keystore_value value;
    assert_int_equal(keystore_get(client, &request, &value), KEYSTORE_OK);
    assert_int_equal(value.value.len, 3);
    assert_memory_equal(value.value.data, "123", 3);
    assert_int_equal(keystore_lpop(client, &request, &value), KEYSTORE_OK);
    assert_memory_equal(value.value.data, "123", 3);
    finish();
    assert_string_equal(server.path, "/keystore.v1.KeyStore/LPop");
    Keystore__V1__Key *seen = request_seen(&keystore__v1__key__descriptor);
    assert_seen(seen->key, "k");
    assert_int_equal(seen->db, 3);
    forget(seen);
}

static void delete_and_lpush(void **state)
{
    (void)state;
    Keystore__V1__Status wire = KEYSTORE__V1__STATUS__INIT;
    wire.ok = true;
    wire.count = 2;
    start(&wire.base, NULL);
    struct keystore_status status;
    struct keystore_key key = {.key = keystore_text("k")};
    assert_int_equal(keystore_delete(client, &key, &status), KEYSTORE_OK);
    assert_int_equal(status.count, 2);
    struct keystore_slice values[] = {keystore_text("a"), keystore_text("b")};
    struct keystore_list_insert insert = {.key = keystore_text("l"), .values = values, .count = 2};
    assert_int_equal(keystore_lpush(client, &insert, &status), KEYSTORE_OK);
    assert_int_equal(status.count, 2);
    finish();
    assert_string_equal(server.path, "/keystore.v1.KeyStore/LPush");
    Keystore__V1__ListInsert *seen = request_seen(&keystore__v1__list_insert__descriptor);
    assert_int_equal(seen->n_values, 2);
    assert_seen(seen->values[1], "b");
    forget(seen);
}

static void lrange(void **state)
{
    (void)state;
    ProtobufCBinaryData values[] = {{1, (uint8_t *)"x"}, {1, (uint8_t *)"y"}};
    Keystore__V1__ListValues wire = KEYSTORE__V1__LIST_VALUES__INIT;
    wire.found = true;
    wire.n_values = 2;
    wire.values = values;
    start(&wire.base, NULL);
    struct keystore_list_range range = {.key = keystore_text("l"), .start = -2, .stop = -1};
    struct keystore_list list;
    assert_int_equal(keystore_lrange(client, &range, &list), KEYSTORE_OK);
    assert_int_equal(list.count, 2);
    assert_memory_equal(list.values[1].data, "y", 1);
    finish();
    assert_string_equal(server.path, "/keystore.v1.KeyStore/LRange");
    Keystore__V1__ListRange *seen = request_seen(&keystore__v1__list_range__descriptor);
    assert_int_equal(seen->start, -2);
    forget(seen);
}

static void an_answer_can_be_sent_back(void **state)
{
    (void)state;
    Keystore__V1__Value wire = KEYSTORE__V1__VALUE__INIT;
    wire.found = true;
    wire.value = (ProtobufCBinaryData){.len = 5, .data = (uint8_t *)"again"};
    start(&wire.base, NULL);
    struct keystore_key key = {.key = keystore_text("k")};
    struct keystore_value value;
    assert_int_equal(keystore_get(client, &key, &value), KEYSTORE_OK);
    struct keystore_key_value request = {.key = value.value, .value = value.value};
    struct keystore_status status;
    (void)keystore_set(client, &request, &status); /* the scripted answer is not a Status */
    finish();
    Keystore__V1__KeyValue *seen = request_seen(&keystore__v1__key_value__descriptor);
    assert_seen(seen->key, "again");
    assert_seen(seen->value, "again");
    forget(seen);
}

static void errors_zero_the_answer(void **state)
{
    (void)state;
    script.grpc_status = "9";
    script.grpc_message = "it is a list";
    script.reason = "ERROR_REASON_WRONG_TYPE";
    start(NULL, NULL);
    struct keystore_key key = {.key = keystore_text("k")};
    struct keystore_value value = {.found = true, .version = 1};
    struct keystore_status status = {.ok = true};
    struct keystore_list list = {.count = 7};
    assert_int_equal(keystore_get(client, &key, &value), KEYSTORE_FAILED_PRECONDITION);
    assert_false(value.found || value.version != 0);
    assert_int_equal(keystore_delete(client, &key, &status), KEYSTORE_FAILED_PRECONDITION);
    assert_false(status.ok);
    struct keystore_list_range range = {.key = keystore_text("l")};
    assert_int_equal(keystore_lrange(client, &range, &list), KEYSTORE_FAILED_PRECONDITION);
    assert_int_equal(list.count, 0);
    const struct keystore_error *error = keystore_last_error(client);
    assert_int_equal(error->code, KEYSTORE_FAILED_PRECONDITION);
    assert_string_equal(error->reason, "ERROR_REASON_WRONG_TYPE");
    assert_string_equal(error->message, "it is a list");
    finish();
    buf_deinit(&server.body);
}

static void garbage_in_the_answer(void **state)
{
    (void)state;
    script.body = SLICE_LITERAL("\0\0\0\0\3\x0a\x7fz");
    start(NULL, NULL);
    struct keystore_key key = {.key = keystore_text("k")};
    struct keystore_value value;
    assert_int_equal(keystore_get(client, &key, &value), KEYSTORE_INTERNAL);
    assert_false(value.found);
    assert_non_null(strstr(keystore_last_error(client)->message, "not the message"));
    finish();
    buf_deinit(&server.body);
}

static void options_are_heard(void **state)
{
    (void)state;
    Keystore__V1__Value wire = KEYSTORE__V1__VALUE__INIT;
    wire.found = true;
    wire.value = (ProtobufCBinaryData){.len = 5, .data = (uint8_t *)"12345"};
    start(&wire.base, &(struct keystore_options){.timeout_ms = -1, .max_message = 6});
    struct keystore_key key = {.key = keystore_text("k")};
    struct keystore_value value;
    assert_int_equal(keystore_get(client, &key, &value), KEYSTORE_RESOURCE_EXHAUSTED);
    finish();
    assert_string_equal(server.timeout, "");
    buf_deinit(&server.body);
}

static void bad_target_and_nobody_there(void **state)
{
    (void)state;
    struct keystore_error error;
    assert_null(keystore_connect("h:x", NULL, &error));
    assert_int_equal(error.code, KEYSTORE_INVALID_ARGUMENT);
    assert_null(keystore_connect("unix:/nonexistent/socket", NULL, &error));
    assert_int_equal(error.code, KEYSTORE_UNAVAILABLE);
    keystore_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set),
        TEST(get_and_lpop),
        TEST(delete_and_lpush),
        TEST(lrange),
        TEST(an_answer_can_be_sent_back),
        TEST(errors_zero_the_answer),
        TEST(garbage_in_the_answer),
        TEST(options_are_heard),
        TEST(bad_target_and_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
