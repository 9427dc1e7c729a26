/*
 * The state of a call, unary or a stream: the request's bytes to send, and the answer's headers,
 * messages and trailers as they are received. Does no I/O; the owner of the connection feeds it.
 */
#ifndef KEYSTORE_CLIENT_CALL_H
#define KEYSTORE_CLIENT_CALL_H

#include "client/buffer.h"
#include "keystore/client.h"

/* Bytes before each gRPC message: one flag, four of length. */
#define CALL_PREFIX_SIZE 5

/* Longest ASCII form of a grpc-timeout, with its terminating zero. */
#define CALL_TIMEOUT_SIZE 10

/* What has become of the request of an attempt that failed. */
enum call_fate {
    CALL_NOT_SENT,    /* there was no connection for it */
    CALL_UNPROCESSED, /* the server, while shutting down, has not looked at it */
    CALL_SENT,        /* the server may have executed it */
};

/* A unary call, which may take several attempts: what its requests have beyond the message, and
 * what is learnt about repeating them. */
struct call_attempt {
    int64_t timeout_ms;     /* of all attempts together; INT64_MAX = none */
    int64_t deadline_ms;    /* of clock_monotonic_ms(); the first attempt sets it if it is 0 */
    const char *request_id; /* keystore-request-id-bin as base64; borrowed; NULL = none is sent */
    uint32_t previous;      /* attempts before this one; 0: is not sent */
    enum call_fate fate;    /* these three are set by each attempt */
    bool has_pushback;      /* the server has sent grpc-retry-pushback-ms */
    int64_t pushback_ms;    /* negative: the call must not be repeated */
};

struct call {
    struct slice request;         /* borrowed; what is not sent yet */
    struct buffer *answer;        /* borrowed; unary: the message without its prefix */
    struct call_attempt *attempt; /* borrowed; NULL: a stream */
    size_t max_message;
    bool is_stream;   /* `answer` has messages with prefixes, from answer_at on */
    bool half_closed; /* a stream: `request` is the last of the requests' bytes */
    size_t answer_at;
    uint8_t prefix[CALL_PREFIX_SIZE];
    size_t prefix_len;    /* bytes of the prefix received */
    size_t announced_len; /* of the message, once the prefix is complete */
    int http_status;      /* 0 until received */
    bool has_status;      /* grpc-status was received */
    bool not_grpc;        /* the content-type is not gRPC's */
    char content_type[64];
    uint64_t oldest_version;     /* keystore-oldest-version, a trailer; 0 = not received */
    struct keystore_error error; /* from the trailers, or why the answer was refused; last */
};

/* Writes the five bytes that precede a message of `len` bytes. */
void call_write_prefix(uint8_t prefix[static CALL_PREFIX_SIZE], uint32_t len);

/* Writes a grpc-timeout such as "1500m" (at most eight digits and a unit) to `out`. */
void call_write_timeout(char out[static CALL_TIMEOUT_SIZE], int64_t timeout_ms);

/* `request` is the prefix and the message; `answer` is cleared. All are borrowed for the call;
 * `attempt` may be NULL. */
void call_init(struct call *call, struct slice request, struct call_attempt *attempt,
               struct buffer *answer, size_t max_message);

/* A stream in both directions, whose requests are put into `request` one after the other. */
void call_init_stream(struct call *call, struct buffer *answer, size_t max_message);

/* Copies up to `size` further bytes of the request to `out`; returns how many. */
size_t call_take_request(struct call *call, uint8_t *out, size_t size);

/* Takes a header or trailer of the answer, in order. Unknown ones are ignored. */
void call_on_header(struct call *call, struct slice name, struct slice value);

/*
 * Takes bytes of the answer's body. False, with call->error set, if the answer is refused because
 * it is too large or malformed; the stream should be reset then.
 */
bool call_on_data(struct call *call, struct slice bytes) __attribute__((warn_unused_result));

enum call_message { CALL_MESSAGE, CALL_INCOMPLETE, CALL_REFUSED };

/* Finds the next message of a stream's answer, which is valid until more is received. If it is
 * refused, call->error says why. */
enum call_message call_find_message(struct call *call, struct slice *message);

/* Drops that message, so that the next one follows. */
void call_drop_message(struct call *call, struct slice message);

/* Whether the answer's headers have arrived. */
static inline bool call_has_headers(const struct call *call)
{
    return call->http_status != 0;
}

/*
 * To be called when the answer is complete and, of a stream, its messages are taken. Returns its
 * code; on KEYSTORE_OK the answer buffer of a unary call holds exactly one message, otherwise
 * call->error says why.
 */
enum keystore_code call_finish(struct call *call);

#endif
