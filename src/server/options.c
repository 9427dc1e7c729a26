/* Settings as rows: most are a number with bounds, stored at an offset in struct config. */
#include "server/options.h"

#include "access/usage.h"
#include "base/check.h"
#include "grpc/server.h"
#include "server/values.h"
#include "store/receipts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct config, member)

/* How a setting is written, and its type in struct config. */
enum option_type {
    TYPE_NONE,
    TYPE_LISTEN,  /* `high` is 1 if its connections speak TLS */
    TYPE_ADDRESS, /* struct net_address; `high` is 1 if unix sockets are accepted */
    TYPE_NAME,    /* an enum whose values have names */
    TYPE_SLOW,    /* int64_t, in microseconds, or CONFIG_SLOW_LOG_OFF */
    TYPE_PATH,    /* char[CONFIG_MAX_PATH] */
    TYPE_RULES,   /* of struct journal_options */
    TYPE_FLAG,    /* bool; no value or `yes` sets it */
    TYPE_COUNT,   /* uint32_t */
    TYPE_BYTES,   /* size_t */
    TYPE_SECONDS, /* int64_t, in milliseconds */
};

struct setting {
    struct option_row option; /* first: it is a row of the option table */
    size_t offset;            /* in struct config */
    uint64_t low, high;
    const char *what;         /* what a value must be, for error messages */
    const char *const *names; /* of TYPE_NAME, `high` + 1 of them */
    enum option_type type;
    bool is_changeable; /* while the server runs: runtime.c applies it */
};

static const char *const policies[] = {
    [STORE_NOEVICTION] = "noeviction",     [STORE_ALLKEYS_LRU] = "allkeys-lru",
    [STORE_VOLATILE_LRU] = "volatile-lru", [STORE_ALLKEYS_RANDOM] = "allkeys-random",
    [STORE_VOLATILE_TTL] = "volatile-ttl",
};
static const char *const reflections[] = {
    [REFLECTION_ON] = "on", [REFLECTION_OFF] = "off", [REFLECTION_TEXT] = "text"};
static const char *const compressions[] = {[GRPC_COMPRESS_ASKED] = "asked",
                                           [GRPC_COMPRESS_ALWAYS] = "always",
                                           [GRPC_COMPRESS_NEVER] = "never"};
static const char *const client_certs[] = {[NET_TLS_CLIENT_CERTS_OFF] = "off",
                                           [NET_TLS_CLIENT_CERTS_OPTIONAL] = "optional",
                                           [NET_TLS_CLIENT_CERTS_REQUIRED] = "required"};
static const char *const durabilities[] = {
    [JOURNAL_ALWAYS] = "always", [JOURNAL_EVERY_SECOND] = "everysec", [JOURNAL_NONE] = "none"};

/* The rest of a row whose value is a number, a size or a time. */
#define NUMBER(type_, member, low_, high_, what_)                                                  \
    .type = (type_), .offset = AT(member), .low = (low_), .high = (high_), .what = (what_)

/* The rest of a row of TYPE_PATH. `low_`: 1, or 0 if there may be none. */
#define PATH(member, low_, what_)                                                                  \
    .type = TYPE_PATH, .offset = AT(member), .low = (low_), .high = CONFIG_MAX_PATH - 1,           \
    .what = (what_)

/* The rest of a row of TYPE_NAME. */
#define NAMES(member, names_)                                                                      \
    .type = TYPE_NAME, .offset = AT(member), .high = sizeof(names_) / sizeof(names_)[0] - 1,       \
    .names = (names_)

