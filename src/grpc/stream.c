/* Cuts the messages of streaming calls out of their DATA, and writes replies as there is room. */
#include "grpc/stream.h"

#include "base/chain.h"
#include "base/check.h"
#include "base/mem.h"
#include "grpc/call.h"
#include "grpc/fields.h"
#include "grpc/gzip.h"

#include <stdlib.h>

struct stream_state {
    const struct grpc_stream_method *method;
    bool begun;          /* the reply's headers are sent */
    bool draining;       /* on_drain was called */
    bool holding;        /* grpc_stream_hold() */
    bool is_reported;    /* the service was told how it ends */
    bool *gone;          /* set when the call is closed; NULL: nobody asks */
    enum grpc_code code; /* when it has ended */
    struct chain *body;  /* of the reply, within on_room */
    int64_t unread_ms;   /* monotonic: since when replies wait for the stream's window; 0: they do
                           not. Of that period: */
    size_t unread;       /* bytes that waited at its start, */
    uint64_t taken;      /* and that had been sent before */
    bool has_error;      /* the trailers are: */
    struct grpc_fields error;
};

static void *stream_service(const struct grpc_call *call)
{
    return call->connection->server->service->user;
}

void call_stream_open(struct grpc_call *call, const struct grpc_stream_method *method)
{
    call->state = CALL_STREAMING;
    call->streaming = mem_alloc_zero(sizeof *call->streaming);
    call->streaming->method = method;
    atomic_fetch_add_explicit(&call->connection->server->streams_open, 1, memory_order_relaxed);
    call->streaming->method->on_open(stream_service(call), call);
}

void call_stream_close(struct grpc_call *call)
{
    if (call->streaming == NULL)
        return;
    if (call->state == CALL_STREAMING) {
        call->streaming->code = call_left_code(call);
        call->streaming->method->on_cancel(stream_service(call), call);
    }
    int64_t duration_ns = call_count_end(call, call->streaming->code);
    if (!call->streaming->is_reported && call_is_told(call))
        call_report(call, duration_ns, call->streaming->code, NULL);
    if (call->streaming->has_error)
        grpc_fields_deinit(&call->streaming->error);
    if (call->streaming->gone != NULL)
        *call->streaming->gone = true;
    free(call->streaming);
    call->streaming = NULL;
    atomic_fetch_sub_explicit(&call->connection->server->streams_open, 1, memory_order_relaxed);
}

/* It is counted later, when its replies have been passed on. */
static void stream_report(struct grpc_call *call, const struct grpc_status *status)
{
    int64_t duration_ns = meter_duration(call->connection->server->meter, call->start_ns);
    call->streaming->is_reported = true;
    call_report(call, duration_ns, status->code, status);
}

/* ---- the caller's messages ---- */

static void stream_end_badly(struct grpc_call *call, const struct grpc_status *status);
static void stream_break_off(struct grpc_call *call, const struct grpc_status *status);

/* Ends a call, which the method may have ended already, without what waits for its window. */
static void stream_fail(struct grpc_call *call, enum err err, const char *why)
{
    struct grpc_connection *connection = call->connection;
    struct grpc_status status = connection->server->service->status_of(err, why);
    uint64_t taken;
    const struct grpc_stream_method *method = call->streaming->method;
    bool is_parked = call->streaming->begun && http2_stream_parked(call_stream(call), &taken) > 0;
    if (call->state == CALL_STREAMING && method->on_failure != NULL && !is_parked)
        method->on_failure(stream_service(call), call, &status);
    if (call->state == CALL_STREAMING)
        method->on_cancel(stream_service(call), call);
    call->state = CALL_ANSWERED;
    call->streaming->code = status.code;
    stream_report(call, &status);
    if (is_parked)
        stream_break_off(call, &status);
    else
        stream_end_badly(call, &status);
    call_tell_output(connection);
}

static void stream_drop_message(struct grpc_call *call)
{
    call_drop_message(call);
    call->message = (struct grpc_message){0};
}

/* The size of the whole message at the beginning of the bytes, with its prefix; 0 if it is not all
 * there, or not one that is taken as it is. */
static size_t stream_whole_message(const struct grpc_call *call, struct slice bytes)
{
    size_t max = call->connection->server->limits.max_message;
    if (call->message.prefix_len > 0 || bytes.len < GRPC_PREFIX_SIZE || bytes.data[0] != 0)
        return 0;
    size_t size = grpc_message_read_size(bytes.data);
    return size <= max && size <= bytes.len - GRPC_PREFIX_SIZE ? GRPC_PREFIX_SIZE + size : 0;
}

