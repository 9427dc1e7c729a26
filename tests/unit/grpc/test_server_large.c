/*
 * Tests of grpc/server.c with large messages: in a blob that the service may keep, placed directly,
 * and counted in the account while they exist.
 */
#include "grpc/server.h"

#include "base/account.h"
#include "base/blob.h"
#include "grpc/echo_service.h"

#include <stdlib.h>

#define LARGEST ((size_t)1024 * 1024)

/* How the connection is read. */
static struct {
    size_t most;         /* bytes in one read */
    size_t in_place;     /* bytes that were placed */
    struct blob *holder; /* of the newest request */
} reads;

static bool read_placed(struct echo *echo, struct slice *bytes, const struct iovec *pieces,
                        size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count && total < reads.most; i++) {
        size_t len =
            pieces[i].iov_len < reads.most - total ? pieces[i].iov_len : reads.most - total;
        if (len > bytes->len)
            len = bytes->len;
        memcpy(pieces[i].iov_base, bytes->data, len);
        *bytes = slice_skip(*bytes, len);
        total += len;
    }
    reads.in_place += total;
    return grpc_connection_feed_placed(echo->connection, total, &echo->out, echo->now_ms);
}

/* As a loop does. */
static bool read_all(void *user, struct slice bytes)
{
    struct echo *echo = user;
    bool alive = true;
    while (alive && bytes.len > 0) {
        struct iovec pieces[HTTP2_MAX_PIECES];
        size_t count = grpc_connection_place(echo->connection, pieces);
        if (count > 0) {
            alive = read_placed(echo, &bytes, pieces, count);
            continue;
        }
        size_t len = bytes.len < reads.most ? bytes.len : reads.most;
        alive = echo_feed(echo, slice_make(bytes.data, len));
        bytes = slice_skip(bytes, len);
    }
    return alive;
}

static void note_holder(void *user, struct grpc_call *call, const void *method,
                        struct slice message)
{
    reads.holder = grpc_call_holder(call);
    if (reads.holder != NULL)
        assert_ptr_equal(message.data, reads.holder->data);
    echo_on_request(user, call, method, message);
}

static struct echo *connect_reading(size_t most)
{
    struct grpc_limits limits = grpc_limits_for(LARGEST, &http2_default_limits);
    struct echo *echo = echo_new(&limits, &(struct ng_options){.stream_window = 0});
    echo->service.on_request = note_holder;
    echo->peer.feed = read_all;
    reads.most = most;
    reads.in_place = 0;
    return echo;
}

static struct slice pattern(size_t size)
{
    static uint8_t bytes[LARGEST];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    return slice_make(bytes, size);
}

static void test_messages_of_any_size_in_reads_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {100,    16383, 16384, 16385,  32768,  49000,
                                   100000, 65536, 65537, 300000, LARGEST};
    static const size_t mosts[] = {1000, 16393, 40000, 262144, SIZE_MAX};
    size_t used = account_used();
    for (size_t i = 0; i < sizeof mosts / sizeof mosts[0]; i++) {
        struct echo *echo = connect_reading(mosts[i]);
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            struct ng_stream *stream = echo_call(echo, ECHO_NOW);
            echo_send_message(echo, stream, pattern(sizes[j]));
            assert_true(echo_exchange(echo));
            echo_assert_reply(stream, pattern(sizes[j]));
            assert_int_equal(reads.holder != NULL, sizes[j] >= ACCOUNT_LEAST);
        }
        assert_true(reads.in_place > 0 || mosts[i] > LARGEST);
        echo_free(echo);
        assert_int_equal(account_used(), used);
    }
}

