/* An array of nghttp2's, in which the optional fields come last. */
#include "client/headers.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_METHOD,
    HEADER_SCHEME,
    HEADER_PATH,
    HEADER_AUTHORITY,
    HEADER_TYPE,
    HEADER_TE,
    HEADER_AGENT,
    HEADER_MAX_REPLY,
    HEADER_FIXED /* how many these are */
};

_Static_assert(HEADER_FIXED + 2 <= HEADERS_MOST, "there is room for credentials and a timeout");

/* nghttp2 copies a value that is not `permanent`: it may send it after the call has timed out. */
static void headers_set(nghttp2_nv *header, const char *name, const char *value, bool permanent)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    if (permanent)
        flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    *header = (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), flags};
}

void headers_init(struct headers *headers, const char *authority, size_t max_reply)
{
    const struct {
        const char *name, *value;
    } fixed[] = {
        [HEADER_METHOD] = {":method", "POST"},
        [HEADER_SCHEME] = {":scheme", "http"},
        [HEADER_PATH] = {":path", ""},
        [HEADER_AUTHORITY] = {":authority", authority},
        [HEADER_TYPE] = {"content-type", "application/grpc"},
        [HEADER_TE] = {"te", "trailers"},
        [HEADER_AGENT] = {"user-agent", "keystore-c/" KEYSTORE_VERSION},
        [HEADER_MAX_REPLY] = {"keystore-max-reply-bytes", headers->max_reply},
    };
    snprintf(headers->max_reply, sizeof headers->max_reply, "%zu", max_reply);
    headers->authorization = NULL;
    headers->count = HEADER_FIXED;
    for (size_t i = 0; i < HEADER_FIXED; i++)
        headers_set(&headers->fields[i], fixed[i].name, fixed[i].value, true);
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
    headers_set(&headers->fields[headers->count++], "authorization", headers->authorization, false);
    return true;
}

size_t headers_complete(struct headers *headers, const char *path, const char *timeout)
{
    headers_set(&headers->fields[HEADER_PATH], ":path", path, false);
    if (timeout == NULL)
        return headers->count;
    headers_set(&headers->fields[headers->count], "grpc-timeout", timeout, false);
    return headers->count + 1;
}
