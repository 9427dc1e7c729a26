/*
 * Elements of a list packed one after another in one heap object (heap.h) of up to about 4 KiB. A
 * chunk knows nothing of the list around it; the caller keeps the pointer that is returned, because
 * growing and shrinking move the chunk.
 *
 * The allocation, in bytes (integers in host byte order; a chunk never leaves its process):
 *
 *    0  u16  capacity    bytes after this header
 *    2  u16  begin       where the first element starts, counted from the end of the header
 *    4  u16  end         where the last element ends
 *    6  u16  count       elements
 *    8  bit  has_blobs   0: no element is a blob
 *       bit  is_mixed    0: all elements take the same number of bytes
 *    9  u8   holders     references: spines' leaves and others that point to the chunk, at least 1
 *   10       free bytes, the elements, free bytes
 *
 * An element is a mark, its body, and the mark again with its bytes in reverse order, so that the
 * chunk can be walked from either end:
 *
 *    0nnnnnnn            a body of n = 0 to 127 bytes
 *    10nnnnnn nnnnnnnn   a body of n = 128 to 16383 bytes, high bits first
 *    11000000            the body is a struct blob *, not aligned, which owns one reference
 *
 * An element whose bytes are a number n in canonical form (base/decimal.h) is stored as the code
 * 2n, or -2n - 1 if n is negative. Its highest bits (h) are in the first mark, its lowest (l) in
 * the second, those between them in the body, low byte first:
 *
 *    111hhhhh            111lllll    -512 to 511
 *    1101hhhh  1 byte    1101llll    -2^15 to 2^15 - 1
 *    11001hhh  2 bytes   11001lll    -2^21 to 2^21 - 1
 *    110001hh  3 bytes   110001ll    -2^27 to 2^27 - 1
 *    1100001h  4 bytes   1100001l    -2^33 to 2^33 - 1
 *    11000001  8 bytes   11000001    any other
 *
 * Invariants:
 *  1. begin <= end <= capacity; `count` elements fill begin to end without a gap.
 *  2. An element is a blob if and only if it has BLOB_LEAST bytes or more.
 *  3. A chunk with more than CHUNK_MAX bytes of elements has a single one.
 *  4. The capacity is all that the heap gives, heap_round() of what is needed: so it tells the size
 *     of the heap object, and no byte is lost to rounding.
 *  5. A chunk whose has_blobs is 0 contains no blob, and one whose is_mixed is 0 no two elements
 *     that take different numbers of bytes; removing elements resets neither to 0.
 *  6. An element that can be a number is one, in its shortest form.
 *  7. In a chunk with more than one holder nothing changes but the number of holders. To edit one,
 *     call chunk_own() first; the edit functions assert that there is a single holder. Holders may
 *     be on several threads; since only a holder can add another, a sole holder stays the only one.
 */
#ifndef KEYSTORE_STORE_LIST_CHUNK_H
#define KEYSTORE_STORE_LIST_CHUNK_H

#include "base/decimal.h"
#include "base/slice.h"

#include <stdatomic.h>

struct blob;

/* An end of a list, and so of a chunk. */
enum list_end { LIST_HEAD, LIST_TAIL };

struct chunk {
    uint16_t capacity;
    uint16_t begin;
    uint16_t end;
    uint16_t count;
    uint8_t has_blobs : 1;
    uint8_t is_mixed : 1;
    atomic_uchar holders;
    uint8_t bytes[];
};

/* The most bytes of elements in a chunk with more than one. With the header they fill 4 KiB of the
 * heap. */
#define CHUNK_MAX ((size_t)4079)

/* One element. If it is a blob, `value` is its bytes; if it is a number read from a chunk, `value`
 * is empty. */
struct element {
    struct slice value;
    struct blob *blob; /* NULL for a short one */
    int64_t number;    /* if is_number */
    bool is_number;
};

/* The element with these bytes, borrowed, to compare with others. */
struct element element_of(struct slice value);

/* An element with these bytes, up to UINT32_MAX; a long one becomes a new blob with one
 * reference. */
struct element element_make(struct slice value);

/* The element with the bytes of this blob, at least BLOB_LEAST; adds a reference. */
struct element element_share(struct blob *blob);

/* True if both have the same bytes. */
bool element_equal(const struct element *a, const struct element *b);

