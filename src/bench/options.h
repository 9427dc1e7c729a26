/* The command line of keystore-bench. */
#ifndef KEYSTORE_BENCH_OPTIONS_H
#define KEYSTORE_BENCH_OPTIONS_H

#include "bench/feed.h"
#include "bench/op.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_PROBLEM_SIZE 400
#define OPTIONS_MAX_OPS      2
/* Of "Bearer TOKEN", with what ends it; a server refuses longer ones. */
#define OPTIONS_AUTHORIZATION_SIZE 1024

struct options {
    const char *host;
    const char *port;
    const char *unix_path;                                    /* NULL: host and port */
    bool tls;                                                 /* see options_want_tls() */
    const char *ca_file, *cert_file, *key_file, *server_name; /* NULL: not given */
    char authorization[OPTIONS_AUTHORIZATION_SIZE]; /* of each call; "": none. Not an argument */
    uint32_t connections;
    uint32_t streams; /* calls in flight on each connection */
    uint32_t threads;
    uint32_t batch;       /* operations in each call of Pipeline; 0 = the operations' own calls */
    uint64_t requests;    /* UINT64_MAX: limited only by duration_ns */
    uint64_t duration_ns; /* 0: until the requests are done */
    size_t value_size;
    size_t key_size;
    uint64_t keyspace;
    enum op ops[OPTIONS_MAX_OPS];
    uint32_t weights[OPTIONS_MAX_OPS]; /* the ratio in which they are called */
    size_t op_count;
    bool take_turns; /* alternate between the operations instead of choosing by their weights */
    enum feed_kind feed;
    uint32_t receivers; /* streams of Watch or Consume */
    uint32_t in_flight; /* elements on each stream of Consume */
    bool fill;
    uint64_t elements;  /* of each list that is filled */
    size_t push_values; /* in each push */
    bool numbers;       /* values are decimal numbers */
    uint64_t ttl_ns;    /* of keys that are set, from the start of fill or run; 0 = none */
    int64_t range_start;
    int64_t range_stop;
    uint64_t rate; /* calls per second; 0: closed loop */
    uint64_t warmup_ns;
    uint64_t timeout_ns;
    uint64_t seed;
    int64_t server_pid; /* 0: none */
    bool verify;
    bool csv;
    bool quiet;
    bool progress; /* even if standard error is not a terminal */
    bool help;
    bool version;
};

/* False, with an error message in `problem`, without full stop, for invalid options. Strings are
 * borrowed from argv. */
bool options_parse(int argc, char **argv, struct options *options,
                   char problem[static OPTIONS_PROBLEM_SIZE]) __attribute__((warn_unused_result));

/* Connections speak TLS if one of the options for it is given. */
static inline bool options_want_tls(const struct options *options)
{
    return options->tls || options->ca_file != NULL || options->cert_file != NULL ||
           options->key_file != NULL || options->server_name != NULL;
}

void options_print_help(FILE *out);

#endif
