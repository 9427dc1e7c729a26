/* A conversation on one session: its application, the events and the output. */
#ifndef KEYSTORE_TESTS_DIFFERENTIAL_RUN_H
#define KEYSTORE_TESTS_DIFFERENTIAL_RUN_H

#include "conversation.h"
#include "side.h"

enum event_kind { EVENT_REQUEST, EVENT_DATA, EVENT_END, EVENT_CLOSE };

struct event {
    enum event_kind kind;
    uint32_t ordinal; /* of the request, in order of arrival */
    size_t at, len;   /* in `text`: the request's fields, or data */
};

/* A request as the application knows it. */
struct request {
    struct http2_stream *stream; /* NULL once it was closed */
    uint32_t behaviour;
    bool ended;
    bool answered;
    uint32_t block_id;
    size_t fields_at, fields_len; /* in `text` */
    size_t answer_size;           /* of the body; of an incremental one, as much as there is */
    bool streamed;                /* the reply is incremental, */
    bool closing;                 /* ends after what there is, */
    size_t appended;              /* of which the session has this much */
    struct buf body;
};

/* Data that must stay valid until the feed ends. */
struct borrowed {
    struct slice where;
    size_t at; /* of the copy in `text` */
};

struct run {
    const struct side *side;
    const struct conversation *conversation;
    struct http2_context *context;
    struct http2_session *session;
    struct event *events;
    size_t event_count, event_capacity;
    struct buf text;
    struct request *requests;
    size_t request_count, request_capacity;
    struct borrowed *borrowed;
    size_t borrowed_count, borrowed_capacity;
    struct buf output;
    size_t fed;
    size_t next_action;
    bool alive;
    bool feeding;
    bool waited;         /* some answer was not sent with its feed */
    bool queued_in_feed; /* some answer was not sent when it was given */
    const char *broken;  /* how the session violated its contract; NULL if it did not */
};

/* The conversation is borrowed. */
void run_init(struct run *run, const struct side *side, const struct conversation *conversation);
void run_deinit(struct run *run);

/* Feeds the next `size` bytes, at most to the next action, which is then carried out; takes all
 * output. Returns how many bytes were fed: 0 when the connection has ended. */
size_t run_feed(struct run *run, size_t size);

#endif
