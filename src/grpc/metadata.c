/* Parses the metadata that few calls have. Knows nothing of calls. */
#include "grpc/metadata.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* grpc-trace-bin: a version, and three fields, each after its number. */
#define TRACE_BIN_BYTES 29
/* traceparent of version 00: "00-", the trace, "-", the span, "-", the flags. */
#define TRACEPARENT_CHARS 55
/* More attempts than any client makes. */
#define MAX_ATTEMPTS_DIGITS 9

/* Decodes base64, with its padding or without, to 1 to `max` bytes. False if it is malformed. */
static bool metadata_decode_base64(struct slice text, uint8_t *out, size_t max, size_t *size)
{
    if (text.len % 4 == 0)
        for (int i = 0; i < 2 && text.len > 0 && text.data[text.len - 1] == '='; i++)
            text.len--;
    size_t bytes = BASE64_BYTES(text.len);
    if (bytes == 0 || bytes > max || !base64_decode(text, out))
        return false;
    *size = bytes;
    return true;
}

static bool metadata_copy_text(struct slice text, struct grpc_metadata *metadata)
{
    if (text.len == 0 || text.len > sizeof metadata->request_id)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    memcpy(metadata->request_id, text.data, text.len);
    metadata->request_id_size = text.len;
    return true;
}

/* NULL, or what is wrong with the request id. */
static const char *metadata_read_request_id(const struct grpc_rare_fields *fields,
                                            struct grpc_metadata *metadata)
{
    if (fields->request_ids == 0)
        return NULL;
    if (fields->request_ids > 1)
        return "keystore-request-id is there several times; send one id, either as "
               "keystore-request-id or as keystore-request-id-bin";
    if (fields->request_id_bin.data != NULL)
        return metadata_decode_base64(fields->request_id_bin, metadata->request_id,
                                      sizeof metadata->request_id, &metadata->request_id_size)
                   ? NULL
                   : "keystore-request-id-bin is malformed; it is 1 to 64 bytes, which gRPC sends "
                     "as base64";
    return metadata_copy_text(fields->request_id, metadata)
               ? NULL
               : "keystore-request-id is malformed; it is 1 to 64 printable ASCII characters "
                 "(other "
                 "bytes can be sent as keystore-request-id-bin)";
}

/* Decodes as many lower-case hexadecimal digits as fill `out`. */
static bool metadata_decode_hex(const uint8_t *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        bool is_upper = (text[2 * i] >= 'A' && text[2 * i] <= 'F') ||
                        (text[2 * i + 1] >= 'A' && text[2 * i + 1] <= 'F');
        if (high < 0 || low < 0 || is_upper)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool metadata_is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Neither id may be zero. */
static bool metadata_has_ids(const struct grpc_metadata *metadata)
{
    return !metadata_is_zero(metadata->trace_id, sizeof metadata->trace_id) &&
           !metadata_is_zero(metadata->span_id, sizeof metadata->span_id);
}

/* A later version may have more after the flags. */
static bool metadata_read_traceparent(struct slice text, struct grpc_metadata *metadata)
{
    uint8_t version;
    if (text.len < TRACEPARENT_CHARS || !metadata_decode_hex(text.data, &version, 1))
        return false;
    const uint8_t *at = text.data;
    bool has_end = version == 0 ? text.len == TRACEPARENT_CHARS
                                : text.len == TRACEPARENT_CHARS || at[TRACEPARENT_CHARS] == '-';
    return version != 0xff && has_end && at[2] == '-' && at[35] == '-' && at[52] == '-' &&
           metadata_decode_hex(at + 3, metadata->trace_id, sizeof metadata->trace_id) &&
           metadata_decode_hex(at + 36, metadata->span_id, sizeof metadata->span_id) &&
           metadata_decode_hex(at + 53, &metadata->trace_flags, 1) && metadata_has_ids(metadata);
}

static bool metadata_read_trace_bin(struct slice text, struct grpc_metadata *metadata)
{
    uint8_t bytes[TRACE_BIN_BYTES] = {0};
    size_t size;
    if (!metadata_decode_base64(text, bytes, sizeof bytes, &size) || size != sizeof bytes ||
        bytes[0] != 0 || bytes[1] != 0 || bytes[18] != 1 || bytes[27] != 2)
        return false;
    memcpy(metadata->trace_id, bytes + 2, sizeof metadata->trace_id);
    memcpy(metadata->span_id, bytes + 19, sizeof metadata->span_id);
    metadata->trace_flags = bytes[28];
    return metadata_has_ids(metadata);
}

/* Of the two forms, that of W3C is preferred. */
static void metadata_read_trace(const struct grpc_rare_fields *fields,
                                struct grpc_metadata *metadata)
{
    metadata->has_trace = metadata_read_traceparent(fields->traceparent, metadata) ||
                          metadata_read_trace_bin(fields->trace_bin, metadata);
    if (metadata->has_trace)
        return;
    memset(metadata->trace_id, 0, sizeof metadata->trace_id);
    memset(metadata->span_id, 0, sizeof metadata->span_id);
    metadata->trace_flags = 0;
}

static uint32_t metadata_read_attempts(struct slice text)
{
    uint32_t attempts = 0;
    if (text.len > MAX_ATTEMPTS_DIGITS)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        attempts = attempts * 10 + (uint32_t)(text.data[i] - '0');
    }
    return attempts;
}

struct grpc_metadata *grpc_metadata_new(const struct grpc_rare_fields *fields, const char **why)
{
    *why = NULL;
    if (fields->count == 0)
        return NULL;
    struct grpc_metadata *metadata = mem_alloc_zero(sizeof *metadata);
    *why = metadata_read_request_id(fields, metadata);
    if (*why != NULL) {
        free(metadata);
        return NULL;
    }
    metadata_read_trace(fields, metadata);
    metadata->previous_attempts = metadata_read_attempts(fields->previous_attempts);
    return metadata;
}
