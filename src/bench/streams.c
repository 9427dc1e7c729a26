/* A ring of streams. Does not know frames and answers. */
#include "bench/streams.h"

#include "base/check.h"
#include "base/mem.h"
#include "bench/wire.h"

#include <stdlib.h>

/* Maximum memory for answers that a slot keeps when its stream ends. */
#define KEPT_BODY ((size_t)65536)

void streams_init(struct streams *streams, uint32_t limit, uint32_t first_id, bool keep_bodies)
{
    uint32_t slots = 2;
    while (slots < limit * 2)
        slots *= 2;
    *streams = (struct streams){
        .slots = mem_alloc_zero(slots * sizeof *streams->slots),
        .bodies = keep_bodies ? mem_alloc_zero(slots * sizeof *streams->bodies) : NULL,
        .mask = slots - 1,
        .next_id = first_id,
    };
    for (uint32_t i = 0; keep_bodies && i < slots; i++) {
        buf_init(&streams->bodies[i], SIZE_MAX);
        streams->slots[i].body = &streams->bodies[i];
    }
}

void streams_deinit(struct streams *streams)
{
    for (uint32_t i = 0; streams->bodies != NULL && i <= streams->mask; i++)
        buf_deinit(&streams->bodies[i]);
    free(streams->bodies);
    free(streams->slots);
    *streams = (struct streams){.slots = NULL};
}

bool streams_left(const struct streams *streams)
{
    /* In the worst case all slots are tried once. */
    return streams->next_id <= WIRE_MAX_STREAM_ID - 2 * streams->mask;
}

struct stream *streams_open(struct streams *streams)
{
    CHECK(streams->open <= streams->mask); /* else no free slot would ever be found */
    struct stream *stream;
    uint32_t id;
    do {
        id = streams->next_id;
        stream = &streams->slots[(id >> 1) & streams->mask];
        streams->next_id += 2;
    } while (stream->id != 0);
    struct buf *body = stream->body;
    *stream = (struct stream){.id = id, .body = body};
    streams->open++;
    return stream;
}

void streams_close(struct streams *streams, struct stream *stream)
{
    CHECK(stream->id != 0 && streams->open > 0);
    stream->id = 0;
    streams->open--;
    if (stream->body != NULL)
        buf_clear(stream->body, KEPT_BODY);
}

struct stream *streams_next(const struct streams *streams, uint32_t *cursor)
{
    while (*cursor <= streams->mask) {
        struct stream *stream = &streams->slots[(*cursor)++];
        if (stream->id != 0)
            return stream;
    }
    return NULL;
}
