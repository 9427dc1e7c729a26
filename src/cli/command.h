/* A row in the tables of commands, of which there is one per topic. */
#ifndef KEYSTORE_CLI_COMMAND_H
#define KEYSTORE_CLI_COMMAND_H

#include "cli/request.h"

struct args;

/* As max_args: unlimited. */
#define COMMAND_ANY SIZE_MAX

struct command {
    const char *name;  /* upper case */
    const char *usage; /* the arguments, optional ones in brackets; "" for none */
    const char *help;  /* one line */
    size_t min_args;
    size_t max_args;
    enum request_type type;
    enum keystore_op_kind op; /* KEYSTORE_OP_NONE if it is not a single operation */
    /* Turns the answer into the command's reply; NULL if it is not a single operation. */
    struct reply (*answer)(const struct request *request, const struct keystore_reply *from,
                           struct arena *arena);
    /* Reads the arguments, whose number is within the bounds above; false if it refused them
     * (args.h). NULL if there are none to read. */
    bool (*build)(struct args *args, struct request *request);
};

/* The tables, in the order of HELP. */
const struct command *commands_strings(size_t *count);
const struct command *commands_bits(size_t *count);
const struct command *commands_lists(size_t *count);
const struct command *commands_keys(size_t *count);
const struct command *commands_streams(size_t *count);
const struct command *commands_admin(size_t *count);
const struct command *commands_session(size_t *count);

#endif
