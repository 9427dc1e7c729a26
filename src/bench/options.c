/*
 * Parses the command line by a table with a row for each option: its help and what it sets. Does
 * not know what the options do.
 */
#include "bench/options.h"

#include "base/option.h"
#include "bench/now.h"
#include "bench/payload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SECONDS 1e6
/* With streams: an entry of the ledger for each key, and a prefix that fits into one frame. */
#define FEED_MAX_KEYSPACE UINT64_C(100000000)
#define FEED_MAX_KEY_SIZE ((size_t)1024)

/* Sets one option; false if the text is not a valid value. */
typedef bool set_function(struct options *options, const char *text);

struct setting {
    struct option_row option; /* first: it is a row of the option table */
    const char *wants;        /* what the argument must be, for error messages */
    set_function *set;        /* NULL: a number or a flag */
    size_t at;                /* offset of the number or flag in struct options */
    size_t size;              /* of it in bytes; 1 for a flag */
    uint64_t min;             /* bounds of the number */
    uint64_t max;
};

static bool options_parse_u64(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

/* Parses seconds, with or without a fraction, into nanoseconds. */
static bool options_parse_seconds(const char *text, uint64_t *out_ns)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds >= 0 && seconds <= MAX_SECONDS))
        return false; /* written so that NaN is refused, too */
    *out_ns = (uint64_t)(seconds * (double)NS_PER_S);
    return true;
}

static bool options_set_host(struct options *options, const char *text)
{
    options->host = text;
    return text[0] != '\0' && strlen(text) <= 255;
}

static bool options_set_port(struct options *options, const char *text)
{
    uint64_t port;
    options->port = text;
    return options_parse_u64(text, &port) && port >= 1 && port <= 65535;
}

static bool options_set_unix_path(struct options *options, const char *text)
{
    options->unix_path = text;
    return text[0] != '\0' && strlen(text) <= 107;
}

static bool options_set_ca(struct options *options, const char *text)
{
    options->ca_file = text;
    return text[0] != '\0';
}

static bool options_set_cert(struct options *options, const char *text)
{
    options->cert_file = text;
    return text[0] != '\0';
}

static bool options_set_key(struct options *options, const char *text)
{
    options->key_file = text;
    return text[0] != '\0';
}

static bool options_set_server_name(struct options *options, const char *text)
{
    options->server_name = text;
    return text[0] != '\0' && strlen(text) <= 255;
}

static bool options_set_duration(struct options *options, const char *text)
{
    return options_parse_seconds(text, &options->duration_ns) && options->duration_ns > 0;
}

static bool options_set_warmup(struct options *options, const char *text)
{
    return options_parse_seconds(text, &options->warmup_ns);
}

static bool options_set_timeout(struct options *options, const char *text)
{
    return options_parse_seconds(text, &options->timeout_ns) && options->timeout_ns > 0;
}

static bool options_set_ttl(struct options *options, const char *text)
{
    return options_parse_seconds(text, &options->ttl_ns);
}

/* "lpush", "lpush,lpop" or "watch". */
static bool options_set_op(struct options *options, const char *text)
{
    char first[16];
    options->feed = FEED_NONE;
    options->take_turns = false;
    options->op_count = 1;
    options->weights[0] = options->weights[1] = 1;
    if (feed_parse(text, &options->feed)) {
        options->ops[0] = feed_row(options->feed)->write;
        return true;
    }
    const char *comma = strchr(text, ',');
    size_t len = comma != NULL ? (size_t)(comma - text) : strlen(text);
    if (len >= sizeof first)
        return false;
    memcpy(first, text, len);
    first[len] = '\0';
    options->take_turns = comma != NULL;
    options->op_count = comma != NULL ? 2 : 1;
    return op_parse(first, &options->ops[0]) &&
           (comma == NULL ||
            (op_parse(comma + 1, &options->ops[1]) && options->ops[0] != options->ops[1] &&
             op_row(options->ops[0])->is_list == op_row(options->ops[1])->is_list));
}

