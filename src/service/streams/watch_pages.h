/* Messages of watchers: events, gathered into batches that are ready to be sent, perhaps to
 * many. */
#ifndef KEYSTORE_SERVICE_STREAMS_WATCH_PAGES_H
#define KEYSTORE_SERVICE_STREAMS_WATCH_PAGES_H

#include "service/streams/watch_events.h"

struct arena;
struct blob;
struct grpc_call;

/* The bytes at which a batch ends: one of whole commits, and one within a single commit. */
#define WATCH_PAGE      ((size_t)64 * 1024)
#define WATCH_MOST_PAGE ((size_t)1024 * 1024)

/* A WatchBatch. */
struct watch_page {
    struct watch_page *next;
    size_t readers;    /* those for whom it is the next one */
    uint64_t after;    /* it has what came after this version... */
    bool is_continued; /* ...but for what the page before it had of its first commit */
    size_t size, events;
    struct blob *blob; /* the bytes of a large one */
    uint8_t bytes[];   /* else here */
};

/* Gathers events. All zero is an empty one. */
struct watch_writer {
    struct watch_page *first, *newest; /* the pages, to be taken */
    size_t bytes;                      /* of the pages that were not taken */
    struct buf out;
    size_t events;                /* in `out` */
    uint64_t after;               /* the version before the events in `out` */
    uint64_t version;             /* everything up to this commit has been added */
    bool is_continued, is_silent; /* silent: batches have no version */
};

/* Adds an event of the commit after the last complete one. */
void watch_pages_add(struct watch_writer *writer, const struct watch_event *event, bool with_change,
                     struct arena *arena);

/* The commit is complete. */
void watch_pages_commit(struct watch_writer *writer, uint64_t version);

/* Ends the batch, if there is an event or `always`. */
void watch_pages_seal(struct watch_writer *writer, struct watch_tail tail, bool always);

/* Takes the first page; NULL: there is none. */
struct watch_page *watch_pages_take(struct watch_writer *writer);

/* Sends the page; returns its size. */
size_t watch_pages_send(const struct watch_page *page, struct grpc_call *call);

void watch_pages_free(struct watch_page *page);

/* Frees all pages, too. */
void watch_pages_deinit(struct watch_writer *writer);

#endif