static const struct setting settings[] = {
    [OPTION_CONFIG] = {{0, "config", "FILE", "read settings from FILE, lines of `name = value`"},
                       .type = TYPE_NONE},
    [OPTION_HELP] = {{0, "help", NULL, "print this help and exit"}, .type = TYPE_NONE},
    [OPTION_VERSION] = {{0, "version", NULL, "print the version and exit"}, .type = TYPE_NONE},
    [OPTION_FIRST_SETTING] =
        {{0, "listen", "ADDRESS",
          "listen on HOST:PORT or unix:PATH; may be repeated (" OPTIONS_DEFAULT_LISTEN ")"},
         .type = TYPE_LISTEN},
    {{0, "tls-listen", "ADDRESS",
      "listen there with TLS; may be repeated, and replaces the default of --listen"},
     .type = TYPE_LISTEN,
     .high = 1},
    {{0, "tls-cert", "FILE",
      "the server's certificate, and those between it and its CA, in PEM format; read again when "
      "the file changes, or on SIGHUP"},
     PATH(tls_cert, 0, "the path of a file, or empty")},
    {{0, "tls-key", "FILE", "its private key, in PEM format without a password; the same"},
     PATH(tls_key, 0, "the path of a file, or empty")},
    {{0, "tls-client-ca", "FILE",
      "the CAs that sign clients' certificates, in PEM format; the same"},
     PATH(tls_client_ca, 0, "the path of a file, or empty")},
    {{0, "tls-client-certs", "WHETHER",
      "whether clients show a certificate of these CAs: off, optional or required (required with "
      "--tls-client-ca, else off)"},
     NAMES(tls_client_certs, client_certs)},
    {{0, "insecure", NULL,
      "listen even where other machines can reach the server without TLS or without users"},
     .type = TYPE_FLAG,
     .offset = AT(insecure),
     .low = 0,
     .high = 1,
     .what = "a switch"},
    {{0, "metrics-listen", "ADDRESS",
      "serve metrics by HTTP on HOST:PORT, for Prometheus and browsers (off)"},
     .type = TYPE_ADDRESS,
     .offset = AT(metrics_listen)},
    {{0, "threads", "N", "worker threads (one per processor)"},
     NUMBER(TYPE_COUNT, threads, 1, 1024, "a number of threads")},
    {{0, "max-value", "BYTES", "maximum size of a value, such as 512KiB (64MiB)"},
     NUMBER(TYPE_BYTES, max_value, 1, (uint64_t)1 << 30, "a number of bytes")},
    {{0, "databases", "N", "number of databases, 0 to N - 1 (16)"},
     NUMBER(TYPE_COUNT, store.databases, 1, 1024, "a number of databases")},
    {{0, "max-memory", "BYTES", "memory limit of the data, such as 2GiB; 0: none (0)"},
     NUMBER(TYPE_BYTES, store.max_memory, 0, (uint64_t)1 << 46, "a number of bytes"),
     .is_changeable = true},
    {{0, "max-client-memory", "BYTES",
      "memory limit of requests and unread answers; 0: an eighth of max-memory but at least "
      "64MiB, or 1GiB without max-memory (0)"},
     NUMBER(TYPE_BYTES, max_client_memory, 0, (uint64_t)1 << 46, "a number of bytes"),
     .is_changeable = true},
    {{0, "watch-history", "BYTES",
      "memory limit of the recent changes that are kept for watchers while there are any (64MiB)"},
     NUMBER(TYPE_BYTES, watch_history, 16 << 10, (uint64_t)1 << 46, "a number of bytes")},
    {{0, "request-ids", "N",
      "writes with a request id whose replies are remembered, the newest ones; 0: request ids are "
      "off (100000)"},
     NUMBER(TYPE_COUNT, request_ids, 0, 100000000, "a number of request ids")},
    {{0, "request-id-age", "SECONDS", "for how long they are remembered (600)"},
     NUMBER(TYPE_SECONDS, request_id_age_ms, 1, 2592000, "a number of seconds")},
    {{0, "request-id-memory", "BYTES", "memory limit of what is remembered of them (64MiB)"},
     NUMBER(TYPE_BYTES, request_id_memory, 16 << 10, (uint64_t)1 << 46, "a number of bytes")},
    {{0, "max-memory-policy", "POLICY",
      "what is evicted at max-memory: noeviction, allkeys-lru, volatile-lru, allkeys-random or "
      "volatile-ttl (noeviction)"},
     NAMES(store.policy, policies),
     .is_changeable = true},
    {{0, "dir", "PATH", "the data directory, created if missing (./data)"},
     PATH(dir, 1, "the path of a directory")},
    {{0, "users-file", "FILE",
      "who may do what: users, their tokens and rules; read again on SIGHUP; without it everybody "
      "may do everything"},
     PATH(users_file, 0, "the path of a file, or empty")},
    {{0, "session-lifetime", "SECONDS",
      "the longest validity of a token that a password is exchanged for (900)"},
     NUMBER(TYPE_SECONDS, session_lifetime_ms, 1, 86400, "a number of seconds")},
    {{0, "audit-log", "FILE",
      "where calls that were denied, and those that administrate the server, are recorded: a file, "
      "opened again on SIGUSR1, stderr, or journal, which is stderr with a priority for systemd"},
     PATH(audit_log, 0, "the path of a file, stderr, journal, or empty")},
    {{0, "durability", "WHEN",
      "what survives a crash: always, all acknowledged writes; everysec, all but the last two "
      "seconds; none, the last snapshot (always)"},
     NAMES(journal.durability, durabilities)},
    {{0, "log-rewrite-percent", "N",
      "size of the log, in percent of the snapshot, that triggers a new snapshot; 0: never (100)"},
     NUMBER(TYPE_COUNT, journal.rewrite_percent, 0, 1000000, "a number of percent"),
     .is_changeable = true},
    {{0, "log-rewrite-min-size", "BYTES",
      "minimum size of the log that triggers a snapshot (64MiB)"},
     NUMBER(TYPE_BYTES, journal.rewrite_min_size, 0, (uint64_t)1 << 50, "a number of bytes"),
     .is_changeable = true},
    {{0, "save", "RULES",
      "pairs of seconds and changes that trigger a snapshot, such as \"900 1 300 10\", or \"\" for "
      "none (that example with --durability none, else \"\")"},
     .type = TYPE_RULES,
     .is_changeable = true},
    {{0, "import-skip-unsupported", NULL,
      "skip keys of Redis types that KeyStore does not support instead of refusing to start"},
     .type = TYPE_FLAG,
     .offset = AT(journal.skip_unsupported),
     .low = 0,
     .high = 1,
     .what = "a switch"},
    {{0, "log-level", "LEVEL", "error, warning, info or debug (info)"},
     NAMES(log_level, log_level_names),
     .is_changeable = true},
    {{0, "log-format", "FORMAT",
      "of the lines on standard error: text, or for programs logfmt or json (text)"},
     NAMES(log_format, log_format_names)},
    {{0, "slow-log-us", "MICROSECONDS",
      "time from which a call is slow: SlowLog lists it, and a line is logged; 0: every call, off: "
      "none (10000)"},
     NUMBER(TYPE_SLOW, slow_log_us, 0, 3600000000, "a number of microseconds")},
    {{0, "slow-log-max-len", "N", "number of slow calls that SlowLog keeps (128)"},
     NUMBER(TYPE_COUNT, slow_log_max_len, 0, 100000, "a number of calls")},
    {{0, "reflection", "HOW",
      "whether tools such as grpcurl can ask for the API: on, off, or text, which shows keys and "
      "values as text instead of base64 (on)"},
     NAMES(reflection, reflections)},
    {{0, "compress-replies", "WHEN",
      "which replies are compressed, of clients that accept gzip: asked, of calls that send gzip "
      "or "
      "the metadata keystore-compress; always; or never (asked)"},
     NAMES(compress_replies, compressions)},
    {{0, "health-listen", "ADDRESS",
      "listen there, too, but serve only health checks (grpc.health.v1)"},
     .type = TYPE_ADDRESS,
     .offset = AT(health_listen),
     .high = 1},
    {{0, "drain-delay", "SECONDS",
      "time between SIGTERM and the shutdown, in which calls are served but health checks say "
      "NOT_SERVING (0)"},
     NUMBER(TYPE_SECONDS, drain_delay_ms, 0, 3600, "a number of seconds")},
    {{0, "drain-timeout", "SECONDS", "time for calls in flight to finish at shutdown (10)"},
     NUMBER(TYPE_SECONDS, net.drain_timeout_ms, 0, 3600, "a number of seconds"),
     .is_changeable = true},
    {{0, "max-connections", "N", "maximum number of open connections (50000)"},
     NUMBER(TYPE_COUNT, max_connections, 1, 10000000, "a number of connections"),
     .is_changeable = true},
    {{0, "max-connections-per-address", "N", "the same per IP address; 0: no limit (0)"},
     NUMBER(TYPE_COUNT, max_per_address, 0, 10000000, "a number of connections")},
    {{0, "max-streams", "N", "maximum number of concurrent calls per connection (1000)"},
     NUMBER(TYPE_COUNT, http2.max_streams, 1, 1000000, "a number of calls")},
    {{0, "max-calls", "N",
      "maximum number of calls in flight of all connections together, streams included; 0: no "
      "limit (0)"},
     NUMBER(TYPE_COUNT, quota.most[QUOTA_CALLS], 0, ACCESS_MOST_CALLS, "a number of calls"),
     .is_changeable = true},
    {{0, "max-calls-per-user", "N",
      "the same of each user for whom the users file has no limit; 0: no limit (0)"},
     NUMBER(TYPE_COUNT, quota.most[QUOTA_USER_CALLS], 0, ACCESS_MOST_CALLS, "a number of calls"),
     .is_changeable = true},
    {{0, "calls-per-second-per-user", "N",
      "sustained rate of calls, and of operations of a Pipeline, of each such user, and how many "
      "may come at once; 0: no limit (0)"},
     NUMBER(TYPE_COUNT, quota.most[QUOTA_USER_RATE], 0, ACCESS_MOST_RATE, "a number of calls"),
     .is_changeable = true},
    {{0, "max-header-size", "BYTES",
      "maximum size of a call's metadata; larger ones are refused (16KiB)"},
     NUMBER(TYPE_BYTES, http2.max_header_bytes, 1024, 64 << 10, "a number of bytes")},
    {{0, "max-continuations", "N",
      "maximum number of small CONTINUATION frames of a header block (8)"},
     NUMBER(TYPE_COUNT, http2.max_continuations, 0, 1024, "a number of frames")},
    {{0, "max-settings-entries", "N", "maximum number of entries in a SETTINGS frame (64)"},
     NUMBER(TYPE_COUNT, http2.max_settings, 6, 2730, "a number of entries")},
    {{0, "max-idle-frames", "N",
      "maximum number of frames without progress between two calls (1000)"},
     NUMBER(TYPE_COUNT, http2.max_idle_frames, 10, 1000000000, "a number of frames")},
    {{0, "reset-burst", "N",
      "burst of calls, beyond max-streams, that violate HTTP/2 or are cancelled before they could "
      "be answered (200)"},
     NUMBER(TYPE_COUNT, http2.reset_burst, 1, 1000000000, "a number of resets")},
    {{0, "resets-per-second", "N",
      "sustained rate of the same, beyond resets of answered calls (20)"},
     NUMBER(TYPE_COUNT, http2.resets_per_s, 0, 1000000000, "a number of resets")},
    {{0, "greeting-timeout", "SECONDS",
      "time for a new connection to complete the HTTP/2 preface (10)"},
     NUMBER(TYPE_SECONDS, http2.handshake_timeout_ms, 1, 3600, "a number of seconds"),
     .is_changeable = true},
    {{0, "header-timeout", "SECONDS", "time for the rest of a header block to arrive (10)"},
     NUMBER(TYPE_SECONDS, http2.header_timeout_ms, 1, 3600, "a number of seconds"),
     .is_changeable = true},
    {{0, "write-timeout", "SECONDS",
      "time for a client to receive its answers, or min-progress of them (60)"},
     NUMBER(TYPE_SECONDS, net.write_timeout_ms, 1, 3600, "a number of seconds"),
     .is_changeable = true},
    {{0, "request-timeout", "SECONDS",
      "time for the rest of a request, or min-progress of it, to arrive (60)"},
     NUMBER(TYPE_SECONDS, request_timeout_ms, 1, 86400, "a number of seconds"),
     .is_changeable = true},
    {{0, "min-progress", "BYTES", "bytes that restart these two timeouts (256KiB)"},
     NUMBER(TYPE_BYTES, net.min_progress, 1, (uint64_t)1 << 30, "a number of bytes"),
     .is_changeable = true},
    {{0, "idle-timeout", "SECONDS",
      "time after which a connection without calls is closed; 0: never (0)"},
     NUMBER(TYPE_SECONDS, idle_timeout_ms, 0, 864000, "a number of seconds"),
     .is_changeable = true},
    {{0, "max-connection-age", "SECONDS",
      "age, within 10 percent, at which a connection is drained, so that its client makes a new "
      "one; 0: never (0)"},
     NUMBER(TYPE_SECONDS, max_age_ms, 0, 864000, "a number of seconds")},
    {{0, "max-connection-age-grace", "SECONDS",
      "time for the calls of such a connection to end; 0: any time (0)"},
     NUMBER(TYPE_SECONDS, max_age_grace_ms, 0, 864000, "a number of seconds")},
    {{0, "keepalive-time", "SECONDS",
      "silence of a client after which it is sent a PING; 0: never (300)"},
     NUMBER(TYPE_SECONDS, http2.keepalive_time_ms, 0, 864000, "a number of seconds")},
    {{0, "keepalive-timeout", "SECONDS",
      "time to answer that PING, after which the connection is closed (20)"},
     NUMBER(TYPE_SECONDS, http2.keepalive_timeout_ms, 1, 3600, "a number of seconds")},
    {{0, "min-ping-interval", "SECONDS",
      "minimum interval of a client's PINGs while it gets no answers, with or without calls; 0: "
      "any (10)"},
     NUMBER(TYPE_SECONDS, http2.min_ping_interval_ms, 0, 86400, "a number of seconds")},
};

