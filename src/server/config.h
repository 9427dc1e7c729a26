/*
 * The server's settings, from the command line and from a configuration file with the same names.
 * --help, both parsers and their error messages follow from one table of options.
 */
#ifndef KEYSTORE_SERVER_CONFIG_H
#define KEYSTORE_SERVER_CONFIG_H

#include "server/settings.h"

enum config_answer {
    CONFIG_RUN,  /* start with the settings */
    CONFIG_EXIT, /* --help or --version was given, and the text printed */
    CONFIG_BAD,  /* an error message was printed to standard error */
};

/* Reads the command line and the file that --config names; the command line takes precedence. */
enum config_answer config_read(int argc, char **argv, struct config *config)
    __attribute__((warn_unused_result));

#endif
