/*
 * Where KeyStore means to be other than Redis: one table, with the reasons, and how often a run met
 * each. What is not in it must be the same.
 */
#ifndef KEYSTORE_TESTS_MODEL_DIFFERENCES_H
#define KEYSTORE_TESTS_MODEL_DIFFERENCES_H

#include <stdbool.h>

enum difference {
    DIFFERENCE_NO_SUCH_KEY,
    DIFFERENCE_RENAME_DB,
    DIFFERENCE_TXN_UNDONE,
    DIFFERENCE_COMPARE_LIST,
    DIFFERENCE_ZERO,
    DIFFERENCE_EMPTY_KEY,
    DIFFERENCE_LONG_KEY,
    DIFFERENCE_NEGATIVE_TIME,
    DIFFERENCE_WATCH_NO_EFFECT,
    DIFFERENCE_WATCH_ABSENT,
    DIFFERENCE_WATCH_BIT_FIELD,
    DIFFERENCE_LCS_LENGTH,
    DIFFERENCE_COUNT,
};

/* Notes that a run has met it; always true. Threads may call it. */
bool difference_met(enum difference difference);

/* The table, with how often each was met. */
void differences_print(void);

#endif
