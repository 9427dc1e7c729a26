/* A ring of streams. Refuses to know frames and answers. */
#include "bench/streams.h"

#include "base/check.h"
#include "base/mem.h"
#include "bench/wire.h"

#include <stdlib.h>

/* Bytes of answer that a place keeps room for when its stream ends. */
#define KEPT_BODY ((size_t)65536)

void streams_init(struct streams *streams, uint32_t limit, uint32_t first_id, bool keep_bodies)
{
    uint32_t places = 2;
    while (places < limit * 2)
        places *= 2;
    *streams = (struct streams){
        .places = mem_alloc_zero(places * sizeof *streams->places),
        .bodies = keep_bodies ? mem_alloc_zero(places * sizeof *streams->bodies) : NULL,
        .mask = places - 1,
        .next_id = first_id,
    };
    for (uint32_t i = 0; keep_bodies && i < places; i++) {
        buf_init(&streams->bodies[i], SIZE_MAX);
        streams->places[i].body = &streams->bodies[i];
    }
}

void streams_deinit(struct streams *streams)
{
    for (uint32_t i = 0; streams->bodies != NULL && i <= streams->mask; i++)
        buf_deinit(&streams->bodies[i]);
    free(streams->bodies);
    free(streams->places);
    *streams = (struct streams){.places = NULL};
}

bool streams_left(const struct streams *streams)
{
    /* All places are tried once at worst. */
    return streams->next_id <= WIRE_MAX_STREAM_ID - 2 * streams->mask;
}

struct stream *streams_open(struct streams *streams)
{
    CHECK(streams->open <= streams->mask); /* else no place would ever be found */
    struct stream *stream;
    uint32_t id;
    do {
        id = streams->next_id;
        stream = &streams->places[(id >> 1) & streams->mask];
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
        struct stream *stream = &streams->places[(*cursor)++];
        if (stream->id != 0)
            return stream;
    }
    return NULL;
}
