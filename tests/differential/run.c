/*
 * The application of the test. What it does with a request depends on the conversation's seed and
 * the request's number only, so that two sessions can be compared. Knows nothing of HTTP/2.
 */
#include "run.h"

#include "base/mem.h"
#include "dice.h"

#include <stdio.h>
#include <stdlib.h>

#define MANY 1000000000u
/* Streams at once, if the conversation wants few. */
#define FEW_STREAMS 5

enum behaviour {
    ECHO,         /* the body, once it is complete */
    SMALL,        /* a few bytes */
    LARGE,        /* more than a frame */
    STATUS_ONLY,  /* no body */
    REFUSE,       /* no body, before the request is complete */
    REFUSE_LATER, /* the same, at the first data */
    EARLY,        /* a body before the request is complete */
    PUT_OFF,      /* answered by an action */
    FEED_END,     /* answered at the end of the feed */
    STREAM,       /* an incremental reply, once the request is complete, */
    STREAM_LATER, /* the same, with its second half given by an action */
    TALK,         /* an incremental reply, with the data as it comes */
    IGNORE,       /* never answered */
};

/* What the application keeps in a stream. */
struct ticket {
    uint32_t ordinal;
};

#define FIELD(name, value)                                                                         \
    {                                                                                              \
        SLICE_LITERAL(name), SLICE_LITERAL(value)                                                  \
    }
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct http2_field header_sets[][2] = {
    {FIELD(":status", "200"), FIELD("content-type", "application/grpc")},
    {FIELD(":status", "200"), FIELD("content-type", "text/plain")},
    {FIELD(":status", "404"), FIELD("x-long", "0123456789012345678901234567890123456789")},
};
static const struct http2_field trailer_sets[][1] = {
    {FIELD("grpc-status", "0")},
    {FIELD("grpc-status", "13")},
};

static struct ticket *ticket_of(struct run *run, struct http2_stream *stream)
{
    return run->side->stream_user(stream);
}

static struct request *request_of(struct run *run, struct http2_stream *stream)
{
    return &run->requests[ticket_of(run, stream)->ordinal];
}

/* Recording. */

static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity > 0 ? *capacity * 2 : 64;
    return mem_realloc(items, *capacity * size);
}

static size_t add_text(struct run *run, struct slice text)
{
    size_t at = run->text.len;
    if (!buf_append(&run->text, text))
        abort();
    return at;
}

static void record(struct run *run, enum event_kind kind, uint32_t ordinal, size_t at)
{
    run->events = grow(run->events, run->event_count, &run->event_capacity, sizeof *run->events);
    run->events[run->event_count++] =
        (struct event){.kind = kind, .ordinal = ordinal, .at = at, .len = run->text.len - at};
}

static void breach(struct run *run, const char *what)
{
    if (run->broken == NULL)
        run->broken = what;
}

/* Answering. */

static struct dice dice_for(const struct run *run, const struct request *request)
{
    return dice_of(run->conversation->seed, (uint64_t)(request - run->requests));
}

static void answer_pieces(struct run *run, struct http2_stream *stream, struct slice body,
                          struct dice *dice)
{
    const struct side *side = run->side;
    while (body.len > 0) {
        size_t size = dice_once_in(dice, 2) ? body.len : 1 + dice_below(dice, (uint32_t)body.len);
        if (dice_once_in(dice, 2))
            memcpy(chain_append(side->answer_body(stream), size), body.data, size);
        else {
            struct blob *blob = blob_copy(slice_make(body.data, size));
            chain_append_blob(side->answer_body(stream), blob, blob_slice(blob));
        }
        body = slice_skip(body, size);
    }
}

static void answer_body(struct run *run, struct request *request, struct slice body)
{
    struct dice dice = dice_for(run, request);
    const struct side *side = run->side;
    struct http2_stream *stream = request->stream;
    request->answered = true;
    request->answer_size = body.len;
    side->answer_begin(stream, header_sets[dice_below(&dice, COUNT(header_sets))],
                       COUNT(header_sets[0]), body.len);
    answer_pieces(run, stream, body, &dice);
    side->answer_end(stream, trailer_sets[dice_below(&dice, COUNT(trailer_sets))],
                     COUNT(trailer_sets[0]));
    run->queued_in_feed = run->queued_in_feed || (run->feeding && side->queued(run->session) > 0);
}

static void answer_large(struct run *run, struct request *request)
{
    struct dice dice = dice_for(run, request);
    size_t size = 1 + dice_below(&dice, dice_once_in(&dice, 8) ? 300000 : 40000);
    uint8_t *body = mem_alloc(size);
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(i * 7 + size);
    answer_body(run, request, slice_make(body, size));
    free(body);
}

