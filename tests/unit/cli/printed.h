/* What a function prints to a FILE, as a string to compare. */
#ifndef KEYSTORE_TESTS_CLI_PRINTED_H
#define KEYSTORE_TESTS_CLI_PRINTED_H

#include <stdio.h>

#define PRINTED_SIZE 16384

static char printed_text[PRINTED_SIZE];

/* A file that prints into printed_text; close it to compare. */
static inline FILE *printed_open(void)
{
    printed_text[0] = '\0';
    return fmemopen(printed_text, sizeof printed_text, "w");
}

#endif
