/* Parses the command line. Does not know what the options do. */
#include "check/options.h"

#include "base/option.h"

enum { OPTION_REPAIR, OPTION_REPAIR_DAMAGE, OPTION_DUMP, OPTION_HELP, OPTION_VERSION };

static const struct option_row rows[] = {
    [OPTION_REPAIR] = {0, "repair", NULL,
                       "truncate the torn end that a crash left, as the server does at start"},
    [OPTION_REPAIR_DAMAGE] = {0, "repair-damage", NULL,
                              "also truncate at the first corrupt record and drop the logs after "
                              "it:\nacknowledged writes are lost; the report says how much"},
    [OPTION_DUMP] = {0, "dump", NULL,
                     "print the data as commands for keystore-cli --pipe, and the report to\n"
                     "standard error"},
    [OPTION_HELP] = {0, "help", NULL, "print this help and exit"},
    [OPTION_VERSION] = {0, "version", NULL, "print the version and exit"},
};

static const struct option_table table = OPTION_TABLE(rows);

/* The words after `problem` are those of printf; always false. */
#define refuse(problem, ...) (snprintf(problem, OPTIONS_PROBLEM_SIZE, __VA_ARGS__), false)

static void options_take_option(size_t row, struct options *options)
{
    switch (row) {
    case OPTION_REPAIR_DAMAGE:
        options->repair_damage = true;
        options->repair = true;
        break;
    case OPTION_REPAIR:
        options->repair = true;
        break;
    case OPTION_DUMP:
        options->dump = true;
        break;
    case OPTION_HELP:
        options->help = true;
        break;
    case OPTION_VERSION:
        options->version = true;
        break;
    }
}

static bool options_check_words(struct options *options, int count, char *const *words,
                                char problem[static OPTIONS_PROBLEM_SIZE])
{
    if ((options->help || options->version) && count > 0)
        return refuse(problem, "--help and --version check nothing; omit '%.100s'", words[0]);
    if (options->help || options->version)
        return true;
    if (count == 0)
        return refuse(problem, "the data directory or file to check is missing");
    if (count > 1)
        return refuse(problem, "only one data directory or file can be checked, not %d: '%.100s'",
                      count, words[1]);
    if (words[0][0] == '\0')
        return refuse(problem, "the path of the data directory or file is empty");
    if (options->dump && options->repair)
        return refuse(problem, "--dump only reads; run it separately after the repair");
    options->path = words[0];
    return true;
}

bool options_parse(int argc, char **argv, struct options *options,
                   char problem[static OPTIONS_PROBLEM_SIZE])
{
    *options = (struct options){0};
    struct option_reader reader;
    enum option_verdict verdict;
    option_begin(&reader, table, argc, argv, true);
    while ((verdict = option_next(&reader)) == OPTION_GIVEN)
        options_take_option(reader.row, options);
    if (verdict == OPTION_BAD)
        return refuse(problem, "%s", reader.problem);
    return options_check_words(options, argc - reader.first_word, argv + reader.first_word,
                               problem);
}

void options_print_help(FILE *out)
{
    fputs(
        "Usage: keystore-check [OPTION]... PATH\n"
        "\n"
        "Checks a data directory of keystore-server, or one of its files (.rdb or .aof), while no\n"
        "server uses it, by loading it into memory as a server does: that every file is present,\n"
        "complete and valid, and that no revision is missing. Data directories and files of Redis\n"
        "can be checked, too. Only --repair and --repair-damage write.\n"
        "\n"
        "Options:\n",
        out);
    option_print(out, table, 16);
    fputs(
        "\n"
        "A repair keeps the original of every file that it changes, as NAME.before-repair-1 and\n"
        "so on.\n"
        "\n"
        "Exit code:\n"
        "  0  good, perhaps after a repair\n"
        "  1  torn: the last log ends within a record, as after a crash; the server truncates it\n"
        "     at the next start\n"
        "  2  damaged: the server refuses to start\n"
        "  3  not checked: the path cannot be read, a server uses it, or an option is wrong\n"
        "  4  refused: nothing is damaged, but the server does not load it as it is\n"
        "\n"
        "docs/durability.md says what to do in each case, docs/format.md what the files contain.\n",
        out);
}