static void answer_status(struct run *run, struct request *request)
{
    struct dice dice = dice_for(run, request);
    char message[64];
    int len = snprintf(message, sizeof message, "no, because of %.*s", dice_below(&dice, 20),
                       "reasons, many reasons");
    const struct http2_field fields[] = {
        FIELD(":status", "200"),
        FIELD("grpc-status", "5"),
        {SLICE_LITERAL("grpc-message"), slice_make(message, (size_t)len)},
    };
    request->answered = true;
    run->side->answer_without_body(request->stream, fields, COUNT(fields));
}

/* Incremental replies. */

/* An end does not wait for a window if nothing is left to append. */
static void end_reply_if_done(struct run *run, struct request *request)
{
    struct dice dice = dice_for(run, request);
    if (request->appended < request->answer_size || !request->closing)
        return;
    request->answered = true;
    run->side->reply_end(request->stream, trailer_sets[dice_below(&dice, COUNT(trailer_sets))],
                         COUNT(trailer_sets[0]));
}

static void begin_reply(struct run *run, struct request *request, size_t size, bool closing)
{
    struct dice dice = dice_for(run, request);
    request->streamed = true;
    request->answer_size = size;
    request->closing = closing;
    run->queued_in_feed = true; /* they are sent at the end of a feed */
    run->side->reply_begin(request->stream, header_sets[dice_below(&dice, COUNT(header_sets))],
                           COUNT(header_sets[0]));
    end_reply_if_done(run, request);
}

static void continue_reply(struct run *run, struct request *request, size_t size, bool closing)
{
    if (request->stream == NULL || request->answered)
        return;
    request->answer_size += size;
    request->closing = closing;
    run->side->reply_ready(request->stream);
    end_reply_if_done(run, request);
}

static uint8_t reply_byte(const struct request *request, size_t at)
{
    return at < request->body.len ? request->body.data[at] : (uint8_t)(at * 7 + at / 251);
}

/* Appends a part of what there is, in random amounts: the room depends on the session anyway. */
static void on_room(void *user, struct http2_stream *stream, struct chain *body, size_t room)
{
    struct run *run = user;
    struct request *request = request_of(run, stream);
    struct dice dice = dice_of(run->conversation->seed, request->appended);
    size_t left = request->answer_size - request->appended;
    size_t size = dice_once_in(&dice, 4) ? room + dice_below(&dice, 50000) : room;
    if (room == 0 || request->answered || request->stream != stream)
        breach(run, "on_room without room, or after the end");
    if (size > left)
        size = left;
    struct blob *blob = blob_new(size);
    for (size_t i = 0; i < size; i++)
        blob->data[i] = reply_byte(request, request->appended + i);
    if (dice_once_in(&dice, 2))
        memcpy(chain_append(body, size), blob->data, size);
    else
        chain_append_blob(body, blob_retain(blob), blob_slice(blob));
    blob_release(blob);
    request->appended += size;
    end_reply_if_done(run, request);
}

static size_t reply_size(const struct run *run, const struct request *request)
{
    struct dice dice = dice_for(run, request);
    return dice_below(&dice, dice_once_in(&dice, 4) ? 200000 : 5000);
}

static void answer(struct run *run, struct request *request)
{
    if (request->behaviour / 3 == STREAM_LATER && request->streamed && !request->closing) {
        continue_reply(run, request, reply_size(run, request), true);
        return;
    }
    if (request->stream == NULL || request->answered || request->streamed)
        return;
    switch (request->behaviour % 3) {
    case 0:
        answer_body(run, request,
                    request->body.len > 0 ? buf_slice(&request->body) : SLICE_LITERAL("nothing"));
        break;
    case 1:
        answer_body(run, request, SLICE_LITERAL("\0\0\0\0\1a"));
        break;
    default:
        answer_status(run, request);
        break;
    }
}

static void answer_all(struct run *run, enum behaviour behaviour)
{
    for (size_t i = 0; i < run->request_count; i++) {
        struct request *request = &run->requests[i];
        if (request->behaviour / 3 == behaviour && request->ended)
            answer(run, request);
    }
}

/* The handler. */

static uint32_t choose_behaviour(const struct run *run, const struct request *request)
{
    struct dice dice = dice_for(run, request);
    static const uint8_t weights[] = {
        [ECHO] = 6,         [SMALL] = 6, [LARGE] = 3,   [STATUS_ONLY] = 3, [REFUSE] = 1,
        [REFUSE_LATER] = 1, [EARLY] = 1, [PUT_OFF] = 3, [FEED_END] = 4,    [STREAM] = 4,
        [STREAM_LATER] = 3, [TALK] = 3,  [IGNORE] = 1};
    uint32_t number = dice_below(&dice, 39);
    uint32_t which = 0;
    while (number >= weights[which])
        number -= weights[which++];
    if (which == FEED_END && !run->conversation->at_feed_end)
        which = SMALL;
    return which * 3 + dice_below(&dice, 3);
}

