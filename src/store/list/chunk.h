/*
 * Elements of a list packed one behind the other in one object of the heap (heap.h), of up to some
 * 4 KiB. A chunk knows nothing of the list around it; whoever calls keeps the pointer that is
 * returned, because growing and shrinking move it.
 *
 * The allocation, in bytes (integers as the machine has them; a chunk never leaves its memory):
 *
 *    0  u16  capacity    bytes behind this header
 *    2  u16  begin       where the first element begins, counted from behind the header
 *    4  u16  end         where the last element ends
 *    6  u16  count       elements
 *    8  bit  has_blobs   0: no element is a blob
 *       bit  is_mixed    0: all elements take the same number of bytes
 *    9  u8   holders     spines' leaves and others that point to the chunk, at least 1
 *   10       free bytes, the elements, free bytes
 *
 * An element is a mark, its body, and the mark again with its bytes in reverse order, so that the
 * chunk is walked from either end:
 *
 *    0nnnnnnn            a body of n = 0 to 127 bytes
 *    10nnnnnn nnnnnnnn   a body of n = 128 to 16383 bytes, high bits first
 *    11000000            the body is a struct blob *, not aligned, which owns one reference
 *
 * An element whose bytes are a number n in canonical form (base/decimal.h) is the code 2n, or
 * -2n - 1 if n is negative. Its highest bits (h) are in the first mark, its lowest (l) in the
 * second, those between them in the body, low byte first:
 *
 *    111hhhhh            111lllll    -512 to 511
 *    1101hhhh  1 byte    1101llll    -2^15 to 2^15 - 1
 *    11001hhh  2 bytes   11001lll    -2^21 to 2^21 - 1
 *    110001hh  3 bytes   110001ll    -2^27 to 2^27 - 1
 *    1100001h  4 bytes   1100001l    -2^33 to 2^33 - 1
 *    11000001  8 bytes   11000001    any other
 *
 * Invariants:
 *  1. begin <= end <= capacity; `count` elements fill begin to end without a hole.
 *  2. An element is a blob if and only if it has BLOB_LEAST bytes or more.
 *  3. A chunk with more than CHUNK_MAX bytes of elements has a single one.
 *  4. The capacity is all that the heap gives, heap_round() of what is needed: so it tells the heap
 *     how large the object is, and no byte is lost to rounding.
 *  5. No blob is in a chunk whose has_blobs is 0, and no two elements that take different numbers
 *     of bytes are in one whose is_mixed is 0; as elements leave, neither becomes 0 again.
 *  6. An element that can be a number is one, in its shortest form.
 *  7. Nothing in a chunk with more than one holder changes but their number. Who wants to edit it
 *     calls chunk_own() first; what edits asserts that there is one. Holders may be on several
 *     threads; as only a holder makes another one, who is the only one stays so.
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

/* Most bytes of elements that a chunk takes, unless a single one is longer. With the header it
 * fills 4 KiB of the heap. */
#define CHUNK_MAX ((size_t)4079)

/* One element: of a blob, `value` are its bytes; of a number read from a chunk there are none. */
struct element {
    struct slice value;
    struct blob *blob; /* NULL for a short one */
    int64_t number;    /* if is_number */
    bool is_number;
};

/* The element with these bytes, borrowed, to compare with others. */
struct element element_of(struct slice value);

/* An element with these bytes, up to UINT32_MAX; a long one as a new blob with one reference. */
struct element element_make(struct slice value);

/* The element with the bytes of this blob of at least BLOB_LEAST bytes, and one more reference.
 */
struct element element_share(struct blob *blob);

/* True if both have the same bytes. */
bool element_equal(const struct element *a, const struct element *b);

/* The element's bytes: borrowed from where they are, or in `digits` if it is a number. */
static inline struct slice element_value(const struct element *element, uint8_t digits[DECIMAL_MAX])
{
    return element->is_number ? decimal_write(element->number, digits) : element->value;
}

/* How many they are. */
static inline size_t element_length(const struct element *element)
{
    return element->is_number ? decimal_size(element->number) : element->value.len;
}