_Static_assert(sizeof settings / sizeof settings[0] <= OPTION_MAX_ROWS,
               "the rows fit getopt's table, and each has a bit in config.given");

struct option_table options_table(void)
{
    return (struct option_table)OPTION_TABLE(settings);
}

const struct option_row *options_row(size_t row)
{
    return &settings[row].option;
}

size_t options_find(const char *name)
{
    for (size_t i = OPTION_FIRST_SETTING; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(settings[i].option.name, name) == 0)
            return i;
    }
    return 0;
}

void options_fill_defaults(struct config *config)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *config = (struct config){.threads = processors > 0 ? (uint32_t)processors : 1,
                              .max_value = (size_t)64 * 1024 * 1024,
                              .watch_history = (size_t)64 * 1024 * 1024,
                              .request_ids = RECEIPTS_DEFAULT_COUNT,
                              .session_lifetime_ms = 900000,
                              .request_id_age_ms = RECEIPTS_DEFAULT_AGE_MS,
                              .request_id_memory = RECEIPTS_DEFAULT_BYTES,
                              .store = {.databases = 16, .policy = STORE_NOEVICTION},
                              .dir = "./data",
                              .journal = {.durability = JOURNAL_ALWAYS,
                                          .rewrite_percent = 100,
                                          .rewrite_min_size = (uint64_t)64 * 1024 * 1024},
                              .max_connections = 50000,
                              .request_timeout_ms = GRPC_REQUEST_TIMEOUT_MS,
                              .log_level = LOG_INFO,
                              .slow_log_us = 10000,
                              .slow_log_max_len = 128,
                              .http2 = http2_default_limits,
                              .net = net_default_limits};
}

