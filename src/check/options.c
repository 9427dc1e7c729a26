/* Reads the command line with getopt_long. Refuses to know what the options do. */
#include "check/options.h"

#include "base/bad_option.h"

#include <getopt.h>
#include <string.h>

enum { OPTION_REPAIR = 256, OPTION_REPAIR_DAMAGE, OPTION_DUMP, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
    {"repair", no_argument, NULL, OPTION_REPAIR},
    {"repair-damage", no_argument, NULL, OPTION_REPAIR_DAMAGE},
    {"dump", no_argument, NULL, OPTION_DUMP},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* The words after `problem` are those of printf; always false. */
#define refuse(problem, ...) (snprintf(problem, OPTIONS_PROBLEM_SIZE, __VA_ARGS__), false)

static bool take_option(int option, struct options *options, char *const *argv,
                        char problem[static OPTIONS_PROBLEM_SIZE])
{
    switch (option) {
    case OPTION_REPAIR_DAMAGE:
        options->repair_damage = true;
        options->repair = true;
        return true;
    case OPTION_REPAIR:
        options->repair = true;
        return true;
    case OPTION_DUMP:
        options->dump = true;
        return true;
    case OPTION_HELP:
        options->help = true;
        return true;
    case OPTION_VERSION:
        options->version = true;
        return true;
    default:
        bad_option_describe(problem, OPTIONS_PROBLEM_SIZE, option, argv, OPTION_REPAIR);
        return false;
    }
}

static bool check_words(struct options *options, int count, char *const *words,
                        char problem[static OPTIONS_PROBLEM_SIZE])
{
    if ((options->help || options->version) && count > 0)
        return refuse(problem, "--help and --version check nothing; leave '%.100s' out", words[0]);
    if (options->help || options->version)
        return true;
    if (count == 0)
        return refuse(problem, "which data directory or file is to be checked is not said");
    if (count > 1)
        return refuse(problem, "one data directory or file is checked at a time, not %d: '%.100s'",
                      count, words[1]);
    if (words[0][0] == '\0')
        return refuse(problem, "the path of the data directory or file is empty");
    if (options->dump && options->repair)
        return refuse(problem, "--dump only reads; give it in a call of its own after the repair");
    options->path = words[0];
    return true;
}

bool options_parse(int argc, char **argv, struct options *options,
                   char problem[static OPTIONS_PROBLEM_SIZE])
{
    *options = (struct options){0};
    optind = 0; /* start over, so that a test may parse twice */
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (!take_option(option, options, argv, problem))
            return false;
    }
    return check_words(options, argc - optind, argv + optind, problem);
}

void options_print_help(FILE *out)
{
    fputs(
        "Usage: keystore-check [OPTION]... PATH\n"
        "\n"
        "Checks a data directory of keystore-server, or one file of it (.rdb or .aof), while no\n"
        "server uses it, by loading it into memory as a server does: that each file is there,\n"
        "whole and right, and that no revision is missing. Redis' data directories and files can\n"
        "be checked too. It only reads, but for --repair.\n"
        "\n"
        "Options:\n"
        "  --repair         cut the torn end that a crash left, as the server does when it starts\n"
        "  --repair-damage  cut at the first record that is damaged, too, and drop the logs "
        "behind\n"
        "                   it: what had been acknowledged is lost, the report says how much\n"
        "  --dump           print the data as commands for keystore-cli --pipe, and the report on\n"
        "                   standard error\n"
        "  --help           print this and leave\n"
        "  --version        print the version and leave\n"
        "\n"
        "A repair keeps each file that it changes beside it as it was, as\n"
        "NAME.before-repair-1 and so on.\n"
        "\n"
        "Exit code:\n"
        "  0  good; or repaired, and good now\n"
        "  1  torn: the last log ends within a record, as after a crash; the next start cuts it\n"
        "  2  damaged: the server refuses to start on it\n"
        "  3  not checked: the path cannot be read, a server uses it, or the options are wrong\n"
        "  4  refused: nothing is damaged, but the server does not start on it as it is\n"
        "\n"
        "docs/durability.md says what to do then, docs/format.md what is in the files.\n",
        out);
}
