/* Tests of metrics/process.c: its numbers are those of the system. */
#include "metrics/process.h"

#include "metrics/text.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The value of the sample of that name. */
static double sample(struct metrics_process *process, const char *name)
{
    struct metrics_text text;
    char wanted[100];
    metrics_text_init(&text, METRICS_PROMETHEUS);
    metrics_process_write(process, &text);
    assert_true(metrics_text_finish(&text));
    char *copy = strndup(text.data, text.len);
    snprintf(wanted, sizeof wanted, "\n%s ", name);
    const char *at = strstr(copy, wanted);
    assert_non_null(at);
    double value = strtod(at + strlen(wanted), NULL);
    free(copy);
    metrics_text_deinit(&text);
    return value;
}

static void test_the_numbers(void **state)
{
    struct metrics_process *process = metrics_process_new();
    struct rlimit limit;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(sample(process, "process_max_fds") == (double)limit.rlim_cur);
    assert_true(sample(process, "process_threads") == 1);
    double started = sample(process, "process_start_time_seconds");
    assert_true(started <= (double)time(NULL) + 2 && started > (double)time(NULL) - 1000);
    double resident = sample(process, "process_resident_memory_bytes");
    assert_true(resident > 100000 && resident < sample(process, "process_virtual_memory_bytes"));
    assert_true(sample(process, "process_cpu_seconds_total") >= 0);
    metrics_process_free(process);
}

static void test_open_files_are_counted_anew(void **state)
{
    struct metrics_process *process = metrics_process_new();
    (void)state;
    double before = sample(process, "process_open_fds");
    int file = open("/dev/null", O_RDONLY);
    assert_true(sample(process, "process_open_fds") == before + 1);
    close(file);
    assert_true(sample(process, "process_open_fds") == before);
    metrics_process_free(process);
}

/* It reads what it has opened before. */
static void test_without_descriptors(void **state)
{
    struct metrics_process *process = metrics_process_new();
    struct rlimit limit, none;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(open("/dev/null", O_RDONLY), -1);
    assert_true(sample(process, "process_resident_memory_bytes") > 100000);
    assert_true(sample(process, "process_open_fds") >= 5);
    assert_true(sample(process, "process_max_fds") == 3);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    metrics_process_free(process);
}

static void test_nothing_to_free(void **state)
{
    (void)state;
    metrics_process_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_numbers),
        cmocka_unit_test(test_open_files_are_counted_anew),
        cmocka_unit_test(test_without_descriptors),
        cmocka_unit_test(test_nothing_to_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