static bool options_set_listen(const struct setting *setting, struct config *config,
                               const char *value, const char **why)
{
    if (config->listen_count == CONFIG_MAX_LISTEN) {
        *why = "the server listens on at most 16 addresses";
        return false;
    }
    struct net_address *address = &config->listen[config->listen_count];
    if (!net_address_parse(value, address, why))
        return false;
    address->is_tls = setting->high > 0;
    config->listen_count++;
    return true;
}

static bool options_set_address(const struct setting *setting, struct net_address *address,
                                const char *value, const char **why)
{
    struct net_address given = {0};
    if (value[0] != '\0' && !net_address_parse(value, &given, why))
        return false;
    if (net_address_is_unix(&given) && setting->high == 0) {
        *why = "must be HOST:PORT; unix sockets are not supported here";
        return false;
    }
    *address = given;
    return true;
}

const char *options_policy_name(enum store_policy policy)
{
    return policies[policy];
}

static bool options_set_slow(const struct setting *setting, int64_t *us, const char *value)
{
    uint64_t number;
    if (strcmp(value, "off") == 0 || strcmp(value, "-1") == 0) { /* Redis writes -1 */
        *us = CONFIG_SLOW_LOG_OFF;
        return true;
    }
    if (!values_parse_number(value, setting->low, setting->high, &number))
        return false;
    *us = (int64_t)number;
    return true;
}

