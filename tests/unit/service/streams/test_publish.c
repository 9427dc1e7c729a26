/* Tests of service/streams/publish.c: what is refused, what is counted, and the account. */
#include "service/streams/publish.h"

#include "base/account.h"
#include "service/streams/channels.h"
#include "service/streams/host.h"
#include "service/streams/published.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/messages.h"

#define MAX_VALUE ((size_t)200000)

struct fixture {
    struct stream_host host;
    struct channels_subscription subscription;
    struct arena arena;
    uint64_t count;
    const char *why;
};

static size_t received;

static bool receive(struct channels_subscription *subscription, struct published_delivery *delivery)
{
    (void)subscription;
    received += delivery->message->payload.len;
    return false;
}

static void wake(void *user)
{
    (void)user;
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct slice name = SLICE_LITERAL("c");
    fixture = (struct fixture){.subscription = {.receive = receive}};
    fixture.host.limits.max_value = MAX_VALUE;
    fixture.host.channels = channels_new(1);
    channels_set_waker(fixture.host.channels, 0, (struct waker){wake, NULL});
    channels_subscribe(fixture.host.channels, &fixture.subscription, &name, 1, NULL, 0);
    arena_init(&fixture.arena);
    received = 0;
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    channels_unsubscribe(fixture->host.channels, &fixture->subscription);
    channels_free(fixture->host.channels);
    arena_deinit(&fixture->arena);
    return 0;
}

static enum err send(struct fixture *fixture, const Keystore__V1__Message *message)
{
    struct slice packed = message_pack(message);
    enum err err = publish(&fixture->host, NULL, packed, NULL, &fixture->arena, &fixture->count,
                           &fixture->why);
    message_free_packed(packed);
    return err;
}

static Keystore__V1__Message message_of(const char *channel, struct slice payload)
{
    Keystore__V1__Message message = KEYSTORE__V1__MESSAGE__INIT;
    message.channel = message_text(channel);
    message.payload = message_bytes(payload);
    return message;
}

static void assert_refused(struct fixture *fixture, const Keystore__V1__Message *message,
                           enum err err, const char *words)
{
    assert_int_equal(send(fixture, message), err);
    assert_non_null(strstr(fixture->why, words));
    assert_int_equal(fixture->count, 0);
    channels_deliver(fixture->host.channels, 0);
    assert_int_equal(received, 0);
}

static void test_what_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static char long_name[70000];
    static uint8_t large[MAX_VALUE + 1];
    memset(long_name, 'c', sizeof long_name - 1);
    Keystore__V1__Message message = message_of("", SLICE_LITERAL("p"));
    assert_refused(fixture, &message, ERR_BAD_ARGUMENT, "channel: it is empty");
    message = message_of(long_name, SLICE_LITERAL("p"));
    assert_refused(fixture, &message, ERR_TOO_LARGE, "channel: it has 69999 bytes");
    message = message_of("c", slice_make(large, sizeof large));
    assert_refused(fixture, &message, ERR_TOO_LARGE, "200000 bytes of --max-value");
    message = message_of("c", SLICE_LITERAL("p"));
    message.sequence = 1;
    assert_refused(fixture, &message, ERR_BAD_ARGUMENT, "sequence: it means nothing");
    message.sequence = 0;
    message.missed = 1;
    assert_refused(fixture, &message, ERR_BAD_ARGUMENT, "missed: it means nothing");
    assert_int_equal(publish(&fixture->host, NULL, SLICE_LITERAL("\xff"), NULL, &fixture->arena,
                             &fixture->count, &fixture->why),
                     ERR_BAD_MESSAGE);
}

static void test_what_is_sent(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[MAX_VALUE];
    static const size_t sizes[] = {0, 5, 20000, MAX_VALUE};
    size_t before = account_used(), sum = 0;
    for (size_t i = 0; i < 4; i++) {
        Keystore__V1__Message message = message_of("c", slice_make(bytes, sizes[i]));
        assert_int_equal(send(fixture, &message), ERR_NONE);
        assert_int_equal(fixture->count, 1);
        assert_true(account_used() > before + sizes[i]);
        channels_deliver(fixture->host.channels, 0);
        assert_int_equal(received, sum += sizes[i]);
        assert_int_equal(account_used(), before);
        message.channel = message_text("nobody's");
        assert_int_equal(send(fixture, &message), ERR_NONE);
        assert_int_equal(fixture->count, 0);
        assert_int_equal(account_used(), before);
    }
}

/* A message that waits counts against --max-client-memory, and the next may find no room. */
static void test_the_account_has_a_limit(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[MAX_VALUE];
    Keystore__V1__Message message = message_of("c", slice_make(bytes, MAX_VALUE));
    account_set_limit(account_used() + 2 * MAX_VALUE);
    assert_int_equal(send(fixture, &message), ERR_NONE);
    assert_int_equal(send(fixture, &message), ERR_NO_CLIENT_MEMORY);
    assert_string_equal(fixture->why, account_full);
    channels_deliver(fixture->host.channels, 0);
    assert_int_equal(send(fixture, &message), ERR_NONE);
    channels_deliver(fixture->host.channels, 0);
    account_set_limit(SIZE_MAX);
}

static void test_without_channels(void **state)
{
    struct fixture *fixture = *state;
    struct stream_host host = {0};
    assert_int_equal(publish(&host, NULL, SLICE_LITERAL(""), NULL, &fixture->arena, &fixture->count,
                             &fixture->why),
                     ERR_NOT_SERVED);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_refused),
        TEST(test_what_is_sent),
        TEST(test_the_account_has_a_limit),
        TEST(test_without_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
