/*
 * The table of commands: names, arguments, help. Completion, hints, HELP and the complaints about
 * wrong arguments all come from it.
 */
#ifndef KEYSTORE_CLI_COMMANDS_H
#define KEYSTORE_CLI_COMMANDS_H

#include "cli/request.h"
#include "cli/split.h"

#define COMMANDS_PROBLEM_SIZE 400
#define COMMANDS_LAST_DB      15

struct command {
    const char *name;  /* upper case */
    const char *usage; /* the arguments, optional ones in brackets; "" for none */
    const char *help;  /* one line */
    size_t min_args;
    size_t max_args;
    enum request_type type;
    /* Reads the arguments, whose number is right; false with a sentence in `problem`. NULL if there
     * is nothing to read. */
    bool (*build)(const struct command *command, struct words args, struct request *request,
                  char problem[static COMMANDS_PROBLEM_SIZE]);
};

/* The table in the order of HELP. */
const struct command *commands_table(size_t *count);

/* The command of this name, in upper or lower case; NULL if there is none. */
const struct command *commands_find(struct keystore_slice name);

/*
 * Understands a command line of at least one word. False, with a sentence in `problem`, for an
 * unknown command, a wrong number of arguments, or arguments that make no sense.
 */
bool commands_parse(struct words words, struct request *request,
                    char problem[static COMMANDS_PROBLEM_SIZE]);

/* HELP: all commands, or the one. */
void commands_print_help(FILE *out, const struct command *topic);

#endif
