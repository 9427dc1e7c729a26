/* Growable bytes with a limit. Grows by a fraction of the capacity, so that appending takes
 * amortised constant time. */
#include "base/buf.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/runs.h"

#define FIRST_CAPACITY 256

void buf_init(struct buf *buf, size_t limit)
{
    buf_init_for(buf, limit, ACCOUNT_CLIENTS);
}

void buf_init_for(struct buf *buf, size_t limit, enum account account)
{
    *buf = (struct buf){.limit = limit, .account = account};
}

void buf_deinit(struct buf *buf)
{
    mem_give(buf->account, buf->data, buf->cap);
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
}

static size_t buf_power_of_two(size_t least)
{
    size_t power = FIRST_CAPACITY;
    while (power < least)
        power *= 2;
    return power;
}

/* A buffer with a mapping of its own grows without a copy, so it does not have to double. */
static size_t buf_grown(size_t cap)
{
    if (cap > RUNS_LARGEST)
        return cap + cap / 8;
    return cap > 0 ? 2 * cap : FIRST_CAPACITY;
}

static __attribute__((noinline, cold)) void buf_grow(struct buf *buf, size_t needed)
{
    size_t cap = buf_grown(buf->cap);
    if (cap < needed) /* small capacities are powers of two, large ones exact */
        cap = needed < ACCOUNT_LEAST ? buf_power_of_two(needed) : needed;
    if (cap > buf->limit)
        cap = buf->limit;
    CHECK(cap >= needed);
    buf->data = mem_resize(buf->account, buf->data, buf->cap, cap);
    buf->cap = cap;
}

uint8_t *buf_reserve(struct buf *buf, size_t count)
{
    DCHECK(buf->len <= buf->limit && buf->len <= buf->cap);
    if (count > buf->limit - buf->len)
        return NULL;
    if (buf->len + count > buf->cap || buf->data == NULL)
        buf_grow(buf, buf->len + count);
    return buf->data + buf->len;
}

bool buf_append(struct buf *buf, struct slice bytes)
{
    uint8_t *end = buf_reserve(buf, bytes.len);
    if (end == NULL)
        return false;
    if (bytes.len > 0)
        memcpy(end, bytes.data, bytes.len);
    buf->len += bytes.len;
    return true;
}

void buf_clear(struct buf *buf, size_t keep)
{
    if (buf->cap > keep)
        buf_deinit(buf);
    buf->len = 0;
}

void buf_consume(struct buf *buf, size_t count)
{
    CHECK(count <= buf->len);
    buf->len -= count;
    if (buf->len > 0)
        memmove(buf->data, buf->data + count, buf->len);
}
