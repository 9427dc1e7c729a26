/* The C client of KeyStore: streams and pipelines, beside the calls of keystore/client.h. */
#ifndef KEYSTORE_STREAMS_H
#define KEYSTORE_STREAMS_H

#include <keystore/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Streams. Any number may be open on a client, beside its calls and for the same thread. What the
 * server has sent and the program has not read is bounded by flow control, 16 MiB per stream; the
 * server stops, or drops what the method's comment says, until it is read.
 *
 * A stream is opened by the function named after its method, which returns KEYSTORE_OK and sets
 * *stream, or else sets it to NULL and keystore_last_error(). The function that ends in _next
 * returns what comes next. Slices of what it returns are valid until the stream's next function.
 * keystore_stream_close() must be called in the end.
 */
struct keystore_stream;

enum keystore_next {
    KEYSTORE_END = 0,     /* there is nothing more, and no error */
    KEYSTORE_ITEM = 1,    /* *answer is set; otherwise it is zeroed */
    KEYSTORE_NOTHING = 2, /* nothing arrived in time, or cancel_fd is readable; try again */
    KEYSTORE_FAILED = 3,  /* keystore_stream_error() says why; there is nothing more */
};

/* How long a _next function waits: milliseconds, 0 = not at all, or forever. */
#define KEYSTORE_FOREVER ((int64_t)-1)

/* Why the stream failed, or code KEYSTORE_OK. Valid until the next function. Never NULL. */
KEYSTORE_API const struct keystore_error *
keystore_stream_error(const struct keystore_stream *stream);

/* Cancels the stream unless it has ended, and frees it. NULL is allowed. */
KEYSTORE_API void keystore_stream_close(struct keystore_stream *stream);

struct keystore_scan_request {
    struct keystore_slice pattern; /* glob; empty = all keys */
    enum keystore_type type;       /* KEYSTORE_TYPE_NONE = all */
    bool with_values;
    struct keystore_slice cursor; /* of a page: continues after it; empty = from the start */
    uint32_t page_bytes;          /* approximate, at most 1 MiB; 0 = 64 KiB */
    uint32_t max_visited;         /* ends after about so many keys; 0 = after all */
    uint32_t db;
};

struct keystore_scan_entry {
    struct keystore_slice key;
    enum keystore_type type;
    bool has_value;
    struct keystore_value value;
};

struct keystore_scan_page {
    const struct keystore_scan_entry *entries;
    size_t count;                 /* may be 0 */
    struct keystore_slice cursor; /* to continue after this page; empty = this was the last */
};

/* The keys of a database, in pages and in no particular order. */
KEYSTORE_API enum keystore_code keystore_scan(struct keystore_client *client,
                                              const struct keystore_scan_request *request,
                                              struct keystore_stream **stream);
KEYSTORE_API enum keystore_next keystore_scan_next(struct keystore_stream *stream,
                                                   int64_t timeout_ms,
                                                   struct keystore_scan_page *answer);

/* The elements of a list, however long, in pages that are all of one version. */
KEYSTORE_API enum keystore_code keystore_stream_list(struct keystore_client *client,
                                                     const struct keystore_list_range *request,
                                                     struct keystore_stream **stream);
KEYSTORE_API enum keystore_next keystore_stream_list_next(struct keystore_stream *stream,
                                                          int64_t timeout_ms,
                                                          struct keystore_list *answer);

enum keystore_event_type {
    KEYSTORE_EVENT_WRITE = 1,
    KEYSTORE_EVENT_DELETE = 2,
    KEYSTORE_EVENT_EXPIRE = 3,
    KEYSTORE_EVENT_EVICT = 4,
    KEYSTORE_EVENT_FLUSH = 5, /* all keys of the database, which has no key then */
};

enum keystore_selector_kind {
    KEYSTORE_SELECT_KEY = 1,
    KEYSTORE_SELECT_PREFIX = 2, /* empty = all keys */
    KEYSTORE_SELECT_PATTERN = 3,
};

struct keystore_selector {
    enum keystore_selector_kind kind;
    struct keystore_slice text;
    uint32_t db;
};

struct keystore_watch_request {
    const struct keystore_selector *selectors; /* at least one */
    size_t count;
    uint64_t start_version; /* what came after it; 0 = from now on */
    bool initial;           /* first the keys as they are; contradicts start_version */
    const enum keystore_event_type *types; /* to report; none = all */
    size_t type_count;
    bool with_changes;
};

struct keystore_event {
    enum keystore_event_type type;
    struct keystore_slice key;
    uint64_t version;
    uint32_t db;
    const struct keystore_op *change; /* with_changes: what was done to the value; may be NULL */
};

