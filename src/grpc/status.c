/*
 * Encodes statuses for trailers: percent-encoding, and google.rpc.Status, whose few protobuf fields
 * are written by hand so that this folder needs no generated code. Knows nothing of calls.
 */
#include "grpc/status.h"

#include "base/check.h"

/* Enough for every error message of ours, in bytes; a longer one is a bug. */
#define MAX_DETAILS ((size_t)8192)

static void status_append(struct buf *out, struct slice bytes)
{
    bool fits = buf_append(out, bytes);
    CHECK(fits);
}

void grpc_status_encode_message(struct slice message, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < message.len; i++) {
        uint8_t byte = message.data[i];
        uint8_t escaped[3] = {'%', (uint8_t)hex[byte >> 4], (uint8_t)hex[byte & 15]};
        bool plain = byte >= 0x20 && byte < 0x7f && byte != '%';
        status_append(out, plain ? slice_make(&byte, 1) : slice_make(escaped, sizeof escaped));
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
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t taken = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < taken ? bytes.data[i + k] : 0);
        uint8_t digits[4];
        for (size_t k = 0; k < 4; k++)
            digits[k] = (uint8_t)alphabet[bits >> (18 - 6 * k) & 63];
        status_append(out, slice_make(digits, taken + 1));
    }
}

void grpc_status_encode_details(const struct grpc_status *status, struct buf *out)
{
    struct buf info, any, message;
    buf_init(&info, MAX_DETAILS);
    buf_init(&any, MAX_DETAILS);
    buf_init(&message, MAX_DETAILS);

    status_append_field(&info, 1, slice_from_string(status->reason));
    status_append_field(&info, 2, SLICE_LITERAL("keystore"));
    status_append_field(&any, 1, SLICE_LITERAL("type.googleapis.com/google.rpc.ErrorInfo"));
    status_append_field(&any, 2, buf_slice(&info));
    status_append_varint(&message, 1 << 3 | 0);
    status_append_varint(&message, (uint64_t)status->code);
    status_append_field(&message, 2, status->message);
    status_append_field(&message, 3, buf_slice(&any));
    status_append_base64(out, buf_slice(&message));

    buf_deinit(&info);
    buf_deinit(&any);
    buf_deinit(&message);
}
