/*
 * Slow calls go to the slow log, and a limited number of lines to the log of the server; failed
 * calls to the latter. What the lines say about a call are fields, so that programs can read them.
 */
#include "service/notable.h"

#include "base/clock.h"
#include "base/code_name.h"
#include "base/hex.h"
#include "base/log.h"
#include "service/request.h"
#include "service/slowlog.h"

#include <stdio.h>

/* Lines of each kind in LOG_LIMIT_SPAN_MS. */
#define MAX_LINES 5

#define MAX_FIELDS 20

/* ---- what is known about an operation ---- */

/* The first key that the operation names; empty if it names none. */
static struct slice notable_first_key(const struct op *op)
{
    while (op_info(op->kind)->keys == OP_KEYS_OPS && op->op_count > 0)
        op = &op->ops[0];
    switch (op_info(op->kind)->keys) {
    case OP_KEYS_KEY:
    case OP_KEYS_PAIR:
    case OP_KEYS_INTO:
        return op->key;
    case OP_KEYS_KEYS:
        return op->key_count > 0 ? op->keys[0].bytes : (struct slice){0};
    case OP_KEYS_OPS:
    case OP_KEYS_NONE:
    case OP_KEYS_DB:
    case OP_KEYS_DBS:
        break;
    }
    return (struct slice){0};
}

static size_t notable_count_keys(const struct op *op)
{
    switch (op_info(op->kind)->keys) {
    case OP_KEYS_KEY:
        return 1;
    case OP_KEYS_PAIR:
        return 2;
    case OP_KEYS_KEYS:
        return op->key_count;
    case OP_KEYS_INTO:
        return op->key_count + 1;
    case OP_KEYS_OPS:
        return op->op_count;
    case OP_KEYS_NONE:
    case OP_KEYS_DB:
    case OP_KEYS_DBS:
        break;
    }
    return 0;
}

static void notable_note_key(struct request *request, struct slice key)
{
    struct request_note *note = &request->note;
    note->state = NOTE_KEY;
    note->key_size = (uint32_t)key.len;
    if (key.len > 0)
        memcpy(note->key, key.data, key.len < NOTE_MAX_KEY ? key.len : NOTE_MAX_KEY);
}

/* What does not depend on the bytes of the message. */
static void notable_note_rest(struct request *request)
{
    const struct op *op = &request->task.op;
    struct request_note *note = &request->note;
    note->state = NOTE_ALL;
    note->waited_for_disk = note->offloaded = false;
    note->db = op->db;
    note->keys = notable_count_keys(op);
    note->elements = op->value_count;
    note->request_bytes = request->arena.beside;
    note->reply_bytes = 0;
}

void notable_note(struct request *request)
{
    notable_note_key(request, notable_first_key(&request->task.op));
    notable_note_rest(request);
}

void notable_note_nothing(struct request *request, size_t bytes)
{
    request->note = (struct request_note){.state = NOTE_ALL, .request_bytes = bytes};
}

void notable_note_all(struct request *request)
{
    if (request->note.state == NOTE_KEY) {
        notable_note_rest(request);
        request->note.waited_for_disk = true;
    } else if (request->note.state == NOTE_NONE) {
        notable_note(request);
    }
}

void notable_note_pending(struct request *request)
{
    const struct op *op = &request->task.op;
    notable_note_key(request, op->key.len > 0 ? op->key : notable_first_key(op));
}

/* The request of a call; NULL if it has none that this thread may look into. */
static struct request *notable_request_of(struct grpc_call *call, const struct method *method)
{
    bool has_request =
        method != NULL && method->type != METHOD_STREAM && !grpc_call_is_waiting(call);
    struct request *request = has_request ? grpc_call_user(call) : NULL;
    return request != NULL && request->state != REQUEST_OFFLOADED ? request : NULL;
}

/* Completes the request's note when the call ends with that code. */
static void notable_end_note(struct request *request, enum grpc_code code)
{
    struct request_note *note = &request->note;
    const struct op_result *result = &request->task.result;
    bool has_op = request->method->type == METHOD_OP && request->state != REQUEST_HELD;
    size_t reply_bytes = request->is_detached && code == GRPC_OK ? note->reply_bytes : 0;
    if (note->state == NOTE_KEY || (note->state == NOTE_NONE && has_op))
        notable_note_all(request);
    else if (note->state == NOTE_NONE)
        *note = (struct request_note){.reply_bytes = reply_bytes};
    if (has_op && note->reply_bytes == 0 && code == GRPC_OK)
        note->reply_bytes = request->method->encoder->size(result);
}

/* ---- lines ---- */

struct event {
    struct log_field fields[MAX_FIELDS];
    size_t count;
    char trace_id[2 * GRPC_TRACE_ID_BYTES + 1], span_id[2 * GRPC_SPAN_ID_BYTES + 1];
    char method[120];
};

static void event_put(struct event *event, struct log_field field)
{
    event->fields[event->count++] = field;
}

static void event_put_text(struct event *event, const char *name, const char *text)
{
    event_put(event, log_text_field(name, slice_from_string(text)));
}

/* Left out if it is 0. */
static void event_put_count(struct event *event, const char *name, uint64_t count)
{
    if (count > 0)
        event_put(event, log_number_field(name, (int64_t)count));
}

