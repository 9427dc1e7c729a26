/* Tests of metrics/http.c over sockets: what it answers, and what clients cannot do to it. */
#include "metrics/http.h"

#include "metrics/page.h"
#include "metrics/text.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 30000

struct fixture {
    struct metrics_http *http;
    struct sockaddr_in address;
    const char *_Atomic not_ready;
    atomic_size_t samples; /* that the source writes */
    atomic_uint writes;
    atomic_bool no_memory;
    char *answer; /* the newest one, terminated */
    size_t answer_len;
};

static void write_samples(void *user, struct metrics_text *text)
{
    struct fixture *fixture = user;
    atomic_fetch_add(&fixture->writes, 1);
    metrics_text_family(text, "things", METRICS_COUNTER, "Things.");
    for (size_t i = 0; i < atomic_load(&fixture->samples); i++)
        metrics_text_count(text, METRICS_NO_LABELS, 42);
}

static char *slow_calls(void *user, size_t *len)
{
    bool has_memory = !atomic_load(&((struct fixture *)user)->no_memory);
    *len = 2;
    return has_memory ? strdup("{}") : NULL;
}

static const char *not_ready(void *user)
{
    return atomic_load(&((struct fixture *)user)->not_ready);
}

static int start(void **state, struct metrics_http_limits limits)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct metrics_source source = {
        .write = write_samples, .slow_calls = slow_calls, .not_ready = not_ready, .user = fixture};
    socklen_t size = sizeof fixture->address;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    fixture->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(descriptor, (struct sockaddr *)&fixture->address, size), 0);
    assert_int_equal(listen(descriptor, 100), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&fixture->address, &size), 0);
    atomic_store(&fixture->samples, 1);
    fixture->http = metrics_http_new(descriptor, &source, &limits);
    assert_non_null(fixture->http);
    *state = fixture;
    return 0;
}

static int setup(void **state)
{
    return start(state, metrics_http_default_limits);
}

static int setup_impatient(void **state)
{
    return start(state, (struct metrics_http_limits){.request_ms = 10, .answer_ms = 10});
}

static int setup_hasty(void **state)
{
    return start(state, (struct metrics_http_limits){.request_ms = 1000, .answer_ms = 1000});
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    metrics_http_free(fixture->http);
    free(fixture->answer);
    free(fixture);
    return 0;
}

static int dial(struct fixture *fixture, const char *request)
{
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&fixture->address, sizeof fixture->address),
                     0);
    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    return client;
}

/* Reads to the end and closes. */
static void finish(struct fixture *fixture, int client)
{
    size_t size = (size_t)1 << 26;
    free(fixture->answer);
    fixture->answer = malloc(size);
    fixture->answer_len = 0;
    for (ssize_t len = 1; len > 0;) {
        struct pollfd readable = {.fd = client, .events = POLLIN};
        assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
        len =
            recv(client, fixture->answer + fixture->answer_len, size - 1 - fixture->answer_len, 0);
        if (len > 0)
            fixture->answer_len += (size_t)len;
    }
    fixture->answer[fixture->answer_len] = 0;
    close(client);
}

static void ask(struct fixture *fixture, const char *method, const char *path, const char *fields)
{
    char request[1000];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n",
             method, path, fields);
    finish(fixture, dial(fixture, request));
}

