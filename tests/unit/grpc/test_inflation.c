/*
 * Tests of grpc/inflation.c: compressed requests of unary and streaming calls, inflated at once or
 * by another thread, which here is the test itself.
 */
#include "base/account.h"
#include "grpc/echo_service.h"
#include "grpc/gunzip.h"
#include "grpc/gzipped.h"
#include "grpc/stream.h"
#include "store/seeded.h"

#define MOST   ((size_t)2 * 1024 * 1024)
#define LARGE  ((size_t)300000) /* is inflated elsewhere */
#define STREAM "/test.Stream/Collect"

/* Jobs that the service has got and not done yet. */
static struct {
    struct grpc_job *jobs[16];
    size_t count;
} elsewhere;

static void run_elsewhere(void *user, struct grpc_job *job)
{
    (void)user;
    assert_true(elsewhere.count < 16);
    elsewhere.jobs[elsewhere.count++] = job;
}

/* Does the oldest job and takes it back, perhaps without having done it. */
static void do_job(struct echo *echo, bool runs)
{
    assert_true(elsewhere.count > 0);
    struct grpc_job *job = elsewhere.jobs[0];
    memmove(elsewhere.jobs, elsewhere.jobs + 1, --elsewhere.count * sizeof elsewhere.jobs[0]);
    if (runs)
        job->run(job);
    job->finish(job, echo->now_ms);
}

/* A streaming call that collects the sizes of its messages; one of 'e' ends it with an error. */
static struct {
    struct grpc_call *call;
    size_t sizes[200], count, cancels;
    struct slice expected; /* the largest message starts with each */
    bool half_closed;
} collect;

static const struct grpc_status wrong = {
    .code = GRPC_ABORTED, .reason = "WRONG", .message = SLICE_LITERAL("it was wrong")};

static void collect_end(const struct grpc_status *status)
{
    struct grpc_call *call = collect.call;
    collect.call = NULL;
    grpc_stream_end(call, status);
}

static void on_open(void *user, struct grpc_call *call)
{
    (void)user;
    collect.call = call;
}

static void on_message(void *user, struct grpc_call *call, struct slice message)
{
    (void)user;
    assert_ptr_equal(call, collect.call);
    assert_false(collect.half_closed);
    assert_true(collect.count < 200);
    if (message.len == 1 && message.data[0] == 'e') {
        collect_end(&wrong);
        assert_int_equal(message.data[0], 'e'); /* valid until this returns */
        return;
    }
    collect.sizes[collect.count++] = message.len;
    assert_true(message.len <= collect.expected.len);
    if (message.len > 0)
        assert_memory_equal(message.data, collect.expected.data, message.len);
}

static void on_half_close(void *user, struct grpc_call *call)
{
    (void)user;
    assert_ptr_equal(call, collect.call);
    collect.half_closed = true;
    collect_end(NULL);
}

static void on_room(void *user, struct grpc_call *call, size_t room)
{
    (void)user;
    (void)call;
    (void)room;
}

static void on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    (void)call;
    collect_end(&wrong);
}

static void on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    assert_ptr_equal(call, collect.call);
    collect.call = NULL;
    collect.cancels++;
}

static const struct grpc_stream_method method = {on_open,  on_message, on_half_close, on_room,
                                                 on_drain, on_cancel,  NULL,          NULL};

static const void *find_method(void *user, struct slice path)
{
    return slice_equal(path, SLICE_LITERAL(STREAM)) ? STREAM : echo_find_method(user, path);
}

static const struct grpc_stream_method *stream_of(const void *found)
{
    return strcmp(found, STREAM) == 0 ? &method : NULL;
}

static struct echo *connect_echo(void)
{
    struct grpc_limits limits = grpc_limits_for(MOST, &http2_default_limits);
    limits.max_message = MOST;
    struct echo *echo = echo_new(&limits, &(struct ng_options){.stream_window = 0});
    echo->service.run_elsewhere = run_elsewhere;
    echo->service.find_method = find_method;
    echo->service.stream_of = stream_of;
    memset(&collect, 0, sizeof collect);
    elsewhere.count = 0;
    collect.expected = gzipped_text(MOST);
    return echo;
}

