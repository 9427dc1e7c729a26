/*
 * Packing elements into a chunk, finding and moving them there. Knows the layout to the byte and
 * nothing of lists or of which chunk stands beside which.
 */
#include "store/chunk.h"

#include "base/blob.h"
#include "base/mem.h"
#include "store/entry.h"

#include <stdlib.h>

#define HEADER    offsetof(struct chunk, bytes)
#define MARK_TWO  0x80
#define MARK_BLOB 0xC0
#define BLOB_SIZE (2 + sizeof(struct blob *))

/* What glibc's malloc does with a size: 8 bytes of its own, whole steps of 16, at least 32. */
#define HEAP_OWN   ((size_t)8)
#define HEAP_STEP  ((size_t)16)
#define HEAP_LEAST ((size_t)32)

/* A chunk below this many bytes grows by single steps, a larger one by a sixteenth: what small
 * lists waste counts more than what they copy. */
#define SMALL ((size_t)256)

/* Below this capacity there is too little to win for shrinking a chunk. */
#define TINY ((size_t)64)

size_t chunk_heap_bytes(size_t size)
{
    size_t bytes = (size + HEAP_OWN + HEAP_STEP - 1) / HEAP_STEP * HEAP_STEP;
    return bytes < HEAP_LEAST ? HEAP_LEAST : bytes;
}

struct element element_make(struct slice value)
{
    if (value.len < ENTRY_MIN_BLOB)
        return (struct element){.value = value};
    struct blob *blob = blob_copy(value);
    return (struct element){.value = blob_slice(blob), .blob = blob};
}

size_t element_size(const struct element *element)
{
    if (element->blob != NULL)
        return BLOB_SIZE;
    return element->value.len + (element->value.len < MARK_TWO ? 2 : 4);
}

size_t element_blob_bytes(const struct element *element)
{
    return element->blob != NULL ? chunk_heap_bytes(sizeof(struct blob) + element->value.len) : 0;
}

/* The capacity of an allocation for `size` bytes, exact but for the heap's rounding. */
static size_t capacity_for(size_t size)
{
    return chunk_heap_bytes(HEADER + size) - HEAP_OWN - HEADER;
}

/* The same with room for the next elements. */
static size_t capacity_to_grow(size_t size)
{
    size_t wanted = size < SMALL ? size : size + size / 16;
    if (wanted > CHUNK_MAX)
        wanted = size > CHUNK_MAX ? size : CHUNK_MAX;
    return capacity_for(wanted);
}

/* `capacity` comes from capacity_for(). */
static struct chunk *new_chunk(size_t capacity, size_t begin)
{
    struct chunk *chunk = mem_alloc(HEADER + capacity);
    chunk->capacity = (uint16_t)capacity;
    chunk->begin = chunk->end = (uint16_t)begin;
    chunk->count = 0;
    chunk->has_blobs = 0;
    return chunk;
}

struct chunk *chunk_new(size_t size, enum list_end end)
{
    size_t capacity = capacity_for(size);
    return new_chunk(capacity, end == LIST_HEAD ? capacity : 0);
}

size_t chunk_footprint(const struct chunk *chunk)
{
    return HEADER + chunk->capacity + HEAP_OWN;
}

static struct blob *blob_at(const uint8_t *body)
{
    struct blob *blob;
    memcpy(&blob, body, sizeof blob);
    return blob;
}

size_t chunk_read(const struct chunk *chunk, size_t position, struct element *element)
{
    const uint8_t *at = chunk->bytes + position;
    if (at[0] < MARK_TWO) {
        *element = (struct element){.value = slice_make(at + 1, at[0])};
        return position + at[0] + 2u;
    }
    if (at[0] == MARK_BLOB) {
        struct blob *blob = blob_at(at + 1);
        *element = (struct element){.value = blob_slice(blob), .blob = blob};
        return position + BLOB_SIZE;
    }
    size_t len = (size_t)(at[0] & 0x3F) << 8 | at[1];
    *element = (struct element){.value = slice_make(at + 2, len)};
    return position + len + 4;
}

/* Bytes of the element whose mark's first byte is `mark` and second, if it has one, `low`. */
static size_t marked_size(uint8_t mark, uint8_t low)
{
    if (mark < MARK_TWO)
        return mark + 2u;
    return mark == MARK_BLOB ? BLOB_SIZE : ((size_t)(mark & 0x3F) << 8 | low) + 4;
}

/* An element has two bytes at least, so that there is always a second one to look at. */
static size_t after(const struct chunk *chunk, size_t position)
{
    return position + marked_size(chunk->bytes[position], chunk->bytes[position + 1]);
}

size_t chunk_before(const struct chunk *chunk, size_t position)
{
    return position - marked_size(chunk->bytes[position - 1], chunk->bytes[position - 2]);
}

