/* Tests of server/options.c: what each row sets, its bounds, and the error message beyond them. */
#include "server/options.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "access/usage.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A setting that is a number, as it is documented. */
struct number {
    const char *name;
    uint64_t low, high, by_default;
    uint64_t unit; /* what 1 means in the field */
    size_t offset, size;
    const char *what; /* the name in its error message */
};

#define FIELD(member) offsetof(struct config, member), sizeof((struct config *)NULL)->member

static const struct number numbers[] = {
    {"threads", 1, 1024, 0, 1, FIELD(threads), "threads"},
    {"databases", 1, 1024, 16, 1, FIELD(store.databases), "databases"},
    {"max-memory", 0, (uint64_t)1 << 46, 0, 1, FIELD(store.max_memory), "bytes"},
    {"max-client-memory", 0, (uint64_t)1 << 46, 0, 1, FIELD(max_client_memory), "bytes"},
    {"log-rewrite-percent", 0, 1000000, 100, 1, FIELD(journal.rewrite_percent), "percent"},
    {"watch-history", 16 << 10, (uint64_t)1 << 46, 64 << 20, 1, FIELD(watch_history), "bytes"},
    {"request-ids", 0, 100000000, 100000, 1, FIELD(request_ids), "request ids"},
    {"session-lifetime", 1, 86400, 900, 1000, FIELD(session_lifetime_ms), "seconds"},
    {"request-id-age", 1, 2592000, 600, 1000, FIELD(request_id_age_ms), "seconds"},
    {"request-id-memory", 16 << 10, (uint64_t)1 << 46, 64 << 20, 1, FIELD(request_id_memory),
     "bytes"},
    {"log-rewrite-min-size", 0, (uint64_t)1 << 50, 64 << 20, 1, FIELD(journal.rewrite_min_size),
     "bytes"},
    {"max-value", 1, 1 << 30, 64 << 20, 1, FIELD(max_value), "bytes"},
    {"drain-delay", 0, 3600, 0, 1000, FIELD(drain_delay_ms), "seconds"},
    {"drain-timeout", 0, 3600, 10, 1000, FIELD(net.drain_timeout_ms), "seconds"},
    {"slow-log-max-len", 0, 100000, 128, 1, FIELD(slow_log_max_len), "calls"},
    {"max-connections", 1, 10000000, 50000, 1, FIELD(max_connections), "connections"},
    {"max-connections-per-address", 0, 10000000, 0, 1, FIELD(max_per_address), "connections"},
    {"max-calls", 0, ACCESS_MOST_CALLS, 0, 1, FIELD(quota.most[QUOTA_CALLS]), "calls"},
    {"max-calls-per-user", 0, ACCESS_MOST_CALLS, 0, 1, FIELD(quota.most[QUOTA_USER_CALLS]),
     "calls"},
    {"calls-per-second-per-user", 0, ACCESS_MOST_RATE, 0, 1, FIELD(quota.most[QUOTA_USER_RATE]),
     "calls"},
    {"max-streams", 1, 1000000, 1000, 1, FIELD(http2.max_streams), "calls"},
    {"max-header-size", 1024, 64 << 10, 16384, 1, FIELD(http2.max_header_bytes), "bytes"},
    {"max-continuations", 0, 1024, 8, 1, FIELD(http2.max_continuations), "frames"},
    {"max-settings-entries", 6, 2730, 64, 1, FIELD(http2.max_settings), "entries"},
    {"max-idle-frames", 10, 1000000000, 1000, 1, FIELD(http2.max_idle_frames), "frames"},
    {"reset-burst", 1, 1000000000, 200, 1, FIELD(http2.reset_burst), "resets"},
    {"resets-per-second", 0, 1000000000, 20, 1, FIELD(http2.resets_per_s), "resets"},
    {"greeting-timeout", 1, 3600, 10, 1000, FIELD(http2.handshake_timeout_ms), "seconds"},
    {"header-timeout", 1, 3600, 10, 1000, FIELD(http2.header_timeout_ms), "seconds"},
    {"write-timeout", 1, 3600, 60, 1000, FIELD(net.write_timeout_ms), "seconds"},
    {"request-timeout", 1, 86400, 60, 1000, FIELD(request_timeout_ms), "seconds"},
    {"min-progress", 1, (uint64_t)1 << 30, 256 * 1024, 1, FIELD(net.min_progress), "bytes"},
    {"idle-timeout", 0, 864000, 0, 1000, FIELD(idle_timeout_ms), "seconds"},
    {"max-connection-age", 0, 864000, 0, 1000, FIELD(max_age_ms), "seconds"},
    {"max-connection-age-grace", 0, 864000, 0, 1000, FIELD(max_age_grace_ms), "seconds"},
    {"keepalive-time", 0, 864000, 300, 1000, FIELD(http2.keepalive_time_ms), "seconds"},
    {"keepalive-timeout", 1, 3600, 20, 1000, FIELD(http2.keepalive_timeout_ms), "seconds"},
    {"min-ping-interval", 0, 86400, 10, 1000, FIELD(http2.min_ping_interval_ms), "seconds"},
};

