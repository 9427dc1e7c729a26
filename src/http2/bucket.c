/* Refills a token bucket over time. The caller supplies the clock. */
#include "http2/bucket.h"

#include "base/check.h"

void bucket_init(struct bucket *bucket, uint32_t size, uint32_t per_s, int64_t now_ms)
{
    *bucket = (struct bucket){.tokens = size, .size = size, .per_s = per_s, .filled_ms = now_ms};
}

static void bucket_refill(struct bucket *bucket, int64_t now_ms)
{
    if (now_ms <= bucket->filled_ms)
        return;
    uint64_t elapsed_ms = (uint64_t)now_ms - (uint64_t)bucket->filled_ms;
    uint64_t earned; /* thousandths */
    if (__builtin_mul_overflow(elapsed_ms, bucket->per_s, &earned) ||
        __builtin_add_overflow(earned, bucket->thousandths, &earned))
        earned = UINT64_MAX;
    uint32_t missing = bucket->size - bucket->tokens;
    bool full = earned / 1000 >= missing;
    bucket->tokens += full ? missing : (uint32_t)(earned / 1000);
    bucket->thousandths = full ? 0 : (uint32_t)(earned % 1000);
    bucket->filled_ms = now_ms;
}

bool bucket_take(struct bucket *bucket, int64_t now_ms)
{
    bucket_refill(bucket, now_ms);
    DCHECK(bucket->tokens <= bucket->size && bucket->thousandths < 1000);
    if (bucket->tokens == 0)
        return false;
    bucket->tokens--;
    return true;
}
