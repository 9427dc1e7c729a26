/* A session and its streams from the inside; private to http2. */
#ifndef KEYSTORE_HTTP2_SESSION_H
#define KEYSTORE_HTTP2_SESSION_H

#include "http2/bucket.h"
#include "http2/decoder.h"
#include "http2/encoder.h"
#include "http2/frame.h"
#include "http2/preface.h"

#include <stdalign.h>
#include <stdatomic.h>

/* Streams that have just closed, so that late frames for them are told from wrong ones. */
#define SESSION_CLOSED_KEPT 64

/* Bodies that are read to their places: place.c. */

#define PLACE_FRAMES ((HTTP2_MAX_PIECES - 1) / 2)

/* A frame that is expected. */
struct placed_frame {
    uint8_t header[FRAME_HEADER_SIZE];
    struct slice payload; /* where it shall lie */
    bool is_last;         /* the body is complete then */
};

/* What a read is cut into, between http2_session_place() and http2_session_feed_placed(). */
struct placing {
    const struct http2_session *session;
    size_t partial_left; /* the rest of the session's partial frame, which comes first */
    size_t count;
    struct placed_frame frames[PLACE_FRAMES];
    uint8_t rest[PLACE_FRAMES * (FRAME_HEADER_SIZE + FRAME_MAX_PAYLOAD)]; /* put together again */
};

/* DATA frames of one size that came one after the other. */
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
    struct fields scratch; /* of the block being read */
    struct placing placing;
    atomic_uint_fast64_t turned_away, broken; /* streams: see http2_context_refused() */
};

struct http2_stream {
    struct chain body; /* of an answer that could not leave at once; first, for its memory is used
                          again, while all that follows is cleared */
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
    bool streaming;          /* the reply is written incrementally, */
    bool ready;              /* and the application has more for it, as far as is known */
    bool asking;             /* within on_room() */
    bool window_held;        /* http2_request_hold() */
    bool queued;             /* in the send queue */
    bool held;               /* a handler works on it: it is closed when that returns */
    struct chain_cursor body_sent;
    size_t body_left;
    int64_t ended_ms; /* when the request was complete */
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

/* What each read and call touches stands together, and what is large or seldom needed behind it: of
 * many connections, the first fills less of the processor's cache. */
struct http2_session {
    struct http2_context *context;
    void *user;
    int64_t now_ms;
    bool greeted;           /* the client's SETTINGS came */
    bool failed;            /* the last GOAWAY was sent: nothing is read any more */
    bool settings_sent;     /* ours; they wait for the client's preface */
    uint8_t block_flags;    /* of the HEADERS frame of the block being gathered, */
    uint32_t block_stream;  /* and its stream; 0 = none */
    struct closing closing; /* why; or, if it has not failed, why it takes nothing new */

    /* Receiving. */
    size_t preface_seen; /* bytes of it */
    int64_t block_begun_ms;
    struct buf partial;   /* the beginning of a frame whose rest has not come */
    uint32_t last_stream; /* the highest id that the peer has used */
    uint32_t idle_frames;
    uint64_t resettable;    /* requests that came, but for those that were reset: so many
                               RST_STREAMs may still come */
    struct bucket cancels;  /* of requests that the peer may cancel before we could answer */
    struct bucket mistakes; /* of resets that it may force */
    int32_t receive_window;
    uint32_t unacknowledged;

    /* Streams. */
    struct stream_table streams;
    uint32_t closed_next;

    /* Sending. */
    int drain_steps;       /* GOAWAYs of the shutdown sent */
    struct chain *out;     /* where output goes now: the caller's, or the backlog */
    struct chain backlog;  /* output that had nowhere to go */
    size_t unsent_control; /* bytes of acknowledgements and resets in it */
    int32_t send_window;
    int32_t first_send_window;       /* of a stream: the peer's SETTINGS_INITIAL_WINDOW_SIZE */
    struct http2_stream *queue_head; /* streams whose answer can go on, in turn */
    struct http2_stream *queue_tail;
    uint64_t sent;       /* bytes of bodies that went to the output */
    size_t queued;       /* bytes of bodies that wait, in the queue or for a window */
    int64_t progress_ms; /* when output was last taken, or none waited */
    struct encoder encoder;