/* Reads end after every byte of the input. */
static void test_reads_that_end_anywhere(void **state)
{
    (void)state;
    struct echo *echo = connect_reading(0);
    for (size_t cut = 16000; cut < 60000; cut += 7) {
        reads.most = cut;
        struct ng_stream *stream = echo_call(echo, ECHO_NOW);
        echo_send_message(echo, stream, pattern(70000));
        assert_true(echo_exchange(echo));
        assert_int_equal(stream->body.len, 70000 + 5);
        assert_memory_equal(stream->body.data + 5, pattern(70000).data, 70000);
        buf_clear(&stream->body, 0);
    }
    assert_true(reads.in_place > 0);
    echo_free(echo);
}

static void test_a_message_that_does_not_end_is_given_back(void **state)
{
    (void)state;
    size_t used = account_used();
    for (size_t way = 0; way < 3; way++) {
        struct echo *echo = connect_reading(50000);
        struct buf framed = echo_framed(pattern(300000));
        struct ng_stream *stream = echo_call(echo, ECHO_NOW);
        echo_send(echo, stream, slice_make(framed.data, 200000), false);
        assert_true(echo_exchange(echo));
        size_t before = account_used();
        assert_true(before >= used + 300000);
        if (way == 0)
            ng_client_reset(echo->client, stream);
        else if (way == 1) /* ends too early */
            echo_send(echo, stream, SLICE_LITERAL(""), true);
        if (way < 2)
            assert_true(echo_exchange(echo));
        else
            echo_free_connection(echo);
        assert_true(before - account_used() >= 300000);
        assert_int_equal(echo->requests, 0);
        buf_deinit(&framed);
        echo_free(echo);
        assert_int_equal(account_used(), used);
    }
}

/* As soon as there is memory for a message, its client may send all of it. */
static void test_the_window_is_opened_for_the_whole_message(void **state)
{
    (void)state;
    const size_t sent = 100000;
    struct echo *echo = connect_reading(SIZE_MAX);
    struct ng_stream *stream = echo_call(echo, ECHO_NOW);
    struct buf framed = echo_framed(pattern(LARGEST));
    echo_send(echo, stream, slice_make(framed.data, sent), false);
    assert_true(echo_exchange(echo));
    assert_int_equal(
        nghttp2_session_get_stream_remote_window_size(echo->client->session, stream->id),
        framed.len - sent);
    echo_send(echo, stream, slice_skip(buf_slice(&framed), sent), true);
    buf_deinit(&framed);
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, pattern(LARGEST));
    echo_free(echo);
}

/* The part that it is cut to stays valid after the call, and its holder accounts for it. */
static struct blob *kept;

static void keep_nearly_all(void *user, struct grpc_call *call, const void *method,
                            struct slice message)
{
    kept = blob_cut(grpc_call_holder(call), slice_make(message.data + 9, message.len - 9));
    echo_on_request(user, call, method, message);
}

static void test_the_service_keeps_a_part(void **state)
{
    (void)state;
    size_t used = account_used();
    static const char *const methods[] = {ECHO_NOW, ECHO_BATCH, ECHO_LATER};
    for (size_t i = 0; i < 3; i++) {
        struct echo *echo = connect_reading(SIZE_MAX);
        echo->service.on_request = keep_nearly_all;
        struct ng_stream *stream = echo_call(echo, methods[i]);
        echo_send_message(echo, stream, pattern(50000));
        assert_true(echo_exchange(echo));
        if (i == 2) {
            assert_true(blob_is_sole(kept)); /* the message was freed at the end of the batch */
            echo_answer(&echo->pending[0]);
            assert_true(echo_exchange(echo));
        }
        echo_assert_reply(stream, pattern(50000));
        echo_free(echo);
        assert_true(blob_is_sole(kept));
        assert_true(slice_equal(blob_slice(kept), slice_skip(pattern(50000), 9)));
        assert_int_equal(account_used(), used);
        blob_release(kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_any_size_in_reads_of_any_size),
        cmocka_unit_test(test_reads_that_end_anywhere),
        cmocka_unit_test(test_a_message_that_does_not_end_is_given_back),
        cmocka_unit_test(test_the_window_is_opened_for_the_whole_message),
        cmocka_unit_test(test_the_service_keeps_a_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
