/* gRPC calls on HTTP/2 requests: header fields, message prefix and status. */
#include "support/ng_call.h"

#include "base/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PREFIX_SIZE 5

#define FIELD(name_, value_)                                                                       \
    {                                                                                              \
        .name = SLICE_LITERAL(name_), .value = SLICE_LITERAL(value_)                               \
    }

struct ng_stream *ng_call_begin(struct ng_client *client, const char *path)
{
    const struct http2_field fields[] = {
        FIELD(":method", "POST"),
        FIELD(":scheme", "http"),
        {.name = SLICE_LITERAL(":path"), .value = slice_from_string(path)},
        FIELD(":authority", "test"),
        FIELD("te", "trailers"),
        FIELD("content-type", "application/grpc"),
    };
    return ng_client_request(client, fields, sizeof fields / sizeof *fields, false);
}

void ng_call_send(struct ng_client *client, struct ng_stream *call, struct slice message, bool end)
{
    const uint8_t prefix[PREFIX_SIZE] = {0, (uint8_t)(message.len >> 24),
                                         (uint8_t)(message.len >> 16), (uint8_t)(message.len >> 8),
                                         (uint8_t)message.len};
    ng_client_send(client, call, slice_make(prefix, sizeof prefix), false);
    ng_client_send(client, call, message, end);
}

struct ng_stream *ng_call(struct ng_client *client, const char *path, struct slice message)
{
    struct ng_stream *call = ng_call_begin(client, path);
    ng_call_send(client, call, message, true);
    return call;
}

struct slice ng_call_field(const struct ng_stream *call, const char *name)
{
    struct slice value;
    if (ng_client_find_field(&call->headers, name, &value) ||
        ng_client_find_field(&call->trailers, name, &value))
        return value;
    return slice_make(NULL, 0);
}

int ng_call_status(const struct ng_stream *call)
{
    struct slice status = ng_call_field(call, "grpc-status");
    int64_t code = -1;
    if (status.len > 0 && !decimal_parse(status, &code))
        fail_msg("grpc-status is not a number: %.*s", (int)status.len, (const char *)status.data);
    return (int)code;
}

static void assert_ended(const struct ng_stream *call, int status)
{
    assert_true(call->closed);
    assert_int_equal(call->error_code, NGHTTP2_NO_ERROR);
    ng_assert_slice(ng_call_field(call, ":status"), "200");
    assert_int_equal(ng_call_status(call), status);
}

bool ng_call_next(const struct ng_stream *call, size_t *at, struct slice *message)
{
    struct slice rest = slice_skip(buf_slice(&call->body), *at);
    if (rest.len < PREFIX_SIZE)
        return false;
    const uint8_t *prefix = rest.data;
    size_t len = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
                 (size_t)prefix[4];
    assert_int_equal(prefix[0], 0);
    if (rest.len - PREFIX_SIZE < len)
        return false;
    *message = slice_make(prefix + PREFIX_SIZE, len);
    *at += PREFIX_SIZE + len;
    return true;
}

struct slice ng_call_reply(const struct ng_stream *call)
{
    struct slice message = {0};
    size_t at = 0;
    assert_ended(call, GRPC_OK);
    assert_true(ng_call_next(call, &at, &message));
    assert_int_equal(at, call->body.len);
    return message;
}

void ng_call_assert_failed(const struct ng_stream *call, enum grpc_code code, const char *reason,
                           const char *words)
{
    assert_ended(call, (int)code);
    ng_assert_slice(ng_call_field(call, "keystore-reason"), reason);
    struct slice message = ng_call_field(call, "grpc-message");
    if (message.len == 0 || memmem(message.data, message.len, words, strlen(words)) == NULL)
        fail_msg("`%.*s` does not say `%s`", (int)message.len, (const char *)message.data, words);
    assert_int_equal(call->body.len, 0);
}