/* "9:1" is nine Gets to one Set; an operation of weight 0 is left out. */
static bool options_set_mix(struct options *options, const char *text)
{
    const enum op ops[OPTIONS_MAX_OPS] = {OP_GET, OP_SET};
    unsigned weights[OPTIONS_MAX_OPS];
    int used = 0;
    if (strspn(text, "0123456789:") != strlen(text) || strlen(text) > 15 ||
        sscanf(text, "%u:%u%n", &weights[0], &weights[1], &used) != 2 || text[used] != '\0' ||
        weights[0] > 1000000 || weights[1] > 1000000)
        return false;
    options->op_count = 0;
    for (size_t i = 0; i < OPTIONS_MAX_OPS; i++) {
        if (weights[i] == 0)
            continue;
        options->ops[options->op_count] = ops[i];
        options->weights[options->op_count++] = weights[i];
    }
    return options->op_count > 0;
}

static bool options_set_range(struct options *options, const char *text)
{
    char *end;
    errno = 0;
    options->range_start = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != ':')
        return false;
    const char *stop = end + 1;
    options->range_stop = strtoll(stop, &end, 10);
    return errno == 0 && end != stop && *end == '\0';
}

#define NUMBER(field)                                                                              \
    .at = offsetof(struct options, field), .size = sizeof((struct options *)0)->field

