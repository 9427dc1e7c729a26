/* Tests of metrics/text.c: both formats byte by byte, escaping, numbers, negotiation. */
#include "metrics/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct metrics_text *text, const char *expected)
{
    assert_true(metrics_text_finish(text));
    char *written = strndup(text->data != NULL ? text->data : "", text->len);
    assert_string_equal(written, expected);
    free(written);
    metrics_text_deinit(text);
}

static void test_a_counter(void **state)
{
    struct metrics_text text;
    (void)state;
    metrics_text_init(&text, METRICS_PROMETHEUS);
    metrics_text_family(&text, "calls", METRICS_COUNTER, "Calls.");
    metrics_text_count(&text, METRICS_NO_LABELS, UINT64_MAX);
    assert_text(&text, "# HELP calls_total Calls.\n"
                       "# TYPE calls_total counter\n"
                       "calls_total 18446744073709551615\n");
    metrics_text_init(&text, METRICS_OPENMETRICS);
    metrics_text_family(&text, "calls", METRICS_COUNTER, "Calls.");
    metrics_text_count(&text, METRICS_NO_LABELS, 0);
    assert_text(&text, "# HELP calls Calls.\n"
                       "# TYPE calls counter\n"
                       "calls_total 0\n"
                       "# EOF\n");
}

static void test_units(void **state)
{
    struct metrics_text text;
    (void)state;
    metrics_text_init(&text, METRICS_OPENMETRICS);
    metrics_text_family(&text, "cpu_seconds", METRICS_COUNTER, "Time.");
    metrics_text_real(&text, METRICS_NO_LABELS, 0.25);
    metrics_text_family(&text, "used_bytes", METRICS_GAUGE, "Memory.");
    metrics_text_count(&text, METRICS_NO_LABELS, 7);
    metrics_text_family(&text, "bytes", METRICS_GAUGE, "No unit: it is the whole name.");
    assert_text(&text, "# HELP cpu_seconds Time.\n"
                       "# TYPE cpu_seconds counter\n"
                       "# UNIT cpu_seconds seconds\n"
                       "cpu_seconds_total 0.25\n"
                       "# HELP used_bytes Memory.\n"
                       "# TYPE used_bytes gauge\n"
                       "# UNIT used_bytes bytes\n"
                       "used_bytes 7\n"
                       "# HELP bytes No unit: it is the whole name.\n"
                       "# TYPE bytes gauge\n"
                       "# EOF\n");
}

static void test_labels_keep_their_order(void **state)
{
    struct metrics_text text;
    (void)state;
    metrics_text_init(&text, METRICS_PROMETHEUS);
    metrics_text_family(&text, "g", METRICS_GAUGE, "G.");
    metrics_text_count(&text, METRICS_LABELS({"z", "1"}, {"a", "2"}), 3);
    metrics_text_count(&text, METRICS_LABELS({"a", ""}), 4);
    assert_text(&text, "# HELP g G.\n# TYPE g gauge\n"
                       "g{z=\"1\",a=\"2\"} 3\n"
                       "g{a=\"\"} 4\n");
}

static void test_escaping(void **state)
{
    struct metrics_text text;
    (void)state;
    metrics_text_init(&text, METRICS_PROMETHEUS);
    metrics_text_family(&text, "g", METRICS_GAUGE, "A \"b\" \\ c\nd.");
    metrics_text_count(&text, METRICS_LABELS({"l", "a\"b\\c\nd\xc3\xa4"}), 1);
    assert_text(&text, "# HELP g A \"b\" \\\\ c\\nd.\n# TYPE g gauge\n"
                       "g{l=\"a\\\"b\\\\c\\nd\xc3\xa4\"} 1\n");
    metrics_text_init(&text, METRICS_OPENMETRICS);
    metrics_text_family(&text, "g", METRICS_GAUGE, "A \"b\".");
    assert_text(&text, "# HELP g A \\\"b\\\".\n# TYPE g gauge\n# EOF\n");
}

static void test_reals(void **state)
{
    static const struct {
        double value;
        const char *text;
    } reals[] = {{0, "0"},
                 {1.5, "1.5"},
                 {-2, "-2"},
                 {1e-9, "1e-09"},
                 {123456.789, "123456.789"},
                 {INFINITY, "+Inf"},
                 {-INFINITY, "-Inf"},
                 {NAN, "NaN"}};
    (void)state;
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        struct metrics_text text;
        char expected[100];
        metrics_text_init(&text, METRICS_PROMETHEUS);
        metrics_text_family(&text, "g", METRICS_GAUGE, "G.");
        metrics_text_real(&text, METRICS_NO_LABELS, reals[i].value);
        snprintf(expected, sizeof expected, "# HELP g G.\n# TYPE g gauge\ng %s\n", reals[i].text);
        assert_text(&text, expected);
    }
}