static struct ng_stream *call_gzip(struct echo *echo, const char *path)
{
    return echo_call_with(echo, path, "grpc-encoding", "gzip");
}

static void send_gzipped(struct echo *echo, struct ng_stream *stream, size_t size, bool end)
{
    struct buf framed = gzipped_message(slice_make(gzipped_text(MOST).data, size));
    echo_send(echo, stream, buf_slice(&framed), end);
    buf_deinit(&framed);
}

static void send_plain(struct echo *echo, struct ng_stream *stream, struct slice message, bool end)
{
    struct buf framed = echo_framed(message);
    echo_send(echo, stream, buf_slice(&framed), end);
    buf_deinit(&framed);
}

static void assert_nothing_held(struct echo *echo, size_t used)
{
    assert_int_equal(elsewhere.count, 0);
    echo_free(echo); /* which checks the connection's sums */
    assert_int_equal(account_used(), used);
}

/* ---- unary calls ---- */

static void test_unary_messages_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,   1000, 16383, 16384, 128 * 1024, 128 * 1024 + 1,
                                   LARGE, MOST};
    size_t used = account_used();
    struct echo *echo = connect_echo();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ng_stream *stream = call_gzip(echo, ECHO_NOW);
        send_gzipped(echo, stream, sizes[i], true);
        assert_true(echo_exchange(echo));
        assert_int_equal(elsewhere.count, sizes[i] > 128 * 1024);
        assert_int_equal(grpc_connection_has_unanswered(echo->connection), elsewhere.count);
        if (elsewhere.count > 0) {
            size_t outputs = echo->outputs;
            do_job(echo, true);
            assert_int_equal(echo->outputs, outputs + 1);
            assert_true(echo_exchange(echo));
        }
        echo_assert_reply(stream, slice_make(gzipped_text(MOST).data, sizes[i]));
    }
    struct grpc_compressed counts = grpc_server_counts(echo->server).inflated;
    assert_int_equal(counts.messages, sizeof sizes / sizeof sizes[0]);
    assert_true(counts.compressed_bytes * 2 < counts.plain_bytes);
    assert_nothing_held(echo, used);
}

/* Its headers say that messages may be compressed. */
static void test_a_message_that_is_not_compressed(void **state)
{
    (void)state;
    size_t used = account_used();
    struct echo *echo = connect_echo();
    for (int i = 0; i < 3; i++) {
        struct ng_stream *stream = call_gzip(echo, ECHO_NOW);
        send_plain(echo, stream, SLICE_LITERAL("plain"), true);
        assert_true(echo_exchange(echo));
        echo_assert_reply(stream, SLICE_LITERAL("plain"));
    }
    assert_int_equal(grpc_server_counts(echo->server).inflated.messages, 0);
    assert_nothing_held(echo, used);
}

/* Bytes of the message in feeds of their own. */
static void test_byte_by_byte(void **state)
{
    (void)state;
    size_t used = account_used();
    struct echo *echo = connect_echo();
    struct buf framed = gzipped_message(slice_make(gzipped_text(MOST).data, 3000));
    struct ng_stream *stream = call_gzip(echo, ECHO_NOW);
    for (size_t i = 0; i < framed.len; i++) {
        echo_send(echo, stream, slice_make(framed.data + i, 1), i == framed.len - 1);
        assert_true(ng_client_push(echo->client, &echo->peer));
    }
    assert_true(echo_exchange(echo));
    echo_assert_reply(stream, slice_make(gzipped_text(MOST).data, 3000));
    buf_deinit(&framed);
    assert_nothing_held(echo, used);
}

static void assert_unary_fails(struct echo *echo, const char *encoding, struct slice body, int code,
                               const char *reason)
{
    struct ng_stream *stream = echo_call_with(echo, ECHO_NOW, "grpc-encoding", encoding);
    echo_send(echo, stream, body, true);
    assert_true(echo_exchange(echo));
    echo_assert_failed(stream, code, reason);
    ng_assert_slice(ng_client_field(&stream->headers, "grpc-accept-encoding"), "identity,gzip");
}

