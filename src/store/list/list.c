/*
 * A list as chunks in a spine: which chunk an operation concerns, when chunks are added, split,
 * merged or dropped, and what they weigh. Does not know how elements lie in a chunk.
 */
#include "store/list/list.h"

#include "base/blob.h"
#include "base/check.h"
#include "store/list/list_garbage.h"
#include "store/list/list_state.h"
#include "store/memory/heap.h"

/* From this many chunks on, one that is not full hardly matters: the end chunks get their full size
 * immediately and keep it. */
#define MANY_CHUNKS 16

/* Chunks moved per call of list_move(). */
#define MOVED_CHUNKS 16

/* Where a chunk is. The path is set only if the list has a body. */
struct place {
    struct chunk *chunk;
    size_t base; /* index of its first element */
    bool is_head;
    bool is_tail;
    struct spine_path path;
};

struct list *list_new(void)
{
    struct list *list = heap_alloc(sizeof *list);
    *list = (struct list){.head = NULL};
    return list;
}

size_t list_length(const struct list *list)
{
    if (list->body != NULL)
        return list->body->length;
    return list->head != NULL ? list->head->count : 0;
}

size_t list_memory(const struct list *list)
{
    size_t bytes = heap_round(sizeof *list) + list->bytes;
    if (list->body != NULL)
        bytes += heap_round(sizeof *list->body) + list->body->spine.bytes;
    return bytes;
}

static bool list_has_many_chunks(const struct list *list)
{
    return list->body != NULL && list->body->spine.chunks >= MANY_CHUNKS;
}

/* The chunk at that end of the spine and the path to it. */
static struct chunk *list_path_to_end(const struct list *list, enum list_end end,
                                      struct spine_path *path)
{
    const struct spine *spine = &list->body->spine;
    return end == LIST_HEAD ? spine_first(spine, path) : spine_last(spine, path);
}

/* Finds an end of a list that is not empty. */
static void list_locate_end(const struct list *list, enum list_end end, struct place *place)
{
    place->chunk = list_end_chunk(list, end);
    place->base = end == LIST_HEAD ? 0 : list_length(list) - place->chunk->count;
    place->is_head = end == LIST_HEAD || list->body == NULL;
    place->is_tail = end == LIST_TAIL || list->body == NULL;
    if (list->body != NULL)
        list_path_to_end(list, end, &place->path);
}

/* The chunk with the element at `index`, below the length. */
static void list_locate(const struct list *list, size_t index, struct place *place)
{
    DCHECK(index < list_length(list));
    if (index < list->head->count) {
        list_locate_end(list, LIST_HEAD, place);
    } else if (index >= list->body->length - list->body->tail->count) {
        list_locate_end(list, LIST_TAIL, place);
    } else {
        size_t rest = index - list->head->count;
        place->chunk = spine_find(&list->body->spine, &rest, &place->path);
        place->base = index - rest;
        DCHECK(rest < place->chunk->count);
        place->is_head = place->is_tail = false;
    }
}

static void list_add_length(struct list *list, size_t count)
{
    if (list->body != NULL)
        list->body->length += count;
}

/*
 * Stores `chunk` at the place: the chunk there, which had `footprint` bytes, has changed and may
 * have moved.
 */
static void list_update_place(struct list *list, struct place *place, size_t footprint,
                              struct chunk *chunk)
{
    list->bytes += chunk_footprint(chunk) - footprint;
    place->chunk = chunk;
    if (place->is_head)
        list->head = chunk;
    if (list->body == NULL)
        return;
    if (place->is_tail)
        list->body->tail = chunk;
    spine_set(&list->body->spine, &place->path, chunk, list_chunk_weight(list, chunk));
}

/* Makes the list the only holder of the chunk at the place; the path to it is unshared already.
 * Positions in the chunk stay valid. */
static void list_own_chunk(struct list *list, struct place *place)
{
    size_t footprint = chunk_footprint(place->chunk);
    if (chunk_is_shared(place->chunk))
        list_update_place(list, place, footprint, chunk_own(place->chunk));
}

static bool list_is_own_place(const struct list *list, const struct place *place)
{
    return !chunk_is_shared(place->chunk) &&
           (list->body == NULL || spine_is_own(&list->body->spine, &place->path));
}

