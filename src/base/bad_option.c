/* Finds out from what getopt_long() leaves behind. */
#include "base/bad_option.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

void bad_option_describe(char *out, size_t size, int answer, char *const *argv, int first_code)
{
    /* getopt leaves a short option in optopt, and 0 or its code there for a long one. */
    bool is_short = optopt != 0 && optopt < first_code;
    char name[100];
    if (is_short)
        snprintf(name, sizeof name, "-%c", optopt);
    else
        snprintf(name, sizeof name, "%s", argv[optind - 1]);
    if (answer == ':')
        snprintf(out, size, "the option %s needs a value behind it", name);
    else if (optopt >= first_code)
        snprintf(out, size, "the option %s takes no value", name);
    else
        snprintf(out, size, "there is no option %s", name);
}
