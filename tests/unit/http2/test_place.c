/*
 * Tests of http2/place.c: placed input has the same effect as fed input, whatever the bytes are and
 * wherever a read ends; and a body in frames of one size is not copied.
 */
#include "http2/http2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http2/raw_frames.h"
#include "http2/recorder.h"
#include "store/seeded.h"

#define MOST_PIECES ((size_t)HTTP2_MAX_PIECES)
#define EVERYTHING  SIZE_MAX

/* A server with direct placement of bodies, if enabled. */
struct reader {
    struct recorder *recorder;
    uint8_t *places[RECORDER_STREAMS]; /* freed with their streams */
    size_t place_size;                 /* of each body; 0: no placement */
    size_t in_place;                   /* bytes of bodies that were placed */
    size_t placed_reads;
};

static struct reader reader;

static size_t index_of(const struct seen *seen)
{
    return (size_t)(seen - reader.recorder->seen);
}

static uint8_t *place(void *user, struct http2_stream *stream, size_t *size)
{
    const struct seen *seen = recorder_seen(user, stream);
    if (reader.place_size <= seen->body.len)
        return NULL;
    uint8_t **own = &reader.places[index_of(seen)];
    if (*own == NULL)
        *own = malloc(reader.place_size);
    *size = reader.place_size - seen->body.len;
    return *own + seen->body.len;
}

static void on_data(void *user, struct http2_stream *stream, struct slice data)
{
    const struct seen *seen = recorder_seen(user, stream);
    size_t at = seen->body.len;
    recorder_on_data(user, stream, data);
    uint8_t *own = reader.places[index_of(seen)];
    if (own == NULL || at + data.len > reader.place_size)
        return;
    if (data.data == own + at)
        reader.in_place += data.len;
    else if (data.len > 0)
        memcpy(own + at, data.data, data.len);
}

static void on_close(void *user, struct http2_stream *stream)
{
    struct recorder *recorder = user;
    struct seen *seen = recorder_seen(user, stream);
    uint8_t **own = &reader.places[index_of(seen)];
    for (size_t i = 0; i < recorder->piece_count; i++) /* no longer valid */
        if (recorder->pieces[i].seen == seen && *own != NULL)
            recorder->pieces[i].data.len = 0;
    free(*own);
    *own = NULL;
    recorder_on_close(user, stream);
}

static void begin(const struct http2_limits *limits, size_t place_size)
{
    reader = (struct reader){.recorder = recorder_new(limits), .place_size = place_size};
    reader.recorder->handler.place = place;
    reader.recorder->handler.on_data = on_data;
    reader.recorder->handler.on_close = on_close;
}

/* The resulting events and output. Frees the server. */
static struct buf end(void)
{
    struct buf all;
    buf_init(&all, SIZE_MAX);
    recorder_pull(reader.recorder, &all);
    http2_session_free(reader.recorder->session);
    reader.recorder->session = NULL;
    ng_client_append(&all, buf_slice(&reader.recorder->log));
    recorder_free(reader.recorder);
    return all;
}

/* As readv() does; returns how many bytes. */
static size_t read_to(struct slice *bytes, size_t most, const struct iovec *pieces, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count && total < most; i++) {
        size_t len = pieces[i].iov_len;
        if (len > most - total)
            len = most - total;
        if (len > bytes->len)
            len = bytes->len;
        memcpy(pieces[i].iov_base, bytes->data, len);
        *bytes = slice_skip(*bytes, len);
        total += len;
    }
    return total;
}

/* Reads of at most `most` bytes: to where the session wants them, else to a buffer that is freed
 * afterwards. False if the connection must end. */
static bool read_once(struct slice *bytes, size_t most)
{
    struct recorder *recorder = reader.recorder;
    struct iovec pieces[MOST_PIECES];
    size_t count = http2_session_place(recorder->session, pieces);
    assert_true(count <= MOST_PIECES);
    if (count > 0) {
        size_t size = read_to(bytes, most, pieces, count);
        reader.placed_reads++;
        return http2_session_feed_placed(recorder->session, size, &recorder->out, recorder->now_ms);
    }
    size_t size = most < bytes->len ? most : bytes->len;
    uint8_t *copy = malloc(size);
    memcpy(copy, bytes->data, size);
    *bytes = slice_skip(*bytes, size);
    bool alive = recorder_feed(recorder, slice_make(copy, size));
    free(copy);
    return alive;
}

static void put_greeting(struct buf *out)
{
    frames_put_bytes(out, SLICE_LITERAL(FRAMES_PREFACE));
    frames_put(out, FRAME_SETTINGS, 0, 0, (struct slice){0});
}

