/*
 * The gRPC part of a call: message framing, headers and trailers. Does not know HTTP/2
 * frames, sockets, or what the messages mean.
 */
#include "client/call.h"

#include "base/check.h"
#include "base/decimal.h"
#include "client/status.h"

#include <stdio.h>

void call_write_prefix(uint8_t prefix[static CALL_PREFIX_SIZE], uint32_t len)
{
    prefix[0] = 0; /* not compressed */
    prefix[1] = (uint8_t)(len >> 24);
    prefix[2] = (uint8_t)(len >> 16);
    prefix[3] = (uint8_t)(len >> 8);
    prefix[4] = (uint8_t)len;
}

void call_write_timeout(char out[static CALL_TIMEOUT_SIZE], int64_t timeout_ms)
{
    static const struct {
        int64_t milliseconds;
        char name;
    } units[] = {{1, 'm'}, {1000, 'S'}, {60000, 'M'}, {3600000, 'H'}};
    size_t i = 0;
    while (i < 3 && timeout_ms / units[i].milliseconds > 99999999)
        i++;
    int64_t amount = timeout_ms / units[i].milliseconds;
    if (amount > 99999999)
        amount = 99999999;
    snprintf(out, CALL_TIMEOUT_SIZE, "%u%c", (unsigned)amount, units[i].name);
}

void call_init(struct call *call, struct slice request, struct call_attempt *attempt,
               struct buffer *answer, size_t max_message)
{
    memset(call, 0, offsetof(struct call, error)); /* without its texts, which are long */
    call->error.code = KEYSTORE_OK;
    call->error.reason[0] = call->error.message[0] = '\0';
    call->request = request;
    call->answer = answer;
    call->attempt = attempt;
    call->max_message = max_message;
    answer->len = 0;
}

void call_init_stream(struct call *call, struct buffer *answer, size_t max_message)
{
    call_init(call, slice_make(NULL, 0), NULL, answer, max_message);
    call->is_stream = true;
}

size_t call_take_request(struct call *call, uint8_t *out, size_t size)
{
    size_t count = size < call->request.len ? size : call->request.len;
    if (count > 0)
        memcpy(out, call->request.data, count);
    call->request = slice_skip(call->request, count);
    return count;
}

static void call_copy_text(char *out, size_t size, struct slice text)
{
    size_t len = text.len < size ? text.len : size - 1;
    memcpy(out, text.data, len);
    out[len] = '\0';
}

static void call_on_http_status(struct call *call, struct slice value)
{
    call->http_status = 0;
    for (size_t i = 0; i < value.len && i < 3; i++)
        call->http_status = call->http_status * 10 + (value.data[i] - '0');
}

static void call_on_content_type(struct call *call, struct slice value)
{
    call->not_grpc = !slice_starts_with(value, SLICE_LITERAL("application/grpc"));
    call_copy_text(call->content_type, sizeof call->content_type, value);
}

static void call_on_grpc_status(struct call *call, struct slice value)
{
    call->has_status = true;
    call->error.code = status_parse(value);
}

static void call_on_grpc_message(struct call *call, struct slice value)
{
    status_decode_message(value, call->error.message, sizeof call->error.message);
}

static void call_on_reason(struct call *call, struct slice value)
{
    call_copy_text(call->error.reason, sizeof call->error.reason, value);
}

static void call_on_oldest_version(struct call *call, struct slice value)
{
    uint64_t version = 0;
    for (size_t i = 0; i < value.len && value.data[i] >= '0' && value.data[i] <= '9'; i++)
        version = version * 10 + (uint64_t)(value.data[i] - '0');
    call->oldest_version = version;
}

/* As gRPC has it, whatever is not a number of milliseconds forbids to repeat the call. */
static void call_on_pushback(struct call *call, struct slice value)
{
    struct call_attempt *attempt = call->attempt;
    if (attempt == NULL)
        return;
    attempt->has_pushback = true;
    if (!decimal_parse(value, &attempt->pushback_ms))
        attempt->pushback_ms = -1;
}

void call_on_header(struct call *call, struct slice name, struct slice value)
{
    static const struct {
        struct slice name;
        void (*on_value)(struct call *call, struct slice value);
    } known[] = {
        {SLICE_LITERAL(":status"), call_on_http_status},
        {SLICE_LITERAL("content-type"), call_on_content_type},
        {SLICE_LITERAL("grpc-status"), call_on_grpc_status},
        {SLICE_LITERAL("grpc-message"), call_on_grpc_message},
        {SLICE_LITERAL("keystore-reason"), call_on_reason},
        {SLICE_LITERAL("keystore-oldest-version"), call_on_oldest_version},
        {SLICE_LITERAL("grpc-retry-pushback-ms"), call_on_pushback},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_equal(name, known[i].name))
            known[i].on_value(call, value);
}

static bool call_refuse_too_large(struct call *call)
{
    status_set(
        &call->error, KEYSTORE_RESOURCE_EXHAUSTED,
        "the answer has %zu bytes, but this client accepts at most %zu: ask for less at a time "
        "or raise max_message",
        call->announced_len, call->max_message);
    call_copy_text(call->error.reason, sizeof call->error.reason,
                   SLICE_LITERAL("ERROR_REASON_TOO_LARGE"));
    return false;
}

