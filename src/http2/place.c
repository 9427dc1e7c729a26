/*
 * Direct placement: reads the body of a large request to where the application gathers it. After a
 * run of DATA frames of one size, more are predicted, and the read is scattered accordingly: frame
 * headers here, payloads to the application's memory. Bytes that turn out to be something else are
 * reassembled and processed as usual, so a misprediction costs a copy and changes nothing else.
 *
 * A read that may reach the end of a body goes on a little, into the tail: the next request is
 * probably like this one, and its first frames are enough to predict the others. What is read of it
 * beyond that would have to be copied.
 */
#include "base/check.h"
#include "http2/session.h"

/* Smaller payloads, in bytes, are not worth a piece of their own. */
#define MIN_PAYLOAD ((size_t)4096)
/* Consecutive frames of one size before more are predicted. */
#define MIN_RUN 2
/* Of a body without as many bytes, the rest is not worth a read of its own. */
#define MIN_BODY ((size_t)128 * 1024)
/* Of a large body, this share arrives before it has a place (grpc/message.c). */
#define BODY_SHARE 32

void place_note(struct http2_session *session, const struct frame *frame)
{
    struct frame_run *run = &session->run;
    if (frame->payload.len < MIN_PAYLOAD)
        return;
    if (frame->type == FRAME_DATA && frame->stream_id == run->stream_id &&
        frame->payload.len == run->length) {
        run->count++;
        return;
    }
    *run = (struct frame_run){.stream_id = frame->stream_id,
                              .length = frame->payload.len,
                              .count = frame->type == FRAME_DATA};
}

/* Where the stream of the run wants its body; NULL for no preference. */
static uint8_t *place_find(struct http2_session *session, size_t *size)
{
    const struct http2_handler *handler = session->context->handler;
    if (session->failed || session->run.count < MIN_RUN || handler->place == NULL)
        return NULL;
    struct http2_stream *stream = stream_find(session, session->run.stream_id);
    if (stream == NULL || stream->ended || stream->answered)
        return NULL;
    return handler->place(session->user, stream, size);
}

/* *left: bytes missing of the partial frame, 0 if there is none; its payload is placed by copying.
 * False if the partial frame is not one of the run, of a body of which `size` bytes are left. */
static bool place_expect_partial(const struct http2_session *session, size_t size, size_t *left,
                                 size_t *payload)
{
    const struct buf *partial = &session->partial;
    *left = *payload = 0;
    if (partial->len == 0)
        return true;
    if (partial->len < FRAME_HEADER_SIZE)
        return false;
    struct frame frame = frame_read(partial->data, frame_read_length(partial->data));
    *left = FRAME_HEADER_SIZE + frame.payload.len - partial->len;
    *payload = frame.payload.len;
    return frame.type == FRAME_DATA && frame.stream_id == session->run.stream_id &&
           frame.payload.len <= FRAME_MAX_PAYLOAD && frame.payload.len <= size &&
           (frame.flags == 0 || (frame.flags == FRAME_END_STREAM && frame.payload.len == size));
}

/* Returns the bytes that are left of the body's `size` after the frames. */
static size_t place_expect_frames(struct placing *placing, uint8_t *at, size_t size, size_t length)
{
    DCHECK(length >= MIN_PAYLOAD);
    for (placing->count = 0; size > 0 && placing->count < PLACE_FRAMES; placing->count++) {
        struct placed_frame *frame = &placing->frames[placing->count];
        frame->payload = slice_make(at, size < length ? size : length);
        frame->is_last = size <= length;
        at += frame->payload.len;
        size -= frame->payload.len;
    }
    return size;
}

/* The bytes to be read after a body of which `size` bytes are left, 0 if that is not worth while:
 * the start of a request like this one, as much as the application sees before it has a place for
 * the rest, but enough for a run. */
static size_t place_expect_tail(const struct frame_run *run, size_t size)
{
    size_t body = run->count * run->length + size, frames = body / BODY_SHARE / run->length + 1;
    if (body < MIN_BODY)
        return 0;
    if (frames < MIN_RUN)
        frames = MIN_RUN;
    size_t tail = PLACE_BLOCK + frames * (FRAME_HEADER_SIZE + run->length);
    return tail < PLACE_TAIL ? tail : PLACE_TAIL;
}

/* Fills the pieces for the frames and the tail; returns their number. */
static size_t place_fill_pieces(struct placing *placing, struct iovec *pieces)
{
    size_t count = 0;
    for (size_t i = 0; i < placing->count; i++) {
        struct placed_frame *frame = &placing->frames[i];
        pieces[count++] =
            (struct iovec){.iov_base = frame->header, .iov_len = sizeof frame->header};
        pieces[count++] =
            (struct iovec){.iov_base = (void *)frame->payload.data, .iov_len = frame->payload.len};
    }
    if (placing->tail_size > 0)
        pieces[count++] = (struct iovec){.iov_base = placing->tail, .iov_len = placing->tail_size};
    return count;
}

