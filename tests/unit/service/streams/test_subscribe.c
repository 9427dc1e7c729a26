/*
 * Tests of service/streams/subscribe.c: real calls in memory. What arrives and when, what waits for
 * a client that does not read, and how a subscription ends.
 */
#include "service/streams/subscribe.h"

#include "base/account.h"
#include "base/decimal.h"
#include "service/streams/channels.h"
#include "service/streams/stream_counts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"

#define SUBSCRIBE "/keystore.v1.KeyStore/Subscribe"
#define PUBLISH   "/keystore.v1.KeyStore/Publish"

static unsigned wakes;

static void on_wake(void *user)
{
    (void)user;
    wakes++;
}

static int setup_with(void **state, bool manual_windows)
{
    link_channels = channels_new(1);
    link_client.manual_windows = manual_windows;
    wakes = 0;
    channels_set_waker(link_channels, 0, (struct waker){on_wake, NULL});
    return embedded_setup(state);
}

static int setup(void **state)
{
    return setup_with(state, false);
}

static int setup_manual(void **state)
{
    return setup_with(state, true);
}

static int teardown(void **state)
{
    embedded_teardown(state);
    channels_free(link_channels); /* checks that nobody subscribes any more */
    link_channels = NULL;
    link_client.manual_windows = false;
    return 0;
}

static struct ng_stream *subscribe(struct link *link, const char *channel)
{
    Keystore__V1__SubscribeRequest request = KEYSTORE__V1__SUBSCRIBE_REQUEST__INIT;
    ProtobufCBinaryData name = message_text(channel);
    request.n_channels = 1;
    request.channels = &name;
    return link_call(link, SUBSCRIBE, &request);
}

/* Delivers what was published, turn by turn. */
static void deliver(struct link *link)
{
    unsigned before;
    do {
        before = wakes;
        link_resume(link);
    } while (wakes > before);
}

static void publish_bytes(struct link *link, const char *channel, struct slice payload,
                          int64_t count)
{
    Keystore__V1__Message message = KEYSTORE__V1__MESSAGE__INIT;
    message.channel = message_text(channel);
    message.payload = message_bytes(payload);
    assert_status(link_call(link, PUBLISH, &message), count > 0, count);
}

/* The messages that have arrived, of which those before `at` have been looked at. */
struct inbox {
    const struct ng_stream *call;
    size_t at;
};

static Keystore__V1__Message *inbox_next(struct inbox *inbox)
{
    struct slice message;
    if (!ng_call_next(inbox->call, &inbox->at, &message))
        return NULL;
    return keystore__v1__message__unpack(NULL, message.len, message.data);
}

static void assert_next(struct inbox *inbox, const char *payload, uint64_t missed)
{
    Keystore__V1__Message *message = inbox_next(inbox);
    assert_non_null(message);
    assert_bytes_are(message->payload, payload);
    assert_int_equal(message->missed, missed);
    keystore__v1__message__free_unpacked(message, NULL);
}

static void test_headers_say_that_it_is_in_effect(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = subscribe(link, "c");
    ng_assert_slice(ng_call_field(call, ":status"), "200");
    assert_false(call->ended);
    assert_int_equal(channels_count(link_channels).subscriptions, 1);
    struct inbox inbox = {.call = call};
    for (int i = 0; i < 3; i++) {
        publish_bytes(link, "c", SLICE_LITERAL("hello"), 1);
        publish_bytes(link, "d", SLICE_LITERAL("nobody"), 0);
        deliver(link);
        assert_next(&inbox, "hello", 0);
        assert_null(inbox_next(&inbox));
    }
    ng_client_reset(link->client, call);
    link_exchange(link);
    assert_int_equal(channels_count(link_channels).subscriptions, 0);
    publish_bytes(link, "c", SLICE_LITERAL("late"), 0);
}

/* However it ends, nothing is left, and what waits for it is dropped. */
static void test_ends(void **state)
{
    struct link *link = *state;
    size_t before = account_used();
    for (size_t waiting = 0; waiting < 20; waiting += 9) {
        struct ng_stream *call = subscribe(link, "c");
        for (size_t i = 0; i < waiting; i++)
            publish_bytes(link, "c", SLICE_LITERAL("waits"), 1);
        service_resume(link->service); /* it has them, and the wire does not */
        ng_client_reset(link->client, call);
        link_exchange(link);
        assert_int_equal(channels_count(link_channels).subscriptions, 0);
        deliver(link);
        assert_int_equal(account_used(), before);
    }
    struct ng_stream *call = subscribe(link, "c");
    grpc_connection_drain(link->server);
    link_exchange(link);
    assert_true(call->closed);
    assert_int_equal(ng_call_status(call), GRPC_UNAVAILABLE);
    ng_assert_slice(ng_call_field(call, "keystore-reason"), "ERROR_REASON_STOPPING");
}

