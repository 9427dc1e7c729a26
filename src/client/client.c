/*
 * The public calls: pack the request, send it, unpack the answer into memory that the client keeps
 * until its next call. Does not know HTTP/2 and sockets.
 */
#include "client/client.h"

#include "base/clock.h"
#include "client/replies.h"
#include "client/resolve.h"
#include "client/status.h"
#include "client/tls.h"

#include "mini_redis.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define DEFAULT_CONNECT_TIMEOUT_MS 5000
#define DEFAULT_TIMEOUT_MS         30000
#define DEFAULT_MAX_MESSAGE        ((size_t)65 << 20)

/* Maximum memory of each buffer that is kept between calls. */
#define KEPT_BYTES ((size_t)64 << 10)

/* The number of forks between this process and the one that loaded the library. */
static atomic_uint generation;

static void client_on_fork_in_child(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
    resolve_after_fork();
}

static void client_watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, client_on_fork_in_child);
}

static struct channel_limits client_limits_of(const struct keystore_options *options)
{
    struct channel_limits limits = {
        .connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS,
        .call_timeout_ms = DEFAULT_TIMEOUT_MS,
        .max_message = DEFAULT_MAX_MESSAGE,
        .cancel_fd = -1,
    };
    if (options == NULL)
        return limits;
    if (options->connect_timeout_ms > 0)
        limits.connect_timeout_ms = options->connect_timeout_ms;
    if (options->timeout_ms != 0)
        limits.call_timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : INT64_MAX;
    if (options->max_message > 0)
        limits.max_message = options->max_message;
    if (options->cancel_fd > 0)
        limits.cancel_fd = options->cancel_fd;
    return limits;
}

/* NULL without memory; `tls` is then freed. */
static struct keystore_client *client_new(const struct target *target,
                                          const struct keystore_options *options, struct tls *tls)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct channel_limits limits = client_limits_of(options);
    limits.tls = tls;
    struct keystore_client *client = calloc(1, sizeof *client);
    if (client != NULL)
        client->channel = channel_new(target, &limits);
    if (client == NULL || client->channel == NULL) {
        tls_free(tls);
        free(client);
        return NULL;
    }
    if (options != NULL && !channel_set_token(client->channel, options->token)) {
        channel_free(client->channel);
        free(client);
        return NULL;
    }
    buffer_init(&client->request, CLIENT_REQUEST_LIMIT);
    client->max_message = limits.max_message;
    buffer_init(&client->answer, limits.max_message);
    pool_init(&client->pool);
    client->retry.max_retries = options != NULL ? options->max_retries : 0;
    pthread_once(&once, client_watch_forks);
    client->holders = 1;
    client->generation = atomic_load_explicit(&generation, memory_order_relaxed);
    return client;
}

struct keystore_client *keystore_connect(const char *target, const struct keystore_options *options,
                                         struct keystore_error *error)
{
    struct target parsed;
    struct keystore_error ignored;
    int64_t timeout_ms = client_limits_of(options).connect_timeout_ms;
    int64_t deadline_ms = channel_deadline_in(clock_monotonic_ms(), timeout_ms);
    if (error == NULL)
        error = &ignored;
    if (!target_parse(target, &parsed, error))
        return NULL;
    struct tls *tls = NULL;
    if (options != NULL && options->tls != NULL &&
        (tls = tls_new(options->tls, &parsed, error)) == NULL)
        return NULL;
    struct keystore_client *client = client_new(&parsed, options, tls);
    if (client == NULL) {
        status_out_of_memory(error, "the client was not created");
        return NULL;
    }
    if (!retry_connect(&client->retry, client->channel, deadline_ms, error)) {
        keystore_close(client);
        return NULL;
    }
    return client;
}

void keystore_close(struct keystore_client *client)
{
    if (client == NULL)
        return;
    channel_free(client->channel);
    client->channel = NULL;
    buffer_deinit(&client->request);
    buffer_deinit(&client->answer);
    pool_deinit(&client->pool);
    client_release(client);
}