/* Makes the place the list's own, so that it may be edited. */
static void list_own_place(struct list *list, struct place *place)
{
    if (!place->is_head && !place->is_tail) {
        spine_own(&list->body->spine, &place->path);
        list_own_chunk(list, place);
    }
    DCHECK(list_is_own_place(list, place));
}

/* The same, with the place made the list's own for an edit. */
static void list_locate_own(struct list *list, size_t index, struct place *place)
{
    list_locate(list, index, place);
    list_own_place(list, place);
}

static void list_fit(struct list *list, struct place *place)
{
    size_t footprint = chunk_footprint(place->chunk), capacity = place->chunk->capacity;
    struct chunk *chunk = chunk_fit(place->chunk, place->is_tail ? LIST_TAIL : LIST_HEAD);
    if (chunk->capacity != capacity)
        list_update_place(list, place, footprint, chunk);
}

/* Prepares the list for a second chunk. */
static void list_add_body(struct list *list)
{
    list->body = heap_alloc(sizeof *list->body);
    *list->body = (struct body){.tail = list->head, .length = list->head->count};
    spine_init(&list->body->spine, list->head, 0);
}

/* Attaches a chunk that the length does not count yet at that end. */
static void list_attach(struct list *list, enum list_end end, struct chunk *chunk)
{
    list->bytes += chunk_footprint(chunk);
    if (list->head == NULL) {
        list->head = chunk;
        return;
    }
    if (list->body == NULL)
        list_add_body(list);
    struct spine_path path;
    struct chunk *former = list_path_to_end(list, end, &path);
    *(end == LIST_HEAD ? &list->head : &list->body->tail) = chunk;
    spine_set(&list->body->spine, &path, former, list_chunk_weight(list, former));
    if (end == LIST_HEAD)
        spine_insert_before(&list->body->spine, &path, chunk, 0);
    else
        spine_insert_after(&list->body->spine, &path, chunk, 0);
}

/* A list of one chunk needs no body. */
static void list_drop_body(struct list *list)
{
    spine_dissolve(&list->body->spine);
    heap_free(list->body, sizeof *list->body);
    list->body = NULL;
}

/* Makes the chunk at that end of the spine the list's end; list_own_ends() must follow. */
static void list_set_end(struct list *list, enum list_end end)
{
    struct spine_path path;
    struct chunk *chunk = list_path_to_end(list, end, &path);
    spine_own(&list->body->spine, &path);
    *(end == LIST_HEAD ? &list->head : &list->body->tail) = chunk;
    spine_set(&list->body->spine, &path, chunk, 0);
}

/* Removes the chunk at the place and frees it with the elements left in it; list_own_ends() must
 * follow. That is separate so that a new end is not copied if it is the next one to be removed. */
static void list_remove_chunk(struct list *list, struct place *place)
{
    list_add_length(list, -(size_t)place->chunk->count);
    list->bytes -= chunk_footprint(place->chunk);
    list->bytes -= chunk_free(place->chunk);
    if (list->body == NULL) {
        list->head = NULL;
        return;
    }
    spine_remove(&list->body->spine, &place->path);
    if (place->is_head)
        list_set_end(list, LIST_HEAD);
    if (place->is_tail)
        list_set_end(list, LIST_TAIL);
    if (list->body->spine.chunks == 1)
        list_drop_body(list);
}

/* Makes the ends the list's own, and fits them if there are few chunks. */
static void list_own_ends(struct list *list)
{
    struct place place;
    for (enum list_end end = LIST_HEAD; end <= LIST_TAIL && list->head != NULL; end++) {
        list_locate_end(list, end, &place);
        list_own_chunk(list, &place);
        if (!list_has_many_chunks(list))
            list_fit(list, &place);
    }
}

/* Merges the chunk at the place with the next one, which exists, if they are small enough. */
static bool list_merge_with_next(struct list *list, struct place *place)
{
    struct spine *spine = &list->body->spine;
    struct place next = {.path = place->path};
    next.chunk = spine_next(spine, &next.path);
    CHECK(next.chunk != NULL);
    if (chunk_used(place->chunk) + chunk_used(next.chunk) > MERGE_MAX)
        return false;
    list_own_place(list, place);
    next = (struct place){.path = place->path};
    next.chunk = spine_next(spine, &next.path);
    next.is_tail = next.chunk == list->body->tail;
    list_own_place(list, &next);
    size_t footprint = chunk_footprint(place->chunk) + chunk_footprint(next.chunk);
    place->is_tail = next.is_tail;
    list_update_place(list, place, footprint, chunk_merge(place->chunk, next.chunk));
    spine_remove(spine, &next.path);
    if (spine->chunks == 1)
        list_drop_body(list);
    return true;
}

