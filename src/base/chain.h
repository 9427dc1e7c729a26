/*
 * Bytes on their way out: copied ones in one buffer, and between them references to blobs, so that
 * large values are never copied. Written to a socket as a list of pieces.
 */
#ifndef KEYSTORE_BASE_CHAIN_H
#define KEYSTORE_BASE_CHAIN_H

#include "base/blob.h"
#include "base/buf.h"

#include <sys/uio.h>

struct chain_reference {
    struct blob *blob;
    struct slice part; /* of the blob */
    size_t at;         /* stands before this offset of the copied bytes */
};

/* All zero is an empty chain, whose memory counts as the clients'. */
struct chain {
    struct buf bytes;                   /* its account is the chain's */
    struct chain_reference *references; /* `at` never decreases */
    size_t count;
    size_t capacity;
    size_t referenced; /* bytes in references */
};

/* A place in a chain. All zero is its beginning. */
struct chain_cursor {
    size_t bytes;     /* copied bytes passed */
    size_t reference; /* references passed */
    size_t within;    /* bytes passed of the next reference */
};

/* An empty chain that holds no memory yet, for that account. Only blobs that the clients' chains
 * alone hold count, once (base/blob.h). */
void chain_init_for(struct chain *chain, enum account account);

/* Releases the blobs and gives the memory back; the chain is empty and usable afterwards. */
void chain_deinit(struct chain *chain);

/* Empties the chain; keeps its memory only if the buffer's and that of the list of references are
 * at most `keep` bytes each. */
void chain_clear(struct chain *chain, size_t keep);

static inline size_t chain_length(const struct chain *chain)
{
    return chain->bytes.len + chain->referenced;
}

/* The same as chain_append(), for a chain that may have to grow. */
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

/* Appends a part of a blob and takes over one reference to it. */
void chain_append_blob(struct chain *chain, struct blob *blob, struct slice part);

/* Appends the `size` bytes of `from` behind the cursor, which moves on; blobs are shared. */
void chain_append_range(struct chain *chain, const struct chain *from, struct chain_cursor *cursor,
                        size_t size);

/* Moves all of `from` behind `chain`; `from` is empty afterwards. */
void chain_append_chain(struct chain *chain, struct chain *from);

/* Moves the cursor on by `size` bytes. */
void chain_skip(const struct chain *chain, struct chain_cursor *cursor, size_t size);

/* Fills at most `max` pieces with what stands behind the cursor; returns how many. */
size_t chain_pieces(const struct chain *chain, struct chain_cursor cursor, struct iovec *pieces,
                    size_t max);

#endif