static void test_what_is_refused(void **state)
{
    struct link *link = *state;
    static char name[70000], many_text[3 * 10001 + 1];
    memset(name, 'x', sizeof name - 1);
    for (size_t i = 0; i < 10001; i++)
        memcpy(many_text + 3 * i, "\x0a\x01z", 3);
    ng_call_assert_failed(subscribe(link, ""), GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT",
                          "channels[0]: it is empty; a channel is 1 byte to 64 KiB");
    ng_call_assert_failed(subscribe(link, name), GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE",
                          "channels[0]: it has 69999 bytes");
    static const struct {
        struct slice message;
        enum grpc_code code;
        const char *reason, *words;
    } others[] = {
        {SLICE_LITERAL(""), GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT",
         "nothing to subscribe to"},
        {SLICE_LITERAL("\x12\x00"), GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT",
         "patterns[0]: it is empty; a pattern is 1 byte to 1 KiB"},
        {SLICE_LITERAL("\x0a\x05"), GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE", "SubscribeRequest"},
        {SLICE_LITERAL(many_text), GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE",
         "10001 channels and patterns; a stream has at most 10000"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct ng_stream *call = ng_call(link->client, SUBSCRIBE, others[i].message);
        link_exchange(link);
        ng_call_assert_failed(call, others[i].code, others[i].reason, others[i].words);
    }
    assert_int_equal(channels_count(link_channels).subscriptions, 0);
}

/* What a subscription takes counts against --max-client-memory. */
static void test_channels_are_counted(void **state)
{
    struct link *link = *state;
    static char text[3 * 1000 + 1];
    for (size_t i = 0; i < 1000; i++)
        memcpy(text + 3 * i, "\x0a\x01z", 3);
    size_t before = account_used();
    struct ng_stream *call = ng_call(link->client, SUBSCRIBE, slice_make(text, 3000));
    link_exchange(link);
    assert_true(account_used() > before + 100000);
    ng_client_reset(link->client, call);
    link_exchange(link);
    assert_int_equal(account_used(), before);
    account_set_limit(before + 20000);
    account_count(ACCOUNT_CLIENTS, 15000); /* others' */
    call = ng_call(link->client, SUBSCRIBE, slice_make(text, 3000));
    link_exchange(link);
    account_count(ACCOUNT_CLIENTS, -15000);
    account_set_limit(SIZE_MAX);
    ng_call_assert_failed(call, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_OUT_OF_MEMORY",
                          "--max-client-memory");
    assert_int_equal(account_used(), before);
}

/* A request of that many messages for channel "c". */
static struct ng_stream *call_with(struct link *link, size_t messages)
{
    struct ng_stream *call = ng_call_begin(link->client, SUBSCRIBE);
    for (size_t i = 0; i < messages; i++)
        ng_call_send(link->client, call, SLICE_LITERAL("\x0a\1c"), false);
    ng_client_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    return call;
}

static void test_exactly_one_message(void **state)
{
    struct link *link = *state;
    ng_call_assert_failed(call_with(link, 0), GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED",
                          "there is none");
    struct ng_stream *call = call_with(link, 2);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
    assert_int_equal(channels_count(link_channels).subscriptions, 0);
    assert_false(call_with(link, 1)->closed);
}

/* The number before the first space. */
static int number_in(ProtobufCBinaryData payload)
{
    const uint8_t *end = memchr(payload.data, ' ', payload.len);
    int64_t number = -1;
    assert_non_null(end);
    assert_true(decimal_parse(slice_make(payload.data, (size_t)(end - payload.data)), &number));
    return (int)number;
}

static void assert_missed(struct link *link, uint64_t unread, uint64_t busy)
{
    struct stream_counts counts = {0};
    service_count_streams(link->service, &counts);
    assert_int_equal(counts.subscribe_losses[SUBSCRIBE_LOSS_UNREAD], unread);
    assert_int_equal(counts.subscribe_losses[SUBSCRIBE_LOSS_BUSY], busy);
}

/* The oldest of what waits goes; the next message that arrives says how many are missing. */
static void test_who_does_not_read(void **state)
{
    struct link *link = *state;
    static char text[900];
    struct ng_stream *call = subscribe(link, "c");
    struct inbox inbox = {.call = call};
    size_t before = account_used();
    ng_client_open_window(link->client, 0, 10000000); /* for the answers to Publish */
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 3000; i++) {
        int len = snprintf(text, sizeof text, "%d", i);
        text[len] = ' ';
        publish_bytes(link, "c", slice_make(text, sizeof text), 1);
        deliver(link);
    }
    assert_in_range(account_used() - before, 500000, 2000000);
    int number = 0, messages = 0, losses = 0;
    ng_client_open_window(link->client, call->id, 10000000);
    link_exchange(link);
    Keystore__V1__Message *message;
    while ((message = inbox_next(&inbox)) != NULL) {
        number += (int)message->missed;
        losses += message->missed > 0;
        assert_int_equal(number_in(message->payload), number);
        number++;
        messages++;
        keystore__v1__message__free_unpacked(message, NULL);
    }
    assert_int_equal(number, 3000);
    assert_int_equal(losses, 1);
    assert_missed(link, 3000 - (uint64_t)messages, 0);
    assert_in_range(messages, 1000, 1300); /* a window, a page and 1 MiB */
    publish_bytes(link, "c", SLICE_LITERAL("again"), 1);
    deliver(link);
    assert_next(&inbox, "again", 0);
}

/* A worker that does not take messages in time loses some, between those before and after. */
static void test_messages_that_do_not_reach_the_worker(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = subscribe(link, "c");
    struct inbox inbox = {.call = call};
    for (int i = 0; i < 3; i++) { /* wait in the stream */
        publish_bytes(link, "c", SLICE_LITERAL("early"), 1);
        service_resume(link->service);
    }
    for (size_t i = 0; i < CHANNELS_QUEUE + 5; i++)
        publish_bytes(link, "c", SLICE_LITERAL("late"), 1);
    deliver(link);
    for (int i = 0; i < 3; i++)
        assert_next(&inbox, "early", 0);
    assert_next(&inbox, "late", 5);
    assert_missed(link, 0, 5);
    for (size_t i = 1; i < CHANNELS_QUEUE; i++)
        assert_next(&inbox, "late", 0);
    assert_null(inbox_next(&inbox));
    for (size_t i = 0; i < CHANNELS_QUEUE + 2; i++)
        publish_bytes(link, "c", SLICE_LITERAL("too late"), 1);
    ng_client_reset(link->client, call);
    link_exchange(link);
    assert_missed(link, 0, 7); /* it has ended before it could be told */
    deliver(link);
}

/* Clients hold much, so the newest message is all that waits. */
static void test_memory_is_tight(void **state)
{
    struct link *link = *state;
    static char text[1000];
    struct ng_stream *call = subscribe(link, "c");
    struct inbox inbox = {.call = call};
    ng_client_open_window(link->client, 0, 10000000);
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 200; i++) { /* fills the windows and a page */
        publish_bytes(link, "c", slice_from_string(text), 1);
        deliver(link);
    }
    account_set_limit(1000);
    account_count(ACCOUNT_CLIENTS, 900);
    for (int i = 0; i < 100; i++) {
        publish_bytes(link, "c", SLICE_LITERAL("new"), 1);
        deliver(link);
    }
    account_count(ACCOUNT_CLIENTS, -900);
    account_set_limit(SIZE_MAX);
    ng_client_open_window(link->client, call->id, 10000000);
    link_exchange(link);
    uint64_t messages = 0, missed = 0, missed_last = 0;
    Keystore__V1__Message *message;
    while ((message = inbox_next(&inbox)) != NULL) {
        messages++;
        missed_last = message->missed;
        missed += missed_last;
        keystore__v1__message__free_unpacked(message, NULL);
    }
    assert_int_equal(messages + missed, 300);
    assert_true(missed_last >= 99);
}

#define TEST(function)        cmocka_unit_test_setup_teardown(function, setup, teardown)
#define TEST_MANUAL(function) cmocka_unit_test_setup_teardown(function, setup_manual, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_headers_say_that_it_is_in_effect),
        TEST(test_ends),
        TEST(test_what_is_refused),
        TEST(test_channels_are_counted),
        TEST(test_exactly_one_message),
        TEST_MANUAL(test_who_does_not_read),
        TEST(test_messages_that_do_not_reach_the_worker),
        TEST_MANUAL(test_memory_is_tight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
