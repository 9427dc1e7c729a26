/*
 * The commands: names, arguments, help. Completion, hints, HELP and the error messages about wrong
 * arguments all come from their tables.
 */
#ifndef KEYSTORE_CLI_COMMANDS_H
#define KEYSTORE_CLI_COMMANDS_H

#include "cli/args.h"
#include "cli/command.h"

/* The command at that index in the order of HELP; NULL past the last. */
const struct command *commands_at(size_t number);

/* The command of this name, ignoring case; NULL if it is unknown. */
const struct command *commands_find(struct keystore_slice name);

/*
 * Parses a command line of at least one word, for the database `db`. The request refers to the
 * words and to memory in the arena. False, with an error message in `problem`, for an unknown
 * command, a wrong number of arguments or invalid arguments.
 */
bool commands_parse(struct words words, uint32_t db, struct arena *arena, struct request *request,
                    char problem[static ARGS_PROBLEM_SIZE]);

/* Refuses the name and suggests the command that was probably meant; always false. */
bool commands_refuse_unknown(struct args *args, struct keystore_slice name);

/* HELP: lists all commands, or describes `topic` if it is not NULL. */
void commands_print_help(FILE *out, const struct command *topic);

#endif