static size_t row_of(const char *name)
{
    for (size_t i = 0; i < options_table().count; i++) {
        if (strcmp(options_row(i)->name, name) == 0)
            return i;
    }
    fail_msg("there is no row %s", name);
    return 0;
}

static uint64_t read_field(const struct config *config, const struct number *number)
{
    const char *at = (const char *)config + number->offset;
    uint32_t small;
    uint64_t large;
    if (number->size == sizeof large) {
        memcpy(&large, at, sizeof large);
        return large;
    }
    assert_int_equal(number->size, sizeof small);
    memcpy(&small, at, sizeof small);
    return small;
}

/* Sets the row; no other byte of the settings may change, but for the note that it was given. */
static bool set(const struct number *number, const char *value, struct config *config,
                const char **why)
{
    struct config before;
    memcpy(&before, config, sizeof before);
    *why = NULL;
    bool good = options_set(row_of(number->name), config, value, why);
    memcpy((char *)&before + number->offset, (char *)config + number->offset, number->size);
    if (good)
        before.given |= UINT64_C(1) << row_of(number->name);
    assert_memory_equal(&before, config, sizeof before);
    return good;
}

static void assert_sets(const struct number *number, uint64_t value, struct config *config)
{
    char text[32];
    const char *why;
    snprintf(text, sizeof text, "%" PRIu64, value);
    if (!set(number, text, config, &why))
        fail_msg("--%s %s is refused: %s", number->name, text, why);
    assert_int_equal(read_field(config, number), value * number->unit);
}

static void assert_refuses(const struct number *number, const char *text, struct config *config)
{
    char expected[120];
    const char *why;
    uint64_t before = read_field(config, number);
    if (set(number, text, config, &why))
        fail_msg("--%s %s is accepted", number->name, text);
    assert_int_equal(read_field(config, number), before);
    snprintf(expected, sizeof expected, "must be a number of %s, %" PRIu64 " to %" PRIu64 "%s",
             number->what, number->low, number->high,
             strcmp(number->what, "bytes") == 0 ? "; KiB, MiB or GiB may follow" : "");
    assert_string_equal(why, expected);
}

static void test_numbers_and_their_bounds(void **state)
{
    (void)state;
    struct config config;
    options_fill_defaults(&config);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        const struct number *number = &numbers[i];
        char text[32];
        assert_sets(number, number->low, &config);
        assert_sets(number, number->high, &config);
        assert_sets(number, number->low + 3, &config);
        snprintf(text, sizeof text, "%" PRIu64, number->high + 1);
        assert_refuses(number, text, &config);
        if (number->low > 0) {
            snprintf(text, sizeof text, "%" PRIu64, number->low - 1);
            assert_refuses(number, text, &config);
        }
        assert_refuses(number, "", &config);
        assert_refuses(number, "-1", &config);
        assert_refuses(number, "1x", &config);
        assert_refuses(number, "18446744073709551617", &config);
    }
}

