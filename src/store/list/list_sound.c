/* Checks the invariants of a list. */
#include "store/list/list.h"

#include "store/list/list_state.h"

/* What list_is_sound() has seen so far. */
struct census {
    size_t length;
    size_t bytes;
    size_t chunks;
    size_t used; /* by the previous chunk, CHUNK_MAX if that is the head */
};

static bool list_sound_check_chunk(const struct list *list, const struct chunk *chunk,
                                   struct census *census)
{
    bool is_end = chunk == list->head || chunk == list_end_chunk(list, LIST_TAIL);
    struct element element;
    for (size_t at = chunk->begin; at < chunk->end;) {
        at = chunk_read(chunk, at, &element);
        census->bytes += element_blob_bytes(&element);
    }
    size_t used = is_end ? CHUNK_MAX : chunk_used(chunk);
    bool sound = chunk->count > 0 && chunk_is_sound(chunk) && (is_end || chunk_is_dense(chunk)) &&
                 census->used + used > MERGE_MAX && !(is_end && chunk_is_shared(chunk));
    census->used = used;
    census->length += chunk->count;
    census->bytes += chunk_footprint(chunk);
    census->chunks++;
    return sound;
}

bool list_is_sound(const struct list *list)
{
    struct census census = {.used = CHUNK_MAX};
    if (list->body == NULL) {
        bool sound = list->head == NULL || list_sound_check_chunk(list, list->head, &census);
        return sound && census.bytes == list->bytes;
    }
    const struct spine *spine = &list->body->spine;
    struct spine_path path;
    if (!spine_is_sound(spine) || spine_first(spine, &path) != list->head)
        return false;
    const struct chunk *chunk = list->head, *last = NULL;
    for (; chunk != NULL; chunk = spine_next(spine, &path)) {
        size_t weight = list_chunk_weight(list, chunk);
        if (!list_sound_check_chunk(list, chunk, &census) || spine_weight(&path) != weight ||
            (weight == 0 && !spine_is_own(spine, &path)))
            return false;
        last = chunk;
    }
    return last == list->body->tail && census.chunks > 1 && census.chunks == spine->chunks &&
           census.length == list->body->length && census.bytes == list->bytes;
}