static const char *body(const struct fixture *fixture)
{
    const char *end = strstr(fixture->answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static void assert_status(const struct fixture *fixture, int status)
{
    char line[40];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    if (strncmp(fixture->answer, line, strlen(line)) != 0)
        fail_msg("%s", fixture->answer);
}

static void assert_has(const struct fixture *fixture, const char *text)
{
    if (strstr(fixture->answer, text) == NULL)
        fail_msg("%s is not in %s", text, fixture->answer);
}

static void test_metrics(void **state)
{
    struct fixture *fixture = *state;
    ask(fixture, "GET", "/metrics", "");
    assert_status(fixture, 200);
    assert_has(fixture, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_has(fixture, "\nthings_total 42\n");
    assert_has(fixture, "\nprocess_open_fds ");
    ask(fixture, "GET", "/metrics?x=y", "Accept: application/openmetrics-text\r\n");
    assert_status(fixture, 200);
    assert_has(fixture, "Content-Type: application/openmetrics-text; version=1.0.0");
    assert_string_equal(fixture->answer + fixture->answer_len - 6, "# EOF\n");
    assert_int_equal(atomic_load(&fixture->writes), 2);
}

static void test_head(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/", "/metrics", "/slow", "/healthz", "/readyz"};
    for (size_t i = 0; i < 5; i++) {
        ask(fixture, "HEAD", paths[i], "");
        assert_status(fixture, 200);
        assert_has(fixture, "Content-Length: ");
        assert_string_equal(body(fixture), "");
    }
}

static void test_the_page(void **state)
{
    struct fixture *fixture = *state;
    ask(fixture, "GET", "/", "");
    assert_status(fixture, 200);
    assert_has(fixture, "Content-Type: text/html; charset=utf-8\r\n");
    assert_has(fixture, metrics_page_policy);
    assert_int_equal(strlen(body(fixture)), metrics_page_size);
    assert_memory_equal(body(fixture), metrics_page, metrics_page_size);
    assert_null(strstr(metrics_page_policy, "unsafe"));
}

static void test_health(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&fixture->not_ready, "it is loading");
    ask(fixture, "GET", "/healthz", "");
    assert_status(fixture, 200);
    ask(fixture, "GET", "/readyz", "");
    assert_status(fixture, 503);
    assert_string_equal(body(fixture), "it is loading\n");
    atomic_store(&fixture->not_ready, NULL);
    ask(fixture, "GET", "/readyz", "");
    assert_status(fixture, 200);
}

static void test_slow_calls(void **state)
{
    struct fixture *fixture = *state;
    ask(fixture, "GET", "/slow", "");
    assert_status(fixture, 200);
    assert_has(fixture, "Content-Type: application/json\r\n");
    assert_string_equal(body(fixture), "{}");
    atomic_store(&fixture->no_memory, true);
    ask(fixture, "GET", "/slow", "");
    assert_status(fixture, 500);
    assert_string_equal(body(fixture),
                        "the server has no memory for this answer; try again later\n");
}

static void test_without_a_source(void **state)
{
    struct fixture *fixture = *state;
    metrics_http_forget_source(fixture->http);
    ask(fixture, "GET", "/metrics", "");
    assert_status(fixture, 503);
    ask(fixture, "GET", "/slow", "");
    assert_status(fixture, 503);
    assert_string_equal(body(fixture), "the server is stopping\n");
    ask(fixture, "GET", "/readyz", "");
    assert_status(fixture, 503);
    assert_string_equal(body(fixture), "the server is stopping\n");
    ask(fixture, "GET", "/healthz", "");
    assert_status(fixture, 200);
    assert_int_equal(atomic_load(&fixture->writes), 0);
}

static void test_other_paths(void **state)
{
    struct fixture *fixture = *state;
    static const char *const paths[] = {"/metric", "/metrics/", "/Metrics", "//", "/../metrics"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask(fixture, "GET", paths[i], "");
        assert_status(fixture, 404);
        for (const char *word = "/metrics\0/slow\0/healthz\0/readyz\0"; *word != 0;
             word += strlen(word) + 1)
            assert_has(fixture, word);
    }
}

static void test_other_methods(void **state)
{
    struct fixture *fixture = *state;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        ask(fixture, methods[i], "/metrics", "");
        assert_status(fixture, 405);
        assert_has(fixture, "Allow: GET, HEAD\r\n");
    }
    finish(fixture, dial(fixture, "POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000"
                                  "\r\nConnection: close\r\n\r\n"));
    assert_status(fixture, 405);
}

/* More header fields than the memory of a connection. */
static void test_a_large_header(void **state)
{
    struct fixture *fixture = *state;
    char *request = malloc(100000);
    size_t len = (size_t)sprintf(request, "GET /metrics HTTP/1.1\r\nHost: h\r\nX: ");
    memset(request + len, 'x', 60000);
    strcpy(request + len + 60000, "\r\n\r\n");
    int client = dial(fixture, "");
    send(client, request, strlen(request), MSG_NOSIGNAL);
    finish(fixture, client);
    assert_true(fixture->answer_len == 0 || strncmp(fixture->answer, "HTTP/1.1 4", 10) == 0);
    free(request);
    ask(fixture, "GET", "/healthz", "");
    assert_status(fixture, 200);
}

/* Each is ended: with an answer, or because no request came of it. */
static void test_nonsense(void **state)
{
    struct fixture *fixture = *state;
    static const char *const requests[] = {"\r\n\r\n\r\n",
                                           "GET\r\n\r\n",
                                           "\x16\x03\x01\x02\r\n\r\n",
                                           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                           "GET /metrics HTTP/9.9\r\n\r\n",
                                           "GET  HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int client = dial(fixture, requests[i]);
        shutdown(client, SHUT_WR);
        finish(fixture, client);
    }
    ask(fixture, "GET", "/healthz", "");
    assert_status(fixture, 200);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *stream = opendir("/proc/self/fd");
    while (readdir(stream) != NULL)
        count++;
    closedir(stream);
    return count;
}

static void wait_for_descriptors(size_t count)
{
    for (int waited_ms = 0; open_descriptors() > count; waited_ms += 5) {
        assert_true(waited_ms < PATIENCE_MS);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

/* However it keeps the connection busy. */
static void test_a_slow_request_is_ended(void **state)
{
    struct fixture *fixture = *state;
    int client = dial(fixture, "GET /metrics HTTP/1.1\r\n");
    struct pollfd readable = {.fd = client, .events = POLLIN};
    size_t sent = 0;
    while (poll(&readable, 1, 5) == 0) {
        send(client, sent % 3 == 0 ? "x" : sent % 3 == 1 ? ":" : "\n", 1, MSG_NOSIGNAL);
        assert_true(++sent < PATIENCE_MS / 5);
    }
    finish(fixture, client);
    assert_null(strstr(fixture->answer, "HTTP/1.1 200"));
}

/* The server then has its memory back. */
static void test_a_slow_reader_is_ended(void **state)
{
    struct fixture *fixture = *state;
    size_t before = open_descriptors();
    atomic_store(&fixture->samples, 2000000);
    int client = dial(fixture, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    struct pollfd readable = {.fd = client, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
    wait_for_descriptors(before + 1); /* the client's is left */
    finish(fixture, client);
    assert_true(fixture->answer_len < 2000000 * strlen("things_total 42\n"));
}

/* Connections that do nothing do not keep others out. */
static void test_idle_connections_give_way(void **state)
{
    struct fixture *fixture = *state;
    int clients[METRICS_HTTP_CONNECTIONS + 20];
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++)
        clients[i] = dial(fixture, i % 2 == 0 ? "" : "GET /healthz HTTP/1.1\r\nHo");
    ask(fixture, "GET", "/metrics", "");
    assert_status(fixture, 200);
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++)
        close(clients[i]);
}

static void *scrape_often(void *user)
{
    for (size_t i = 0; i < 20; i++) {
        struct fixture own = {.address = ((struct fixture *)user)->address};
        ask(&own, "GET", i % 4 == 0 ? "/" : "/metrics", "");
        assert_status(&own, 200);
        free(own.answer);
    }
    return NULL;
}

static void test_many_at_once(void **state)
{
    pthread_t threads[2 * METRICS_HTTP_CONNECTIONS];
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, scrape_often, *state), 0);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        pthread_join(threads[i], NULL);
}

static void test_it_ends_amid_connections(void **state)
{
    struct fixture *fixture = *state;
    int idle = dial(fixture, ""), half = dial(fixture, "GET / HT");
    size_t before = open_descriptors();
    atomic_store(&fixture->samples, 1000000);
    int reader = dial(fixture, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    struct pollfd readable = {.fd = reader, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
    metrics_http_free(fixture->http);
    fixture->http = NULL;
    assert_true(open_descriptors() < before);
    close(idle);
    close(half);
    close(reader);
}

static void test_nothing_to_free(void **state)
{
    (void)state;
    metrics_http_free(NULL);
    metrics_http_forget_source(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_metrics),
        TEST(test_head),
        TEST(test_the_page),
        TEST(test_health),
        TEST(test_slow_calls),
        TEST(test_without_a_source),
        TEST(test_other_paths),
        TEST(test_other_methods),
        TEST(test_a_large_header),
        cmocka_unit_test_setup_teardown(test_nonsense, setup_hasty, teardown),
        cmocka_unit_test_setup_teardown(test_a_slow_request_is_ended, setup_impatient, teardown),
        cmocka_unit_test_setup_teardown(test_a_slow_reader_is_ended, setup_impatient, teardown),
        TEST(test_idle_connections_give_way),
        TEST(test_many_at_once),
        TEST(test_it_ends_amid_connections),
        cmocka_unit_test(test_nothing_to_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