static void test_units_are_for_bytes_only(void **state)
{
    (void)state;
    struct config config;
    options_fill_defaults(&config);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        const char *why;
        if (strcmp(numbers[i].what, "bytes") != 0) {
            assert_refuses(&numbers[i], "8K", &config);
            continue;
        }
        assert_true(set(&numbers[i], "32KiB", &config, &why));
        assert_int_equal(read_field(&config, &numbers[i]), 32 * 1024);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    struct config config;
    options_fill_defaults(&config);
    assert_true(config.threads >= 1);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (numbers[i].by_default != 0)
            assert_int_equal(read_field(&config, &numbers[i]),
                             numbers[i].by_default * numbers[i].unit);
    }
    assert_int_equal(config.max_per_address, 0);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_int_equal(config.listen_count, 0);
    assert_int_equal(config.http2.stream_window, http2_default_limits.stream_window);
    assert_int_equal(config.net.max_queued, net_default_limits.max_queued);
}

/* The default in brackets, as --help shows it, is the default. */
static void test_help_tells_the_default(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        const char *help = options_row(row_of(numbers[i].name))->help;
        const char *bracket = strrchr(help, '(');
        char expected[40];
        uint64_t number = numbers[i].by_default;
        const char *unit = "";
        if (strcmp(numbers[i].name, "threads") == 0)
            continue;
        if (strcmp(numbers[i].what, "bytes") == 0) {
            unit = number == 0 ? "" : number >= 1 << 20 ? "MiB" : "KiB";
            number >>= number >= 1 << 20 ? 20 : 10; /* 0 stays 0 */
        }
        snprintf(expected, sizeof expected, "(%" PRIu64 "%s)", number, unit);
        assert_non_null(bracket);
        assert_string_equal(bracket, expected);
    }
}

static void test_the_log_level(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    size_t row = row_of("log-level");
    options_fill_defaults(&config);
    assert_true(options_set(row, &config, "error", &why));
    assert_int_equal(config.log_level, LOG_ERROR);
    assert_true(options_set(row, &config, "debug", &why));
    assert_int_equal(config.log_level, LOG_DEBUG);
    assert_false(options_set(row, &config, "loud", &why));
    assert_string_equal(why, "must be error, warning, info or debug");
    assert_int_equal(config.log_level, LOG_DEBUG);
}

static void test_the_log_format(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    size_t row = row_of("log-format");
    options_fill_defaults(&config);
    assert_int_equal(config.log_format, LOG_TEXT);
    assert_true(options_set(row, &config, "json", &why));
    assert_int_equal(config.log_format, LOG_JSON);
    assert_false(options_set(row, &config, "xml", &why));
    assert_string_equal(why, "must be text, logfmt or json");
    assert_int_equal(config.log_format, LOG_JSON);
}

static void test_slow_calls(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t us; /* -1: refused */
    } cases[] = {{"0", 0},           {"250", 250},      {"3600000000", 3600000000},
                 {"off", INT64_MAX}, {"-1", INT64_MAX}, {"3600000001", -1},
                 {"-2", -1},         {"", -1},          {"10ms", -1}};
    size_t row = row_of("slow-log-us");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        const char *why = NULL;
        options_fill_defaults(&config);
        assert_int_equal(config.slow_log_us, 10000);
        assert_int_equal(options_set(row, &config, cases[i].value, &why), cases[i].us >= 0);
        assert_int_equal(config.slow_log_us, cases[i].us >= 0 ? cases[i].us : 10000);
    }
}

static void test_reflection(void **state)
{
    (void)state;
    static const char *const names[] = {
        [REFLECTION_ON] = "on", [REFLECTION_OFF] = "off", [REFLECTION_TEXT] = "text"};
    struct config config;
    const char *why = NULL;
    size_t row = row_of("reflection");
    options_fill_defaults(&config);
    assert_int_equal(config.reflection, REFLECTION_ON);
    for (size_t i = COUNT(names); i-- > 0;) {
        assert_true(options_set(row, &config, names[i], &why));
        assert_int_equal(config.reflection, i);
    }
    assert_false(options_set(row, &config, "yes", &why));
    assert_string_equal(why, "must be on, off or text");
}

static void test_compressed_replies(void **state)
{
    (void)state;
    static const char *const names[] = {[GRPC_COMPRESS_ASKED] = "asked",
                                        [GRPC_COMPRESS_ALWAYS] = "always",
                                        [GRPC_COMPRESS_NEVER] = "never"};
    struct config config;
    const char *why = NULL;
    size_t row = row_of("compress-replies");
    options_fill_defaults(&config);
    assert_int_equal(config.compress_replies, GRPC_COMPRESS_ASKED);
    for (size_t i = COUNT(names); i-- > 0;) {
        assert_true(options_set(row, &config, names[i], &why));
        assert_int_equal(config.compress_replies, i);
    }
    assert_false(options_set(row, &config, "gzip", &why));
    assert_string_equal(why, "must be asked, always or never");
}

