/* A borrowed run of bytes: pointer and length, never owned, never zero-terminated. */
#ifndef KEYSTORE_BASE_SLICE_H
#define KEYSTORE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;
};

/* A slice of a string literal (or any array of char), without its terminating zero. */
#define SLICE_LITERAL(text)                                                                        \
    ((struct slice){.data = (const uint8_t *)(text), .len = sizeof(text) - 1})

static inline struct slice slice_make(const void *data, size_t len)
{
    return (struct slice){.data = (const uint8_t *)data, .len = len};
}

static inline struct slice slice_from_string(const char *text)
{
    return slice_make(text, strlen(text));
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_starts_with(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/* Copies the bytes to `out`, which they must not overlap, and returns the end of the copy. Copies
 * of 16 to 32 bytes, the length of most values, are two moves without a call. */
static inline uint8_t *slice_write(uint8_t *out, struct slice bytes)
{
    if (bytes.len - 16 <= 16) {
        memcpy(out, bytes.data, 16);
        memcpy(out + bytes.len - 16, bytes.data + bytes.len - 16, 16);
    } else if (bytes.len > 0) {
        memcpy(out, bytes.data, bytes.len);
    }
    return out + bytes.len;
}

/* What follows the first `count` bytes; `count` is at most text.len. */
static inline struct slice slice_skip(struct slice text, size_t count)
{
    return slice_make(text.data + count, text.len - count);
}

#endif
