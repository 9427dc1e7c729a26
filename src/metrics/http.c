/*
 * libmicrohttpd, driven by a thread that also watches over the time that connections take:
 * libmicrohttpd's own timeout is one of inactivity, so that a client that sends a byte now and then
 * would keep its connection for hours.
 */
#include "metrics/http.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/page.h"
#include "metrics/process.h"
#include "metrics/text.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Memory of a connection: request line, header fields and the answer's header. */
#define MEMORY_LIMIT ((size_t)16 * 1024)
/* How often the connections' times are checked. */
#define CHECK_MS 1000

const struct metrics_http_limits metrics_http_default_limits = {.request_ms = 10000,
                                                                .answer_ms = 30000};

/* A connection of ours; the thread's own. */
struct visitor {
    int descriptor;   /* -1: there is none */
    bool answering;   /* the request is complete */
    int64_t since_ms; /* monotonic: of the connection, the request or the last answer */
};

struct metrics_http {
    struct MHD_Daemon *daemon;
    struct MHD_Response *page, *no_memory;
    struct metrics_process *process;
    struct metrics_http_limits limits;
    struct visitor visitors[METRICS_HTTP_CONNECTIONS];
    int stop; /* an eventfd */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;         /* held while the source is called */
    struct metrics_source source; /* without functions: there is none any more */
};

/* ---- answers ---- */

static const char stopping[] = "the server is stopping\n";

static enum MHD_Result http_add(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value);
}

