/*
 * The commands: names, arguments, help. Completion, hints, HELP and the complaints about wrong
 * arguments all come from their tables.
 */
#ifndef KEYSTORE_CLI_COMMANDS_H
#define KEYSTORE_CLI_COMMANDS_H

#include "cli/args.h"
#include "cli/command.h"

/* The command of that number in the order of HELP; NULL behind the last. */
const struct command *commands_at(size_t number);

/* The command of this name, in upper or lower case; NULL if there is none. */
const struct command *commands_find(struct keystore_slice name);

/*
 * Understands a command line of at least one word, for the database `db`. The request is made of
 * the words and of memory in the arena. False, with a sentence in `problem`, for an unknown
 * command, a wrong number of arguments, or arguments that make no sense.
 */
bool commands_parse(struct words words, uint32_t db, struct arena *arena, struct request *request,
                    char problem[static ARGS_PROBLEM_SIZE]);

/* Refuses the name, and says which command was probably meant; always false. */
bool commands_refuse_unknown(struct args *args, struct keystore_slice name);

/* HELP: all commands, or the one. */
void commands_print_help(FILE *out, const struct command *topic);

#endif
