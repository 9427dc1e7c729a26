/*
 * Tests of service/service.c: real gRPC calls in memory, to an engine that answers at once and to
 * one that answers when the test says so.
 */
#include "service/service.h"

#include "base/arena.h"
#include "engine/embedded.h"
#include "grpc/server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/h2_client.h"
#include "service/messages.h"
#include "store/seeded.h"

#define MAX_VALUE   ((size_t)1000)
#define MAX_ANSWER  ((size_t)1100)
#define MAX_PENDING 32

/* An engine whose tasks wait for finish(). */
struct slow_engine {
    struct engine engine; /* first */
    struct engine_task *pending[MAX_PENDING];
    size_t count;
    struct engine_task *cancelled[MAX_PENDING];
    size_t cancelled_count;
};

/* A client and a server with the wire between them. */
struct link {
    struct engine *engine;
    struct service *service;
    struct grpc_connection *server;
    struct h2_client client;
    int outputs; /* times that the server said that it has output */
};

static enum engine_answer slow_submit(struct engine *engine, struct engine_task *task)
{
    struct slow_engine *slow = (struct slow_engine *)engine;
    assert_true(slow->count < MAX_PENDING);
    slow->pending[slow->count++] = task;
    return ENGINE_PENDING;
}

static struct engine_task *take_pending(struct slow_engine *slow, const struct engine_task *task)
{
    for (size_t i = 0; i < slow->count; i++) {
        struct engine_task *found = slow->pending[i];
        if (found != task)
            continue;
        slow->count--;
        memmove(slow->pending + i, slow->pending + i + 1,
                (slow->count - i) * sizeof slow->pending[0]);
        return found;
    }
    fail_msg("the task is not pending");
    return NULL;
}

static void slow_cancel(struct engine *engine, struct engine_task *task)
{
    struct slow_engine *slow = (struct slow_engine *)engine;
    slow->cancelled[slow->cancelled_count++] = take_pending(slow, task);
}

/* Answers a pending Get with the value. */
static void finish(struct slow_engine *slow, struct engine_task *task, const char *value)
{
    take_pending(slow, task);
    task->result = (struct op_result){
        .value = {.bytes = arena_copy(task->arena, slice_from_string(value)), .found = true}};
    task->on_done(task);
}

static void on_output(void *user)
{
    struct link *link = user;
    link->outputs++;
}

static void *make_link(struct engine *engine)
{
    struct link *link = calloc(1, sizeof *link);
    struct grpc_limits limits = grpc_limits_for(MAX_VALUE);
    link->engine = engine;
    link->service = service_new(engine, MAX_VALUE, MAX_ANSWER);
    link->server = grpc_connection_new(&limits, service_grpc(link->service), on_output, link);
    h2_client_init(&link->client);
    return link;
}

static void free_link(struct link *link)
{
    grpc_connection_free(link->server);
    h2_client_deinit(&link->client);
    service_free(link->service);
    free(link);
}

static int embedded_setup(void **state)
{
    *state = make_link(embedded_new(16));
    return 0;
}

static int embedded_teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    free_link(link);
    embedded_free(engine);
    return 0;
}

static int slow_setup(void **state)
{
    struct slow_engine *slow = calloc(1, sizeof *slow);
    slow->engine = (struct engine){.submit = slow_submit, .cancel = slow_cancel, .databases = 16};
    *state = make_link(&slow->engine);
    return 0;
}

static int slow_teardown(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = (struct slow_engine *)link->engine;
    free_link(link);
    assert_int_equal(slow->count, 0);
    free(slow);
    return 0;
}

static struct slow_engine *slow_of(struct link *link)
{
    return (struct slow_engine *)link->engine;
}

/* Carries bytes to the server in memory that is gone afterwards. */
static bool carry_to_server(struct link *link)
{
    struct buf wire;
    buf_init(&wire, SIZE_MAX);
    h2_client_pull(&link->client, &wire);
    bool any = wire.len > 0;
    if (any)
        assert_true(grpc_connection_feed(link->server, buf_slice(&wire)));
    if (any)
        memset(wire.data, 0xee, wire.len);
    buf_deinit(&wire);
    return any;
}

static bool carry_to_client(struct link *link)
{
    struct buf wire;
    buf_init(&wire, SIZE_MAX);
    grpc_connection_pull(link->server, &wire, 1000000);
    bool any = wire.len > 0;
    h2_client_feed(&link->client, buf_slice(&wire));
    buf_deinit(&wire);
    return any;
}

