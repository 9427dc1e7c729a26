/*
 * The server's settings: from the command line and from a configuration file, under the same names.
 * One table holds the options; --help, both parsers and their messages come from it.
 */
#ifndef KEYSTORE_SERVER_CONFIG_H
#define KEYSTORE_SERVER_CONFIG_H

#include "server/settings.h"

enum config_answer {
    CONFIG_RUN,  /* go on with the settings */
    CONFIG_EXIT, /* --help or --version was asked for and printed */
    CONFIG_BAD,  /* a sentence was printed to standard error */
};

/* Reads the command line, and the file that --config names; what the command line says wins. */
enum config_answer config_read(int argc, char **argv, struct config *config)
    __attribute__((warn_unused_result));

#endif