size_t http2_session_place(struct http2_session *session, struct iovec *pieces)
{
    struct placing *placing = &session->context->placing;
    size_t size, payload, count = 0;
    uint8_t *at = place_find(session, &size);
    placing->session = NULL;
    if (at == NULL || !place_expect_partial(session, size, &placing->partial_left, &payload))
        return 0;
    size_t left = place_expect_frames(placing, at + payload, size - payload, session->run.length);
    placing->tail_size = left == 0 ? place_expect_tail(&session->run, size) : 0;
    if (placing->count < MIN_RUN && placing->tail_size == 0)
        return 0;
    if (placing->partial_left > 0) {
        uint8_t *rest = buf_reserve(&session->partial, placing->partial_left);
        if (rest == NULL)
            return 0;
        pieces[count++] = (struct iovec){.iov_base = rest, .iov_len = placing->partial_left};
    }
    count += place_fill_pieces(placing, pieces + count);
    CHECK(count <= HTTP2_MAX_PIECES);
    placing->session = session;
    return count;
}

static bool place_is_as_expected(const struct placed_frame *placed, uint32_t stream_id)
{
    struct frame frame = frame_read(placed->header, frame_read_length(placed->header));
    return frame.type == FRAME_DATA && frame.stream_id == stream_id &&
           frame.payload.len == placed->payload.len &&
           (frame.flags == 0 || (frame.flags == FRAME_END_STREAM && placed->is_last));
}

/* The number of complete frames, of `size` bytes read, that match the prediction and so continue
 * the run; their bytes are subtracted from *size. */
static size_t place_count_good(struct http2_session *session, size_t *size)
{
    const struct placing *placing = &session->context->placing;
    size_t good = 0;
    for (; good < placing->count; good++) {
        const struct placed_frame *frame = &placing->frames[good];
        if (*size < FRAME_HEADER_SIZE + frame->payload.len)
            break;
        if (!place_is_as_expected(frame, session->run.stream_id)) {
            session->run.count = 0;
            break;
        }
        *size -= FRAME_HEADER_SIZE + frame->payload.len;
        session->run.count++;
    }
    return good;
}

static uint8_t *place_copy(uint8_t *to, const uint8_t *from, size_t len, size_t *size)
{
    if (len > *size)
        len = *size;
    memcpy(to, from, len);
    *size -= len;
    return to + len;
}

/* The last `size` bytes of the read, from frame `first` on, in one piece. */
static struct slice place_reassemble(struct placing *placing, size_t first, size_t size)
{
    uint8_t *end = placing->rest;
    if (first == placing->count)
        return slice_make(placing->tail, size);
    for (size_t i = first; size > 0 && i < placing->count; i++) {
        const struct placed_frame *frame = &placing->frames[i];
        end = place_copy(end, frame->header, sizeof frame->header, &size);
        end = place_copy(end, frame->payload.data, frame->payload.len, &size);
    }
    end = place_copy(end, placing->tail, placing->tail_size, &size);
    CHECK(size == 0); /* no more was read than the pieces hold */
    return slice_make(placing->rest, (size_t)(end - placing->rest));
}

/*
 * Mispredicted bytes are copied before any frame is handled, since a frame may close its stream and
 * with it the memory that holds the others. Of later frames of a closed stream only the length is
 * used.
 */
enum http2_error place_take(struct http2_session *session, size_t size)
{
    struct placing *placing = &session->context->placing;
    size_t completed = size < placing->partial_left ? size : placing->partial_left;
    uint32_t stream_id = session->run.stream_id;
    CHECK(session->partial.len + completed <= session->partial.cap);
    session->partial.len += completed;
    size -= completed;
    size_t good = place_count_good(session, &size);
    struct slice rest = place_reassemble(placing, good, size);
    enum http2_error error =
        completed > 0 ? session_take_frames(session, slice_make(rest.data, 0)) : HTTP2_NO_ERROR;
    for (size_t i = 0; i < good && error == HTTP2_NO_ERROR; i++) {
        struct frame frame = {.type = FRAME_DATA,
                              .flags = placing->frames[i].header[4],
                              .stream_id = stream_id,
                              .payload = placing->frames[i].payload};
        error = receive_frame(session, &frame);
    }
    return error == HTTP2_NO_ERROR ? session_take_frames(session, rest) : error;
}
