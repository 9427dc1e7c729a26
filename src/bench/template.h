/*
 * Requests encoded before the run. Requests of an operation differ only in the stream id, the
 * digits of the key and the digits at the start of the value.
 *
 * The first request of an operation on a connection adds its header fields to the server's dynamic
 * table; all later ones refer to them by index. One set of blocks works for all connections because
 * every connection sends its first requests in the same order: that of `ops`.
 */
#ifndef KEYSTORE_BENCH_TEMPLATE_H
#define KEYSTORE_BENCH_TEMPLATE_H

#include "base/buf.h"
#include "bench/feed.h"
#include "bench/op.h"
#include "bench/payload.h"

struct template
{
    enum op op;
    struct buf first;     /* header block of the operation's first request on a connection */
    struct buf stateless; /* header block that uses no dynamic table */
    struct buf message;   /* gRPC's prefix and the protobuf message, of key 0 */
    struct buf frames; /* HEADERS and DATA of the later requests; the DATA is the whole message */
    size_t block_at;   /* offset of the header block in `frames` */
    size_t block_len;
    size_t data_at;      /* offset of the DATA frame in `frames` */
    size_t key_at;       /* offset of the key's digits in `message` */
    size_t value_at;     /* offset of the first value's digits in `message` */
    size_t value_len;    /* number of digits in a value; may be 0 */
    size_t value_count;  /* number of values */
    size_t value_stride; /* distance between the digits of two values */
    size_t op_count;     /* operations in the message; offsets are those of the first */
    size_t op_stride;    /* distance between two operations */
};

struct templates {
    struct template of[OP_COUNT]; /* by enum op; those of `ops` are set */
    enum op ops[OP_COUNT];
    size_t count;
    size_t table_size;     /* bytes of dynamic table that the server needs for the blocks */
    struct buf feed_block; /* header block of the streams, stateless; both are empty without any */
    struct buf feed_message; /* the first message of each */
    const struct payload *payload;
    uint64_t keyspace;
};

struct template_settings {
    struct slice authority;
    struct slice authorization; /* empty: calls have none */
    const enum op *ops;         /* without repetition */
    size_t count;
    const struct payload *payload; /* borrowed for the templates' life */
    int64_t range_start;           /* of LRange */
    int64_t range_stop;
    size_t push_values;   /* in each push; at least 1 */
    int64_t expire_at_ms; /* of keys that Set stores; 0 = never */
    size_t batch;         /* operations in each call of Pipeline; 0 = the operations' own calls */
    uint64_t keyspace;    /* keys of the others in a batch are below it */
    enum feed_kind feed;
    uint32_t in_flight; /* of Consume */
};

/* The key of an operation of a batch whose first operation has `key`. */
uint64_t template_key(const struct templates *templates, uint64_t key, size_t number);

/* Only `payload` is borrowed for longer than the call. */
void templates_init(struct templates *templates, const struct template_settings *settings);

void templates_deinit(struct templates *templates);

/* Writes the `frames.len` bytes of a request that is not the operation's first on its connection.
 * The message must fit into one frame of WIRE_MAX_FRAME. */
void template_put(const struct templates *templates, enum op op, uint64_t key, uint32_t stream,
                  uint8_t *out);

/* Writes the part [begin, begin + len) of the message for that key. */
void template_put_part(const struct templates *templates, enum op op, uint64_t key, size_t begin,
                       size_t len, uint8_t *out);

#endif
