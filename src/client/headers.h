/* The headers of requests, as nghttp2 takes them: most are the same for every call of a channel. */
#ifndef KEYSTORE_CLIENT_HEADERS_H
#define KEYSTORE_CLIENT_HEADERS_H

#include "client/call.h"
#include "client/target.h"

#include <nghttp2/nghttp2.h>

enum {
    HEADER_METHOD,
    HEADER_SCHEME,
    HEADER_PATH,
    HEADER_AUTHORITY,
    HEADER_TYPE,
    HEADER_TE,
    HEADER_AGENT,
    HEADER_MAX_REPLY,
    /* Those that are optional are last: credentials, the timeout, what a repeated call has. */
    HEADER_FIXED,
    HEADER_COUNT = HEADER_FIXED + 4
};

struct headers {
    nghttp2_nv fields[HEADER_COUNT];
    size_t count;        /* of those that all calls of the channel have */
    char *authorization; /* a value; NULL: there are no credentials */
    int64_t usual_timeout_ms;
    char max_reply[24]; /* values of headers */
    char usual_timeout[CALL_TIMEOUT_SIZE];
    char timeout[CALL_TIMEOUT_SIZE];
    char previous[12];
};

/* Borrows the target, and must not be moved afterwards. `usual_timeout_ms`: of most calls;
 * INT64_MAX: none. `max_message`: bytes of an answer. */
void headers_init(struct headers *headers, const struct target *target, bool has_tls,
                  int64_t usual_timeout_ms, size_t max_message);
void headers_deinit(struct headers *headers);

/* Sends the token from now on; NULL or empty: none. False, and none is sent, without memory. */
bool headers_set_token(struct headers *headers, const char *token);

/* Sets what differs from call to call; returns how many of the fields the call has. They are valid
 * until the next one. `left_ms`: INT64_MAX: no timeout. `attempt`: NULL for a stream. */
size_t headers_set(struct headers *headers, const char *path, int64_t left_ms,
                   const struct call_attempt *attempt);

#endif
