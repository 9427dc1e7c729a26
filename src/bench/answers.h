/*
 * What the header blocks of answers say about the call: HTTP's status and gRPC's. A server repeats
 * itself, so a block made only of indexed fields is remembered with its meaning for as long as the
 * dynamic table does not change, and costs a memcmp from then on.
 */
#ifndef KEYSTORE_BENCH_ANSWERS_H
#define KEYSTORE_BENCH_ANSWERS_H

#include "base/slice.h"

#include <nghttp2/nghttp2.h>

#define ANSWERS_MEMOS    4
#define ANSWERS_MEMO_LEN 23 /* longer blocks are not remembered */

struct answer {
    int16_t http_status; /* 0 if the block has none */
    int16_t grpc_status; /* -1 if the block has none */
};

/* The decoder of one connection. */
struct answers {
    nghttp2_hd_inflater *inflater;
    struct {
        uint8_t len; /* 0: empty */
        uint8_t block[ANSWERS_MEMO_LEN];
        struct answer answer;
    } memos[ANSWERS_MEMOS];
    unsigned next;       /* memo to be overwritten next */
    uint64_t remembered; /* blocks that a memo answered */
};

void answers_init(struct answers *answers);

void answers_deinit(struct answers *answers);

/* Every header block of the connection must come here, in order. False if it cannot be decoded,
 * after which the connection cannot be used any more. */
bool answers_decode(struct answers *answers, struct slice block, struct answer *answer)
    __attribute__((warn_unused_result));

#endif