static bool list_merge_with_previous(struct list *list, const struct place *place)
{
    struct place previous = {.path = place->path};
    previous.chunk = spine_previous(&list->body->spine, &previous.path);
    previous.is_head = previous.chunk == list->head;
    return list_merge_with_next(list, &previous);
}

/* Merges the chunk with the element at `index` with its neighbours while they are small. */
static void list_merge_small(struct list *list, size_t index)
{
    struct place place;
    bool merged = true;
    while (merged && list->body != NULL) {
        list_locate(list, index, &place);
        if (chunk_used(place.chunk) >= MERGE_MAX)
            return;
        merged = (!place.is_tail && list_merge_with_next(list, &place)) ||
                 (!place.is_head && list_merge_with_previous(list, &place));
    }
}

/* Fits and merges the chunk next to that end, which was the end until now. */
static void list_merge_former_end(struct list *list, enum list_end end)
{
    struct place place;
    size_t index =
        end == LIST_HEAD ? list->head->count : list->body->length - list->body->tail->count - 1;
    list_locate_own(list, index, &place);
    if (!place.is_head && !place.is_tail)
        list_fit(list, &place);
    list_merge_small(list, index);
}

/* Adds an empty chunk at that end. */
static struct chunk *list_add_chunk(struct list *list, enum list_end end, size_t size)
{
    if (list_has_many_chunks(list) && size < CHUNK_MAX)
        size = CHUNK_MAX;
    struct chunk *chunk = chunk_new(size, end);
    list_attach(list, end, chunk);
    return chunk;
}

/* The chunk at that end, which had that footprint, has moved. */
static void list_update_end(struct list *list, enum list_end end, size_t footprint,
                            struct chunk *chunk)
{
    struct place place = {.is_head = end == LIST_HEAD || list->body == NULL,
                          .is_tail = end == LIST_TAIL};
    if (list->body != NULL)
        list_path_to_end(list, end, &place.path);
    list_update_place(list, &place, footprint, chunk);
}

static void list_push_element(struct list *list, enum list_end end, const struct element *element)
{
    struct chunk *chunk = list_end_chunk(list, end);
    size_t size = element_size(element);
    bool is_new = chunk == NULL || !chunk_accepts(chunk, end, size);
    if (is_new)
        chunk = list_add_chunk(list, end, size);
    size_t footprint = chunk_footprint(chunk), capacity = chunk->capacity;
    chunk = chunk_insert(chunk, end == LIST_HEAD ? chunk->begin : chunk->end, element);
    if (chunk->capacity != capacity)
        list_update_end(list, end, footprint, chunk);
    list_add_length(list, 1);
    if (element->blob != NULL)
        list->bytes += element_blob_bytes(element);
    if (is_new && list->body != NULL)
        list_merge_former_end(list, end);
    DCHECK_SOUND(list_is_sound(list), list_length(list));
}

void list_push(struct list *list, enum list_end end, struct slice value)
{
    struct element element = element_make(value);
    list_push_element(list, end, &element);
}

void list_push_blob(struct list *list, enum list_end end, struct blob *blob)
{
    struct element element = element_share(blob);
    list_push_element(list, end, &element);
}

/* Removes the chunks that `count` covers entirely; returns how many elements remain to be
 * removed. */
static size_t list_drop_chunks(struct list *list, enum list_end end, size_t count)
{
    CHECK(count <= list_length(list));
    struct place place;
    while (count > 0 && count >= list_end_chunk(list, end)->count) {
        count -= list_end_chunk(list, end)->count;
        list_locate_end(list, end, &place);
        list_remove_chunk(list, &place);
    }
    list_own_ends(list);
    return count;
}