static void test_the_address_of_metrics(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    size_t row = row_of("metrics-listen");
    options_fill_defaults(&config);
    assert_int_equal(config.metrics_listen.size, 0);
    assert_true(options_set(row, &config, "127.0.0.1:9464", &why));
    assert_int_equal(net_address_port(&config.metrics_listen), 9464);
    assert_false(options_set(row, &config, "unix:/x", &why));
    assert_string_equal(why, "must be HOST:PORT; unix sockets are not supported here");
    assert_false(options_set(row, &config, "9464", &why));
    assert_non_null(why);
    assert_string_equal(config.metrics_listen.text, "127.0.0.1:9464");
    assert_true(options_set(row, &config, "[::1]:1", &why));
    assert_int_equal(net_address_port(&config.metrics_listen), 1);
}

static void test_the_memory_policy(void **state)
{
    (void)state;
    static const char *const names[] = {"noeviction", "allkeys-lru", "volatile-lru",
                                        "allkeys-random", "volatile-ttl"};
    struct config config;
    const char *why = NULL;
    size_t row = row_of("max-memory-policy");
    options_fill_defaults(&config);
    assert_int_equal(config.store.policy, STORE_NOEVICTION);
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(options_set(row, &config, names[i], &why));
        assert_int_equal(config.store.policy, i);
        assert_string_equal(options_policy_name(config.store.policy), names[i]);
    }
    assert_false(options_set(row, &config, "allkeys-lfu", &why));
    assert_non_null(strstr(why, "allkeys-lru"));
    assert_int_equal(config.store.policy, STORE_VOLATILE_TTL);
}

static void test_the_durability(void **state)
{
    (void)state;
    static const char *const names[] = {"always", "everysec", "none"};
    struct config config;
    const char *why = NULL;
    size_t row = row_of("durability");
    options_fill_defaults(&config);
    assert_int_equal(config.journal.durability, JOURNAL_ALWAYS);
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(options_set(row, &config, names[i], &why));
        assert_string_equal(options_durability_name(config.journal.durability), names[i]);
    }
    assert_false(options_set(row, &config, "sometimes", &why));
    assert_string_equal(why, "must be always, everysec or none");
    assert_int_equal(config.journal.durability, JOURNAL_NONE);
}

static void test_the_directory(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    char long_path[CONFIG_MAX_PATH + 1];
    options_fill_defaults(&config);
    assert_string_equal(config.dir, "./data");
    assert_true(options_set(row_of("dir"), &config, "/somewhere", &why));
    assert_false(options_set(row_of("dir"), &config, "", &why));
    memset(long_path, 'a', CONFIG_MAX_PATH);
    long_path[CONFIG_MAX_PATH] = '\0';
    assert_false(options_set(row_of("dir"), &config, long_path, &why));
    assert_string_equal(config.dir, "/somewhere");
}

static void test_the_audit_log(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    size_t row = row_of("audit-log");
    options_fill_defaults(&config);
    assert_string_equal(config.audit_log, "");
    assert_true(options_set(row, &config, "journal", &why));
    assert_string_equal(config.audit_log, "journal");
    assert_true(options_set(row, &config, "", &why));
    assert_string_equal(config.audit_log, "");
}

static void test_open_listeners(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    size_t row = row_of("insecure");
    options_fill_defaults(&config);
    assert_false(config.insecure);
    assert_true(options_set(row, &config, "yes", &why));
    assert_true(config.insecure);
    assert_true(options_set(row, &config, "no", &why));
    assert_false(config.insecure);
    assert_false(options_set(row, &config, "perhaps", &why));
}

