/* The calls in flight on a connection, by stream id. */
#ifndef KEYSTORE_BENCH_STREAMS_H
#define KEYSTORE_BENCH_STREAMS_H

#include "base/buf.h"
#include "bench/op.h"

struct stream {
    uint64_t start_ns; /* the scheduled start of the call */
    uint64_t key;
    uint32_t id;       /* 0: free */
    uint32_t op;       /* enum op */
    uint64_t body_len; /* bytes of the answer's messages so far */
    uint64_t received; /* the same with padding, for flow control */
    bool bad_http;     /* the HTTP status is not 200 */
    struct buf *body;  /* the answer's bytes, if they are kept; else NULL */
};

/*
 * A ring with a slot for each of the next ids. There are more slots than calls in flight, so if a
 * slow call occupies the slot of an id, that id is skipped, which HTTP/2 allows.
 */
struct streams {
    struct stream *slots;
    struct buf *bodies; /* one for each slot, or NULL */
    uint32_t mask;
    uint32_t next_id;
    uint32_t open;
};

/* At most `limit` calls in flight; `first_id` is odd. With `keep_bodies` the streams have a
 * body. */
void streams_init(struct streams *streams, uint32_t limit, uint32_t first_id, bool keep_bodies);

void streams_deinit(struct streams *streams);

/* Whether ids are left for another call. */
bool streams_left(const struct streams *streams);

/* A new stream with only its id set; an id must be left and fewer than `limit` streams open. */
struct stream *streams_open(struct streams *streams);

static inline struct stream *streams_find(const struct streams *streams, uint32_t id)
{
    struct stream *stream = &streams->slots[(id >> 1) & streams->mask];
    return stream->id == id && id != 0 ? stream : NULL;
}

void streams_close(struct streams *streams, struct stream *stream);

/* The open stream in the lowest slot from *cursor on, which moves past it; NULL if none is left.
 * The cursor starts at 0; streams may be closed in between. */
struct stream *streams_next(const struct streams *streams, uint32_t *cursor);

#endif
