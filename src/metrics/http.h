/*
 * The HTTP server for monitoring, on a thread of its own:
 *
 *     /metrics   the source's metrics, in the format that the client prefers
 *     /healthz   200 as long as the process lives
 *     /slow      the newest slow calls, as JSON
 *     /readyz    200, or 503 with the reason why the server is not ready for calls
 *     /          a page that shows the metrics as they change
 *
 * It is plain HTTP/1.1 without authentication, and answers nothing but GET and HEAD. It must not
 * endanger the server: connections, their number and their requests have limits
 * (METRICS_HTTP_CONNECTIONS), slow ones are closed, and without memory a request fails.
 */
#ifndef KEYSTORE_METRICS_HTTP_H
#define KEYSTORE_METRICS_HTTP_H

#include <stddef.h>

struct metrics_http;
struct metrics_text;

/* The most connections at the same time; others wait in the kernel's queue. When there are so many,
 * those that have taken a second are closed. */
#define METRICS_HTTP_CONNECTIONS 32

/* Descriptors that the server needs besides the one that it is given: connections, its own, those
 * of the process' metrics. To be kept free of clients. */
#define METRICS_HTTP_DESCRIPTORS (METRICS_HTTP_CONNECTIONS + 8)

/* Where the numbers come from. Called on the server's thread. */
struct metrics_source {
    void (*write)(void *user, struct metrics_text *text);
    /* A text in JSON, and its length; to be freed with free(). NULL: there is no memory. */
    char *(*slow_calls)(void *user, size_t *len);
    /* NULL: calls are served; else why they are not, a line without its end, in static memory. */
    const char *(*not_ready)(void *user);
    void *user;
};

/* How slow a client may be. */
struct metrics_http_limits {
    int request_ms; /* from the connection, or its former answer, to the complete request... */
    int answer_ms;  /* ...and from there until the answer is taken */
};
extern const struct metrics_http_limits metrics_http_default_limits;

/* Serves a listening socket, which it takes over also on failure. NULL with errno if the system
 * does not give what it needs. Free with metrics_http_free(). */
struct metrics_http *metrics_http_new(int descriptor, const struct metrics_source *source,
                                      const struct metrics_http_limits *limits);

/* From now on the source is not called any more, and the server is not ready. Waits for a call in
 * progress. NULL is allowed. */
void metrics_http_forget_source(struct metrics_http *http);

/* Ends the thread and all connections. NULL is allowed. */
void metrics_http_free(struct metrics_http *http);

#endif
