/*
 * Output: copied bytes in one buffer, and between them references to blobs, so that large values
 * are never copied. Written to a socket as a list of pieces.
 */
#ifndef KEYSTORE_BASE_CHAIN_H
#define KEYSTORE_BASE_CHAIN_H

#include "base/blob.h"
#include "base/buf.h"

#include <sys/uio.h>

struct chain_reference {
    struct blob *blob;
    struct slice part; /* of the blob */
    size_t at;         /* precedes the copied byte with this offset */
};

/* All zero is an empty chain, whose memory is counted in the clients' account. */
struct chain {
    struct buf bytes;                   /* its account is the chain's */
    struct chain_reference *references; /* `at` never decreases */
    size_t count;
    size_t capacity;
    size_t referenced; /* bytes in references */
};

/* A position in a chain. All zero is the start. */
struct chain_cursor {
    size_t bytes;     /* copied bytes passed */
    size_t reference; /* references passed */
    size_t within;    /* bytes passed of the next reference */
};

/* An empty chain without memory, for that account. A blob that only clients' chains hold is counted
 * once (base/blob.h); blobs in the chains of other accounts are not counted. */
void chain_init_for(struct chain *chain, enum account account);

/* Releases the blobs and frees the memory; the chain is empty and usable afterwards. */
void chain_deinit(struct chain *chain);

/* Empties the chain; keeps its memory only if the buffer's and that of the list of references are
 * at most `keep` bytes each. */
void chain_clear(struct chain *chain, size_t keep);

static inline size_t chain_length(const struct chain *chain)
{
    return chain->bytes.len + chain->referenced;
}

/* The slow path of chain_append(): the chain may have to grow. */
uint8_t *chain_grow(struct chain *chain, size_t size) __attribute__((returns_nonnull));

/* Appends `size` bytes and returns where the caller writes them, valid until the next change. */
static inline uint8_t *chain_append(struct chain *chain, size_t size)
{
    struct buf *bytes = &chain->bytes;
    if (size >= bytes->cap - bytes->len)
        return chain_grow(chain, size);
    bytes->len += size;
    return bytes->data + bytes->len - size;
}

/* Appends a part of a blob; takes ownership of one reference to it. */
void chain_append_blob(struct chain *chain, struct blob *blob, struct slice part);

/* Appends the `size` bytes of `from` that follow the cursor, and advances it; blobs are shared. */
void chain_append_range(struct chain *chain, const struct chain *from, struct chain_cursor *cursor,
                        size_t size);

/* Moves all of `from` to the end of `chain`; `from` is empty afterwards. */
void chain_append_chain(struct chain *chain, struct chain *from);

/* Advances the cursor by `size` bytes. */
void chain_skip(const struct chain *chain, struct chain_cursor *cursor, size_t size);

/* Fills at most `max` pieces with what follows the cursor; returns their number. */
size_t chain_pieces(const struct chain *chain, struct chain_cursor cursor, struct iovec *pieces,
                    size_t max);

#endif