bool keystore_set_token(struct keystore_client *client, const char *token)
{
    return client != NULL && channel_set_token(client->channel, token);
}

struct keystore_client *client_hold(struct keystore_client *client)
{
    client->holders++;
    return client;
}

void client_release(struct keystore_client *client)
{
    if (--client->holders == 0)
        free(client);
}

const struct keystore_error *keystore_last_error(const struct keystore_client *client)
{
    static const struct keystore_error none = {
        .code = KEYSTORE_INVALID_ARGUMENT,
        .message = "the client is NULL",
    };
    return client != NULL ? &client->error : &none;
}

int keystore_descriptor(const struct keystore_client *client)
{
    return client != NULL ? channel_descriptor(client->channel) : -1;
}

enum keystore_code keystore_set_request_id(struct keystore_client *client, struct keystore_slice id)
{
    if (client == NULL)
        return keystore_last_error(NULL)->code;
    client->retry.id_len = 0;
    if (id.len > RETRY_MAX_ID || (id.data == NULL && id.len > 0)) {
        status_set(&client->error, KEYSTORE_INVALID_ARGUMENT,
                   "a request id has 1 to %d bytes (0: none), not %zu", RETRY_MAX_ID, id.len);
        return client->error.code;
    }
    if (id.len > 0)
        memcpy(client->retry.id, id.data, id.len);
    client->retry.id_len = id.len;
    return KEYSTORE_OK;
}

bool client_is_ours(unsigned of, struct keystore_error *error)
{
    if (of == atomic_load_explicit(&generation, memory_order_relaxed))
        return true;
    status_set(error, KEYSTORE_FAILED_PRECONDITION,
               "this client belongs to the parent process: connect a new one after fork()");
    return false;
}

bool client_check(struct keystore_client *client, const void *request, const void *answer)
{
    if (client == NULL)
        return false;
    if (request == NULL || answer == NULL) {
        status_set(&client->error, KEYSTORE_INVALID_ARGUMENT, "the %s is NULL",
                   request == NULL ? "request" : "answer");
        return false;
    }
    return client_is_ours(client->generation, &client->error);
}

/* The last answer stays valid until then, because the request may refer to its slices. */
bool client_pack(struct buffer *out, const struct request_builder *builder, const void *message,
                 struct keystore_error *error)
{
    out->len = 0;
    if (buffer_reserve(out, CALL_PREFIX_SIZE) == NULL) {
        status_out_of_memory(error, "the request was not sent");
        return false;
    }
    out->len = CALL_PREFIX_SIZE;
    if (!requests_pack(out, builder, message, error))
        return false;
    call_write_prefix(out->data, (uint32_t)(out->len - CALL_PREFIX_SIZE));
    return true;
}

/* A call that is not sent, because it is wrong. */
static enum keystore_code client_refuse(struct keystore_client *client)
{
    if (client != NULL)
        client->retry.id_len = 0; /* which was for this call */
    return keystore_last_error(client)->code;
}

/* A public call: its path, and how its messages are packed and unpacked. */
struct method {
    const char *path;
    enum retry_effect effect;
    void *(*pack)(struct request_builder *builder, const void *request);
    bool (*unpack)(struct slice bytes, struct pool *pool, void *answer);
    size_t answer_size;
    bool has_secret; /* the request is wiped when it has been sent */
};

/* Sends the packed request; on KEYSTORE_OK client->answer holds the answer's message. `wait_ms`
 * prolongs the timeout. */