static struct slice fields_of(const struct run *run, const struct request *request)
{
    return slice_make(run->text.data + request->fields_at, request->fields_len);
}

static void check_block_id(struct run *run, const struct request *request)
{
    for (const struct request *at = run->requests; request->block_id != 0 && at < request; at++) {
        if (at->block_id == request->block_id &&
            !slice_equal(fields_of(run, at), fields_of(run, request)))
            breach(run, "a block_id stands for two lists of fields");
    }
}

static void on_request(void *user, struct http2_stream *stream, const struct http2_request *given)
{
    struct run *run = user;
    uint32_t ordinal = (uint32_t)run->request_count;
    size_t at = run->text.len;
    for (size_t i = 0; i < given->count; i++) {
        add_text(run, given->fields[i].name);
        add_text(run, SLICE_LITERAL(": "));
        add_text(run, given->fields[i].value);
        add_text(run, SLICE_LITERAL("\n"));
    }
    record(run, EVENT_REQUEST, ordinal, at);
    run->requests =
        grow(run->requests, run->request_count, &run->request_capacity, sizeof *run->requests);
    struct request *request = &run->requests[run->request_count++];
    *request = (struct request){.stream = stream, .block_id = given->block_id, .fields_at = at};
    request->fields_len = run->text.len - at;
    buf_init(&request->body, SIZE_MAX);
    check_block_id(run, request);
    request->behaviour = choose_behaviour(run, request);
    ticket_of(run, stream)->ordinal = ordinal;
    if (request->behaviour / 3 == REFUSE)
        answer_status(run, request);
    else if (request->behaviour / 3 == EARLY)
        answer_body(run, request, SLICE_LITERAL("early bird"));
    else if (request->behaviour / 3 == TALK)
        begin_reply(run, request, 0, false);
}

static void on_data(void *user, struct http2_stream *stream, struct slice data)
{
    struct run *run = user;
    struct request *request = request_of(run, stream);
    size_t at = add_text(run, data);
    if (request->answered || request->ended || data.len == 0)
        breach(run, "on_data without data, or after on_end or the answer");
    record(run, EVENT_DATA, ticket_of(run, stream)->ordinal, at);
    run->borrowed =
        grow(run->borrowed, run->borrowed_count, &run->borrowed_capacity, sizeof *run->borrowed);
    run->borrowed[run->borrowed_count++] = (struct borrowed){.where = data, .at = at};
    if (!buf_append(&request->body, data))
        abort();
    if (request->behaviour / 3 == REFUSE_LATER)
        answer_status(run, request);
    else if (request->behaviour / 3 == TALK)
        continue_reply(run, request, data.len, false);
}

static void on_end(void *user, struct http2_stream *stream)
{
    struct run *run = user;
    struct request *request = request_of(run, stream);
    record(run, EVENT_END, ticket_of(run, stream)->ordinal, run->text.len);
    if (request->answered || request->ended)
        breach(run, "on_end again, or after the answer");
    request->ended = true;
    switch (request->behaviour / 3) {
    case ECHO:
        answer_body(run, request,
                    request->body.len > 0 ? buf_slice(&request->body) : SLICE_LITERAL("empty"));
        break;
    case SMALL:
    case REFUSE_LATER:
        answer_body(run, request, SLICE_LITERAL("\0\0\0\0\0"));
        break;
    case LARGE:
        answer_large(run, request);
        break;
    case STATUS_ONLY:
        answer_status(run, request);
        break;
    case STREAM:
    case STREAM_LATER:
        begin_reply(run, request, reply_size(run, request), request->behaviour / 3 == STREAM);
        break;
    case TALK:
        continue_reply(run, request, 0, true);
        break;
    default:
        break;
    }
}

static void on_close(void *user, struct http2_stream *stream)
{
    struct run *run = user;
    struct request *request = request_of(run, stream);
    record(run, EVENT_CLOSE, ticket_of(run, stream)->ordinal, run->text.len);
    if (request->stream != stream)
        breach(run, "on_close twice, or for a stream that never began");
    request->stream = NULL;
}

static void on_feed_end(void *user)
{
    struct run *run = user;
    for (size_t i = 0; i < run->borrowed_count; i++) {
        struct borrowed *borrowed = &run->borrowed[i];
        if (memcmp(borrowed->where.data, run->text.data + borrowed->at, borrowed->where.len) != 0)
            breach(run, "data has changed before the feed was over");
    }
    run->borrowed_count = 0;
    if (run->conversation->at_feed_end)
        answer_all(run, FEED_END);
}

