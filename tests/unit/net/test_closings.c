/* Tests of net/closings.c: counters, and the lines in the log. */
#include "net/closings.h"

#include "base/log_limit.h"
#include "net/admission.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct closing tls = {CLOSING_TLS, "this is a TLS handshake"};
static const struct closing flood = {CLOSING_FLOOD, "too many resets"};

static struct net_peer peer_of(const char *ip, uint16_t port)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};
    struct sockaddr_in *ip4 = (struct sockaddr_in *)&address;
    ip4->sin_port = htons(port);
    assert_int_equal(inet_pton(AF_INET, ip, &ip4->sin_addr), 1);
    return net_peer_of(&address);
}

/* Redirects standard error to a file; returns what was written. */
struct capture {
    FILE *file;
    int saved;
    char text[16384];
};

static void capture_begin(struct capture *capture)
{
    capture->file = tmpfile();
    capture->saved = dup(STDERR_FILENO);
    assert_non_null(capture->file);
    assert_true(dup2(fileno(capture->file), STDERR_FILENO) >= 0);
}

static void capture_end(struct capture *capture)
{
    assert_true(dup2(capture->saved, STDERR_FILENO) >= 0);
    close(capture->saved);
    rewind(capture->file);
    size_t len = fread(capture->text, 1, sizeof capture->text - 1, capture->file);
    capture->text[len] = '\0';
    fclose(capture->file);
}

static size_t lines_with(const struct capture *capture, const char *words)
{
    size_t count = 0;
    for (const char *at = capture->text; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

static void test_each_kind_has_a_counter_and_a_name(void **state)
{
    (void)state;
    struct net_closings *closings = net_closings_new();
    struct net_peer peer = peer_of("192.0.2.1", 1234);
    struct capture capture;
    capture_begin(&capture);
    for (enum closing_kind kind = CLOSING_NONE + 1; kind < CLOSING_KINDS; kind++) {
        for (unsigned i = 0; i < (unsigned)kind; i++)
            net_closings_note(closings, &peer, (struct closing){kind, "a test wants it"}, 1);
    }
    capture_end(&capture);
    for (enum closing_kind kind = CLOSING_NONE + 1; kind < CLOSING_KINDS; kind++) {
        assert_int_equal(net_closings_count(closings, kind), kind);
        assert_non_null(net_closings_name(kind));
    }
    net_closings_free(closings);
    net_closings_free(NULL);
}

static void test_a_line_has_peer_and_reason(void **state)
{
    (void)state;
    struct net_closings *closings = net_closings_new();
    struct net_peer peer = peer_of("192.0.2.1", 1234);
    struct net_peer local = {.is_counted = false};
    struct capture capture;
    capture_begin(&capture);
    net_closings_note(closings, &peer, tls, 1);
    net_closings_note(closings, &local, flood, 1);
    capture_end(&capture);
    assert_int_equal(
        lines_with(&capture, "from 192.0.2.1:1234 was closed: this is a TLS handshake\n"), 1);
    assert_int_equal(lines_with(&capture, "from a unix socket was closed: too many resets\n"), 1);
    net_closings_free(closings);
}

/* Each kind has its own limit; suppressed lines are reported by the next line or by the report. */
static void test_lines_are_limited(void **state)
{
    (void)state;
    struct net_closings *closings = net_closings_new();
    struct net_peer peer = peer_of("192.0.2.1", 1234);
    struct capture capture;
    capture_begin(&capture);
    for (int i = 0; i < 1000; i++)
        net_closings_note(closings, &peer, tls, i);
    net_closings_note(closings, &peer, flood, 1000);
    net_closings_report(closings, LOG_LIMIT_SPAN_MS - 1);
    net_closings_note(closings, &peer, tls, LOG_LIMIT_SPAN_MS);
    for (int i = 0; i < NET_CLOSINGS_LINES + 5; i++)
        net_closings_note(closings, &peer, tls, LOG_LIMIT_SPAN_MS);
    net_closings_report(closings, 2 * LOG_LIMIT_SPAN_MS);
    net_closings_report(closings, 3 * LOG_LIMIT_SPAN_MS);
    capture_end(&capture);
    char suppressed[64];
    snprintf(suppressed, sizeof suppressed, "(and %d like it, not shown)",
             1000 - NET_CLOSINGS_LINES);
    assert_int_equal(lines_with(&capture, "a TLS handshake"), 2 * NET_CLOSINGS_LINES);
    assert_int_equal(lines_with(&capture, suppressed), 1);
    assert_int_equal(lines_with(&capture, "too many resets"), 1);
    assert_int_equal(lines_with(&capture, "6 more connections were closed"), 1);
    assert_int_equal(lines_with(&capture, "more connections were closed"), 1);
    assert_int_equal(net_closings_count(closings, CLOSING_TLS), 1001 + NET_CLOSINGS_LINES + 5);
    net_closings_free(closings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_has_a_counter_and_a_name),
        cmocka_unit_test(test_a_line_has_peer_and_reason),
        cmocka_unit_test(test_lines_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
