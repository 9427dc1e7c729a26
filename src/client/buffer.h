/*
 * A growable byte buffer with a limit, on the heap of the program that uses the library: unlike for
 * base/buf.h, lack of memory is an error for the caller to report, never the end of the program.
 */
#ifndef KEYSTORE_CLIENT_BUFFER_H
#define KEYSTORE_CLIENT_BUFFER_H

#include "base/slice.h"

struct buffer {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t limit; /* bytes; `len` never exceeds it */
};

/* An empty buffer that holds no memory yet. */
void buffer_init(struct buffer *buffer, size_t limit);

/* Frees the memory; the buffer is empty and usable afterwards. */
void buffer_deinit(struct buffer *buffer);

/* Whether `count` more bytes stay within the limit. */
static inline bool buffer_allows(const struct buffer *buffer, size_t count)
{
    return count <= buffer->limit - buffer->len;
}

/*
 * Reserves space for `count` more bytes after `len` and returns its address, valid until the next
 * call on this buffer; the caller writes and then adds to `len`. NULL, with nothing changed, if
 * that would exceed the limit (see buffer_allows()) or memory is short.
 */
uint8_t *buffer_reserve(struct buffer *buffer, size_t count) __attribute__((warn_unused_result));

/* Appends a copy; false, with nothing changed, as for buffer_reserve(). */
bool buffer_append(struct buffer *buffer, struct slice bytes) __attribute__((warn_unused_result));

/* Empties the buffer; keeps its memory only if that is at most `keep` bytes. */
void buffer_clear(struct buffer *buffer, size_t keep);

/* Drops the first `count` bytes (at most `len`). */
void buffer_consume(struct buffer *buffer, size_t count);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_make(buffer->data, buffer->len);
}

#endif
