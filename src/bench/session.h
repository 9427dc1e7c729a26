/*
 * The client's side of one HTTP/2 connection that only makes unary calls from templates. No I/O:
 * bytes of the server go in through receive_bytes() of bench/receive.h, bytes for it collect in
 * `out`. Calls that end are counted in the tally.
 */
#ifndef KEYSTORE_BENCH_SESSION_H
#define KEYSTORE_BENCH_SESSION_H

#include "bench/answers.h"
#include "bench/streams.h"
#include "bench/tally.h"
#include "bench/template.h"
#include "bench/wire.h"

/* What the sessions of a thread share; borrowed for their life. */
struct session_setup {
    const struct templates *templates;
    struct tally *tally;
    uint32_t max_streams; /* calls in flight, if the server allows as many */
    uint32_t first_id;    /* of the first stream: 1; tests begin near the end of the numbers */
    bool verify;          /* look into the answers */
};

struct session_call {
    enum op op;
    uint64_t key;
    uint64_t begin_ns; /* when it is meant to begin: latency counts from there */
};

struct session {
    const struct session_setup *setup;
    struct streams streams;
    struct answers answers;
    struct buf out;      /* the caller writes it and calls buf_consume() */
    uint32_t limit;      /* calls in flight that both sides allow */
    uint32_t first_ops;  /* operations whose first request was sent, of templates->ops */
    int64_t window;      /* bytes of DATA that the server accepts on the connection */
    uint64_t finished;   /* calls */
    const char *problem; /* a sentence, once receive_bytes() returned false */
    bool ready;          /* the server's SETTINGS came */
    bool draining;       /* no new calls: GOAWAY */

    /* What the server's SETTINGS say. */
    int64_t initial_window;
    uint32_t table_size; /* of its HPACK decoder, at most HPACK_DEFAULT_SIZE */
    bool table_shrunk;   /* the next header block must tell that we know */
    bool steady;         /* all requests go as templates->of[].frames */

    /* The call whose message is not sent completely; there is one at most. */
    struct {
        struct session_call call;
        uint32_t stream; /* 0: none */
        size_t sent;
        int64_t window; /* of the stream */
    } sending;

    /* Receiving. */
    struct buf carry;      /* the begin of a frame whose end has not come */
    struct buf block;      /* the begin of a header block... */
    uint32_t block_stream; /* ...of this stream; 0: none */
    uint8_t block_flags;
    uint64_t received; /* bytes of DATA, for flow control */
};

/* Puts the connection preface into `out`. */
void session_init(struct session *session, const struct session_setup *setup);

/* Calls in flight are forgotten without being counted. */
void session_deinit(struct session *session);

/* Whether a call can begin now. */
bool session_can_begin(const struct session *session);

/* Begins a call, which is then in flight until the tally has counted it. */
void session_begin(struct session *session, const struct session_call *call);

/* Continues a message that windows or the output's size have stopped. For the receiving side, and
 * for the caller when it has written. */
void session_continue(struct session *session);

/* True if no new call can ever begin and none is in flight: time for another connection. */
bool session_is_spent(const struct session *session);

/* Ends a call and frees its stream. */
void session_end_call(struct session *session, struct stream *stream, enum tally_end end,
                      uint64_t now_ns);

/* Ends all calls in flight whose stream has a number above `id`. */
void session_end_calls(struct session *session, uint32_t id, enum tally_end end, uint64_t now_ns);

/* Appends a frame to `out`. */
void session_put_frame(struct session *session, enum wire_frame type, uint8_t flags,
                       uint32_t stream, struct slice payload);

#endif