const char *options_durability_name(enum journal_durability durability)
{
    return durabilities[durability];
}

/* All enums of the configuration are of this size. */
_Static_assert(sizeof(enum store_policy) == sizeof(unsigned) &&
                   sizeof(enum journal_durability) == sizeof(unsigned) &&
                   sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum log_format) == sizeof(unsigned) &&
                   sizeof(enum grpc_compress) == sizeof(unsigned) &&
                   sizeof(enum reflection) == sizeof(unsigned) &&
                   sizeof(enum net_tls_client_certs) == sizeof(unsigned),
               "a member of TYPE_NAME is an unsigned");

static bool options_set_name(const struct setting *setting, unsigned *member, const char *value)
{
    for (unsigned i = 0; i <= setting->high; i++) {
        if (strcmp(value, setting->names[i]) == 0) {
            *member = i;
            return true;
        }
    }
    return false;
}

/* The next of the numbers separated by spaces, 1 to 1,000,000,000. */
static bool options_next_number(char **rest, uint64_t *number)
{
    const char *word = strsep(rest, " ");
    while (word != NULL && word[0] == 0)
        word = strsep(rest, " ");
    return word != NULL && values_parse_number(word, 1, 1000000000, number);
}

static bool options_parse_rules(const char *text, struct journal_options *journal)
{
    char copy[256];
    char *rest = copy;
    uint64_t seconds, changes;
    size_t len = strlen(text);
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len + 1);
    journal->rule_count = 0;
    while (rest != NULL && rest[strspn(rest, " ")] != 0) {
        if (journal->rule_count == JOURNAL_MOST_RULES || !options_next_number(&rest, &seconds) ||
            !options_next_number(&rest, &changes))
            return false;
        journal->rules[journal->rule_count++] =
            (struct journal_rule){.seconds = (int64_t)seconds, .changes = changes};
    }
    return true;
}

