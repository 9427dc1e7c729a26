/* Finds commands by name and parses command lines. Does not know any single command. */
#include "cli/commands.h"

#include "base/nearest.h"

static const struct {
    const char *title;
    const struct command *(*table)(size_t *count);
} topics[] = {
    {"Strings", commands_strings},
    {"Bits of strings", commands_bits},
    {"Lists", commands_lists},
    {"Keys", commands_keys},
    {"Streams", commands_streams},
    {"Administration", commands_admin},
    {"Transactions, server, keystore-cli", commands_session},
};
#define TOPIC_COUNT (sizeof topics / sizeof *topics)

const struct command *commands_at(size_t number)
{
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        size_t count = 0;
        const struct command *table = topics[i].table(&count);
        if (number < count)
            /* cppcheck-suppress returnDanglingLifetime; the table is static, not in `count` */
            return &table[number];
        number -= count;
    }
    return NULL;
}

const struct command *commands_find(struct keystore_slice name)
{
    const struct command *command;
    for (size_t i = 0; (command = commands_at(i)) != NULL; i++)
        if (args_is_word(name, command->name))
            return command;
    return NULL;
}

/* ---- misspelt names ---- */

bool commands_refuse_unknown(struct args *args, struct keystore_slice name)
{
    const struct command *command;
    struct nearest meant;
    nearest_begin(&meant, name.data, name.len);
    for (size_t i = 0; (command = commands_at(i)) != NULL; i++)
        nearest_offer(&meant, command->name);
    if (meant.name != NULL)
        return args_refuse(args, "unknown command '%.*s': did you mean %s? HELP lists all commands",
                           args_quoted_len(name), (const char *)name.data, meant.name);
    return args_refuse(args, "unknown command '%.*s': HELP lists all commands",
                       args_quoted_len(name), (const char *)name.data);
}

/* ---- command lines ---- */

static bool commands_refuse_count(struct args *args)
{
    const struct command *command = args->command;
    char wanted[40];
    if (command->max_args == 0)
        snprintf(wanted, sizeof wanted, "no arguments");
    else if (command->min_args == command->max_args)
        snprintf(wanted, sizeof wanted, "exactly %zu argument%s", command->min_args,
                 command->min_args == 1 ? "" : "s");
    else if (command->max_args == COMMAND_ANY)
        snprintf(wanted, sizeof wanted, "at least %zu argument%s", command->min_args,
                 command->min_args == 1 ? "" : "s");
    else
        snprintf(wanted, sizeof wanted, "%zu to %zu arguments", command->min_args,
                 command->max_args);
    return args_refuse(args, "%s takes %s, not %zu; usage: %s%s%s", command->name, wanted,
                       args->words.count, command->name, command->usage[0] != '\0' ? " " : "",
                       command->usage);
}

bool commands_parse(struct words words, uint32_t db, struct arena *arena, struct request *request,
                    char problem[static ARGS_PROBLEM_SIZE])
{
    const struct command *command = commands_find(words.items[0]);
    struct args args = {
        .command = command,
        .words = {.items = words.items + 1, .count = words.count - 1},
        .db = db,
        .arena = arena,
        .problem = problem,
    };
    if (command == NULL)
        return commands_refuse_unknown(&args, words.items[0]);
    if (args.words.count < command->min_args || args.words.count > command->max_args)
        return commands_refuse_count(&args);
    *request = (struct request){
        .type = command->type,
        .db = db,
        .op.kind = command->op,
        .answer = command->answer,
    };
    if (command->build != NULL && !command->build(&args, request))
        return false;
    return args_left(&args) == 0 || args_refuse_option(&args);
}

/* ---- HELP ---- */

static void commands_print_list(FILE *out)
{
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        size_t count;
        const struct command *table = topics[i].table(&count);
        fprintf(out, "%s%s:\n", i > 0 ? "\n" : "", topics[i].title);
        for (size_t j = 0; j < count; j++)
            fprintf(out, "  %-12s %s\n", table[j].name, table[j].help);
    }
    fputs("\nHELP COMMAND shows the arguments of a command.\n", out);
}

void commands_print_help(FILE *out, const struct command *topic)
{
    if (topic == NULL)
        commands_print_list(out);
    else
        fprintf(out, "%s%s%s\n  %s.\n", topic->name, topic->usage[0] != '\0' ? " " : "",
                topic->usage, topic->help);
}
