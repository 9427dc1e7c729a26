/*
 * The public calls: pack the request, call, unpack the answer into memory that the client keeps
 * until its next call. Refuses to know HTTP/2 and sockets.
 */
#include "keystore/client.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/channel.h"
#include "client/replies.h"
#include "client/requests.h"
#include "client/status.h"

#include <stdlib.h>

#define DEFAULT_CONNECT_TIMEOUT_MS 5000
#define DEFAULT_TIMEOUT_MS         30000
#define DEFAULT_MAX_MESSAGE        ((size_t)65 << 20)

/* A request beyond this is refused here: servers take 64 MiB, and lengths must fit 32 bits. */
#define REQUEST_LIMIT ((size_t)1 << 30)

/* Memory that stays with a client between its calls. */
#define KEPT_BYTES ((size_t)64 << 10)

struct keystore_client {
    struct channel *channel;
    struct buf request; /* prefix and message */
    struct buf answer;  /* message */
    struct arena arena; /* what the last answer's slices point to */
    struct keystore_error error;
};

static struct channel_limits limits_of(const struct keystore_options *options)
{
    struct channel_limits limits = {
        .connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS,
        .call_timeout_ms = DEFAULT_TIMEOUT_MS,
        .max_message = DEFAULT_MAX_MESSAGE,
    };
    if (options == NULL)
        return limits;
    if (options->connect_timeout_ms > 0)
        limits.connect_timeout_ms = options->connect_timeout_ms;
    if (options->timeout_ms != 0)
        limits.call_timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : INT64_MAX;
    if (options->max_message > 0)
        limits.max_message = options->max_message;
    return limits;
}

struct keystore_client *keystore_connect(const char *target, const struct keystore_options *options,
                                         struct keystore_error *error)
{
    struct target parsed;
    if (!target_parse(target, &parsed, error))
        return NULL;
    struct channel_limits limits = limits_of(options);
    struct keystore_client *client = mem_alloc_zero(sizeof *client);
    client->channel = channel_new(&parsed, &limits);
    buf_init(&client->request, REQUEST_LIMIT);
    buf_init(&client->answer, limits.max_message);
    arena_init(&client->arena);
    if (!channel_connect(client->channel, error)) {
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
    buf_deinit(&client->request);
    buf_deinit(&client->answer);
    arena_deinit(&client->arena);
    free(client);
}

const struct keystore_error *keystore_last_error(const struct keystore_client *client)
{
    return &client->error;
}

/*
 * The buffer to pack the request into. The last answer stays valid until that is done, because its
 * slices may be what is sent.
 */
static struct buf *begin(struct keystore_client *client)
{
    client->request.len = 0;
    uint8_t *prefix = buf_reserve(&client->request, CALL_PREFIX_SIZE);
    if (prefix != NULL)
        client->request.len += CALL_PREFIX_SIZE;
    return &client->request;
}

/* Sends what was packed; on KEYSTORE_OK client->answer holds the answer's message. */
static enum keystore_code call(struct keystore_client *client, const char *path, bool packed)
{
    arena_reset(&client->arena);
    if (!packed) {
        status_set(&client->error, KEYSTORE_RESOURCE_EXHAUSTED,
                   "the request is larger than %zu bytes: send less at a time", REQUEST_LIMIT);
        return client->error.code;
    }
    call_write_prefix(client->request.data, (uint32_t)(client->request.len - CALL_PREFIX_SIZE));
    enum keystore_code code = channel_call(client->channel, path, buf_slice(&client->request),
                                           &client->answer, &client->error);
    buf_clear(&client->request, KEPT_BYTES);
    if (code != KEYSTORE_OK)
        buf_clear(&client->answer, KEPT_BYTES);
    return code;
}

/* The answer was unpacked, or not; gives its bytes back. */
static enum keystore_code finish(struct keystore_client *client, bool unpacked)
{
    buf_clear(&client->answer, KEPT_BYTES);
    if (unpacked)
        return KEYSTORE_OK;
    status_set(&client->error, KEYSTORE_INTERNAL,
               "the server's answer is not the message that the call should return: do client and "
               "server speak the same version?");
    return KEYSTORE_INTERNAL;
}

/* One public call: its function, its path, the struct that it takes and the one that it gives. */
#define CALL(function, path, takes, gives)                                                         \
    enum keystore_code keystore_##function(struct keystore_client *client,                         \
                                           const struct keystore_##takes *request,                 \
                                           struct keystore_##gives *answer)                        \
    {                                                                                              \
        const ProtobufCMessage *message = &requests_##takes(&client->arena, request)->base;        \
        bool packed = requests_pack(begin(client), message);                                       \
        *answer = (struct keystore_##gives){0};                                                    \
        enum keystore_code code = call(client, path, packed);                                      \
        if (code != KEYSTORE_OK)                                                                   \
            return code;                                                                           \
        return finish(client,                                                                      \
                      replies_##gives(buf_slice(&client->answer), &client->arena, answer));        \
    }

#define SERVICE "/keystore.v1.KeyStore/"
#define ADMIN   "/keystore.v1.KeyStoreAdmin/"

CALL(set, SERVICE "Set", key_value, status)
CALL(get, SERVICE "Get", key, value)
CALL(delete, SERVICE "Delete", key, status)
CALL(lpush, SERVICE "LPush", list_insert, status)
CALL(lrange, SERVICE "LRange", list_range, list)
CALL(lpop, SERVICE "LPop", key, value)

CALL(mget, SERVICE "MGet", keys, values)
CALL(mset, SERVICE "MSet", key_values, status)
CALL(incr, SERVICE "Incr", increment, number)
CALL(append, SERVICE "Append", key_value, status)
CALL(get_range, SERVICE "GetRange", byte_range, value)
CALL(set_range, SERVICE "SetRange", byte_range, status)
CALL(get_del, SERVICE "GetDel", key, value)
CALL(get_ex, SERVICE "GetEx", expire_request, value)

CALL(exists, SERVICE "Exists", keys, status)
CALL(delete_many, SERVICE "DeleteMany", keys, status)
CALL(touch, SERVICE "Touch", keys, status)
CALL(describe, SERVICE "Describe", key, key_info)
CALL(expire, SERVICE "Expire", expire_request, status)
CALL(rename, SERVICE "Rename", copy_request, status)
CALL(copy, SERVICE "Copy", copy_request, status)
CALL(random_key, SERVICE "RandomKey", db_request, key)

CALL(rpush, SERVICE "RPush", list_insert, status)
CALL(rpop, SERVICE "RPop", key, value)
CALL(list_pop, SERVICE "ListPop", pop_request, popped)
CALL(lmove, SERVICE "LMove", move_request, value)
CALL(lindex, SERVICE "LIndex", list_item, value)
CALL(lset, SERVICE "LSet", list_item, status)
CALL(linsert, SERVICE "LInsert", list_item, status)
CALL(lrem, SERVICE "LRem", list_find, status)
CALL(lpos, SERVICE "LPos", list_find, positions)
CALL(ltrim, SERVICE "LTrim", list_range, status)

CALL(txn, SERVICE "Txn", txn_request, txn_reply)

CALL(info, ADMIN "Info", info_request, info_reply)
CALL(save, ADMIN "Save", save_request, status)
CALL(flush_db, ADMIN "FlushDb", db_request, status)
