/* The internals of a session and its streams; private to http2. */
#ifndef KEYSTORE_HTTP2_SESSION_H
#define KEYSTORE_HTTP2_SESSION_H

#include "http2/bucket.h"
#include "http2/decoder.h"
#include "http2/encoder.h"
#include "http2/frame.h"
#include "http2/preface.h"

#include <stdalign.h>
#include <stdatomic.h>

/* Recently closed streams that are remembered, to distinguish late frames from invalid ones. */
#define SESSION_CLOSED_KEPT 64

/* Direct placement of request bodies: place.c. */

#define PLACE_FRAMES ((HTTP2_MAX_PIECES - 2) / 2)
/* The most bytes that are read of the next request, and those of them for a header block. */
#define PLACE_TAIL  ((size_t)256 * 1024)
#define PLACE_BLOCK ((size_t)256)

/* A predicted DATA frame. */
struct placed_frame {
    uint8_t header[FRAME_HEADER_SIZE];
    struct slice payload; /* where it is to be read to */
    bool is_last;         /* it completes the body */
};

/* How a read is scattered, between http2_session_place() and http2_session_feed_placed(). */
struct placing {
    const struct http2_session *session;
    size_t partial_left; /* bytes missing of the session's partial frame, which come first */
    size_t count;
    struct placed_frame frames[PLACE_FRAMES];
    size_t tail_size; /* bytes to be read after the frames */
    uint8_t tail[PLACE_TAIL];
    /* Mispredicted bytes, reassembled. */
    uint8_t rest[PLACE_FRAMES * (FRAME_HEADER_SIZE + FRAME_MAX_PAYLOAD) + PLACE_TAIL];
};

/* A run of consecutive DATA frames of one size. */
struct frame_run {
    uint32_t stream_id;
    uint32_t count;
    size_t length; /* of their payloads */
};

struct http2_context {
    struct http2_limits limits;
    const struct http2_handler *handler;
    struct http2_stream *free_streams; /* linked by `next` */
    size_t free_count;
    struct fields scratch; /* of the block being decoded */
    struct placing placing;
    atomic_uint_fast64_t refused, stream_errors; /* see http2_context_reset_counts() */
};

struct http2_stream {
    struct chain body; /* of an answer that could not be sent immediately; first, because its memory
                          is reused while all other members are cleared */
    struct http2_session *session;
    struct http2_stream *next;       /* in its bucket of the table, or in the pool */
    struct http2_stream *queue_next; /* in the send queue */
    uint32_t id;
    int32_t send_window;
    int32_t receive_window;
    int32_t unacknowledged;  /* bytes received since the last WINDOW_UPDATE was sent, minus those
                                that it was sent in advance for */
    uint32_t expected_bytes; /* bytes of the body that the application has memory for */
    bool ended;              /* the request is complete: half-closed (remote) */
    bool answered;           /* the application has completed the answer, perhaps not yet sent */
    bool sent;               /* END_STREAM or RST_STREAM was sent: half-closed (local) */
    bool direct;             /* the answer's body is written directly to the output */
    bool queued;             /* in the send queue */
    bool held;               /* a frame handler uses it: it is closed only when that returns */
    bool streaming : 1;      /* the reply is incremental, */
    bool ready : 1;          /* and the application may have more output, */
    bool announced : 1;      /* as it has said since it was last asked */
    bool asking : 1;         /* within on_room() */
    bool parked : 1;         /* incremental, and its own window does not allow its body */
    bool window_held : 1;    /* http2_request_hold() */
    uint8_t trailer_count;
    const struct http2_field *trailers;
    int64_t content_left; /* of content-length; -1 without that field */
    struct chain_cursor body_sent;
    size_t body_left;
    uint64_t taken;   /* bytes of a body that waited, sent so far */
    int64_t ended_ms; /* when the request was completed */
    alignas(max_align_t) uint8_t user[];
};
/* Zeroed for each request (grpc/call.h says what its size costs). */
_Static_assert(sizeof(struct http2_stream) <= 192, "a stream takes three cache lines");

/* Open streams by identifier. */
struct stream_table {
    struct http2_stream **buckets; /* a power of two of them, or NULL */
    size_t bucket_count;
    size_t count;
    struct http2_stream *last; /* last one found or added: consecutive frames often have the same
                                  stream */
};