void list_drop(struct list *list, enum list_end end, size_t count)
{
    struct place place;
    if (count > 0 && count >= list_end_chunk(list, end)->count)
        count = list_drop_chunks(list, end, count);
    if (count == 0)
        return;
    list->bytes -= chunk_drop(list_end_chunk(list, end), end, count);
    list_add_length(list, -count);
    if (!list_has_many_chunks(list)) {
        list_locate_end(list, end, &place);
        list_fit(list, &place);
    }
    DCHECK_SOUND(list_is_sound(list), list_length(list));
}

/* Inserts the element into the chunk at the place, before its element `index`. */
static void list_put_element(struct list *list, struct place *place, size_t index,
                             const struct element *element)
{
    size_t footprint = chunk_footprint(place->chunk);
    size_t position = chunk_position(place->chunk, index);
    struct chunk *chunk = chunk_insert(place->chunk, position, element);
    list_update_place(list, place, footprint, chunk);
    list_add_length(list, 1);
}

/* Splits the chunk so that the element at `index`, not its first, starts another. */
static void list_split(struct list *list, struct place *place, size_t index)
{
    if (list->body == NULL) {
        list_add_body(list);
        list_path_to_end(list, LIST_HEAD, &place->path);
    }
    struct chunk *left = place->chunk;
    size_t footprint = chunk_footprint(left);
    size_t in_chunk = index - place->base;
    struct chunk *right = chunk_split(left, chunk_position(left, in_chunk), in_chunk);
    list->bytes += chunk_footprint(right);
    if (place->is_tail)
        list->body->tail = right;
    place->is_tail = false;
    list_update_place(list, place, footprint,
                      chunk_fit(left, place->is_head ? LIST_HEAD : LIST_TAIL));
    spine_insert_after(&list->body->spine, &place->path, right, list_chunk_weight(list, right));
}

/* Inserts the element as a chunk of its own after the one that ends before `index`. */
static void list_put_chunk(struct list *list, size_t index, const struct element *element)
{
    struct place place;
    list_locate_own(list, index - 1, &place);
    struct chunk *chunk = chunk_new(element_size(element), LIST_TAIL);
    chunk = chunk_insert(chunk, 0, element);
    list->bytes += chunk_footprint(chunk);
    spine_insert_after(&list->body->spine, &place.path, chunk, chunk->count);
    list_add_length(list, 1);
}

/* Inserts the element between two chunks, into the one that has enough space. */
static void list_put_between(struct list *list, size_t index, const struct element *element)
{
    struct place place;
    size_t size = element_size(element);
    list_locate_own(list, index - 1, &place);
    if (chunk_used(place.chunk) + size <= CHUNK_MAX) {
        list_put_element(list, &place, place.chunk->count, element);
        return;
    }
    list_locate_own(list, index, &place);
    if (chunk_used(place.chunk) + size <= CHUNK_MAX)
        list_put_element(list, &place, 0, element);
    else
        list_put_chunk(list, index, element);
}

/* Inserts the element at `index`, which is neither the first nor the last. */
static void list_insert_inside(struct list *list, size_t index, const struct element *element)
{
    struct place place;
    list->bytes += element_blob_bytes(element);
    list_locate_own(list, index, &place);
    if (chunk_used(place.chunk) + element_size(element) <= CHUNK_MAX) {
        list_put_element(list, &place, index - place.base, element);
        return;
    }
    if (index > place.base)
        list_split(list, &place, index);
    list_put_between(list, index, element);
    list_merge_small(list, index - 1);
    if (index + 1 < list_length(list))
        list_merge_small(list, index + 1);
    list_merge_small(list, index);
    DCHECK_SOUND(list_is_sound(list), list_length(list));
}

static void list_insert_element(struct list *list, size_t index, const struct element *element)
{
    CHECK(index <= list_length(list));
    if (index == 0)
        list_push_element(list, LIST_HEAD, element);
    else if (index == list_length(list))
        list_push_element(list, LIST_TAIL, element);
    else
        list_insert_inside(list, index, element);
}

void list_insert(struct list *list, size_t index, struct slice value)
{
    struct element element = element_make(value);
    list_insert_element(list, index, &element);
}

void list_insert_blob(struct list *list, size_t index, struct blob *blob)
{
    struct element element = element_share(blob);
    list_insert_element(list, index, &element);
}