/* Carries bytes until both sides have nothing to say. */
static void exchange(struct link *link)
{
    bool any = true;
    while (any) {
        any = carry_to_server(link);
        any |= carry_to_client(link);
    }
}

/* Sends the message and carries the bytes; the call is over if the engine answered at once. */
static struct h2_call *call(struct link *link, const char *path, const void *message)
{
    struct slice packed = message_pack(message);
    struct h2_call *made = h2_client_call(&link->client, path, packed);
    message_free_packed(packed);
    exchange(link);
    return made;
}

static struct h2_call *call_key(struct link *link, const char *path, const char *key)
{
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    message.key = message_text(key);
    return call(link, path, &message);
}

static struct h2_call *call_set(struct link *link, const char *key, struct slice value)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    message.key = message_text(key);
    message.value = message_bytes(value);
    return call(link, "/keystore.v1.KeyStore/Set", &message);
}

/* The call ended with a Value of that text; NULL = not found. */
static void assert_value(const struct h2_call *made, const char *text)
{
    struct slice reply = h2_client_reply(made);
    Keystore__V1__Value *value = keystore__v1__value__unpack(NULL, reply.len, reply.data);
    assert_non_null(value);
    assert_int_equal(value->found, text != NULL);
    assert_bytes_are(value->value, text != NULL ? text : "");
    keystore__v1__value__free_unpacked(value, NULL);
}

static void assert_status(const struct h2_call *made, bool ok, int64_t count)
{
    struct slice reply = h2_client_reply(made);
    Keystore__V1__Status *status = keystore__v1__status__unpack(NULL, reply.len, reply.data);
    assert_non_null(status);
    assert_int_equal(status->ok, ok);
    assert_int_equal(status->count, count);
    keystore__v1__status__free_unpacked(status, NULL);
}

static void assert_list(const struct h2_call *made, size_t count, const char *const *values)
{
    struct slice reply = h2_client_reply(made);
    Keystore__V1__ListValues *list = keystore__v1__list_values__unpack(NULL, reply.len, reply.data);
    assert_non_null(list);
    assert_int_equal(list->n_values, count);
    for (size_t i = 0; i < count; i++)
        assert_bytes_are(list->values[i], values[i]);
    keystore__v1__list_values__free_unpacked(list, NULL);
}

/* An engine that answers at once. */

static void test_the_six_calls(void **state)
{
    struct link *link = *state;
    Keystore__V1__ListInsert insert = KEYSTORE__V1__LIST_INSERT__INIT;
    Keystore__V1__ListRange range = KEYSTORE__V1__LIST_RANGE__INIT;
    ProtobufCBinaryData values[] = {message_text("1"), message_text("2"), message_text("3")};
    insert.key = message_text("list");
    insert.values = values;
    insert.n_values = 3;
    range.key = message_text("list");
    range.stop = -1;

    assert_status(call_set(link, "key", SLICE_LITERAL("value")), true, 1);
    assert_value(call_key(link, "/keystore.v1.KeyStore/Get", "key"), "value");
    assert_value(call_key(link, "/KeyStore/Get", "key"), "value");
    assert_value(call_key(link, "/KeyStore/Get", "none"), NULL);
    assert_status(call_key(link, "/KeyStore/Delete", "key"), true, 1);
    assert_status(call_key(link, "/keystore.v1.KeyStore/Delete", "key"), false, 0);
    assert_status(call(link, "/keystore.v1.KeyStore/LPush", &insert), true, 3);
    assert_list(call(link, "/KeyStore/LRange", &range), 3, (const char *const[]){"3", "2", "1"});
    assert_value(call_key(link, "/KeyStore/LPop", "list"), "3");
    assert_int_equal(link->outputs, 0);
}

static void test_calls_sent_together_are_answered_each(void **state)
{
    struct link *link = *state;
    struct h2_call *calls[50];
    for (size_t i = 0; i < 50; i++) {
        Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
        char key[12];
        snprintf(key, sizeof key, "%zu", i / 2);
        message.key = message_text(key);
        message.value = message_text(key);
        struct slice packed = message_pack(&message);
        calls[i] = h2_client_call(&link->client, i % 2 == 0 ? "/KeyStore/Set" : "/KeyStore/Get",
                                  i % 2 == 0 ? packed : slice_make(packed.data, 2 + strlen(key)));
        message_free_packed(packed);
    }
    exchange(link);
    for (size_t i = 0; i < 50; i++) {
        char key[12];
        snprintf(key, sizeof key, "%zu", i / 2);
        if (i % 2 == 0)
            assert_status(calls[i], true, 1);
        else
            assert_value(calls[i], key);
    }
}

