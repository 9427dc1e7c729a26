/* Tests of base/log.c: what reaches standard error, read back from a file. */
#include "base/log.h"

#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS          4
#define LINES_PER_THREAD 1000

/* The saved standard error, while a temporary file replaces it. */
struct capture {
    FILE *file;
    int saved_fd;
};

static struct capture capture_start(void)
{
    struct capture capture = {.file = tmpfile(), .saved_fd = dup(STDERR_FILENO)};
    assert_non_null(capture.file);
    assert_true(capture.saved_fd >= 0);
    assert_true(dup2(fileno(capture.file), STDERR_FILENO) >= 0);
    return capture;
}

/* Restores standard error and returns what was written since, zero-terminated; the caller frees it.
 */
static char *capture_end(struct capture *capture)
{
    off_t size = lseek(fileno(capture->file), 0, SEEK_END);
    dup2(capture->saved_fd, STDERR_FILENO);
    close(capture->saved_fd);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fileno(capture->file), text, (size_t)size, 0), size);
    assert_int_equal(strlen(text), size);
    fclose(capture->file);
    return text;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int result = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    if (result != 0)
        fail_msg("\"%s\" does not match %s", text, pattern);
}

static int reset_level(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    return 0;
}

static void test_a_line_has_time_level_and_text(void **state)
{
    (void)state;
    struct capture capture = capture_start();
    log_warning("port %d is %s", 50051, "busy");
    char *text = capture_end(&capture);
    assert_matches(text,
                   "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z"
                   " warning +port 50051 is busy\n$");
    free(text);
}

static char *write_one_of_each(enum log_level level)
{
    struct capture capture = capture_start();
    log_set_level(level);
    log_error("E");
    log_warning("W");
    log_info("I");
    log_debug("D");
    return capture_end(&capture);
}

static void test_levels_above_the_threshold_are_dropped(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "^[^\n]+ E\n$",
        "^[^\n]+ E\n[^\n]+ W\n$",
        "^[^\n]+ E\n[^\n]+ W\n[^\n]+ I\n$",
        "^[^\n]+ E\n[^\n]+ W\n[^\n]+ I\n[^\n]+ D\n$",
    };
    for (enum log_level level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        char *text = write_one_of_each(level);
        assert_matches(text, patterns[level]);
        free(text);
    }
}

static void test_info_is_the_level_until_set(void **state)
{
    (void)state;
    struct capture capture = capture_start();
    log_debug("hidden");
    log_info("shown");
    char *text = capture_end(&capture);
    assert_matches(text, "^[^\n]+ shown\n$");
    free(text);
}

static void test_long_lines_are_cut_and_still_end(void **state)
{
    (void)state;
    enum { LONGEST = 1300 };
    char long_text[LONGEST];
    memset(long_text, 'x', sizeof long_text);
    struct capture capture = capture_start();
    for (int len = 1; len < LONGEST; len++)
        log_info("%.*s", len, long_text);
    char *text = capture_end(&capture);
    char *line = text;
    for (int len = 1; len < LONGEST; len++) {
        char *first = strchr(line, 'x');
        assert_non_null(first);
        size_t written = strspn(first, "x");
        assert_int_equal(first[written], '\n');
        assert_true(len > 1000 ? written >= 1000 && written <= (size_t)len
                               : written == (size_t)len);
        line = first + written + 1;
    }
    assert_int_equal(*line, '\0');
    free(text);
}

/* A datagram socket in place of standard error preserves the boundaries of writes. */
static void test_a_line_is_one_write(void **state)
{
    (void)state;
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
    int saved_fd = dup(STDERR_FILENO);
    dup2(sockets[0], STDERR_FILENO);
    log_info("one %s", "line");
    dup2(saved_fd, STDERR_FILENO);
    close(saved_fd);
    char datagram[100] = "";
    ssize_t size = recv(sockets[1], datagram, sizeof datagram - 1, MSG_DONTWAIT);
    assert_true(size > 0);
    assert_matches(datagram, "^20[^\n]+ info +one line\n$");
    assert_int_equal(recv(sockets[1], datagram, sizeof datagram, MSG_DONTWAIT), -1);
    close(sockets[0]);
    close(sockets[1]);
}

/* What is written in that format about such fields. */
static char *write_event(enum log_format format, const char *message,
                         const struct log_field *fields, size_t count)
{
    log_set_format(format);
    struct capture capture = capture_start();
    log_event(LOG_INFO, message, fields, count);
    log_set_format(LOG_TEXT);
    return capture_end(&capture);
}

#define EVENT_TIME "20[0-9-]+T[0-9:.]+Z"

static void test_fields_in_every_format(void **state)
{
    (void)state;
    const struct log_field fields[] = {log_text_field("method", SLICE_LITERAL("Get")),
                                       log_number_field("us", -12),
                                       log_text_field("key", SLICE_LITERAL("a \"b\"\\")),
                                       log_text_field("none", SLICE_LITERAL(""))};
    char *text = write_event(LOG_TEXT, "slow", fields, 4);
    assert_matches(text, "^" EVENT_TIME " info +slow method=Get us=-12 key=\"a "
                         "\\\\\"b\\\\\"\\\\\\\\\" none=\"\"\n$");
    free(text);
    text = write_event(LOG_LOGFMT, "so \"slow\"", fields, 4);
    assert_matches(text,
                   "^time=" EVENT_TIME " level=info msg=\"so \\\\\"slow\\\\\"\" method=Get us=-12 "
                   "key=\"a \\\\\"b\\\\\"\\\\\\\\\" none=\"\"\n$");
    free(text);
    text = write_event(LOG_JSON, "slow", fields, 4);
    assert_matches(text, "^\\{\"time\":\"" EVENT_TIME "\",\"level\":\"info\",\"msg\":\"slow\","
                         "\"method\":\"Get\",\"us\":-12,\"key\":\"a "
                         "\\\\\"b\\\\\"\\\\\\\\\",\"none\":\"\"\\}\n$");
    free(text);
}