/* Restores the invariants after the chunk at the place has lost bytes, perhaps all; true if the
 * place is still valid. */
static bool list_after_removal(struct list *list, struct place *place)
{
    size_t base = place->base, length = list_length(list);
    if (place->chunk->count == 0) {
        list_remove_chunk(list, place);
        list_own_ends(list);
        if (base > 0)
            list_merge_small(list, base - 1);
        if (base < length)
            list_merge_small(list, base);
        return false;
    }
    list_fit(list, place);
    if (list->body == NULL || chunk_used(place->chunk) >= MERGE_MAX)
        return true;
    list_merge_small(list, base);
    return false;
}

/* Removes the element at the position of a place that is the list's own. Returns what
 * list_after_removal() does; if true, the position is that of the next element. */
static bool list_remove_at(struct list *list, struct place *place, size_t *position)
{
    struct element element;
    struct chunk *chunk = place->chunk;
    chunk_read(chunk, *position, &element);
    list->bytes -= element_blob_bytes(&element);
    size_t follower = chunk_remove(chunk, *position);
    size_t offset = follower - chunk->begin;
    list_add_length(list, (size_t)-1);
    list_update_place(list, place, chunk_footprint(chunk), chunk);
    bool holds = list_after_removal(list, place);
    if (holds)
        *position = place->chunk->begin + offset;
    DCHECK_SOUND(list_is_sound(list), list_length(list));
    return holds;
}

void list_remove(struct list *list, size_t index)
{
    struct place place;
    list_locate_own(list, index, &place);
    size_t position = chunk_position(place.chunk, index - place.base);
    list_remove_at(list, &place, &position);
}

static void list_replace_element(struct list *list, size_t index, const struct element *element)
{
    struct place place;
    struct element former;
    list_locate_own(list, index, &place);
    struct chunk *chunk = place.chunk;
    size_t position = chunk_position(chunk, index - place.base);
    size_t former_size = chunk_read(chunk, position, &former) - position;
    if (chunk->count > 1 && chunk_used(chunk) - former_size + element_size(element) > CHUNK_MAX) {
        list_remove_at(list, &place, &position);
        list_insert_element(list, index, element);
        return;
    }
    size_t footprint = chunk_footprint(chunk);
    list->bytes += element_blob_bytes(element) - element_blob_bytes(&former);
    position = chunk_remove(chunk, position);
    list_update_place(list, &place, footprint, chunk_insert(chunk, position, element));
    list_after_removal(list, &place);
    DCHECK_SOUND(list_is_sound(list), list_length(list));
}

void list_replace(struct list *list, size_t index, struct slice value)
{
    struct element element = element_make(value);
    list_replace_element(list, index, &element);
}

void list_replace_blob(struct list *list, size_t index, struct blob *blob)
{
    struct element element = element_share(blob);
    list_replace_element(list, index, &element);
}

struct list *list_copy(const struct list *list)
{
    struct list *copy = list_new();
    copy->bytes = list->bytes;
    if (list->body == NULL) {
        copy->head = list->head != NULL ? chunk_copy(list->head) : NULL;
        return copy;
    }
    copy->body = heap_alloc(sizeof *copy->body);
    *copy->body = (struct body){.length = list->body->length};
    spine_copy(&copy->body->spine, &list->body->spine);
    list_set_end(copy, LIST_HEAD);
    list_set_end(copy, LIST_TAIL);
    list_own_ends(copy);
    DCHECK(list_length(copy) == list_length(list));
    return copy;
}

void list_swap(struct list *a, struct list *b)
{
    struct list former = *a;
    *a = *b;
    *b = former;
}

void list_free(struct list *list)
{
    if (list == NULL)
        return;
    if (list->body != NULL) {
        size_t bytes = list->bytes + list->body->spine.bytes;
        if (list->body->spine.chunks > LIST_GARBAGE_CHUNKS)
            list_garbage_add(&list->body->spine, bytes);
        else
            spine_clear(&list->body->spine, SIZE_MAX, &bytes);
        heap_free(list->body, sizeof *list->body);
    } else if (list->head != NULL) {
        chunk_free(list->head);
    }
    heap_free(list, sizeof *list);
}