    struct decoder decoder;
    struct buf completed; /* the frame that the newest feed completed; its events may point here */
    struct frame_run run; /* of the newest large frames */
    uint32_t closed[SESSION_CLOSED_KEPT]; /* ids, with CLOSED_BY_RESET where we reset it */
    int64_t begun_ms;
    int64_t closing_ms; /* since when it has said so and goes on; 0 = it has not */
    const char *blame;  /* the error message for the connection error under way */
    struct buf block;   /* the header block being gathered */
    uint32_t continuations;
    uint32_t announced_stream;     /* the last stream of the newest GOAWAY; it never increases */
    uint32_t pending_settings;     /* of ours that the peer has not acknowledged */
    uint8_t preface[PREFACE_SIZE]; /* the client's first bytes */
};

/* streams.c: opening, finding and closing. */

struct http2_stream *stream_open(struct http2_session *session, uint32_t id);
/* The open stream with that id, or NULL. */
struct http2_stream *stream_find(struct http2_session *session, uint32_t id);
/* Closes it for good: on_close, out of table and queue, memory for reuse. */
void stream_close(struct http2_stream *stream);
/* Closes every stream. */
void stream_close_all(struct http2_session *session);

enum stream_past {
    PAST_UNKNOWN, /* never opened, or too long ago */
    PAST_CLOSED,  /* both sides ended it, or the peer reset it */
    PAST_RESET,   /* we reset it: the peer may not know yet */
};
enum stream_past stream_past(const struct http2_session *session, uint32_t id);
/* Notes how a stream that is not open ended. */
void stream_note_past(struct http2_session *session, uint32_t id, enum stream_past past);

/* session.c */

/* Notes what the peer has done wrong, for those who will ask. Returns `error`. */
enum http2_error session_blame(struct http2_session *session, enum http2_error error,
                               const char *text);
/*
 * The peer wears us out: the session takes nothing new from now on, and is finished when the
 * requests under way are answered. HTTP2_NO_ERROR; or, if that was so before, the error that ends
 * the connection at once.
 */
enum http2_error session_end_gently(struct http2_session *session, const char *text)
    __attribute__((warn_unused_result));
/* True since then. Header blocks are not decoded any more. */
static inline bool session_is_ending(const struct http2_session *session)
{
    return session->closing.kind != CLOSING_NONE;
}
/* Takes the bytes, after those of the frame that has begun. HTTP2_NO_ERROR, or the error that ends
 * the connection. */
enum http2_error session_take_frames(struct http2_session *session, struct slice bytes)
    __attribute__((warn_unused_result));

/* place.c */

/* A frame has come that was not placed. */
void place_note(struct http2_session *session, const struct frame *frame);
/* Takes the bytes that http2_session_place() has told the place of. */
enum http2_error place_take(struct http2_session *session, size_t size)
    __attribute__((warn_unused_result));

/* receive.c */

/* Gives the stream's window back, if that is worth a frame and the application does not hold it. */
void receive_give_stream_back(struct http2_stream *stream);

/* Handles one whole frame. HTTP2_NO_ERROR, or the error that ends the connection. */
enum http2_error receive_frame(struct http2_session *session, struct frame *frame)
    __attribute__((warn_unused_result));

/* send.c */

void send_settings(struct http2_session *session);
void send_settings_ack(struct http2_session *session);
void send_ping(struct http2_session *session, const uint8_t data[8], bool ack);
/* With a last stream that is at most `last_stream`, and `text` for people. */
void send_goaway(struct http2_session *session, uint32_t last_stream, enum http2_error error,
                 const char *text);
void send_window_update(struct http2_session *session, uint32_t stream_id, uint32_t bytes);
void send_reset(struct http2_session *session, uint32_t stream_id, enum http2_error error);
/* The stream's window has grown: its answer may go on. */
void send_resume(struct http2_stream *stream);
/* Sends queued answers as far as windows and max_output allow. */
void send_queued(struct http2_session *session);
/* Takes the stream from the send queue. */
void send_forget(struct http2_stream *stream);

#endif
