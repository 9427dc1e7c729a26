/*
 * Unary calls that are repeated: one that the server, while shutting down, has not looked at is
 * sent once more anyway; with max_retries others are, too, if that is safe: see "Repeating calls"
 * in keystore/client.h.
 */
#ifndef KEYSTORE_CLIENT_RETRY_H
#define KEYSTORE_CLIENT_RETRY_H

#include "client/channel.h"

/* Bytes of a request id that the program chooses. */
#define RETRY_MAX_ID 64

/* How often a method takes effect if it is called twice. */
enum retry_effect {
    RETRY_NONE,     /* never: it changes nothing */
    RETRY_ONCE,     /* once, if the calls have a request id */
    RETRY_EACH_TIME /* each time, so it is repeated only if it has certainly not taken effect */
};

/* Of a client. */
struct retry {
    uint32_t max_retries; /* 0 = never */
    size_t id_len;        /* 0: the program has chosen no id for the next call */
    uint8_t id[RETRY_MAX_ID];
};

/* What is called: the parameters of channel_call(). */
struct retry_call {
    const char *path;
    enum retry_effect effect;
    int64_t timeout_ms;   /* positive; INT64_MAX: none */
    struct slice request; /* prefix and message */
};

/* As channel_call(), with repetitions. The id that the program has chosen is used up. */
enum keystore_code retry_call(struct retry *retry, struct channel *channel,
                              const struct retry_call *call, struct buffer *answer,
                              struct keystore_error *error);

/* As channel_connect(), with repetitions until the deadline. */
bool retry_connect(const struct retry *retry, struct channel *channel, int64_t deadline_ms,
                   struct keystore_error *error);

#endif