static void put_request(struct buf *out, uint32_t id)
{
    frames_put(out, FRAME_HEADERS, FRAME_END_HEADERS, id, SLICE_LITERAL(FRAMES_REQUEST));
}

/* DATA whose bytes identify their positions in the input. */
static void put_data(struct buf *out, unsigned flags, uint32_t id, size_t size)
{
    static uint8_t bytes[FRAME_MAX_PAYLOAD];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((out->len + i) * 31 >> 4);
    if ((flags & FRAME_PADDED) != 0 && size > 0)
        bytes[0] = (uint8_t)(size / 3 < 200 ? size / 3 : 200);
    frames_put(out, FRAME_DATA, flags, id, slice_make(bytes, size));
}

/* A body of that many bytes in frames of one size, the last one perhaps smaller. */
static void put_body(struct buf *out, uint32_t id, size_t size, size_t length)
{
    put_request(out, id);
    for (; size > length; size -= length)
        put_data(out, 0, id, length);
    put_data(out, FRAME_END_STREAM, id, size);
}

static struct http2_limits wide_limits(void)
{
    struct http2_limits limits = http2_default_limits;
    limits.stream_window = 16 * 1024 * 1024;
    return limits;
}

/* The result of feeding the bytes without placement. */
static struct buf feed_all(struct slice bytes, const struct http2_limits *limits)
{
    begin(limits, 0);
    while (bytes.len > 0 && read_once(&bytes, EVERYTHING))
        ;
    assert_int_equal(reader.placed_reads, 0);
    return end();
}

static void assert_same(const struct buf *expected, struct buf is)
{
    assert_int_equal(is.len, expected->len);
    assert_memory_equal(is.data, expected->data, is.len);
    buf_deinit(&is);
}

static void test_a_body_of_equal_frames_is_not_copied(void **state)
{
    (void)state;
    static const size_t lengths[] = {4096, 10000, FRAME_MAX_PAYLOAD};
    const size_t size = 1000003, most = 200000;
    struct http2_limits limits = wide_limits();
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct buf sent;
        buf_init(&sent, SIZE_MAX);
        put_greeting(&sent);
        put_body(&sent, 1, size, lengths[i]);
        put_body(&sent, 3, size, lengths[i]);
        struct buf expected = feed_all(buf_slice(&sent), &limits);
        begin(&limits, size);
        for (struct slice left = buf_slice(&sent); left.len > 0;)
            assert_true(read_once(&left, most));
        size_t copied = 2 * size - reader.in_place;
        assert_in_range(copied, 1, 2 * (most + size / (MOST_PIECES / 4)));
        assert_int_equal(reader.recorder->seen[1].ends, 1);
        assert_same(&expected, end());
        buf_deinit(&expected);
        buf_deinit(&sent);
    }
}

/* A read that reaches the end of a body takes little of the next request, which would have to be
 * copied. */
static void test_little_of_the_next_body_is_copied(void **state)
{
    (void)state;
    enum { BODIES = 10 };
    const size_t size = 1000003, most = 400000;
    struct http2_limits limits = wide_limits();
    struct buf sent;
    buf_init(&sent, SIZE_MAX);
    put_greeting(&sent);
    for (uint32_t i = 0; i < BODIES; i++)
        put_body(&sent, 2 * i + 1, size, FRAME_MAX_PAYLOAD);
    struct buf expected = feed_all(buf_slice(&sent), &limits);
    begin(&limits, size);
    for (struct slice left = buf_slice(&sent); left.len > 0;)
        assert_true(read_once(&left, most));
    size_t copied = BODIES * size - reader.in_place;
    assert_in_range(copied, 1, most + BODIES * 3 * FRAME_MAX_PAYLOAD);
    assert_same(&expected, end());
    buf_deinit(&expected);
    buf_deinit(&sent);
}

/* A read may end at any byte. */
static void test_reads_that_end_anywhere(void **state)
{
    (void)state;
    enum { LENGTH = 4096, FRAMES = 7, SIZE = FRAMES * LENGTH + 100 };
    struct http2_limits limits = wide_limits();
    struct buf sent;
    buf_init(&sent, SIZE_MAX);
    put_greeting(&sent);
    put_body(&sent, 1, SIZE, LENGTH);
    put_request(&sent, 3);
    struct buf expected = feed_all(buf_slice(&sent), &limits);
    size_t first = sent.len - 5 * LENGTH, without = 0;
    for (size_t cut = first; cut <= sent.len; cut++) {
        struct slice left = buf_slice(&sent);
        begin(&limits, SIZE);
        assert_true(read_once(&left, first));
        if (cut > first)
            assert_true(read_once(&left, cut - first));
        while (left.len > 0)
            assert_true(read_once(&left, EVERYTHING));
        without += reader.in_place == 0;
        assert_same(&expected, end());
    }
    assert_in_range(without, 0, FRAMES * FRAME_HEADER_SIZE); /* split within a frame header */
    buf_deinit(&expected);
    buf_deinit(&sent);
}

