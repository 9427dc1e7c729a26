/* The options of the program. */
#ifndef KEYSTORE_CLI_OPTIONS_H
#define KEYSTORE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "keystore/client.h"

#define OPTIONS_PROBLEM_SIZE 400

enum options_form { OPTIONS_FORM_AUTO, OPTIONS_FORM_RAW, OPTIONS_FORM_QUOTED };

struct options {
    char target[300]; /* as keystore_connect() takes it */
    uint32_t db;
    int64_t timeout_ms;   /* 0 = the library's default */
    uint32_t max_retries; /* of a call; 0 = none */
    bool has_tls;         /* connect with TLS: */
    struct keystore_tls tls;
    enum options_form form;
    bool pipe;
    bool yes;                  /* delete without asking */
    bool health;               /* check the service that `command` names, or the server */
    bool force;                /* replace the file of a backup */
    const char *users_file;    /* of `user` and `token`; NULL: not given */
    const char *token_file;    /* NULL: not given */
    const char *user;          /* whose password is asked for; NULL: not given */
    const char *password_file; /* the same */
    const char *token;         /* who the caller is; NULL: it does not say. Set by main */
    bool help;
    bool version;
    char **command; /* the rest of argv */
    int command_count;
};

/* False, with an error message in `problem`, for invalid options. */
bool options_parse(int argc, char **argv, struct options *options,
                   char problem[static OPTIONS_PROBLEM_SIZE]);

/* How to connect with TLS; NULL: without. */
static inline const struct keystore_tls *options_tls(const struct options *options)
{
    return options->has_tls ? &options->tls : NULL;
}

/* Prints the part of --help about the options. */
void options_print_help(FILE *out);

#endif
