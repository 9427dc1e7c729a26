/*
 * The HTTP/2 session alone, before an application that does whatever the input says: it answers at
 * once, later or never, with and without a body, in one piece or incrementally, holds requests back
 * and expects large ones. The session must keep its contract (http2.h): one on_close per request,
 * no event after it, and no more output than the peer's windows allow is checked elsewhere
 * (tests/differential/).
 *
 * The input: the application's script behind its size, then pieces of what the peer sends, each
 * behind its size; the preface and SETTINGS come before them unless the script begins with 255.
 */
#include "http2/http2.h"
#include "common/target.h"

#include <stdio.h>

#define MOST_STREAMS 200
#define BODY         SLICE_LITERAL("a body of a reply")

struct application {
    struct http2_session *session;
    struct slice script; /* the decisions left */
    struct http2_stream *open[MOST_STREAMS];
    size_t count;
    size_t closes;
    uint8_t placed[4096];
};

/* In each stream. */
struct user {
    size_t number; /* in `open`, from 1 */
    bool is_ended; /* on_end was called */
    bool is_answered;
    bool replies; /* incrementally */
    uint8_t left; /* pieces of that reply */
};

static const struct http2_field fields[] = {
    {SLICE_LITERAL(":status"), SLICE_LITERAL("200")},
    {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
};
static const struct http2_field trailers[] = {
    {SLICE_LITERAL("grpc-status"), SLICE_LITERAL("0")},
};

static struct user *user_of(struct http2_stream *stream)
{
    return http2_stream_user(stream);
}

static void answer(struct application *application, struct http2_stream *stream)
{
    struct user *user = user_of(stream);
    uint8_t choice = target_byte(&application->script);
    if (user->replies) {
        switch (choice % 4) {
        case 0:
            http2_reply_ready(stream);
            break;
        case 1:
            user->is_answered = true;
            http2_reply_end(stream, trailers, 1);
            break;
        case 2:
            user->is_answered = true;
            http2_reply_abort(stream, trailers, 1);
            break;
        default:
            break;
        }
        return;
    }
    switch (choice % 8) {
    case 0:
    case 1: {
        size_t size = BODY.len << choice % 8 * 8;
        user->is_answered = true;
        http2_answer_begin(stream, fields, 2, size);
        memset(chain_append(http2_answer_body(stream), size), 'x', size);
        http2_answer_end(stream, trailers, 1);
        break;
    }
    case 2:
        user->is_answered = true;
        http2_answer_without_body(stream, fields, 2);
        break;
    case 3:
        user->replies = true;
        user->left = target_byte(&application->script) % 8;
        http2_reply_begin(stream, fields, 2);
        break;
    case 4:
        http2_request_hold(stream, choice & 64);
        break;
    case 5:
        if (!user->is_ended)
            http2_answer_continue(stream);
        break;
    default:
        break; /* later, or never */
    }
}

static void on_request(void *context, struct http2_stream *stream,
                       const struct http2_request *request)
{
    struct application *application = context;
    struct user *user = user_of(stream);
    CHECK(request->count > 0 && user->number == 0);
    for (size_t i = 0; i < request->count; i++)
        CHECK(request->fields[i].name.len > 0);
    if (application->count < MOST_STREAMS) {
        application->open[application->count++] = stream;
        user->number = application->count;
    }
    answer(application, stream);
}

static void on_oversized(void *context, struct http2_stream *stream,
                         const struct http2_request *request)
{
    (void)context;
    (void)request;
    http2_answer_without_body(stream, fields, 2);
}

static uint8_t touched;

static void on_data(void *context, struct http2_stream *stream, struct slice data)
{
    struct application *application = context;
    CHECK(!user_of(stream)->is_ended);
    for (size_t i = 0; i < data.len; i++)
        touched ^= data.data[i];
    if (user_of(stream)->is_answered)
        return;
    uint8_t choice = target_byte(&application->script);
    if (choice % 16 == 1)
        http2_request_expect(stream, (size_t)choice << 8);
    else if (choice % 4 == 2)
        answer(application, stream);
}

static uint8_t *place(void *context, struct http2_stream *stream, size_t *size)
{
    struct application *application = context;
    (void)stream;
    if (*size > sizeof application->placed || target_byte(&application->script) % 2 == 0)
        return NULL;
    return application->placed;
}

static void on_end(void *context, struct http2_stream *stream)
{
    struct user *user = user_of(stream);
    CHECK(!user->is_ended && !user->is_answered);
    user->is_ended = true;
    answer(context, stream);
}

static void on_room(void *context, struct http2_stream *stream, struct chain *body, size_t room)
{
    struct application *application = context;
    struct user *user = user_of(stream);
    uint8_t choice = target_byte(&application->script);
    size_t size = choice % 3 == 0 ? room : choice;
    CHECK(user->replies && !user->is_answered);
    if (user->left > 0 && size > 0) {
        user->left--;
        memset(chain_append(body, size), 'y', size);
    } else if (choice & 64) {
        user->is_answered = true;
        http2_reply_end(stream, trailers, 1);
    }
}

static void on_close(void *context, struct http2_stream *stream)
{
    struct application *application = context;
    struct user *user = user_of(stream);
    if (user->number > 0) {
        CHECK(application->open[user->number - 1] == stream);
        application->open[user->number - 1] = NULL;
    }
    application->closes++;
}

static void on_feed_end(void *context)
{
    (void)context;
}

/* Calls between feeds: answers that come later, and what the connection does once a second. */
static void act(struct application *application, struct chain *out, int64_t *now_ms)
{
    uint8_t choice = target_byte(&application->script);
    struct http2_stream *stream =
        application->count > 0 ? application->open[choice % application->count] : NULL;
    switch (choice >> 5) {
    case 0:
    case 1:
        if (stream != NULL && !user_of(stream)->is_answered)
            answer(application, stream);
        break;
    case 2:
        *now_ms += 30000;
        http2_session_check(application->session, *now_ms);
        (void)http2_session_expired(application->session, *now_ms);
        break;
    case 3:
        if (choice % 8 == 0)
            http2_session_drain(application->session, (struct closing){.text = "the server stops"});
        break;
    default:
        http2_session_pull(application->session, out, *now_ms);
        break;
    }
    (void)http2_session_queued(application->session);
    CHECK(http2_session_owed(application->session) <= http2_session_queued(application->session));
}

static bool feed(struct application *application, struct slice bytes, struct chain *out,
                 int64_t now_ms)
{
    struct iovec pieces[HTTP2_MAX_PIECES];
    size_t count = http2_session_place(application->session, pieces);
    if (count > 0 && target_byte(&application->script) % 2 == 0) {
        size_t size = bytes.len < pieces[0].iov_len ? bytes.len : pieces[0].iov_len;
        if (size > 0)
            memcpy(pieces[0].iov_base, bytes.data, size);
        if (size > 0 && !http2_session_feed_placed(application->session, size, out, now_ms))
            return false;
        bytes = slice_skip(bytes, size);
    }
    uint8_t *copy = target_copy(bytes);
    bool on = http2_session_feed(application->session, slice_make(copy, bytes.len), out, now_ms);
    memset(copy, 0xee, bytes.len);
    free(copy);
    return on;
}

static void converse(struct application *application, struct slice input, bool greets)
{
    static const struct slice greeting =
        SLICE_LITERAL("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");
    struct chain out = {0};
    int64_t now_ms = 1000000;
    bool on = !greets || feed(application, greeting, &out, now_ms);
    while (on && input.len > 0) {
        bool is_writing = target_byte(&application->script) % 8 == 7; /* so there is no chain */
        on = feed(application, target_piece(&input), is_writing ? NULL : &out, now_ms);
        act(application, &out, &now_ms);
        if (chain_length(&out) > 1 << 20)
            chain_clear(&out, 0);
    }
    http2_session_pull(application->session, &out, now_ms);
    chain_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http2_handler handler = {.stream_user_size = sizeof(struct user),
                                                 .on_request = on_request,
                                                 .on_oversized = on_oversized,
                                                 .on_data = on_data,
                                                 .place = place,
                                                 .on_end = on_end,
                                                 .on_room = on_room,
                                                 .on_close = on_close,
                                                 .on_feed_end = on_feed_end};
    static struct application application;
    struct slice input = slice_make(data, size);
    struct http2_limits limits = http2_default_limits;
    limits.max_header_bytes = 2000;
    limits.max_streams = 50;
    application = (struct application){.script = target_piece(&input)};
    bool greets = application.script.len == 0 || application.script.data[0] != 255;
    struct http2_context *context = http2_context_new(&limits, &handler);
    application.session = http2_session_new(context, &application, 1000000);
    converse(&application, input, greets);
    http2_session_free(application.session);
    http2_context_free(context);
    for (size_t i = 0; i < application.count; i++)
        CHECK(application.open[i] == NULL);
    return 0;
}
