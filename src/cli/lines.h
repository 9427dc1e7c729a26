/* The history of the prompt, saved between sessions in a plain text file. */
#ifndef KEYSTORE_CLI_LINES_H
#define KEYSTORE_CLI_LINES_H

#include <histedit.h>
#include <limits.h>
#include <stdbool.h>

struct lines {
    History *history;
    char path[PATH_MAX];   /* empty = not saved */
    bool failure_reported; /* a failure to write was reported */
};

/*
 * Loads the history from the file that KEYSTORE_CLI_HISTORY names, else ~/.keystore_cli_history.
 * Nothing is saved if KEYSTORE_CLI_HISTORY is empty or there is no home directory.
 */
void lines_init(struct lines *lines);
void lines_deinit(struct lines *lines);

/* Adds the line to the history and the file, unless it repeats the previous one. The first failure
 * to write is reported on standard error. */
void lines_add(struct lines *lines, const char *line);

#endif