static const struct http2_handler handler = {
    .stream_user_size = sizeof(struct ticket),
    .on_request = on_request,
    .on_data = on_data,
    .on_end = on_end,
    .on_room = on_room,
    .on_close = on_close,
    .on_feed_end = on_feed_end,
};

/* Running. */

/* Only verdicts are compared, so the limits against floods are out of reach. */
static struct http2_limits limits_for(const struct conversation *conversation)
{
    return (struct http2_limits){
        .max_streams = conversation->few_streams ? FEW_STREAMS : 1000,
        .stream_window = 65535,
        .connection_window = 100000,
        .max_header_bytes = 16 * 1024,
        .max_block_bytes = 64 * 1024,
        .max_inflated_bytes = MANY,
        .max_continuations = 8,
        .max_settings = 16,
        .max_idle_frames = MANY,
        .reset_burst = MANY,
        .resets_per_s = MANY,
        .max_output = MANY,
        .max_referenced = MANY,
        .max_queued = MANY,
        .max_unsent_control = MANY,
        .handshake_timeout_ms = MANY,
        .header_timeout_ms = MANY,
        .stall_timeout_ms = MANY,
        .goaway_timeout_ms = MANY,
    };
}

void run_init(struct run *run, const struct side *side, const struct conversation *conversation)
{
    struct http2_limits limits = limits_for(conversation);
    *run = (struct run){.side = side, .conversation = conversation, .alive = true};
    buf_init(&run->text, SIZE_MAX);
    buf_init(&run->output, SIZE_MAX);
    run->context = side->context_new(&limits, &handler);
    run->session = side->session_new(run->context, run, 0);
}

void run_deinit(struct run *run)
{
    run->side->session_free(run->session);
    run->side->context_free(run->context);
    for (size_t i = 0; i < run->request_count; i++)
        buf_deinit(&run->requests[i].body);
    free(run->requests);
    free(run->events);
    free(run->borrowed);
    buf_deinit(&run->text);
    buf_deinit(&run->output);
}

static void take_output(struct run *run, struct chain *out)
{
    struct iovec pieces[16];
    struct chain_cursor cursor = {0};
    size_t count;
    while ((count = chain_pieces(out, cursor, pieces, COUNT(pieces))) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (!buf_append(&run->output, slice_make(pieces[i].iov_base, pieces[i].iov_len)))
                abort();
            chain_skip(out, &cursor, pieces[i].iov_len);
        }
    }
    chain_clear(out, SIZE_MAX);
}

static void act(struct run *run, enum action_kind kind)
{
    if (kind == ACTION_DRAIN)
        run->side->drain(run->session, (struct closing){CLOSING_NONE, "the test drains"});
    else {
        answer_all(run, PUT_OFF);
        answer_all(run, STREAM_LATER);
    }
}

/* Bytes to the next action, or to the end. */
static size_t room(const struct run *run)
{
    const struct conversation *conversation = run->conversation;
    size_t end = run->next_action < conversation->action_count
                     ? conversation->actions[run->next_action].at
                     : conversation->bytes.len;
    return end - run->fed;
}

/* True if a reply has a rest that the session has not asked for, for lack of windows. */
static bool has_more(const struct run *run)
{
    for (size_t i = 0; i < run->request_count; i++)
        if (run->requests[i].stream != NULL &&
            run->requests[i].appended < run->requests[i].answer_size && run->requests[i].streamed)
            return true;
    return false;
}

size_t run_feed(struct run *run, size_t size)
{
    const struct conversation *conversation = run->conversation;
    struct chain out = {0};
    size_t most = room(run);
    if (!run->alive || most == 0)
        return 0;
    if (size > most)
        size = most;
    /* A copy of its own, so that the address sanitizer detects reads beyond it. */
    uint8_t *bytes = mem_alloc(size > 0 ? size : 1);
    memcpy(bytes, conversation->bytes.data + run->fed, size);
    run->feeding = true;
    run->alive = run->side->feed(run->session, slice_make(bytes, size), &out, 0);
    run->feeding = false;
    free(bytes);
    run->fed += size;
    while (run->alive && run->next_action < conversation->action_count &&
           conversation->actions[run->next_action].at == run->fed)
        act(run, conversation->actions[run->next_action++].kind);
    run->side->pull(run->session, &out, 0);
    take_output(run, &out);
    chain_deinit(&out);
    run->waited = run->waited || run->side->queued(run->session) > 0 || has_more(run);
    return size;
}
