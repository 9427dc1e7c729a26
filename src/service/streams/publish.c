/* Checks the message, and makes one to be shared only if somebody subscribes to anything. */
#include "service/streams/publish.h"

#include "base/account.h"
#include "service/decode.h"
#include "service/error_text.h"
#include "service/field.h"
#include "service/identity.h"
#include "service/streams/channels.h"
#include "service/streams/host.h"
#include "service/streams/published.h"

static enum err publish_check(const struct stream_host *host, const Keystore__V1__Message *message,
                              struct arena *arena, const char **why)
{
    if (message->channel.len == 0)
        return field_refuse("channel: it is empty; a channel is 1 byte to 64 KiB", why);
    if (message->sequence != 0)
        return field_refuse("sequence: it means nothing for Publish; the server sets it for those "
                            "who subscribe",
                            why);
    if (message->missed != 0)
        return field_refuse("missed: it means nothing for Publish; the server sets it for those "
                            "who subscribe",
                            why);
    if (message->channel.len > OP_MAX_KEY)
        *why = error_text_format(arena, "channel: it has %zu bytes; a channel is 1 byte to 64 KiB",
                                 message->channel.len);
    else if (message->payload.len > host->limits.max_value)
        *why = error_text_format(arena, "payload: it is longer than the %zu bytes of --max-value",
                                 host->limits.max_value);
    else
        return ERR_NONE;
    return ERR_TOO_LARGE;
}

static enum err publish_send(struct channels *channels, const Keystore__V1__Message *message,
                             struct blob *holder, uint64_t *subscriptions, const char **why)
{
    struct slice channel = field_slice(message->channel), payload = field_slice(message->payload);
    size_t workers = channels_workers(channels);
    size_t memory = published_memory(channel, payload, holder, workers);
    if (!account_reserve(memory, holder != NULL ? blob_memory(holder) : 0)) {
        *why = account_full;
        return ERR_NO_CLIENT_MEMORY;
    }
    struct published *shared = published_new(channel, payload, holder, workers);
    if (shared == NULL) {
        account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)memory);
        *why = account_starved;
        return ERR_NO_CLIENT_MEMORY;
    }
    *subscriptions = channels_publish(channels, shared);
    published_release(shared);
    return ERR_NONE;
}

static enum err publish_permit(const struct grpc_principal *principal,
                               const Keystore__V1__Message *message, struct arena *arena,
                               const char **why)
{
    const struct access_need need = {.kinds = ACCESS_WRITE,
                                     .types = ACCESS_PUBSUB,
                                     .is_of_no_database = true,
                                     .key = field_slice(message->channel)};
    return identity_permit_need(principal, &need, "Publish", arena, why);
}

enum err publish(struct stream_host *host, const struct grpc_principal *principal,
                 struct slice bytes, struct blob *holder, struct arena *arena,
                 uint64_t *subscriptions, const char **why)
{
    void *decoded;
    *subscriptions = 0;
    if (host->channels == NULL) {
        *why = "this server does not serve Publish";
        return ERR_NOT_SERVED;
    }
    enum err err = decode_message(&keystore__v1__message__descriptor, bytes, arena, &decoded, why);
    if (err == ERR_NONE)
        err = publish_check(host, decoded, arena, why);
    if (err == ERR_NONE)
        err = publish_permit(principal, decoded, arena, why);
    if (err != ERR_NONE || !channels_has_subscriptions(host->channels))
        return err;
    return publish_send(host->channels, decoded, holder, subscriptions, why);
}