static const struct setting settings[] = {
    {{'h', NULL, "HOST", "the server's host name or address (127.0.0.1)"},
     "a host name or an address, 1 to 255 bytes long",
     .set = options_set_host},
    {{'p', NULL, "PORT", "the server's port (50051)"},
     "a port from 1 to 65535",
     .set = options_set_port},
    {{'s', NULL, "PATH", "the server's unix socket, instead of host and port"},
     "the path of a unix socket, 1 to 107 bytes long",
     .set = options_set_unix_path},
    {{0, "tls", NULL, "connect with TLS, as the options for it also do"},
     .size = sizeof(bool),
     .at = offsetof(struct options, tls)},
    {{0, "ca", "FILE",
      "trust servers whose certificates are signed by the CAs in this file\n(those of the system)"},
     "the path of a file",
     .set = options_set_ca},
    {{0, "cert", "FILE", "the certificate to show, if the server wants one"},
     "the path of a file",
     .set = options_set_cert},
    {{0, "key", "FILE", "its key"}, "the path of a file", .set = options_set_key},
    {{0, "server-name", "NAME", "the name that the server's certificate must be for (HOST)"},
     "a name, 1 to 255 bytes long",
     .set = options_set_server_name},
    {{'c', NULL, "N", "connections (50)"},
     "a number of connections, 1 to 100000",
     NUMBER(connections),
     .min = 1,
     .max = 100000},
    {{'m', NULL, "N", "calls in flight on each connection (1)"},
     "a number of calls, 1 to 1000000",
     NUMBER(streams),
     .min = 1,
     .max = 1000000},
    {{0, "batch", "N",
      "call Pipeline with N operations each time, instead of the operation itself;\n-n, --rate and "
      "latency count such batches (0)"},
     "a number of operations, 0 to 10000",
     NUMBER(batch),
     .max = 10000},
    {{'n', NULL, "N", "number of calls (100000); 0 with --fill only fills"},
     "a number of calls, 0 to 10^15",
     NUMBER(requests),
     .max = 1000000000000000},
    {{'t', NULL, "SECONDS", "duration of the run, instead of -n"},
     "a number of seconds above 0",
     .set = options_set_duration},
    {{'d', NULL, "BYTES", "size of values (32)"},
     "a number of bytes, 0 to 1073741824",
     NUMBER(value_size),
     .max = 1 << 30},
    {{'k', NULL, "BYTES", "size of keys (16)"},
     "a number of bytes, 1 to 65536",
     NUMBER(key_size),
     .min = 1,
     .max = 65536},
    {{'r', NULL, "N", "number of keys, chosen at random (1000000)"},
     "a number of keys, 1 to 10^15",
     NUMBER(keyspace),
     .min = 1,
     .max = 1000000000000000},
    {{0, "op", "OP",
      "operation: get, set, lpush, lpop, lrange, rpush, rpop, or etcd's\netcdput (get); OP,OP "
      "alternates between two of strings or two of lists;\nwatch is set with watchers, "
      "consume is rpush to a list with consumers"},
     "one of get, set, lpush, lpop, lrange, rpush, rpop, etcdput, watch, consume, or two such as "
     "lpush,lpop",
     .set = options_set_op},
    {{0, "watchers", "N",
      "streams of Watch, spread over the connections; each receives every\nwrite of --op watch "
      "(1)"},
     "a number of streams, 1 to 1000000",
     NUMBER(receivers),
     .min = 1,
     .max = 1000000},
    {{0, "consumers", "N",
      "streams of Consume, spread over the connections, that share the\nelements of --op consume "
      "and acknowledge them (1)"},
     "a number of streams, 1 to 1000000",
     NUMBER(receivers),
     .min = 1,
     .max = 1000000},
    {{0, "in-flight", "N", "elements delivered to a consumer but not acknowledged (100)"},
     "a number of elements, 1 to 10000",
     NUMBER(in_flight),
     .min = 1,
     .max = 10000},
    {{0, "mix", "GET:SET", "random Gets and Sets in this ratio, such as 9:1"},
     "two whole numbers up to 1000000, not both 0, such as 9:1",
     .set = options_set_mix},
    {{0, "range", "START:STOP", "range of lrange (0:9)"},
     "two whole numbers, such as 0:9 or -10:-1",
     .set = options_set_range},
    {{0, "fill", NULL, "first store all keys, as strings or lists depending on --op"},
     .size = sizeof(bool),
     .at = offsetof(struct options, fill)},
    {{0, "elements", "N", "elements of each list that --fill creates, by LPush (10)"},
     "a number of elements, 1 to 10^12",
     NUMBER(elements),
     .min = 1,
     .max = 1000000000000},
    {{0, "values", "N", "values in each push (1)"},
     "a number of values, 1 to 100000",
     NUMBER(push_values),
     .min = 1,
     .max = 100000},
    {{0, "numbers", NULL, "values are decimal numbers with as many digits as -d says"},
     .size = sizeof(bool),
     .at = offsetof(struct options, numbers)},
    {{0, "ttl", "SECONDS",
      "time to live of keys that are set, from the start of the fill or the\nrun, so that all "
      "expire at one moment (0: never)"},
     "a number of seconds",
     .set = options_set_ttl},
    {{0, "rate", "N",
      "calls per second on a fixed schedule; latency is measured from the\nscheduled time, "
      "whatever "
      "delayed the call"},
     "a number of calls per second, 1 to 10^9",
     NUMBER(rate),
     .min = 1,
     .max = 1000000000},
    {{0, "warmup", "SECONDS", "duration of calls before the run that are not measured (0)"},
     "a number of seconds",
     .set = options_set_warmup},
    {{0, "timeout", "SECONDS", "give up if no call is answered for that long (30)"},
     "a number of seconds above 0",
     .set = options_set_timeout},
    {{0, "threads", "N", "number of threads that share the connections (1)"},
     "a number of threads, 1 to 1024",
     NUMBER(threads),
     .min = 1,
     .max = 1024},
    {{0, "seed", "N", "seed of the random keys (1)"},
     "a whole number, 0 or more",
     NUMBER(seed),
     .max = UINT64_MAX},
    {{0, "server-pid", "PID", "also report the CPU time of this process"},
     "a process id",
     NUMBER(server_pid),
     .min = 1,
     .max = INT32_MAX},
    {{0, "verify", NULL, "verify the values in the answers, which costs some speed"},
     .size = sizeof(bool),
     .at = offsetof(struct options, verify)},
    {{0, "csv", NULL, "print a line of column names and a line of numbers"},
     .size = sizeof(bool),
     .at = offsetof(struct options, csv)},
    {{'q', NULL, NULL, "print only one line"},
     .size = sizeof(bool),
     .at = offsetof(struct options, quiet)},
    {{0, "progress", NULL, "report progress even if standard error is not a terminal"},
     .size = sizeof(bool),
     .at = offsetof(struct options, progress)},
    {{0, "help", NULL, "print this help and exit"},
     .size = sizeof(bool),
     .at = offsetof(struct options, help)},
    {{0, "version", NULL, "print the version and exit"},
     .size = sizeof(bool),
     .at = offsetof(struct options, version)},
};
#define ROWS (sizeof settings / sizeof settings[0])