static void event_put_call(struct event *event, const struct slow_call *call)
{
    snprintf(event->method, sizeof event->method, "%s/%s", route_method_service(call->method),
             route_method_name(call->method));
    event_put_text(event, "method", event->method);
    event_put(event, log_number_field("us", call->duration_us));
    event_put_text(event, "status", code_name(call->code));
}

static void event_put_note(struct event *event, const struct slow_call *call)
{
    const struct request_note *note = &call->note;
    size_t shown = note->key_size < NOTE_MAX_KEY ? note->key_size : NOTE_MAX_KEY;
    if (note->key_size > 0)
        event_put(event, log_text_field("key", slice_make(note->key, shown)));
    if (note->key_size > NOTE_MAX_KEY)
        event_put_count(event, "key_size", note->key_size);
    event_put_count(event, "db", note->db);
    event_put_count(event, "keys", note->keys > 1 ? note->keys : 0);
    event_put_count(event, "elements", note->elements);
    event_put_count(event, "request_bytes", note->request_bytes);
    event_put_count(event, "reply_bytes", note->reply_bytes);
    if (slow_call_waited_for(call) != NULL)
        event_put_text(event, "waited_for", slow_call_waited_for(call));
}

static void event_put_caller(struct event *event, const struct slow_call *call)
{
    const struct grpc_metadata *metadata = &call->metadata;
    if (call->peer[0] != '\0')
        event_put_text(event, "peer", call->peer);
    if (metadata->has_trace) {
        event_put_text(event, "trace_id",
                       hex_print(event->trace_id, metadata->trace_id, GRPC_TRACE_ID_BYTES));
        event_put_text(event, "span_id",
                       hex_print(event->span_id, metadata->span_id, GRPC_SPAN_ID_BYTES));
    }
    if (metadata->request_id_size > 0)
        event_put(event, log_text_field("request_id", slice_make(metadata->request_id,
                                                                 metadata->request_id_size)));
    event_put_count(event, "previous_attempts", metadata->previous_attempts);
}

/* How many calls a line about one more of its kind speaks for; 0: no line is due. */
static uint64_t notable_count_due(struct log_limit *limit)
{
    uint64_t count;
    return log_limit_note(limit, MAX_LINES, clock_monotonic_ms(), 1, &count) ? count : 0;
}

static void notable_log_slow(struct slowlog *log, const struct slow_call *call)
{
    struct event event = {.count = 0};
    uint64_t count = log_is_on(LOG_INFO) ? notable_count_due(slowlog_slow_lines(log)) : 0;
    if (count == 0)
        return;
    event_put_call(&event, call);
    event_put_note(&event, call);
    event_put_caller(&event, call);
    event_put_count(&event, "not_logged", count - 1);
    log_event(LOG_INFO, "slow call", event.fields, event.count);
}

/* Errors for which the client has done nothing wrong. */
static bool notable_is_fault(enum grpc_code code)
{
    return code == GRPC_UNKNOWN || code == GRPC_RESOURCE_EXHAUSTED || code == GRPC_INTERNAL ||
           code == GRPC_UNAVAILABLE || code == GRPC_DATA_LOSS;
}

/* As notable_count_due(), of a failed call: on the level debug each has a line. */
static uint64_t notable_count_failed(struct slowlog *log, enum grpc_code code)
{
    if (log_is_on(LOG_DEBUG))
        return 1;
    bool is_told = notable_is_fault(code) && log_is_on(LOG_INFO);
    return is_told ? notable_count_due(slowlog_failed_lines(log)) : 0;
}

static void notable_log_failed(const struct slow_call *call, const struct grpc_outcome *outcome,
                               uint64_t count)
{
    struct event event = {.count = 0};
    event_put_call(&event, call);
    event_put_text(&event, "reason", outcome->reason);
    event_put(&event, log_text_field("error", outcome->message));
    event_put_caller(&event, call);
    event_put_count(&event, "not_logged", count - 1);
    log_event(notable_is_fault(outcome->code) ? LOG_INFO : LOG_DEBUG, "failed call", event.fields,
              event.count);
}

/* ---- */

void notable_on_outcome(void *user, struct grpc_call *call, const struct grpc_outcome *outcome)
{
    const struct service *service = user;
    const struct service_options *options = &service->options;
    const struct grpc_metadata *metadata = grpc_call_metadata(call);
    struct slowlog *log = options->slowlog;
    if (log == NULL)
        return;
    uint64_t failed = outcome->reason != NULL ? notable_count_failed(log, outcome->code) : 0;
    if (!outcome->is_slow && failed == 0)
        return;
    struct request *request = notable_request_of(call, outcome->method);
    struct slow_call told = {.unix_ms = clock_unix_ms(),
                             .duration_us = outcome->duration_ns / 1000,
                             .method = route_method_number(outcome->method),
                             .code = outcome->code};
    if (request != NULL) {
        notable_end_note(request, outcome->code);
        told.note = request->note;
        told.waited_for_lock = request->holds > 0;
    }
    if (metadata != NULL)
        told.metadata = *metadata;
    if (options->print_peer != NULL)
        options->print_peer(grpc_call_connection_user(call), told.peer);
    if (outcome->is_slow) {
        slowlog_add(log, &told);
        notable_log_slow(log, &told);
    }
    if (failed > 0)
        notable_log_failed(&told, outcome, failed);
}