static void test_the_users_file(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    char long_path[CONFIG_MAX_PATH + 1], accepts[OPTIONS_ACCEPTS_SIZE];
    size_t row = row_of("users-file");
    options_fill_defaults(&config);
    assert_string_equal(config.users_file, "");
    assert_true(options_set(row, &config, "/etc/users", &why));
    assert_string_equal(config.users_file, "/etc/users");
    assert_true(options_set(row, &config, "", &why));
    memset(long_path, 'a', CONFIG_MAX_PATH);
    long_path[CONFIG_MAX_PATH] = '\0';
    assert_false(options_set(row, &config, long_path, &why));
    assert_string_equal(config.users_file, "");
    options_accepts(row, accepts);
    assert_string_equal(accepts, "the path of a file, or empty, 0 to 1023 bytes");
    assert_false(options_is_changeable(row));
}

static void test_the_rules_of_saving(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "900", "900 0", "0 1", "900 1 300", "900 x", "-1 1", "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"};
    struct config config;
    const char *why = NULL;
    size_t row = row_of("save");
    options_fill_defaults(&config);
    assert_true(options_set(row, &config, "900 1  300 10", &why));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(options_set(row, &config, bad[i], &why));
    assert_int_equal(config.journal.rule_count, 2);
    assert_int_equal(config.journal.rules[1].seconds, 300);
    assert_int_equal(config.journal.rules[1].changes, 10);
    assert_true(options_set(row, &config, "", &why));
    assert_int_equal(config.journal.rule_count, 0);
    /* Without rules and without a log there are Redis' own, unless none were asked for. */
    config.journal.durability = JOURNAL_NONE;
    options_settle(&config);
    assert_int_equal(config.journal.rule_count, 0);
    options_fill_defaults(&config);
    options_settle(&config);
    assert_int_equal(config.journal.rule_count, 0);
    config.journal.durability = JOURNAL_NONE;
    options_settle(&config);
    assert_int_equal(config.journal.rule_count, 2);
}

static void test_the_switch(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    size_t row = row_of("import-skip-unsupported");
    options_fill_defaults(&config);
    assert_false(config.journal.skip_unsupported);
    assert_true(options_set(row, &config, NULL, &why));
    assert_true(config.journal.skip_unsupported);
    assert_true(options_set(row, &config, "no", &why));
    assert_false(config.journal.skip_unsupported);
    assert_false(options_set(row, &config, "perhaps", &why));
}

static void test_addresses_add_up(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    size_t row = row_of("listen");
    assert_int_equal(row, OPTION_FIRST_SETTING);
    options_fill_defaults(&config);
    assert_true(options_set(row, &config, OPTIONS_DEFAULT_LISTEN, &why));
    assert_false(options_set(row, &config, "nonsense", &why));
    assert_non_null(why);
    assert_int_equal(config.listen_count, 1);
    for (size_t i = 1; i < CONFIG_MAX_LISTEN; i++)
        assert_true(options_set(row, &config, i % 2 == 0 ? "127.0.0.1:0" : "unix:/x", &why));
    assert_int_equal(config.listen_count, CONFIG_MAX_LISTEN);
    assert_true(net_address_is_unix(&config.listen[1]));
    assert_false(net_address_is_unix(&config.listen[2]));
    assert_false(options_set(row, &config, "127.0.0.1:0", &why));
    assert_string_equal(why, "the server listens on at most 16 addresses");
    assert_int_equal(config.listen_count, CONFIG_MAX_LISTEN);
}

static void test_the_address_of_health_checks(void **state)
{
    (void)state;
    struct config config;
    const char *why = NULL;
    size_t row = row_of("health-listen");
    options_fill_defaults(&config);
    assert_int_equal(config.health_listen.size, 0);
    assert_true(options_set(row, &config, "unix:/x", &why));
    assert_true(options_set(row, &config, "[::1]:8080", &why)); /* the last one counts */
    assert_true(config.health_listen.size > 0);
    assert_int_equal(net_address_port(&config.health_listen), 8080);
    assert_false(options_set(row, &config, "8080", &why));
    assert_non_null(why);
    assert_int_equal(config.listen_count, 0);
}

/* A row that is added needs a test above. */
static void test_every_row_is_known_here(void **state)
{
    (void)state;
    assert_int_equal(options_table().count, OPTION_FIRST_SETTING + 21 + COUNT(numbers));
    assert_string_equal(options_row(OPTION_CONFIG)->name, "config");
    assert_string_equal(options_row(OPTION_HELP)->name, "help");
    assert_string_equal(options_row(OPTION_VERSION)->name, "version");
    assert_null(options_row(OPTION_HELP)->argument);
    assert_null(options_row(OPTION_VERSION)->argument);
    for (size_t i = 0; i < options_table().count; i++) {
        assert_int_equal(row_of(options_row(i)->name), i); /* names are unique */
        assert_true(strlen(options_row(i)->help) > 0);
        if (i >= OPTION_FIRST_SETTING)
            assert_true(options_row(i)->argument != NULL || i == row_of("insecure") ||
                        i == row_of("import-skip-unsupported"));
    }
}

