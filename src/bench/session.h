/*
 * The client's side of an HTTP/2 connection that only makes unary calls from templates, beside
 * streams of Watch or Consume. Does no I/O: the server's bytes go to receive_bytes() of
 * bench/receive.h, bytes to send gather in `out`. Calls that end are counted in the tally.
 */
#ifndef KEYSTORE_BENCH_SESSION_H
#define KEYSTORE_BENCH_SESSION_H

#include "bench/answers.h"
#include "bench/streams.h"
#include "bench/tally.h"
#include "bench/template.h"
#include "bench/wire.h"

/* Shared by the sessions of a thread; borrowed for their life. */
struct session_setup {
    const struct templates *templates;
    struct tally *tally;
    uint32_t max_streams; /* calls in flight, if the server allows that many */
    uint32_t first_id;    /* of the first stream: 1; tests start near the largest id */
    bool verify;          /* verify the answers */
    size_t batch;         /* operations in each call of Pipeline; 0 = unary calls */
    struct feed_setup feed;
    uint32_t feeds; /* streams on the next session that starts */
};

struct session_call {
    enum op op;
    uint64_t key;
    uint64_t start_ns; /* its scheduled start, from which latency is measured */
};

struct session {
    const struct session_setup *setup;
    struct streams streams;
    struct answers answers;
    struct buf out;      /* the caller writes it and calls buf_consume() */
    uint32_t limit;      /* calls in flight that both sides allow */
    uint32_t first_ops;  /* number of templates->ops whose first request was sent */
    int64_t window;      /* bytes of DATA that the server accepts on the connection */
    uint64_t finished;   /* calls */
    const char *problem; /* an error message, once receive_bytes() returned false */
    bool ready;          /* the server's SETTINGS were received */
    bool draining;       /* no new calls: GOAWAY */

    /* Streams of Watch or Consume, opened before all calls. */
    struct feed *feeds;
    uint32_t feed_count;
    uint32_t feed_id;       /* of the first; the others have the odd ids after it */
    char feed_problem[100]; /* where `problem` points to if the server ended one */

    /* From the server's SETTINGS. */
    int64_t initial_window;
    uint32_t table_size; /* of its HPACK decoder, at most HPACK_DEFAULT_SIZE */
    bool table_shrunk;   /* the next header block must acknowledge that */
    bool steady;         /* all requests are sent as templates->of[].frames */

    /* The call whose message is not sent completely; there is at most one. */
    struct {
        struct session_call call;
        uint32_t stream; /* 0: none */
        size_t sent;
        int64_t window; /* of the stream */
    } sending;

    /* Receiving. */
    struct buf carry;      /* an incomplete frame */
    struct buf block;      /* an incomplete header block... */
    uint32_t block_stream; /* ...of this stream; 0: none */
    uint8_t block_flags;
    uint64_t received; /* bytes of DATA, for flow control */
};

/* Puts the connection preface into `out`. */
void session_init(struct session *session, const struct session_setup *setup);

/* Drops calls in flight without counting them. */
void session_deinit(struct session *session);

/* Whether the server's SETTINGS were received, and whatever is written from now on reaches the
 * streams of Watch and Consume. */
bool session_is_ready(const struct session *session);

/* Opens the streams of Watch and Consume, once the server's SETTINGS are there. */
void session_open_feeds(struct session *session);

/* The stream of Watch or Consume with that id, or NULL. */
struct feed *session_find_feed(const struct session *session, uint32_t id);

/* Sends what the stream has to send, as far as windows allow. */
void session_continue_feed(struct session *session, struct feed *feed);

/* Whether a call can start now. */
bool session_can_start(const struct session *session);

/* Starts a call, which is then in flight until the tally has counted it. */
void session_start(struct session *session, const struct session_call *call);

/* Continues a message that was stopped by windows or the size of the output. Called by the
 * receiving side, and by the owner after it has written. */
void session_continue(struct session *session);

/* Whether no new call can ever start and none is in flight, so that another connection is
 * needed. */
bool session_is_spent(const struct session *session);

/* Ends a call and frees its stream. */
void session_end_call(struct session *session, struct stream *stream, enum tally_end end,
                      uint64_t now_ns);

/* Ends all calls in flight on streams above `id`. */
void session_end_calls(struct session *session, uint32_t id, enum tally_end end, uint64_t now_ns);

/* Appends a frame to `out`. */
void session_put_frame(struct session *session, enum wire_frame type, uint8_t flags,
                       uint32_t stream, struct slice payload);

#endif
