/* Output made of copied and referenced bytes. Knows nothing of producers and consumers. */
#include "base/chain.h"

#include "base/check.h"
#include "base/mem.h"

#define FIRST_CAPACITY 4
/* Above this length, in bytes, a chain is moved instead of copied. */
#define MIN_MOVED ((size_t)16 * 1024)

void chain_init_for(struct chain *chain, enum account account)
{
    *chain = (struct chain){.bytes = {.account = account}};
}

static bool chain_is_of_clients(const struct chain *chain)
{
    return chain->bytes.account == ACCOUNT_CLIENTS;
}

static void chain_release_blobs(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (chain_is_of_clients(chain))
            blob_leave_chain(chain->references[i].blob);
        else
            blob_release(chain->references[i].blob);
    }
    chain->count = 0;
    chain->referenced = 0;
}

void chain_deinit(struct chain *chain)
{
    chain_release_blobs(chain);
    mem_give(chain->bytes.account, chain->references, chain->capacity * sizeof *chain->references);
    buf_deinit(&chain->bytes);
    chain_init_for(chain, chain->bytes.account);
}

void chain_clear(struct chain *chain, size_t keep)
{
    chain_release_blobs(chain);
    if (chain->bytes.cap > keep || chain->capacity * sizeof *chain->references > keep)
        chain_deinit(chain);
    chain->bytes.len = 0;
}

uint8_t *chain_grow(struct chain *chain, size_t size)
{
    chain->bytes.limit = SIZE_MAX; /* the producer bounds the chain */
    uint8_t *out = buf_reserve(&chain->bytes, size);
    CHECK(out != NULL);
    chain->bytes.len += size;
    return out;
}

void chain_append_blob(struct chain *chain, struct blob *blob, struct slice part)
{
    if (part.len == 0) {
        blob_release(blob);
        return;
    }
    if (chain->count == chain->capacity) {
        size_t capacity = chain->capacity > 0 ? chain->capacity * 2 : FIRST_CAPACITY;
        chain->references = mem_resize(chain->bytes.account, chain->references,
                                       chain->capacity * sizeof *chain->references,
                                       capacity * sizeof *chain->references);
        chain->capacity = capacity;
    }
    if (chain_is_of_clients(chain))
        blob_join_chain(blob);
    DCHECK(chain->count == 0 || chain->references[chain->count - 1].at <= chain->bytes.len);
    chain->references[chain->count++] =
        (struct chain_reference){.blob = blob, .part = part, .at = chain->bytes.len};
    chain->referenced += part.len;
}

/* The piece that follows the cursor, empty at the end; *blob is its blob, or NULL for copied bytes.
 */
static struct slice chain_next_piece(const struct chain *chain, const struct chain_cursor *cursor,
                                     struct blob **blob)
{
    DCHECK(cursor->bytes <= chain->bytes.len && cursor->reference <= chain->count);
    size_t stop = chain->bytes.len;
    *blob = NULL;
    if (cursor->reference < chain->count) {
        const struct chain_reference *next = &chain->references[cursor->reference];
        if (next->at == cursor->bytes) {
            *blob = next->blob;
            return slice_skip(next->part, cursor->within);
        }
        stop = next->at;
    }
    return slice_make(chain->bytes.data + cursor->bytes, stop - cursor->bytes);
}

/* Advances the cursor within the piece that chain_next_piece() returned, at most to its end. */
static void chain_pass(const struct chain *chain, struct chain_cursor *cursor,
                       const struct blob *blob, size_t size)
{
    if (blob == NULL) {
        cursor->bytes += size;
        return;
    }
    cursor->within += size;
    DCHECK(cursor->within <= chain->references[cursor->reference].part.len);
    if (cursor->within == chain->references[cursor->reference].part.len) {
        cursor->reference++;
        cursor->within = 0;
    }
}

void chain_append_range(struct chain *chain, const struct chain *from, struct chain_cursor *cursor,
                        size_t size)
{
    while (size > 0) {
        struct blob *blob;
        struct slice piece = chain_next_piece(from, cursor, &blob);
        if (piece.len > size)
            piece.len = size;
        CHECK(piece.len > 0); /* at least `size` bytes follow the cursor */
        if (blob != NULL)
            chain_append_blob(chain, blob_retain(blob), piece);
        else
            memcpy(chain_append(chain, piece.len), piece.data, piece.len);
        chain_pass(from, cursor, blob, piece.len);
        size -= piece.len;
    }
}

void chain_append_chain(struct chain *chain, struct chain *from)
{
    DCHECK(chain->bytes.account == from->bytes.account);
    if (chain_length(chain) == 0 && chain_length(from) > MIN_MOVED) {
        chain_deinit(chain);
        *chain = *from;
        *from = (struct chain){0};
        return;
    }
    struct chain_cursor cursor = {0};
    chain_append_range(chain, from, &cursor, chain_length(from));
    chain_clear(from, 0);
    DCHECK(chain_length(from) == 0);
}

void chain_skip(const struct chain *chain, struct chain_cursor *cursor, size_t size)
{
    while (size > 0) {
        struct blob *blob;
        size_t len = chain_next_piece(chain, cursor, &blob).len;
        if (len > size)
            len = size;
        CHECK(len > 0);
        chain_pass(chain, cursor, blob, len);
        size -= len;
    }
}

size_t chain_pieces(const struct chain *chain, struct chain_cursor cursor, struct iovec *pieces,
                    size_t max)
{
    size_t count = 0;
    while (count < max) {
        struct blob *blob;
        struct slice piece = chain_next_piece(chain, &cursor, &blob);
        if (piece.len == 0)
            break;
        pieces[count++] = (struct iovec){.iov_base = (void *)piece.data, .iov_len = piece.len};
        chain_pass(chain, &cursor, blob, piece.len);
    }
    return count;
}