/* Bytes that the message under way lacks, as far as is known. */
static size_t stream_missing(const struct grpc_message *message)
{
    if (message->prefix_len < GRPC_PREFIX_SIZE)
        return (size_t)(GRPC_PREFIX_SIZE - message->prefix_len);
    return message->expected - grpc_message_bytes(message).len;
}

/* Takes a part of a message; false if the call has failed. */
static bool stream_gather(struct grpc_call *call, struct slice part)
{
    const char *why;
    enum err err = call_gather(call, part, &why);
    if (err == ERR_NONE)
        return true;
    stream_drop_message(call);
    stream_fail(call, err, why);
    return false;
}

/* False if the method has ended the call and it is gone. */
static bool stream_deliver(struct grpc_call *call, struct slice message)
{
    bool gone = false;
    call->streaming->gone = &gone;
    meter_add(&call->row->received, 1);
    call->streaming->method->on_message(stream_service(call), call, message);
    if (!gone)
        call->streaming->gone = NULL;
    return !gone;
}

/* The same for the gathered message. */
static bool stream_deliver_gathered(struct grpc_call *call)
{
    struct grpc_message message = call->message;
    call->connection->unfinished -= grpc_message_gathered(&message);
    call->message = (struct grpc_message){0};
    bool there = stream_deliver(call, grpc_message_bytes(&message));
    grpc_message_deinit(&message);
    return there;
}

/* A message is complete. False if the call is gone or has failed. */
static bool stream_take_message(struct grpc_call *call)
{
    const char *why;
    if (!grpc_message_is_compressed(&call->message))
        return stream_deliver_gathered(call);
    enum err err = inflation_begin(call, &why);
    if (err != ERR_NONE) {
        stream_drop_message(call);
        stream_fail(call, err, why);
        return false;
    }
    if (call->inflation == NULL)
        return stream_deliver_gathered(call);
    http2_request_hold(call_stream(call), true);
    return true;
}

/* Keeps what follows a message that is being inflated. */
static bool stream_keep(struct grpc_call *call, struct slice data)
{
    const char *why;
    enum err err = inflation_take_data(call, data, &why);
    if (err == ERR_NONE)
        return true;
    inflation_abandon(call);
    stream_fail(call, err, why);
    return false;
}

/* False if the call is gone or has failed. */
static bool stream_take_data(struct grpc_call *call, struct slice data)
{
    while (data.len > 0 && call->state == CALL_STREAMING) {
        if (call->inflation != NULL)
            return stream_keep(call, data);
        size_t size = stream_whole_message(call, data);
        if (size > 0) {
            struct slice whole = slice_make(data.data, size);
            if (!stream_deliver(call, slice_skip(whole, GRPC_PREFIX_SIZE)))
                return false;
            data = slice_skip(data, size);
            continue;
        }
        if (call->message.prefix_len == 0) {
            call->period_ms = call->connection->now_ms;
            call->period_bytes = 0;
        }
        size = stream_missing(&call->message);
        if (size > data.len)
            size = data.len;
        if (!stream_gather(call, slice_make(data.data, size)))
            return false;
        data = slice_skip(data, size);
        if (call->message.prefix_len == GRPC_PREFIX_SIZE && stream_missing(&call->message) == 0 &&
            !stream_take_message(call))
            return false;
    }
    return true;
}

void call_stream_take_data(struct grpc_call *call, struct slice data)
{
    (void)stream_take_data(call, data);
}

void call_stream_continue(struct grpc_call *call, enum err err, const char *why, struct slice rest,
                          bool end)
{
    if (call->state != CALL_STREAMING) {
        stream_drop_message(call);
        return;
    }
    http2_request_hold(call_stream(call), call->streaming->holding);
    if (err != ERR_NONE)
        stream_fail(call, err, why);
    else if (stream_deliver_gathered(call) && stream_take_data(call, rest) && end &&
             call->state == CALL_STREAMING)
        call_stream_end_request(call);
}

void call_stream_end_request(struct grpc_call *call)
{
    if (call->inflation != NULL) {
        inflation_end_request(call);
        return;
    }
    if (call->message.prefix_len > 0) {
        stream_drop_message(call);
        stream_fail(call, ERR_BAD_MESSAGE, "the request ends within a message");
        return;
    }
    call->streaming->method->on_half_close(stream_service(call), call);
}

