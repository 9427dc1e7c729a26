/* The command line of keystore-check. */
#ifndef KEYSTORE_CHECK_OPTIONS_H
#define KEYSTORE_CHECK_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#define OPTIONS_PROBLEM_SIZE 400

struct options {
    const char *path; /* a data directory or a file; borrowed from argv */
    bool repair;
    bool repair_damage; /* implies repair */
    bool dump;
    bool help;
    bool version;
};

/* False with an error message in `problem`, without full stop, if something is wrong. */
bool options_parse(int argc, char **argv, struct options *options,
                   char problem[static OPTIONS_PROBLEM_SIZE]) __attribute__((warn_unused_result));

void options_print_help(FILE *out);

#endif
