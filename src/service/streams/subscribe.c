/*
 * A stream keeps what waits for it in a ring of references to deliveries, which it shares with the
 * other subscriptions of its worker. A ring that has grown is freed when nothing waits.
 */
#include "service/streams/subscribe.h"

#include "base/account.h"
#include "base/check.h"
#include "base/mem.h"
#include "grpc/message.h"
#include "grpc/server.h"
#include "service/decode.h"
#include "service/error_text.h"
#include "service/field.h"
#include "service/identity.h"
#include "service/streams/channels.h"
#include "service/streams/host.h"
#include "service/streams/published.h"
#include "service/streams/selector.h"

#include <stdlib.h>

/* Messages of a ring within the stream. */
#define OWN_CAPACITY 8

static const char stopping[] =
    "the server, or this connection, is shutting down; connect again and subscribe again";

/* A message that waits. */
struct subscribe_entry {
    struct published_delivery *delivery;
    uint64_t missed; /* messages before it, after the one before in the ring */
};

struct subscribe {
    struct channels_subscription subscription; /* first: it is found by it */
    struct stream_host *host;
    struct grpc_call *call;
    struct subscribe_entry own[OWN_CAPACITY], *ring; /* `own`, or a larger one */
    size_t capacity, first, count; /* of the ring; the capacity is a power of two */
    size_t bytes;                  /* that wait */
    uint64_t missed;               /* messages after the last one in the ring */
    size_t counted;                /* bytes of the account, for channels and patterns */
    bool has_request;
};

/* ---- what waits ---- */

static size_t subscribe_weight(const struct published_delivery *delivery)
{
    return published_size(delivery->message, 0) + SUBSCRIBE_OVERHEAD;
}

static struct subscribe_entry *subscribe_at(struct subscribe *subscribe, size_t index)
{
    return &subscribe->ring[(subscribe->first + index) & (subscribe->capacity - 1)];
}

/* The ring is empty, or was copied. */
static void subscribe_reset_ring(struct subscribe *subscribe)
{
    if (subscribe->ring != subscribe->own)
        free(subscribe->ring);
    subscribe->ring = subscribe->own;
    subscribe->capacity = OWN_CAPACITY;
    subscribe->first = 0;
}

/* Removes the first message from the ring; the caller leaves it. */
static struct subscribe_entry subscribe_pop(struct subscribe *subscribe)
{
    DCHECK(subscribe->count > 0);
    struct subscribe_entry entry = *subscribe_at(subscribe, 0);
    subscribe->first = (subscribe->first + 1) & (subscribe->capacity - 1);
    subscribe->count--;
    subscribe->bytes -= subscribe_weight(entry.delivery);
    if (subscribe->count == 0)
        subscribe_reset_ring(subscribe);
    return entry;
}

static void subscribe_drop(struct subscribe *subscribe)
{
    struct subscribe_entry entry = subscribe_pop(subscribe);
    uint64_t *missed =
        subscribe->count > 0 ? &subscribe_at(subscribe, 0)->missed : &subscribe->missed;
    *missed += entry.missed + 1;
    stream_count(&subscribe->host->counters.subscribe_losses[SUBSCRIBE_LOSS_UNREAD], 1);
    published_leave(entry.delivery);
}

static void subscribe_grow(struct subscribe *subscribe)
{
    size_t capacity = 2 * subscribe->capacity;
    struct subscribe_entry *ring = mem_alloc(capacity * sizeof *ring);
    for (size_t i = 0; i < subscribe->count; i++)
        ring[i] = *subscribe_at(subscribe, i);
    subscribe_reset_ring(subscribe);
    subscribe->ring = ring;
    subscribe->capacity = capacity;
}

/* Drops the oldest messages that wait until one of that weight fits, or nothing is left. */
static void subscribe_make_room(struct subscribe *subscribe, size_t weight)
{
    size_t most = account_is_tight() ? 0 : SUBSCRIBE_WAITING;
    while (subscribe->count > 0 && subscribe->bytes + weight > most)
        subscribe_drop(subscribe);
}

/* Messages that have not reached the worker. */
static uint64_t subscribe_take_lost(struct subscribe *subscribe)
{
    uint64_t lost = atomic_exchange(&subscribe->subscription.lost, 0);
    stream_count(&subscribe->host->counters.subscribe_losses[SUBSCRIBE_LOSS_BUSY], lost);
    return lost;
}

static struct access_need subscribe_need(struct slice channel)
{
    return (struct access_need){
        .kinds = ACCESS_READ, .types = ACCESS_PUBSUB, .is_of_no_database = true, .key = channel};
}

