/* Fills an array of headers. Does not know connections. */
#include "client/headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* nghttp2 copies a value that is not `permanent`: it may send it after the call has timed out. */
static void headers_put(nghttp2_nv *field, const char *name, const char *value, bool permanent)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    if (permanent)
        flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    *field = (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), flags};
}

void headers_init(struct headers *headers, const struct target *target, bool has_tls,
                  int64_t usual_timeout_ms, size_t max_message)
{
    const struct {
        const char *name, *value;
    } fixed[HEADER_FIXED] = {
        [HEADER_METHOD] = {":method", "POST"},
        [HEADER_SCHEME] = {":scheme", has_tls ? "https" : "http"},
        [HEADER_AUTHORITY] = {":authority", target->authority},
        [HEADER_TYPE] = {"content-type", "application/grpc"},
        [HEADER_TE] = {"te", "trailers"},
        [HEADER_AGENT] = {"user-agent", "keystore-c/" KEYSTORE_VERSION},
        [HEADER_MAX_REPLY] = {"keystore-max-reply-bytes", headers->max_reply},
    };
    snprintf(headers->max_reply, sizeof headers->max_reply, "%zu", max_message);
    headers->usual_timeout_ms = usual_timeout_ms;
    call_write_timeout(headers->usual_timeout, usual_timeout_ms);
    headers->authorization = NULL;
    headers->count = HEADER_FIXED;
    for (size_t i = 0; i < HEADER_FIXED; i++)
        if (fixed[i].name != NULL)
            headers_put(&headers->fields[i], fixed[i].name, fixed[i].value, true);
}

/* The token is no longer needed in memory. */
static void headers_forget_token(struct headers *headers)
{
    if (headers->authorization != NULL)
        explicit_bzero(headers->authorization, strlen(headers->authorization));
    free(headers->authorization);
    headers->authorization = NULL;
    headers->count = HEADER_FIXED;
}

void headers_deinit(struct headers *headers)
{
    headers_forget_token(headers);
}

bool headers_set_token(struct headers *headers, const char *token)
{
    static const char scheme[] = "Bearer ";
    headers_forget_token(headers);
    if (token == NULL || token[0] == '\0')
        return true;
    size_t size = sizeof scheme + strlen(token);
    headers->authorization = malloc(size);
    if (headers->authorization == NULL)
        return false;
    snprintf(headers->authorization, size, "%s%s", scheme, token);
    /* Copied for each call: a later one may have another token. */
    headers_put(&headers->fields[headers->count++], "authorization", headers->authorization, false);
    return true;
}

/* Puts what belongs to repeating a call after the first `count` fields; returns their number. */
static size_t headers_add_attempt(struct headers *headers, size_t count,
                                  const struct call_attempt *attempt)
{
    nghttp2_nv *fields = headers->fields;
    if (attempt->request_id != NULL) {
        headers_put(&fields[count], "keystore-request-id-bin", attempt->request_id, false);
        fields[count++].flags |= NGHTTP2_NV_FLAG_NO_INDEX; /* it does not come again */
    }
    if (attempt->previous > 0) {
        snprintf(headers->previous, sizeof headers->previous, "%u", (unsigned)attempt->previous);
        headers_put(&fields[count++], "grpc-previous-rpc-attempts", headers->previous, false);
    }
    return count;
}

size_t headers_set(struct headers *headers, const char *path, int64_t left_ms,
                   const struct call_attempt *attempt)
{
    size_t count = headers->count;
    const char *timeout = headers->usual_timeout;
    if (left_ms != headers->usual_timeout_ms) {
        call_write_timeout(headers->timeout, left_ms);
        timeout = headers->timeout;
    }
    headers_put(&headers->fields[HEADER_PATH], ":path", path, false);
    if (left_ms != INT64_MAX)
        headers_put(&headers->fields[count++], "grpc-timeout", timeout, false);
    if (attempt != NULL && (attempt->request_id != NULL || attempt->previous > 0))
        count = headers_add_attempt(headers, count, attempt);
    return count;
}