/* The element's bytes: borrowed from where they are, or written to `digits` if it is a number. */
static inline struct slice element_value(const struct element *element, uint8_t digits[DECIMAL_MAX])
{
    return element->is_number ? decimal_write(element->number, digits) : element->value;
}

/* Its length in bytes. */
static inline size_t element_length(const struct element *element)
{
    return element->is_number ? decimal_size(element->number) : element->value.len;
}

/* Bytes that the element takes in a chunk. */
size_t element_size(const struct element *element);

/* Heap bytes of an element's blob; 0 if it has none. */
size_t element_blob_bytes(const struct element *element);

/* An empty chunk for at least `size` bytes; its free bytes are where pushes at that end need
 * them. */
struct chunk *chunk_new(size_t size, enum list_end end);

/* Drops a reference; the last one frees the chunk and releases its blobs. Returns the heap bytes of
 * its blobs in either case. */
size_t chunk_free(struct chunk *chunk);

/* A chunk with the same elements at the same positions and the same footprint; the blobs are
 * shared. */
struct chunk *chunk_copy(const struct chunk *chunk);

/* Adds a reference and returns the chunk, or a copy if its count of holders is at the maximum. */
struct chunk *chunk_share(struct chunk *chunk) __attribute__((returns_nonnull));

/* Returns the chunk if the caller is its only holder, else a copy in exchange for the caller's
 * reference: positions and footprint are the same. */
struct chunk *chunk_own(struct chunk *chunk) __attribute__((returns_nonnull));

/* Moves a chunk with one holder like heap_move(): NULL if it stayed. */
struct chunk *chunk_move(struct chunk *chunk);

/* Heap bytes of the chunk without its blobs. */
size_t chunk_footprint(const struct chunk *chunk);

/* True if the chunk has holders besides the caller. */
static inline bool chunk_is_shared(const struct chunk *chunk)
{
    return atomic_load_explicit(&chunk->holders, memory_order_acquire) > 1;
}

/* Bytes of elements. */
static inline size_t chunk_used(const struct chunk *chunk)
{
    return (size_t)(chunk->end - chunk->begin);
}

/* Reads the element at a position (an offset into chunk->bytes) below chunk->end; the slice is
 * borrowed until the chunk changes. Returns the position after the element. */
size_t chunk_read(const struct chunk *chunk, size_t position, struct element *element);

/* The position of the element that ends at `position`, which is above chunk->begin. */
size_t chunk_before(const struct chunk *chunk, size_t position);

/* The position of element `index`; chunk->end for index == count. Computed directly if the elements
 * are not mixed, else by a walk from the nearer end. */
size_t chunk_position(const struct chunk *chunk, size_t index);

/* True if a push of `size` bytes at that end should go to this chunk: it fits without moving bytes
 * too often. */
bool chunk_accepts(const struct chunk *chunk, enum list_end end, size_t size);

/* ---- editing: the caller is the only holder ---- */

/* Inserts the element at the position and takes over its blob reference. Afterwards the elements
 * have at most CHUNK_MAX bytes, or it is the only one. Returns the chunk, possibly moved: its
 * capacity has changed if and only if it moved. */
struct chunk *chunk_insert(struct chunk *chunk, size_t position, const struct element *element);

/* Removes the element at the position and releases its blob; returns the position of the next
 * one. */
size_t chunk_remove(struct chunk *chunk, size_t position);

/* Removes `count` elements, at most all, at that end; returns the heap bytes of the blobs
 * released. */
size_t chunk_drop(struct chunk *chunk, enum list_end end, size_t count);

/* Returns the chunk, in a smaller allocation if more than a quarter of the old one was free; its
 * capacity has changed if and only if it moved, and then its free bytes are where pushes at that
 * end need them. */
struct chunk *chunk_fit(struct chunk *chunk, enum list_end end);

/* Moves the elements from `position` on, where element `index` starts, to a new chunk. */
struct chunk *chunk_split(struct chunk *chunk, size_t position, size_t index);

/* Merges both chunks, which have at most CHUNK_MAX bytes together, into a new one and frees
 * them. */
struct chunk *chunk_merge(struct chunk *left, struct chunk *right);

/* ---- checks ---- */

/* True if at most a quarter of the chunk, or about 32 bytes, is free. */
bool chunk_is_dense(const struct chunk *chunk);

/* For tests: true if the invariants hold. Walks all elements. */
bool chunk_is_sound(const struct chunk *chunk);

#endif
