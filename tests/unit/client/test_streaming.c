/* A stream of messages over a channel, against scripted bytes. */
#include "client/streaming.h"

#include "support/fake_server.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct fake_server server;
static struct channel *channel;
static struct streaming streaming;

/* Starts the server with this answer to all, and opens a stream. */
static void start(const struct ng_answer *answer, size_t max_message)
{
    struct target target;
    struct keystore_error error;
    struct channel_limits limits = {60000, 60000, max_message, -1, NULL};
    server = (struct fake_server){.script = {.answers = answer, .count = 1}};
    fake_server_start(&server);
    assert_true(target_parse(server.address, &target, &error));
    channel = channel_new(&target, &limits);
    streaming_init(&streaming);
    assert_true(streaming_open(&streaming, channel, "/x/y", max_message, &error));
}

static void finish(void)
{
    streaming_close(&streaming, false);
    channel_free(channel);
    fake_server_stop(&server);
    fake_server_deinit(&server);
}

/* Waits for the next message. */
static enum streaming_found receive(struct slice *message)
{
    enum streaming_found found;
    while ((found = streaming_find(&streaming, message)) == STREAMING_NOTHING)
        (void)streaming_step(&streaming, true, INT64_MAX);
    return found;
}

static void assert_text(struct slice message, const char *text)
{
    assert_true(slice_equal(message, slice_from_string(text)));
}

static void messages_in_both_directions(void **state)
{
    (void)state;
    static const struct ng_answer echo = {.echo = true, .grpc_status = "0", .frame_size = 4};
    struct slice message;
    start(&echo, 100);
    assert_true(streaming_send(&streaming, SLICE_LITERAL("\0\0\0\0\3one")));
    assert_true(streaming_send(&streaming, SLICE_LITERAL("\0\0\0\0\0")));
    while (streaming_unsent(&streaming) > 0)
        (void)streaming_step(&streaming, false, 0);
    assert_true(streaming_send(&streaming, SLICE_LITERAL("\0\0\0\0\5three")));
    streaming_half_close(&streaming);
    for (int i = 0; i < 2; i++) { /* it stays until it is dropped */
        assert_int_equal(receive(&message), STREAMING_MESSAGE);
        assert_text(message, "one");
    }
    streaming_drop(&streaming, message);
    assert_int_equal(receive(&message), STREAMING_MESSAGE);
    assert_text(message, "");
    streaming_drop(&streaming, message);
    assert_int_equal(receive(&message), STREAMING_MESSAGE);
    assert_text(message, "three");
    streaming_drop(&streaming, message);
    assert_int_equal(receive(&message), STREAMING_OVER);
    assert_int_equal(streaming_conclude(&streaming), KEYSTORE_OK);
    finish();
}

static void assert_refused(const struct ng_answer *answer, enum keystore_code code,
                           const char *words)
{
    struct slice message;
    start(answer, 10);
    assert_int_equal(receive(&message), STREAMING_MESSAGE);
    assert_text(message, "ok");
    streaming_drop(&streaming, message);
    assert_int_equal(receive(&message), STREAMING_OVER);
    assert_int_equal(streaming_conclude(&streaming), code);
    if (strstr(streaming.stream.call.error.message, words) == NULL)
        fail_msg("%s", streaming.stream.call.error.message);
    finish();
}

static void messages_that_are_refused(void **state)
{
    (void)state;
    static const struct ng_answer too_large = {.behaviour = NG_EARLY,
                                               .stay_open = true,
                                               .body = SLICE_LITERAL("\0\0\0\0\2ok\0\0\0\0\x0b")};
    static const struct ng_answer compressed = {
        .behaviour = NG_EARLY, .stay_open = true, .body = SLICE_LITERAL("\0\0\0\0\2ok\1\0\0\0\1x")};
    static const struct ng_answer truncated = {.behaviour = NG_EARLY,
                                               .grpc_status = "0",
                                               .body = SLICE_LITERAL("\0\0\0\0\2ok\0\0\0\0\2x")};
    assert_refused(&too_large, KEYSTORE_RESOURCE_EXHAUSTED, "11 bytes");
    assert_refused(&compressed, KEYSTORE_INTERNAL, "compressed");
    assert_refused(&truncated, KEYSTORE_INTERNAL, "truncated");
}

static void a_reset_stream(void **state)
{
    (void)state;
    static const struct ng_answer reset = {.behaviour = NG_RESET,
                                           .reset_code = NGHTTP2_ENHANCE_YOUR_CALM};
    struct slice message;
    start(&reset, 10);
    streaming_half_close(&streaming);
    assert_int_equal(receive(&message), STREAMING_OVER);
    assert_int_equal(streaming_conclude(&streaming), KEYSTORE_RESOURCE_EXHAUSTED);
    finish();
}

/* What arrives for a stream while another one receives wakes a program that polls for both. */
static void what_another_stream_receives(void **state)
{
    (void)state;
    static const struct ng_answer echo = {.echo = true, .grpc_status = "0"};
    static const char text[] = "\0\0\0\0\3one";
    struct streaming other;
    struct keystore_error error;
    struct slice message;
    start(&echo, 100);
    streaming_init(&other);
    assert_true(streaming_open(&other, channel, "/x/y", 100, &error));
    int fd = channel_descriptor(channel);
    assert_int_equal(streaming_find(&streaming, &message), STREAMING_NOTHING);
    streaming_await(&streaming);
    assert_int_equal(channel_descriptor(channel), fd);
    assert_true(streaming_send(&streaming, SLICE_LITERAL(text)));
    streaming_half_close(&streaming);
    while (streaming.in.len < sizeof text - 1)
        (void)streaming_step(&other, true, INT64_MAX);
    assert_int_equal(streaming_find(&other, &message), STREAMING_NOTHING);
    streaming_await(&other);
    struct pollfd entry = {.fd = channel_descriptor(channel), .events = POLLIN};
    assert_int_equal(poll(&entry, 1, 0), 1);
    assert_int_equal(streaming_find(&streaming, &message), STREAMING_MESSAGE);
    assert_text(message, "one");
    streaming_drop(&streaming, message);
    assert_int_equal(channel_descriptor(channel), fd);
    streaming_close(&other, false);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_in_both_directions),
        cmocka_unit_test(messages_that_are_refused),
        cmocka_unit_test(a_reset_stream),
        cmocka_unit_test(what_another_stream_receives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