static bool options_set_rules(struct config *config, const char *value)
{
    struct journal_options journal = config->journal;
    if (!options_parse_rules(value, &journal))
        return false;
    config->journal = journal;
    config->has_rules = true;
    return true;
}

static bool options_set_path(const struct setting *setting, char *path, const char *value)
{
    size_t len = strlen(value);
    if (len < setting->low || len > setting->high)
        return false;
    memcpy(path, value, len + 1);
    return true;
}

static bool options_set_flag(bool *flag, const char *value)
{
    bool yes = value == NULL || strcmp(value, "yes") == 0;
    if (!yes && strcmp(value, "no") != 0)
        return false;
    *flag = yes;
    return true;
}

/* The default of max-client-memory. */
static size_t options_client_memory(size_t max_memory)
{
    const size_t least = (size_t)64 * 1024 * 1024, unlimited = (size_t)1024 * 1024 * 1024;
    if (max_memory == 0)
        return unlimited;
    return max_memory / 8 > least ? max_memory / 8 : least;
}

/* What follows from max-memory follows it. */
void options_settle_again(struct config *config, const struct config *before)
{
    if (config->store.max_memory != before->store.max_memory &&
        config->max_client_memory == options_client_memory(before->store.max_memory))
        config->max_client_memory = 0;
    options_settle(config);
}

