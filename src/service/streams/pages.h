/*
 * What the methods have in common that answer one request with a stream of pages: how the request
 * is taken, and how the next page is made when the caller has room for it, never earlier.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_PAGES_H
#define KEYSTORE_SERVICE_STREAMS_PAGES_H

#include "base/arena.h"
#include "grpc/stream.h"
#include "service/streams/host.h"

/* A page's size in bytes: what is asked for, within this limit, or the default. */
#define PAGES_MAX     ((size_t)1024 * 1024)
#define PAGES_DEFAULT ((size_t)64 * 1024)

struct pages;

enum pages_answer {
    PAGES_READY,   /* there is a page, or `task` has an error */
    PAGES_PENDING, /* the engine will answer `task` */
    PAGES_HELD,    /* to be called again after the next engine_complete() */
    PAGES_MORE,    /* to be called again when others had their turn */
};

/* A method; the functions get the struct that starts with its struct pages. */
struct pages_method {
    size_t size; /* of that struct; all zero but for its struct pages */
    /* Takes the request; its bytes lie in `request`, where more may be allocated. Else says why the
     * call fails. */
    enum err (*begin)(struct pages *pages, struct slice message, const char **why);
    /* Works on the next page for at most some hundred microseconds. */
    enum pages_answer (*fill)(struct pages *pages);
    /* Writes the page to the call. True if it was the last one. */
    bool (*write)(struct pages *pages);
    void (*release)(struct pages *pages); /* what the struct holds */
};

struct pages {
    struct stream_waiter waiter; /* first: it is found by it */
    struct engine_task task;
    struct arena request;
    const struct pages_method *method;
    struct stream_host *host;
    struct grpc_call *call;
    bool has_begun;  /* the request is there */
    bool is_pending; /* the engine has the task */
    bool is_ready;   /* there is a page */
};

/* The callbacks of a streaming method; on_open is its own, and calls the first one. */
void pages_open(void *user, struct grpc_call *call, const struct pages_method *method);
void pages_on_message(void *user, struct grpc_call *call, struct slice message);
void pages_on_half_close(void *user, struct grpc_call *call);
void pages_on_room(void *user, struct grpc_call *call, size_t room);
void pages_on_drain(void *user, struct grpc_call *call);
void pages_on_cancel(void *user, struct grpc_call *call);

/* The page's size for a request's page_bytes. False, with *why set, if that is too large. */
bool pages_size(uint32_t page_bytes, size_t *size, const char **why);

#endif