static void test_a_histogram(void **state)
{
    static const uint64_t bounds_us[] = {10, 500000, 2000000}, counts[] = {1, 0, 4, 2};
    struct metrics_buckets buckets = {
        .bounds_us = bounds_us, .counts = counts, .bounds = 3, .sum = 12.5};
    struct metrics_text text;
    (void)state;
    metrics_text_init(&text, METRICS_PROMETHEUS);
    metrics_text_family(&text, "h_seconds", METRICS_HISTOGRAM, "H.");
    metrics_text_buckets(&text, METRICS_LABELS({"m", "Get"}), &buckets);
    metrics_text_buckets(&text, METRICS_NO_LABELS, &buckets);
    assert_text(&text, "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
                       "h_seconds_bucket{m=\"Get\",le=\"1e-05\"} 1\n"
                       "h_seconds_bucket{m=\"Get\",le=\"0.5\"} 1\n"
                       "h_seconds_bucket{m=\"Get\",le=\"2.0\"} 5\n"
                       "h_seconds_bucket{m=\"Get\",le=\"+Inf\"} 7\n"
                       "h_seconds_sum{m=\"Get\"} 12.5\n"
                       "h_seconds_count{m=\"Get\"} 7\n"
                       "h_seconds_bucket{le=\"1e-05\"} 1\n"
                       "h_seconds_bucket{le=\"0.5\"} 1\n"
                       "h_seconds_bucket{le=\"2.0\"} 5\n"
                       "h_seconds_bucket{le=\"+Inf\"} 7\n"
                       "h_seconds_sum 12.5\n"
                       "h_seconds_count 7\n");
}

/* More than the first capacity, with all that is appended whole. */
static void test_it_grows(void **state)
{
    struct metrics_text text;
    (void)state;
    metrics_text_init(&text, METRICS_PROMETHEUS);
    metrics_text_family(&text, "g", METRICS_GAUGE, "G.");
    size_t head = text.len;
    for (unsigned i = 0; i < 100000; i++)
        metrics_text_count(&text, METRICS_NO_LABELS, 10000000 + i);
    assert_int_equal(text.len, head + 100000 * strlen("g 10000000\n"));
    assert_memory_equal(text.data + text.len - 11, "g 10099999\n", 11);
    assert_true(metrics_text_finish(&text));
    metrics_text_deinit(&text);
}

static void test_negotiation(void **state)
{
    static const struct {
        const char *accept;
        enum metrics_format format;
    } cases[] = {
        {NULL, METRICS_PROMETHEUS},
        {"", METRICS_PROMETHEUS},
        {"*/*", METRICS_PROMETHEUS},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", METRICS_PROMETHEUS},
        {"text/plain", METRICS_PROMETHEUS},
        {"text/plain;version=0.0.4", METRICS_PROMETHEUS},
        {"application/openmetrics-text", METRICS_OPENMETRICS},
        {"APPLICATION/OpenMetrics-Text; Version=1.0.0; charset=utf-8", METRICS_OPENMETRICS},
        {"application/openmetrics-text; version=0.0.1", METRICS_PROMETHEUS},
        {"application/openmetrics-text; version=2.0.0", METRICS_PROMETHEUS},
        {"application/openmetrics-text;q=0", METRICS_PROMETHEUS},
        {"application/openmetrics-text;q=abc", METRICS_PROMETHEUS},
        {"application/openmetrics-textual", METRICS_PROMETHEUS},
        {"text/plain;q=0.5, application/openmetrics-text;q=0.4", METRICS_PROMETHEUS},
        {"text/plain;q=0.4,application/openmetrics-text;q=0.5", METRICS_OPENMETRICS},
        /* What Prometheus 2.42 and 2.50 send. */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q="
         "0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRICS_OPENMETRICS},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding="
         "delimited;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,application/"
         "openmetrics-text;version=0.0.1;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
         METRICS_OPENMETRICS},
        {",,;;=,q=,;q", METRICS_PROMETHEUS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (metrics_text_negotiate(cases[i].accept) != cases[i].format)
            fail_msg("%s", cases[i].accept);
    assert_string_equal(metrics_text_type(METRICS_PROMETHEUS),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(metrics_text_type(METRICS_OPENMETRICS),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_counter), cmocka_unit_test(test_units),
        cmocka_unit_test(test_escaping),  cmocka_unit_test(test_labels_keep_their_order),
        cmocka_unit_test(test_reals),     cmocka_unit_test(test_a_histogram),
        cmocka_unit_test(test_it_grows),  cmocka_unit_test(test_negotiation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
