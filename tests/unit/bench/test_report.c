/* Tests of bench/report.c: the words and numbers of a made-up result. */
#include "bench/report.h"

#include "bench/now.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/bench_options.h"

#include <string.h>

typedef void report_function(FILE *out, const struct options *options,
                             const struct run_result *result);

static struct run_result *new_result(void)
{
    struct run_result *result = calloc(1, sizeof *result);
    tally_init(&result->tally);
    for (int i = 0; i < 1000; i++) /* 1 to 1000 us */
        tally_count(&result->tally, TALLY_OK, 0, 1000 * (uint64_t)(i + 1));
    result->elapsed_ns = NS_PER_S / 2;
    result->busy = 0.25;
    result->generator = (struct cpu_time){.user_ns = 500000, .system_ns = 250000};
    result->server = (struct cpu_time){.user_ns = 1000000, .system_ns = 1000000};
    return result;
}

/* What the function prints. */
static char *print(report_function *report, const struct options *options,
                   const struct run_result *result)
{
    static char text[5000];
    FILE *file = tmpfile();
    report(file, options, result);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

#define assert_says(text, part)                                                                    \
    do {                                                                                           \
        if (strstr(text, part) == NULL)                                                            \
            fail_msg("'%s' does not say '%s'", text, part);                                        \
    } while (false)

static void test_the_table_has_all_numbers(void **state)
{
    (void)state;
    char words[] = "bench -c 10 -m 100 --server-pid 5 -r 1234567";
    struct options options = options_of(words);
    struct run_result *result = new_result();
    const char *text = print(report_table, &options, result);
    assert_says(text, "get: 10 connections x 100 calls in flight, 1 thread, 32 B values, 1,234,567 "
                      "keys of 16 B\n");
    assert_says(text, "calls        1,000 in 0.500 s\n");
    assert_says(text, "throughput   2,000 calls/s\n");
    /* Percentiles are the upper ends of buckets, less than 1 % above the exact ones. */
    assert_says(text, "p50 0.50");
    assert_says(text, "p95 0.95");
    assert_says(text, "p99 0.99");
    assert_says(text, "p99.9 0.999");
    assert_says(text, "max 1.000\n");
    assert_says(text, "errors       none\n");
    assert_says(text, "25 % busy, CPU per call 0.500 us user + 0.250 us system\n");
    assert_says(text, "CPU per call 2.000 us (1.000 user + 1.000 system), 500,000 calls per CPU "
                      "second\n");
    assert_null(strstr(text, "misses"));
    free(result);
}

static void test_a_schedule_shows_how_late_calls_began(void **state)
{
    (void)state;
    char words[] = "bench --rate 1000";
    struct options options = options_of(words);
    struct run_result *result = new_result();
    histogram_record(&result->tally.late_ns, 64000);
    const char *text = print(report_table, &options, result);
    assert_says(text, "1,000 calls/s wanted\n");
    assert_says(text, "of that late p50 0.064   p95 0.064   p99 0.064   p99.9 0.064   max 0.064\n");
    result->busy = 0.97;
    assert_string_equal(print(report_warnings, &options, result), "");
    free(result);
}

static void test_errors_have_a_line_each(void **state)
{
    (void)state;
    char words[] = "bench --mix 9:1";
    struct options options = options_of(words);
    struct run_result *result = new_result();
    result->tally.ends[14] = 1234;
    result->tally.ends[TALLY_LOST] = 1;
    result->tally.misses = 3;
    const char *text = print(report_table, &options, result);
    assert_says(text, "get:set 9:1: 50 connections");
    assert_says(text, "calls        2,235 in");
    assert_says(text, "throughput   2,000 calls/s\n"); /* of those that were answered */
    assert_says(text, "errors       1,234 UNAVAILABLE\nerrors       1 connection lost\n");
    assert_says(text, "misses       3\n");
    assert_null(strstr(text, "none"));
    assert_null(strstr(text, "server"));
    free(result);
}

static size_t count(const char *text, char wanted)
{
    size_t found = 0;
    for (; *text != '\0'; text++)
        found += *text == wanted;
    return found;
}

static void test_csv_has_as_many_numbers_as_names(void **state)
{
    (void)state;
    char words[] = "bench --server-pid 5 --rate 77";
    char words_without[] = "bench";
    struct options with = options_of(words);
    struct options without = options_of(words_without);
    struct run_result *result = new_result();
    char *text = print(report_csv, &with, result);
    assert_says(text, "get,50,1,1,32,16,1000000,77,0.500000,1000,0,0,0,2000.0,");
    assert_says(text, ",1000.000,0.000,0.250,0.5000,0.2500,2.0000,500000,1,,,,,,,,,\n");
    char *line = strchr(text, '\n');
    *line = '\0';
    assert_int_equal(count(text, ','), count(line + 1, ','));
    text = print(report_csv, &without, result);
    assert_says(text, "1000000,,0.500000");
    assert_says(text, ",1000.000,,0.250,");
    assert_says(text, ",,,1,,,,,,,,,\n");
    line = strchr(text, '\n');
    *line = '\0';
    assert_int_equal(count(text, ','), count(line + 1, ','));
    free(result);
}

static void test_one_line(void **state)
{
    (void)state;
    char words[] = "bench --op lpush";
    struct options options = options_of(words);
    struct run_result *result = new_result();
    const char *text = print(report_line, &options, result);
    assert_says(text, "lpush: 2000.00 calls/s, p50=0.50");
    assert_int_equal(count(text, '\n'), 1);
    result->tally.ends[2] = 9;
    assert_says(print(report_line, &options, result), ", 9 errors\n");
    free(result);
}

static void test_warnings_say_what_the_numbers_do_not(void **state)
{
    (void)state;
    char words[] = "bench -m 200";
    struct options options = options_of(words);
    struct run_result *result = new_result();
    assert_string_equal(print(report_warnings, &options, result), "");
    result->busy = 0.97;
    assert_says(print(report_warnings, &options, result), "was 97 % busy");
    result->tally.stream_limit = 100;
    assert_says(print(report_warnings, &options, result), "only 100 calls in flight");
    result->unsent = 12;
    assert_says(print(report_warnings, &options, result), "12 scheduled calls");
    result->reconnects = 4;
    assert_says(print(report_warnings, &options, result), "4 connections were reopened");
    result->tally.misses = 5;
    assert_says(print(report_warnings, &options, result), "5 calls were misses");
    free(result);
}

static void test_a_run_without_any_call_divides_by_nothing(void **state)
{
    (void)state;
    char words[] = "bench --server-pid 5";
    struct options options = options_of(words);
    struct run_result *result = calloc(1, sizeof *result);
    tally_init(&result->tally);
    assert_says(print(report_table, &options, result), "throughput   0 calls/s\n");
    assert_null(strstr(print(report_csv, &options, result), "nan"));
    assert_null(strstr(print(report_csv, &options, result), "inf"));
    free(result);
}

static void test_the_fill_is_one_line(void **state)
{
    (void)state;
    char words[] = "bench --fill -r 1000";
    struct options options = options_of(words);
    struct run_result *result = new_result();
    result->planned = 1000;
    assert_true(report_is_filled(result));
    assert_string_equal(print(report_fill, &options, result),
                        "fill: 1,000 keys in 0.500 s, 2,000 calls/s\n");
    result->planned = 3000000;
    assert_false(report_is_filled(result));
    assert_string_equal(print(report_fill, &options, result),
                        "fill: only 1,000 of 3,000,000 calls succeeded, in 0.500 s, 2,000 "
                        "calls/s\n");
    result->planned = 1001;
    tally_count(&result->tally, TALLY_LOST, 0, 1000);
    assert_false(report_is_filled(result));
    assert_string_equal(print(report_fill, &options, result),
                        "fill: only 1,000 of 1,001 calls succeeded, in 0.500 s, 2,000 "
                        "calls/s, with errors:\n");
    free(result);
}

static void test_streams_have_their_own_numbers(void **state)
{
    (void)state;
    char watch_words[] = "bench --op watch --watchers 20";
    char consume_words[] = "bench --op consume --consumers 2 --in-flight 64";
    struct options watch = options_of(watch_words);
    struct options consume = options_of(consume_words);
    struct run_result *result = new_result();
    for (int i = 0; i < 8000; i++)
        tally_receive(&result->tally, 0, 64000);
    result->received_ns = NS_PER_S;
    result->tally.ends[TALLY_MISSING] = 5;
    const char *text = print(report_table, &watch, result);
    assert_says(text, "watch: 50 connections");
    assert_says(text, ", 20 watchers\n");
    assert_says(text, "calls        1,000 in 0.500 s\n");
    assert_says(text, "events       8,000 in 1.000 s, 8,000/s\n");
    assert_says(text, "receipt ms   p50 0.064   p95 0.064   p99 0.064   p99.9 0.064   max 0.064\n");
    assert_says(text, "errors       5 missing on streams\n");
    assert_says(print(report_line, &watch, result), ", events 8000.00/s, p50=0.064 ms");
    text = print(report_table, &consume, result);
    assert_says(text, ", 2 consumers x 64 elements in flight\n");
    assert_says(text, "acknowledged 8,000 in 1.000 s, 8,000/s\n");
    char *csv = print(report_csv, &consume, result);
    assert_says(csv, ",1000,5,0,0,");
    assert_says(csv, ",1,2,64,8000,8000.0,64.");
    char *line = strchr(csv, '\n');
    *line = '\0';
    assert_int_equal(count(csv, ','), count(line + 1, ','));
    assert_says(print(report_csv, &watch, result), ",1,20,,8000,8000.0,64.");
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_has_all_numbers),
        cmocka_unit_test(test_a_schedule_shows_how_late_calls_began),
        cmocka_unit_test(test_errors_have_a_line_each),
        cmocka_unit_test(test_csv_has_as_many_numbers_as_names),
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_warnings_say_what_the_numbers_do_not),
        cmocka_unit_test(test_a_run_without_any_call_divides_by_nothing),
        cmocka_unit_test(test_the_fill_is_one_line),
        cmocka_unit_test(test_streams_have_their_own_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
