/* A growable buffer from malloc(), doubled when it grows, so that appending is amortized
 * constant. */
#include "client/buffer.h"

#include "base/check.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->len = 0;
    buffer->cap = 0;
}

static __attribute__((noinline, cold)) bool buffer_grow(struct buffer *buffer, size_t needed)
{
    size_t cap = buffer->cap > FIRST_CAPACITY / 2 ? buffer->cap * 2 : FIRST_CAPACITY;
    if (cap < needed)
        cap = needed;
    if (cap > buffer->limit)
        cap = buffer->limit;
    DCHECK(cap >= needed);
    uint8_t *data = realloc(buffer->data, cap > 0 ? cap : 1);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->cap = cap;
    return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t count)
{
    if (!buffer_allows(buffer, count))
        return NULL;
    bool fits = buffer->data != NULL && count <= buffer->cap - buffer->len;
    if (!fits && !buffer_grow(buffer, buffer->len + count))
        return NULL;
    return buffer->data + buffer->len;
}

bool buffer_append(struct buffer *buffer, struct slice bytes)
{
    uint8_t *end = buffer_reserve(buffer, bytes.len);
    if (end == NULL)
        return false;
    slice_write(end, bytes);
    buffer->len += bytes.len;
    return true;
}

void buffer_clear(struct buffer *buffer, size_t keep)
{
    if (buffer->cap > keep)
        buffer_deinit(buffer);
    buffer->len = 0;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    DCHECK(count <= buffer->len);
    buffer->len -= count;
    if (buffer->len > 0)
        memmove(buffer->data, buffer->data + count, buffer->len);
}