static void test_tls(void **state)
{
    struct config config;
    const char *why;
    char value[OPTIONS_VALUE_SIZE];
    (void)state;
    options_fill_defaults(&config);
    assert_true(options_set(row_of("tls-listen"), &config, "127.0.0.1:1", &why));
    assert_true(options_set(row_of("listen"), &config, "127.0.0.1:2", &why));
    assert_true(options_set(row_of("tls-listen"), &config, "unix:/tmp/x", &why));
    assert_int_equal(config.listen_count, 3);
    assert_true(config.listen[0].is_tls && !config.listen[1].is_tls && config.listen[2].is_tls);
    assert_true(options_print(row_of("tls-listen"), &config, 1, value));
    assert_string_equal(value, "unix:/tmp/x");
    assert_false(options_print(row_of("tls-listen"), &config, 2, value));
    assert_true(options_print(row_of("listen"), &config, 0, value));
    assert_string_equal(value, "127.0.0.1:2");
    assert_false(options_print(row_of("listen"), &config, 1, value));
    char long_path[CONFIG_MAX_PATH + 1];
    memset(long_path, 'x', CONFIG_MAX_PATH);
    long_path[CONFIG_MAX_PATH] = '\0';
    assert_false(options_set(row_of("tls-cert"), &config, long_path, &why));
    assert_string_equal(why, "must be the path of a file, or empty, 0 to 1023 bytes");
    assert_true(options_set(row_of("tls-cert"), &config, "", &why));
    assert_true(options_set(row_of("tls-cert"), &config, "/cert", &why));
    assert_string_equal(config.tls_cert, "/cert");
    assert_true(options_set(row_of("tls-key"), &config, "/key", &why));
    assert_string_equal(config.tls_key, "/key");
    assert_false(options_set(row_of("tls-client-certs"), &config, "yes", &why));
    assert_string_equal(why, "must be off, optional or required");
}

/* A CA is a wish for certificates, unless somebody says otherwise. */
static void test_default_of_client_certificates(void **state)
{
    static const char *const given[] = {NULL, "off", "optional", "required"};
    (void)state;
    for (size_t i = 0; i < COUNT(given); i++) {
        struct config config;
        const char *why;
        options_fill_defaults(&config);
        options_settle(&config);
        assert_int_equal(config.tls_client_certs, NET_TLS_CLIENT_CERTS_OFF);
        assert_true(options_set(row_of("tls-client-ca"), &config, "/ca", &why));
        if (given[i] != NULL)
            assert_true(options_set(row_of("tls-client-certs"), &config, given[i], &why));
        options_settle(&config);
        assert_int_equal(config.tls_client_certs,
                         given[i] == NULL ? NET_TLS_CLIENT_CERTS_REQUIRED : i - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_their_bounds),
        cmocka_unit_test(test_units_are_for_bytes_only),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_help_tells_the_default),
        cmocka_unit_test(test_the_log_level),
        cmocka_unit_test(test_the_log_format),
        cmocka_unit_test(test_slow_calls),
        cmocka_unit_test(test_reflection),
        cmocka_unit_test(test_compressed_replies),
        cmocka_unit_test(test_the_address_of_metrics),
        cmocka_unit_test(test_the_memory_policy),
        cmocka_unit_test(test_the_durability),
        cmocka_unit_test(test_the_directory),
        cmocka_unit_test(test_the_audit_log),
        cmocka_unit_test(test_the_users_file),
        cmocka_unit_test(test_open_listeners),
        cmocka_unit_test(test_the_rules_of_saving),
        cmocka_unit_test(test_the_switch),
        cmocka_unit_test(test_addresses_add_up),
        cmocka_unit_test(test_the_address_of_health_checks),
        cmocka_unit_test(test_every_row_is_known_here),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_default_of_client_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