/* Bytes that are not printable UTF-8, and those that are. */
static void test_fields_are_escaped(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        const char *text, *json; /* within the quotes */
    } cases[] = {
        {SLICE_LITERAL("\n\r\t"), "\\n\\r\\t", "\\n\\r\\t"},
        {SLICE_LITERAL("\0\x1b\x7f"), "\\x00\\x1b\\x7f", "\\\\x00\\\\x1b\\\\x7f"},
        {SLICE_LITERAL("\xff"), "\\xff", "\\\\xff"},
        {SLICE_LITERAL("\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82"),
         "\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82"},
        {SLICE_LITERAL("\xc3"), "\\xc3", "\\\\xc3"},                 /* cut off */
        {SLICE_LITERAL("\xc0\x80"), "\\xc0\\x80", "\\\\xc0\\\\x80"}, /* too long */
        {SLICE_LITERAL("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf", "\\\\xe0\\\\x9f\\\\xbf"},
        {SLICE_LITERAL("\xed\xa0\x80"), "\\xed\\xa0\\x80", "\\\\xed\\\\xa0\\\\x80"}, /* surrogate */
        {SLICE_LITERAL("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80",
         "\\\\xf4\\\\x90\\\\x80\\\\x80"},                            /* too high */
        {SLICE_LITERAL("\xc2\x9b"), "\\xc2\\x9b", "\\\\xc2\\\\x9b"}, /* a control */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[120];
        const struct log_field field = log_text_field("key", cases[i].bytes);
        char *text = write_event(LOG_LOGFMT, "m", &field, 1);
        snprintf(expected, sizeof expected, " key=\"%s\"\n", cases[i].text);
        assert_non_null(strstr(text, expected));
        free(text);
        text = write_event(LOG_JSON, "m", &field, 1);
        snprintf(expected, sizeof expected, "\"key\":\"%s\"}\n", cases[i].json);
        assert_non_null(strstr(text, expected));
        free(text);
    }
}

/* Whatever has no room, a line is closed. */
static void test_long_fields_are_cut(void **state)
{
    (void)state;
    enum { LONGEST = 5000 };
    static uint8_t bytes[LONGEST];
    for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
        for (size_t len = 3500; len < LONGEST; len++) {
            memset(bytes, len % 2 == 0 ? 'x' : '"', len);
            const struct log_field fields[] = {log_text_field("long", slice_make(bytes, len)),
                                               log_number_field("after", 1)};
            char *text = write_event(format, "m", fields, 2);
            size_t written = strlen(text);
            assert_true(written <= 4000 && (len < 3900 || written > 3850));
            assert_int_equal(text[written - 1], '\n');
            if (format == LOG_JSON)
                assert_int_equal(text[written - 2], '}');
            free(text);
        }
    }
}

static void test_a_fatal_line_is_for_who_starts_the_program(void **state)
{
    (void)state;
    struct capture capture = capture_start();
    log_fatal("program", "no %s", "disk");
    log_set_format(LOG_JSON);
    log_fatal("program", "no %s", "disk");
    log_set_format(LOG_TEXT);
    char *text = capture_end(&capture);
    assert_matches(text,
                   "^program: no disk\n\\{[^\n]+\"level\":\"error\",\"msg\":\"no disk\"\\}\n$");
    free(text);
}

static void *write_lines(void *number)
{
    for (int i = 0; i < LINES_PER_THREAD; i++)
        log_info("thread %d line %d end", *(int *)number, i);
    return NULL;
}

/* Every line arrives whole, and the lines of each thread arrive in order. */
static void test_control_characters_cannot_forge_a_line(void **state)
{
    (void)state;
    struct capture capture = capture_start();
    log_info("key %s", "a\nb\x1b[0m\x7f");
    char *text = capture_end(&capture);
    assert_non_null(strstr(text, "key a?b?[0m?\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}

static void test_threads_do_not_mix_their_lines(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    struct capture capture = capture_start();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, write_lines, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text = capture_end(&capture);
    int next_line[THREADS] = {0};
    char *rest = text;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int thread, number, length = 0;
        sscanf(line, "%*s info thread %d line %d end%n", &thread, &number, &length);
        assert_int_equal(length, strlen(line));
        assert_int_equal(number, next_line[thread]++);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next_line[i], LINES_PER_THREAD);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info_is_the_level_until_set),
        cmocka_unit_test(test_a_line_has_time_level_and_text),
        cmocka_unit_test_teardown(test_levels_above_the_threshold_are_dropped, reset_level),
        cmocka_unit_test(test_long_lines_are_cut_and_still_end),
        cmocka_unit_test(test_a_line_is_one_write),
        cmocka_unit_test(test_fields_in_every_format),
        cmocka_unit_test(test_fields_are_escaped),
        cmocka_unit_test(test_long_fields_are_cut),
        cmocka_unit_test(test_a_fatal_line_is_for_who_starts_the_program),
        cmocka_unit_test(test_control_characters_cannot_forge_a_line),
        cmocka_unit_test(test_threads_do_not_mix_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