static enum keystore_code client_call(struct keystore_client *client, const struct method *method,
                                      int64_t wait_ms, bool packed)
{
    pool_reset(&client->pool);
    if (!packed) {
        buffer_clear(&client->request, KEPT_BYTES);
        return client_refuse(client);
    }
    struct retry_call call = {
        .path = method->path,
        .effect = method->effect,
        .timeout_ms = channel_deadline_in(wait_ms, channel_call_timeout_ms(client->channel)),
        .request = buffer_slice(&client->request),
    };
    enum keystore_code code =
        retry_call(&client->retry, client->channel, &call, &client->answer, &client->error);
    if (method->has_secret)
        explicit_bzero(client->request.data, client->request.len);
    buffer_clear(&client->request, KEPT_BYTES);
    if (code != KEYSTORE_OK)
        buffer_clear(&client->answer, KEPT_BYTES);
    return code;
}

/* Frees the bytes of the answer, and sets the error if it could not be unpacked. */
static enum keystore_code client_finish(struct keystore_client *client, bool unpacked)
{
    buffer_clear(&client->answer, KEPT_BYTES);
    if (unpacked)
        return KEYSTORE_OK;
    bool failed = client->pool.failed;
    pool_reset(&client->pool);
    if (failed)
        status_out_of_memory(&client->error,
                             "the answer is lost, but the server has executed the call");
    else
        status_set(&client->error, KEYSTORE_INTERNAL,
                   "the server's answer is not a valid message for this call: check whether client "
                   "and server have the same version");
    return client->error.code;
}

static enum keystore_code client_call_method(struct keystore_client *client,
                                             const struct method *method, const void *request,
                                             void *answer)
{
    if (!client_check(client, request, answer)) {
        if (answer != NULL)
            memset(answer, 0, method->answer_size);
        return client_refuse(client);
    }
    struct request_builder builder = {.pool = &client->pool};
    const void *message = method->pack(&builder, request);
    bool packed = client_pack(&client->request, &builder, message, &client->error);
    memset(answer, 0, method->answer_size);
    enum keystore_code code = client_call(client, method, builder.wait_ms, packed);
    if (code != KEYSTORE_OK)
        return code;
    return client_finish(client,
                         method->unpack(buffer_slice(&client->answer), &client->pool, answer));
}

/* Defines a public call by its function, its path, its effect if it is repeated, and the structs of
 * its request and answer. */
#define CALL(function, path_, effect_, takes, gives)                                               \
    CALL_OF(function, path_, effect_, takes, gives, false)
#define SECRET_CALL(function, path_, effect_, takes, gives)                                        \
    CALL_OF(function, path_, effect_, takes, gives, true)