static void list_move_chunk(struct list *list, struct place *place, size_t *moved)
{
    struct chunk *chunk = chunk_move(place->chunk);
    if (chunk == NULL)
        return;
    list_update_place(list, place, chunk_footprint(chunk), chunk);
    ++*moved;
}

/* Moves some chunks, starting where the last call stopped. */
static void list_move_chunks(struct list *list, size_t *moved)
{
    struct place place;
    size_t length = list->body->length, index = list->body->moved_to;
    for (size_t i = 0; i < MOVED_CHUNKS; i++) {
        list_locate(list, index < length ? index : 0, &place);
        index = place.base + place.chunk->count;
        if (list_is_own_place(list, &place))
            list_move_chunk(list, &place, moved);
        if (index == length)
            break;
    }
    list->body->moved_to = index;
}

static void list_move_body(struct list *list, size_t *moved)
{
    struct body *body = heap_move(list->body, sizeof *body);
    if (body != NULL) {
        list->body = body;
        ++*moved;
    }
    *moved += spine_move(&list->body->spine);
}

struct list *list_move(struct list *list, size_t *moved)
{
    if (list->body != NULL) {
        list_move_body(list, moved);
        list_move_chunks(list, moved);
    } else if (list->head != NULL) {
        struct place place;
        list_locate_end(list, LIST_HEAD, &place);
        list_move_chunk(list, &place, moved);
    }
    struct list *elsewhere = heap_move(list, sizeof *list);
    if (elsewhere == NULL)
        return list;
    ++*moved;
    return elsewhere;
}

/* Reads the element that the cursor has been placed on. */
static void list_read_here(struct list_cursor *cursor)
{
    cursor->next_position = chunk_read(cursor->chunk, cursor->position, &cursor->element);
    cursor->blob = cursor->element.blob;
}

bool list_seek(const struct list *list, struct list_cursor *cursor, size_t index)
{
    if (index >= list_length(list))
        return false;
    struct place place;
    list_locate(list, index, &place);
    cursor->list = list;
    cursor->index = index;
    cursor->chunk = place.chunk;
    cursor->base = place.base;
    cursor->path = place.path;
    cursor->position = chunk_position(place.chunk, index - place.base);
    list_read_here(cursor);
    return true;
}

bool list_next(struct list_cursor *cursor)
{
    if (cursor->next_position == cursor->chunk->end) {
        if (cursor->list->body == NULL)
            return false;
        const struct chunk *next = spine_next(&cursor->list->body->spine, &cursor->path);
        if (next == NULL)
            return false;
        cursor->base += cursor->chunk->count;
        cursor->chunk = next;
        cursor->next_position = next->begin;
    }
    cursor->index++;
    cursor->position = cursor->next_position;
    DCHECK(cursor->index < list_length(cursor->list));
    list_read_here(cursor);
    return true;
}

bool list_previous(struct list_cursor *cursor)
{
    if (cursor->position == cursor->chunk->begin) {
        if (cursor->list->body == NULL)
            return false;
        const struct chunk *previous = spine_previous(&cursor->list->body->spine, &cursor->path);
        if (previous == NULL)
            return false;
        cursor->base -= previous->count;
        cursor->chunk = previous;
        cursor->position = previous->end;
    }
    cursor->index--;
    cursor->position = chunk_before(cursor->chunk, cursor->position);
    DCHECK(cursor->index < list_length(cursor->list));
    list_read_here(cursor);
    return true;
}

bool list_remove_here(struct list *list, struct list_cursor *cursor, enum list_end towards)
{
    struct place place = {.base = cursor->base, .path = cursor->path};
    place.is_head = cursor->chunk == list->head;
    place.is_tail = cursor->chunk == list_end_chunk(list, LIST_TAIL);
    place.chunk = (struct chunk *)cursor->chunk;
    list_own_place(list, &place);
    bool holds = list_remove_at(list, &place, &cursor->position);
    if (towards == LIST_HEAD && cursor->index == 0)
        return false;
    if (!holds)
        return list_seek(list, cursor, cursor->index - (towards == LIST_HEAD));
    cursor->chunk = place.chunk;
    cursor->path = place.path;
    /* The cursor is now between two elements, just before the next one. */
    if (towards == LIST_HEAD)
        return list_previous(cursor);
    cursor->next_position = cursor->position;
    cursor->index--;
    return list_next(cursor);
}
