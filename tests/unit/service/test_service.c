/*
 * Tests of service/service.c: real gRPC calls in memory, to an engine that answers at once and to
 * one that answers when the test says so.
 */
#include "service/service.h"

#include "engine/embedded.h"
#include "grpc/server.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"
#include "store/seeded.h"

static void assert_list(const struct ng_stream *made, size_t count, const char *const *values)
{
    struct slice reply = ng_call_reply(made);
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

    assert_status(link_call_set(link, "key", SLICE_LITERAL("value")), true, 1);
    assert_value(link_call_key(link, "/keystore.v1.KeyStore/Get", "key"), "value");
    assert_value(link_call_key(link, "/KeyStore/Get", "key"), "value");
    assert_value(link_call_key(link, "/KeyStore/Get", "none"), NULL);
    assert_status(link_call_key(link, "/KeyStore/Delete", "key"), true, 1);
    assert_status(link_call_key(link, "/keystore.v1.KeyStore/Delete", "key"), false, 0);
    assert_status(link_call(link, "/keystore.v1.KeyStore/LPush", &insert), true, 3);
    assert_list(link_call(link, "/KeyStore/LRange", &range), 3,
                (const char *const[]){"3", "2", "1"});
    assert_value(link_call_key(link, "/KeyStore/LPop", "list"), "3");
    assert_int_equal(link->outputs, 0);
}

static void test_calls_sent_together_are_answered_each(void **state)
{
    struct link *link = *state;
    struct ng_stream *calls[50];
    for (size_t i = 0; i < 50; i++) {
        Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
        char key[12];
        snprintf(key, sizeof key, "%zu", i / 2);
        message.key = message_text(key);
        message.value = message_text(key);
        struct slice packed = message_pack(&message);
        calls[i] = ng_call(link->client, i % 2 == 0 ? "/KeyStore/Set" : "/KeyStore/Get",
                           i % 2 == 0 ? packed : slice_make(packed.data, 2 + strlen(key)));
        message_free_packed(packed);
    }
    link_exchange(link);
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
    link_call_set(link, "key", SLICE_LITERAL("value"));
    ng_call_assert_failed(link_call_key(link, "/KeyStore/LPop", "key"), GRPC_FAILED_PRECONDITION,
                          "ERROR_REASON_WRONG_TYPE", "the key holds a string");
    assert_value(link_call_key(link, "/KeyStore/Get", "key"), "value");
}

