/*
 * The public calls: pack the request, call, unpack the answer into memory that the client keeps
 * until its next call. Refuses to know HTTP/2 and sockets.
 */
#include "keystore/client.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/channel.h"
#include "client/messages.h"
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

static enum keystore_code call_for_status(struct keystore_client *client, const char *path,
                                          bool packed, struct keystore_status *answer)
{
    *answer = (struct keystore_status){0};
    enum keystore_code code = call(client, path, packed);
    if (code != KEYSTORE_OK)
        return code;
    return finish(client,
                  messages_unpack_status(buf_slice(&client->answer), &client->arena, answer));
}

static enum keystore_code call_for_value(struct keystore_client *client, const char *path,
                                         bool packed, struct keystore_value *answer)
{
    *answer = (struct keystore_value){0};
    enum keystore_code code = call(client, path, packed);
    if (code != KEYSTORE_OK)
        return code;
    return finish(client,
                  messages_unpack_value(buf_slice(&client->answer), &client->arena, answer));
}

enum keystore_code keystore_set(struct keystore_client *client,
                                const struct keystore_key_value *request,
                                struct keystore_status *answer)
{
    bool packed = messages_pack_key_value(begin(client), request);
    return call_for_status(client, "/keystore.v1.KeyStore/Set", packed, answer);
}

enum keystore_code keystore_get(struct keystore_client *client, const struct keystore_key *request,
                                struct keystore_value *answer)
{
    bool packed = messages_pack_key(begin(client), request);
    return call_for_value(client, "/keystore.v1.KeyStore/Get", packed, answer);
}

enum keystore_code keystore_delete(struct keystore_client *client,
                                   const struct keystore_key *request,
                                   struct keystore_status *answer)
{
    bool packed = messages_pack_key(begin(client), request);
    return call_for_status(client, "/keystore.v1.KeyStore/Delete", packed, answer);
}

enum keystore_code keystore_lpush(struct keystore_client *client,
                                  const struct keystore_list_insert *request,
                                  struct keystore_status *answer)
{
    bool packed = messages_pack_list_insert(begin(client), &client->arena, request);
    return call_for_status(client, "/keystore.v1.KeyStore/LPush", packed, answer);
}

enum keystore_code keystore_lrange(struct keystore_client *client,
                                   const struct keystore_list_range *request,
                                   struct keystore_list *answer)
{
    bool packed = messages_pack_list_range(begin(client), request);
    *answer = (struct keystore_list){0};
    enum keystore_code code = call(client, "/keystore.v1.KeyStore/LRange", packed);
    if (code != KEYSTORE_OK)
        return code;
    return finish(client, messages_unpack_list(buf_slice(&client->answer), &client->arena, answer));
}

enum keystore_code keystore_lpop(struct keystore_client *client, const struct keystore_key *request,
                                 struct keystore_value *answer)
{
    bool packed = messages_pack_key(begin(client), request);
    return call_for_value(client, "/keystore.v1.KeyStore/LPop", packed, answer);
}
