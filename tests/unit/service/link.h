/*
 * A client and a service with the wire between them in memory, and an engine that answers when the
 * test says so. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_LINK_H
#define KEYSTORE_TESTS_LINK_H

#include "base/activity.h"
#include "base/arena.h"
#include "base/chain.h"
#include "engine/embedded.h"
#include "grpc/server.h"
#include "service/info.h"
#include "service/messages.h"
#include "service/service.h"
#include "store/store.h"
#include "support/ng_call.h"

#include <stdio.h>

#define MAX_VALUE   ((size_t)1000)
#define MAX_ANSWER  ((size_t)1100)
#define MAX_PENDING 64
#define NOW_MS      1000

/* An engine whose tasks wait for slow_finish(). */
struct slow_engine {
    struct engine engine; /* first */
    char key[64];         /* of the newest task; its own bytes may be gone */
    char value[64];
    struct engine_task *prepared[MAX_PENDING]; /* that were not submitted yet */
    size_t prepared_count;
    size_t batches;
    struct engine_task *pending[MAX_PENDING];
    size_t count;
    struct engine_task *cancelled[MAX_PENDING];
    size_t cancelled_count;
};

/* What Info tells here. */
static inline void link_write_one(void *user, struct info_writer *writer)
{
    info_put(writer, "number", "%d", *(int *)user);
}

static inline void link_write_two(void *user, struct info_writer *writer)
{
    (void)user;
    info_put(writer, "empty", "%s", "");
    info_put(writer, "text", "a%sc", "b");
}

static int link_number = 42;
static const struct info_section link_sections[] = {{"one", link_write_one},
                                                    {"two", link_write_two}};
static const struct info_source link_info = {
    .sections = link_sections, .count = 2, .user = &link_number};

/* A client and a server with the wire between them. */
struct link {
    struct engine *engine;
    struct service *service;
    struct grpc_server *grpc;
    struct grpc_connection *server;
    struct chain out; /* what feeds have brought */
    struct ng_client *client;
    int outputs; /* times that the server said that it has output */
};

static inline void slow_prepare(struct engine *engine, struct engine_task **tasks, size_t count)
{
    struct slow_engine *slow = (struct slow_engine *)engine;
    assert_int_equal(slow->prepared_count, 0);
    assert_true(count > 0 && count <= MAX_PENDING);
    memcpy(slow->prepared, tasks, count * sizeof tasks[0]);
    for (size_t i = 0; i < count; i++) { /* their keys are there */
        for (size_t k = 0; k < tasks[i]->op.key.len; k++)
            assert_int_not_equal(tasks[i]->op.key.data[k], 0);
    }
    slow->prepared_count = count;
    slow->batches++;
}

static inline enum engine_answer slow_submit(struct engine *engine, struct engine_task *task)
{
    struct slow_engine *slow = (struct slow_engine *)engine;
    assert_true(slow->count < MAX_PENDING);
    slow->pending[slow->count++] = task;
    if (slow->prepared_count > 0) { /* what was prepared comes, in that order */
        assert_ptr_equal(slow->prepared[0], task);
        slow->prepared_count--;
        memmove(slow->prepared, slow->prepared + 1, slow->prepared_count * sizeof(task));
    }
    snprintf(slow->key, sizeof slow->key, "%.*s", (int)task->op.key.len,
             (const char *)task->op.key.data);
    snprintf(slow->value, sizeof slow->value, "%.*s", (int)task->op.value.len,
             (const char *)task->op.value.data);
    return ENGINE_PENDING;
}

static inline enum engine_answer slow_save(struct engine *engine, struct engine_task *task,
                                           bool wait)
{
    task->result = (struct op_result){.ok = true};
    return wait ? slow_submit(engine, task) : ENGINE_DONE;
}

static inline struct engine_task *slow_take(struct slow_engine *slow,
                                            const struct engine_task *task)
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

static inline void slow_cancel(struct engine *engine, struct engine_task *task)
{
    struct slow_engine *slow = (struct slow_engine *)engine;
    slow->cancelled[slow->cancelled_count++] = slow_take(slow, task);
}

/* Answers a pending Get with the value. */
static inline void slow_finish(struct slow_engine *slow, struct engine_task *task,
                               const char *value)
{
    slow_take(slow, task);
    task->result = (struct op_result){
        .value = {.bytes = arena_copy(task->arena, slice_from_string(value)), .found = true}};
    task->on_done(task);
}

static inline void link_on_output(void *user)
{
    struct link *link = user;
    link->outputs++;
}

/* A waker for tests that resume the service themselves. */
static inline void link_ignore_wake(void *user)
{
    (void)user;
}

/* Of the links that are made from now on. */
static struct waker link_waker;
static struct offload *link_offload;
static struct channels *link_channels;
static struct clients *link_clients;
static const struct settings_source *link_settings;
static struct ng_options link_client;
static struct activity_worker *link_activity;
static struct protoset *link_protoset;
static const struct health *link_health;
static struct access_source *link_access;
static struct sessions *link_sessions;
static struct authenticator *link_authenticator;
static struct quota_share link_quota;

static inline void link_connect(struct link *link, const struct ng_options *options)
{
    link->server = grpc_connection_new(link->grpc, link_on_output, link, NOW_MS);
    link->client = ng_client_new(options);
}

/* What the client has received is gone, too. */
static inline void link_disconnect(struct link *link)
{
    ng_client_free(link->client);
    grpc_connection_free(link->server);
}