static void test_unknown_methods(void **state)
{
    struct link *link = *state;
    static const char *const paths[] = {
        "/KeyStore/Scans", "/keystore.v1.KeyStore/get",     "/KeyStore/Save",
        "/KeyStore/Info",  "/grpc.health.v1.Health/Checks", "/"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        ng_call_assert_failed(link_call_key(link, paths[i], "key"), GRPC_UNIMPLEMENTED,
                              "ERROR_REASON_NOT_SERVED", "no such method");
}

static struct ng_stream *call_info(struct link *link, const char *section)
{
    Keystore__V1__InfoRequest message = KEYSTORE__V1__INFO_REQUEST__INIT;
    char *sections[] = {(char *)section};
    message.sections = sections;
    message.n_sections = section != NULL;
    return link_call(link, "/keystore.v1.KeyStoreAdmin/Info", &message);
}

static void assert_info(const struct ng_stream *made, size_t count, const char *const *fields)
{
    struct slice reply = ng_call_reply(made);
    Keystore__V1__InfoReply *info = keystore__v1__info_reply__unpack(NULL, reply.len, reply.data);
    assert_non_null(info);
    assert_int_equal(info->n_fields, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(info->fields[i]->key, fields[2 * i]);
        assert_string_equal(info->fields[i]->value, fields[2 * i + 1]);
    }
    keystore__v1__info_reply__free_unpacked(info, NULL);
}

static void test_info_asks_its_source(void **state)
{
    struct link *link = *state;
    static const char *const fields[] = {"number", "42", "empty", "", "text", "abc"};
    assert_info(call_info(link, NULL), 3, fields);
    assert_info(call_info(link, "one"), 1, fields);
    assert_info(call_info(link, "two"), 2, fields + 2);
    ng_call_assert_failed(call_info(link, "three"), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "there are: one, two");
    assert_info(call_info(link, "one"), 1, fields);
}

static void test_requests_are_counted(void **state)
{
    struct link *link = *state;
    assert_int_equal(service_commands(link->service), 0);
    link_call_key(link, "/KeyStore/Get", "key");
    link_call_key(link, "/KeyStore/Get", ""); /* it is refused, and still was one */
    call_info(link, NULL);
    assert_int_equal(service_commands(link->service), 3);
    link_call_key(link, "/KeyStore/Nothing", "key");
    assert_int_equal(service_commands(link->service), 3);
}

static void test_all_keys_of_a_request_are_checked(void **state)
{
    struct link *link = *state;
    Keystore__V1__CopyRequest copy = KEYSTORE__V1__COPY_REQUEST__INIT;
    ProtobufCBinaryData names[] = {message_text("a"), message_text("")};
    Keystore__V1__Keys keys = KEYSTORE__V1__KEYS__INIT;
    copy.source = message_text("source");
    ng_call_assert_failed(link_call(link, "/KeyStore/Copy", &copy), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "the key is empty");
    keys.keys = names;
    keys.n_keys = 2;
    ng_call_assert_failed(link_call(link, "/KeyStore/MGet", &keys), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "keys[1]: the key is empty");
}

static void test_a_message_that_does_not_decode(void **state)
{
    struct link *link = *state;
    struct ng_stream *made = ng_call(link->client, "/KeyStore/Get", SLICE_LITERAL("\xff\xff"));
    link_exchange(link);
    ng_call_assert_failed(made, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE", "does not decode");
    assert_value(link_call_key(link, "/KeyStore/Get", "key"), NULL);
}

static void test_keys_have_1_byte_to_64_kib(void **state)
{
    struct link *link = *state;
    static char key[64 * 1024 + 2];
    memset(key, 'k', 64 * 1024);
    assert_value(link_call_key(link, "/KeyStore/Get", key), NULL);
    assert_value(link_call_key(link, "/KeyStore/Get", "k"), NULL);
    ng_call_assert_failed(link_call_key(link, "/KeyStore/Get", ""), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "the key is empty");
    key[64 * 1024] = 'k';
    ng_call_assert_failed(link_call_key(link, "/KeyStore/Get", key), GRPC_RESOURCE_EXHAUSTED,
                          "ERROR_REASON_TOO_LARGE", "the key has 65537 bytes");
    ng_call_assert_failed(link_call_key(link, "/KeyStore/Delete", key), GRPC_RESOURCE_EXHAUSTED,
                          "ERROR_REASON_TOO_LARGE", "64 KiB");
}

static void test_databases_are_0_to_15(void **state)
{
    struct link *link = *state;
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    message.key = message_text("key");
    message.db = 15;
    link_call_set(link, "key", SLICE_LITERAL("of database 0"));
    assert_value(link_call(link, "/KeyStore/Get", &message), NULL);
    message.db = 16;
    ng_call_assert_failed(link_call(link, "/KeyStore/Get", &message), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "no database 16; this server has 0 to 15");
    message.db = UINT32_MAX;
    ng_call_assert_failed(link_call(link, "/KeyStore/Get", &message), GRPC_INVALID_ARGUMENT,
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
    assert_status(link_call_set(link, "key", slice_make(bytes, MAX_VALUE)), true, 1);
    ng_call_assert_failed(link_call_set(link, "key", slice_make(bytes, MAX_VALUE + 1)),
                          GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE", "1000 bytes");
    assert_status(link_call(link, "/KeyStore/LPush", &insert), true, 2);
    values[1].len++;
    ng_call_assert_failed(link_call(link, "/KeyStore/LPush", &insert), GRPC_RESOURCE_EXHAUSTED,
                          "ERROR_REASON_TOO_LARGE", "1000 bytes");
    values[1] = values[0];
    assert_status(link_call(link, "/KeyStore/LPush", &insert), true, 4);
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
    link_call(link, "/KeyStore/LPush", &insert);
    link_call(link, "/KeyStore/LPush", &insert);
    ng_call_reply(link_call(link, "/KeyStore/LRange", &range));
    link_call(link, "/KeyStore/LPush", &insert);
    ng_call_assert_failed(link_call(link, "/KeyStore/LRange", &range), GRPC_RESOURCE_EXHAUSTED,
                          "ERROR_REASON_TOO_LARGE", "StreamList");
}

/* One byte of a real message is another, or it is cut: each call has its answer, and the next one
 * finds the server well. */
static void test_random_messages_are_all_answered(void **state)
{
    struct link *link = *state;
    static const char *const paths[] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, ...)                \
    (OP_CATEGORY_##category == OP_CATEGORY_ADMIN ? "/KeyStoreAdmin/" #method                       \
                                                 : "/KeyStore/" #method),
#include "store/operations.def"
#undef OPERATION
        "/KeyStoreAdmin/Info"};
    static const uint8_t real[] = "\x0a\x01k\x12\x01v\x1a\x02\x08\x02\x18\x01\x78\x03";
    uint64_t random = seeded_start();
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[sizeof real - 1];
        size_t len = sizeof bytes - (seeded_below(&random, 3) > 0 ? 0 : seeded_below(&random, 9));
        memcpy(bytes, real, sizeof bytes);
        for (uint32_t changes = seeded_below(&random, 4); changes > 0; changes--)
            bytes[seeded_below(&random, sizeof bytes)] = (uint8_t)seeded_below(&random, 32);
        struct ng_stream *made = ng_call(link->client, paths[seeded_below(&random, OP_COUNT + 1)],
                                         slice_make(bytes, len));
        link_exchange(link);
        assert_true(made->closed);
        ng_assert_slice(ng_call_field(made, ":status"), "200");
        if (ng_call_status(made) == GRPC_OK)
            ng_call_reply(made);
        else
            assert_true(slice_starts_with(ng_call_field(made, "keystore-reason"),
                                          SLICE_LITERAL("ERROR_REASON_")));
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
    struct ng_stream *made = link_call(link, "/KeyStore/Set", &message);
    assert_int_equal(slow->count, 1);
    struct engine_task *task = slow->pending[0];
    assert_string_equal(slow->key, "some key");
    assert_string_equal(slow->value, "some value");
    assert_int_equal(task->op.kind, OP_SET);
    assert_int_equal(task->op.db, 9);
    assert_int_equal(task->op.max_answer, MAX_ANSWER);
    assert_false(made->closed);

    slow_take(slow, task);
    task->result = (struct op_result){.ok = true, .count = 1};
    task->on_done(task);
    assert_int_equal(link->outputs, 1);
    link_exchange(link);
    assert_status(made, true, 1);
}

static void test_answers_may_come_in_any_order(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct ng_stream *calls[9];
    struct engine_task *tasks[9];
    for (size_t i = 0; i < 9; i++) {
        calls[i] = link_call_key(link, "/KeyStore/Get", "key");
        tasks[i] = slow->pending[i];
    }
    for (size_t i = 0; i < 9; i++) {
        size_t at = i * 4 % 9;
        char value[12];
        snprintf(value, sizeof value, "%zu", at);
        slow_finish(slow, tasks[at], value);
        link_exchange(link);
        assert_value(calls[at], value);
    }
    assert_int_equal(link->outputs, 9);
    assert_int_equal(slow->cancelled_count, 0);
}

static void test_a_later_answer_may_be_an_error(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct ng_stream *made = link_call_key(link, "/KeyStore/Get", "key");
    struct engine_task *task = slow->pending[0];
    slow_take(slow, task);
    task->result = (struct op_result){.err = ERR_WRONG_TYPE, .why = "an error of the engine"};
    task->on_done(task);
    link_exchange(link);
    ng_call_assert_failed(made, GRPC_FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE",
                          "an error of the engine");
}

static struct ng_stream *call_save(struct link *link, bool wait)
{
    Keystore__V1__SaveRequest message = KEYSTORE__V1__SAVE_REQUEST__INIT;
    message.wait = wait;
    return link_call(link, "/KeyStoreAdmin/Save", &message);
}

static void assert_ok(const struct ng_stream *made)
{
    struct slice reply = ng_call_reply(made);
    assert_true(slice_equal(reply, SLICE_LITERAL("\x08\x01"))); /* Status{ok: true} */
}

static void test_save_asks_the_engine(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    assert_ok(call_save(link, false));
    assert_int_equal(slow->count, 0);
    struct ng_stream *good = call_save(link, true);
    struct ng_stream *gone = call_save(link, true);
    struct ng_stream *bad = call_save(link, true);
    struct engine_task *tasks[] = {slow->pending[0], slow->pending[1], slow->pending[2]};
    assert_int_equal(slow->count, 3);
    ng_client_reset(link->client, gone);
    link_exchange(link);
    assert_ptr_equal(slow->cancelled[0], tasks[1]);
    slow_take(slow, tasks[0]);
    tasks[0]->result = (struct op_result){.ok = true};
    tasks[0]->on_done(tasks[0]);
    slow_take(slow, tasks[2]);
    tasks[2]->result = (struct op_result){.err = ERR_NOT_DURABLE, .why = "no room"};
    tasks[2]->on_done(tasks[2]);
    link_exchange(link);
    assert_ok(good);
    ng_call_assert_failed(bad, GRPC_UNAVAILABLE, "ERROR_REASON_NOT_DURABLE", "no room");
}

static void test_a_save_that_does_not_decode(void **state)
{
    struct link *link = *state;
    struct ng_stream *made =
        ng_call(link->client, "/KeyStoreAdmin/Save", SLICE_LITERAL("\xff\xff"));
    link_exchange(link);
    ng_call_assert_failed(made, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE", "SaveRequest");
    assert_int_equal(slow_of(link)->count, 0);
}

static void test_a_bad_request_does_not_reach_the_engine(void **state)
{
    struct link *link = *state;
    ng_call_assert_failed(link_call_key(link, "/KeyStore/Get", ""), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "empty");
    assert_int_equal(slow_of(link)->count, 0);
}

/* What the engine sees of the worker when a task comes. */
static struct activity_worker worker;
static bool was_busy;

static enum engine_answer submit_and_look(struct engine *engine, struct engine_task *task)
{
    was_busy = worker.is_busy;
    return slow_submit(engine, task);
}

static void ignore_idle(void *user)
{
    (void)user;
}

static int activity_setup(void **state)
{
    static struct activity activity;
    activity_init(&activity, INT64_MAX);
    activity_listen(&activity, ignore_idle, NULL);
    activity_worker_init(&worker, &activity);
    link_activity = &worker;
    slow_setup(state);
    link_activity = NULL;
    slow_of(*state)->engine.submit = submit_and_look;
    return 0;
}

/* A log that hears of the write without that would start a batch with it alone. */
static void test_the_worker_is_busy_before_its_first_write(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct ng_stream *made = link_call_key(link, "/KeyStore/Get", "key");
    assert_int_equal(slow->count, 1);
    slow_finish(slow, slow->pending[0], "value");
    link_call_set(link, "", SLICE_LITERAL("refused"));
    assert_int_equal(slow->count, 0);
    assert_false(worker.is_busy);
    link_exchange(link);
    assert_value(made, "value");
    made = link_call_set(link, "key", SLICE_LITERAL("value"));
    assert_int_equal(slow->count, 1);
    assert_true(was_busy);
    struct engine_task *task = slow_take(slow, slow->pending[0]);
    task->result = (struct op_result){.ok = true, .count = 1};
    task->on_done(task);
    link_exchange(link);
    assert_status(made, true, 1);
}

static void test_a_reset_cancels_its_task_and_no_other(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct ng_stream *calls[3];
    struct engine_task *tasks[3];
    for (size_t i = 0; i < 3; i++) {
        calls[i] = link_call_key(link, "/KeyStore/Get", "key");
        tasks[i] = slow->pending[i];
    }
    ng_client_reset(link->client, calls[1]);
    link_exchange(link);
    assert_int_equal(slow->cancelled_count, 1);
    assert_ptr_equal(slow->cancelled[0], tasks[1]);
    slow_finish(slow, tasks[2], "two");
    slow_finish(slow, tasks[0], "zero");
    link_exchange(link);
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
        struct ng_stream *made = link_call_key(link, "/KeyStore/Get", "key");
        struct engine_task *task = slow->pending[0];
        if (first == NULL)
            first = task;
        assert_ptr_equal(task, first);
        assert_string_equal(slow->key, "key");
        if (round % 2 == 0) {
            slow_finish(slow, task, "value");
            link_exchange(link);
            assert_value(made, "value");
        } else {
            ng_client_reset(link->client, made);
            link_exchange(link);
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
        link_call_key(link, "/KeyStore/Get", "key");
    slow_finish(slow, slow->pending[2], "unread");
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
    struct ng_stream *made = link_call_key(link, "/KeyStore/Get", "key");
    grpc_connection_drain(link->server);
    link_exchange(link);
    assert_true(link->client->goaways > 0);
    assert_false(grpc_connection_finished(link->server));
    slow_finish(slow, slow->pending[0], "late");
    link_exchange(link);
    assert_value(made, "late");
    assert_true(grpc_connection_finished(link->server));
}

static void test_two_connections_share_a_service(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct link other = {.service = link->service};
    other.server = grpc_connection_new(link->grpc, link_on_output, &other, NOW_MS);
    other.client = ng_client_new(&(struct ng_options){0});
    struct ng_stream *made = link_call_key(link, "/KeyStore/Get", "one");
    link_call_key(&other, "/KeyStore/Get", "other");
    assert_int_equal(slow->count, 2);
    grpc_connection_free(other.server);
    chain_deinit(&other.out);
    ng_client_free(other.client);
    assert_int_equal(slow->count, 1);
    slow_finish(slow, slow->pending[0], "value");
    link_exchange(link);
    assert_value(made, "value");
    assert_int_equal(link->outputs, 1);
    assert_int_equal(other.outputs, 0);
}

/* Values above and below the size that is passed on by reference, there and back. */
static void test_values_around_the_size_of_blobs(void **state)
{
    (void)state;
    static const size_t sizes[] = {16383, 16384, 16385, 40000, 300000};
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 1);
    struct service *service = service_new(&(struct service_options){
        .engine = engine, .info = &link_info, .max_value = 1000000, .max_answer = 1000000});
    struct grpc_limits limits = grpc_limits_for(1000000, &http2_default_limits);
    struct grpc_server *grpc = grpc_server_new(&limits, service_grpc(service));
    struct link large = {.service = service, .grpc = grpc};
    large.server = grpc_connection_new(grpc, link_on_output, &large, NOW_MS);
    large.client = ng_client_new(&(struct ng_options){0});
    char *text = malloc(300001);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            text[k] = (char)('a' + k * 31 / 7 % 26);
        text[sizes[i]] = '\0';
        assert_status(link_call_set(&large, "key", slice_from_string(text)), true, 1);
        assert_value(link_call_key(&large, "/KeyStore/Get", "key"), text);
        assert_value(link_call_key(&large, "/KeyStore/Get", "key"), text);
    }
    free(text);
    grpc_connection_free(large.server);
    chain_deinit(&large.out);
    ng_client_free(large.client);
    grpc_server_free(grpc);
    service_free(service);
    embedded_free(engine);
}

static void test_free_takes_null(void **state)
{
    (void)state;
    service_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMBEDDED(test_the_six_calls),
        EMBEDDED(test_calls_sent_together_are_answered_each),
        EMBEDDED(test_errors_of_the_engine_are_statuses),
        EMBEDDED(test_unknown_methods),
        EMBEDDED(test_info_asks_its_source),
        EMBEDDED(test_requests_are_counted),
        EMBEDDED(test_all_keys_of_a_request_are_checked),
        EMBEDDED(test_a_message_that_does_not_decode),
        EMBEDDED(test_keys_have_1_byte_to_64_kib),
        EMBEDDED(test_databases_are_0_to_15),
        EMBEDDED(test_values_have_up_to_max_value_bytes),
        EMBEDDED(test_a_range_over_the_answer_limit_is_refused),
        EMBEDDED(test_random_messages_are_all_answered),
        SLOW(test_the_engine_gets_what_was_asked),
        SLOW(test_answers_may_come_in_any_order),
        SLOW(test_a_later_answer_may_be_an_error),
        SLOW(test_save_asks_the_engine),
        SLOW(test_a_save_that_does_not_decode),
        SLOW(test_a_bad_request_does_not_reach_the_engine),
        cmocka_unit_test_setup_teardown(test_the_worker_is_busy_before_its_first_write,
                                        activity_setup, slow_teardown),
        SLOW(test_a_reset_cancels_its_task_and_no_other),
        SLOW(test_requests_are_used_again),
        SLOW(test_the_end_of_the_connection_cancels_all),
        SLOW(test_draining_waits_for_pending_calls),
        SLOW(test_two_connections_share_a_service),
        cmocka_unit_test(test_values_around_the_size_of_blobs),
        cmocka_unit_test(test_free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