static bool options_is_given(const struct config *config, const char *name)
{
    return (config->given >> options_find(name) & 1) != 0;
}

void options_settle(struct config *config)
{
    if (config->tls_client_ca[0] != '\0' && !options_is_given(config, "tls-client-certs"))
        config->tls_client_certs = NET_TLS_CLIENT_CERTS_REQUIRED;
    if (config->max_client_memory == 0)
        config->max_client_memory = options_client_memory(config->store.max_memory);
    bool has_rules = config->has_rules || config->journal.durability != JOURNAL_NONE ||
                     options_set_rules(config, OPTIONS_DEFAULT_RULES);
    CHECK(has_rules); /* a default is valid */
}

static bool options_set_number(const struct setting *setting, void *member, const char *value)
{
    bool bytes = setting->type == TYPE_BYTES;
    uint64_t number;
    if (bytes ? !values_parse_size(value, setting->low, setting->high, &number)
              : !values_parse_number(value, setting->low, setting->high, &number))
        return false;
    if (bytes)
        *(size_t *)member = (size_t)number;
    else if (setting->type == TYPE_SECONDS)
        *(int64_t *)member = (int64_t)number * 1000;
    else
        *(uint32_t *)member = (uint32_t)number;
    return true;
}

/* "always, everysec or none" */
static void options_list_names(const struct setting *setting, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i <= setting->high && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s",
                                i == 0               ? ""
                                : i == setting->high ? " or "
                                                     : ", ",
                                setting->names[i]);
}

void options_accepts(size_t row, char out[static OPTIONS_ACCEPTS_SIZE])
{
    const struct setting *setting = &settings[row];
    const char *text = "";
    switch (setting->type) {
    case TYPE_NONE:
        break;
    case TYPE_LISTEN:
        text = "HOST:PORT, [IPV6]:PORT or unix:PATH, once for each address";
        break;
    case TYPE_ADDRESS:
        text = setting->high > 0 ? "HOST:PORT, [IPV6]:PORT, unix:PATH, or empty"
                                 : "HOST:PORT, [IPV6]:PORT, or empty";
        break;
    case TYPE_NAME:
        options_list_names(setting, out, OPTIONS_ACCEPTS_SIZE);
        return;
    case TYPE_SLOW:
        snprintf(out, OPTIONS_ACCEPTS_SIZE, "%s, %llu to %llu, or off", setting->what,
                 (unsigned long long)setting->low, (unsigned long long)setting->high);
        return;
    case TYPE_PATH:
        snprintf(out, OPTIONS_ACCEPTS_SIZE, "%s, %llu to %llu bytes", setting->what,
                 (unsigned long long)setting->low, (unsigned long long)setting->high);
        return;
    case TYPE_RULES:
        text = "at most 8 pairs of seconds and changes, each 1 to 1000000000, such as 900 1 300 "
               "10, or empty";
        break;
    case TYPE_FLAG:
        text = "yes or no";
        break;
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_SECONDS:
        snprintf(out, OPTIONS_ACCEPTS_SIZE, "%s, %llu to %llu%s", setting->what,
                 (unsigned long long)setting->low, (unsigned long long)setting->high,
                 setting->type == TYPE_BYTES ? "; KiB, MiB or GiB may follow" : "");
        return;
    }
    snprintf(out, OPTIONS_ACCEPTS_SIZE, "%s", text);
}

