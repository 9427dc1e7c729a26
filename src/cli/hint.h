/* Which arguments may follow on a command line, and which commands complete a word. */
#ifndef KEYSTORE_CLI_HINT_H
#define KEYSTORE_CLI_HINT_H

#include "cli/commands.h"

#define HINT_SIZE        200
#define HINT_MAX_MATCHES 128

/*
 * The arguments that are still missing at the end of the line, such as "[MAXLEN elements]" after
 * "LPOS key value ". The text starts with a space if the line does not end with one, and is empty
 * if nothing is missing or the command is unknown.
 */
void hint_arguments(const char *line, char out[static HINT_SIZE]);

struct hint_matches {
    const char *names[HINT_MAX_MATCHES];
    size_t count;
    size_t common_len; /* of the longest common prefix */
    size_t word_len;   /* of the unfinished word at the end of the line */
};

/* The commands that complete the last word of the line, if it is the first word or follows HELP;
 * else none. */
void hint_commands(const char *line, struct hint_matches *matches);

#endif
