/*
 * Extracts the HTTP and gRPC status from the header blocks of answers. Servers repeat themselves,
 * so a block of only indexed fields is cached with its result as long as the dynamic table does not
 * change, and then costs a memcmp.
 */
#ifndef KEYSTORE_BENCH_ANSWERS_H
#define KEYSTORE_BENCH_ANSWERS_H

#include "base/slice.h"

#include <nghttp2/nghttp2.h>

#define ANSWERS_MEMOS    4
#define ANSWERS_MEMO_LEN 23 /* longer blocks are not cached */

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
    uint64_t remembered; /* cache hits */
};

void answers_init(struct answers *answers);

void answers_deinit(struct answers *answers);

/* Must be called for every header block of the connection, in order. False if the block cannot be
 * decoded, after which the connection is unusable. */
bool answers_decode(struct answers *answers, struct slice block, struct answer *answer)
    __attribute__((warn_unused_result));

#endif