struct stream_search {
    int64_t now_ms;
    struct grpc_call *found;
    enum err err;
    const char *why;
};

/* True if the caller takes too little of its replies (grpc_limits.write_timeout_ms), and it is not
 * the connection that holds them up. */
static bool stream_is_unread(struct grpc_call *call, int64_t now_ms)
{
    const struct grpc_limits *limits = &call->connection->server->limits;
    struct stream_state *state = call->streaming;
    uint64_t taken;
    size_t waiting = http2_stream_parked(call_stream(call), &taken);
    if (waiting == 0) {
        state->unread_ms = 0;
        return false;
    }
    if (state->unread_ms != 0) {
        size_t enough = state->unread < limits->min_progress ? state->unread : limits->min_progress;
        if (now_ms - state->unread_ms <= limits->write_timeout_ms)
            return false;
        if (taken - state->taken < enough)
            return true;
    }
    state->unread_ms = now_ms;
    state->unread = waiting;
    state->taken = taken;
    return false;
}

/* Why the call has to end; ERR_NONE if it may go on. */
static enum err stream_judge(struct grpc_call *call, int64_t now_ms, const char **why)
{
    if (stream_is_unread(call, now_ms)) {
        atomic_fetch_add(&call->connection->server->unread_streams, 1);
        *why = "the stream's replies were not read in time (--write-timeout, --min-progress)";
        return ERR_NOT_READ;
    }
    if (call->state != CALL_STREAMING)
        return ERR_NONE;
    const struct grpc_service *service = call->connection->server->service;
    call_count_again(call);
    if (call->principal != NULL) {
        enum err err = service->review(service->user, call, call->method, why);
        if (err != ERR_NONE)
            return err;
    }
    if (now_ms >= call->deadline_ms)
        *why = "the call's deadline has passed";
    else if (call->message.prefix_len > 0 && call_stalls(call, now_ms))
        *why = "the rest of a message did not arrive in time (--request-timeout, --min-progress)";
    else
        return ERR_NONE;
    return ERR_DEADLINE;
}

/* False, which ends the search, for a call that has to end. */
static bool stream_look_at(void *argument, struct http2_stream *stream)
{
    struct stream_search *search = argument;
    struct grpc_call *call = http2_stream_user(stream);
    if (call->streaming == NULL)
        return true;
    search->found = call;
    search->err = stream_judge(call, search->now_ms, &search->why);
    return search->err == ERR_NONE;
}

void call_stream_check(struct grpc_connection *connection, int64_t now_ms)
{
    struct stream_search search = {.now_ms = now_ms};
    while (!http2_session_visit(connection->session, stream_look_at, &search))
        stream_fail(search.found, search.err, search.why);
}

/* False, which ends the search, for a call that has not been notified of the shutdown. */
static bool stream_is_draining(void *argument, struct http2_stream *stream)
{
    struct grpc_call **found = argument;
    struct grpc_call *call = http2_stream_user(stream);
    *found = call;
    return call->state != CALL_STREAMING || call->streaming->draining;
}

void call_stream_drain(struct grpc_connection *connection)
{
    struct grpc_call *call;
    while (!http2_session_visit(connection->session, stream_is_draining, &call)) {
        call->streaming->draining = true;
        call->streaming->method->on_drain(stream_service(call), call);
    }
}

/* ---- replies ---- */

static void stream_begin_reply(struct grpc_call *call)
{
    call->streaming->begun = true;
    http2_reply_begin(call_stream(call), grpc_reply_fields,
                      (call->gzip & CALL_WANTS_GZIP) != 0 ? GRPC_GZIP_REPLY_FIELDS
                                                          : GRPC_REPLY_FIELDS);
}

void grpc_stream_ready(struct grpc_call *call)
{
    DCHECK(call->state == CALL_STREAMING);
    if (!call->streaming->begun)
        stream_begin_reply(call);
    http2_reply_ready(call_stream(call));
    call_tell_output(call->connection);
}

void grpc_stream_begin(struct grpc_call *call)
{
    DCHECK(call->state == CALL_STREAMING);
    if (!call->streaming->begun)
        stream_begin_reply(call);
    call_tell_output(call->connection);
}

static void stream_fill(struct grpc_call *call, struct chain *body, size_t room)
{
    call->streaming->body = body;
    call->streaming->method->on_room(stream_service(call), call, room);
    call->streaming->body = NULL;
}

