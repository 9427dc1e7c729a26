/* What may still follow on a command line, and which commands a word may become. */
#ifndef KEYSTORE_CLI_HINT_H
#define KEYSTORE_CLI_HINT_H

#include "cli/commands.h"

#define HINT_SIZE        200
#define HINT_MAX_MATCHES 128

/*
 * The arguments that are still missing behind the line, such as "[MAXLEN elements]" behind
 * "LPOS key value "; it starts with a space if the line does not end with one. Empty if there are
 * none or the command is unknown.
 */
void hint_arguments(const char *line, char out[static HINT_SIZE]);

struct hint_matches {
    const char *names[HINT_MAX_MATCHES];
    size_t count;
    size_t common_len; /* letters with which all of them start */
    size_t word_len;   /* of the unfinished word at the end of the line */
};

/* The commands that the last word of the line may become: the first word, or the one after HELP.
 * No matches if the last word is something else. */
void hint_commands(const char *line, struct hint_matches *matches);

#endif
