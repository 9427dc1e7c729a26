/*
 * Packs elements into a chunk, finds and moves them there. Knows the layout to the byte, but
 * neither lists nor neighbouring chunks.
 */
#include "store/list/chunk.h"

#include "base/blob.h"
#include "base/check.h"
#include "store/memory/heap.h"

#include <limits.h>

#define HEADER    offsetof(struct chunk, bytes)
#define MARK_TWO  0x80
#define MARK_BLOB 0xC0
#define BLOB_SIZE (2 + sizeof(struct blob *))

/* The form of a number is the number of zeros after the first two bits of its marks; this is the
 * last form. A blob has the same size. */
#define FORM_LONGEST 5u

_Static_assert(BLOB_SIZE == 10, "a blob is as large as a number of the longest form");

/* Freeing less than this is not worth moving a chunk. */
#define STEP ((size_t)16)

/* A chunk below this many bytes grows in single steps, a larger one by a sixteenth: for small lists
 * wasted memory counts more than copying. */
#define SMALL ((size_t)256)

/* Below this capacity shrinking a chunk saves too little. */
#define TINY ((size_t)64)

static struct element chunk_element_in(struct blob *blob)
{
    return (struct element){.value = blob_slice(blob), .blob = blob};
}

static inline struct element chunk_borrow(struct slice value)
{
    int64_t number = 0;
    bool is_number = decimal_may_be(value) && decimal_parse(value, &number);
    return (struct element){.value = value, .number = number, .is_number = is_number};
}

struct element element_of(struct slice value)
{
    return chunk_borrow(value);
}

struct element element_make(struct slice value)
{
    return value.len < BLOB_LEAST ? chunk_borrow(value) : chunk_element_in(blob_copy(value));
}

struct element element_share(struct blob *blob)
{
    DCHECK(blob_slice(blob).len >= BLOB_LEAST);
    return chunk_element_in(blob_retain(blob));
}

bool element_equal(const struct element *a, const struct element *b)
{
    if (a->is_number || b->is_number)
        return a->is_number && b->is_number && a->number == b->number;
    return slice_equal(a->value, b->value);
}

