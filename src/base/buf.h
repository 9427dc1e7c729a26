/* A growable byte buffer with a limit. */
#ifndef KEYSTORE_BASE_BUF_H
#define KEYSTORE_BASE_BUF_H

#include "base/account.h"
#include "base/slice.h"

struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t limit;         /* bytes; `len` never exceeds it */
    enum account account; /* in which its memory is counted */
};

/* An empty buffer without memory; what it allocates is counted in the clients' account. */
void buf_init(struct buf *buf, size_t limit);

/* The same for another account. */
void buf_init_for(struct buf *buf, size_t limit, enum account account);

/* Frees the memory; the buffer is empty and usable afterwards. */
void buf_deinit(struct buf *buf);

/*
 * Reserves space for `count` more bytes after the first `len`: returns where to write them, or
 * NULL, with nothing changed, if that would exceed the limit. The caller writes them and adds their
 * number to `len`. The pointer is valid until the next call on this buffer.
 */
uint8_t *buf_reserve(struct buf *buf, size_t count) __attribute__((warn_unused_result));

/* Appends a copy; false, with nothing changed, if that would exceed the limit. */
bool buf_append(struct buf *buf, struct slice bytes) __attribute__((warn_unused_result));

/* Empties the buffer; keeps its memory only if that is at most `keep` bytes. */
void buf_clear(struct buf *buf, size_t keep);

/* Removes the first `count` bytes (at most `len`). */
void buf_consume(struct buf *buf, size_t count);

static inline struct slice buf_slice(const struct buf *buf)
{
    return slice_make(buf->data, buf->len);
}

#endif