static bool call_refuse_out_of_memory(struct call *call)
{
    status_out_of_memory(&call->error, "the answer is lost, but the server has executed the call");
    return false;
}

static bool call_refuse(struct call *call, const char *what)
{
    status_set(&call->error, KEYSTORE_INTERNAL, "the server's answer %s", what);
    return false;
}

/* Whether the body of this answer is gRPC's; the page of a web server is skipped. */
static bool call_carries_messages(const struct call *call)
{
    return !call->not_grpc && call->http_status == 200;
}

/* Sets the announced length, or refuses the message from its prefix alone. */
static bool call_read_prefix(struct call *call, const uint8_t *prefix)
{
    if (prefix[0] == 1)
        return call_refuse(call, "is compressed, although this client does not support that");
    if (prefix[0] != 0)
        return call_refuse(call, "starts with a flag unknown to gRPC");
    call->announced_len =
        (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
    return call->announced_len <= call->max_message || call_refuse_too_large(call);
}

static bool call_on_prefix_complete(struct call *call)
{
    if (!call_read_prefix(call, call->prefix)) /* before memory is taken */
        return false;
    if (call->announced_len > 0 && buffer_reserve(call->answer, call->announced_len) == NULL)
        return call_refuse_out_of_memory(call);
    return true;
}

/* Takes the part of the prefix that is in `bytes`; returns its length. */
static size_t call_take_prefix(struct call *call, struct slice bytes)
{
    DCHECK(call->prefix_len <= CALL_PREFIX_SIZE);
    size_t missing = CALL_PREFIX_SIZE - call->prefix_len;
    size_t count = bytes.len < missing ? bytes.len : missing;
    memcpy(call->prefix + call->prefix_len, bytes.data, count);
    call->prefix_len += count;
    return count;
}

/* Keeps bytes of a stream until its messages are taken. */
static bool call_keep(struct call *call, struct slice bytes)
{
    struct buffer *answer = call->answer;
    if (call->answer_at > 0 && call->answer_at >= answer->len / 2) {
        buffer_consume(answer, call->answer_at);
        call->answer_at = 0;
    }
    return buffer_append(answer, bytes) || call_refuse_out_of_memory(call);
}

enum call_message call_find_message(struct call *call, struct slice *message)
{
    DCHECK(call->is_stream);
    struct slice kept = slice_skip(buffer_slice(call->answer), call->answer_at);
    if (kept.len < CALL_PREFIX_SIZE)
        return CALL_INCOMPLETE;
    if (!call_read_prefix(call, kept.data))
        return CALL_REFUSED;
    if (kept.len - CALL_PREFIX_SIZE < call->announced_len)
        return CALL_INCOMPLETE;
    *message = slice_make(kept.data + CALL_PREFIX_SIZE, call->announced_len);
    return CALL_MESSAGE;
}

void call_drop_message(struct call *call, struct slice message)
{
    call->answer_at += CALL_PREFIX_SIZE + message.len;
    DCHECK(call->answer_at <= call->answer->len);
    if (call->answer_at == call->answer->len)
        call->answer_at = call->answer->len = 0;
}

bool call_on_data(struct call *call, struct slice bytes)
{
    if (!call_carries_messages(call) || bytes.len == 0)
        return true;
    if (call->is_stream)
        return call_keep(call, bytes);
    if (call->prefix_len < CALL_PREFIX_SIZE) {
        bytes = slice_skip(bytes, call_take_prefix(call, bytes));
        if (call->prefix_len < CALL_PREFIX_SIZE)
            return true;
        if (!call_on_prefix_complete(call))
            return false;
    }
    DCHECK(call->answer->len <= call->announced_len && call->announced_len <= call->max_message);
    if (bytes.len > call->announced_len - call->answer->len)
        return call_refuse(call, "has more than one message");
    if (!buffer_append(call->answer, bytes))
        return call_refuse_out_of_memory(call);
    return true;
}

static enum keystore_code call_finish_without_status(struct call *call)
{
    enum keystore_code code = status_from_http(call->http_status);
    if (call->not_grpc)
        status_set(&call->error, code,
                   "the server speaks HTTP but not gRPC (status %d, content-type %s): check host "
                   "and port",
                   call->http_status, call->content_type);
    else
        status_set(&call->error, code, "the server's answer has HTTP status %d and no grpc-status",
                   call->http_status);
    return code;
}

enum keystore_code call_finish(struct call *call)
{
    if (!call->has_status)
        return call_finish_without_status(call);
    if (call->error.code != KEYSTORE_OK) {
        if (call->error.message[0] == '\0')
            call_copy_text(call->error.message, sizeof call->error.message,
                           SLICE_LITERAL("the server gave no explanation"));
        return call->error.code;
    }
    bool truncated = call->is_stream ? call->answer_at < call->answer->len
                                     : call->prefix_len < CALL_PREFIX_SIZE ||
                                           call->answer->len < call->announced_len;
    if (truncated)
        call_refuse(call, "has status OK, but its message is missing or truncated");
    return call->error.code;
}