/* 0, -1, 1, -2, ... are 0, 1, 2, 3, ... */
static uint64_t chunk_code_of(int64_t number)
{
    return (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
}

static int64_t chunk_number_of(uint64_t code)
{
    return (int64_t)(code >> 1 ^ (code & 1 ? UINT64_MAX : 0));
}

/* The form that a mark of a number or blob announces. Tested one by one, so that the branch
 * predictor guesses it from the preceding elements without waiting for the mark. */
static inline unsigned chunk_form_of_mark(uint8_t mark)
{
    unsigned form = 0;
    while (form <= FORM_LONGEST && (mark & 0x20u >> form) == 0)
        form++;
    return form;
}

/* The shortest form for that code: each holds six bits more than the one before. */
static unsigned chunk_form_of_code(uint64_t code)
{
    unsigned form = 0;
    while (form < FORM_LONGEST && code >> (10 + 6 * form) != 0)
        form++;
    return form;
}

/* Bytes between the marks. */
static size_t chunk_body_size(unsigned form)
{
    return form < FORM_LONGEST ? form : 8;
}

/* Bits of the code that each mark holds. */
static unsigned chunk_bits_in_mark(unsigned form)
{
    return FORM_LONGEST - form;
}

size_t element_size(const struct element *element)
{
    if (element->blob != NULL)
        return BLOB_SIZE;
    if (element->is_number)
        return chunk_body_size(chunk_form_of_code(chunk_code_of(element->number))) + 2;
    return element->value.len + (element->value.len < MARK_TWO ? 2 : 4);
}

size_t element_blob_bytes(const struct element *element)
{
    return element->blob != NULL ? blob_memory(element->blob) : 0;
}

/* The capacity of an allocation for `size` bytes, including what the heap gives beyond that. */
static size_t chunk_capacity_for(size_t size)
{
    return heap_round(HEADER + size) - HEADER;
}

/* Bytes to allocate when `size` are needed, with space for the next elements. */
static size_t chunk_size_with_slack(size_t size)
{
    size_t wanted = size < SMALL ? size : size + size / 16;
    if (wanted > CHUNK_MAX)
        wanted = size > CHUNK_MAX ? size : CHUNK_MAX;
    return wanted;
}

/* A chunk without elements whose free bytes are at that end. `capacity` comes from
 * chunk_capacity_for(). */
static struct chunk *chunk_new_empty(size_t capacity, enum list_end free_at)
{
    CHECK(capacity <= UINT16_MAX);
    struct chunk *chunk = heap_alloc(HEADER + capacity);
    chunk->capacity = (uint16_t)capacity;
    chunk->begin = chunk->end = free_at == LIST_HEAD ? chunk->capacity : 0;
    chunk->count = 0;
    chunk->has_blobs = chunk->is_mixed = 0;
    atomic_init(&chunk->holders, 1);
    return chunk;
}

struct chunk *chunk_new(size_t size, enum list_end end)
{
    return chunk_new_empty(chunk_capacity_for(size), end);
}

static void chunk_free_memory(struct chunk *chunk)
{
    DCHECK(!chunk_is_shared(chunk));
    heap_free(chunk, HEADER + chunk->capacity);
}

struct chunk *chunk_move(struct chunk *chunk)
{
    DCHECK(!chunk_is_shared(chunk));
    return heap_move(chunk, HEADER + chunk->capacity);
}

size_t chunk_footprint(const struct chunk *chunk)
{
    return HEADER + chunk->capacity;
}

static struct blob *chunk_blob_at(const uint8_t *body)
{
    struct blob *blob;
    memcpy(&blob, body, sizeof blob);
    return blob;
}

/* Returns its size. */
static size_t chunk_read_number(const uint8_t *at, struct element *element)
{
    unsigned form = chunk_form_of_mark(at[0]), bits = chunk_bits_in_mark(form),
             mask = (1u << bits) - 1;
    size_t size = chunk_body_size(form);
    uint64_t code = at[0] & mask;
    for (size_t i = size; i > 0; i--)
        code = code << 8 | at[i];
    code = code << bits | (at[size + 1] & mask);
    *element = (struct element){.number = chunk_number_of(code), .is_number = true};
    return size + 2;
}

size_t chunk_read(const struct chunk *chunk, size_t position, struct element *element)
{
    DCHECK(position >= chunk->begin && position < chunk->end);
    const uint8_t *at = chunk->bytes + position;
    if (at[0] < MARK_TWO) {
        *element = (struct element){.value = slice_make(at + 1, at[0])};
        return position + at[0] + 2u;
    }
    if (at[0] == MARK_BLOB) {
        *element = chunk_element_in(chunk_blob_at(at + 1));
        return position + BLOB_SIZE;
    }
    if (at[0] > MARK_BLOB)
        return position + chunk_read_number(at, element);
    size_t len = (size_t)(at[0] & 0x3F) << 8 | at[1];
    *element = (struct element){.value = slice_make(at + 2, len)};
    return position + len + 4;
}

/* Bytes of an element, given the first byte of its mark (MARK_TWO or more) and the second, `low`,
 * if it has one. */
static inline size_t chunk_long_size(uint8_t mark, uint8_t low)
{
    if (mark >= MARK_BLOB)
        return chunk_body_size(chunk_form_of_mark(mark)) + 2;
    return ((size_t)(mark & 0x3F) << 8 | low) + 4;
}

/* The two functions below are all that a search for an index does: each step waits for the mark, so
 * only a single addition may depend on it. An element has at least two bytes, so there is always a
 * second byte to read. */
static inline size_t chunk_after(const struct chunk *chunk, size_t position)
{
    const uint8_t *at = chunk->bytes + position;
    if (at[0] < MARK_TWO)
        return position + 2 + at[0];
    return position + chunk_long_size(at[0], at[1]);
}

static inline size_t chunk_start_of_last(const struct chunk *chunk, size_t position)
{
    const uint8_t *end = chunk->bytes + position;
    if (end[-1] < MARK_TWO)
        return position - 2 - end[-1];
    return position - chunk_long_size(end[-1], end[-2]);
}

size_t chunk_before(const struct chunk *chunk, size_t position)
{
    DCHECK(position > chunk->begin && position <= chunk->end);
    return chunk_start_of_last(chunk, position);
}

/* Bytes of the element that starts there, and of the one that ends there. */
static inline size_t chunk_size_after(const struct chunk *chunk, size_t position)
{
    return chunk_after(chunk, position) - position;
}

static inline size_t chunk_size_before(const struct chunk *chunk, size_t position)
{
    return position - chunk_start_of_last(chunk, position);
}

/* Walks from the nearer end, so that the other half is not fetched for nothing. */
size_t chunk_position(const struct chunk *chunk, size_t index)
{
    DCHECK(index <= chunk->count);
    size_t position;
    if (index <= chunk->count / 2u) {
        position = chunk->begin;
        if (index > 0 && !chunk->is_mixed)
            return position + index * chunk_size_after(chunk, position);
        for (; index > 0; index--)
            position = chunk_after(chunk, position);
        return position;
    }
    position = chunk->end;
    size_t left = chunk->count - index;
    if (left > 0 && !chunk->is_mixed)
        return position - left * chunk_size_before(chunk, position);
    for (; left > 0; left--)
        position = chunk_start_of_last(chunk, position);
    return position;
}

static void chunk_write_number(uint8_t *at, int64_t number)
{
    uint64_t code = chunk_code_of(number);
    unsigned form = chunk_form_of_code(code), bits = chunk_bits_in_mark(form);
    unsigned lead = MARK_BLOB | 1u << bits;
    size_t size = chunk_body_size(form);
    at[size + 1] = (uint8_t)(lead | (code & ((1u << bits) - 1)));
    code >>= bits;
    for (size_t i = 1; i <= size; i++, code >>= 8)
        at[i] = (uint8_t)code;
    at[0] = (uint8_t)(lead | code);
}

static void chunk_write_element(uint8_t *at, const struct element *element)
{
    size_t len = element->value.len;
    if (element->is_number) {
        chunk_write_number(at, element->number);
        return;
    }
    if (element->blob != NULL) {
        at[0] = at[BLOB_SIZE - 1] = MARK_BLOB;
        memcpy(at + 1, &element->blob, sizeof element->blob);
        return;
    }
    if (len < MARK_TWO) {
        at[0] = at[len + 1] = (uint8_t)len;
        at += 1;
    } else {
        at[0] = at[len + 3] = (uint8_t)(MARK_TWO | len >> 8);
        at[1] = at[len + 2] = (uint8_t)len;
        at += 2;
    }
    if (len > 0)
        memcpy(at, element->value.data, len);
}

/* Moves the elements so that they start at `begin`. */
static void chunk_slide(struct chunk *chunk, size_t begin)
{
    size_t used = chunk_used(chunk);
    memmove(chunk->bytes + begin, chunk->bytes + chunk->begin, used);
    chunk->begin = (uint16_t)begin;
    chunk->end = (uint16_t)(begin + used);
}

/* An allocation of that capacity with the same elements from `begin` on; adds no references to
 * blobs. */
static struct chunk *chunk_duplicate(const struct chunk *chunk, size_t capacity, size_t begin)
{
    size_t used = chunk_used(chunk);
    struct chunk *other = chunk_new_empty(capacity, LIST_TAIL);
    memcpy(other->bytes + begin, chunk->bytes + chunk->begin, used);
    other->begin = (uint16_t)begin;
    other->end = (uint16_t)(begin + used);
    other->count = chunk->count;
    other->has_blobs = chunk->has_blobs;
    other->is_mixed = chunk->is_mixed;
    return other;
}

/* Moves the elements to an allocation of that capacity and frees the old one. */
static struct chunk *chunk_reallocate(struct chunk *chunk, size_t capacity, enum list_end free_at)
{
    DCHECK(capacity >= chunk_used(chunk));
    size_t begin = free_at == LIST_HEAD ? capacity - chunk_used(chunk) : 0;
    struct chunk *moved = chunk_duplicate(chunk, capacity, begin);
    chunk_free_memory(chunk);
    return moved;
}

/* Makes `size` bytes free at that end. */
static struct chunk *chunk_make_space(struct chunk *chunk, size_t size, enum list_end end)
{
    size_t wanted = chunk_size_with_slack(chunk_used(chunk) + size);
    if (wanted <= chunk->capacity) {
        chunk_slide(chunk, end == LIST_HEAD ? chunk->capacity - chunk_used(chunk) : 0);
        return chunk;
    }
    size_t capacity = chunk_capacity_for(wanted);
    if (end == LIST_HEAD || chunk->begin > 0)
        return chunk_reallocate(chunk, capacity, end);
    chunk = heap_realloc(chunk, HEADER + chunk->capacity, HEADER + capacity);
    chunk->capacity = (uint16_t)capacity;
    return chunk;
}

static size_t chunk_free_at(const struct chunk *chunk, enum list_end end)
{
    return end == LIST_HEAD ? chunk->begin : (size_t)(chunk->capacity - chunk->end);
}

/* Sliding 4 KiB is worth it if that frees an eighth of them in one go. */
bool chunk_accepts(const struct chunk *chunk, enum list_end end, size_t size)
{
    size_t used = chunk_used(chunk);
    if (chunk_free_at(chunk, end) >= size)
        return used + size <= CHUNK_MAX;
    return used + size <= CHUNK_MAX - CHUNK_MAX / 8;
}

/* Opens a gap of `size` bytes at the position by moving what precedes it to the front. */
static uint8_t *chunk_open_gap_before(struct chunk *chunk, size_t position, size_t size)
{
    DCHECK(position >= chunk->begin && chunk->begin >= size);
    memmove(chunk->bytes + chunk->begin - size, chunk->bytes + chunk->begin,
            position - chunk->begin);
    chunk->begin = (uint16_t)(chunk->begin - size);
    return chunk->bytes + position - size;
}

/* The same by moving what follows it to the back. */
static uint8_t *chunk_open_gap_after(struct chunk *chunk, size_t position, size_t size)
{
    DCHECK(position <= chunk->end && (size_t)(chunk->capacity - chunk->end) >= size);
    memmove(chunk->bytes + position + size, chunk->bytes + position, chunk->end - position);
    chunk->end = (uint16_t)(chunk->end + size);
    return chunk->bytes + position;
}

static enum list_end chunk_other_end(enum list_end end)
{
    return end == LIST_HEAD ? LIST_TAIL : LIST_HEAD;
}

/* The side of the position that makes way for `size` bytes: the shorter one, or in the middle the
 * other one if only that has enough free bytes. At an end it pays to slide everything once and gain
 * space for many. */
static enum list_end chunk_side_to_move(const struct chunk *chunk, size_t position, size_t size)
{
    size_t before = position - chunk->begin, after = chunk->end - position;
    bool is_head = before < after;
    if (before == after)
        is_head = chunk_free_at(chunk, LIST_HEAD) > chunk_free_at(chunk, LIST_TAIL);
    enum list_end side = is_head ? LIST_HEAD : LIST_TAIL;
    bool in_the_middle = before > 0 && after > 0;
    if (in_the_middle && chunk_free_at(chunk, side) < size &&
        chunk_free_at(chunk, chunk_other_end(side)) >= size)
        return chunk_other_end(side);
    return side;
}

/* The size of an element next to the position; there is at least one. */
static size_t chunk_size_adjacent(const struct chunk *chunk, size_t position)
{
    return position > chunk->begin ? chunk_size_before(chunk, position)
                                   : chunk_size_after(chunk, position);
}

struct chunk *chunk_insert(struct chunk *chunk, size_t position, const struct element *element)
{
    DCHECK(position >= chunk->begin && position <= chunk->end);
    DCHECK(!chunk_is_shared(chunk));
    size_t size = element_size(element);
    enum list_end side = chunk_side_to_move(chunk, position, size);
    if (chunk_free_at(chunk, side) < size) {
        size_t offset = position - chunk->begin;
        chunk = chunk_make_space(chunk, size, side);
        position = chunk->begin + offset;
    }
    if (chunk->count == 0)
        chunk->is_mixed = 0;
    else if (!chunk->is_mixed && chunk_size_adjacent(chunk, position) != size)
        chunk->is_mixed = 1;
    uint8_t *at = side == LIST_HEAD ? chunk_open_gap_before(chunk, position, size)
                                    : chunk_open_gap_after(chunk, position, size);
    chunk_write_element(at, element);
    chunk->count++;
    if (element->blob != NULL)
        chunk->has_blobs = 1;
    DCHECK_SOUND(chunk_is_sound(chunk), chunk->count);
    return chunk;
}

size_t chunk_remove(struct chunk *chunk, size_t position)
{
    DCHECK(!chunk_is_shared(chunk));
    struct element element;
    size_t follower = chunk_read(chunk, position, &element);
    size_t size = follower - position;
    blob_release(element.blob);
    CHECK(chunk->count > 0);
    chunk->count--;
    if (position - chunk->begin < chunk->end - follower) {
        memmove(chunk->bytes + chunk->begin + size, chunk->bytes + chunk->begin,
                position - chunk->begin);
        chunk->begin = (uint16_t)(chunk->begin + size);
        return follower;
    }
    memmove(chunk->bytes + position, chunk->bytes + follower, chunk->end - follower);
    chunk->end = (uint16_t)(chunk->end - size);
    return position;
}

/* Releases the blobs of the elements from `position` to `end`; returns their heap bytes. */
static size_t chunk_release_blobs(const struct chunk *chunk, size_t position, size_t end)
{
    size_t bytes = 0;
    while (chunk->has_blobs && position < end) {
        struct element element;
        position = chunk_read(chunk, position, &element);
        bytes += element_blob_bytes(&element);
        blob_release(element.blob);
    }
    return bytes;
}

/* Heap bytes of the blobs. */
static size_t chunk_blob_bytes(const struct chunk *chunk)
{
    size_t bytes = 0;
    for (size_t at = chunk->begin; chunk->has_blobs && at < chunk->end;) {
        struct element element;
        at = chunk_read(chunk, at, &element);
        bytes += element_blob_bytes(&element);
    }
    return bytes;
}

static size_t chunk_free_sole(struct chunk *chunk)
{
    size_t bytes = chunk_release_blobs(chunk, chunk->begin, chunk->end);
    chunk_free_memory(chunk);
    return bytes;
}

size_t chunk_free(struct chunk *chunk)
{
    if (!chunk_is_shared(chunk))
        return chunk_free_sole(chunk);
    size_t bytes = chunk_blob_bytes(chunk);
    /* The other holders may have gone meanwhile. */
    if (atomic_fetch_sub_explicit(&chunk->holders, 1, memory_order_acq_rel) == 1)
        chunk_free_sole(chunk);
    return bytes;
}

size_t chunk_drop(struct chunk *chunk, enum list_end end, size_t count)
{
    CHECK(count <= chunk->count);
    DCHECK(!chunk_is_shared(chunk));
    size_t bytes;
    if (end == LIST_HEAD) {
        size_t begin = chunk_position(chunk, count);
        bytes = chunk_release_blobs(chunk, chunk->begin, begin);
        chunk->begin = (uint16_t)begin;
    } else {
        size_t kept = chunk_position(chunk, chunk->count - count);
        bytes = chunk_release_blobs(chunk, kept, chunk->end);
        chunk->end = (uint16_t)kept;
    }
    chunk->count = (uint16_t)(chunk->count - count);
    DCHECK_SOUND(chunk_is_sound(chunk), chunk->count);
    return bytes;
}

struct chunk *chunk_fit(struct chunk *chunk, enum list_end end)
{
    size_t used = chunk_used(chunk);
    if (chunk->capacity < TINY || used + used / 3 >= chunk->capacity)
        return chunk;
    /* Rounding may yield no less than before. */
    size_t capacity = chunk_capacity_for(used);
    return capacity + STEP < chunk->capacity ? chunk_reallocate(chunk, capacity, end) : chunk;
}

/* Appends the bytes from `begin` to `end` of `source`, which fit. */
static void chunk_append(struct chunk *chunk, const struct chunk *source, size_t begin, size_t end)
{
    CHECK((size_t)(chunk->capacity - chunk->end) >= end - begin);
    chunk->is_mixed |= source->is_mixed;
    if (chunk_used(chunk) > 0 && begin < end &&
        chunk_size_before(chunk, chunk->end) != chunk_size_after(source, begin))
        chunk->is_mixed = 1;
    memcpy(chunk->bytes + chunk->end, source->bytes + begin, end - begin);
    chunk->end = (uint16_t)(chunk->end + (end - begin));
    chunk->has_blobs |= source->has_blobs;
}

struct chunk *chunk_split(struct chunk *chunk, size_t position, size_t index)
{
    DCHECK(!chunk_is_shared(chunk));
    struct chunk *right = chunk_new(chunk->end - position, LIST_TAIL);
    chunk_append(right, chunk, position, chunk->end);
    right->count = (uint16_t)(chunk->count - index);
    chunk->count = (uint16_t)index;
    chunk->end = (uint16_t)position;
    DCHECK_SOUND(chunk_is_sound(chunk) && chunk_is_sound(right), chunk->count + right->count);
    return right;
}

struct chunk *chunk_merge(struct chunk *left, struct chunk *right)
{
    CHECK(chunk_used(left) + chunk_used(right) <= CHUNK_MAX);
    struct chunk *chunk = chunk_new(chunk_used(left) + chunk_used(right), LIST_TAIL);
    chunk_append(chunk, left, left->begin, left->end);
    chunk_append(chunk, right, right->begin, right->end);
    chunk->count = (uint16_t)(left->count + right->count);
    chunk_free_memory(left);
    chunk_free_memory(right);
    DCHECK_SOUND(chunk_is_sound(chunk), chunk->count);
    return chunk;
}

struct chunk *chunk_copy(const struct chunk *chunk)
{
    struct chunk *copy = chunk_duplicate(chunk, chunk->capacity, chunk->begin);
    struct element element;
    for (size_t at = copy->begin; copy->has_blobs && at < copy->end;) {
        at = chunk_read(copy, at, &element);
        if (element.blob != NULL)
            blob_retain(element.blob);
    }
    DCHECK_SOUND(chunk_is_sound(copy), copy->count);
    return copy;
}

struct chunk *chunk_share(struct chunk *chunk)
{
    unsigned char holders = atomic_load_explicit(&chunk->holders, memory_order_relaxed);
    do {
        if (holders == UCHAR_MAX)
            return chunk_copy(chunk);
    } while (!atomic_compare_exchange_weak_explicit(&chunk->holders, &holders,
                                                    (unsigned char)(holders + 1),
                                                    memory_order_relaxed, memory_order_relaxed));
    return chunk;
}

struct chunk *chunk_own(struct chunk *chunk)
{
    if (!chunk_is_shared(chunk))
        return chunk;
    struct chunk *copy = chunk_copy(chunk);
    chunk_free(chunk);
    return copy;
}

bool chunk_is_dense(const struct chunk *chunk)
{
    size_t used = chunk_used(chunk);
    return chunk->capacity < TINY || used + used / 3 + 2 * STEP >= chunk->capacity;
}

/* True if the element at the position is well formed and ends by `end`; moves the position to its
 * end. */
static bool chunk_is_sound_at(const struct chunk *chunk, size_t *position)
{
    struct element element;
    size_t next = chunk_read(chunk, *position, &element);
    bool is_long = element.value.len >= BLOB_LEAST;
    if (!element.is_number && element_of(element.value).is_number)
        return false;
    bool sound = next <= chunk->end && next - *position == element_size(&element) &&
                 chunk_before(chunk, next) == *position && is_long == (element.blob != NULL) &&
                 (element.blob == NULL || chunk->has_blobs) &&
                 (next - *position == chunk_size_after(chunk, chunk->begin) || chunk->is_mixed);
    *position = next;
    return sound;
}

bool chunk_is_sound(const struct chunk *chunk)
{
    if (chunk->begin > chunk->end || chunk->end > chunk->capacity ||
        (chunk_used(chunk) > CHUNK_MAX && chunk->count != 1) ||
        heap_round(chunk_footprint(chunk)) != chunk_footprint(chunk))
        return false;
    size_t count = 0, position = chunk->begin;
    for (; position < chunk->end; count++) {
        if (!chunk_is_sound_at(chunk, &position))
            return false;
    }
    return position == chunk->end && count == chunk->count;
}
