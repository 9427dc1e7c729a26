/* A session and its streams from the inside; private to http2. */
#ifndef KEYSTORE_HTTP2_SESSION_H
#define KEYSTORE_HTTP2_SESSION_H

#include "http2/bucket.h"
#include "http2/decoder.h"
#include "http2/encoder.h"
#include "http2/frame.h"

#include <stdalign.h>

/* Streams that have just closed, so that late frames for them are told from wrong ones. */
#define SESSION_CLOSED_KEPT 64

struct http2_context {
    struct http2_limits limits;
    const struct http2_handler *handler;
    struct http2_stream *free_streams; /* linked by `next` */
    size_t free_count;
    struct fields scratch; /* of the block being read */
};

struct http2_stream {
    struct http2_session *session;
    struct http2_stream *next;       /* in its bucket of the table, or of the free ones */
    struct http2_stream *queue_next; /* in the send queue */
    uint32_t id;
    int32_t send_window;
    int32_t receive_window;
    uint32_t unacknowledged; /* bytes received that no WINDOW_UPDATE has given back */
    int64_t content_left;    /* of content-length; -1 if it was not stated */
    bool ended;              /* the request is complete */
    bool answered;           /* the answer is complete, though perhaps not sent */
    bool sent;               /* END_STREAM or RST_STREAM was sent, or came */
    bool direct;             /* the answer's body goes straight to the output */
    bool queued;             /* in the send queue */
    bool held;               /* a handler works on it: it is closed when that returns */
    struct chain body;       /* of an answer that could not leave at once */
    struct chain_cursor body_sent;
    size_t body_left;
    const struct http2_field *trailers;
    size_t trailer_count;
    alignas(max_align_t) uint8_t user[];
};

/* Open streams by id. */
struct stream_table {
    struct http2_stream **buckets; /* a power of two of them, or NULL */
    size_t bucket_count;
    size_t count;
    struct http2_stream *last; /* found or added: most frames follow one another */
};

struct http2_session {
    struct http2_context *context;
    void *user;
    int64_t now_ms;
    int64_t begun_ms;

    /* Receiving. */
    size_t preface_seen;  /* bytes of the client's preface */
    bool greeted;         /* its SETTINGS came too */
    bool failed;          /* GOAWAY with an error was sent: nothing is read any more */
    struct buf partial;   /* the beginning of a frame whose rest has not come */
    struct buf completed; /* the frame that the newest feed completed; its events may point here */
    struct decoder decoder;
    uint32_t block_stream; /* of the header block being gathered; 0 = none */
    uint8_t block_flags;   /* of its HEADERS frame */
    uint32_t continuations;
    int64_t block_begun_ms;
    struct buf block;
    uint32_t last_stream; /* the highest id that the peer has used */
    uint32_t idle_frames;
    struct bucket resets;
    int32_t receive_window;
    uint32_t unacknowledged;
    uint32_t pending_settings; /* of ours that the peer has not acknowledged */

    /* Streams. */
    struct stream_table streams;
    uint32_t closed[SESSION_CLOSED_KEPT]; /* ids, with CLOSED_BY_RESET where we reset it */
    uint32_t closed_next;

    /* Sending. */
    struct chain *out;    /* where output goes now: the caller's, or the backlog */
    struct chain backlog; /* output that had nowhere to go */
    size_t unsent_acks;   /* bytes of acknowledgements in it */
    struct encoder encoder;
    int32_t send_window;
    int32_t first_send_window;       /* of a stream: the peer's SETTINGS_INITIAL_WINDOW_SIZE */
    struct http2_stream *queue_head; /* streams whose answer can go on, in turn */
    struct http2_stream *queue_tail;
    uint64_t sent;       /* bytes of bodies that went to the output */
    size_t queued;       /* bytes of bodies that wait, in the queue or for a window */
    int64_t progress_ms; /* when output was last taken, or none waited */
    int drain_steps;     /* GOAWAYs of the shutdown sent */
};

/* streams.c: opening, finding and closing. */

struct http2_stream *stream_open(struct http2_session *session, uint32_t id);
/* The open stream with that id, or NULL. */
struct http2_stream *stream_find(struct http2_session *session, uint32_t id);
/* Closes it for good: on_close, out of table and queue, memory for reuse. */
void stream_close(struct http2_stream *stream);
/* Closes every stream. */
void stream_close_all(struct http2_session *session);
/* Calls `visit` for every open stream; it must not open or close any. False if one returned false.
 */
bool stream_visit(struct http2_session *session,
                  bool (*visit)(struct http2_stream *stream, int32_t argument), int32_t argument);

enum stream_past {
    PAST_UNKNOWN, /* never opened, or too long ago */
    PAST_CLOSED,  /* both sides ended it, or the peer reset it */
    PAST_RESET,   /* we reset it: the peer may not know yet */
};
enum stream_past stream_past(const struct http2_session *session, uint32_t id);
/* Notes how a stream that is not open ended. */
void stream_note_past(struct http2_session *session, uint32_t id, enum stream_past past);

/* receive.c */

/* Handles one whole frame. HTTP2_NO_ERROR, or the error that ends the connection. */
enum http2_error receive_frame(struct http2_session *session, struct frame *frame)
    __attribute__((warn_unused_result));

/* send.c */

void send_settings(struct http2_session *session);
void send_settings_ack(struct http2_session *session);
void send_ping(struct http2_session *session, const uint8_t data[8], bool ack);
void send_goaway(struct http2_session *session, uint32_t last_stream, enum http2_error error);
void send_window_update(struct http2_session *session, uint32_t stream_id, uint32_t bytes);
void send_reset(struct http2_session *session, uint32_t stream_id, enum http2_error error);
/* The stream's window has grown: its answer may go on. */
void send_resume(struct http2_stream *stream);
/* Sends queued answers as far as windows and max_output allow. */
void send_queued(struct http2_session *session);
/* Takes the stream from the send queue. */
void send_forget(struct http2_stream *stream);

#endif