static inline void *link_new(struct engine *engine, const struct info_source *info)
{
    struct link *link = calloc(1, sizeof *link);
    struct grpc_limits limits = grpc_limits_for(MAX_VALUE, &http2_default_limits);
    link->engine = engine;
    link->service = service_new(&(struct service_options){.engine = engine,
                                                          .activity = link_activity,
                                                          .waker = link_waker,
                                                          .info = info,
                                                          .offload = link_offload,
                                                          .channels = link_channels,
                                                          .clients = link_clients,
                                                          .settings = link_settings,
                                                          .protoset = link_protoset,
                                                          .health = link_health,
                                                          .access = link_access,
                                                          .sessions = link_sessions,
                                                          .authenticator = link_authenticator,
                                                          .quota = link_quota,
                                                          .max_value = MAX_VALUE,
                                                          .max_answer = MAX_ANSWER});
    link->grpc = grpc_server_new(&limits, service_grpc(link->service));
    link_connect(link, &link_client);
    return link;
}

static inline void link_free(struct link *link)
{
    link_disconnect(link);
    grpc_server_free(link->grpc);
    chain_deinit(&link->out);
    service_free(link->service);
    free(link);
}

static inline int embedded_setup(void **state)
{
    *state = link_new(embedded_new(&(struct store_options){.databases = 16}, 1), &link_info);
    return 0;
}

static inline int embedded_teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    link_free(link);
    embedded_free(engine);
    return 0;
}

static inline int slow_setup(void **state)
{
    struct slow_engine *slow = calloc(1, sizeof *slow);
    slow->engine = (struct engine){.prepare = slow_prepare,
                                   .submit = slow_submit,
                                   .save = slow_save,
                                   .cancel = slow_cancel,
                                   .databases = 16};
    *state = link_new(&slow->engine, &link_info);
    return 0;
}

static inline int slow_teardown(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = (struct slow_engine *)link->engine;
    link_free(link);
    assert_int_equal(slow->count, 0);
    free(slow);
    return 0;
}

static inline struct slow_engine *slow_of(struct link *link)
{
    return (struct slow_engine *)link->engine;
}

/* Feeds bytes to the server, which are gone afterwards. */
static inline void link_feed(struct link *link, struct buf *wire)
{
    assert_true(grpc_connection_feed(link->server, buf_slice(wire), &link->out, NOW_MS));
    memset(wire->data, 0xee, wire->len);
    wire->len = 0;
}

/* Carries bytes to the server in memory that is gone afterwards. */
static inline bool link_to_server(struct link *link)
{
    struct buf wire;
    buf_init(&wire, SIZE_MAX);
    ng_client_output(link->client, &wire);
    bool any = wire.len > 0;
    if (any)
        link_feed(link, &wire);
    buf_deinit(&wire);
    return any;
}

static inline bool link_to_client(struct link *link)
{
    struct chain_cursor cursor = {0};
    struct iovec piece;
    grpc_connection_pull(link->server, &link->out, NOW_MS);
    bool any = chain_length(&link->out) > 0;
    while (chain_pieces(&link->out, cursor, &piece, 1) == 1) {
        ng_client_input(link->client, slice_make(piece.iov_base, piece.iov_len));
        chain_skip(&link->out, &cursor, piece.iov_len);
    }
    chain_clear(&link->out, 0);
    return any;
}

/* Carries bytes until both sides have nothing to say. */
static inline void link_exchange(struct link *link)
{
    bool any = true;
    while (any) {
        any = link_to_server(link);
        any |= link_to_client(link);
    }
}

/* What a worker does when it is woken. */
static inline void link_resume(struct link *link)
{
    service_resume(link->service);
    link_exchange(link);
}

static inline void link_resume_until_closed(struct link *link, const struct ng_stream *call)
{
    while (!call->closed)
        link_resume(link);
}

/* Sends the message and carries the bytes; the call is over if the engine answered at once. */
static inline struct ng_stream *link_call(struct link *link, const char *path, const void *message)
{
    struct slice packed = message_pack(message);
    struct ng_stream *made = ng_call(link->client, path, packed);
    message_free_packed(packed);
    link_exchange(link);
    return made;
}

static inline struct ng_stream *link_call_key(struct link *link, const char *path, const char *key)
{
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    message.key = message_text(key);
    return link_call(link, path, &message);
}

static inline struct ng_stream *link_call_set(struct link *link, const char *key,
                                              struct slice value)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    message.key = message_text(key);
    message.value = message_bytes(value);
    return link_call(link, "/keystore.v1.KeyStore/Set", &message);
}

/* RPush of one element. */
static inline struct ng_stream *link_call_push(struct link *link, const char *key, const char *text)
{
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    ProtobufCBinaryData value = message_text(text);
    message.key = message_text(key);
    message.values = &value;
    message.n_values = 1;
    return link_call(link, "/keystore.v1.KeyStore/RPush", &message);
}

/* The call ended with a Value of that text; NULL = not found. */
static inline void assert_value(const struct ng_stream *made, const char *text)
{
    struct slice reply = ng_call_reply(made);
    Keystore__V1__Value *value = keystore__v1__value__unpack(NULL, reply.len, reply.data);
    assert_non_null(value);
    assert_int_equal(value->found, text != NULL);
    assert_bytes_are(value->value, text != NULL ? text : "");
    keystore__v1__value__free_unpacked(value, NULL);
}

static inline void assert_status(const struct ng_stream *made, bool ok, int64_t count)
{
    struct slice reply = ng_call_reply(made);
    Keystore__V1__Status *status = keystore__v1__status__unpack(NULL, reply.len, reply.data);
    assert_non_null(status);
    assert_int_equal(status->ok, ok);
    assert_int_equal(status->count, count);
    keystore__v1__status__free_unpacked(status, NULL);
}

#define EMBEDDED(function)                                                                         \
    cmocka_unit_test_setup_teardown(function, embedded_setup, embedded_teardown)
#define SLOW(function) cmocka_unit_test_setup_teardown(function, slow_setup, slow_teardown)

#endif