/* Appends the message that follows the cursor, with its prefix, compressed if it is worth it. One
 * that takes longer than a page is sent as it is. */
static void stream_compress(struct grpc_call *call, const struct chain *plain,
                            struct chain_cursor *cursor, struct chain *body)
{
    struct grpc_server *server = call->connection->server;
    size_t size = grpc_message_read_size(plain->bytes.data + cursor->bytes);
    struct chain_cursor message = *cursor;
    chain_skip(plain, &message, GRPC_PREFIX_SIZE);
    size_t compressed =
        size <= GZIP_MOST_INLINE ? gzip_append(server_gzip(server), plain, message, size, body) : 0;
    if (compressed == 0) {
        chain_append_range(body, plain, cursor, GRPC_PREFIX_SIZE + size);
        return;
    }
    compression_count(&server->compressed, compressed, size);
    chain_skip(plain, cursor, GRPC_PREFIX_SIZE + size);
}

/* The method writes to a chain of its own, whose messages are then compressed. */
static void stream_fill_compressed(struct grpc_call *call, struct chain *body, size_t room)
{
    struct chain plain = {0};
    struct chain_cursor cursor = {0};
    stream_fill(call, &plain, room);
    for (size_t left = chain_length(&plain); left > 0;) {
        size_t size = grpc_message_read_size(plain.bytes.data + cursor.bytes);
        stream_compress(call, &plain, &cursor, body);
        left -= GRPC_PREFIX_SIZE + size;
    }
    chain_deinit(&plain);
}

void call_stream_on_room(void *user, struct http2_stream *stream, struct chain *body, size_t room)
{
    struct grpc_call *call = http2_stream_user(stream);
    (void)user;
    if ((call->gzip & CALL_WANTS_GZIP) != 0)
        stream_fill_compressed(call, body, room);
    else
        stream_fill(call, body, room);
}

struct chain *grpc_stream_write(struct grpc_call *call, size_t size)
{
    struct chain *body = call->streaming->body;
    CHECK(body != NULL && call->state == CALL_STREAMING);
    meter_add(&call->row->sent, 1);
    grpc_message_write_prefix(chain_append(body, GRPC_PREFIX_SIZE), size);
    return body;
}

static const struct http2_field *stream_error_trailers(struct grpc_call *call,
                                                       const struct grpc_status *status)
{
    struct stream_state *state = call->streaming;
    if (state->has_error)
        grpc_fields_deinit(&state->error);
    grpc_fields_init(&state->error, status);
    state->has_error = true;
    return state->error.fields + GRPC_REPLY_FIELDS;
}

/* The call is gone afterwards, unless it is within a callback. */
static void stream_end_well(struct grpc_call *call)
{
    if (!call->streaming->begun)
        stream_begin_reply(call);
    http2_reply_end(call_stream(call), grpc_ok_trailers, GRPC_OK_TRAILERS);
}

static void stream_end_badly(struct grpc_call *call, const struct grpc_status *status)
{
    const struct http2_field *trailers = stream_error_trailers(call, status);
    size_t count = call->streaming->error.count;
    if (call->streaming->begun)
        http2_reply_end(call_stream(call), trailers, count - GRPC_REPLY_FIELDS);
    else
        http2_answer_without_body(call_stream(call), trailers - GRPC_REPLY_FIELDS, count);
}

static void stream_break_off(struct grpc_call *call, const struct grpc_status *status)
{
    const struct http2_field *trailers = stream_error_trailers(call, status);
    http2_reply_abort(call_stream(call), trailers,
                      call->streaming->error.count - GRPC_REPLY_FIELDS);
}

void grpc_stream_end(struct grpc_call *call, const struct grpc_status *status)
{
    struct grpc_connection *connection = call->connection;
    CHECK(call->state == CALL_STREAMING);
    call->state = CALL_ANSWERED;
    call->streaming->code = status == NULL ? GRPC_OK : status->code;
    if (status != NULL)
        stream_report(call, status);
    if (status == NULL)
        stream_end_well(call);
    else
        stream_end_badly(call, status);
    call_tell_output(connection);
}

void grpc_stream_hold(struct grpc_call *call, bool hold)
{
    call->streaming->holding = hold;
    if (call->inflation == NULL)
        http2_request_hold(call_stream(call), hold);
    if (!hold)
        call_tell_output(call->connection);
}
