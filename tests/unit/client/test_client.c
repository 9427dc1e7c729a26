/* The public calls, against scripted answers. */
#include "keystore/admin.h"

#include "client/call.h"
#include "client/replies.h" /* keystore_list_values */
#include "client/requests.h"

#include "failing_memory.h"
#include "support/fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "sample_replies.h"
#include "sample_requests.h"

/* Bytes of a value that no kept memory holds. */
#define LARGE ((size_t)200000)

static struct fake_server server;
static struct ng_answer script; /* of every request; a test sets it before it connects */
static struct keystore_client *client;
static struct buf body;

static int set_up(void **state)
{
    (void)state;
    server = (struct fake_server){.script = {.answers = &script, .count = 1}};
    script = (struct ng_answer){.grpc_status = "0"};
    buf_init(&body, LARGE + 4096);
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
    fake_server_start(&server);
    client = keystore_connect(server.address, options, &error);
    assert_non_null(client);
}

/* What the server saw may be read afterwards. */
static void finish(void)
{
    keystore_close(client);
    fake_server_stop(&server);
}

/* The last request as a message of this type. */
static void *request_seen(const ProtobufCMessageDescriptor *type)
{
    void *message = protobuf_c_message_unpack(type, NULL, server.seen.body.len - CALL_PREFIX_SIZE,
                                              server.seen.body.data + CALL_PREFIX_SIZE);
    assert_non_null(message);
    return message;
}

static void forget(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
    fake_server_deinit(&server);
}

/* The methods that are no operations: function, name in the API, the request's struct and the
 * answer's. */
#define OTHERS(METHOD)                                                                             \
    METHOD(info, "Info", info_request, info_reply)                                                 \
    METHOD(save, "Save", save_request, status)                                                     \
    METHOD(config, "Config", config_request, config_reply)                                         \
    METHOD(set_config, "SetConfig", set_config_request, status)                                    \
    METHOD(kill_clients, "KillClients", kill_clients_request, status)                              \
    METHOD(slow_log, "SlowLog", slow_log_request, slow_log_reply)                                  \
    METHOD(latency, "Latency", latency_request, latency_reply)                                     \
    METHOD(publish, "Publish", message, status)                                                    \
    METHOD(authenticate, "Authenticate", authenticate_request, authenticate_reply)                 \
    METHOD(who_am_i, "WhoAmI", who_am_i_request, identity)                                         \
    METHOD(health, "Check", health_request, health_reply)

static const ProtobufCServiceDescriptor *const services[] = {
    &keystore__v1__key_store__descriptor,
    &keystore__v1__key_store_admin__descriptor,
    &keystore__v1__key_store_auth__descriptor,
    &grpc__health__v1__health__descriptor,
};

/* The method of this name, with its service; NULL if the API has none. */
static const ProtobufCMethodDescriptor *find_method(const char *name, const char **service)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        *service = services[i]->name;
        const ProtobufCMethodDescriptor *method =
            protobuf_c_service_descriptor_get_method_by_name(services[i], name);
        if (method != NULL)
            return method;
    }
    return NULL;
}

/* The call went to the method of this name, which takes and gives these messages. */
static void assert_called(const char *name, const ProtobufCMessageDescriptor *takes,
                          const ProtobufCMessageDescriptor *gives)
{
    char path[64];
    const char *service;
    const ProtobufCMethodDescriptor *method = find_method(name, &service);
    assert_non_null(method);
    assert_ptr_equal(method->input, takes);
    assert_ptr_equal(method->output, gives);
    snprintf(path, sizeof path, "/%s/%s", service, name);
    assert_string_equal(server.seen.path, path);
}