static const struct option_table table = OPTION_TABLE(settings);

/* The words after `problem` are those of printf; always false. */
#define refuse(problem, ...) (snprintf(problem, OPTIONS_PROBLEM_SIZE, __VA_ARGS__), false)

static bool options_set_number(struct options *options, const struct setting *row, const char *text)
{
    uint64_t number;
    if (!options_parse_u64(text, &number) || number < row->min || number > row->max)
        return false;
    uint8_t *field = (uint8_t *)options + row->at;
    uint32_t small = (uint32_t)number;
    if (row->size == sizeof small)
        memcpy(field, &small, sizeof small);
    else
        memcpy(field, &number, sizeof number);
    return true;
}

static bool options_take_row(struct options *options, const struct setting *row, const char *text,
                             char problem[static OPTIONS_PROBLEM_SIZE])
{
    if (row->option.argument == NULL) {
        *(bool *)((uint8_t *)options + row->at) = true;
        return true;
    }
    if (row->set != NULL ? row->set(options, text) : options_set_number(options, row, text))
        return true;
    char name[32];
    option_write_name(name, sizeof name, &row->option);
    return refuse(problem, "%s takes %s, not '%.100s'", name, row->wants, text);
}

/* Which options were given, to check which of them may be combined. */
struct given {
    bool rows[ROWS];
};

/* `name` is the option's name, or its letter if it has no name. */
static bool options_is_given(const struct given *given, const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct option_row *row = &settings[i].option;
        const char letter[] = {row->letter, '\0'};
        if (strcmp(row->name != NULL ? row->name : letter, name) == 0)
            return given->rows[i];
    }
    return false;
}

static bool options_check_feed(const struct options *options, const struct given *given,
                               char problem[static OPTIONS_PROBLEM_SIZE])
{
    bool consumes = options->feed == FEED_CONSUME;
    if (options_is_given(given, "watchers") && options->feed != FEED_WATCH)
        return refuse(problem, "--watchers is for --op watch");
    if ((options_is_given(given, "consumers") || options_is_given(given, "in-flight")) && !consumes)
        return refuse(problem, "--consumers and --in-flight are for --op consume");
    if (options->feed == FEED_NONE)
        return true;
    const char *name = feed_row(options->feed)->name;
    if (options->batch > 0 || options->verify || options->ttl_ns != 0)
        return refuse(problem, "--op %s excludes --batch, --verify and --ttl", name);
    if (options->fill && consumes)
        return refuse(problem, "--op consume starts with an empty list and excludes --fill");
    if (options->keyspace > FEED_MAX_KEYSPACE || options->key_size > FEED_MAX_KEY_SIZE)
        return refuse(problem,
                      "--op %s takes at most %" PRIu64 " keys (-r) of at most %zu bytes (-k)", name,
                      FEED_MAX_KEYSPACE, FEED_MAX_KEY_SIZE);
    size_t digits = payload_digits(options->keyspace);
    if (consumes && options->value_size < digits + (options->numbers ? 1 : 0))
        return refuse(problem,
                      "%" PRIu64 " elements (-r) need %zu digits in their values, but -d allows "
                      "only %zu bytes",
                      options->keyspace, digits + (options->numbers ? 1 : 0), options->value_size);
    return true;
}