/* Bytes that the element takes in a chunk. */
size_t element_size(const struct element *element);

/* Heap bytes of an element's blob; 0 if it has none. */
size_t element_blob_bytes(const struct element *element);

/* An empty chunk for at least `size` bytes whose free bytes are where that end pushes. */
struct chunk *chunk_new(size_t size, enum list_end end);

/* One holder less; the last one frees the chunk and gives its blobs back. Returns the heap bytes of
 * its blobs in either case. */
size_t chunk_free(struct chunk *chunk);

/* A chunk with the same elements, where they are, and the same footprint; the blobs are shared. */
struct chunk *chunk_copy(const struct chunk *chunk);

/* The chunk with one holder more, or a copy if it has as many as can be counted. */
struct chunk *chunk_share(struct chunk *chunk) __attribute__((returns_nonnull));

/* The chunk if the caller is its only holder, else a copy in place of the caller's share in it:
 * positions and footprint are the same. */
struct chunk *chunk_own(struct chunk *chunk) __attribute__((returns_nonnull));

/* Moves a chunk with one holder as heap_move() does: NULL if it has stayed. */
struct chunk *chunk_move(struct chunk *chunk);

/* Heap bytes of the chunk without its blobs. */
size_t chunk_footprint(const struct chunk *chunk);

/* True if somebody beside the caller holds the chunk. */
static inline bool chunk_is_shared(const struct chunk *chunk)
{
    return atomic_load_explicit(&chunk->holders, memory_order_acquire) > 1;
}

/* Bytes of elements. */
static inline size_t chunk_used(const struct chunk *chunk)
{
    return (size_t)(chunk->end - chunk->begin);
}

/* Positions are offsets into chunk->bytes. The element at a position below chunk->end; the slice is
 * borrowed until the chunk changes. Returns the position behind it. */
size_t chunk_read(const struct chunk *chunk, size_t position, struct element *element);

/* Where the element ends before `position` begins; `position` is above chunk->begin. */
size_t chunk_before(const struct chunk *chunk, size_t position);

/* Where element `index` begins; chunk->end for index == count. At once if the elements are not
 * mixed, else it walks from the nearer end. */
size_t chunk_position(const struct chunk *chunk, size_t index);

/* True if a push of `size` bytes at that end should go here: it fits without moving bytes too
 * often. */
bool chunk_takes(const struct chunk *chunk, enum list_end end, size_t size);

/* ---- editing: the caller is the only holder ---- */

/* Puts the element, whose blob reference it takes over, at the position. The elements have then at
 * most CHUNK_MAX bytes, or it is the only one. Returns the chunk, perhaps moved: then, and only
 * then, its capacity has changed. */
struct chunk *chunk_insert(struct chunk *chunk, size_t position, const struct element *element);

/* Removes the element at the position and gives its blob back; returns where its follower is. */
size_t chunk_remove(struct chunk *chunk, size_t position);

/* Removes `count` elements, at most all, at that end; returns the heap bytes of blobs given back.
 */
size_t chunk_drop(struct chunk *chunk, enum list_end end, size_t count);

/* Returns the chunk, in a smaller allocation if more than a quarter of the old one was free: then,
 * and only then, its capacity has changed, and its free bytes are where that end pushes. */
struct chunk *chunk_fit(struct chunk *chunk, enum list_end end);

/* Moves the elements from `position` on, where element `index` begins, to a new chunk. */
struct chunk *chunk_split(struct chunk *chunk, size_t position, size_t index);

/* One chunk with the elements of both, at most CHUNK_MAX bytes, in place of them. */
struct chunk *chunk_merge(struct chunk *left, struct chunk *right);

/* ---- looking ---- */

/* True if at most a quarter, or some 32 bytes, of the chunk are free. */
bool chunk_is_dense(const struct chunk *chunk);

/* For tests: true if the invariants hold. Walks all elements. */
bool chunk_is_sound(const struct chunk *chunk);

#endif
