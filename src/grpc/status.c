/*
 * Encodes statuses for trailers: percent-encoding, and google.rpc.Status, whose few protobuf fields
 * are written by hand so that this folder needs no generated code. Knows nothing of calls.
 */
#include "grpc/status.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/field_path.h"
#include "base/utf8.h"

/* Bounds the details of one error; more is a bug. */
#define MAX_DETAILS ((size_t)8192)

static void status_append(struct buf *out, struct slice bytes)
{
    bool fits = buf_append(out, bytes);
    CHECK(fits);
}

struct slice grpc_status_cut(struct slice message)
{
    size_t end = GRPC_STATUS_MESSAGE;
    if (message.len <= end)
        return message;
    while (end > 0 && (message.data[end] & 0xc0) == 0x80) /* it continues a character */
        end--;
    return slice_make(message.data, end);
}

static void status_append_escaped(struct buf *out, uint8_t byte)
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t escaped[3] = {'%', (uint8_t)hex[byte >> 4], (uint8_t)hex[byte & 15]};
    status_append(out, slice_make(escaped, sizeof escaped));
}

static bool status_is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '%';
}

void grpc_status_encode_message(struct slice message, struct buf *out)
{
    for (size_t i = 0; i < message.len; i++) {
        if (status_is_plain(message.data[i]))
            status_append(out, slice_make(&message.data[i], 1));
        else
            status_append_escaped(out, message.data[i]);
    }
}

void grpc_status_encode_name(struct slice name, struct buf *out)
{
    while (name.len > 0) {
        size_t size = utf8_size(name);
        if (size > 1 || status_is_plain(name.data[0]))
            status_append(out, slice_make(name.data, size));
        else
            status_append_escaped(out, name.data[0]);
        name = slice_skip(name, size > 0 ? size : 1);
    }
}

static void status_append_varint(struct buf *out, uint64_t number)
{
    uint8_t bytes[10];
    size_t len = 0;
    do {
        bytes[len++] = (uint8_t)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number > 0);
    status_append(out, slice_make(bytes, len));
}

/* A length-delimited field (wire type 2). */
static void status_append_field(struct buf *out, unsigned number, struct slice bytes)
{
    status_append_varint(out, number << 3 | 2);
    status_append_varint(out, bytes.len);
    status_append(out, bytes);
}

static void status_append_base64(struct buf *out, struct slice bytes)
{
    uint8_t *text = buf_reserve(out, BASE64_CHARS(bytes.len));
    CHECK(text != NULL);
    out->len += (size_t)(base64_encode(bytes, text) - text);
}

/* What is not UTF-8 becomes a question mark, since readers of the message may refuse it all. */
static void status_append_text(struct buf *out, unsigned number, struct slice text)
{
    struct buf valid;
    buf_init(&valid, MAX_DETAILS);
    while (text.len > 0) {
        size_t size = utf8_size(text);
        status_append(&valid, size > 0 ? slice_make(text.data, size) : SLICE_LITERAL("?"));
        text = slice_skip(text, size > 0 ? size : 1);
    }
    status_append_field(out, number, buf_slice(&valid));
    buf_deinit(&valid);
}

/* ---- the details: each fills the message of its type ---- */

static void status_error_info(const struct grpc_status *status, struct buf *info)
{
    status_append_field(info, 1, slice_from_string(status->reason));
    status_append_field(info, 2, SLICE_LITERAL("keystore"));
    if (status->trailer_name.len == 0)
        return;
    struct buf entry;
    buf_init(&entry, MAX_DETAILS);
    status_append_field(&entry, 1, status->trailer_name);
    status_append_field(&entry, 2, status->trailer_value);
    status_append_field(info, 3, buf_slice(&entry));
    buf_deinit(&entry);
}

static void status_retry_info(const struct grpc_status *status, struct buf *info)
{
    int64_t seconds = status->retry_ms / 1000, nanos = status->retry_ms % 1000 * 1000000;
    struct buf delay;
    if (status->retry_ms <= 0)
        return;
    buf_init(&delay, MAX_DETAILS);
    status_append_varint(&delay, 1 << 3 | 0);
    status_append_varint(&delay, (uint64_t)seconds);
    status_append_varint(&delay, 2 << 3 | 0);
    status_append_varint(&delay, (uint64_t)nanos);
    status_append_field(info, 1, buf_slice(&delay));
    buf_deinit(&delay);
}

/* BadRequest and QuotaFailure: a list of violations, each with what is violated, and how. */
static void status_violation(struct slice what, struct slice how, struct buf *info)
{
    struct buf violation;
    if (what.len == 0)
        return;
    buf_init(&violation, MAX_DETAILS);
    status_append_field(&violation, 1, what);
    status_append_text(&violation, 2, how);
    status_append_field(info, 1, buf_slice(&violation));
    buf_deinit(&violation);
}

static void status_bad_request(const struct grpc_status *status, struct buf *info)
{
    struct slice message = grpc_status_cut(status->message);
    status_violation(field_path_of(message), field_path_text(message), info);
}

static void status_quota_failure(const struct grpc_status *status, struct buf *info)
{
    status_violation(status->subject, grpc_status_cut(status->message), info);
}

static void status_resource_info(const struct grpc_status *status, struct buf *info)
{
    struct buf name;
    if (status->resource_type == NULL)
        return;
    buf_init(&name, MAX_DETAILS);
    grpc_status_encode_name(status->resource_name, &name);
    status_append_field(info, 1, slice_from_string(status->resource_type));
    if (name.len > 0 && name.len <= GRPC_STATUS_NAME)
        status_append_field(info, 2, buf_slice(&name));
    status_append_text(info, 4, field_path_text(grpc_status_cut(status->message)));
    buf_deinit(&name);
}

static const struct {
    struct slice type;
    void (*fill)(const struct grpc_status *status, struct buf *info); /* nothing: there is none */
} status_details[] = {
    {SLICE_LITERAL("type.googleapis.com/google.rpc.ErrorInfo"), status_error_info},
    {SLICE_LITERAL("type.googleapis.com/google.rpc.RetryInfo"), status_retry_info},
    {SLICE_LITERAL("type.googleapis.com/google.rpc.BadRequest"), status_bad_request},
    {SLICE_LITERAL("type.googleapis.com/google.rpc.QuotaFailure"), status_quota_failure},
    {SLICE_LITERAL("type.googleapis.com/google.rpc.ResourceInfo"), status_resource_info},
};

/* As a google.protobuf.Any in field 3 of the Status. */
static void status_append_detail(const struct grpc_status *status, size_t number,
                                 struct buf *message)
{
    struct buf info, any;
    buf_init(&info, MAX_DETAILS);
    buf_init(&any, MAX_DETAILS);
    status_details[number].fill(status, &info);
    if (buf_slice(&info).len > 0) {
        status_append_field(&any, 1, status_details[number].type);
        status_append_field(&any, 2, buf_slice(&info));
        status_append_field(message, 3, buf_slice(&any));
    }
    buf_deinit(&info);
    buf_deinit(&any);
}

void grpc_status_encode_details(const struct grpc_status *status, struct buf *out)
{
    struct buf message;
    buf_init(&message, MAX_DETAILS);
    status_append_varint(&message, 1 << 3 | 0);
    status_append_varint(&message, (uint64_t)status->code);
    status_append_text(&message, 2, grpc_status_cut(status->message));
    for (size_t i = 0; i < sizeof status_details / sizeof *status_details; i++)
        status_append_detail(status, i, &message);
    status_append_base64(out, buf_slice(&message));
    buf_deinit(&message);
}
