/*
 * Starts calls and streams and sends their requests within the limits of the server. Does not know
 * sockets, or which calls are made.
 */
#include "bench/session.h"

#include "base/check.h"
#include "base/mem.h"
#include "bench/hpack.h"
#include "bench/wire.h"

#include <stdlib.h>

/* While this much waits to be written, no call starts and no message continues. */
#define OUT_HIGH ((size_t)256 * 1024)
/* The limit for a server that sends PING and SETTINGS but never reads the answers. */
#define OUT_LIMIT   (OUT_HIGH + (size_t)16 * 1024 * 1024)
#define BLOCK_LIMIT ((size_t)64 * 1024)
#define MAX_UPDATES ((size_t)12) /* bytes of two table size updates */

static void session_put(struct session *session, struct slice bytes)
{
    bool fits = buf_append(&session->out, bytes);
    CHECK(fits); /* receive_bytes() fails long before */
}

void session_put_frame(struct session *session, enum wire_frame type, uint8_t flags,
                       uint32_t stream, struct slice payload)
{
    uint8_t header[WIRE_FRAME_HEADER];
    wire_put_frame(header, payload.len, type, flags, stream);
    session_put(session, slice_make(header, sizeof header));
    session_put(session, payload);
}

/* Maximum windows, so that WINDOW_UPDATE is rare. */
static void session_put_preface(struct session *session)
{
    session_put(session, SLICE_LITERAL(WIRE_PREFACE));
    uint8_t settings[12] = {0, WIRE_ENABLE_PUSH, 0, 0, 0, 0, 0, WIRE_INITIAL_WINDOW_SIZE};
    wire_put_u32(settings + 8, WIRE_MAX_WINDOW);
    session_put_frame(session, WIRE_SETTINGS, 0, 0, slice_make(settings, sizeof settings));
    uint8_t update[4];
    wire_put_u32(update, WIRE_MAX_WINDOW - WIRE_DEFAULT_WINDOW);
    session_put_frame(session, WIRE_WINDOW_UPDATE, 0, 0, slice_make(update, sizeof update));
}

void session_init(struct session *session, const struct session_setup *setup)
{
    *session = (struct session){
        .setup = setup,
        .limit = setup->max_streams,
        .window = WIRE_DEFAULT_WINDOW,
        .initial_window = WIRE_DEFAULT_WINDOW,
        .table_size = HPACK_DEFAULT_SIZE,
        .feeds = mem_alloc_zero(setup->feeds * sizeof *session->feeds),
        .feed_count = setup->feeds,
        .feed_id = setup->first_id,
    };
    for (uint32_t i = 0; i < setup->feeds; i++)
        feed_init(&session->feeds[i], setup->feed.kind, WIRE_DEFAULT_WINDOW);
    streams_init(&session->streams, setup->max_streams, setup->first_id + 2 * setup->feeds,
                 setup->verify || setup->batch > 0);
    answers_init(&session->answers);
    buf_init(&session->out, OUT_LIMIT);
    buf_init(&session->carry, WIRE_FRAME_HEADER + WIRE_MAX_FRAME);
    buf_init(&session->block, BLOCK_LIMIT);
    session_put_preface(session);
}

void session_deinit(struct session *session)
{
    for (uint32_t i = 0; i < session->feed_count; i++)
        feed_deinit(&session->feeds[i]);
    free(session->feeds);
    streams_deinit(&session->streams);
    answers_deinit(&session->answers);
    buf_deinit(&session->out);
    buf_deinit(&session->carry);
    buf_deinit(&session->block);
}

bool session_can_start(const struct session *session)
{
    return session->ready && !session->draining && session->sending.stream == 0 &&
           session->streams.open < session->limit && session->out.len < OUT_HIGH &&
           streams_left(&session->streams);
}

bool session_is_spent(const struct session *session)
{
    return (session->draining || !streams_left(&session->streams)) && session->streams.open == 0;
}

/* Both updates that a smaller table needs: zero empties the peer's table, so that it is as new. */
static size_t session_put_table_updates(struct session *session, uint8_t out[static MAX_UPDATES])
{
    struct buf updates;
    buf_init(&updates, MAX_UPDATES);
    hpack_put_table_size(&updates, 0);
    hpack_put_table_size(&updates, session->table_size);
    size_t len = updates.len;
    memcpy(out, updates.data, len);
    buf_deinit(&updates);
    session->table_shrunk = false;
    session->first_ops = 0;
    return len;
}

/*
 * The header block of a request until every operation has sent its first one. First requests go in
 * the order of templates->ops; those out of order use no dynamic table.
 */
static struct slice session_choose_block(struct session *session, const struct template *template)
{
    const struct templates *templates = session->setup->templates;
    if (session->table_size < templates->table_size)
        return buf_slice(&template->stateless);
    if (session->first_ops < templates->count) {
        if (templates->ops[session->first_ops] != template->op)
            return buf_slice(&template->stateless);
        session->first_ops++;
        session->steady = session->first_ops == templates->count;
        return buf_slice(&template->first);
    }
    return slice_make(template->frames.data + template->block_at, template->block_len);
}

/* The header block of a template, or, without one, that of the streams. */
static void session_put_headers(struct session *session, const struct template *template,
                                uint32_t stream)
{
    uint8_t updates[MAX_UPDATES];
    size_t updates_len = session->table_shrunk ? session_put_table_updates(session, updates) : 0;
    struct slice block = template != NULL ? session_choose_block(session, template)
                                          : buf_slice(&session->setup->templates->feed_block);
    uint8_t header[WIRE_FRAME_HEADER];
    wire_put_frame(header, updates_len + block.len, WIRE_HEADERS, WIRE_FLAG_END_HEADERS, stream);
    session_put(session, slice_make(header, sizeof header));
    session_put(session, slice_make(updates, updates_len));
    session_put(session, block);
}

