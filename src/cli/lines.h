/* The lines given at the prompt, remembered between sessions in a plain text file. */
#ifndef KEYSTORE_CLI_LINES_H
#define KEYSTORE_CLI_LINES_H

#include <histedit.h>
#include <limits.h>
#include <stdbool.h>

struct lines {
    History *history;
    char path[PATH_MAX]; /* empty = not kept */
    bool complained;     /* a failure to write was reported */
};

/*
 * Loads the history from the file that KEYSTORE_CLI_HISTORY names, else ~/.keystore_cli_history. An
 * empty KEYSTORE_CLI_HISTORY, or no home, means that nothing is kept.
 */
void lines_init(struct lines *lines);
void lines_deinit(struct lines *lines);

/* Remembers the line, here and in the file, unless it repeats the one before. A failure to write is
 * reported once on standard error. */
void lines_add(struct lines *lines, const char *line);

#endif
