/* Parses the header fields of a gRPC request. Knows nothing of streams or methods. */
#include "grpc/request.h"

#include "http2/http2.h"

#include <strings.h>

/* The specification: "at most 8 digits". */
#define MAX_TIMEOUT_DIGITS 8

/* `number` of the unit in milliseconds, rounded up; false for an unknown unit. */
static bool request_scale_timeout(int64_t number, uint8_t unit, int64_t *timeout_ms)
{
    switch (unit) {
    case 'H':
        *timeout_ms = number * 3600 * 1000;
        return true;
    case 'M':
        *timeout_ms = number * 60 * 1000;
        return true;
    case 'S':
        *timeout_ms = number * 1000;
        return true;
    case 'm':
        *timeout_ms = number;
        return true;
    case 'u':
        *timeout_ms = (number + 999) / 1000;
        return true;
    case 'n':
        *timeout_ms = (number + 999999) / 1000000;
        return true;
    default:
        return false;
    }
}

static bool request_parse_timeout(struct slice text, int64_t *timeout_ms)
{
    if (text.len < 2 || text.len > MAX_TIMEOUT_DIGITS + 1)
        return false;
    int64_t number = 0;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (text.data[i] - '0');
    }
    return request_scale_timeout(number, text.data[text.len - 1], timeout_ms);
}

/* A positive decimal number; one that does not fit in 64 bits means no limit. */
static bool request_parse_max_reply(struct slice text, uint64_t *bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (digit > 9)
            return false;
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, digit, &number))
            number = UINT64_MAX / 16;
    }
    *bytes = number;
    return number > 0;
}

/* True if the list, separated by commas and perhaps spaces, has gzip among its members. */
static bool request_lists_gzip(struct slice list)
{
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.data) : list.len;
        struct slice member = slice_make(list.data, len);
        while (member.len > 0 && member.data[0] == ' ')
            member = slice_skip(member, 1);
        while (member.len > 0 && member.data[member.len - 1] == ' ')
            member.len--;
        if (slice_equal(member, SLICE_LITERAL("gzip")))
            return true;
        list = slice_skip(list, comma != NULL ? len + 1 : len);
    }
    return false;
}

static enum grpc_wish request_parse_wish(struct slice text)
{
    if (slice_equal(text, SLICE_LITERAL("gzip")))
        return GRPC_WISH_GZIP;
    return slice_equal(text, SLICE_LITERAL("identity")) ? GRPC_WISH_IDENTITY : GRPC_WISH_MALFORMED;
}

/* True if the text starts with `lower`, which is in lower case, ignoring case. */
static bool request_starts_in_any_case(struct slice text, struct slice lower)
{
    return text.len >= lower.len &&
           strncasecmp((const char *)text.data, (const char *)lower.data, lower.len) == 0;
}

static void request_keep_rare(struct grpc_request *request, struct slice value, struct slice *rare)
{
    *rare = value;
    request->rare.count++;
}

static void request_keep_id(struct grpc_request *request, struct slice value, struct slice *rare)
{
    request_keep_rare(request, value, rare);
    request->rare.request_ids++;
}

/* A field that few requests have; their names have lengths of their own. */
static void request_read_rare(const struct http2_field *field, struct grpc_request *request)
{
    struct grpc_rare_fields *rare = &request->rare;
    if (slice_equal(field->name, SLICE_LITERAL("traceparent")))
        request_keep_rare(request, field->value, &rare->traceparent);
    else if (slice_equal(field->name, SLICE_LITERAL("grpc-trace-bin")))
        request_keep_rare(request, field->value, &rare->trace_bin);
    else if (slice_equal(field->name, SLICE_LITERAL("keystore-request-id")))
        request_keep_id(request, field->value, &rare->request_id);
    else if (slice_equal(field->name, SLICE_LITERAL("keystore-request-id-bin")))
        request_keep_id(request, field->value, &rare->request_id_bin);
    else if (slice_equal(field->name, SLICE_LITERAL("grpc-previous-rpc-attempts")))
        request_keep_rare(request, field->value, &rare->previous_attempts);
}

static void request_read_field(const struct http2_field *field, struct grpc_request *request)
{
    /* The length distinguishes nearly all names, so that most fields cost one comparison. */
    switch (field->name.len) {
    case sizeof ":path" - 1:
        if (slice_equal(field->name, SLICE_LITERAL(":path")))
            request->path = field->value;
        break;
    case sizeof "expect" - 1:
        if (slice_equal(field->name, SLICE_LITERAL("expect")))
            request->expects_continue =
                field->value.len == sizeof "100-continue" - 1 &&
                request_starts_in_any_case(field->value, SLICE_LITERAL("100-continue"));
        break;
    case sizeof ":method" - 1:
        if (slice_equal(field->name, SLICE_LITERAL(":method")))
            request->method = field->value;
        break;
    case sizeof "content-type" - 1: /* and grpc-timeout */
        if (slice_equal(field->name, SLICE_LITERAL("content-type")))
            request->content_type = field->value;
        else if (slice_equal(field->name, SLICE_LITERAL("grpc-timeout")))
            request->timeout_valid = request_parse_timeout(field->value, &request->timeout_ms);
        break;
    case sizeof "grpc-encoding" - 1: /* and authorization */
        if (slice_equal(field->name, SLICE_LITERAL("grpc-encoding"))) {
            request->encoding = field->value;
        } else if (slice_equal(field->name, SLICE_LITERAL("authorization"))) {
            request->authorization = field->value;
            request->authorizations++;
        }
        break;
    case sizeof "keystore-compress" - 1:
        if (slice_equal(field->name, SLICE_LITERAL("keystore-compress")))
            request->wish = request_parse_wish(field->value);
        break;
    case sizeof "grpc-accept-encoding" - 1:
        if (slice_equal(field->name, SLICE_LITERAL("grpc-accept-encoding")))
            request->accepts_gzip |= request_lists_gzip(field->value);
        break;
    case sizeof "keystore-max-reply-bytes" - 1:
        if (slice_equal(field->name, SLICE_LITERAL("keystore-max-reply-bytes")))
            request->max_reply_valid = request_parse_max_reply(field->value, &request->max_reply);
        break;
    case sizeof "traceparent" - 1:
    case sizeof "grpc-trace-bin" - 1:
    case sizeof "keystore-request-id" - 1:
    case sizeof "keystore-request-id-bin" - 1:
    case sizeof "grpc-previous-rpc-attempts" - 1:
        request_read_rare(field, request);
        break;
    default:
        break;
    }
}

void grpc_request_parse(const struct http2_field *fields, size_t count,
                        struct grpc_request *request)
{
    *request = (struct grpc_request){.timeout_ms = GRPC_NO_TIMEOUT,
                                     .timeout_valid = true,
                                     .max_reply = GRPC_DEFAULT_MAX_REPLY,
                                     .max_reply_valid = true};
    for (size_t i = 0; i < count; i++)
        request_read_field(&fields[i], request);
}

bool grpc_request_content_type_valid(struct slice content_type)
{
    struct slice base = SLICE_LITERAL("application/grpc");
    if (!request_starts_in_any_case(content_type, base))
        return false;
    struct slice rest = slice_skip(content_type, base.len);
    if (request_starts_in_any_case(rest, SLICE_LITERAL("+proto")))
        rest = slice_skip(rest, sizeof "+proto" - 1);
    while (rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t'))
        rest = slice_skip(rest, 1);
    return rest.len == 0 || rest.data[0] == ';';
}
