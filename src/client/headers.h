/* The header fields of requests; only path and timeout differ from call to call. */
#ifndef KEYSTORE_CLIENT_HEADERS_H
#define KEYSTORE_CLIENT_HEADERS_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>

#define HEADERS_MOST 10

/* It must not be moved, as its fields point into it. */
struct headers {
    nghttp2_nv fields[HEADERS_MOST];
    size_t count; /* of them, without the timeout */
    char max_reply[24];
    char *authorization; /* NULL: there are no credentials */
};

/* `authority` is borrowed; `max_reply` is the size in bytes of the largest message accepted. */
void headers_init(struct headers *headers, const char *authority, size_t max_reply);
void headers_deinit(struct headers *headers);

/* Sends the token from now on; NULL: none. False, and none is sent, if memory is short. */
bool headers_set_token(struct headers *headers, const char *token);

/* Fills in the path and, unless it is NULL, the timeout as grpc-timeout has it. Returns how many
 * fields there are. Both are copied by nghttp2. */
size_t headers_complete(struct headers *headers, const char *path, const char *timeout);

#endif
