/*
 * Tests of grpc/server.c and stream.c: which replies are compressed, and that each message of a
 * stream says for itself whether it is.
 */
#include "grpc/server.h"

#include "grpc/echo_service.h"
#include "grpc/gzip.h"
#include "grpc/gzipped.h"
#include "grpc/message.h"
#include "grpc/stream.h"
#include "store/seeded.h"

#define STREAM "/test.Stream/Say"

/* ---- a service that replies in two steps, compressed if that is wanted ---- */

static void on_request(void *user, struct grpc_call *call, const void *method, struct slice message)
{
    struct chain reply = {0};
    (void)user;
    (void)method;
    grpc_reply_begin(&reply, message.len);
    if (message.len > 0)
        memcpy(chain_append(&reply, message.len), message.data, message.len);
    if (grpc_call_wants_gzip(call))
        grpc_call_compress(call, &reply);
    grpc_call_reply_chain(call, &reply);
    chain_deinit(&reply);
}

/* ---- a stream that says messages of these sizes ---- */

static struct {
    struct grpc_call *call;
    const size_t *sizes;
    size_t count, said;
    uint8_t noise[40000]; /* one of exactly as many bytes is this */
} say;

static void on_open(void *user, struct grpc_call *call)
{
    (void)user;
    say.call = call;
    grpc_stream_ready(call);
}

static void on_message(void *user, struct grpc_call *call, struct slice message)
{
    (void)user;
    (void)call;
    (void)message;
}

static void on_half_close(void *user, struct grpc_call *call)
{
    (void)user;
    (void)call;
}

static struct slice said(size_t size)
{
    return size == sizeof say.noise ? slice_make(say.noise, size) : gzipped_text(size);
}

static void on_room(void *user, struct grpc_call *call, size_t room)
{
    (void)user;
    for (size_t written = 0; written < room && say.said < say.count;) {
        struct slice text = said(say.sizes[say.said++]);
        struct chain *body = grpc_stream_write(call, text.len);
        if (text.len >= BLOB_LEAST)
            chain_append_blob(body, blob_copy(text), text);
        else if (text.len > 0)
            memcpy(chain_append(body, text.len), text.data, text.len);
        written += text.len;
    }
    if (say.said == say.count) {
        say.call = NULL;
        grpc_stream_end(call, NULL);
    }
}

static void on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    assert_ptr_equal(call, say.call);
    say.call = NULL;
}

static const struct grpc_stream_method method = {on_open,   on_message, on_half_close, on_room,
                                                 on_cancel, on_cancel,  NULL,          NULL};

static const void *find_method(void *user, struct slice path)
{
    return slice_equal(path, SLICE_LITERAL(STREAM)) ? STREAM : echo_find_method(user, path);
}

static const struct grpc_stream_method *stream_of(const void *found)
{
    return strcmp(found, STREAM) == 0 ? &method : NULL;
}

static struct echo *connect_echo(enum grpc_compress compress)
{
    struct grpc_limits limits = grpc_limits_for(1024 * 1024, &http2_default_limits);
    limits.compress = compress;
    struct echo *echo = echo_new(&limits, &(struct ng_options){.stream_window = 0});
    echo->service.on_request = on_request;
    echo->service.find_method = find_method;
    echo->service.stream_of = stream_of;
    return echo;
}