#define CALL_OF(function, path_, effect_, takes, gives, has_secret_)                               \
    static void *pack_##function(struct request_builder *builder, const void *request)             \
    {                                                                                              \
        return requests_##takes(builder, request);                                                 \
    }                                                                                              \
    static bool unpack_##function(struct slice bytes, struct pool *pool, void *answer)             \
    {                                                                                              \
        return replies_##gives(bytes, pool, answer);                                               \
    }                                                                                              \
    static const struct method method_##function = {                                               \
        path_,      effect_, pack_##function, unpack_##function, sizeof(struct keystore_##gives),  \
        has_secret_};                                                                              \
    enum keystore_code keystore_##function(struct keystore_client *client,                         \
                                           const struct keystore_##takes *request,                 \
                                           struct keystore_##gives *answer)                        \
    {                                                                                              \
        return client_call_method(client, &method_##function, request, answer);                    \
    }

#define SERVICE_STRING CLIENT_SERVICE
#define SERVICE_LIST   SERVICE_STRING
#define SERVICE_KEY    SERVICE_STRING
#define SERVICE_TXN    SERVICE_STRING
#define SERVICE_ADMIN  CLIENT_ADMIN_SERVICE

/* Operations that write take request ids. */
#define EFFECT_READ   RETRY_NONE
#define EFFECT_WRITE  RETRY_ONCE
#define EFFECT_GROW   RETRY_ONCE
#define EFFECT_ADJUST RETRY_ONCE

/* A call without a prototype in include/keystore/client.h does not compile; script/docs writes
 * them. */
#define OPERATION(kind, method, request, reply, access, category, keys, apply, function, ...)      \
    CALL(function, SERVICE_##category #method, EFFECT_##access, request, reply)
#include "store/operations.def"
#undef OPERATION

CALL(info, SERVICE_ADMIN "Info", RETRY_NONE, info_request, info_reply)
CALL(save, SERVICE_ADMIN "Save", RETRY_EACH_TIME, save_request, status)
CALL(config, SERVICE_ADMIN "Config", RETRY_NONE, config_request, config_reply)
CALL(set_config, SERVICE_ADMIN "SetConfig", RETRY_EACH_TIME, set_config_request, status)
CALL(kill_clients, SERVICE_ADMIN "KillClients", RETRY_EACH_TIME, kill_clients_request, status)
CALL(slow_log, SERVICE_ADMIN "SlowLog", RETRY_EACH_TIME, slow_log_request, slow_log_reply)
CALL(latency, SERVICE_ADMIN "Latency", RETRY_NONE, latency_request, latency_reply)
CALL(publish, CLIENT_SERVICE "Publish", RETRY_EACH_TIME, message, status)
SECRET_CALL(authenticate, CLIENT_AUTH_SERVICE "Authenticate", RETRY_NONE, authenticate_request,
            authenticate_reply)
CALL(who_am_i, CLIENT_AUTH_SERVICE "WhoAmI", RETRY_NONE, who_am_i_request, identity)
CALL(health, "/grpc.health.v1.Health/Check", RETRY_NONE, health_request, health_reply)

/* ---- by kind ---- */

/* The member of struct keystore_reply for a message. */
#define KIND_status      KEYSTORE_REPLY_STATUS
#define KIND_value       KEYSTORE_REPLY_VALUE
#define KIND_list_values KEYSTORE_REPLY_LIST
#define KIND_number      KEYSTORE_REPLY_NUMBER
#define KIND_values      KEYSTORE_REPLY_VALUES
#define KIND_key_info    KEYSTORE_REPLY_INFO
#define KIND_popped      KEYSTORE_REPLY_POPPED
#define KIND_positions   KEYSTORE_REPLY_POSITIONS
#define KIND_bit_fields  KEYSTORE_REPLY_BIT_FIELDS
#define KIND_lcs_reply   KEYSTORE_REPLY_LCS

/* Indexed by the field number in message Op, which is also the value of enum keystore_op_kind. */
static const struct {
    const struct method *method; /* NULL: unknown operation */
    enum keystore_reply_kind reply;
} operations[] = {
#define OPERATION(kind, method, request, reply, access, category, keys, apply, function, ...)      \
    [KEYSTORE__V1__OP__OP_##kind] = {&method_##function, KIND_##reply},
#define OPERATION_ALONE(...)
#include "store/operations.def"
#undef OPERATION
};
#define OPERATION_COUNT (sizeof operations / sizeof *operations)

enum keystore_reply_kind keystore_reply_kind_of(enum keystore_op_kind kind)
{
    return (size_t)kind < OPERATION_COUNT ? operations[kind].reply : KEYSTORE_REPLY_NONE;
}

enum keystore_code keystore_call(struct keystore_client *client, const struct keystore_op *op,
                                 struct keystore_reply *reply)
{
    if (reply != NULL)
        *reply = (struct keystore_reply){0};
    if (!client_check(client, op, reply))
        return client_refuse(client);
    reply->kind = keystore_reply_kind_of(op->kind);
    if (reply->kind == KEYSTORE_REPLY_NONE) {
        status_set(&client->error, KEYSTORE_INVALID_ARGUMENT,
                   "the operation's kind is %d, which is not in enum keystore_op_kind",
                   (int)op->kind);
        return client_refuse(client);
    }
    reply->id = op->id;
    return client_call_method(client, operations[op->kind].method, &op->request, &reply->answer);
}