/* Members that each read and call touches come first, large and rarely used ones last: with many
 * connections the hot part takes less of the processor's cache. */
struct http2_session {
    struct http2_context *context;
    void *user;
    int64_t now_ms;
    int64_t heard_ms;       /* when the latest bytes came */
    bool settings_received; /* the client's SETTINGS have arrived */
    bool failed;            /* the final GOAWAY was sent: input is ignored */
    bool preface_sent;      /* ours, which is sent after the client's */
    uint8_t block_flags;    /* of the HEADERS frame whose block is being gathered, */
    uint32_t block_stream;  /* and its stream; 0 = none */
    struct closing closing; /* why it has failed or, if it has not, why it drains */

    /* Receiving. */
    size_t preface_seen; /* bytes of it received */
    int64_t block_start_ms;
    struct buf partial;   /* the start of a frame that is not complete yet */
    uint32_t last_stream; /* the highest identifier that the peer has used */
    uint32_t idle_frames;
    uint64_t resettable;   /* requests received minus RST_STREAMs received: how many more are
                              legitimate */
    struct bucket cancels; /* requests that the peer may cancel before they could be answered */
    struct bucket forced_resets; /* resets that it may provoke */
    int32_t receive_window;
    int32_t unacknowledged;

    /* Streams. */
    struct stream_table streams;
    uint32_t closed_next;

    /* Sending. */
    int drain_steps;       /* GOAWAYs sent for the shutdown: 0 to 2 */
    struct chain *out;     /* current destination of output: the caller's chain or the backlog */
    struct chain backlog;  /* output produced while the caller had no chain for it */
    size_t unsent_control; /* bytes of acknowledgements and resets in it */
    int32_t send_window;
    int32_t initial_send_window;     /* of a stream: the peer's SETTINGS_INITIAL_WINDOW_SIZE */
    struct http2_stream *queue_head; /* streams with a queued body and an open window */
    struct http2_stream *queue_tail;
    uint64_t sent;       /* bytes of bodies written to the output */
    size_t queued;       /* bytes of bodies not yet written, in the queue or blocked by flow
                            control; */
    size_t parked;       /* of them, those of parked streams */
    int64_t progress_ms; /* when output was last taken, or none was pending */
    struct encoder encoder;

    struct decoder decoder;
    struct buf completed; /* the frame completed by the latest feed; its events may point here */
    struct frame_run run; /* of the latest large frames */
    uint32_t closed[SESSION_CLOSED_KEPT]; /* identifiers; CLOSED_BY_RESET is set if we reset the
                                             stream */
    int64_t start_ms;
    int64_t closing_ms;      /* when it started to drain because of a flood; 0 = it has not */
    struct closing draining; /* why it drains in two steps; CLOSING_NONE if not, or not counted */
    int64_t drained_ms;      /* the first check after the first step; 0 = none */
    int64_t probed_ms;       /* when the last keepalive PING was sent; 0 = never */
    struct {
        int64_t last_ms;       /* when the last one came, */
        uint64_t sent;         /* and how many bytes of bodies had been sent */
        bool answered;         /* header fields have been sent since */
        uint32_t strikes;      /* how many came too early */
    } pings;                   /* of the peer */
    const char *error_message; /* of the connection error being handled; NULL = a default */
    struct buf block;          /* the header block being gathered */
    uint32_t continuations;
    uint32_t announced_stream;     /* the last stream identifier of the latest GOAWAY; never
                                      increases */
    uint32_t pending_settings;     /* our SETTINGS not yet acknowledged */
    uint8_t preface[PREFACE_SIZE]; /* the first bytes of the client */
};

/* streams.c: opening, finding and closing streams. */

struct http2_stream *stream_open(struct http2_session *session, uint32_t id);
/* The open stream with that identifier, or NULL. */
struct http2_stream *stream_find(struct http2_session *session, uint32_t id);
/* Closes it: calls on_close, removes it from table and queue, returns its memory to the pool. */
void stream_close(struct http2_stream *stream);
/* Closes all streams. */
void stream_close_all(struct http2_session *session);

