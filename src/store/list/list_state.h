/* What a list is made of. Private to list.c and list_sound.c. */
#ifndef KEYSTORE_STORE_LIST_LIST_STATE_H
#define KEYSTORE_STORE_LIST_LIST_STATE_H

#include "store/list/chunk.h"
#include "store/list/spine.h"

/* Neighbours with no more than this together are merged. */
#define MERGE_MAX (CHUNK_MAX / 2)

/* What only a list of two chunks or more needs. */
struct body {
    struct chunk *tail;
    size_t length;
    size_t moved_to; /* index where list_move() continues */
    struct spine spine;
};

struct list {
    struct chunk *head; /* NULL if empty */
    struct body *body;  /* NULL if there is no chunk but the head */
    size_t bytes;       /* of the chunks and blobs */
};

static inline struct chunk *list_end_chunk(const struct list *list, enum list_end end)
{
    return end == LIST_TAIL && list->body != NULL ? list->body->tail : list->head;
}

/* The weight in the spine of a chunk of a list with a body. */
static inline size_t list_chunk_weight(const struct list *list, const struct chunk *chunk)
{
    return chunk == list->head || chunk == list->body->tail ? 0 : chunk->count;
}

#endif