static void test_errors_of_the_engine_are_statuses(void **state)
{
    struct link *link = *state;
    call_set(link, "key", SLICE_LITERAL("value"));
    assert_call_failed(call_key(link, "/KeyStore/LPop", "key"), GRPC_FAILED_PRECONDITION,
                       "ERROR_REASON_WRONG_TYPE", "the key holds a string");
    assert_value(call_key(link, "/KeyStore/Get", "key"), "value");
}

static void test_unknown_methods(void **state)
{
    struct link *link = *state;
    static const char *const paths[] = {"/KeyStore/MGet", "/keystore.v1.KeyStore/get",
                                        "/grpc.health.v1.Health/Check", "/"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_call_failed(call_key(link, paths[i], "key"), GRPC_UNIMPLEMENTED,
                           "ERROR_REASON_NOT_SERVED", "no such method");
}

static void test_a_message_that_does_not_decode(void **state)
{
    struct link *link = *state;
    struct h2_call *made =
        h2_client_call(&link->client, "/KeyStore/Get", SLICE_LITERAL("\xff\xff"));
    exchange(link);
    assert_call_failed(made, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE", "does not decode");
    assert_value(call_key(link, "/KeyStore/Get", "key"), NULL);
}

static void test_keys_have_1_byte_to_64_kib(void **state)
{
    struct link *link = *state;
    static char key[64 * 1024 + 2];
    memset(key, 'k', 64 * 1024);
    assert_value(call_key(link, "/KeyStore/Get", key), NULL);
    assert_value(call_key(link, "/KeyStore/Get", "k"), NULL);
    assert_call_failed(call_key(link, "/KeyStore/Get", ""), GRPC_INVALID_ARGUMENT,
                       "ERROR_REASON_BAD_ARGUMENT", "the key is empty");
    key[64 * 1024] = 'k';
    assert_call_failed(call_key(link, "/KeyStore/Get", key), GRPC_RESOURCE_EXHAUSTED,
                       "ERROR_REASON_TOO_LARGE", "the key has 65537 bytes");
    assert_call_failed(call_key(link, "/KeyStore/Delete", key), GRPC_RESOURCE_EXHAUSTED,
                       "ERROR_REASON_TOO_LARGE", "64 KiB");
}

static void test_databases_are_0_to_15(void **state)
{
    struct link *link = *state;
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    message.key = message_text("key");
    message.db = 15;
    call_set(link, "key", SLICE_LITERAL("of database 0"));
    assert_value(call(link, "/KeyStore/Get", &message), NULL);
    message.db = 16;
    assert_call_failed(call(link, "/KeyStore/Get", &message), GRPC_INVALID_ARGUMENT,
                       "ERROR_REASON_BAD_ARGUMENT", "no database 16; this server has 0 to 15");
    message.db = UINT32_MAX;
    assert_call_failed(call(link, "/KeyStore/Get", &message), GRPC_INVALID_ARGUMENT,
                       "ERROR_REASON_BAD_ARGUMENT", "no database 4294967295");
}

static void test_values_have_up_to_max_value_bytes(void **state)
{
    struct link *link = *state;
    static const uint8_t bytes[MAX_VALUE + 1];
    Keystore__V1__ListInsert insert = KEYSTORE__V1__LIST_INSERT__INIT;
    ProtobufCBinaryData values[] = {message_text("small"),
                                    message_bytes(slice_make(bytes, MAX_VALUE))};
    insert.key = message_text("list");
    insert.values = values;
    insert.n_values = 2;
    assert_status(call_set(link, "key", slice_make(bytes, MAX_VALUE)), true, 1);
    assert_call_failed(call_set(link, "key", slice_make(bytes, MAX_VALUE + 1)),
                       GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE", "1000 bytes");
    assert_status(call(link, "/KeyStore/LPush", &insert), true, 2);
    values[1].len++;
    assert_call_failed(call(link, "/KeyStore/LPush", &insert), GRPC_RESOURCE_EXHAUSTED,
                       "ERROR_REASON_TOO_LARGE", "1000 bytes");
    values[1] = values[0];
    assert_status(call(link, "/KeyStore/LPush", &insert), true, 4);
}

static void test_a_range_over_the_answer_limit_is_refused(void **state)
{
    struct link *link = *state;
    static const uint8_t bytes[MAX_VALUE / 2];
    Keystore__V1__ListInsert insert = KEYSTORE__V1__LIST_INSERT__INIT;
    Keystore__V1__ListRange range = KEYSTORE__V1__LIST_RANGE__INIT;
    ProtobufCBinaryData value = message_bytes(slice_make(bytes, sizeof bytes));
    insert.key = range.key = message_text("list");
    insert.values = &value;
    insert.n_values = 1;
    range.stop = -1;
    call(link, "/KeyStore/LPush", &insert);
    call(link, "/KeyStore/LPush", &insert);
    h2_client_reply(call(link, "/KeyStore/LRange", &range));
    call(link, "/KeyStore/LPush", &insert);
    assert_call_failed(call(link, "/KeyStore/LRange", &range), GRPC_RESOURCE_EXHAUSTED,
                       "ERROR_REASON_TOO_LARGE", "StreamList");
}

/* One byte of a real message is another, or it is cut: each call has its answer, and the next one
 * finds the server well. */
static void test_random_messages_are_all_answered(void **state)
{
    struct link *link = *state;
    static const char *const paths[] = {"/KeyStore/Set",   "/KeyStore/Get",    "/KeyStore/Delete",
                                        "/KeyStore/LPush", "/KeyStore/LRange", "/KeyStore/LPop"};
    static const uint8_t real[] = "\x0a\x01k\x12\x01v\x1a\x02\x08\x02\x18\x01\x78\x03";
    uint64_t random = seeded_start();
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[sizeof real - 1];
        size_t len = sizeof bytes - (seeded_below(&random, 3) > 0 ? 0 : seeded_below(&random, 9));
        memcpy(bytes, real, sizeof bytes);
        for (uint32_t changes = seeded_below(&random, 4); changes > 0; changes--)
            bytes[seeded_below(&random, sizeof bytes)] = (uint8_t)seeded_below(&random, 32);
        struct h2_call *made =
            h2_client_call(&link->client, paths[seeded_below(&random, 6)], slice_make(bytes, len));
        exchange(link);
        assert_true(made->closed);
        assert_string_equal(made->http_status, "200");
        if (made->grpc_status == GRPC_OK)
            h2_client_reply(made);
        else
            assert_non_null(strstr(made->reason, "ERROR_REASON_"));
    }
}

/* An engine that answers later. */

static void test_the_engine_gets_what_was_asked(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    message.key = message_text("some key");
    message.value = message_text("some value");
    message.db = 9;
    struct h2_call *made = call(link, "/KeyStore/Set", &message);
    assert_int_equal(slow->count, 1);
    struct engine_task *task = slow->pending[0];
    /* The bytes that carried them are gone. */
    assert_true(slice_equal(task->op.key, SLICE_LITERAL("some key")));
    assert_true(slice_equal(task->op.value, SLICE_LITERAL("some value")));
    assert_int_equal(task->op.kind, OP_SET);
    assert_int_equal(task->op.db, 9);
    assert_int_equal(task->op.max_answer, MAX_ANSWER);
    assert_false(made->closed);

    take_pending(slow, task);
    task->result = (struct op_result){.ok = true, .count = 1};
    task->on_done(task);
    assert_int_equal(link->outputs, 1);
    exchange(link);
    assert_status(made, true, 1);
}

static void test_answers_may_come_in_any_order(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct h2_call *calls[9];
    struct engine_task *tasks[9];
    for (size_t i = 0; i < 9; i++) {
        calls[i] = call_key(link, "/KeyStore/Get", "key");
        tasks[i] = slow->pending[i];
    }
    for (size_t i = 0; i < 9; i++) {
        size_t at = i * 4 % 9;
        char value[12];
        snprintf(value, sizeof value, "%zu", at);
        finish(slow, tasks[at], value);
        exchange(link);
        assert_value(calls[at], value);
    }
    assert_int_equal(link->outputs, 9);
    assert_int_equal(slow->cancelled_count, 0);
}

static void test_a_later_answer_may_be_an_error(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct h2_call *made = call_key(link, "/KeyStore/Get", "key");
    struct engine_task *task = slow->pending[0];
    take_pending(slow, task);
    task->result = (struct op_result){.err = ERR_WRONG_TYPE, .why = "a sentence of the engine"};
    task->on_done(task);
    exchange(link);
    assert_call_failed(made, GRPC_FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE",
                       "a sentence of the engine");
}

static void test_a_bad_request_does_not_reach_the_engine(void **state)
{
    struct link *link = *state;
    assert_call_failed(call_key(link, "/KeyStore/Get", ""), GRPC_INVALID_ARGUMENT,
                       "ERROR_REASON_BAD_ARGUMENT", "empty");
    assert_int_equal(slow_of(link)->count, 0);
}

static void test_a_reset_cancels_its_task_and_no_other(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct h2_call *calls[3];
    struct engine_task *tasks[3];
    for (size_t i = 0; i < 3; i++) {
        calls[i] = call_key(link, "/KeyStore/Get", "key");
        tasks[i] = slow->pending[i];
    }
    h2_client_cancel(&link->client, calls[1]);
    exchange(link);
    assert_int_equal(slow->cancelled_count, 1);
    assert_ptr_equal(slow->cancelled[0], tasks[1]);
    finish(slow, tasks[2], "two");
    finish(slow, tasks[0], "zero");
    exchange(link);
    assert_value(calls[0], "zero");
    assert_value(calls[2], "two");
    assert_int_equal(slow->cancelled_count, 1);
}

/* What a call used is used again by the next, whether it was answered or cancelled. */
static void test_requests_are_used_again(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct engine_task *first = NULL;
    for (int round = 0; round < 20; round++) {
        struct h2_call *made = call_key(link, "/KeyStore/Get", "key");
        struct engine_task *task = slow->pending[0];
        if (first == NULL)
            first = task;
        assert_ptr_equal(task, first);
        assert_true(slice_equal(task->op.key, SLICE_LITERAL("key")));
        if (round % 2 == 0) {
            finish(slow, task, "value");
            exchange(link);
            assert_value(made, "value");
        } else {
            h2_client_cancel(&link->client, made);
            exchange(link);
        }
    }
    assert_int_equal(slow->cancelled_count, 10);
}

/* Also right after an answer that the client will never read. */
static void test_the_end_of_the_connection_cancels_all(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    for (int i = 0; i < 5; i++)
        call_key(link, "/KeyStore/Get", "key");
    finish(slow, slow->pending[2], "unread");
    assert_int_equal(slow->count, 4);
    grpc_connection_free(link->server);
    link->server = NULL;
    assert_int_equal(slow->count, 0);
    assert_int_equal(slow->cancelled_count, 4);
}

static void test_draining_waits_for_pending_calls(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct h2_call *made = call_key(link, "/KeyStore/Get", "key");
    grpc_connection_drain(link->server);
    exchange(link);
    assert_true(link->client.going_away);
    assert_false(grpc_connection_finished(link->server));
    finish(slow, slow->pending[0], "late");
    exchange(link);
    assert_value(made, "late");
    assert_true(grpc_connection_finished(link->server));
}

static void test_two_connections_share_a_service(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct link other = {.service = link->service};
    struct grpc_limits limits = grpc_limits_for(MAX_VALUE);
    other.server = grpc_connection_new(&limits, service_grpc(link->service), on_output, &other);
    h2_client_init(&other.client);
    struct h2_call *made = call_key(link, "/KeyStore/Get", "one");
    call_key(&other, "/KeyStore/Get", "other");
    assert_int_equal(slow->count, 2);
    grpc_connection_free(other.server);
    h2_client_deinit(&other.client);
    assert_int_equal(slow->count, 1);
    finish(slow, slow->pending[0], "value");
    exchange(link);
    assert_value(made, "value");
    assert_int_equal(link->outputs, 1);
    assert_int_equal(other.outputs, 0);
}

static void test_free_takes_null(void **state)
{
    (void)state;
    service_free(NULL);
}

#define EMBEDDED(function)                                                                         \
    cmocka_unit_test_setup_teardown(function, embedded_setup, embedded_teardown)
#define SLOW(function) cmocka_unit_test_setup_teardown(function, slow_setup, slow_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMBEDDED(test_the_six_calls),
        EMBEDDED(test_calls_sent_together_are_answered_each),
        EMBEDDED(test_errors_of_the_engine_are_statuses),
        EMBEDDED(test_unknown_methods),
        EMBEDDED(test_a_message_that_does_not_decode),
        EMBEDDED(test_keys_have_1_byte_to_64_kib),
        EMBEDDED(test_databases_are_0_to_15),
        EMBEDDED(test_values_have_up_to_max_value_bytes),
        EMBEDDED(test_a_range_over_the_answer_limit_is_refused),
        EMBEDDED(test_random_messages_are_all_answered),
        SLOW(test_the_engine_gets_what_was_asked),
        SLOW(test_answers_may_come_in_any_order),
        SLOW(test_a_later_answer_may_be_an_error),
        SLOW(test_a_bad_request_does_not_reach_the_engine),
        SLOW(test_a_reset_cancels_its_task_and_no_other),
        SLOW(test_requests_are_used_again),
        SLOW(test_the_end_of_the_connection_cancels_all),
        SLOW(test_draining_waits_for_pending_calls),
        SLOW(test_two_connections_share_a_service),
        cmocka_unit_test(test_free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
