/*
 * The streams of Watch and Consume that a run measures: what they ask for, and what their replies
 * say. Does no I/O and knows no frames: bench/session.h opens them and moves their bytes.
 */
#ifndef KEYSTORE_BENCH_FEED_H
#define KEYSTORE_BENCH_FEED_H

#include "base/buf.h"
#include "bench/ledger.h"
#include "bench/op.h"
#include "bench/payload.h"
#include "bench/tally.h"

enum feed_kind { FEED_NONE, FEED_WATCH, FEED_CONSUME };
#define FEED_KINDS 3

struct feed_row {
    const char *name;      /* as in --op */
    const char *method;    /* for people */
    const char *path;      /* as in :path */
    const char *receivers; /* what its streams are, for people */
    enum op write;         /* the operation whose writes the streams receive */
};

/* Not of FEED_NONE. */
const struct feed_row *feed_row(enum feed_kind kind);

/* False, with *kind unchanged, if the name is unknown. */
bool feed_parse(const char *name, enum feed_kind *kind);

/* Appends the stream's first message: of Watch the only one, with the prefix of the payload's keys;
 * of Consume for the payload's key number 0. `in_flight` is for Consume. */
void feed_put_request(struct buf *out, enum feed_kind kind, const struct payload *payload,
                      uint32_t in_flight);

/* Shared by the streams of a thread; borrowed for their life. */
struct feed_setup {
    enum feed_kind kind;
    const struct payload *payload;
    struct ledger *ledger; /* NULL: FEED_NONE */
    struct tally *tally;
};

struct feed {
    bool started;       /* what is written from now on is received */
    bool bad_http;      /* the HTTP status is not 200 */
    int64_t window;     /* bytes that the server accepts on the stream */
    uint64_t used;      /* bytes of DATA from the server, for flow control */
    uint64_t version;   /* of the last event */
    uint64_t delivered; /* id of the last delivery */
    struct buf in;      /* an incomplete message */
    struct buf ids;     /* deliveries to acknowledge, encoded */
    struct buf out;     /* acknowledgements to send */
};

void feed_init(struct feed *feed, enum feed_kind kind, int64_t window);

void feed_deinit(struct feed *feed);

/* Takes bytes of messages that arrived at `now_ns`: counts what was received, and acknowledges it.
 * NULL, or an error message if the connection must be closed. */
const char *feed_take(struct feed *feed, const struct feed_setup *setup, struct slice bytes,
                      uint64_t now_ns) __attribute__((warn_unused_result));

#endif
