/* A public stream: its memory and error, and how its messages are received. */
#ifndef KEYSTORE_CLIENT_STREAM_H
#define KEYSTORE_CLIENT_STREAM_H

#include "client/client.h"
#include "client/streaming.h"

enum stream_kind {
    STREAM_SCAN,
    STREAM_LIST,
    STREAM_WATCH,
    STREAM_CONSUME,
    STREAM_SUBSCRIBE,
    STREAM_BACKUP,
    STREAM_CLIENTS,
};

/* Where a watch is. */
struct stream_watch {
    bool initial;       /* the keys as they are were asked for... */
    bool initial_done;  /* ...and are complete */
    bool restarted;     /* to be reported with the next batch */
    bool is_open;       /* else it reconnects */
    uint64_t version;   /* everything up to it was reported; 0 = nothing is known yet */
    size_t reported;    /* events after `version` that were reported */
    size_t skip;        /* events to come that were reported before the connection was lost */
    int64_t delay_ms;   /* before the next attempt to connect */
    int64_t attempt_ms; /* not before then */
    int64_t heard_ms;   /* when the server was heard last */
    int64_t silence_ms; /* after so long without a sign of life, the connection is lost */
};

struct keystore_stream {
    struct keystore_client *client; /* held */
    unsigned generation;
    enum stream_kind kind;
    bool is_over; /* nothing more follows */
    struct streaming streaming;
    struct pool pool;      /* memory of what was returned last */
    struct buffer request; /* prefix and message; Watch: kept, to be sent again */
    struct keystore_error error;
    struct stream_watch watch;
};

/* A stream that is not open; NULL with client->error set if memory is short. Free with
 * keystore_stream_close(). */
struct keystore_stream *stream_new(struct keystore_client *client, enum stream_kind kind);

/* Opens the stream and sends `request`, as its only message with `half_close`. False with *error
 * set. */
bool stream_open(struct keystore_stream *stream, struct slice request, bool half_close,
                 struct keystore_error *error);

/* Waits until the answer's headers have arrived, for as long as a call may take; false with *error
 * set. */
bool stream_await_headers(struct keystore_stream *stream, struct keystore_error *error);

/* Whether the stream may be used as one of this kind; else its error says why not. */
bool stream_check(struct keystore_stream *stream, enum stream_kind kind, const void *answer);

/* The instant until which a _next function waits; 0 = not at all. */
int64_t stream_deadline(int64_t timeout_ms);

/* Receives the next message until the deadline. KEYSTORE_ITEM: it is to be dropped. */
enum keystore_next stream_receive(struct keystore_stream *stream, int64_t deadline_ms,
                                  struct slice *message);

/* Drops the message that was unpacked, or else fails. */
enum keystore_next stream_unpacked(struct keystore_stream *stream, struct slice message,
                                   bool unpacked);

/* Ends the stream with stream->error; always KEYSTORE_FAILED. */
enum keystore_next stream_fail(struct keystore_stream *stream);

#endif