/* A violation closes the stream in the middle of a read; the rest of the read is late. */
static void test_a_stream_that_ends_within_a_read(void **state)
{
    (void)state;
    struct http2_limits limits = http2_default_limits;
    limits.stream_window = 65535;
    limits.connection_window = 16 * 1024 * 1024;
    struct buf sent;
    buf_init(&sent, SIZE_MAX);
    put_greeting(&sent);
    put_request(&sent, 1);
    for (size_t i = 0; i < 4; i++)
        put_data(&sent, 0, 1, 10000);
    size_t first = sent.len;
    for (size_t i = 0; i < 12; i++)
        put_data(&sent, 0, 1, 10000);
    struct buf expected = feed_all(buf_slice(&sent), &limits);
    begin(&limits, 1000000);
    struct slice left = buf_slice(&sent);
    assert_true(read_once(&left, first));
    while (left.len > 0)
        assert_true(read_once(&left, EVERYTHING));
    assert_int_equal(reader.placed_reads, 1);
    assert_same(&expected, end());
    buf_deinit(&expected);
    buf_deinit(&sent);
}

static uint64_t dice;

static size_t below(size_t bound)
{
    return seeded_below(&dice, (uint32_t)bound);
}

/* Mostly frames of one size for one stream; sometimes anything else, valid or not. */
static void put_something(struct buf *out, uint32_t *newest, uint32_t *id, size_t *length)
{
    static const unsigned flags[] = {0, 0, FRAME_END_STREAM, FRAME_PADDED};
    switch (below(60)) {
    case 0:
        frames_put_zeros(out, FRAME_PING, 0, 0, 8);
        break;
    case 1:
        put_data(out, flags[below(4)], *id, 1 + below(FRAME_MAX_PAYLOAD));
        break;
    case 2:
        put_data(out, flags[below(4)], *id, *length);
        break;
    case 3:
        frames_put_number(out, FRAME_RST_STREAM, *id, 8);
        break;
    case 4:
        *length = below(3) == 0 ? FRAME_MAX_PAYLOAD : 4000 + below(FRAME_MAX_PAYLOAD - 4000);
        break;
    case 5:
        *id = 1 + 2 * (uint32_t)below(*newest / 2 + 1);
        break;
    case 6:
    case 7:
        *newest += 2;
        *id = *newest;
        put_request(out, *id);
        break;
    case 8:
        put_data(out, 0, *id, 0);
        break;
    default:
        put_data(out, 0, *id, *length);
        break;
    }
}

static void converse(struct buf *sent)
{
    uint32_t newest = 1, id = 1;
    size_t length = FRAME_MAX_PAYLOAD;
    put_greeting(sent);
    put_request(sent, 1);
    for (size_t i = below(300); i > 0; i--)
        put_something(sent, &newest, &id, &length);
}

static void test_anything_means_what_it_means_when_fed(void **state)
{
    (void)state;
    size_t in_place = 0;
    dice = seeded_start();
    for (size_t round = 0; round < 400; round++) {
        struct http2_limits limits = wide_limits();
        if (below(3) == 0)
            limits.stream_window = 65535 + (uint32_t)below(1000000);
        struct buf sent;
        buf_init(&sent, SIZE_MAX);
        converse(&sent);
        struct buf expected = feed_all(buf_slice(&sent), &limits);
        begin(&limits, 1 + below(2000000));
        struct slice left = buf_slice(&sent);
        while (left.len > 0 && read_once(&left, 1 + below(300000)))
            ;
        in_place += reader.in_place;
        assert_same(&expected, end());
        buf_deinit(&expected);
        buf_deinit(&sent);
    }
    assert_true(in_place > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body_of_equal_frames_is_not_copied),
        cmocka_unit_test(test_little_of_the_next_body_is_copied),
        cmocka_unit_test(test_reads_that_end_anywhere),
        cmocka_unit_test(test_a_stream_that_ends_within_a_read),
        cmocka_unit_test(test_anything_means_what_it_means_when_fed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