/* False if the value is not accepted; *why is then set only for a listener. */
static bool options_set_value(size_t row, struct config *config, const char *value,
                              const char **why)
{
    const struct setting *setting = &settings[row];
    void *member = (char *)config + setting->offset;
    switch (setting->type) {
    case TYPE_LISTEN:
        return options_set_listen(setting, config, value, why);
    case TYPE_ADDRESS:
        return options_set_address(setting, member, value, why);
    case TYPE_NAME:
        return options_set_name(setting, member, value);
    case TYPE_SLOW:
        return options_set_slow(setting, member, value);
    case TYPE_PATH:
        return options_set_path(setting, member, value);
    case TYPE_RULES:
        return options_set_rules(config, value);
    case TYPE_FLAG:
        return options_set_flag(member, value);
    default:
        return options_set_number(setting, member, value);
    }
}

bool options_set(size_t row, struct config *config, const char *value, const char **why)
{
    static _Thread_local char message[OPTIONS_ACCEPTS_SIZE + 16];
    char accepted[OPTIONS_ACCEPTS_SIZE];
    *why = NULL;
    if (options_set_value(row, config, value, why)) {
        config->given |= UINT64_C(1) << row;
        return true;
    }
    if (*why == NULL) {
        options_accepts(row, accepted);
        snprintf(message, sizeof message, "must be %s", accepted);
        *why = message;
    }
    return false;
}

bool options_is_changeable(size_t row)
{
    return settings[row].is_changeable;
}

static void options_print_rules(const struct journal_options *journal, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < journal->rule_count && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%lld %llu", i > 0 ? " " : "",
                                (long long)journal->rules[i].seconds,
                                (unsigned long long)journal->rules[i].changes);
}

/* The one with that index of the addresses with TLS, or of those without. */
static bool options_print_listen(const struct setting *setting, const struct config *config,
                                 size_t index, char *out)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        if (config->listen[i].is_tls != (setting->high > 0) || index-- > 0)
            continue;
        snprintf(out, OPTIONS_VALUE_SIZE, "%s", config->listen[i].text);
        return true;
    }
    return false;
}

bool options_print(size_t row, const struct config *config, size_t index,
                   char out[static OPTIONS_VALUE_SIZE])
{
    const struct setting *setting = &settings[row];
    const void *member = (const char *)config + setting->offset;
    if (index > 0 && setting->type != TYPE_LISTEN)
        return false;
    switch (setting->type) {
    case TYPE_NONE:
        return false;
    case TYPE_LISTEN:
        return options_print_listen(setting, config, index, out);
    case TYPE_ADDRESS:
        snprintf(out, OPTIONS_VALUE_SIZE, "%s", ((const struct net_address *)member)->text);
        break;
    case TYPE_NAME:
        snprintf(out, OPTIONS_VALUE_SIZE, "%s", setting->names[*(const unsigned *)member]);
        break;
    case TYPE_SLOW:
        if (*(const int64_t *)member == CONFIG_SLOW_LOG_OFF)
            snprintf(out, OPTIONS_VALUE_SIZE, "off");
        else
            snprintf(out, OPTIONS_VALUE_SIZE, "%lld", (long long)*(const int64_t *)member);
        break;
    case TYPE_PATH:
        snprintf(out, OPTIONS_VALUE_SIZE, "%s", (const char *)member);
        break;
    case TYPE_RULES:
        options_print_rules(&config->journal, out, OPTIONS_VALUE_SIZE);
        break;
    case TYPE_FLAG:
        snprintf(out, OPTIONS_VALUE_SIZE, "%s", *(const bool *)member ? "yes" : "no");
        break;
    case TYPE_COUNT:
        snprintf(out, OPTIONS_VALUE_SIZE, "%u", (unsigned)*(const uint32_t *)member);
        break;
    case TYPE_BYTES:
        values_print_size(*(const size_t *)member, out, OPTIONS_VALUE_SIZE);
        break;
    case TYPE_SECONDS:
        snprintf(out, OPTIONS_VALUE_SIZE, "%lld", (long long)(*(const int64_t *)member / 1000));
        break;
    }
    return true;
}