struct keystore_watch_batch {
    const struct keystore_event *events;
    size_t count;      /* 0: a sign of life, at least every 10 seconds */
    uint64_t version;  /* everything up to it was reported: to resume from */
    bool initial_done; /* the keys as they were at this version are complete */
    bool partial;      /* the next batch continues the same transaction */
    /* The connection was lost before it was known where to resume from. With `initial`, the keys
     * are reported again from the start; without, changes may have been missed until now. */
    bool restarted;
};

/*
 * Reports changes to keys, each exactly once and in order; returns when the watch is in effect. A
 * watch whose connection is lost or silent for 30 seconds, or whose server shuts down, connects
 * again by itself and resumes after the last event. It fails with KEYSTORE_OUT_OF_RANGE, reason
 * ERROR_REASON_HISTORY_LOST, if the server no longer has what came after that: then read the state
 * again, for instance by a new watch with `initial`.
 */
KEYSTORE_API enum keystore_code keystore_watch(struct keystore_client *client,
                                               const struct keystore_watch_request *request,
                                               struct keystore_stream **stream);
KEYSTORE_API enum keystore_next keystore_watch_next(struct keystore_stream *stream,
                                                    int64_t timeout_ms,
                                                    struct keystore_watch_batch *answer);

/* After HISTORY_LOST: the oldest start_version that the server has; else 0. */
KEYSTORE_API uint64_t keystore_watch_oldest_version(const struct keystore_stream *stream);

struct keystore_consume_request {
    const struct keystore_slice *keys; /* lists, at least one; the first that has an element */
    size_t key_count;
    enum keystore_list_end end;    /* where elements are taken; default: the head */
    uint32_t max_in_flight;        /* not acknowledged; 0 = 1, at most 10,000 */
    struct keystore_slice pending; /* the list that keeps those; empty = first key and ":pending" */
    int64_t lease_ms;              /* what is not acknowledged for so long returns; 0 = never */
    bool auto_ack;                 /* elements need no acknowledgement */
    uint32_t db;
};

struct keystore_delivery {
    uint64_t id; /* within the stream, from 1 */
    struct keystore_slice key;
    struct keystore_slice value;
};

struct keystore_deliveries {
    const struct keystore_delivery *items;
    size_t count;
    const uint64_t *done; /* ids whose acknowledgement is durable */
    size_t done_count;
    const uint64_t *returned; /* ids of elements that have returned: acknowledged too late */
    size_t returned_count;
};

struct keystore_acks {
    const uint64_t *done; /* ids of elements to remove */
    size_t done_count;
    const uint64_t *give_back; /* ids of elements to return to their list */
    size_t give_back_count;
};

/* Delivers the elements of lists as they arrive; returns when the first can be delivered. What is
 * not acknowledged when the stream ends returns to its list. */
KEYSTORE_API enum keystore_code keystore_consume(struct keystore_client *client,
                                                 const struct keystore_consume_request *request,
                                                 struct keystore_stream **stream);
KEYSTORE_API enum keystore_next keystore_consume_next(struct keystore_stream *stream,
                                                      int64_t timeout_ms,
                                                      struct keystore_deliveries *answer);

/* Acknowledges. On KEYSTORE_OK it is on its way; keystore_consume_next() reports what has become
 * of it. Otherwise keystore_stream_error() says why. What the last keystore_consume_next() returned
 * stays valid. */
KEYSTORE_API enum keystore_code keystore_consume_ack(struct keystore_stream *stream,
                                                     const struct keystore_acks *acks);

/* No more elements and acknowledgements: what is sent is processed, and then the stream ends.
 * keystore_consume_next() returns what is left. */
KEYSTORE_API enum keystore_code keystore_consume_finish(struct keystore_stream *stream);

struct keystore_message {
    struct keystore_slice channel;
    struct keystore_slice payload;
    uint64_t sequence; /* subscribe only: number of the message in its channel, without gaps */
    uint64_t missed;   /* subscribe only: messages lost since the one before, as read too slowly */
};

struct keystore_subscribe_request {
    const struct keystore_slice *channels; /* with patterns at least one */
    size_t channel_count;
    const struct keystore_slice *patterns; /* globs */
    size_t pattern_count;
};

/* Sends a message to those who subscribe to the channel now. count = how many they are. */
KEYSTORE_API enum keystore_code keystore_publish(struct keystore_client *client,
                                                 const struct keystore_message *request,
                                                 struct keystore_status *answer);

/* Delivers the messages of channels; returns when the subscription is in effect. */
KEYSTORE_API enum keystore_code keystore_subscribe(struct keystore_client *client,
                                                   const struct keystore_subscribe_request *request,
                                                   struct keystore_stream **stream);