/* How much of the message may be sent now; 0 if it has to wait. */
static size_t session_sendable(const struct session *session, size_t left)
{
    int64_t window =
        session->sending.window < session->window ? session->sending.window : session->window;
    if (window <= 0 || session->out.len >= OUT_HIGH)
        return 0;
    size_t len = (uint64_t)window < left ? (size_t)window : left;
    return len < WIRE_MAX_FRAME ? len : WIRE_MAX_FRAME;
}

void session_continue(struct session *session)
{
    if (session->sending.stream == 0)
        return;
    const struct session_call *call = &session->sending.call;
    const struct template *template = &session->setup->templates->of[call->op];
    CHECK(session->sending.sent <= template->message.len);
    size_t left = template->message.len - session->sending.sent;
    size_t len;
    while (left > 0 && (len = session_sendable(session, left)) > 0) {
        uint8_t *out = buf_reserve(&session->out, WIRE_FRAME_HEADER + len);
        CHECK(out != NULL); /* session_sendable() stays far below the limit */
        wire_put_frame(out, len, WIRE_DATA, len == left ? WIRE_FLAG_END_STREAM : 0,
                       session->sending.stream);
        template_put_part(session->setup->templates, call->op, call->key, session->sending.sent,
                          len, out + WIRE_FRAME_HEADER);
        session->out.len += WIRE_FRAME_HEADER + len;
        session->sending.sent += len;
        session->sending.window -= (int64_t)len;
        session->window -= (int64_t)len;
        left -= len;
    }
    DCHECK(session->sending.sent + left == template->message.len);
    if (left == 0)
        session->sending.stream = 0;
}

bool session_is_ready(const struct session *session)
{
    for (uint32_t i = 0; i < session->feed_count; i++)
        if (!session->feeds[i].started)
            return false;
    return session->ready;
}

struct feed *session_find_feed(const struct session *session, uint32_t id)
{
    uint32_t number = (id - session->feed_id) >> 1;
    return id % 2 != 0 && id >= session->feed_id && number < session->feed_count
               ? &session->feeds[number]
               : NULL;
}

void session_continue_feed(struct session *session, struct feed *feed)
{
    uint32_t id = session->feed_id + 2 * (uint32_t)(feed - session->feeds);
    bool one_message = session->setup->feed.kind == FEED_WATCH;
    while (feed->out.len > 0) {
        int64_t window = feed->window < session->window ? feed->window : session->window;
        if (window <= 0)
            return;
        size_t len = (uint64_t)window < feed->out.len ? (size_t)window : feed->out.len;
        len = len < WIRE_MAX_FRAME ? len : WIRE_MAX_FRAME;
        bool last = one_message && len == feed->out.len;
        session_put_frame(session, WIRE_DATA, last ? WIRE_FLAG_END_STREAM : 0, id,
                          slice_make(feed->out.data, len));
        buf_consume(&feed->out, len);
        feed->window -= (int64_t)len;
        session->window -= (int64_t)len;
    }
}

void session_open_feeds(struct session *session)
{
    for (uint32_t i = 0; i < session->feed_count; i++) {
        struct feed *feed = &session->feeds[i];
        session_put_headers(session, NULL, session->feed_id + 2 * i);
        bool fits = buf_append(&feed->out, buf_slice(&session->setup->templates->feed_message));
        CHECK(fits);
        session_continue_feed(session, feed);
    }
}

/* Starts any request, including a connection's first and one that windows or frames split. */
static void session_start_slowly(struct session *session, const struct session_call *call,
                                 uint32_t stream)
{
    session_put_headers(session, &session->setup->templates->of[call->op], stream);
    session->sending.call = *call;
    session->sending.stream = stream;
    session->sending.sent = 0;
    session->sending.window = session->initial_window;
    session_continue(session);
}

void session_start(struct session *session, const struct session_call *call)
{
    struct stream *stream = streams_open(&session->streams);
    stream->start_ns = call->start_ns;
    stream->key = call->key;
    stream->op = call->op;
    const struct template *template = &session->setup->templates->of[call->op];
    int64_t message_len = (int64_t) template->message.len;
    if (!session->steady || message_len > session->window ||
        message_len > session->initial_window || message_len > (int64_t)WIRE_MAX_FRAME) {
        session_start_slowly(session, call, stream->id);
        return;
    }
    uint8_t *out = buf_reserve(&session->out, template->frames.len);
    CHECK(out != NULL); /* session_can_start() stays far below the limit */
    template_put(session->setup->templates, call->op, call->key, stream->id, out);
    session->out.len += template->frames.len;
    session->window -= message_len;
}

void session_end_call(struct session *session, struct stream *stream, enum tally_end end,
                      uint64_t now_ns)
{
    if (session->sending.stream == stream->id) {
        /* Answered before the request was sent completely: cancel the rest. */
        uint8_t code[4];
        wire_put_u32(code, WIRE_CANCEL);
        session->sending.stream = 0;
        session_put_frame(session, WIRE_RST_STREAM, 0, stream->id, slice_make(code, sizeof code));
    }
    tally_count(session->setup->tally, end, stream->start_ns, now_ns);
    if (end != TALLY_OK && session->setup->feed.ledger != NULL)
        ledger_withdraw(session->setup->feed.ledger, stream->key);
    session->finished++;
    streams_close(&session->streams, stream);
}

void session_end_calls(struct session *session, uint32_t id, enum tally_end end, uint64_t now_ns)
{
    uint32_t cursor = 0;
    struct stream *stream;
    while ((stream = streams_next(&session->streams, &cursor)) != NULL)
        if (stream->id > id)
            session_end_call(session, stream, end, now_ns);
}