/* Whether the caller may see the messages of the channel; a pattern selects others, too. */
static bool subscribe_shows(const struct subscribe *subscribe, struct slice channel)
{
    const struct access_rules *rules = identity_rules(grpc_call_principal(subscribe->call));
    const struct access_need need = subscribe_need(channel);
    return rules == NULL || access_meets(rules, &need, NULL);
}

static bool subscribe_receive(struct channels_subscription *subscription,
                              struct published_delivery *delivery)
{
    struct subscribe *subscribe = (struct subscribe *)subscription;
    size_t weight = subscribe_weight(delivery);
    bool is_first = subscribe->count == 0;
    if (!subscribe_shows(subscribe, delivery->message->channel))
        return false;
    if (atomic_load_explicit(&subscription->lost, memory_order_relaxed) > 0)
        subscribe->missed += subscribe_take_lost(subscribe);
    if (!is_first)
        subscribe_make_room(subscribe, weight);
    if (subscribe->count == subscribe->capacity)
        subscribe_grow(subscribe);
    *subscribe_at(subscribe, subscribe->count++) =
        (struct subscribe_entry){.delivery = delivery, .missed = subscribe->missed};
    subscribe->missed = 0;
    subscribe->bytes += weight;
    delivery->holders++;
    return is_first;
}

static void subscribe_flush(struct channels_subscription *subscription)
{
    grpc_stream_ready(((struct subscribe *)subscription)->call);
}

static void subscribe_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct subscribe *subscribe = grpc_call_user(call);
    (void)user;
    for (size_t written = 0; written < room && subscribe->count > 0;) {
        struct subscribe_entry entry = subscribe_pop(subscribe);
        const struct published *message = entry.delivery->message;
        size_t size = published_size(message, entry.missed);
        published_write(message, entry.missed, grpc_stream_write(call, size));
        published_leave(entry.delivery);
        written += GRPC_PREFIX_SIZE + size;
    }
}

/* ---- life ---- */

static void subscribe_free(struct subscribe *subscribe)
{
    channels_unsubscribe(subscribe->host->channels, &subscribe->subscription);
    subscribe_take_lost(subscribe);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)subscribe->counted);
    while (subscribe->count > 0)
        published_leave(subscribe_pop(subscribe).delivery);
    free(subscribe);
}

static void subscribe_end(struct grpc_call *call, enum err err, const char *why)
{
    subscribe_free(grpc_call_user(call));
    stream_end(call, err, why);
}

static enum err subscribe_check(const char *field, const char *what, const char *range,
                                const struct slice *names, size_t count, size_t most,
                                struct arena *arena, const char **why)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].len == 0) {
            *why =
                error_text_format(arena, "%s[%zu]: it is empty; a %s is %s", field, i, what, range);
            return ERR_BAD_ARGUMENT;
        }
        if (names[i].len > most) {
            *why = error_text_format(arena, "%s[%zu]: it has %zu bytes; a %s is %s", field, i,
                                     names[i].len, what, range);
            return ERR_TOO_LARGE;
        }
    }
    return ERR_NONE;
}

static enum err subscribe_check_all(const struct slice *channels, size_t channel_count,
                                    const struct slice *patterns, size_t pattern_count,
                                    struct arena *arena, const char **why)
{
    if (channel_count + pattern_count == 0)
        return field_refuse("channels: there is nothing to subscribe to; channels or patterns "
                            "must name something, and the pattern * selects all channels",
                            why);
    if (channel_count + pattern_count > SUBSCRIBE_SELECTORS) {
        *why =
            error_text_format(arena,
                              "there are %zu channels and patterns; a stream has at most %d: use "
                              "several",
                              channel_count + pattern_count, SUBSCRIBE_SELECTORS);
        return ERR_TOO_LARGE;
    }
    enum err err = subscribe_check("channels", "channel", "1 byte to 64 KiB", channels,
                                   channel_count, OP_MAX_KEY, arena, why);
    return err != ERR_NONE ? err
                           : subscribe_check("patterns", "pattern", "1 byte to 1 KiB", patterns,
                                             pattern_count, SUBSCRIBE_MAX_PATTERN, arena, why);
}

static enum err subscribe_to(struct subscribe *subscribe, const struct slice *names,
                             size_t name_count, const struct slice *patterns, size_t pattern_count,
                             struct arena *arena, const char **why)
{
    struct channels *channels = subscribe->host->channels;
    size_t memory = channels_memory(channels, names, name_count) +
                    channels_memory(channels, patterns, pattern_count);
    if (!account_reserve(memory, 0)) {
        *why = account_full;
        return ERR_NO_CLIENT_MEMORY;
    }
    subscribe->counted = memory;
    if (channels_subscribe(channels, &subscribe->subscription, names, name_count, patterns,
                           pattern_count))
        return ERR_NONE;
    *why = error_text_format(arena,
                             "the server's clients subscribe to so many patterns that there would "
                             "be more than %zu with these; subscribe to channels by name",
                             CHANNELS_PATTERNS);
    return ERR_TOO_LARGE;
}