KEYSTORE_API enum keystore_next keystore_subscribe_next(struct keystore_stream *stream,
                                                        int64_t timeout_ms,
                                                        struct keystore_message *answer);

struct keystore_backup_page {
    struct keystore_slice data; /* the next bytes of the file */
    uint64_t offset;            /* of data in the file */
    uint64_t size;              /* of the whole file, in bytes */
};

/*
 * A snapshot of all data, as of a time after the start of the call, as the bytes of one file in
 * order: as dump.rdb in an empty data directory, it is loaded by KeyStore and by redis-server. The
 * file is complete only if KEYSTORE_END comes after a page that ends at `size`.
 */
KEYSTORE_API enum keystore_code keystore_backup(struct keystore_client *client,
                                                struct keystore_stream **stream);
KEYSTORE_API enum keystore_next keystore_backup_next(struct keystore_stream *stream,
                                                     int64_t timeout_ms,
                                                     struct keystore_backup_page *answer);

/*
 * Pipelines: operations of any kind, gathered in batches and executed one after the other while
 * more are sent. This is the fastest way to execute many. Each operation is atomic on its own, and
 * one that fails has a reply of kind KEYSTORE_REPLY_ERROR; the others go on.
 *
 *     struct keystore_pipeline *pipeline = keystore_pipeline_open(client, &(struct
 *         keystore_pipeline_options){.on_reply = print_error});
 *     while (read_line(&op))
 *         if (keystore_pipeline_add(pipeline, &op) != KEYSTORE_OK)
 *             break;
 *     if (keystore_pipeline_wait(pipeline) != KEYSTORE_OK)
 *         fprintf(stderr, "%s\n", keystore_pipeline_error(pipeline)->message);
 *     keystore_pipeline_close(pipeline);
 */
struct keystore_pipeline;

struct keystore_pipeline_options {
    size_t batch_ops;     /* a batch is sent when it has so many operations; 0 = 1,000 */
    size_t batch_bytes;   /* or so many bytes; 0 = 64 KiB */
    size_t max_in_flight; /* operations without a reply; 0 = 20,000 */
    /* Takes the replies, in the order of the operations, while other functions of the pipeline are
     * called. It may add operations, but not wait or close. NULL: keystore_pipeline_next() returns
     * them. The reply is valid until it returns. */
    void (*on_reply)(void *user, const struct keystore_reply *reply);
    void *user; /* passed to on_reply */
};

/* A pipeline on the client's connection, beside its calls; `options` may be NULL. NULL if it
 * cannot be opened; keystore_last_error() says why. Free with keystore_pipeline_close(). */
KEYSTORE_API struct keystore_pipeline *
keystore_pipeline_open(struct keystore_client *client,
                       const struct keystore_pipeline_options *options);

/*
 * Adds an operation, which is copied. Sends what is gathered if a batch is full and, with on_reply,
 * waits while too much is in flight: at most the client's timeout without a reply. Without it,
 * KEYSTORE_RESOURCE_EXHAUSTED then says that replies must be taken first, and nothing is added. An
 * operation that is wrong in itself (KEYSTORE_INVALID_ARGUMENT) is not added, and the pipeline goes
 * on; after another error it has ended.
 */
KEYSTORE_API enum keystore_code keystore_pipeline_add(struct keystore_pipeline *pipeline,
                                                      const struct keystore_op *op);

/* Sends what is gathered, as far as that goes without waiting; fails if the pipeline has ended, as
 * when the connection was lost meanwhile. */
KEYSTORE_API enum keystore_code keystore_pipeline_flush(struct keystore_pipeline *pipeline);

/* Sends what is gathered and waits until all replies were passed to on_reply. */
KEYSTORE_API enum keystore_code keystore_pipeline_wait(struct keystore_pipeline *pipeline);

/* Without on_reply: sends what is gathered and returns the next reply, valid until the pipeline's
 * next function. KEYSTORE_END: every operation has been answered. */
KEYSTORE_API enum keystore_next keystore_pipeline_next(struct keystore_pipeline *pipeline,
                                                       int64_t timeout_ms,
                                                       struct keystore_reply *reply);

/* Operations without a reply. If the pipeline has failed, those that were sent may have been
 * executed, unless the reason is ERROR_REASON_STOPPING: then they were not. */
KEYSTORE_API size_t keystore_pipeline_unanswered(const struct keystore_pipeline *pipeline);

/* The error of the last function of the pipeline that failed. Never NULL. */
KEYSTORE_API const struct keystore_error *
keystore_pipeline_error(const struct keystore_pipeline *pipeline);

/* Cancels what is not answered and frees the pipeline. NULL is allowed. */
KEYSTORE_API void keystore_pipeline_close(struct keystore_pipeline *pipeline);

#ifdef __cplusplus
}
#endif

#endif