static void test_unary_faults(void **state)
{
    (void)state;
    size_t used = account_used();
    struct echo *echo = connect_echo();
    struct buf framed = gzipped_message(slice_make(gzipped_text(MOST).data, 300));
    assert_unary_fails(echo, "identity", buf_slice(&framed), GRPC_INTERNAL, "BAD_MESSAGE");
    assert_unary_fails(echo, "gzip", SLICE_LITERAL("\1\0\0\0\0"), GRPC_INTERNAL, "BAD_MESSAGE");
    for (size_t len = 5; len < framed.len; len++) { /* truncated, in a frame that is not */
        struct buf copy = echo_framed(slice_make(framed.data + 5, len - 5));
        copy.data[0] = 1;
        assert_unary_fails(echo, "gzip", buf_slice(&copy), GRPC_INTERNAL, "BAD_MESSAGE");
        buf_deinit(&copy);
    }
    uint8_t *zeros = mem_alloc_zero(MOST + 1);
    struct buf bomb = gzipped_message(slice_make(zeros, MOST));
    assert_unary_fails(echo, "gzip", buf_slice(&bomb), GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE");
    struct buf larger = gzipped_message(slice_make(gzipped_text(MOST + 1).data, MOST + 1));
    assert_unary_fails(echo, "gzip", buf_slice(&larger), GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE");
    assert_int_equal(echo->requests, 0);
    echo_assert_works(echo);
    free(zeros);
    buf_deinit(&framed);
    buf_deinit(&bomb);
    buf_deinit(&larger);
    assert_nothing_held(echo, used);
}

/* A large one is found to be corrupt elsewhere. */
static void test_a_corrupt_message_elsewhere(void **state)
{
    (void)state;
    size_t used = account_used();
    struct echo *echo = connect_echo();
    struct buf framed = gzipped_message(slice_make(gzipped_text(MOST).data, LARGE));
    framed.data[framed.len / 2] ^= 0x55;
    struct ng_stream *stream = call_gzip(echo, ECHO_NOW);
    echo_send(echo, stream, buf_slice(&framed), true);
    assert_true(echo_exchange(echo));
    do_job(echo, true);
    assert_true(echo_exchange(echo));
    echo_assert_failed(stream, GRPC_INTERNAL, "BAD_MESSAGE");
    buf_deinit(&framed);
    assert_nothing_held(echo, used);
}

/* The call, or its connection, ends while the job waits, or its deadline passes. */
static void test_ends_during_the_job(void **state)
{
    (void)state;
    size_t used = account_used();
    for (int way = 0; way < 6; way++) {
        struct echo *echo = connect_echo();
        struct ng_stream *stream = echo_call_with(echo, ECHO_NOW, "grpc-encoding", "gzip");
        send_gzipped(echo, stream, LARGE, true);
        assert_true(echo_exchange(echo));
        assert_int_equal(elsewhere.count, 1);
        if (way < 2)
            ng_client_reset(echo->client, stream);
        else if (way < 4)
            echo_free_connection(echo);
        if (way < 2)
            assert_true(echo_exchange(echo));
        if (way >= 4)
            grpc_connection_check(echo->connection, echo->now_ms + 1000000); /* not slow */
        do_job(echo, way != 1 && way != 3);
        if (way >= 4) {
            assert_true(echo_exchange(echo));
            echo_assert_reply(stream, slice_make(gzipped_text(MOST).data, LARGE));
        }
        assert_int_equal(echo->requests, way >= 4);
        assert_nothing_held(echo, used);
    }
}

static void test_the_deadline_of_a_message_elsewhere(void **state)
{
    (void)state;
    size_t used = account_used();
    struct echo *echo = connect_echo();
    const struct http2_field fields[] = {
        {.name = SLICE_LITERAL(":method"), .value = SLICE_LITERAL("POST")},
        {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
        {.name = SLICE_LITERAL(":path"), .value = SLICE_LITERAL(ECHO_NOW)},
        {.name = SLICE_LITERAL("content-type"), .value = SLICE_LITERAL("application/grpc")},
        {.name = SLICE_LITERAL("grpc-encoding"), .value = SLICE_LITERAL("gzip")},
        {.name = SLICE_LITERAL("grpc-timeout"), .value = SLICE_LITERAL("1S")},
    };
    struct ng_stream *stream =
        ng_client_request(echo->client, fields, sizeof fields / sizeof fields[0], false);
    send_gzipped(echo, stream, LARGE, true);
    assert_true(echo_exchange(echo));
    echo->now_ms += 1000;
    do_job(echo, true);
    assert_true(echo_exchange(echo));
    echo_assert_failed(stream, GRPC_DEADLINE_EXCEEDED, "DEADLINE");
    assert_int_equal(echo->requests, 0);
    assert_nothing_held(echo, used);
}

/* What messages inflate to counts as soon as they wait for it. */
static void test_too_many_at_once(void **state)
{
    (void)state;
    size_t used = account_used();
    struct echo *echo = connect_echo();
    struct ng_stream *streams[4];
    size_t accepted = 0;
    for (size_t i = 0; i < 4; i++) {
        streams[i] = call_gzip(echo, ECHO_NOW);
        send_gzipped(echo, streams[i], MOST, true);
        assert_true(echo_exchange(echo));
        accepted += !streams[i]->ended;
    }
    assert_true(accepted >= 1 && accepted < 4);
    echo_assert_failed(streams[3], GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE");
    while (elsewhere.count > 0)
        do_job(echo, true);
    assert_true(echo_exchange(echo));
    assert_int_equal(echo->requests, accepted);
    assert_nothing_held(echo, used);
}

/* The clients' account refuses what a message inflates to. */
static void test_without_memory(void **state)
{
    (void)state;
    size_t used = account_used();
    struct echo *echo = connect_echo();
    struct ng_stream *stream = call_gzip(echo, ECHO_NOW);
    send_gzipped(echo, stream, MOST, true);
    assert_true(echo_exchange(echo));
    account_set_limit(1024 * 1024);
    account_count(ACCOUNT_CLIENTS, 1024 * 1024); /* others hold it */
    do_job(echo, true);
    assert_true(echo_exchange(echo));
    echo_assert_failed(stream, GRPC_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY");
    account_count(ACCOUNT_CLIENTS, -1024 * 1024);
    account_set_limit(SIZE_MAX);
    assert_nothing_held(echo, used);
}

/* ---- streams ---- */

static void assert_status(const struct ng_stream *stream, const char *code)
{
    assert_true(stream->ended);
    ng_assert_slice(ng_client_field(stream->trailers.len > 0 ? &stream->trailers : &stream->headers,
                                    "grpc-status"),
                    code);
}

static void run_all_jobs(struct echo *echo)
{
    while (elsewhere.count > 0) {
        do_job(echo, true);
        assert_true(echo_exchange(echo));
    }
}

/* Compressed and plain, small and large, however they are cut. */
static void test_a_mixed_stream(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, LARGE, 5, 20000, LARGE, LARGE, 0, 128 * 1024, 7};
    const size_t count = sizeof sizes / sizeof sizes[0];
    static const size_t cuts[] = {5000, 16384, 65536, SIZE_MAX};
    size_t used = account_used();
    for (size_t way = 0; way < 8; way++) {
        struct echo *echo = connect_echo();
        struct ng_stream *stream = call_gzip(echo, STREAM);
        struct buf all;
        buf_init(&all, SIZE_MAX);
        for (size_t i = 0; i < count; i++) {
            struct slice message = slice_make(gzipped_text(MOST).data, sizes[i]);
            struct buf framed = i % 3 == 2 ? echo_framed(message) : gzipped_message(message);
            assert_true(buf_append(&all, buf_slice(&framed)));
            buf_deinit(&framed);
        }
        for (size_t at = 0, cut = cuts[way / 2]; at < all.len; at += cut) {
            size_t len = all.len - at < cut ? all.len - at : cut;
            echo_send(echo, stream, slice_make(all.data + at, len), at + len == all.len);
            assert_true(echo_exchange(echo));
            if (way % 2 == 0)
                run_all_jobs(echo); /* else when all that the window allows has arrived */
            if (len < cut)
                break;
        }
        run_all_jobs(echo);
        assert_int_equal(collect.count, count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(collect.sizes[i], sizes[i]);
        assert_true(collect.half_closed);
        assert_status(stream, "0");
        buf_deinit(&all);
        assert_nothing_held(echo, used);
    }
}

/* While a message is inflated, the caller may send as much as the stream's window, not more, which
 * inflation.c asserts. */
static void test_what_follows_is_held_back(void **state)
{
    (void)state;
    size_t used = account_used();
    struct echo *echo = connect_echo();
    struct ng_stream *stream = call_gzip(echo, STREAM);
    send_gzipped(echo, stream, LARGE, false);
    for (int i = 0; i < 40; i++)
        send_plain(echo, stream, slice_make(gzipped_text(MOST).data, 100000), false);
    assert_true(echo_exchange(echo));
    assert_int_equal(elsewhere.count, 1);
    assert_int_equal(collect.count, 0);
    do_job(echo, true);
    assert_true(echo_exchange(echo));
    assert_int_equal(collect.count, 41); /* the window is opened again */
    ng_client_reset(echo->client, stream);
    assert_true(echo_exchange(echo));
    assert_int_equal(collect.cancels, 1);
    assert_nothing_held(echo, used);
}

/* The method ends the call on a message that was inflated elsewhere, or on what follows it. */
static void test_the_method_ends_the_call(void **state)
{
    (void)state;
    size_t used = account_used();
    for (int way = 0; way < 3; way++) {
        struct echo *echo = connect_echo();
        struct ng_stream *stream = call_gzip(echo, STREAM);
        send_gzipped(echo, stream, LARGE, false);
        send_plain(echo, stream, SLICE_LITERAL("e"), way >= 1);
        assert_true(echo_exchange(echo));
        if (way == 2) /* it ends before the message is inflated */
            collect_end(&wrong);
        do_job(echo, true);
        assert_true(echo_exchange(echo));
        assert_status(stream, "10");
        assert_null(collect.call);
        echo_assert_works(echo);
        assert_nothing_held(echo, used);
    }
}

static void test_stream_faults(void **state)
{
    (void)state;
    struct buf good = gzipped_message(slice_make(gzipped_text(MOST).data, 3000));
    struct buf large = gzipped_message(slice_make(gzipped_text(MOST).data, LARGE));
    size_t used = account_used();
    good.data[good.len / 2] ^= 0x55;
    large.data[large.len / 2] ^= 0x55;
    for (int way = 0; way < 4; way++) {
        struct echo *echo = connect_echo();
        struct ng_stream *stream = call_gzip(echo, STREAM);
        send_gzipped(echo, stream, 1000, false);
        if (way < 2)
            echo_send(echo, stream, way == 0 ? buf_slice(&good) : buf_slice(&large), false);
        else if (way == 2)
            send_gzipped(echo, stream, LARGE, false);
        else
            echo_send(echo, stream, SLICE_LITERAL("\1\0\0\0\0"), false);
        assert_true(echo_exchange(echo));
        if (way == 2) { /* cut off by the end of the request */
            echo_send(echo, stream, SLICE_LITERAL("\1\0\0\0\1"), true);
            assert_true(echo_exchange(echo));
        }
        run_all_jobs(echo);
        assert_true(echo_exchange(echo));
        assert_status(stream, "13");
        assert_int_equal(collect.count, way == 2 ? 2 : 1);
        assert_int_equal(collect.cancels, 1);
        assert_nothing_held(echo, used);
    }
    buf_deinit(&good);
    buf_deinit(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary_messages_of_any_size),
        cmocka_unit_test(test_a_message_that_is_not_compressed),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_unary_faults),
        cmocka_unit_test(test_a_corrupt_message_elsewhere),
        cmocka_unit_test(test_ends_during_the_job),
        cmocka_unit_test(test_the_deadline_of_a_message_elsewhere),
        cmocka_unit_test(test_too_many_at_once),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_a_mixed_stream),
        cmocka_unit_test(test_what_follows_is_held_back),
        cmocka_unit_test(test_the_method_ends_the_call),
        cmocka_unit_test(test_stream_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
