/*
 * The state of a unary call: the request's bytes to send, and the answer's headers, message and
 * trailers as they are received. Does no I/O; the owner of the connection feeds it.
 */
#ifndef KEYSTORE_CLIENT_CALL_H
#define KEYSTORE_CLIENT_CALL_H

#include "client/buffer.h"
#include "keystore/client.h"

/* Bytes before each gRPC message: one flag, four of length. */
#define CALL_PREFIX_SIZE 5

/* Longest ASCII form of a grpc-timeout, with its terminating zero. */
#define CALL_TIMEOUT_SIZE 10

struct call {
    struct slice request;  /* borrowed; what is not sent yet */
    struct buffer *answer; /* borrowed; the message without its prefix */
    size_t max_message;
    uint8_t prefix[CALL_PREFIX_SIZE];
    size_t prefix_len;    /* bytes of the prefix received */
    size_t announced_len; /* of the message, once the prefix is complete */
    int http_status;      /* 0 until received */
    bool has_status;      /* grpc-status was received */
    bool not_grpc;        /* the content-type is not gRPC's */
    char content_type[64];
    struct keystore_error error; /* from the trailers, or why the answer was refused */
};

/* Writes the five bytes that precede a message of `len` bytes. */
void call_write_prefix(uint8_t prefix[static CALL_PREFIX_SIZE], uint32_t len);

/* Writes a grpc-timeout such as "1500m" (at most eight digits and a unit) to `out`. */
void call_write_timeout(char out[static CALL_TIMEOUT_SIZE], int64_t timeout_ms);

/* `request` is the prefix and the message; `answer` is cleared. Both are borrowed for the call. */
void call_init(struct call *call, struct slice request, struct buffer *answer, size_t max_message);

/* Copies up to `size` further bytes of the request to `out`; returns how many. */
size_t call_take_request(struct call *call, uint8_t *out, size_t size);

/* Takes a header or trailer of the answer, in order. Unknown ones are ignored. */
void call_on_header(struct call *call, struct slice name, struct slice value);

/*
 * Takes bytes of the answer's body. False, with call->error set, if the answer is refused because
 * it is too large or malformed; the stream should be reset then.
 */
bool call_on_data(struct call *call, struct slice bytes) __attribute__((warn_unused_result));

/*
 * To be called when the answer is complete. Returns its code; on KEYSTORE_OK the answer buffer
 * holds exactly one message, otherwise call->error says why.
 */
enum keystore_code call_finish(struct call *call);

#endif