static bool options_check_together(const struct options *options, const struct given *given,
                                   char problem[static OPTIONS_PROBLEM_SIZE])
{
    size_t digits = payload_digits(options->keyspace);
    bool lists = op_row(options->ops[0])->is_list;
    if (options->unix_path != NULL &&
        (options_is_given(given, "h") || options_is_given(given, "p")))
        return refuse(problem, "-s names a unix socket and excludes -h and -p");
    if (options_is_given(given, "n") && options_is_given(given, "t"))
        return refuse(problem, "-n counts calls and -t limits the time; give one of them");
    if (options_is_given(given, "op") && options_is_given(given, "mix"))
        return refuse(problem, "--mix selects the operations and excludes --op");
    if (options->requests == 0 && !options->fill)
        return refuse(problem, "-n 0 makes no calls, which only makes sense with --fill");
    if (options->threads > options->connections)
        return refuse(problem,
                      "%" PRIu32 " threads cannot share %" PRIu32
                      " connections; give at least as many with -c",
                      options->threads, options->connections);
    if (options->key_size < digits)
        return refuse(problem, "%" PRIu64 " keys need %zu digits, but -k allows only %zu bytes",
                      options->keyspace, digits, options->key_size);
    if (options->fill && lists && options->elements % options->push_values != 0)
        return refuse(problem,
                      "lists of %" PRIu64 " elements cannot be filled by pushes of %zu values; "
                      "--elements must be a multiple of --values",
                      options->elements, options->push_values);
    if (options->batch > 0 && options->verify)
        return refuse(problem, "--verify is for single calls, and excludes --batch");
    if (options->batch > 0 && op_row(options->ops[0])->field == 0)
        return refuse(problem, "--batch needs operations of KeyStore, not etcd's");
    if (options->ttl_ns != 0 && lists)
        return refuse(problem, "--ttl is for what set stores, not for lists");
    if (options->numbers && options->value_size == 0)
        return refuse(problem, "-d 0 leaves no digit for --numbers");
    return options_check_feed(options, given, problem);
}

static void options_set_defaults(struct options *options)
{
    *options = (struct options){
        .host = "127.0.0.1",
        .port = "50051",
        .connections = 50,
        .streams = 1,
        .threads = 1,
        .requests = 100000,
        .value_size = 32,
        .key_size = 16,
        .keyspace = 1000000,
        .ops = {OP_GET},
        .weights = {1},
        .op_count = 1,
        .receivers = 1,
        .in_flight = 100,
        .elements = 10,
        .push_values = 1,
        .range_stop = 9,
        .timeout_ns = 30 * NS_PER_S,
        .seed = 1,
    };
}

bool options_parse(int argc, char **argv, struct options *options,
                   char problem[static OPTIONS_PROBLEM_SIZE])
{
    struct given given = {.rows = {false}};
    struct option_reader reader;
    enum option_verdict verdict;
    options_set_defaults(options);
    option_begin(&reader, table, argc, argv, false);
    while ((verdict = option_next(&reader)) == OPTION_GIVEN) {
        if (!options_take_row(options, &settings[reader.row], reader.value, problem))
            return false;
        given.rows[reader.row] = true;
    }
    if (verdict == OPTION_BAD)
        return refuse(problem, "%s", reader.problem);
    if (reader.first_word < argc)
        return refuse(problem, "'%.100s' is not an option; options start with a dash",
                      argv[reader.first_word]);
    if (options_is_given(&given, "t"))
        options->requests = UINT64_MAX;
    return options_check_together(options, &given, problem);
}

void options_print_help(FILE *out)
{
    fputs("Usage: keystore-bench [OPTION]...\n"
          "\n"
          "Calls a server of the gRPC API keystore.v1 as fast as it answers, or at a fixed rate, "
          "and\n"
          "reports throughput and latency.\n"
          "\n"
          "Options:\n",
          out);
    option_print(out, table, 20);
    fputs(
        "\n"
        "A get, lpop or lrange that finds nothing counts as a miss, not as an error: store the\n"
        "keys first, with --fill. watch and consume write keys, or elements, in turn, of which at\n"
        "most -r are under way at a time. After the last call they wait until all have arrived "
        "and\n"
        "are acknowledged; receipt latency is from the start of a write to its arrival. The list "
        "of\n"
        "consume must be empty at the start. The exit code is 1 if a call failed, a stream ended "
        "or\n"
        "missed anything, or the server could not be reached, 2 for bad options.\n"
        "\n"
        "If the environment has KEYSTORE_TOKEN, that token is sent with each call.\n",
        out);
}