/* Channels by name must be allowed; of those that a pattern selects, the caller gets those that
 * are. */
static enum err subscribe_permit(const struct subscribe *subscribe, const struct slice *channels,
                                 size_t channel_count, size_t pattern_count, struct arena *arena,
                                 const char **why)
{
    const struct grpc_principal *principal = grpc_call_principal(subscribe->call);
    const struct access_rules *rules = identity_rules(principal);
    struct access_need need = subscribe_need((struct slice){0});
    for (size_t i = 0; i < channel_count; i++) {
        need.key = channels[i];
        enum err err = identity_permit_need(principal, &need, "Subscribe", arena, why);
        if (err != ERR_NONE)
            return err;
    }
    if (rules == NULL || pattern_count == 0 || access_may_meet(rules, &need))
        return ERR_NONE;
    return identity_refuse(rules, &need, "Subscribe", arena, why);
}

/* Subscribes to what the message says. */
static enum err subscribe_start(struct subscribe *subscribe, struct slice bytes,
                                struct arena *arena, const char **why)
{
    void *decoded;
    enum err err =
        decode_message(&keystore__v1__subscribe_request__descriptor, bytes, arena, &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__SubscribeRequest *request = decoded;
    struct slice *channels = field_slices(request->channels, request->n_channels, arena);
    struct slice *patterns = field_slices(request->patterns, request->n_patterns, arena);
    if (channels == NULL || patterns == NULL)
        return field_refuse_memory(arena, why);
    err = subscribe_check_all(channels, request->n_channels, patterns, request->n_patterns, arena,
                              why);
    if (err == ERR_NONE)
        err = subscribe_permit(subscribe, channels, request->n_channels, request->n_patterns, arena,
                               why);
    if (err != ERR_NONE)
        return err;
    return subscribe_to(subscribe, channels, request->n_channels, patterns, request->n_patterns,
                        arena, why);
}

static void subscribe_on_open(void *user, struct grpc_call *call)
{
    struct subscribe *subscribe = mem_alloc_zero(sizeof *subscribe);
    subscribe->host = stream_host_of(user);
    subscribe->call = call;
    subscribe->ring = subscribe->own;
    subscribe->capacity = OWN_CAPACITY;
    subscribe->subscription.receive = subscribe_receive;
    subscribe->subscription.flush = subscribe_flush;
    subscribe->subscription.connection = grpc_call_connection(call);
    subscribe->subscription.worker = subscribe->host->worker;
    grpc_call_set_user(call, subscribe);
}

static void subscribe_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct subscribe *subscribe = grpc_call_user(call);
    struct arena arena;
    const char *why = STREAM_SECOND_MESSAGE;
    enum err err = ERR_NOT_SERVED;
    (void)user;
    arena_init(&arena);
    if (subscribe->host->channels == NULL)
        why = "this server does not serve Subscribe";
    else if (!subscribe->has_request)
        err = subscribe_start(subscribe, message, &arena, &why);
    subscribe->has_request = true;
    if (err == ERR_NONE)
        grpc_stream_begin(call);
    else
        subscribe_end(call, err, why);
    arena_deinit(&arena);
}

static void subscribe_on_half_close(void *user, struct grpc_call *call)
{
    struct subscribe *subscribe = grpc_call_user(call);
    (void)user;
    if (!subscribe->has_request)
        subscribe_end(call, ERR_NOT_SERVED, "Subscribe takes one message, and there is none");
}

static void subscribe_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    subscribe_end(call, ERR_STOPPING, stopping);
}

static void subscribe_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    subscribe_free(grpc_call_user(call));
}

static bool subscribe_may_go_on(void *user, struct grpc_call *call)
{
    const struct subscribe *subscribe = grpc_call_user(call);
    const struct access_rules *rules = identity_rules(grpc_call_principal(call));
    const struct access_need some = subscribe_need((struct slice){0});
    (void)user;
    for (size_t i = 0; i < subscribe->subscription.link_count; i++) {
        const struct selector *selector = subscribe->subscription.links[i].selector;
        if (selector->is_pattern ? !access_may_meet(rules, &some)
                                 : !subscribe_shows(subscribe, selector->name))
            return false;
    }
    return true;
}

const struct grpc_stream_method subscribe_method = {
    .on_open = subscribe_on_open,
    .may_go_on = subscribe_may_go_on,
    .on_message = subscribe_on_message,
    .on_half_close = subscribe_on_half_close,
    .on_room = subscribe_on_room,
    .on_drain = subscribe_on_drain,
    .on_cancel = subscribe_on_cancel,
};