/* A call with these fields, unless they are NULL. */
static struct ng_stream *call_with(struct echo *echo, const char *path, const char *encoding,
                                   const char *accepted, const char *wish)
{
    struct http2_field fields[7] = {
        {.name = SLICE_LITERAL(":method"), .value = SLICE_LITERAL("POST")},
        {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
        {.name = SLICE_LITERAL(":path"), .value = slice_from_string(path)},
        {.name = SLICE_LITERAL("content-type"), .value = SLICE_LITERAL("application/grpc")},
    };
    size_t count = 4;
    if (encoding != NULL)
        fields[count++] = (struct http2_field){.name = SLICE_LITERAL("grpc-encoding"),
                                               .value = slice_from_string(encoding)};
    if (accepted != NULL)
        fields[count++] = (struct http2_field){.name = SLICE_LITERAL("grpc-accept-encoding"),
                                               .value = slice_from_string(accepted)};
    if (wish != NULL)
        fields[count++] = (struct http2_field){.name = SLICE_LITERAL("keystore-compress"),
                                               .value = slice_from_string(wish)};
    return ng_client_request(echo->client, fields, count, false);
}

/* The next message of the body; true if it was compressed. */
static bool check_message(const struct ng_stream *stream, size_t *at, struct slice expected)
{
    static uint8_t plain[1024 * 1024];
    const uint8_t *prefix = stream->body.data + *at;
    assert_true(*at + GRPC_PREFIX_SIZE <= stream->body.len);
    struct slice message = slice_make(prefix + GRPC_PREFIX_SIZE, grpc_message_read_size(prefix));
    *at += GRPC_PREFIX_SIZE + message.len;
    assert_true(*at <= stream->body.len);
    if (prefix[0] == GRPC_COMPRESSED) {
        gzipped_restore(message, plain, expected.len);
        message = slice_make(plain, expected.len);
    }
    assert_true(slice_equal(message, expected));
    return prefix[0] == GRPC_COMPRESSED;
}

static bool is_compressed(struct echo *echo, struct ng_stream *stream, size_t size)
{
    size_t at = 0;
    echo_send_message(echo, stream, gzipped_text(size));
    assert_true(echo_exchange(echo));
    assert_true(stream->ended);
    bool compressed = check_message(stream, &at, gzipped_text(size));
    assert_int_equal(at, stream->body.len);
    ng_assert_slice(buf_slice(&stream->headers),
                    compressed ? ":status: 200\ncontent-type: application/grpc\n"
                                 "grpc-accept-encoding: identity,gzip\ngrpc-encoding: gzip\n"
                               : ":status: 200\ncontent-type: application/grpc\n"
                                 "grpc-accept-encoding: identity,gzip\n");
    ng_assert_slice(buf_slice(&stream->trailers), "grpc-status: 0\n");
    return compressed;
}

static void test_whose_replies_are_compressed(void **state)
{
    (void)state;
    static const struct {
        const char *encoding, *accepted, *wish;
        bool asked, always;
    } cases[] = {
        {NULL, NULL, NULL, false, false},
        {NULL, "gzip", NULL, false, true},
        {"identity", "identity, deflate, gzip", NULL, false, true},
        {"gzip", "gzip,identity", NULL, true, true},
        {"gzip", NULL, NULL, false, false},
        {"gzip", "identity,deflate", NULL, false, false},
        {"gzip", "gzip", "identity", false, false},
        {NULL, "gzip", "gzip", true, true},
        {NULL, "gzipped, gzi ,xgzip", "gzip", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (enum grpc_compress way = GRPC_COMPRESS_ASKED; way <= GRPC_COMPRESS_NEVER; way++) {
            struct echo *echo = connect_echo(way);
            bool expected = way == GRPC_COMPRESS_ASKED    ? cases[i].asked
                            : way == GRPC_COMPRESS_ALWAYS ? cases[i].always
                                                          : false;
            for (int k = 0; k < 3; k++) { /* header blocks are remembered */
                struct ng_stream *stream =
                    call_with(echo, ECHO_NOW, cases[i].encoding, cases[i].accepted, cases[i].wish);
                assert_int_equal(is_compressed(echo, stream, 5000), expected);
                stream =
                    call_with(echo, ECHO_NOW, cases[i].encoding, cases[i].accepted, cases[i].wish);
                assert_false(is_compressed(echo, stream, GZIP_LEAST - 1));
            }
            struct grpc_compressed counts = grpc_server_counts(echo->server).compressed;
            assert_int_equal(counts.messages, expected ? 3 : 0);
            assert_int_equal(counts.plain_bytes, expected ? 15000 : 0);
            assert_true(counts.compressed_bytes * 2 <= counts.plain_bytes);
            echo_free(echo);
        }
    }
}

static void test_a_reply_compressed_anywhere(void **state)
{
    (void)state;
    struct chain reply = {0};
    struct slice text = gzipped_text(100000);
    grpc_reply_begin(&reply, text.len);
    chain_append_blob(&reply, blob_copy(text), text);
    grpc_reply_compress(&reply);
    assert_int_equal(reply.bytes.data[0], GRPC_COMPRESSED);
    assert_int_equal(reply.referenced, 0);
    chain_deinit(&reply);
    grpc_reply_begin(&reply, 3);
    memcpy(chain_append(&reply, 3), "abc", 3);
    grpc_reply_compress(&reply);
    assert_int_equal(chain_length(&reply), GRPC_PREFIX_SIZE + 3);
    assert_memory_equal(reply.bytes.data, "\0\0\0\0\3abc", 8);
    chain_deinit(&reply);
}

static void test_a_mixed_stream(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 10, 2000, 60000, sizeof say.noise, 2000, 100000, 1, 30000, 0};
    const size_t count = sizeof sizes / sizeof sizes[0];
    uint64_t random = seeded_start();
    seeded_fill(&random, say.noise, sizeof say.noise);
    for (int wants = 0; wants < 2; wants++) {
        struct echo *echo = connect_echo(GRPC_COMPRESS_ASKED);
        say.sizes = sizes;
        say.count = count;
        say.said = 0;
        struct ng_stream *stream =
            call_with(echo, STREAM, NULL, "gzip", wants == 1 ? "gzip" : NULL);
        assert_true(echo_exchange(echo));
        assert_true(stream->ended);
        ng_assert_slice(ng_client_field(&stream->trailers, "grpc-status"), "0");
        if (wants == 1)
            ng_assert_slice(ng_client_field(&stream->headers, "grpc-encoding"), "gzip");
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            bool worth_it = sizes[i] >= GZIP_LEAST && sizes[i] <= GZIP_MOST_INLINE &&
                            sizes[i] != sizeof say.noise;
            assert_int_equal(check_message(stream, &at, said(sizes[i])), wants == 1 && worth_it);
        }
        assert_int_equal(at, stream->body.len);
        assert_int_equal(grpc_server_counts(echo->server).compressed.messages, wants * 4);
        echo_free(echo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_replies_are_compressed),
        cmocka_unit_test(test_a_reply_compressed_anywhere),
        cmocka_unit_test(test_a_mixed_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
