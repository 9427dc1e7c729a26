/* The calls in flight on one connection, found by their stream's number. */
#ifndef KEYSTORE_BENCH_STREAMS_H
#define KEYSTORE_BENCH_STREAMS_H

#include "base/buf.h"
#include "bench/op.h"

struct stream {
    uint64_t begin_ns; /* when the call was meant to begin */
    uint64_t key;
    uint32_t id;       /* 0: free */
    uint32_t op;       /* enum op */
    uint64_t body_len; /* bytes of the answer's messages so far */
    uint64_t received; /* the same with padding: what counts for flow control */
    bool bad_http;     /* the HTTP status is not 200 */
    struct buf *body;  /* those bytes, if they are kept; else NULL */
};

/*
 * A ring with a place for each of the next numbers. Places outnumber the calls in flight, so where
 * a slow call holds the place of a number, that number is left out, which HTTP/2 allows.
 */
struct streams {
    struct stream *places;
    struct buf *bodies; /* one for each place, or NULL */
    uint32_t mask;
    uint32_t next_id;
    uint32_t open;
};

/* At most `limit` calls at once; `first_id` is odd. With `keep_bodies` the streams have a body. */
void streams_init(struct streams *streams, uint32_t limit, uint32_t first_id, bool keep_bodies);

void streams_deinit(struct streams *streams);

/* Whether numbers are left for one call more. */
bool streams_left(const struct streams *streams);

/* A new stream with only its number set; there must be a number left and fewer than `limit` open.
 */
struct stream *streams_open(struct streams *streams);

static inline struct stream *streams_find(const struct streams *streams, uint32_t id)
{
    struct stream *stream = &streams->places[(id >> 1) & streams->mask];
    return stream->id == id && id != 0 ? stream : NULL;
}

void streams_close(struct streams *streams, struct stream *stream);

/* The open stream with the lowest place from *cursor on, which moves behind it; NULL if none is
 * left. The cursor begins at 0; streams may be closed in between. */
struct stream *streams_next(const struct streams *streams, uint32_t *cursor);

#endif