/* Takes the response over. NULL: there was no memory for it. */
static enum MHD_Result http_answer(struct metrics_http *http, struct MHD_Connection *connection,
                                   unsigned status, struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_queue_response(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, http->no_memory);
    http_add(response, "X-Content-Type-Options", "nosniff");
    http_add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Plain text, which is copied. */
static enum MHD_Result http_answer_text(struct metrics_http *http,
                                        struct MHD_Connection *connection, unsigned status,
                                        const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response != NULL) {
        http_add(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
        if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
            http_add(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
        if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
            http_add(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
    return http_answer(http, connection, status, response);
}

/* False: there is no source any more. */
static bool http_write_source(struct metrics_http *http, struct metrics_text *text)
{
    pthread_mutex_lock(&http->lock);
    bool has_source = http->source.write != NULL;
    if (has_source)
        http->source.write(http->source.user, text);
    pthread_mutex_unlock(&http->lock);
    return has_source;
}

static enum MHD_Result http_answer_metrics(struct metrics_http *http,
                                           struct MHD_Connection *connection)
{
    struct metrics_text text;
    struct MHD_Response *response = NULL;
    metrics_text_init(&text, metrics_text_negotiate(MHD_lookup_connection_value(
                                 connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT)));
    if (!http_write_source(http, &text))
        return http_answer_text(http, connection, MHD_HTTP_SERVICE_UNAVAILABLE, stopping);
    metrics_process_write(http->process, &text);
    if (metrics_text_finish(&text))
        response = MHD_create_response_from_buffer(text.len, text.data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        metrics_text_deinit(&text);
    else
        http_add(response, MHD_HTTP_HEADER_CONTENT_TYPE, metrics_text_type(text.format));
    if (response != NULL)
        http_add(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
    return http_answer(http, connection, MHD_HTTP_OK, response);
}

static enum MHD_Result http_answer_slow(struct metrics_http *http,
                                        struct MHD_Connection *connection)
{
    char *text = NULL;
    size_t len = 0;
    pthread_mutex_lock(&http->lock);
    bool has_source = http->source.slow_calls != NULL;
    if (has_source)
        text = http->source.slow_calls(http->source.user, &len);
    pthread_mutex_unlock(&http->lock);
    if (!has_source)
        return http_answer_text(http, connection, MHD_HTTP_SERVICE_UNAVAILABLE, stopping);
    struct MHD_Response *response = NULL;
    if (text != NULL)
        response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(text);
    else
        http_add(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return http_answer(http, connection, MHD_HTTP_OK, response);
}

static enum MHD_Result http_answer_health(struct metrics_http *http,
                                          struct MHD_Connection *connection)
{
    return http_answer_text(http, connection, MHD_HTTP_OK, "ok\n");
}

static enum MHD_Result http_answer_ready(struct metrics_http *http,
                                         struct MHD_Connection *connection)
{
    char line[200];
    const char *why = "the server is stopping";
    pthread_mutex_lock(&http->lock);
    if (http->source.not_ready != NULL)
        why = http->source.not_ready(http->source.user);
    pthread_mutex_unlock(&http->lock);
    if (why == NULL)
        return http_answer_text(http, connection, MHD_HTTP_OK, "ok\n");
    snprintf(line, sizeof line, "%s\n", why);
    return http_answer_text(http, connection, MHD_HTTP_SERVICE_UNAVAILABLE, line);
}

static enum MHD_Result http_answer_page(struct metrics_http *http,
                                        struct MHD_Connection *connection)
{
    return MHD_queue_response(connection, MHD_HTTP_OK, http->page);
}

static const struct {
    const char *path;
    enum MHD_Result (*answer)(struct metrics_http *http, struct MHD_Connection *connection);
} paths[] = {{"/", http_answer_page},
             {"/metrics", http_answer_metrics},
             {"/slow", http_answer_slow},
             {"/healthz", http_answer_health},
             {"/readyz", http_answer_ready}};

/* ---- connections ---- */

static int http_descriptor(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

/* The one with that descriptor, or none (-1), of which there may be none. */
static struct visitor *http_find(struct metrics_http *http, int descriptor)
{
    for (size_t i = 0; i < METRICS_HTTP_CONNECTIONS; i++)
        if (http->visitors[i].descriptor == descriptor)
            return &http->visitors[i];
    return NULL;
}

static void http_on_connection(void *user, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    struct metrics_http *http = user;
    int descriptor = http_descriptor(connection);
    (void)context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct visitor *visitor = http_find(http, -1);
        if (visitor != NULL)
            *visitor = (struct visitor){.descriptor = descriptor, .since_ms = clock_monotonic_ms()};
    } else if (descriptor >= 0) {
        struct visitor *visitor = http_find(http, descriptor);
        if (visitor != NULL)
            visitor->descriptor = -1;
    }
}

static void http_note(struct metrics_http *http, struct MHD_Connection *connection, bool answering)
{
    struct visitor *visitor = http_find(http, http_descriptor(connection));
    if (visitor == NULL || visitor->descriptor < 0)
        return;
    visitor->answering = answering;
    visitor->since_ms = clock_monotonic_ms();
}

static void http_on_completed(void *user, struct MHD_Connection *connection, void **context,
                              enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)code;
    http_note(user, connection, false);
}

/* The header fields have arrived. A body is not wanted. */
static enum MHD_Result http_on_request(void *user, struct MHD_Connection *connection,
                                       const char *path, const char *method, const char *version,
                                       const char *body, size_t *body_size, void **context)
{
    struct metrics_http *http = user;
    (void)version;
    (void)body;
    (void)body_size;
    (void)context;
    http_note(http, connection, true);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return http_answer_text(http, connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                                "only GET and HEAD are allowed\n");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(path, paths[i].path) == 0)
            return paths[i].answer(http, connection);
    return http_answer_text(http, connection, MHD_HTTP_NOT_FOUND,
                            "there is no such page; there are:\n"
                            "  /metrics  metrics for Prometheus\n"
                            "  /slow     the newest slow calls\n"
                            "  /healthz  whether the process lives\n"
                            "  /readyz   whether it serves calls\n"
                            "  /         a page that shows the metrics\n");
}

/* ---- the thread ---- */

/* libmicrohttpd then closes the connection as if the client had. */
static void http_close(const struct visitor *visitor)
{
    shutdown(visitor->descriptor, SHUT_RDWR);
}

/* Closes connections that are too slow: when no others are possible, all that have done nothing for
 * a second. */
static void http_check(struct metrics_http *http, int64_t now_ms)
{
    bool full = http_find(http, -1) == NULL;
    for (size_t i = 0; i < METRICS_HTTP_CONNECTIONS; i++) {
        const struct visitor *visitor = &http->visitors[i];
        int limit_ms = visitor->answering ? http->limits.answer_ms : http->limits.request_ms;
        if (full && limit_ms > CHECK_MS)
            limit_ms = CHECK_MS;
        if (visitor->descriptor >= 0 && now_ms - visitor->since_ms >= limit_ms)
            http_close(visitor);
    }
}

static int http_wait_ms(struct metrics_http *http, int64_t check_at_ms)
{
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    int64_t wait_ms = check_at_ms - clock_monotonic_ms();
    if (MHD_get_timeout(http->daemon, &wanted_ms) == MHD_YES &&
        wanted_ms < (MHD_UNSIGNED_LONG_LONG)CHECK_MS && (int64_t)wanted_ms < wait_ms)
        wait_ms = (int64_t)wanted_ms;
    return wait_ms > 0 ? (int)wait_ms : 0;
}

static void *http_run(void *user)
{
    struct metrics_http *http = user;
    int64_t check_at_ms = clock_monotonic_ms() + CHECK_MS;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CHECK(info != NULL);
    struct pollfd polled[] = {{.fd = info->epoll_fd, .events = POLLIN},
                              {.fd = http->stop, .events = POLLIN}};
    while (polled[1].revents == 0) {
        poll(polled, 2, http_wait_ms(http, check_at_ms));
        MHD_run(http->daemon);
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms < check_at_ms)
            continue;
        http_check(http, now_ms);
        check_at_ms = now_ms + CHECK_MS;
    }
    return NULL;
}

/* ---- start and end ---- */

static void http_log(void *user, const char *format, va_list arguments)
{
    char line[256];
    (void)user;
    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = 0;
    log_debug("metrics: %s", line);
}

static struct MHD_Response *http_make_page(void)
{
    struct MHD_Response *page = MHD_create_response_from_buffer(
        metrics_page_size, (void *)(uintptr_t)metrics_page, MHD_RESPMEM_PERSISTENT);
    if (page == NULL)
        return NULL;
    http_add(page, MHD_HTTP_HEADER_CONTENT_TYPE, "text/html; charset=utf-8");
    http_add(page, "Content-Security-Policy", metrics_page_policy);
    http_add(page, "Referrer-Policy", "no-referrer");
    http_add(page, "X-Content-Type-Options", "nosniff");
    http_add(page, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    return page;
}

static struct MHD_Response *http_make_no_memory(void)
{
    static const char text[] = "the server has no memory for this answer; try again later\n";
    return MHD_create_response_from_buffer(sizeof text - 1, (void *)(uintptr_t)text,
                                           MHD_RESPMEM_PERSISTENT);
}

/* Takes the socket over if it succeeds. */
static bool http_start_daemon(struct metrics_http *http, int descriptor)
{
    errno = 0;
    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, http_on_request, http,
                         MHD_OPTION_EXTERNAL_LOGGER, http_log, NULL, MHD_OPTION_LISTEN_SOCKET,
                         descriptor, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)METRICS_HTTP_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         MEMORY_LIMIT, MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http,
                         MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, http, MHD_OPTION_END);
    if (http->daemon == NULL && errno == 0)
        errno = ENOMEM;
    return http->daemon != NULL;
}

static bool http_start(struct metrics_http *http, int descriptor)
{
    http->page = http_make_page();
    http->no_memory = http_make_no_memory();
    http->stop = eventfd(0, EFD_CLOEXEC);
    if (http->page == NULL || http->no_memory == NULL || http->stop < 0 ||
        !http_start_daemon(http, descriptor)) {
        int error = errno;
        close(descriptor);
        errno = error;
        return false;
    }
    errno = pthread_create(&http->thread, NULL, http_run, http);
    http->started = errno == 0;
    return http->started;
}

struct metrics_http *metrics_http_new(int descriptor, const struct metrics_source *source,
                                      const struct metrics_http_limits *limits)
{
    struct metrics_http *http = mem_alloc_zero(sizeof *http);
    http->source = *source;
    http->limits = *limits;
    http->process = metrics_process_new();
    pthread_mutex_init(&http->lock, NULL);
    for (size_t i = 0; i < METRICS_HTTP_CONNECTIONS; i++)
        http->visitors[i].descriptor = -1;
    if (http_start(http, descriptor))
        return http;
    int error = errno;
    metrics_http_free(http);
    errno = error;
    return NULL;
}

void metrics_http_forget_source(struct metrics_http *http)
{
    if (http == NULL)
        return;
    pthread_mutex_lock(&http->lock);
    http->source = (struct metrics_source){0};
    pthread_mutex_unlock(&http->lock);
}

void metrics_http_free(struct metrics_http *http)
{
    if (http == NULL)
        return;
    if (http->started) {
        CHECK(eventfd_write(http->stop, 1) == 0);
        pthread_join(http->thread, NULL);
    }
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon); /* closes the listening socket */
    if (http->page != NULL)
        MHD_destroy_response(http->page);
    if (http->no_memory != NULL)
        MHD_destroy_response(http->no_memory);
    if (http->stop >= 0)
        close(http->stop);
    metrics_process_free(http->process);
    pthread_mutex_destroy(&http->lock);
    free(http);
}
