/* A token bucket: bursts up to its size, and a steady rate after that. */
#ifndef KEYSTORE_HTTP2_BUCKET_H
#define KEYSTORE_HTTP2_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint32_t tokens;
    uint32_t size;
    uint32_t per_s;
    uint32_t thousandths; /* of the next token, earned so far */
    int64_t filled_ms;    /* when it was last refilled */
};

/* A full bucket. */
void bucket_init(struct bucket *bucket, uint32_t size, uint32_t per_s, int64_t now_ms);

/* Takes a token; false if the bucket is empty. */
bool bucket_take(struct bucket *bucket, int64_t now_ms) __attribute__((warn_unused_result));

/* Returns one token, unless the bucket is full. */
static inline void bucket_give(struct bucket *bucket)
{
    if (bucket->tokens < bucket->size)
        bucket->tokens++;
}

#endif