size_t chunk_position(const struct chunk *chunk, size_t index)
{
    size_t position = chunk->begin;
    if (index <= chunk->count / 2u) {
        for (; index > 0; index--)
            position = after(chunk, position);
        return position;
    }
    position = chunk->end;
    for (size_t i = chunk->count; i > index; i--)
        position = chunk_before(chunk, position);
    return position;
}

static void write_element(uint8_t *at, const struct element *element)
{
    size_t len = element->value.len;
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

/* The elements begin at `begin` then. */
static void slide(struct chunk *chunk, size_t begin)
{
    size_t used = chunk_used(chunk);
    memmove(chunk->bytes + begin, chunk->bytes + chunk->begin, used);
    chunk->begin = (uint16_t)begin;
    chunk->end = (uint16_t)(begin + used);
}

/* The same elements in an allocation of that capacity; the old one is gone. */
static struct chunk *move(struct chunk *chunk, size_t capacity, enum list_end room)
{
    size_t used = chunk_used(chunk);
    struct chunk *moved = new_chunk(capacity, room == LIST_HEAD ? capacity - used : 0);
    memcpy(moved->bytes + moved->begin, chunk->bytes + chunk->begin, used);
    moved->end = (uint16_t)(moved->begin + used);
    moved->count = chunk->count;
    moved->has_blobs = chunk->has_blobs;
    free(chunk);
    return moved;
}

/* `size` free bytes at that end. The heap can often enlarge a chunk where it is, which leaves fewer
 * holes than moving it. */
static struct chunk *make_room(struct chunk *chunk, size_t size, enum list_end end)
{
    size_t capacity = capacity_to_grow(chunk_used(chunk) + size);
    if (capacity > chunk->capacity && (end == LIST_HEAD || chunk->begin > 0))
        return move(chunk, capacity, end);
    if (capacity > chunk->capacity) {
        chunk = mem_realloc(chunk, HEADER + capacity);
        chunk->capacity = (uint16_t)capacity;
        return chunk;
    }
    slide(chunk, end == LIST_HEAD ? chunk->capacity - chunk_used(chunk) : 0);
    return chunk;
}

static size_t room_at(const struct chunk *chunk, enum list_end end)
{
    return end == LIST_HEAD ? chunk->begin : (size_t)(chunk->capacity - chunk->end);
}

/* Sliding 4 KiB is worth it when an eighth of them becomes free at once. */
bool chunk_takes(const struct chunk *chunk, enum list_end end, size_t size)
{
    size_t used = chunk_used(chunk);
    if (room_at(chunk, end) >= size)
        return used + size <= CHUNK_MAX;
    return used + size <= CHUNK_MAX - CHUNK_MAX / 8;
}

/* Opens a gap of `size` bytes at the position by moving what is before it to the front. */
static uint8_t *open_before(struct chunk *chunk, size_t position, size_t size)
{
    memmove(chunk->bytes + chunk->begin - size, chunk->bytes + chunk->begin,
            position - chunk->begin);
    chunk->begin = (uint16_t)(chunk->begin - size);
    return chunk->bytes + position - size;
}

/* The same by moving what is behind it to the back. */
static uint8_t *open_behind(struct chunk *chunk, size_t position, size_t size)
{
    memmove(chunk->bytes + position + size, chunk->bytes + position, chunk->end - position);
    chunk->end = (uint16_t)(chunk->end + size);
    return chunk->bytes + position;
}

static enum list_end other_end(enum list_end end)
{
    return end == LIST_HEAD ? LIST_TAIL : LIST_HEAD;
}

/* Which side of the position gives way to `size` bytes: the shorter one; in the middle the other
 * if only that has the room. At an end it pays to slide all once and have room for many. */
static enum list_end side_to_move(const struct chunk *chunk, size_t position, size_t size)
{
    size_t before = position - chunk->begin, behind = chunk->end - position;
    bool is_head = before < behind;
    if (before == behind)
        is_head = room_at(chunk, LIST_HEAD) > room_at(chunk, LIST_TAIL);
    enum list_end side = is_head ? LIST_HEAD : LIST_TAIL;
    bool in_the_middle = before > 0 && behind > 0;
    if (in_the_middle && room_at(chunk, side) < size && room_at(chunk, other_end(side)) >= size)
        return other_end(side);
    return side;
}

struct chunk *chunk_insert(struct chunk *chunk, size_t position, const struct element *element)
{
    size_t size = element_size(element);
    enum list_end side = side_to_move(chunk, position, size);
    if (room_at(chunk, side) < size) {
        size_t offset = position - chunk->begin;
        chunk = make_room(chunk, size, side);
        position = chunk->begin + offset;
    }
    uint8_t *at =
        side == LIST_HEAD ? open_before(chunk, position, size) : open_behind(chunk, position, size);
    write_element(at, element);
    chunk->count++;
    if (element->blob != NULL)
        chunk->has_blobs = 1;
    return chunk;
}

size_t chunk_remove(struct chunk *chunk, size_t position)
{
    struct element element;
    size_t follower = chunk_read(chunk, position, &element);
    size_t size = follower - position;
    blob_release(element.blob);
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

/* Gives the blobs of the elements from `position` to `end` back; returns their heap bytes. */
static size_t release_blobs(const struct chunk *chunk, size_t position, size_t end)
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

size_t chunk_free(struct chunk *chunk)
{
    size_t bytes = release_blobs(chunk, chunk->begin, chunk->end);
    free(chunk);
    return bytes;
}

size_t chunk_drop(struct chunk *chunk, enum list_end end, size_t count)
{
    size_t bytes;
    if (end == LIST_HEAD) {
        size_t begin = chunk_position(chunk, count);
        bytes = release_blobs(chunk, chunk->begin, begin);
        chunk->begin = (uint16_t)begin;
    } else {
        size_t kept = chunk_position(chunk, chunk->count - count);
        bytes = release_blobs(chunk, kept, chunk->end);
        chunk->end = (uint16_t)kept;
    }
    chunk->count = (uint16_t)(chunk->count - count);
    return bytes;
}

struct chunk *chunk_fit(struct chunk *chunk, enum list_end end)
{
    size_t used = chunk_used(chunk), capacity = capacity_for(used);
    if (capacity >= chunk->capacity || chunk->capacity < TINY || used + used / 3 >= chunk->capacity)
        return chunk;
    return move(chunk, capacity, end);
}

/* Appends what lies from `begin` to `end` in `source`, for which there is room. */
static void append(struct chunk *chunk, const struct chunk *source, size_t begin, size_t end)
{
    memcpy(chunk->bytes + chunk->end, source->bytes + begin, end - begin);
    chunk->end = (uint16_t)(chunk->end + (end - begin));
    chunk->has_blobs |= source->has_blobs;
}

struct chunk *chunk_split(struct chunk *chunk, size_t position, size_t index)
{
    struct chunk *right = chunk_new(chunk->end - position, LIST_TAIL);
    append(right, chunk, position, chunk->end);
    right->count = (uint16_t)(chunk->count - index);
    chunk->count = (uint16_t)index;
    chunk->end = (uint16_t)position;
    return right;
}

struct chunk *chunk_merge(struct chunk *left, struct chunk *right)
{
    struct chunk *chunk = chunk_new(chunk_used(left) + chunk_used(right), LIST_TAIL);
    append(chunk, left, left->begin, left->end);
    append(chunk, right, right->begin, right->end);
    chunk->count = (uint16_t)(left->count + right->count);
    free(left);
    free(right);
    return chunk;
}

struct chunk *chunk_copy(const struct chunk *chunk)
{
    struct chunk *copy = chunk_new(chunk_used(chunk), LIST_TAIL);
    append(copy, chunk, chunk->begin, chunk->end);
    copy->count = chunk->count;
    struct element element;
    for (size_t at = copy->begin; copy->has_blobs && at < copy->end;) {
        at = chunk_read(copy, at, &element);
        if (element.blob != NULL)
            blob_retain(element.blob);
    }
    return copy;
}

bool chunk_is_dense(const struct chunk *chunk)
{
    size_t used = chunk_used(chunk);
    return chunk->capacity < TINY || used + used / 3 + 2 * HEAP_STEP >= chunk->capacity;
}

/* True if the element at the position is well formed and ends by `end`; moves on to its end. */
static bool is_sound_at(const struct chunk *chunk, size_t *position)
{
    struct element element;
    size_t next = chunk_read(chunk, *position, &element);
    bool is_long = element.value.len >= ENTRY_MIN_BLOB;
    bool sound = next <= chunk->end && next - *position == element_size(&element) &&
                 chunk_before(chunk, next) == *position && is_long == (element.blob != NULL) &&
                 (element.blob == NULL || chunk->has_blobs);
    *position = next;
    return sound;
}

bool chunk_is_sound(const struct chunk *chunk)
{
    if (chunk->begin > chunk->end || chunk->end > chunk->capacity ||
        (chunk_used(chunk) > CHUNK_MAX && chunk->count != 1) ||
        chunk_heap_bytes(HEADER + chunk->capacity) != chunk_footprint(chunk))
        return false;
    size_t count = 0, position = chunk->begin;
    for (; position < chunk->end; count++) {
        if (!is_sound_at(chunk, &position))
            return false;
    }
    return position == chunk->end && count == chunk->count;
}
