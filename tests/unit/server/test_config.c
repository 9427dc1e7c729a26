/* Tests of server/config.c: both sources of settings, and the error message for every bad one. */
#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_ARGUMENTS 24

/* A reading of settings, with what it printed. */
struct reading {
    enum config_answer answer;
    struct config config;
    char out[16384];
    char err[4096];
};

/* Sends a stream's descriptor to a file of its own; the descriptor that it had. */
static int redirect(FILE *stream, FILE *file)
{
    fflush(stream);
    int kept = dup(fileno(stream));
    assert_true(kept >= 0);
    assert_true(dup2(fileno(file), fileno(stream)) >= 0);
    return kept;
}

static void restore(FILE *stream, int kept, FILE *file, char *text, size_t size)
{
    fflush(stream);
    assert_true(dup2(kept, fileno(stream)) >= 0);
    close(kept);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* Reads the arguments, up to a NULL. */
static void read_arguments(struct reading *reading, char **arguments)
{
    char *argv[MAX_ARGUMENTS + 2] = {"keystore-server"};
    int argc = 1;
    while (argc <= MAX_ARGUMENTS && arguments[argc - 1] != NULL) {
        argv[argc] = arguments[argc - 1];
        argc++;
    }
    FILE *out = tmpfile(), *err = tmpfile();
    assert_non_null(out);
    assert_non_null(err);
    int kept_out = redirect(stdout, out), kept_err = redirect(stderr, err);
    reading->answer = config_read(argc, argv, &reading->config);
    restore(stdout, kept_out, out, reading->out, sizeof reading->out);
    restore(stderr, kept_err, err, reading->err, sizeof reading->err);
}

#define READ(reading, ...) read_arguments(reading, (char *[]){__VA_ARGS__, NULL})

static void assert_good(const struct reading *reading)
{
    if (reading->answer != CONFIG_RUN)
        fail_msg("refused: %s", reading->err);
    assert_string_equal(reading->out, "");
    assert_string_equal(reading->err, "");
}

/* The whole of standard error is this line. */
static void assert_bad(const struct reading *reading, const char *message)
{
    char line[1200];
    snprintf(line, sizeof line, "keystore-server: %s\n", message);
    assert_int_equal(reading->answer, CONFIG_BAD);
    assert_string_equal(reading->err, line);
    assert_string_equal(reading->out, "");
}

/* Configuration files. */

struct file {
    char path[64];
};

static struct file write_file(const char *text)
{
    struct file file = {"/tmp/keystore-test-XXXXXX"};
    int descriptor = mkstemp(file.path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
    close(descriptor);
    return file;
}

static void read_file(struct reading *reading, const char *text)
{
    struct file file = write_file(text);
    READ(reading, "--config", file.path);
    unlink(file.path);
}

/* The text is refused with "PATH:LINE: message". */
static void assert_bad_file(const char *text, int line, const char *message)
{
    static struct reading reading;
    char expected[1024];
    struct file file = write_file(text);
    READ(&reading, "--config", file.path);
    unlink(file.path);
    snprintf(expected, sizeof expected, "%s:%d: %s", file.path, line, message);
    assert_bad(&reading, expected);
}

static void assert_listens(const struct config *config, size_t count, const char *const *addresses)
{
    assert_int_equal(config->listen_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(config->listen[i].text, addresses[i]);
}

#define ASSERT_LISTENS(config, ...)                                                                \
    assert_listens(config, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                 \
                   (const char *[]){__VA_ARGS__})

static void test_defaults(void **state)
{
    (void)state;
    static struct reading reading;
    READ(&reading, NULL);
    assert_good(&reading);
    ASSERT_LISTENS(&reading.config, "127.0.0.1:50051");
    assert_int_equal(net_address_port(&reading.config.listen[0]), 50051);
    assert_int_equal(reading.config.threads, sysconf(_SC_NPROCESSORS_ONLN));
    assert_int_equal(reading.config.max_value, 64 * 1024 * 1024);
    assert_int_equal(reading.config.net.drain_timeout_ms, 10000);
    assert_int_equal(reading.config.log_level, LOG_INFO);
}

static void test_the_command_line(void **state)
{
    (void)state;
    static struct reading reading;
    READ(&reading, "--listen", "127.0.0.1:0", "--listen=unix:/tmp/x", "--threads", "3",
         "--max-value=512KiB", "--drain-timeout", "7", "--log-level=debug");
    assert_good(&reading);
    ASSERT_LISTENS(&reading.config, "127.0.0.1:0", "unix:/tmp/x");
    assert_true(net_address_is_unix(&reading.config.listen[1]));
    assert_int_equal(reading.config.threads, 3);
    assert_int_equal(reading.config.max_value, 512 * 1024);
    assert_int_equal(reading.config.net.drain_timeout_ms, 7000);
    assert_int_equal(reading.config.log_level, LOG_DEBUG);
}

static void test_values_at_their_bounds(void **state)
{
    (void)state;
    static struct reading reading;
    READ(&reading, "--threads", "1", "--max-value", "1", "--drain-timeout", "0");
    assert_good(&reading);
    assert_int_equal(reading.config.threads, 1);
    assert_int_equal(reading.config.max_value, 1);
    assert_int_equal(reading.config.net.drain_timeout_ms, 0);
    READ(&reading, "--threads", "1024", "--max-value", "1GiB", "--drain-timeout", "3600");
    assert_good(&reading);
    assert_int_equal(reading.config.threads, 1024);
    assert_int_equal(reading.config.max_value, 1 << 30);
    assert_int_equal(reading.config.net.drain_timeout_ms, 3600000);
}

static void test_bad_values_on_the_command_line(void **state)
{
    (void)state;
    static struct reading reading;
    static const struct {
        char *argument;
        const char *message;
    } cases[] = {
        {"--threads=0", "bad value `0` for --threads: must be a number of threads, 1 to 1024"},
        {"--threads=1025",
         "bad value `1025` for --threads: must be a number of threads, 1 to 1024"},
        {"--threads=", "bad value `` for --threads: must be a number of threads, 1 to 1024"},
        {"--threads=-1", "bad value `-1` for --threads: must be a number of threads, 1 to 1024"},
        {"--threads=two", "bad value `two` for --threads: must be a number of threads, 1 to 1024"},
        {"--max-value=0",
         "bad value `0` for --max-value: must be a number of bytes, 1 to 1073741824; "
         "KiB, MiB or GiB may follow"},
        {"--max-value=1073741825", "bad value `1073741825` for --max-value: must be a number of "
                                   "bytes, 1 to 1073741824; KiB, MiB or GiB may follow"},
        {"--max-value=2G",
         "bad value `2G` for --max-value: must be a number of bytes, 1 to 1073741824; "
         "KiB, MiB or GiB may follow"},
        {"--drain-timeout=3601",
         "bad value `3601` for --drain-timeout: must be a number of seconds, 0 to 3600"},
        {"--drain-timeout=1s",
         "bad value `1s` for --drain-timeout: must be a number of seconds, 0 to 3600"},
        {"--log-level=loud",
         "bad value `loud` for --log-level: must be error, warning, info or debug"},
        {"--log-level=INFO",
         "bad value `INFO` for --log-level: must be error, warning, info or debug"},
        {"--listen=", "bad value `` for --listen: an address is HOST:PORT with a port of 0 to "
                      "65535, or unix:PATH"},
        {"--listen=127.0.0.1:65536", "bad value `127.0.0.1:65536` for --listen: an address is "
                                     "HOST:PORT with a port of 0 to 65535, or unix:PATH"},
        {"--listen=example.org:80", "bad value `example.org:80` for --listen: the host is not an "
                                    "IPv4 or IPv6 address or localhost, as in 127.0.0.1:50051"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        READ(&reading, cases[i].argument);
        assert_bad(&reading, cases[i].message);
        READ(&reading, "--log-level", "error", cases[i].argument, "--threads", "1");
        assert_bad(&reading, cases[i].message);
    }
}

static void test_unknown_options(void **state)
{
    (void)state;
    static struct reading reading;
    READ(&reading, "--port=1");
    assert_bad(&reading, "there is no option --port=1; see keystore-server --help");
    READ(&reading, "--help", "--bogus");
    assert_bad(&reading, "there is no option --bogus; see keystore-server --help");
    READ(&reading, "--version", "--threads=0");
    assert_bad(&reading, "bad value `0` for --threads: must be a number of threads, 1 to 1024");
    READ(&reading, "--help", "start");
    assert_bad(&reading,
               "`start` is not an option; options start with --, see keystore-server --help");
    READ(&reading, "--threads", "2", "-x");
    assert_bad(&reading, "there is no option -x; see keystore-server --help");
    READ(&reading, "--help=yes");
    assert_bad(&reading, "the option --help=yes takes no value; see keystore-server --help");
    READ(&reading, "-xy");
    assert_bad(&reading, "there is no option -x; see keystore-server --help");
    /* The next reading is not affected. */
    READ(&reading, "--threads=2");
    assert_good(&reading);
    /* Short for two. */
    READ(&reading, "--l=1");
    assert_bad(&reading, "there is no option --l=1; see keystore-server --help");
}

static void test_a_missing_value(void **state)
{
    (void)state;
    static struct reading reading;
    static char *const options[] = {"--listen",        "--threads",   "--max-value",
                                    "--drain-timeout", "--log-level", "--config"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        char message[100];
        snprintf(message, sizeof message, "the option %s needs a value; see keystore-server --help",
                 options[i]);
        READ(&reading, "--threads", "2", options[i]);
        assert_bad(&reading, message);
    }
}

static void test_a_word_that_is_no_option(void **state)
{
    (void)state;
    static struct reading reading;
    READ(&reading, "start");
    assert_bad(&reading,
               "`start` is not an option; options start with --, see keystore-server --help");
    READ(&reading, "--threads", "2", "127.0.0.1:1", "--threads", "3");
    assert_bad(&reading,
               "`127.0.0.1:1` is not an option; options start with --, see keystore-server --help");
    READ(&reading, "--", "--threads");
    assert_bad(&reading,
               "`--threads` is not an option; options start with --, see keystore-server --help");
}

static void test_at_most_16_addresses(void **state)
{
    (void)state;
    static struct reading reading;
    char *arguments[CONFIG_MAX_LISTEN + 2] = {NULL};
    for (int i = 0; i < CONFIG_MAX_LISTEN; i++)
        arguments[i] = "--listen=127.0.0.1:0";
    read_arguments(&reading, arguments);
    assert_good(&reading);
    assert_int_equal(reading.config.listen_count, 16);
    arguments[CONFIG_MAX_LISTEN] = "--listen=127.0.0.1:0";
    read_arguments(&reading, arguments);
    assert_bad(&reading, "bad value `127.0.0.1:0` for --listen: the server listens on at "
                         "most 16 addresses");
}

static void test_help_names_every_option(void **state)
{
    (void)state;
    static struct reading reading;
    static const char *const names[] = {
        "--config FILE",     "--listen ADDRESS",        "--threads N", "--max-value BYTES",
        "--log-level LEVEL", "--drain-timeout SECONDS", "--help",      "--version"};
    READ(&reading, "--help", "--threads", "2");
    assert_int_equal(reading.answer, CONFIG_EXIT);
    assert_string_equal(reading.err, "");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(reading.out, names[i]));
}

static void test_version(void **state)
{
    (void)state;
    static struct reading reading;
    READ(&reading, "--threads=2", "--version");
    assert_int_equal(reading.answer, CONFIG_EXIT);
    assert_string_equal(reading.out, "keystore-server " KEYSTORE_VERSION "\n");
    assert_string_equal(reading.err, "");
}

static void test_a_file(void **state)
{
    (void)state;
    static struct reading reading;
    read_file(&reading, "# a comment\n"
                        "\n"
                        "listen = 127.0.0.1:0\n"
                        "listen=[::1]:7000\n"
                        "  ; another one\n"
                        "threads =   5\n"
                        "max-value = 1MiB\n"
                        "drain-timeout = 0\n"
                        "log-level = warning");
    assert_good(&reading);
    ASSERT_LISTENS(&reading.config, "127.0.0.1:0", "[::1]:7000");
    assert_int_equal(reading.config.threads, 5);
    assert_int_equal(reading.config.max_value, 1 << 20);
    assert_int_equal(reading.config.net.drain_timeout_ms, 0);
    assert_int_equal(reading.config.log_level, LOG_WARNING);
}

static void test_an_empty_file_sets_nothing(void **state)
{
    (void)state;
    static struct reading reading;
    read_file(&reading, "");
    assert_good(&reading);
    ASSERT_LISTENS(&reading.config, "127.0.0.1:50051");
}

static void test_the_command_line_wins_over_the_file(void **state)
{
    (void)state;
    static struct reading reading;
    struct file file = write_file("listen = 127.0.0.1:1\nlisten = 127.0.0.1:2\n"
                                  "threads = 5\nlog-level = error\nmax-value = 1MiB\n");
    READ(&reading, "--listen=127.0.0.1:3", "--threads=2", "--config", file.path, "--max-value=2M");
    unlink(file.path);
    assert_good(&reading);
    ASSERT_LISTENS(&reading.config, "127.0.0.1:3");
    assert_int_equal(reading.config.threads, 2);
    assert_int_equal(reading.config.max_value, 2 << 20);
    assert_int_equal(reading.config.log_level, LOG_ERROR);
}

static void test_bad_lines_of_a_file(void **state)
{
    (void)state;
    assert_bad_file("threads = 2\n\n# fine\nthreads = many\n", 4,
                    "bad value `many` for threads: must be a number of threads, 1 to 1024");
    assert_bad_file("listen = 127.0.0.1\n", 1,
                    "bad value `127.0.0.1` for listen: an address is HOST:PORT with a port of 0 "
                    "to 65535, or unix:PATH");
    assert_bad_file("threads =\n", 1,
                    "bad value `` for threads: must be a number of threads, 1 to 1024");
    assert_bad_file("\nthread = 2\n", 2, "unknown setting `thread`; see keystore-server --help");
    assert_bad_file("--threads = 2\n", 1,
                    "unknown setting `--threads`; see keystore-server --help");
    assert_bad_file("log-level = info\njust words\n", 2,
                    "a line must be `name = value` or # a comment");
    assert_bad_file("[server]\nthreads = 2\n", 2,
                    "sections are not supported; remove the line [server]");
    assert_bad_file("threads = 2\nthreads = 1 # one\n", 2,
                    "bad value `1 # one` for threads: must be a number of threads, 1 to 1024");
}

/* They are for the command line only: a file cannot name another one. */
static void test_options_that_are_no_settings(void **state)
{
    (void)state;
    assert_bad_file("config = other\n", 1, "unknown setting `config`; see keystore-server --help");
    assert_bad_file("help = yes\n", 1, "unknown setting `help`; see keystore-server --help");
    assert_bad_file("version = 1\n", 1, "unknown setting `version`; see keystore-server --help");
}

static void test_the_first_bad_line_is_told(void **state)
{
    (void)state;
    assert_bad_file("threads = x\nlog-level = y\n", 1,
                    "bad value `x` for threads: must be a number of threads, 1 to 1024");
    assert_bad_file("just words\nlog-level = y\n", 1,
                    "a line must be `name = value` or # a comment");
    assert_bad_file("log-level = y\njust words\n", 1,
                    "bad value `y` for log-level: must be error, warning, info or debug");
}

static void test_long_lines(void **state)
{
    (void)state;
    static struct reading reading;
    char text[2000];
    snprintf(text, sizeof text, "# %0900d\n   ; %0400d\nthreads = 3\n", 0, 0);
    read_file(&reading, text);
    assert_good(&reading);
    assert_int_equal(reading.config.threads, 3);

    snprintf(text, sizeof text, "# %0900d\nthreads = none\n", 0);
    assert_bad_file(text, 2,
                    "bad value `none` for threads: must be a number of threads, 1 to 1024");
    snprintf(text, sizeof text, "threads = 3\nlisten = unix:/%0500d\n", 0);
    struct file file = write_file(text);
    READ(&reading, "--config", file.path);
    unlink(file.path);
    assert_int_equal(reading.answer, CONFIG_BAD);
    assert_non_null(strstr(reading.err, ":2: the line is longer than any setting"));
}

static void test_a_file_that_cannot_be_read(void **state)
{
    (void)state;
    static struct reading reading;
    READ(&reading, "--config", "/nowhere/at/all");
    assert_bad(&reading,
               "cannot read the configuration file /nowhere/at/all: No such file or directory");
    READ(&reading, "--config", "/tmp");
    assert_bad(&reading, "cannot read the configuration file /tmp: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_the_command_line),
        cmocka_unit_test(test_values_at_their_bounds),
        cmocka_unit_test(test_bad_values_on_the_command_line),
        cmocka_unit_test(test_unknown_options),
        cmocka_unit_test(test_a_missing_value),
        cmocka_unit_test(test_a_word_that_is_no_option),
        cmocka_unit_test(test_at_most_16_addresses),
        cmocka_unit_test(test_help_names_every_option),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_a_file),
        cmocka_unit_test(test_an_empty_file_sets_nothing),
        cmocka_unit_test(test_the_command_line_wins_over_the_file),
        cmocka_unit_test(test_bad_lines_of_a_file),
        cmocka_unit_test(test_options_that_are_no_settings),
        cmocka_unit_test(test_the_first_bad_line_is_told),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_a_file_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