enum stream_past {
    PAST_UNKNOWN, /* never opened, or closed too long ago */
    PAST_CLOSED,  /* ended by both sides, or reset by the peer */
    PAST_RESET,   /* reset by us: the peer may not know yet */
};
enum stream_past stream_past(const struct http2_session *session, uint32_t id);
/* Records how a stream was closed. */
void stream_note_past(struct http2_session *session, uint32_t id, enum stream_past past);

/* session.c */

/* Sets the error message of a connection error; `text` is static. Returns `error`. */
enum http2_error session_error(struct http2_session *session, enum http2_error error,
                               const char *text);
/*
 * Starts to drain the connection because the peer floods it: new requests are ignored, and the
 * session is finished when those in flight are answered. Returns HTTP2_NO_ERROR or, if it is
 * already draining, the error that ends the connection immediately.
 */
enum http2_error session_end_gracefully(struct http2_session *session, const char *text)
    __attribute__((warn_unused_result));
/* The same for any reason. */
enum http2_error session_end_for(struct http2_session *session, struct closing why)
    __attribute__((warn_unused_result));
/* True after that. Header blocks are no longer decoded. */
static inline bool session_is_ending(const struct http2_session *session)
{
    return session->closing.kind != CLOSING_NONE;
}
/* Processes the bytes, which follow those of the partial frame. Returns HTTP2_NO_ERROR or the code
 * of a connection error. */
enum http2_error session_take_frames(struct http2_session *session, struct slice bytes)
    __attribute__((warn_unused_result));

/* pings.c */

void pings_init(struct http2_session *session);
/* Sends the PING of a drain, whose acknowledgement is followed by its second step. */
void pings_send_drain(struct http2_session *session);
/* The peer has sent a PING, or acknowledged one; `data` are its 8 bytes. The former returns
 * HTTP2_NO_ERROR or the code of a connection error. */
enum http2_error pings_take(struct http2_session *session, const uint8_t *data)
    __attribute__((warn_unused_result));
void pings_take_ack(struct http2_session *session, const uint8_t *data);
/* To be called once a second, at now_ms of the session: see http2_session_check(). */
void pings_check(struct http2_session *session);
/* The peer has not answered the keepalive's PING, nor sent anything else, in time. */
bool pings_expired(const struct http2_session *session, int64_t now_ms);

/* place.c */

/* Records a frame that was not placed, to predict the next ones. */
void place_note(struct http2_session *session, const struct frame *frame);
/* Processes the first `size` bytes that were read to the pieces of http2_session_place(). Returns
 * as session_take_frames(). */
enum http2_error place_take(struct http2_session *session, size_t size)
    __attribute__((warn_unused_result));

/* receive.c */

/* Counts a frame that makes no progress. Returns HTTP2_NO_ERROR or the code of a connection error.
 */
enum http2_error receive_count_idle_frame(struct http2_session *session)
    __attribute__((warn_unused_result));

/* Sends WINDOW_UPDATE for the stream if enough was used up and the application does not hold it. */
void receive_update_stream_window(struct http2_stream *stream);

/* Handles one complete frame. Returns HTTP2_NO_ERROR or the code of a connection error. */
enum http2_error receive_frame(struct http2_session *session, struct frame *frame)
    __attribute__((warn_unused_result));

/* send.c */

void send_settings(struct http2_session *session);
void send_settings_ack(struct http2_session *session);
void send_ping(struct http2_session *session, const uint8_t data[8], bool ack);
/* The last stream identifier is at most `last_stream`; `text` is the debug data. */
void send_goaway(struct http2_session *session, uint32_t last_stream, enum http2_error error,
                 const char *text);
void send_window_update(struct http2_session *session, uint32_t stream_id, uint32_t bytes);
void send_reset(struct http2_session *session, uint32_t stream_id, enum http2_error error);
/* The stream's window has changed: requeues its answer if it was blocked and is not any more. */
void send_resume(struct http2_stream *stream);
/* Sends queued bodies as far as the windows and max_output allow. */
void send_queued(struct http2_session *session);
/* Removes the stream from the send queue, if it is queued. */
void send_remove(struct http2_stream *stream);
/* Forgets the unsent rest of the stream's body. */
void send_drop_body(struct http2_stream *stream);

#endif