/* What the server sees of the call, and what the caller gets, field by field. */
#define CALLS(function, name, takes, gives)                                                        \
    static void calls_##function(void **state)                                                     \
    {                                                                                              \
        (void)state;                                                                               \
        struct keystore_##gives answer;                                                            \
        start(&wire_##gives.base, NULL);                                                           \
        assert_int_equal(keystore_##function(client, &sample_##takes, &answer), KEYSTORE_OK);      \
        got_##gives(&answer);                                                                      \
        finish();                                                                                  \
        assert_int_equal(server.seen.started, 1);                                                  \
        struct pool pool;                                                                          \
        pool_init(&pool);                                                                          \
        struct request_builder builder = {.pool = &pool};                                          \
        const ProtobufCMessage *message = &requests_##takes(&builder, &sample_##takes)->base;      \
        assert_called(name, message->descriptor, wire_##gives.base.descriptor);                    \
        void *seen = request_seen(message->descriptor);                                            \
        seen_##takes(seen);                                                                        \
        forget(seen);                                                                              \
        pool_deinit(&pool);                                                                        \
    }

#define OPERATION(kind, method, request, reply, access, category, keys, apply, call, ...)          \
    CALLS(call, #method, request, reply)
#include "store/operations.def"
#undef OPERATION
OTHERS(CALLS)

/* The same by kind: the request is the member of the union, the answer that of the reply. */
static void call_by_kind(enum keystore_op_kind kind, const void *request, size_t request_size,
                         const ProtobufCMessage *wire, struct keystore_reply *reply)
{
    struct keystore_op op = {.kind = kind, .id = 7};
    memcpy(&op.request, request, request_size);
    buf_clear(&body, LARGE);
    script.body = slice_make(NULL, 0);
    start(wire, NULL);
    assert_int_equal(keystore_call(client, &op, reply), KEYSTORE_OK);
    assert_int_equal(reply->kind, keystore_reply_kind_of(kind));
    assert_int_equal(reply->id, 7);
}

static void calls_of_every_kind(void **state)
{
    (void)state;
    struct keystore_reply reply;
#define OPERATION(kind, method, request, reply_, access, category, keys, apply, call, ...)         \
    call_by_kind((enum keystore_op_kind)KEYSTORE__V1__OP__OP_##kind, &sample_##request,            \
                 sizeof sample_##request, &wire_##reply_.base, &reply);                            \
    got_##reply_((const void *)&reply.answer);                                                     \
    finish();                                                                                      \
    assert_called(#method, &keystore__v1__##request##__descriptor, wire_##reply_.base.descriptor); \
    fake_server_deinit(&server);                                                                   \
    server = (struct fake_server){.script = {.answers = &script, .count = 1}};
#define OPERATION_ALONE(...)
#include "store/operations.def"
#undef OPERATION
}

static void a_kind_that_is_none(void **state)
{
    (void)state;
    start(NULL, NULL);
    struct keystore_reply reply;
    static const int kinds[] = {KEYSTORE_OP_NONE, 1, 77, -1};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct keystore_op op = {.kind = (enum keystore_op_kind)kinds[i]};
        assert_int_equal(keystore_call(client, &op, &reply), KEYSTORE_INVALID_ARGUMENT);
        assert_int_equal(reply.kind, KEYSTORE_REPLY_NONE);
        assert_non_null(strstr(keystore_last_error(client)->message, "enum keystore_op_kind"));
    }
    finish();
    assert_int_equal(server.seen.started, 0);
    fake_server_deinit(&server);
}

#define NAME(function, name, takes, gives) name,

static bool is_named(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A method that joins the API must join one of these lists. */
static void no_method_is_forgotten(void **state)
{
    (void)state;
    static const char *const called[] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, call, ...)          \
    NAME(call, #method, request, reply)
#include "store/operations.def"
#undef OPERATION
        OTHERS(NAME)};
    /* Those of keystore/streams.h have tests of their own; the last ones are not in the library. */
    static const char *const left_out[] = {"StreamList", "Scan",   "Watch",   "Consume", "Pipeline",
                                           "Subscribe",  "Backup", "Clients", "List"};
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        for (unsigned j = 0; j < services[i]->n_methods; j++) {
            const char *name = services[i]->methods[j].name;
            bool known = is_named(name, called, sizeof called / sizeof *called) ||
                         is_named(name, left_out, sizeof left_out / sizeof *left_out);
            if (!known)
                fail_msg("nothing calls %s", name);
        }
}

/* The timeout of a pop or a move that the server sees, in milliseconds; 0 = none. */
static long timeout_seen(bool moves, int64_t timeout_ms, int64_t wait_ms)
{
    struct keystore_slice key = keystore_text("k");
    struct keystore_pop_request pop = {.keys = &key, .key_count = 1, .wait_ms = wait_ms};
    struct keystore_move_request move = {.source = key, .target = key, .wait_ms = wait_ms};
    struct keystore_popped popped;
    struct keystore_value moved;
    char *unit;
    start(NULL, &(struct keystore_options){.timeout_ms = timeout_ms});
    (void)(moves ? keystore_lmove(client, &move, &moved)
                 : keystore_list_pop(client, &pop, &popped));
    finish();
    long number = strtol(server.seen.timeout, &unit, 10);
    long unit_ms = *unit == 'S' ? 1000 : 1;
    fake_server_deinit(&server);
    return number * unit_ms;
}

/* What the server may wait prolongs the timeout, and nothing else does. */
static void waiting_prolongs_the_timeout(void **state)
{
    (void)state;
    for (int moves = 0; moves < 2; moves++) {
        assert_int_equal(timeout_seen(moves != 0, 20000, 0), 20000);
        assert_int_equal(timeout_seen(moves != 0, 20000, -1), 20000);
        assert_int_equal(timeout_seen(moves != 0, 20000, 5000), 25000);
        assert_int_equal(timeout_seen(moves != 0, -1, 5000), 0);
        assert_int_equal(timeout_seen(moves != 0, 20000, INT64_MAX), 0);
    }
}

static void assert_seen(ProtobufCBinaryData data, const char *text)
{
    assert_int_equal(data.len, strlen(text));
    assert_memory_equal(data.data, text, data.len);
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

#define FAILS(function, name, takes, gives)                                                        \
    {                                                                                              \
        struct keystore_##gives answer;                                                            \
        memset(&answer, 0xff, sizeof answer);                                                      \
        assert_int_equal(keystore_##function(client, &sample_##takes, &answer),                    \
                         KEYSTORE_FAILED_PRECONDITION);                                            \
        empty_##gives(&answer);                                                                    \
    }

static void errors_zero_the_answer(void **state)
{
    (void)state;
    script.grpc_status = "9";
    script.grpc_message = "it is a list";
    script.reason = "ERROR_REASON_WRONG_TYPE";
    start(NULL, NULL);
#define OPERATION(kind, method, request, reply, access, category, keys, apply, call, ...)          \
    FAILS(call, #method, request, reply)
#include "store/operations.def"
#undef OPERATION
    OTHERS(FAILS)
    const struct keystore_error *error = keystore_last_error(client);
    assert_int_equal(error->code, KEYSTORE_FAILED_PRECONDITION);
    assert_string_equal(error->reason, "ERROR_REASON_WRONG_TYPE");
    assert_string_equal(error->message, "it is a list");
    finish();
    fake_server_deinit(&server);
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
    assert_non_null(strstr(keystore_last_error(client)->message, "not a valid message"));
    finish();
    fake_server_deinit(&server);
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
    assert_string_equal(server.seen.timeout, "");
    fake_server_deinit(&server);
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

static void assert_error(int code, int wanted, const char *text)
{
    const struct keystore_error *error = keystore_last_error(client);
    assert_int_equal(code, wanted);
    assert_int_equal(error->code, wanted);
    if (strstr(error->message, text) == NULL)
        fail_msg("'%s' should contain '%s'", error->message, text);
}

#define HAS_ID_READ   false
#define HAS_ID_WRITE  true
#define HAS_ID_GROW   true
#define HAS_ID_ADJUST true

/* Only calls that the server recognizes by an id have one, and only if they may be repeated. */
static void operations_that_write_have_ids(void **state)
{
    (void)state;
    size_t count = 0;
    bool has_id[NG_SERVER_HEADS] = {false};
    script.grpc_status = "9";
    start(NULL, &(struct keystore_options){.max_retries = 3});
#define CALL_FOR_ID(function, takes, gives)                                                        \
    {                                                                                              \
        struct keystore_##gives answer;                                                            \
        (void)keystore_##function(client, &sample_##takes, &answer);                               \
    }
#define OPERATION(kind, method, request, reply, access, category, keys, apply, call, ...)          \
    has_id[count++] = HAS_ID_##access;                                                             \
    CALL_FOR_ID(call, request, reply)
#include "store/operations.def"
#undef OPERATION
#define CALL_OTHER(function, name, takes, gives)                                                   \
    count++;                                                                                       \
    CALL_FOR_ID(function, takes, gives)
    OTHERS(CALL_OTHER)
    finish();
    assert_int_equal(server.seen.head_count, count);
    for (size_t i = 0; i < count; i++)
        if ((server.seen.heads[i].request_id[0] != '\0') != has_id[i])
            fail_msg("%s", server.seen.heads[i].path);
    fake_server_deinit(&server);
}

static const char *id_seen(size_t number)
{
    assert_true(number < server.seen.head_count);
    return server.seen.heads[number].request_id;
}

static void request_ids_of_the_program(void **state)
{
    (void)state;
    struct keystore_value value;
    uint8_t long_id[65] = {0};
    script.grpc_status = "9";
    start(NULL, NULL);
    assert_int_equal(keystore_set_request_id(client, keystore_text("id")), KEYSTORE_OK);
    (void)keystore_get_del(client, &sample_key, &value);
    (void)keystore_get_del(client, &sample_key, &value);
    /* It is that of the next call, even of one that is not sent. */
    (void)keystore_set_request_id(client, keystore_text("id"));
    (void)keystore_get_del(client, NULL, &value);
    (void)keystore_get_del(client, &sample_key, &value);
    (void)keystore_set_request_id(client, keystore_text("id"));
    const struct keystore_key bad = {.key = {NULL, 3}};
    (void)keystore_get_del(client, &bad, &value);
    (void)keystore_get_del(client, &sample_key, &value);
    (void)keystore_set_request_id(client, keystore_text("id"));
    struct keystore_reply reply;
    (void)keystore_call(client, &(struct keystore_op){0}, &reply);
    (void)keystore_get_del(client, &sample_key, &value);
    /* The last one counts, whatever it is. */
    (void)keystore_set_request_id(client, keystore_text("id"));
    assert_int_equal(keystore_set_request_id(client, keystore_text("")), KEYSTORE_OK);
    (void)keystore_get_del(client, &sample_key, &value);
    (void)keystore_set_request_id(client, keystore_text("id"));
    assert_error((int)keystore_set_request_id(client, (struct keystore_slice){long_id, 65}),
                 KEYSTORE_INVALID_ARGUMENT, "1 to 64 bytes (0: none), not 65");
    assert_error((int)keystore_set_request_id(client, (struct keystore_slice){NULL, 1}),
                 KEYSTORE_INVALID_ARGUMENT, "1 to 64 bytes");
    (void)keystore_get_del(client, &sample_key, &value);
    assert_int_equal(keystore_set_request_id(client, (struct keystore_slice){long_id, 64}),
                     KEYSTORE_OK);
    (void)keystore_get_del(client, &sample_key, &value);
    assert_int_equal(keystore_set_request_id(NULL, keystore_text("id")), KEYSTORE_INVALID_ARGUMENT);
    finish();
    assert_int_equal(server.seen.started, 8);
    assert_string_equal(id_seen(0), "aWQ");
    for (size_t i = 1; i < 7; i++)
        assert_string_equal(id_seen(i), "");
    assert_int_equal(strlen(id_seen(7)), 86);
    fake_server_deinit(&server);
}

/* The client is connected by a server that is away for a while, and its call is repeated. */
static void calls_are_repeated_if_wanted(void **state)
{
    (void)state;
    struct keystore_error error;
    struct keystore_status status;
    static const struct ng_answer answers[] = {
        {.behaviour = NG_SILENT, .close_after = true},
        {.grpc_status = "14"},
        {.grpc_status = "0", .body = SLICE_LITERAL("\0\0\0\0\2\x10\1")},
    };
    server.script = (struct ng_script){.answers = answers, .count = 3};
    start(NULL, &(struct keystore_options){.max_retries = 5});
    assert_int_equal(keystore_set(client, &sample_key_value, &status), KEYSTORE_OK);
    assert_int_equal(status.count, 1);
    finish();
    assert_int_equal(server.seen.started, 3);
    assert_string_equal(id_seen(0), id_seen(2));
    assert_null(keystore_connect(
        server.address, &(struct keystore_options){.max_retries = 2, .timeout_ms = 10}, &error));
    assert_non_null(strstr(error.message, "(after 3 attempts)"));
    fake_server_deinit(&server);
}

#define REFUSES_NULL(function, name, takes, gives)                                                 \
    {                                                                                              \
        struct keystore_##gives answer;                                                            \
        memset(&answer, 0xff, sizeof answer);                                                      \
        assert_int_equal(keystore_##function(NULL, &sample_##takes, &answer),                      \
                         KEYSTORE_INVALID_ARGUMENT);                                               \
        empty_##gives(&answer);                                                                    \
        memset(&answer, 0xff, sizeof answer);                                                      \
        assert_error((int)keystore_##function(client, NULL, &answer), KEYSTORE_INVALID_ARGUMENT,   \
                     "request is NULL");                                                           \
        empty_##gives(&answer);                                                                    \
        assert_error((int)keystore_##function(client, &sample_##takes, NULL),                      \
                     KEYSTORE_INVALID_ARGUMENT, "answer is NULL");                                 \
    }

static void null_arguments(void **state)
{
    (void)state;
    start(NULL, NULL);
#define OPERATION(kind, method, request, reply, access, category, keys, apply, call, ...)          \
    REFUSES_NULL(call, #method, request, reply)
#include "store/operations.def"
#undef OPERATION
    OTHERS(REFUSES_NULL)
    assert_int_equal(keystore_last_error(NULL)->code, KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_text(NULL).len, 0);
    assert_null(keystore_connect(NULL, NULL, NULL));
    finish();
    assert_int_equal(server.seen.started, 0);
    fake_server_deinit(&server);
}

/* A length or count without what it counts, at each place of a request. */
static void missing_parts_of_requests(void **state)
{
    (void)state;
    struct keystore_value value;
    struct keystore_values values;
    struct keystore_status status;
    struct keystore_txn_reply reply;
    struct keystore_info_reply info;
    const struct keystore_slice nothing = {NULL, 3};
    const struct keystore_op op = {.kind = KEYSTORE_OP_GET, .request.key = {.key = nothing}};
    const struct keystore_condition condition = {.match_value = true, .value = nothing};
    const char *const section[] = {NULL};
    start(NULL, NULL);
#define MISSING(function, takes, answer, ...)                                                      \
    assert_error(                                                                                  \
        (int)keystore_##function(client, &(struct keystore_##takes){__VA_ARGS__}, answer),         \
        KEYSTORE_INVALID_ARGUMENT, "NULL, but its length or count")
    MISSING(get, key, &value, .key = nothing);
    MISSING(delete, key, &status, .condition = &condition);
    MISSING(set, key_value, &status, .value = nothing);
    MISSING(mget, keys, &values, .count = 1);
    MISSING(mget, keys, &values, .keys = &nothing, .count = 1);
    MISSING(mset, key_values, &status, .count = 1);
    MISSING(rpush, list_insert, &status, .count = SIZE_MAX);
    MISSING(txn, txn_request, &reply, .compare_count = 1);
    MISSING(txn, txn_request, &reply, .success_count = 1);
    MISSING(txn, txn_request, &reply, .failure = &op, .failure_count = 1);
    MISSING(info, info_request, &info, .count = 1);
    MISSING(info, info_request, &info, .sections = section, .count = 1);
#undef MISSING
    finish();
    assert_int_equal(server.seen.started, 0);
    fake_server_deinit(&server);
}

static void timeouts_beyond_all_clocks(void **state)
{
    (void)state;
    Keystore__V1__Value wire = KEYSTORE__V1__VALUE__INIT;
    wire.found = true;
    start(&wire.base,
          &(struct keystore_options){.connect_timeout_ms = INT64_MAX, .timeout_ms = INT64_MAX - 1});
    struct keystore_key key = {.key = keystore_text("k")};
    struct keystore_value value;
    assert_int_equal(keystore_get(client, &key, &value), KEYSTORE_OK);
    finish();
    fake_server_deinit(&server);
}

/* What the child of a fork finds; 0 if all is as it should be. */
static int use_after_fork(const char *address)
{
    struct keystore_key key = {.key = keystore_text("k")};
    struct keystore_value value;
    struct keystore_error error;
    if (keystore_get(client, &key, &value) != KEYSTORE_FAILED_PRECONDITION ||
        strstr(keystore_last_error(client)->message, "fork") == NULL)
        return 1;
    keystore_close(client);
    struct keystore_client *own = keystore_connect(address, NULL, &error);
    if (own == NULL)
        return 2;
    int code = keystore_get(own, &key, &value) == KEYSTORE_OK ? 0 : 3;
    keystore_close(own);
    return code;
}

static void a_client_belongs_to_its_process(void **state)
{
    (void)state;
    Keystore__V1__Value wire = KEYSTORE__V1__VALUE__INIT;
    wire.found = true;
    start(&wire.base, NULL);
    struct fake_server other = {.script = {.answers = &script, .count = 1}};
    fake_server_start(&other);
    pid_t child = fork();
    if (child == 0)
        _exit(use_after_fork(other.address));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct keystore_key key = {.key = keystore_text("k")};
    struct keystore_value value;
    assert_int_equal(keystore_get(client, &key, &value), KEYSTORE_OK);
    finish();
    fake_server_stop(&other);
    assert_int_equal(server.seen.started, 1);
    assert_int_equal(server.accepted, 1);
    assert_int_equal(other.seen.started, 1);
    fake_server_deinit(&server);
    fake_server_deinit(&other);
}

/* A call whose request and answer have many parts. */
static enum keystore_code call_with_parts(void)
{
    struct keystore_txn_reply reply;
    enum keystore_code code = keystore_txn(client, &sample_txn_request, &reply);
    if (code == KEYSTORE_OK)
        got_txn_reply(&reply);
    else
        assert_int_equal(reply.count, 0);
    return code;
}

/* A call whose request and answer need memory of their own. */
static enum keystore_code call_with_much(void)
{
    static uint8_t much[150000];
    struct keystore_key key = {.key = {much, sizeof much}};
    struct keystore_value value;
    enum keystore_code code = keystore_get(client, &key, &value);
    assert_int_equal(value.value.len, code == KEYSTORE_OK ? LARGE : 0);
    return code;
}

/* Several calls; returns how many met a lack of memory. */
static long call_several(enum keystore_code (*call)(void))
{
    long count = 0;
    for (int i = 0; i < 3; i++) {
        enum keystore_code code = call();
        if (code == KEYSTORE_OK)
            continue;
        assert_error((int)code, KEYSTORE_RESOURCE_EXHAUSTED, "out of memory");
        assert_string_equal(keystore_last_error(client)->reason, "");
        count++;
    }
    return count;
}

/* One life of a client in which allocations fail after so many. False if none did. */
static bool live_without_memory(long count, bool lasting, enum keystore_code (*call)(void))
{
    struct keystore_error error = {0};
    memory_fail_after(count, lasting);
    client = keystore_connect(server.address, NULL, &error);
    if (client == NULL) {
        assert_int_equal(error.code, KEYSTORE_RESOURCE_EXHAUSTED);
        assert_non_null(strstr(error.message, "out of memory"));
        assert_true(memory_recover() > 0);
        return true;
    }
    long reported = call_several(call), failures = memory_recover();
    /* Whatever has failed, the next call finds a client that works. */
    if (call() != KEYSTORE_OK)
        fail_msg("after %ld: %s", count, keystore_last_error(client)->message);
    keystore_close(client);
    /* No failure is swallowed, and none is reported that was not there. */
    assert_int_equal(reported > 0, failures > 0);
    return failures > 0;
}

static void fail_each_allocation(const ProtobufCMessage *message, enum keystore_code (*call)(void))
{
    start(message, NULL);
    keystore_close(client);
    for (int lasting = 0; lasting < 2; lasting++) {
        long count = 0;
        while (live_without_memory(count, lasting != 0, call))
            count++;
        assert_true(count > 50);
    }
    fake_server_stop(&server);
    fake_server_deinit(&server);
}

static void each_allocation_fails_in_turn(void **state)
{
    (void)state;
    fail_each_allocation(&wire_txn_reply.base, call_with_parts);
}

static void each_allocation_of_large_calls_fails_in_turn(void **state)
{
    (void)state;
    static uint8_t large[LARGE];
    Keystore__V1__Value wire = KEYSTORE__V1__VALUE__INIT;
    wire.found = true;
    wire.value = (ProtobufCBinaryData){.len = LARGE, .data = large};
    fail_each_allocation(&wire.base, call_with_much);
}

/* What the client asks for at once is refused; smaller parts are not. */
static void an_answer_larger_than_memory(void **state)
{
    (void)state;
    static uint8_t large[CALL_PREFIX_SIZE + (1 << 20)];
    struct keystore_key key = {.key = keystore_text("k")};
    struct keystore_value value;
    call_write_prefix(large, sizeof large - CALL_PREFIX_SIZE);
    script.body = slice_make(large, sizeof large);
    start(NULL, NULL);
    memory_largest = 1 << 16;
    assert_error((int)keystore_get(client, &key, &value), KEYSTORE_RESOURCE_EXHAUSTED,
                 "out of memory");
    memory_largest = SIZE_MAX;
    assert_error((int)keystore_get(client, &key, &value), KEYSTORE_INTERNAL, "not a valid message");
    finish();
    assert_int_equal(server.accepted, 1);
    fake_server_deinit(&server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#define LISTED(function, name, takes, gives) TEST(calls_##function),

int main(void)
{
    const struct CMUnitTest tests[] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, call, ...)          \
    LISTED(call, #method, request, reply)
#include "store/operations.def"
#undef OPERATION
        OTHERS(LISTED) /* one each */
        TEST(calls_of_every_kind),
        TEST(a_kind_that_is_none),
        TEST(no_method_is_forgotten),
        TEST(waiting_prolongs_the_timeout),
        TEST(an_answer_can_be_sent_back),
        TEST(errors_zero_the_answer),
        TEST(operations_that_write_have_ids),
        TEST(request_ids_of_the_program),
        TEST(calls_are_repeated_if_wanted),
        TEST(garbage_in_the_answer),
        TEST(options_are_heard),
        TEST(bad_target_and_nobody_there),
        TEST(null_arguments),
        TEST(missing_parts_of_requests),
        TEST(timeouts_beyond_all_clocks),
        TEST(a_client_belongs_to_its_process),
        TEST(each_allocation_fails_in_turn),
        TEST(each_allocation_of_large_calls_fails_in_turn),
        TEST(an_answer_larger_than_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
