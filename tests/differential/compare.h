/* Compares one conversation on both sessions. */
#ifndef KEYSTORE_TESTS_DIFFERENTIAL_COMPARE_H
#define KEYSTORE_TESTS_DIFFERENTIAL_COMPARE_H

#include "conversation.h"

struct comparison {
    const char *mismatch; /* NULL if there is none */
    size_t at;            /* bytes fed when it was found */
    char detail[1024];
    size_t steps; /* in which nothing differed or all that did is permitted */
    size_t steps_total;
    size_t requests; /* that both sessions accepted */
};

/*
 * Feeds it step by step to both and compares after each step; then to ours again, byte by byte and
 * in random pieces. `conversation` may be completed.
 */
struct comparison compare(struct conversation *conversation);

#endif
